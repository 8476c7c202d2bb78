"""The plain-text dialogues up to TLS, without a socket: good servers, refusals, and bytes that nobody should send."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlsa_manager.observe.ending import ProbeError, printable
from tlsa_manager.observe.starttls import FAREWELL, MAX_BYTES, Dialogue
from tlsa_manager.snapshot import Outcome

FEATURES = b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"
STREAM = b"<?xml version='1.0'?><stream:stream from='x' id='a>b' xmlns='jabber:client'>"
GOOD = {
    "smtp": (b"220-wait\r\n220 mx ESMTP\r\n", b"250-mx\r\n250-SIZE 1\r\n250 StartTLS\r\n", b"220 2.0.0 Ready\r\n"),
    "submission": (b"220 mx ESMTP\n", b"250-mx\n250-STARTTLS\n250 HELP\n", b"220\r\n"),
    "lmtp": (b"220 mx LMTP\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"220 go\r\n"),
    "imap": (b"* OK [CAPABILITY IMAP4] hi\r\n", b"* CAPABILITY IMAP4rev1 STARTTLS\r\na OK done\r\n", b"b OK go\r\n"),
    "pop3": (b"+OK hi\r\n", b"+OK\r\nUIDL\r\nSTLS\r\n.\r\n", b"+OK go\r\n"),
    "sieve": (b'"IMPLEMENTATION" {5}\r\nOK {3}\r\n"STARTTLS"\r\n"VERSION" "1.0"\r\nOK\r\n', b'OK "go"\r\n'),
    "xmpp-client": (STREAM, FEATURES, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
    "xmpp-server": (STREAM + b"\n" + FEATURES + b"\n", b"<proceed xmlns='x'></proceed>"),
}


def follow(protocol: str, said: tuple[bytes, ...], *, piece: int = 65536) -> tuple[Dialogue, list[bytes]]:
    """Play what a server says, cut into pieces; return the dialogue and all that the client said."""
    dialogue = Dialogue(protocol, "mx.example.org", "client.example.org")
    sent = [dialogue.begin()]
    for words in said:
        sent.extend(dialogue.feed(words[start : start + piece]) for start in range(0, len(words), piece))
    return dialogue, [one for one in sent if one]


def refused(protocol: str, *said: bytes) -> ProbeError:
    """Play a server with which there is no TLS, and return how it ended."""
    with pytest.raises(ProbeError) as end:
        follow(protocol, said)
    return end.value


@pytest.mark.parametrize("piece", [1, 7, 65536])
@pytest.mark.parametrize("protocol", GOOD)
def test_every_protocol_reaches_tls(protocol: str, piece: int) -> None:
    """A good server is followed to TLS, however its words are cut into packets."""
    dialogue, sent = follow(protocol, GOOD[protocol], piece=piece)
    assert dialogue.ready
    assert b"STLS" in sent[-1] or b"starttls" in sent[-1].lower()


def test_the_client_says_what_the_protocols_want() -> None:
    """EHLO and LHLO carry our name, an XMPP stream is addressed to the host in the right namespace."""
    assert follow("smtp", GOOD["smtp"])[1] == [b"EHLO client.example.org\r\n", b"STARTTLS\r\n"]
    assert follow("lmtp", GOOD["lmtp"])[1][0] == b"LHLO client.example.org\r\n"
    for protocol, namespace in (("xmpp-client", b"jabber:client"), ("xmpp-server", b"jabber:server")):
        opening = follow(protocol, GOOD[protocol])[1][0]
        assert b"to='mx.example.org'" in opening
        assert b"xmlns='" + namespace + b"'" in opening


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ("smtp", (b"220 mx\r\n", b"250-STARTTLS\r\n250 SIZE\r\n")),  # in the greeting line it is a name, not an offer
        ("smtp", (b"220 mx\r\n", b"500 what?\r\n")),
        ("smtp", (b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"502 no\r\n")),
        ("lmtp", (b"220 mx\r\n", b"250 mx\r\n")),
        ("imap", (b"* PREAUTH hello\r\n",)),
        ("imap", (b"* OK\r\n", b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\na OK\r\n")),
        ("imap", (b"* OK\r\n", b"* CAPABILITY STARTTLS\r\na OK\r\n", b"b BAD no\r\n")),
        ("pop3", (b"+OK\r\n", b"+OK\r\nUIDL\r\n.\r\n")),
        ("pop3", (b"+OK\r\n", b"-ERR\r\n", b"-ERR\r\n")),
        ("sieve", (b'"SIEVE" "x"\r\nOK\r\n',)),
        ("xmpp-client", (STREAM + b"<stream:features/>",)),
    ],
)
def test_no_offer_is_no_tls(protocol: str, said: tuple[bytes, ...]) -> None:
    """Where STARTTLS is not offered or not known, the outcome is no-tls."""
    assert refused(protocol, *said).outcome is Outcome.NO_TLS


@pytest.mark.parametrize(
    ("protocol", "said", "words"),
    [
        ("smtp", (b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"454 4.7.0 no TLS\r\n"), "454 4.7.0 no TLS"),
        ("smtp", (b"421 4.7.0 too many connections\r\n",), "too many connections"),
        ("smtp", (b"220 mx\r\n", b"421 bye\r\n"), "421 bye"),
        ("smtp", (b"* OK imap here\r\n",), "does not speak SMTP: '* OK imap here'"),
        ("imap", (b"220 smtp here\r\n",), "does not speak IMAP"),
        ("imap", (b"* OK\r\n", b"* BYE tired\r\n"), "good-bye"),
        ("imap", (b"* OK\r\n", b"* CAPABILITY STARTTLS\r\na OK\r\n", b"b NO broken\r\n"), "b NO broken"),
        ("pop3", (b"-ERR busy\r\n",), "does not speak POP3"),
        ("pop3", (b"+OK\r\n", b"+OK\r\nSTLS\r\n.\r\n", b"-ERR broken\r\n"), "-ERR broken"),
        ("sieve", (b'BYE "busy"\r\n',), "busy"),
        ("sieve", (b"220 smtp here\r\n",), "does not speak ManageSieve"),
        ("sieve", (b'"STARTTLS"\r\nOK\r\n', b'NO "broken"\r\n'), "broken"),
        ("xmpp-client", (b"220 smtp here <a>",), "does not speak XMPP"),
        ("xmpp-client", (STREAM + b"<stream:error><host-unknown xmlns='x'/></stream:error>",), "host-unknown"),
        ("xmpp-client", (STREAM + b"</stream:stream>",), "ends the stream"),
        ("xmpp-client", (STREAM + FEATURES, b"<failure xmlns='x'/></stream:stream>"), "refuses STARTTLS"),
        ("smtp", (b"\x15\x03\x01\x00\x02\x02\x46",), "speaks TLS at once"),
        ("imap", (b"",), "closed the connection"),
    ],
)
def test_trouble_is_told_in_the_servers_words(protocol: str, said: tuple[bytes, ...], words: str) -> None:
    """A server that offers TLS and cannot, or speaks something else, has failed; the reason quotes it."""
    if said == (b"",):
        with pytest.raises(ProbeError) as end:
            Dialogue(protocol, "mx.example.org").feed(b"")
    else:
        with pytest.raises(ProbeError) as end:
            follow(protocol, said)
    assert end.value.outcome is Outcome.FAILED
    assert words in end.value.reason


def test_a_crossed_out_offer_is_recognised() -> None:
    """A device on the path that writes XXXXXXXA over STARTTLS is named as such."""
    end = refused("smtp", b"220 mx\r\n", b"250-mx\r\n250 XXXXXXXA\r\n")
    assert end.outcome is Outcome.NO_TLS
    assert "crossed it out" in end.reason


@pytest.mark.parametrize("protocol", GOOD)
def test_data_before_tls_is_never_interpreted(protocol: str) -> None:
    """Plain text behind the word that begins TLS fails the probe: an attacker may have put it there (CVE-2021-38371)."""
    *before, last = GOOD[protocol]
    end = refused(protocol, *before, last + b"250 injected\r\n")
    assert end.outcome is Outcome.FAILED
    assert "before TLS began" in end.reason
    assert "injected" in end.reason


@pytest.mark.parametrize("protocol", ["smtp", "lmtp", "imap", "pop3", "sieve", "xmpp-client"])
def test_an_answer_before_the_question_is_never_interpreted(protocol: str) -> None:
    """Answers that came before their command was sent could be anybody's."""
    end = refused(protocol, b"".join(GOOD[protocol]))
    assert end.outcome is Outcome.FAILED
    assert "before it was asked" in end.reason


@pytest.mark.parametrize("protocol", GOOD)
@pytest.mark.parametrize("noise", [b"220-a\r\n", b"* a\r\n", b"a", b'"a"\r\n', b"<a>", b"<", b"\n", b"{99999}\r\n", b"+OK\r\n"])
def test_talk_without_end_is_ended(protocol: str, noise: bytes) -> None:
    """Whoever talks without end is cut off after 64 kB."""
    dialogue = Dialogue(protocol, "mx.example.org")
    dialogue.begin()
    with pytest.raises(ProbeError) as end:  # noqa: PT012  whichever piece is one too many
        for _ in range(MAX_BYTES // len(noise) + 2):
            dialogue.feed(noise)
    assert end.value.outcome in {Outcome.FAILED, Outcome.NO_TLS}


TOKENS = [
    *(
        b"220 ",
        b"250-",
        b"250 STARTTLS",
        b"530 ",
        b"* OK",
        b"a OK",
        b"b OK",
        b"+OK",
        b".",
        b'"STARTTLS"',
        b"OK",
        b"{3}",
        b"\r\n",
        b"\n",
    ),
    *(b"<stream:stream ", b"<stream:features>", b"<starttls/>", b"</stream:features>", b"<proceed/>", b"<", b">", b"'"),
    *(b"\x1b[2J", b"\x00", b"\xff"),
]


@settings(max_examples=400, deadline=None)
@given(
    protocol=st.sampled_from(sorted(FAREWELL)),
    said=st.lists(st.one_of(st.binary(max_size=40), st.lists(st.sampled_from(TOKENS), max_size=6).map(b"".join)), max_size=30),
    plain_to=st.sampled_from(["", "example.net"]),
)
def test_any_bytes_end_well(protocol: str, said: list[bytes], plain_to: str) -> None:
    """Whatever a server sends: the dialogue goes on, is ready, or ends with a reason that is fit to print."""
    end = converse(protocol, said, plain_to)
    if end is not None:
        assert end.outcome in {Outcome.FAILED, Outcome.NO_TLS}
        assert end.reason.isprintable()
        assert end.reason.isascii()
        assert 0 < len(end.reason) <= 200


def converse(protocol: str, said: list[bytes], plain_to: str) -> ProbeError | None:
    """Play anything at all; return how it ended, if it did. What is kept of the words is fit to print, and DATA is never said."""
    dialogue = Dialogue(protocol, "mx.example.org", plain_to=plain_to)
    sent = [dialogue.begin()]
    try:
        for words in said:
            sent.append(dialogue.feed(words))
            if dialogue.ready:
                break
    except ProbeError as end:
        return end
    finally:
        assert (dialogue.heard.banner + dialogue.heard.plain_said).isprintable()
        assert not any(one.upper().startswith((b"DATA", b"BDAT")) for one in sent)
    return None


@given(st.one_of(st.text(), st.binary()))
def test_words_of_strangers_are_made_printable(words: str | bytes) -> None:
    """No control characters, no escape codes, no newlines, not too long."""
    shown = printable(words)
    assert all(" " <= one <= "~" for one in shown)
    assert len(shown) <= 200
    assert printable(b"\x1b[31mred\r\nalert") == "[31mred alert"
