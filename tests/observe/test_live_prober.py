"""The prober before servers of our own that are odd or hostile, and its manners in a run over many services."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st
from strangers import Server, Visit, context, implicit, plain, smtp

from tlsa_manager.errors import BadInput
from tlsa_manager.observe import handshake, weak
from tlsa_manager.observe import prober as module
from tlsa_manager.observe.ending import ProbeError
from tlsa_manager.observe.handshake import CLIENTS, OLD_VERSIONS
from tlsa_manager.observe.pkix import Authorities
from tlsa_manager.observe.prober import Prober
from tlsa_manager.observe.weak import ANONYMOUS, WEAK
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Conversation, Outcome, Presentation, ServiceView

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

HOST = "mx.example.org"
EVERYTHING = (*CLIENTS, *OLD_VERSIONS, WEAK, ANONYMOUS)
GREETING, OFFER = b"220 mx.example.org ESMTP\r\n", b"250-mx.example.org\r\n250-PIPELINING\r\n250 STARTTLS\r\n"


@pytest.fixture(scope="module")
def pair() -> tuple[bytes, bytes]:
    """Make a chain and its key."""
    return pki.pair(HOST)


def run(server: Server, play: Callable[[Prober, Service], Awaitable[object]], protocol: str = "smtp", **limits: object) -> object:
    """Run something with a prober."""

    async def within() -> object:
        return await play(Prober(**{"timeout": 3.0, **limits}), at(server, protocol))  # type: ignore[arg-type]

    return asyncio.run(within())


def at(server: Server, protocol: str = "smtp", host: str = HOST) -> Service:
    """Return the service that a server of ours is."""
    return Service(host, 25, protocol, connect=(server.place,))


def look(
    server: Server, protocol: str = "smtp", clients: tuple[str, ...] = ("any",), plain_to: str = "", **limits: object
) -> ServiceView:
    """Look once."""
    view = run(server, lambda prober, service: prober.look(service, clients=clients, plain_to=plain_to), protocol, **limits)
    assert isinstance(view, ServiceView)
    texts = [one.reason for one in view.presentations] + [view.problem]
    texts += [text for one in view.conversations for text in (one.banner, one.plain_said)]
    assert all(text.isascii() and (text.isprintable() or not text) and len(text) <= 250 for text in texts)
    return view


def only(view: ServiceView) -> Presentation:
    """Return the one result."""
    (one,) = view.presentations
    return one


def said(view: ServiceView) -> Conversation:
    """Return the one conversation."""
    (one,) = view.conversations
    return one


def test_tls_only_for_friends(tmp_path: Path, pair: tuple[bytes, bytes]) -> None:
    """STARTTLS that is offered only to one source address is found from another, and both are told."""
    settings = context(tmp_path, pair)

    def behave(visit: Visit) -> None:
        friend = visit.socket.getpeername()[0] == "127.0.0.1"
        (smtp(settings) if friend else plain(GREETING, b"250-mx\r\n250 SIZE\r\n"))(visit)

    with Server(behave) as server:
        view = look(server, sources=("127.0.0.9", "::1"))
        alone = look(server)
    assert said(view).offers == (True, False)
    assert {one.outcome for one in view.presentations} == {Outcome.PRESENTED, Outcome.NO_TLS}
    (refused,) = (one for one in view.presentations if one.outcome is Outcome.NO_TLS)
    assert (refused.client, refused.reason) == ("any", "the server does not offer STARTTLS (asked from 127.0.0.9)")
    assert said(alone).offers == (True,)


def test_from_elsewhere_all_may_be_filtered(tmp_path: Path, pair: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """A source from which there is no way to the server says nothing about the server; one that is not ours is a mistake."""
    with pytest.raises(BadInput, match="cannot be connected from"):
        run(Server(plain()), lambda *_: asyncio.sleep(0), sources=("192.0.2.1",))
    monkeypatch.setattr(module, "_own", str)
    with Server(smtp(context(tmp_path, pair))) as server:
        assert only(look(server, sources=("192.0.2.1",))).outcome is Outcome.PRESENTED


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((b"220 mx\r\n", b"250-mx\r\n250-XXXXXXXA\r\n250 SIZE\r\n"), Conversation("", "mx", (False,), crossed_out=True)),
        ((GREETING, OFFER, b"454 4.7.0 no\r\n"), Conversation("", "mx.example.org ESMTP", (True,), starttls_code=454)),
        ((GREETING, OFFER, b"554 5.7.1 no\r\n"), Conversation("", "mx.example.org ESMTP", (True,), starttls_code=554)),
        ((b"220\r\n", b"250 mx\r\n"), Conversation("", "", (False,))),
        ((b"220 old\r\n", b"502 what?\r\n"), Conversation("", "old", (False,))),
        ((b"220 busy\r\n", b"421 later\r\n"), Conversation("", "busy")),
        ((b"554 5.7.1 go away\r\n",), Conversation("", "5.7.1 go away")),
        ((b"220-\x1b[31mred\x07\r\n220-\xc3\xa9\x00\r\n220 mx\r\n", b"250 mx\r\n"), Conversation("", "[31mred     mx", (False,))),
        ((b"220 " + b"x" * 5000 + b"\r\n", b"250 mx\r\n"), Conversation("", "x" * 197 + "...", (False,))),
    ],
)
def test_what_servers_say_is_kept(answers: tuple[bytes, ...], expected: Conversation) -> None:
    """Banner, offer, what was crossed out and refused: as it was said, made fit to print."""
    with Server(plain(*answers)) as server:
        found = said(look(server))
    assert (found.offers, found.crossed_out, found.starttls_code) == (
        expected.offers,
        expected.crossed_out,
        expected.starttls_code,
    )
    assert found.banner.split() == expected.banner.split()
    assert found.address == server.place


def test_who_says_nothing_has_no_conversation(tmp_path: Path, pair: tuple[bytes, bytes]) -> None:
    """Where no word was heard, or another protocol is spoken, there is no conversation."""
    with Server(lambda visit: visit.socket.close()) as server:
        assert look(server).conversations == ()
    with Server(implicit(context(tmp_path, pair))) as server:
        assert look(server, "tls").conversations == ()


def taker(*replies: bytes, heard: list[bytes]) -> Callable[[Visit], None]:
    """SMTP that offers STARTTLS, gives these replies to what comes after EHLO, and keeps what it hears."""

    def behave(visit: Visit) -> None:
        waiting = iter((OFFER, *replies))
        visit.socket.sendall(GREETING)
        while line := visit.line():
            heard.append(line)
            visit.socket.sendall(next(waiting, b"221 bye\r\n"))

    return behave


@pytest.mark.parametrize(
    ("replies", "code", "commands"),
    [
        ((b"250 ok\r\n", b"250 2.1.5 ok\r\n", b"250 ok\r\n"), 250, ["MAIL", "RCPT", "RSET", "QUIT"]),
        ((b"250 ok\r\n", b"251 will forward\r\n", b"250 ok\r\n"), 251, ["MAIL", "RCPT", "RSET", "QUIT"]),
        ((b"530 5.7.0 Must issue a STARTTLS command first\r\n",), 530, ["MAIL", "QUIT"]),
        ((b"250 ok\r\n", b"530-5.7.0 no\r\n530 5.7.0 TLS\x1b[1m\r\n"), 530, ["MAIL", "RCPT", "QUIT"]),
        ((b"250 ok\r\n", b"450 4.2.0 greylisted\r\n"), 450, ["MAIL", "RCPT", "QUIT"]),
        ((b"250 ok\r\n", b"gibberish\r\n"), 0, ["MAIL", "RCPT", "QUIT"]),
    ],
)
def test_mail_without_tls_stops_before_data(replies: tuple[bytes, ...], code: int, commands: list[str]) -> None:
    """A recipient is named and nothing more, whatever the answer: DATA is never said."""
    heard: list[bytes] = []
    with Server(taker(*replies, heard=heard)) as server:
        view = look(server, clients=(), plain_to="example.net")
    assert said(view).plain == code
    assert view.presentations == ()
    assert said(view).offers == (True,)
    assert [line[:4].decode() for line in heard] == ["EHLO", *commands]
    assert b"MAIL FROM:<>\r\n" in heard
    assert (b"RCPT TO:<postmaster@example.net>\r\n" in heard) == ("RCPT" in commands)


def test_only_domains_are_recipients() -> None:
    """What is no domain never becomes a command."""
    with Server(plain(GREETING)) as server, pytest.raises(BadInput):
        look(server, plain_to="x>\r\nDATA\r\n")
    assert server.visits == 0


def test_words_that_come_too_early_are_not_interpreted(tmp_path: Path, pair: tuple[bytes, bytes]) -> None:
    """Replies in front of their question and plain text in front of TLS end the probe (the class of CVE-2021-38371)."""
    settings = context(tmp_path, pair)

    def injected(visit: Visit) -> None:
        visit.socket.sendall(GREETING)
        visit.line()
        visit.socket.sendall(OFFER)
        visit.line()
        visit.socket.sendall(b"220 go\r\n250 2.0.0 all is well\r\n")
        visit.tls(settings)

    for behaviour, words in (
        (injected, "sent data before TLS began"),
        (plain(GREETING + OFFER + b"220 go\r\n"), "answered before it was asked"),
        (plain(GREETING, OFFER + b"220 go\r\n"), "answered before it was asked"),
    ):
        with Server(behaviour) as server:
            one = only(look(server))
        assert (one.outcome, one.chain) == (Outcome.FAILED, None)
        assert words in one.reason
    with Server(plain(GREETING, OFFER, b"250 ok\r\n250 ok\r\n")) as server:
        assert said(look(server, clients=(), plain_to=HOST)).plain == 0


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(("version", "name"), [(ssl.TLSVersion.TLSv1, "TLSv1"), (ssl.TLSVersion.TLSv1_1, "TLSv1.1")])
def test_a_server_with_old_tls_only(tmp_path: Path, pair: tuple[bytes, bytes], version: ssl.TLSVersion, name: str) -> None:
    """The version that is agreed is told, and the client that speaks it alone gets through."""
    settings = context(tmp_path, pair)
    settings.set_ciphers("ALL:!aNULL:@SECLEVEL=0")
    settings.minimum_version = settings.maximum_version = version
    with Server(smtp(settings)) as server:
        seen = {one.client: one for one in look(server, clients=EVERYTHING).presentations}
    assert seen["any"].version == name
    took = {client for client, one in seen.items() if one.outcome is Outcome.PRESENTED}
    assert took == {"any", "no-sni", "ecdsa", {"TLSv1": "tls1.0", "TLSv1.1": "tls1.1"}[name]}
    assert {one.outcome for client, one in seen.items() if client not in took} == {Outcome.UNSHARED}


@pytest.mark.parametrize(("suites", "client"), [("eNULL:!aNULL", WEAK), ("AECDH+AES:ADH+AES", ANONYMOUS)])
def test_a_server_with_weak_suites_only(tmp_path: Path, pair: tuple[bytes, bytes], suites: str, client: str) -> None:
    """A modern client finds nothing in common; the weak one does, and says what."""
    settings = context(tmp_path, pair)
    settings.maximum_version = ssl.TLSVersion.TLSv1_2
    settings.set_ciphers(suites + ":@SECLEVEL=0")
    with Server(smtp(settings)) as server:
        seen = {one.client: one for one in look(server, clients=EVERYTHING).presentations}
    assert seen["any"].outcome is Outcome.FAILED
    assert {one.client for one in seen.values() if one.outcome is Outcome.PRESENTED} == {client}
    assert seen[client].suite in weak.SUITES[client].values()
    assert (seen[client].version, seen[client].chain, seen[client].certificates) == ("TLSv1.2", None, ())


def deaf(address: str = "127.0.0.1") -> tuple[socket.socket, list[socket.socket]]:
    """Listen, and let so many wait that no connection is answered any more."""
    listener = socket.create_server((address, 0), backlog=0)
    waiting = []
    for _ in range(4):
        client = socket.socket()
        client.setblocking(False)  # noqa: FBT003  the socket module has no names for it
        client.connect_ex(listener.getsockname())
        waiting.append(client)
    return listener, waiting


def test_refused_and_silent_are_told_apart() -> None:
    """Nobody there is known at once; whoever does not answer may be there."""
    with Server(plain()) as server:
        pass
    one = only(look(server))
    assert (one.outcome, one.refused) == (Outcome.UNREACHABLE, True)
    listener, waiting = deaf()
    with listener:
        server.port = listener.getsockname()[1]
        one = only(look(server, timeout=0.3))
    for client in waiting:
        client.close()
    assert (one.outcome, one.refused, one.reason) == (Outcome.UNREACHABLE, False, "no connection within 0.3 s")
    with Server(Visit.reset) as server:
        assert only(look(server)).refused is False


def huge(size: int) -> tuple[bytes, bytes]:
    """Issue a certificate of about this size."""
    key, authority, now = pki.new_key(), pki.authority(), datetime.now(UTC)
    builder = x509.CertificateBuilder(authority.certificate.subject, x509.Name([]), key.public_key(), 99)
    builder = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(9))
    names = [x509.DNSName(f"n{number}-{'x' * 50}.example.org") for number in range(size // 72)]
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST), *names]), critical=False)
    signed = builder.sign(authority.key, hashes.SHA256())
    return signed.public_bytes(pki.PEM) + authority.certificate.public_bytes(pki.PEM), pki.key_pem(key)


def test_huge_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly 100 kB are read, judged and handed on, but not remembered beyond the limit; more is refused."""
    file = tmp_path / "root.pem"
    file.write_bytes(pki.authority().root.public_bytes(pki.PEM))
    monkeypatch.setattr(module, "MAX_OCTETS", 250_000)

    async def play(prober: Prober, service: Service) -> None:
        for number in range(5):
            another = Service(f"mx{number}.example.org", 25, "smtp", service.connect)
            one = only(await prober.look(another))
            assert 90_000 < len(one.certificates[0]) < 100_000
            assert one.pkix
            assert f"not for mx{number}.example.org but for mx.example.org" in one.pkix
            assert prober._octets <= 250_000
        assert 0 < len(prober._known) < 5

    with Server(smtp(context(tmp_path, huge(95_000)))) as server:
        run(server, play, authorities=Authorities(str(file)))
    with Server(smtp(context(tmp_path, huge(150_000)))) as server:
        assert "excessive message size" in only(look(server)).reason


def endless(visit: Visit) -> None:
    """Greet for ever."""
    while visit.pause(0):
        visit.socket.sendall(b"220-\x1b[2Jhello\r\n" * 100)


def dripping(visit: Visit) -> None:
    """Send a byte every now and then."""
    while visit.pause(0.05):
        visit.socket.sendall(b"2")


def after_offer(then: Callable[[Visit], None]) -> Callable[[Visit], None]:
    """Behave until TLS begins."""
    return plain(GREETING, OFFER, b"220 go\r\n", then=then)


def alerts(visit: Visit) -> None:
    """Warn for ever."""
    visit.socket.recv(1000)
    while visit.pause(0):
        visit.socket.sendall(b"\x15\x03\x03\x00\x02\x01\x5a" * 1000)


@pytest.mark.parametrize("behaviour", [endless, dripping, after_offer(alerts), after_offer(endless), after_offer(dripping)])
def test_hostile_servers_are_bounded(behaviour: Callable[[Visit], None]) -> None:
    """Whoever drips or floods, in plain text or where TLS should be, is left; every kind of client tells it cleanly."""
    with Server(behaviour) as server:
        view = look(server, clients=EVERYTHING, plain_to=HOST, timeout=0.2)
    assert {one.client for one in view.presentations} == set(EVERYTHING)
    assert {one.outcome for one in view.presentations} <= {Outcome.FAILED, Outcome.UNSHARED}


def test_an_odd_client_does_not_hide_how_senders_fare(tmp_path: Path, pair: tuple[bytes, bytes]) -> None:
    """A server that hangs before weak clients only is slow for them; all others see it as it is."""
    settings = context(tmp_path, pair)

    def behave(visit: Visit) -> None:
        visit.socket.sendall(GREETING)
        visit.line()
        visit.socket.sendall(OFFER)
        visit.line()
        visit.socket.sendall(b"220 go\r\n")
        hello = visit.socket.recv(2000, socket.MSG_PEEK)
        if b"\x13\x01" in hello:  # a suite of TLS 1.3
            visit.tls(settings)
        visit.pause(1)

    with Server(behave) as server:
        view = look(server, clients=(WEAK, ANONYMOUS, *OLD_VERSIONS, "any", "ecdsa", "no-sni"), timeout=0.1)
    outcomes = {one.client: one.outcome for one in view.presentations}
    assert {client for client, one in outcomes.items() if one is Outcome.PRESENTED} == {"any", "ecdsa", "no-sni"}


def test_two_looks_are_one_probe(tmp_path: Path, pair: tuple[bytes, bytes]) -> None:
    """The same service asked for twice, at the same time or later, is probed once; a repetition is another probe."""

    async def play(prober: Prober, service: Service) -> None:
        first, second = await asyncio.gather(prober.look(service), prober.look(service, plain_to="example.net"))
        third = await prober.look(service, plain_to="example.com")
        assert only(first) == only(second) == only(third)
        assert server.visits == 2  # one of them without TLS
        await prober.look(service, repeats=3)
        assert server.visits == 4
        await prober.look(Service("mx2.example.org", 25, "smtp", service.connect))
        assert server.visits == 5

    with Server(smtp(context(tmp_path, pair))) as server:
        run(server, play)


def test_what_is_forgotten_is_asked_again(tmp_path: Path, pair: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded in number, too."""
    monkeypatch.setattr(module, "MAX_REMEMBERED", 2)

    async def play(prober: Prober, service: Service) -> None:
        services = [Service(f"mx{number}.example.org", 25, "smtp", service.connect) for number in range(6)]
        views = await asyncio.gather(*(prober.look(one) for one in services))
        assert all(only(view).outcome is Outcome.PRESENTED for view in views)
        assert len(prober._known) == 2
        assert prober._turns._gates == {}
        await prober.look(services[0])
        assert server.visits == 7

    with Server(smtp(context(tmp_path, pair))) as server:
        run(server, play)


@pytest.mark.parametrize(("limits", "most"), [({}, 4), ({"at_one_address": 2}, 2), ({"at_once": 3}, 3)])
def test_it_is_polite_over_the_whole_run(tmp_path: Path, pair: tuple[bytes, bytes], limits: dict[str, int], most: int) -> None:
    """Whoever asks, for whatever name, port or client: only so many connections at the same time."""
    settings, lock, present, counts = context(tmp_path, pair), threading.Lock(), set(), []

    def behave(visit: Visit) -> None:
        with lock:
            present.add(visit.number)
            counts.append(len(present))
        visit.pause(0.01)
        smtp(leave)(visit)

    def leave(visit: Visit) -> ssl.SSLContext:
        with lock:
            present.remove(visit.number)
        return settings

    async def play(prober: Prober, service: Service) -> None:
        await asyncio.gather(*(prober.look(at(server, host=f"mx{number}.example.org"), clients=CLIENTS) for number in range(6)))

    with Server(behave) as server:
        run(server, play, **limits)
    assert max(counts) == most
    assert len(counts) == 6 * len(CLIENTS)


def test_results_are_told_as_they_come(tmp_path: Path, pair: tuple[bytes, bytes]) -> None:
    """One address is known while another still keeps us waiting; going away takes nothing from who asked for the same."""
    settings = context(tmp_path, pair)

    async def play(prober: Prober, service: Service) -> None:
        both = Service(HOST, 25, "smtp", connect=(slow.place, quick.place))
        known: asyncio.Queue[Presentation] = asyncio.Queue()
        one = asyncio.create_task(prober.look(both, tell=known.put_nowait))
        other = asyncio.create_task(prober.look(both))
        first = await known.get()
        assert (first.address, first.outcome) == (quick.place, Outcome.PRESENTED)
        assert not one.done()
        one.cancel()
        slow.over.set()
        view = await other
        assert {each.outcome for each in view.presentations} == {Outcome.PRESENTED, Outcome.FAILED}
        assert (slow.visits, quick.visits) == (1, 1)

    with Server(lambda visit: visit.pause(30)) as slow, Server(smtp(settings)) as quick:
        run(quick, play, timeout=20)


def test_addresses_are_given(tmp_path: Path, pair: tuple[bytes, bytes]) -> None:
    """Without places of its own a service is probed at the addresses that were looked up; what is none of them is a problem."""
    with Server(smtp(context(tmp_path, pair))) as server:
        service = Service(HOST, server.port, "smtp")
        view = run(server, lambda prober, _: prober.look(service, ("127.0.0.1", "nonsense")))
        none = run(server, lambda prober, _: prober.look(service, ()))
    assert isinstance(view, ServiceView)
    assert isinstance(none, ServiceView)
    assert (only(view).address, only(view).outcome) == ("127.0.0.1", Outcome.PRESENTED)
    assert "not an address" in view.problem
    assert (none.presentations, none.problem) == ((), f"{HOST} has no address")
    assert none.at > 0


HELLO = b"\x02\x00\x00\x28\x03\x03" + bytes(32) + b"\x00\x00\x0a\x00\x00\x00"


@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from([b"\x16\x03\x03\x00\x2c", HELLO, b"\x15\x03\x01\x00\x02\x01\x00", b"\x16\x03\x01\x00\x01", b"\x02"])
        ).map(b"".join),
    )
)
def test_any_bytes_are_a_server_hello_or_not(words: bytes) -> None:
    """Whatever answers the weak ClientHello: a suite that was offered, more to come, or a reason."""
    try:
        hello = weak._message(words)
        chosen = weak._chosen(hello, weak.SUITES[WEAK]) if hello else None
    except ProbeError as end:
        assert end.outcome in {Outcome.FAILED, Outcome.UNSHARED}  # noqa: PT017
        assert end.reason.isprintable()  # noqa: PT017
    else:
        assert chosen in {None, ("TLSv1.2", "DES-CBC3-SHA")}


def test_a_server_hello_in_pieces() -> None:
    """A message may be cut over records, and warnings may come between."""
    cut = b"".join(b"\x16\x03\x03\x00\x01" + HELLO[place : place + 1] for place in range(len(HELLO)))
    warning = b"\x15\x03\x03\x00\x02\x01\x70"
    assert weak._message(warning + cut) == HELLO
    assert weak._message(cut[:-1]) == b""
    assert weak._chosen(HELLO, weak.SUITES[WEAK]) == ("TLSv1.2", "DES-CBC3-SHA")
    for bad in (HELLO.replace(b"\x00\x0a", b"\x13\x01"), b"\x01" + HELLO[1:], HELLO[:4] + b"\x07" + HELLO[5:], HELLO[:20]):
        with pytest.raises(ProbeError):
            weak._chosen(bad, weak.SUITES[WEAK])
    with pytest.raises(ProbeError, match="no ServerHello"):
        weak._message(b"\x16\x03\x03\x00\x04\x02\xff\xff\xff")


def test_an_openssl_that_cannot_is_no_refusal(tmp_path: Path, pair: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this machine's OpenSSL cannot speak an old version, nobody says that the server does not."""
    monkeypatch.setattr(handshake, "_OLD_SUITE", b"ECDHE-RSA-AES128-GCM-SHA256")  # none of TLS 1.0
    handshake._context.cache_clear()
    with Server(smtp(context(tmp_path, pair))) as server:
        one = only(look(server, clients=("tls1.0",)))
    handshake._context.cache_clear()
    assert one.outcome is Outcome.FAILED
    assert "this machine's OpenSSL does not speak this version" in one.reason


def test_this_machine_may_be_unable_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without IPv6, or with no file descriptor left, there is no connection, and the reason is told."""

    def fail(*_: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, "x")

    with Server(plain()) as server:
        service = at(server)

        async def play() -> ServiceView:
            prober = Prober()
            monkeypatch.setattr(socket, "socket", fail)
            try:
                return await prober.look(service)
            finally:
                monkeypatch.undo()

        one = only(asyncio.run(play()))
    assert (one.outcome, one.refused) == (Outcome.UNREACHABLE, False)
    assert "Address family not supported" in one.reason
