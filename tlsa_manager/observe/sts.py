"""The MTA-STS policy of a mail domain, fetched as a sender fetches it (RFC 8461 §3): HTTPS, no redirects, a trusted certificate.

Over the same bounded wire as every probe, so that a hostile web server costs no more than a hostile mail server; to the
addresses that DNS gave us, with no proxy between.
"""

from __future__ import annotations

import http.client
import io
import re
from typing import TYPE_CHECKING

from tlsa_manager.observe.ending import ProbeError, printable
from tlsa_manager.observe.handshake import connect, drive, flush, part, presented
from tlsa_manager.observe.wire import Wire
from tlsa_manager.snapshot import Outcome
from tlsa_manager.surroundings import StsPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from OpenSSL import SSL

    from tlsa_manager.observe.pkix import Authorities

MAX_OCTETS = 64 * 1024  # of a policy: "64 KB is suggested" (RFC 8461 §3.3)
MAX_HEAD = 32 * 1024
MAX_MX = 64
MAX_AGE = 31_557_600  # RFC 8461 §3.2: a year
_PATH = "/.well-known/mta-sts.txt"
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(\d{3}|.)")
_MX = re.compile(r"(?:\*\.)?(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.)*(?!-)[a-z0-9_-]{1,63}(?<!-)")


class NoPolicyError(Exception):
    """There is no policy. `problem`: why, fit to print; `unreachable`: another address might do."""

    def __init__(self, problem: str, *, unreachable: bool = False) -> None:
        """Keep both."""
        super().__init__(problem)
        self.problem = printable(problem)
        self.unreachable = unreachable


def announcement(texts: Sequence[str]) -> str:
    """Return why the TXT records at `_mta-sts.DOMAIN` (presentation form) announce no policy; empty if they do (§3.1)."""
    found = [text for text in map(plain_text, texts) if re.match(r"v=STSv1\s*;", text)]
    if not found:
        return "the TXT record at _mta-sts does not begin with v=STSv1;" if texts else "there is no TXT record at _mta-sts"
    if len(found) > 1:
        return f"there are {len(found)} records at _mta-sts, so that senders take none of them"
    if not re.search(r";\s*id\s*=\s*[A-Za-z0-9]{1,32}\s*(?:;|$)", found[0]):
        return "the record at _mta-sts has no usable id (1 to 32 letters and digits)"
    return ""


def plain_text(text: str) -> str:
    """Return the text of a TXT record in presentation form: its strings put together (RFC 1035 §5.1)."""
    strings = _STRING.findall(text)
    whole = "".join(strings) if strings else text
    return _ESCAPED.sub(lambda one: chr(int(one[1]) & 0xFF) if len(one[1]) == 3 else one[1], whole)


async def fetch(domain: str, address: str, *, authorities: Authorities, timeout: float, port: int = 443) -> StsPolicy:
    """Fetch the policy of a mail domain from one address of `mta-sts.DOMAIN`. Raises NoPolicyError."""
    host = f"mta-sts.{domain}"
    try:
        async with Wire(address, port, timeout) as wire:
            answer = await _ask(wire, host, authorities)
    except ProbeError as error:
        reason = f"https://{host} cannot be asked at {address}: {error.reason}"
        raise NoPolicyError(reason, unreachable=error.outcome is Outcome.UNREACHABLE) from None
    return _policy(domain, answer)


async def _ask(wire: Wire, host: str, authorities: Authorities) -> bytes:
    """Ask for the policy, once the server has proven that it is `host`. Raises ProbeError, NoPolicyError."""
    from OpenSSL import SSL

    connection = connect("any", host)
    await drive(connection, wire, "any")
    if doubt := authorities.doubt(presented(connection)[0], host):
        await part(connection, wire, b"")
        raise NoPolicyError(f"the certificate of https://{host} is not trusted: {doubt}")
    request = (
        f"GET {_PATH} HTTP/1.1\r\nHost: {host}\r\nAccept: text/plain\r\nUser-Agent: tlsa-manager\r\nConnection: close\r\n\r\n"
    )
    try:
        connection.send(request.encode("ascii"))
        await flush(connection, wire)
        return await _answer(connection, wire)
    except SSL.Error as error:
        raise NoPolicyError(f"the TLS connection to https://{host} broke: {printable(str(error), 80)}") from None


async def _answer(connection: SSL.Connection, wire: Wire) -> bytes:
    """Read until the server has said all."""
    from OpenSSL import SSL

    said = b""
    while len(said) <= MAX_HEAD + MAX_OCTETS and not _whole(said):
        try:
            said += connection.recv(16384)
        except SSL.WantReadError:
            await flush(connection, wire)
            data = await wire.receive()
            if not data:
                break
            connection.bio_write(data)
        except SSL.ZeroReturnError:
            break
    await part(connection, wire, b"")
    return said


def _whole(said: bytes) -> bool:
    """Whether as much is there as was announced; without an announcement the end of the connection is the end."""
    head, mark, body = said.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?:\r\n|\Z)", head, re.IGNORECASE) if mark else None
    return length is not None and len(body) >= int(length[1])


class _Said(io.BytesIO):
    """What http.client takes for a socket."""

    def makefile(self, *_: object) -> io.BytesIO:
        """Return what was said."""
        return self


def _policy(domain: str, said: bytes) -> StsPolicy:
    """Read the answer. Raises NoPolicyError."""
    url = f"https://mta-sts.{domain}{_PATH}"
    answer = http.client.HTTPResponse(_Said(said))  # type: ignore[arg-type]
    if b"\r\n\r\n" not in said:
        raise NoPolicyError(f"{url} does not answer in HTTP: '{printable(said, 60)}'")
    try:
        answer.begin()
        body = answer.read(MAX_OCTETS + 1)
    except (http.client.HTTPException, ValueError) as error:
        raise NoPolicyError(f"{url} does not answer in HTTP, or not all of it: {printable(str(error), 80)}") from None
    if 300 <= answer.status < 400:
        raise NoPolicyError(f"{url} redirects ({answer.status}); senders do not follow (RFC 8461 §3.3)")
    if answer.status != 200:
        raise NoPolicyError(f"{url} answers {answer.status} {printable(answer.reason, 60)}")
    if len(body) > MAX_OCTETS:
        raise NoPolicyError(f"{url} is longer than {MAX_OCTETS // 1024} kB")
    if answer.length:
        raise NoPolicyError(f"{url} breaks off before its end")
    kind = printable(answer.getheader("Content-Type", ""), 60)
    wrong = "" if kind.partition(";")[0].strip().lower() == "text/plain" else f"{url} comes as '{kind}', not as text/plain"
    return parse(domain, body, wrong)


def parse(domain: str, body: bytes, problem: str = "") -> StsPolicy:
    """Read a policy (RFC 8461 §3.2). `problem`: what is wrong already, without making it void. Raises NoPolicyError."""
    fields: dict[str, list[str]] = {}
    for line in body.decode("utf-8", "replace").split("\n"):
        key, colon, value = line.strip("\r \t").partition(":")
        if colon:
            fields.setdefault(key.strip(), []).append(value.strip())
    version, mode, age = (fields.get(key, [""])[0] for key in ("version", "mode", "max_age"))  # the first one counts
    mx = tuple(dict.fromkeys(one.lower().rstrip(".") for one in fields.get("mx", [])))
    if version != "STSv1":
        raise NoPolicyError("the policy does not say version: STSv1")
    if mode not in {"enforce", "testing", "none"}:
        raise NoPolicyError(f"the policy has the mode '{printable(mode, 40)}'; it must be enforce, testing or none")
    if not re.fullmatch(r"[0-9]{1,10}", age) or int(age) > MAX_AGE:
        raise NoPolicyError(f"the policy has the max_age '{printable(age, 40)}'; it must be a number of seconds up to {MAX_AGE}")
    if not mx and mode != "none":
        raise NoPolicyError("the policy names no mx")
    odd = next((one for one in mx if len(one) > 253 or not _MX.fullmatch(one)), None)
    if odd is not None or len(mx) > MAX_MX:
        raise NoPolicyError(
            f"the policy names '{printable(odd, 60)}' as mx" if odd is not None else "the policy names too many mx"
        )
    return StsPolicy(domain, announced=True, mode=mode, mx=mx, max_age=int(age), problem=problem)
