"""What an authority may say instead of a certificate, and what may stand in its place: in words, bounded, with a way on."""

from __future__ import annotations

import json
import socket
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest
from lab.certificate import self_signed
from lab.pebble import Pebble

from issue.asked import LabProver, Notes, wish
from issue.gate import Reply, as_json, problem
from tlsa_manager import clock, keys
from tlsa_manager.errors import IssueError, IssueTemporary
from tlsa_manager.issue import refusal
from tlsa_manager.issue.moments import moment
from tlsa_manager.web import LONGEST, retry_at

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab

    from issue.conftest import Opens
    from issue.gate import Gate

RFC_8555 = [
    "accountDoesNotExist", "alreadyRevoked", "badCSR", "badNonce", "badPublicKey", "badRevocationReason",
    "badSignatureAlgorithm", "caa", "compound", "connection", "dns", "externalAccountRequired", "incorrectResponse",
    "invalidContact", "malformed", "orderNotReady", "rateLimited", "rejectedIdentifier", "serverInternal", "tls",
    "unauthorized", "unsupportedContact", "unsupportedIdentifier", "userActionRequired",
]  # fmt: skip
OF_US = [one for one in RFC_8555 if one not in {"alreadyRevoked", "badRevocationReason"}]  # we revoke nothing
LATER = ["rateLimited", "serverInternal", "badNonce", "orderNotReady"]


def fails(issuer: Opens, lab: DnsLab, **options: object) -> IssueError:
    """Ask for a certificate, and return how it ended."""
    with pytest.raises(IssueError) as caught:
        issuer(**options).obtain(wish("x.a.example"), None, Notes(), LabProver(lab))
    error = caught.value
    assert "Traceback" not in error.message
    assert error.message.isprintable()
    assert len(error.message) < 900
    assert error.hint
    return error


@pytest.mark.parametrize("kind", RFC_8555)
def test_every_type(kind: str, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Every type of error of RFC 8555 is told in our words and the authority's, with what it means for mail; some pass."""
    gate.always["/order-plz"] = problem(kind, "because of this", 400, Replay_Nonce="abcd")
    error = fails(issuer, dns_lab)
    assert "because of this" in error.message
    assert "nothing changes for mail: the certificate in service stays" in error.message
    assert isinstance(error, IssueTemporary) == (kind in LATER)
    assert kind not in OF_US or kind not in error.message, "a type is a word for programs"


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_rate_limit(form: str, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Too many certificates: not again before the moment that the authority names, in seconds or as a date."""
    until = clock.now() + 7200
    value = "7200" if form == "seconds" else formatdate(until, usegmt=True)
    gate.always["/order-plz"] = problem("rateLimited", "too many certificates for example.org", 429, Retry_After=value)
    error = fails(issuer, dns_lab)
    assert isinstance(error, IssueTemporary)
    assert abs(error.until - until) < 60
    assert error.limited
    assert "too many certificates" in error.message


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_trouble_of_the_authority(status: int, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """A server in trouble, with whatever page its proxy shows, is tried later."""
    gate.always["/order-plz"] = Reply(status, b"<html>Bad Gateway</html>", {"Retry-After": "60"})
    error = fails(issuer, dns_lab)
    assert isinstance(error, IssueTemporary)
    assert abs(error.until - clock.now() - 60) < 30


@pytest.mark.parametrize("path", ["/dir", "/nonce-plz", "/sign-me-up", "/order-plz", "/authZ/", "/my-order/", "/certZ/"])
def test_trouble_anywhere(path: str, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Trouble at any step is temporary, loses no order, and leaves no record."""
    diary, prover, wanted = Notes(), LabProver(dns_lab), wish(dns_lab.fresh_name())
    gate.instead[path].append(Reply(503))
    with pytest.raises(IssueTemporary):
        issuer().obtain(wanted, None, diary, prover)
    assert "ended" not in diary.words
    assert prover.shown == {}
    assert issuer().obtain(wanted, diary.former, diary, prover)


def test_bad_nonce_once(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """A nonce that was refused is replaced by the one that came with the refusal (RFC 8555 §6.5)."""
    for path in ("/sign-me-up", "/order-plz", "/finalize-order/"):
        gate.instead[path].append(problem("badNonce", "stale", 400))
    assert issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))


def test_bad_nonces_for_ever(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """An authority that takes no nonce is given up, for now."""
    gate.always["/order-plz"] = problem("badNonce", "stale", 400)
    assert isinstance(fails(issuer, dns_lab), IssueTemporary)
    assert gate.count("/order-plz") <= 10


def test_many_bad_nonces(dns_lab: DnsLab, tmp_path: Path, issuer: Opens) -> None:
    """Against a Pebble that refuses every third nonce and remembers proofs, certificates are got all the same."""
    switches, host = {"PEBBLE_WFE_NONCEREJECT": "33", "PEBBLE_AUTHZREUSE": "100"}, dns_lab.fresh_name()
    one = Pebble(tmp_path / "pebble", dns_server=dns_lab.primary, address="127.14.0.4", switches=switches)
    try:
        one.start()
        forgetful, prover, wanted = (
            issuer(directory=one.directory_url, ca_bundle=str(one.ca_file)),
            LabProver(dns_lab),
            wish(host),
        )
        assert forgetful.obtain(wanted, None, Notes(), prover)
        assert len(prover.rounds) == 1
        assert forgetful.obtain(wanted, None, Notes(), prover)
        assert len(prover.rounds) == 1, "what the authority remembers as proven was proven again"
        other = dns_lab.fresh_name()
        assert forgetful.obtain(wish(host, other), None, Notes(), prover)
        assert list(prover.rounds[1]) == [f"_acme-challenge.{other}."]
    finally:
        one.daemon.stop()


HTML = b"<html><body>Please log in to the hotel's network</body></html>"
GOOD = {"status": "pending", "finalize": "https://x.example/f", "authorizations": ["https://x.example/a"]}
ODD = [
    HTML, b"", b"[]", b"5", b"null", b"\xff\xfe", b"[" * 100_000, b'{"status": {}}', b'{"status": "strange"}',
    json.dumps(GOOD | {"finalize": "http://x.example/f"}).encode(), json.dumps(GOOD | {"finalize": None}).encode(),
    json.dumps(GOOD | {"finalize": "https://x.example/\n"}).encode(),
    json.dumps(GOOD | {"authorizations": ["file:///etc/passwd"]}).encode(),
    json.dumps(GOOD | {"authorizations": ["https://x.example/"] * 1000}).encode(),
]  # fmt: skip


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_garbage(body: bytes, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """What is no answer of ACME is said to be none, wherever it comes; nothing that it names is fetched."""
    good = {"Location": "https://x.example/order", "Replay-Nonce": "abcd"}
    gate.always["/order-plz"] = Reply(201, body, good)
    error = fails(issuer, dns_lab)
    assert isinstance(error, IssueTemporary)
    assert "no ACME" in error.message


@pytest.mark.parametrize("body", [HTML, b"{}", b"[]", b'{"newNonce": "http://x/", "newAccount": "", "newOrder": 5}'])
def test_garbage_for_a_directory(body: bytes, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """A captive portal in the place of the authority is temporary."""
    gate.always["/dir"] = Reply(200, body)
    assert isinstance(fails(issuer, dns_lab), IssueTemporary)


@pytest.mark.parametrize("path", ["/sign-me-up", "/authZ/", "/finalize-order/", "/certZ/", "/nonce-plz"])
def test_garbage_later(path: str, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """A page in the place of any other answer is told, too."""
    gate.always[path] = Reply(200, HTML, {"Replay-Nonce": "abcd"} if path != "/nonce-plz" else {})
    prover = LabProver(dns_lab)
    diary = Notes()
    with pytest.raises(IssueTemporary, match="no ACME"):
        issuer().obtain(wish(dns_lab.fresh_name()), None, diary, prover)
    assert prover.shown == {}
    assert "ended" not in diary.words


@pytest.mark.parametrize("path", ["/dir", "/order-plz", "/certZ/"])
def test_endless(path: str, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """An answer that never ends is left at a bound."""
    gate.always[path] = Reply(200, endless=True)
    with pytest.raises(IssueTemporary, match="longer than 1024 KiB"):
        issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))


@pytest.mark.parametrize("path", ["/dir", "/order-plz"])
def test_dripping(path: str, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """An answer that comes an octet at a time holds nobody up: the time is for the whole answer."""
    gate.always[path] = Reply(200, drip=True)
    with pytest.raises(IssueTemporary, match="did not answer in time"):
        issuer(timeout="1s").obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))


def test_silence(dns_lab: DnsLab, issuer: Opens) -> None:
    """A port that takes connections and says nothing is given up in time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/dir"
        assert "did not answer in time" in fails(issuer, dns_lab, directory=url, timeout="1s").message


def test_nobody_there(dns_lab: DnsLab, issuer: Opens) -> None:
    """A closed port and a name that is not there are said as what they are, and are temporary."""
    closed = fails(issuer, dns_lab, directory="https://127.0.0.1:1/dir")
    assert "refused" in closed.message
    unknown = fails(issuer, dns_lab, directory="https://nowhere.a.example/dir")
    assert "cannot be looked up" in unknown.message
    assert isinstance(closed, IssueTemporary)
    assert isinstance(unknown, IssueTemporary)


def test_no_tls(dns_lab: DnsLab, issuer: Opens, gate: Gate, tmp_path: Path) -> None:
    """Wrong certificates of trust, none at all, and a file that holds none: somebody must correct the configuration."""
    stranger, empty = tmp_path / "stranger.pem", tmp_path / "empty.pem"
    stranger.write_bytes(self_signed("x.example").certificate)
    empty.write_text("nothing\n")
    for bundle in (str(stranger), str(empty), str(tmp_path / "absent.pem")):
        error = fails(issuer, dns_lab, ca_bundle=bundle)
        assert not isinstance(error, IssueTemporary), bundle
        assert "ca-bundle" in error.hint, bundle
    assert gate.asked == []


def test_a_password_for_the_proxy(dns_lab: DnsLab, issuer: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries' own words quote the address of a proxy with its password; ours do not."""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret-word@127.0.0.1:1")
    error = fails(issuer, dns_lab)
    assert (
        "secret-word"
        not in f"{error.message} {error.hint} {error.__cause__} {error.__context__ if not error.__suppress_context__ else ''}"
    )


@pytest.mark.parametrize("reply", [Reply(404), Reply(410), Reply(301, headers={"Location": "https://new.example/dir"})])
def test_no_directory(reply: Reply, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """A wrong URL of the directory is a matter of the configuration; where it has moved is told, and not followed."""
    gate.always["/dir"] = reply
    error = fails(issuer, dns_lab)
    assert not isinstance(error, IssueTemporary)
    assert "correct `directory`" in error.hint
    assert ("https://new.example/dir" in error.hint) == (reply.status == 301)


@pytest.mark.parametrize("kind", [[], {}, None, 5], ids=str)
def test_a_challenge_of_no_type(kind: object, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """It is none that we know, as any other kind of proof that is new to us."""
    host = dns_lab.fresh_name()

    def adds(content: dict[str, list[object]]) -> dict[str, list[object]]:
        return content | {"challenges": [{"type": kind, "url": gate.url, "token": "x"}, *content["challenges"]]}

    gate.change["/authZ/"] = adds
    assert issuer().obtain(wish(host), None, Notes(), LabProver(dns_lab))


def test_hostile_words(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Control characters, endless texts and encoded pieces in a refusal do not reach the terminal."""
    detail = "\x1b[31mred\r\n\tx \u202e" + "A" * 5000 + " end" * 2000
    gate.always["/order-plz"] = problem("malformed", detail, 400, Replay_Nonce="abcd")
    error = fails(issuer, dns_lab)
    assert "AAAA" not in error.message
    assert "\x1b" not in error.message


def test_names_of_others(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """An authority that wants another name proven than was asked for gets no record there."""
    other = {"status": "pending", "identifier": {"type": "dns", "value": "bank.example"}, "challenges": []}
    gate.always["/authZ/"] = as_json(other, Replay_Nonce="abcd")
    prover = LabProver(dns_lab)
    with pytest.raises(IssueTemporary, match=r"wants bank\.example proven"):
        issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), prover)
    assert prover.rounds == []


def test_no_such_challenge(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """What the authority offers is named where it does not offer what is configured."""
    host = dns_lab.fresh_name()
    offered = {"type": "http-01", "url": gate.url, "token": "abc", "status": "pending"}
    only = {"status": "pending", "identifier": {"type": "dns", "value": host}, "challenges": [offered]}
    gate.always["/authZ/"] = as_json(only, Replay_Nonce="abcd")
    diary = Notes()
    with pytest.raises(IssueError, match="by dns-01, but by: http-01"):
        issuer().obtain(wish(host), None, diary, LabProver(dns_lab))
    assert diary.words == ["ordering", "ordered"]


def test_certificate_of_others(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """A certificate for another key is never handed on; nor is one that lacks a name."""
    other, host = self_signed("x.example"), dns_lab.fresh_name()
    gate.always["/certZ/"] = Reply(200, other.certificate, {"Replay-Nonce": "abcd"})
    diary = Notes()
    with pytest.raises(IssueTemporary, match="for another key"):
        issuer().obtain(wish(host), None, diary, LabProver(dns_lab))
    assert diary.words[-1] == "ended"
    key = keys.generate()
    gate.always["/certZ/"] = Reply(200, keys.self_signed(["x.example"], key).chain_pem, {"Replay-Nonce": "abcd"})
    with pytest.raises(IssueError, match=f"lacks {host}"):
        issuer().obtain(wish(host, key=key), None, diary, LabProver(dns_lab))
    assert diary.words[-1] == "ended"


def test_inner_problems() -> None:
    """The reasons for single names are told with their names (RFC 8555 §6.7.1)."""
    inner = [
        {"type": "urn:ietf:params:acme:error:caa", "detail": "CAA says no", "identifier": {"type": "dns", "value": "a.example"}},
        {"type": "urn:ietf:params:acme:error:dns", "detail": "SERVFAIL", "identifier": {"type": "dns", "value": "b.example"}},
    ]
    said = str(refusal.problem({"type": "urn:ietf:params:acme:error:compound", "detail": "Errors", "subproblems": inner}))
    assert "a.example: CAA records of the domain do not let it issue; it says: CAA says no" in said
    assert "b.example: its questions to DNS failed; it says: SERVFAIL" in said


@pytest.mark.parametrize(
    "content", [None, [], 5, {"type": 5, "detail": [], "subproblems": 7}, {"subproblems": [1, {}, {"identifier": 3}]}]
)
def test_odd_problems(content: object) -> None:
    """A problem document of odd shape is no error of ours."""
    assert refusal.problem(content).kind == ""


def test_types_are_known() -> None:
    """Every type that may concern us has its words."""
    assert set(OF_US) <= set(refusal._MEANING)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 1000.0), ("120", 1120.0), (" 5 ", 1005.0), ("Thu, 01 Jan 1970 01:00:00 GMT", 3600.0), ("-5", 0.0), ("soon", 0.0),
        ("", 0.0), ("1e9", 0.0), ("99999999999999999999", 1000 + LONGEST), ("Fri, 31 Dec 9999 23:59:59 GMT", 1000 + LONGEST),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 1000.0), ("٣", 0.0), ("Thu, 99 Jan 1970 01:00:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_retry_after(value: str, expected: float) -> None:
    """Seconds and dates are read, bounded, never in the past; anything else says nothing."""
    assert retry_at(value, 1000.0) == expected


def test_moment() -> None:
    """Dates of RFC 3339, with the fractions that some authorities give."""
    assert moment("1970-01-01T00:01:00Z") == 60
    assert moment("1970-01-01T01:01:00.25+01:00") == 60.25
    for odd in ("1970-01-01T00:01:00", "yesterday", "", None, 5, "1970-01-01T00:01:00Z" + " " * 50):
        with pytest.raises(ValueError, match=r"date|Invalid|iso"):
            moment(odd)
