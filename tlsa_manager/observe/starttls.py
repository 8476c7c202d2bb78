"""The plain-text dialogue of each protocol up to the moment when TLS begins. Sans-IO: bytes in, bytes out, no socket.

Each protocol is a generator: it yields what to send (nothing: only listen), gets the server's next line (XMPP: tag), and
returns when TLS is to begin. Whatever the server sends before it was asked is never interpreted: an attacker on the path
could put it there in front of the encrypted answers (response injection, the class of CVE-2021-38371).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tlsa_manager.observe.ending import ProbeError, printable
from tlsa_manager.snapshot import Outcome
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Script = Generator[bytes, bytes, None]

MAX_BYTES = 65536  # of plain text before TLS
MAX_LINE = 8192
FAREWELL = {
    "smtp": b"QUIT\r\n", "submission": b"QUIT\r\n", "lmtp": b"QUIT\r\n", "pop3": b"QUIT\r\n",
    "imap": b"z LOGOUT\r\n", "sieve": b"LOGOUT\r\n", "xmpp-client": b"</stream:stream>", "xmpp-server": b"</stream:stream>",
}  # fmt: skip
_TLS_RECORD = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")
_LITERAL = re.compile(rb"\{(\d{1,5})\+?\}\r?\n\Z")
_TAG = re.compile(rb"""<(?:[^<>"']|"[^"<]*"|'[^'<]*')*>""")
_TAG_NAME = re.compile(rb"<(/?)(?:[\w.-]+:)?([\w.-]+)")


@dataclass(slots=True)
class Heard:
    """What an SMTP or LMTP server said on the way. `offered`: STARTTLS, None where it did not come to that.

    `starttls_code`: of the reply that refused STARTTLS, else 0; `plain`, `plain_said`: the reply to a recipient without TLS.
    """

    banner: str = ""
    offered: bool | None = None
    crossed_out: bool = False
    starttls_code: int = 0
    plain: int = 0
    plain_said: str = ""


class Dialogue:
    """One dialogue. Send `begin()`, then what each `feed()` returns, until `ready`; a ProbeError ends it otherwise."""

    def __init__(
        self, protocol: str, host: str, greeting_name: str = "[127.0.0.1]", plain_to: str = "", heard: Heard | None = None
    ) -> None:
        """Prepare the dialogue of `protocol` (a key of FAREWELL) with the server of `host`.

        plain_to: a mail domain whose postmaster is named as the recipient of a mail without TLS, instead of STARTTLS; the
        dialogue is then `ready` when that is answered. SMTP and LMTP only. heard: where to keep what SMTP servers say.
        """
        self.ready = False
        self.heard = heard or Heard()
        self._script = _script(protocol, host, greeting_name, self.heard, plain_to)
        self._cut = _CUT.get(protocol, _cut_line)
        self._buffer = b""
        self._received = 0

    def begin(self) -> bytes:
        """Return what the client says first; empty where the server greets."""
        return next(self._script)

    def feed(self, data: bytes) -> bytes:
        """Take what the server sent; empty = it closed the connection. Return what to send. Raises ProbeError."""
        if not data:
            raise ProbeError(Outcome.FAILED, "the server closed the connection before TLS began" + _quoted(self._buffer))
        self._received += len(data)
        self._buffer += data
        if _TLS_RECORD.match(self._buffer):
            raise ProbeError(Outcome.FAILED, "the server speaks TLS at once: this port needs protocol tls, not STARTTLS")
        answer = b""
        while not answer and not self.ready and (unit := self._cut(self._buffer)):
            self._buffer = self._buffer[len(unit) :]
            answer = self._step(unit)
        if not self.ready and self._received > MAX_BYTES:
            raise ProbeError(Outcome.FAILED, "the server talks without end and never comes to STARTTLS")
        return answer

    def _step(self, unit: bytes) -> bytes:
        try:
            answer = self._script.send(unit)
        except StopIteration:
            if self._buffer:
                raise ProbeError(Outcome.FAILED, "the server sent data before TLS began" + _quoted(self._buffer)) from None
            self.ready = True
            return b""
        if answer and self._buffer.strip():
            raise ProbeError(Outcome.FAILED, "the server answered before it was asked" + _quoted(self._buffer))
        return answer


def _script(protocol: str, host: str, greeting_name: str, heard: Heard, plain_to: str) -> Script:
    hello = (b"LHLO " if protocol == "lmtp" else b"EHLO ") + greeting_name.encode("ascii", "replace")
    if plain_to:
        return _without_tls(hello, heard, plain_to)
    table: dict[str, Callable[[], Script]] = {
        "smtp": lambda: _smtp(hello, heard),
        "submission": lambda: _smtp(hello, heard),
        "lmtp": lambda: _smtp(hello, heard),
        "imap": _imap,
        "pop3": _pop3,
        "sieve": _sieve,
        "xmpp-client": lambda: _xmpp(host, b"jabber:client"),
        "xmpp-server": lambda: _xmpp(host, b"jabber:server"),
    }
    return table[protocol]()


def _smtp(hello: bytes, heard: Heard) -> Script:
    """SMTP and LMTP (RFC 3207 §4, RFC 2033 §4.1)."""
    yield from _greet(hello, heard)
    if not heard.offered:
        why = ": something on the path has crossed it out (XXXX)" if heard.crossed_out else ""
        raise ProbeError(Outcome.NO_TLS, "the server does not offer STARTTLS" + why)
    code, lines = yield from _reply(b"STARTTLS\r\n")
    if code != 220:
        heard.starttls_code = code
        # 4xx: offered, but something is broken, mostly the key file (RFC 3207 §4: 454); 5xx: not for this client
        outcome = Outcome.FAILED if 400 <= code < 500 else Outcome.NO_TLS
        raise ProbeError(outcome, "the server refuses STARTTLS" + _quoted(lines[-1]))


def _greet(hello: bytes, heard: Heard) -> Generator[bytes, bytes, None]:
    """Hear the banner and the list of extensions."""
    code, lines = yield from _reply(b"")
    heard.banner = printable(b" ".join(line[4:].strip() for line in lines))
    if code != 220:
        raise ProbeError(Outcome.FAILED, "the server greets with an error" + _quoted(lines[-1]))
    code, lines = yield from _reply(hello + b"\r\n")
    if code != 250:
        old = code in {500, 502}  # a server from before RFC 1869 has no extensions
        heard.offered = False if old else None
        raise ProbeError(
            Outcome.NO_TLS if old else Outcome.FAILED, f"the server refuses {hello[:4].decode()}" + _quoted(lines[-1])
        )
    offered = {line[4:].strip().upper() for line in lines[1:]}
    heard.offered = b"STARTTLS" in offered
    heard.crossed_out = not heard.offered and any(word.startswith(b"XXXX") for word in offered)


def _without_tls(hello: bytes, heard: Heard, domain: str) -> Script:
    """Name sender and recipient of a mail without TLS, and go no further: RSET, never DATA (RFC 5321 §4.1.1.5).

    The reply that counts is the one to RCPT TO, or to MAIL FROM where that is refused already (530: RFC 3207 §4).
    """
    yield from _greet(hello, heard)
    recipient = b"RCPT TO:<postmaster@" + domain.encode("ascii", "replace") + b">\r\n"
    code, lines = yield from _reply(b"MAIL FROM:<>\r\n")
    if code < 400:
        code, lines = yield from _reply(recipient)
    heard.plain, heard.plain_said = code, printable(lines[-1])
    if code < 400:
        yield from _reply(b"RSET\r\n")


def _reply(command: bytes) -> Generator[bytes, bytes, tuple[int, list[bytes]]]:
    """Send a command and gather its reply, one line or many (RFC 5321 §4.2.1). Return the last line's code, and all lines."""
    lines = []
    line = yield command
    while True:
        lines.append(line)
        match = re.match(rb"([2-5]\d\d)(?:(-)| |\r?\n)", line)
        if match is None:
            raise _stranger("SMTP", line)
        if not match[2]:
            return int(match[1]), lines
        line = yield b""


def _imap() -> Script:
    """IMAP (RFC 9051 §6.2.1)."""
    line = yield b""
    if line.upper().startswith(b"* PREAUTH"):
        raise ProbeError(Outcome.NO_TLS, "the server has logged us in at once (PREAUTH), so TLS can no longer begin")
    if not line.upper().startswith(b"* OK"):
        raise _stranger("IMAP", line)
    untagged, line = yield from _tagged(b"a CAPABILITY\r\n")
    capabilities = b" ".join(one for one in untagged if one.upper().startswith(b"* CAPABILITY")).upper().split()
    if b"STARTTLS" not in capabilities:
        raise ProbeError(Outcome.NO_TLS, "the server does not offer STARTTLS")
    _, line = yield from _tagged(b"b STARTTLS\r\n")
    if not line.upper().startswith(b"B OK"):
        outcome = Outcome.NO_TLS if line.upper().startswith(b"B BAD") else Outcome.FAILED
        raise ProbeError(outcome, "the server refuses STARTTLS" + _quoted(line))


def _tagged(command: bytes) -> Generator[bytes, bytes, tuple[list[bytes], bytes]]:
    """Send a command and gather its untagged responses and the tagged one (RFC 9051 §2.2.2)."""
    untagged = []
    line = yield command
    while line.startswith(b"*"):
        if line.upper().startswith(b"* BYE"):
            raise ProbeError(Outcome.FAILED, "the server says good-bye" + _quoted(line))
        untagged.append(line)
        line = yield b""
    if not line.startswith(command[:2]):
        raise _stranger("IMAP", line)
    return untagged, line


def _pop3() -> Script:
    """POP3 (RFC 2595 §4). A server without CAPA may still know STLS."""
    line = yield b""
    if not line.upper().startswith(b"+OK"):
        raise _stranger("POP3", line)
    line = yield b"CAPA\r\n"
    offered = None
    if line.upper().startswith(b"+OK"):
        offered = set()
        while (line := (yield b"").strip()) != b".":
            offered.add(line.upper())
    if offered is not None and b"STLS" not in offered:
        raise ProbeError(Outcome.NO_TLS, "the server does not offer STLS")
    line = yield b"STLS\r\n"
    if not line.upper().startswith(b"+OK"):
        outcome = Outcome.FAILED if offered else Outcome.NO_TLS
        raise ProbeError(outcome, "the server refuses STLS" + _quoted(line))


def _sieve() -> Script:
    """ManageSieve (RFC 5804 §1.7, §2.2): the server begins with its capabilities and OK."""
    offered, line = yield from _sieve_response(b"")
    if not line.upper().startswith(b"OK"):
        raise ProbeError(Outcome.FAILED, "the server greets with an error" + _quoted(line))
    if not any(one.upper().startswith(b'"STARTTLS"') for one in offered):
        raise ProbeError(Outcome.NO_TLS, "the server does not offer STARTTLS")
    _, line = yield from _sieve_response(b"STARTTLS\r\n")
    if not line.upper().startswith(b"OK"):
        raise ProbeError(Outcome.FAILED, "the server refuses STARTTLS" + _quoted(line))


def _sieve_response(command: bytes) -> Generator[bytes, bytes, tuple[list[bytes], bytes]]:
    """Send a command and gather the lines before OK, NO or BYE, and that one."""
    lines = []
    line = yield command
    while not re.match(rb"(?:OK|NO|BYE)\b", line, re.IGNORECASE):
        if not line.startswith(b'"'):
            raise _stranger("ManageSieve", line)
        lines.append(line)
        line = yield b""
    return lines, line


def _xmpp(host: str, namespace: bytes) -> Script:
    """XMPP (RFC 6120 §5.4). `to` is the host: where the XMPP domain has another name, the server may refuse it."""
    tag = yield (
        b"<?xml version='1.0'?><stream:stream to='" + host.encode("ascii", "replace") + b"' version='1.0' "
        b"xmlns='" + namespace + b"' xmlns:stream='http://etherx.jabber.org/streams'>"
    )
    while _local(tag) != "stream":
        if not tag.lstrip().startswith((b"<?", b"<!--")):
            raise _stranger("XMPP", tag)
        tag = yield b""
    offered = False
    while not _closes(tag, "features"):
        tag = yield from _no_error((yield b""))
        offered = offered or _local(tag) == "starttls"
    if not offered:
        raise ProbeError(Outcome.NO_TLS, "the server does not offer STARTTLS")
    tag = yield from _no_error((yield b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"))
    if _local(tag) != "proceed":
        raise ProbeError(Outcome.FAILED, "the server refuses STARTTLS" + _quoted(tag))
    while not _closes(tag, "proceed"):
        tag = yield b""


def _no_error(tag: bytes) -> Generator[bytes, bytes, bytes]:
    """Return the tag, unless the stream ends with it (RFC 6120 §4.9): then the next tag names the condition."""
    if _local(tag) == "error":
        raise ProbeError(Outcome.FAILED, f"the server ends the stream: {_local((yield b'')) or 'no reason'}")
    if _closes(tag, "stream"):
        raise ProbeError(Outcome.FAILED, "the server ends the stream")
    return tag


def _local(tag: bytes) -> str:
    """Return the name of an element without its prefix; empty where there is none."""
    match = _TAG_NAME.search(tag)
    return printable(match[2], 40) if match else ""


def _closes(tag: bytes, name: str) -> bool:
    match = _TAG_NAME.search(tag)
    return match is not None and _local(tag) == name and (bool(match[1]) or tag.endswith(b"/>"))


def _cut_line(buffer: bytes) -> bytes:
    """Return the first whole line; empty if there is none."""
    return _bounded(buffer, buffer.find(b"\n") + 1)


def _cut_literal_line(buffer: bytes) -> bytes:
    """Return the first whole line with the literals that belong to it (RFC 5804 §1.2, RFC 9051 §4.3)."""
    start, end = 0, buffer.find(b"\n") + 1
    while end and (literal := _LITERAL.search(buffer, start, end)):
        start = end + int(literal[1])  # what stands inside a literal is not looked at
        end = buffer.find(b"\n", start) + 1
    return _bounded(buffer, end)


def _cut_tag(buffer: bytes) -> bytes:
    """Return everything up to the end of the first whole tag; empty if there is none."""
    match = _TAG.search(buffer)
    return _bounded(buffer, match.end() if match else 0)


def _bounded(buffer: bytes, end: int) -> bytes:
    if (end or len(buffer)) > MAX_LINE:
        raise ProbeError(Outcome.FAILED, "the server sent a line without end" + _quoted(buffer[:60]))
    return buffer[:end]


_CUT = {"imap": _cut_literal_line, "sieve": _cut_literal_line, "xmpp-client": _cut_tag, "xmpp-server": _cut_tag}


def _stranger(protocol: str, line: bytes) -> ProbeError:
    return ProbeError(Outcome.FAILED, f"the server does not speak {protocol}" + _quoted(line))


def _quoted(words: bytes) -> str:
    text = printable(words, 120)
    return f": '{text}'" if text else ""
