"""Probes of live services, against servers of our own that are good, odd or hostile."""

from __future__ import annotations

import hashlib
import socketserver
import ssl
import threading
import warnings
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pki
import pytest
from cryptography import x509
from strangers import Server, Visit, context, implicit, plain, smtp

from tlsa_manager.chain import Digests
from tlsa_manager.observe import live, places
from tlsa_manager.observe.handshake import CLIENTS
from tlsa_manager.service import PROTOCOLS, Service
from tlsa_manager.snapshot import Outcome, Presentation, ServiceView

if TYPE_CHECKING:
    from pathlib import Path

HOST = "mx.example.org"
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
READY = (b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n")


@pytest.fixture(scope="module")
def rsa() -> tuple[bytes, bytes]:
    """Make a chain with an RSA key."""
    return pki.pair(HOST, kind="RSA")


@pytest.fixture(scope="module")
def ecdsa() -> tuple[bytes, bytes]:
    """Make a chain with an ECDSA key."""
    return pki.pair(HOST)


def look(server: Server, protocol: str = "smtp", **words: float) -> ServiceView:
    """Probe one server."""
    service = Service(HOST, 25, protocol, connect=(server.place,))
    return live.services([service], **{"timeout": 3.0, **words})[str(service)]  # type: ignore[arg-type]


def by_client(view: ServiceView) -> dict[str, Presentation]:
    """Return the one result of each kind of client."""
    assert len(view.presentations) == len(CLIENTS)
    return {one.client: one for one in view.presentations}


def leaf(pair: tuple[bytes, bytes]) -> str:
    """Return the fingerprint of a pair's leaf."""
    return hashlib.sha256(x509.load_pem_x509_certificates(pair[0])[0].public_bytes(pki.DER)).hexdigest()


def shown(view: ServiceView) -> dict[str, str]:
    """Return which leaf each kind of client saw; the outcome where it saw none."""
    return {client: one.chain.fingerprint if one.chain else str(one.outcome) for client, one in by_client(view).items()}


def only(view: ServiceView) -> tuple[Outcome, str]:
    """Return outcome and reason where all kinds of clients met the same."""
    assert {one.client for one in view.presentations} == set(CLIENTS)
    (outcome,) = {one.outcome for one in view.presentations}
    assert all(one.chain is None for one in view.presentations)
    reason = view.presentations[0].reason
    assert reason.isascii()
    assert reason.isprintable()
    assert 0 < len(reason) <= 200
    return outcome, reason


def test_the_whole_chain_is_read_as_it_stands(tmp_path: Path, ecdsa: tuple[bytes, bytes]) -> None:
    """Every certificate that is sent is there with its digests, and the leaf's kind of key and end."""
    with Server(smtp(context(tmp_path, ecdsa))) as server:
        chain = by_client(look(server))["any"].chain
    expected = x509.load_pem_x509_certificates(ecdsa[0])
    spki = pki.serialization.PublicFormat.SubjectPublicKeyInfo
    assert chain is not None
    assert chain.certificates == tuple(
        Digests.of(one.public_bytes(pki.DER), one.public_key().public_bytes(pki.DER, spki)) for one in expected
    )
    assert len(chain.certificates) == 2
    assert chain.kind == "ECDSA"
    assert chain.not_after == expected[0].not_valid_after_utc.timestamp()


@pytest.mark.parametrize("behaviour", [smtp, implicit])
def test_two_certificates_are_both_found(tmp_path: Path, rsa: tuple[bytes, bytes], ecdsa: tuple[bytes, bytes], behaviour) -> None:  # noqa: ANN001
    """A server with RSA and ECDSA shows each to the clients that take only that."""
    with Server(behaviour(context(tmp_path, rsa, ecdsa))) as server:
        view = look(server, "tls" if behaviour is implicit else "smtp")
    assert shown(view) == {"any": leaf(ecdsa), "no-sni": leaf(ecdsa), "rsa": leaf(rsa), "ecdsa": leaf(ecdsa)}
    assert {one.chain.kind for one in view.presentations if one.chain} == {"RSA", "ECDSA"}


@pytest.mark.parametrize("only", VERSIONS)
def test_each_version_of_tls_is_asked(
    tmp_path: Path, rsa: tuple[bytes, bytes], ecdsa: tuple[bytes, bytes], only: ssl.TLSVersion
) -> None:
    """RSA-only and ECDSA-only clients find each certificate of servers that speak only TLS 1.2 or only TLS 1.3."""
    with Server(smtp(context(tmp_path, rsa, ecdsa, only=only))) as server:
        assert shown(look(server)) == {"any": leaf(ecdsa), "no-sni": leaf(ecdsa), "rsa": leaf(rsa), "ecdsa": leaf(ecdsa)}
    with Server(smtp(context(tmp_path, rsa, only=only))) as server:
        assert shown(look(server)) == {"any": leaf(rsa), "no-sni": leaf(rsa), "rsa": leaf(rsa), "ecdsa": "unshared"}


@pytest.mark.parametrize("only", VERSIONS)
def test_neither_rsa_nor_ecdsa_is_unshared_twice(tmp_path: Path, only: ssl.TLSVersion) -> None:
    """An Ed25519 certificate is seen by clients that take anything, and only by them."""
    pair = pki.pair(HOST, kind="Ed25519")
    with Server(smtp(context(tmp_path, pair, only=only))) as server:
        view = look(server)
    assert shown(view) == {"any": leaf(pair), "no-sni": leaf(pair), "rsa": "unshared", "ecdsa": "unshared"}
    assert {one.chain.kind for one in view.presentations if one.chain} == {"Ed25519"}


@pytest.mark.parametrize(("kind", "other"), [("RSA", "ecdsa"), ("ECDSA", "rsa")])
def test_no_certificate_for_a_client_is_unshared(tmp_path: Path, kind: str, other: str) -> None:
    """A server with one kind of key has nothing for the other kind of client, which is no failure."""
    with Server(smtp(context(tmp_path, pki.pair(HOST, kind=kind)))) as server:
        seen = by_client(look(server))
    assert seen[other].outcome is Outcome.UNSHARED
    assert seen[other].reason
    assert {one.outcome for client, one in seen.items() if client != other} == {Outcome.PRESENTED}


def test_an_ecdsa_leaf_of_an_rsa_authority_counts(tmp_path: Path) -> None:
    """Only the leaf's key decides; the issuer may sign with RSA, in TLS 1.2 and in TLS 1.3."""
    key, name = pki.new_key("RSA"), x509.Name([])
    issuer = pki.Authority(None, pki._sign("RSA", key, name, key, extensions=[], days=(-1, 9)), key)  # type: ignore[arg-type]
    own = pki.new_key()
    pair = (issuer.chain(HOST, key=own), pki.key_pem(own))
    for only in VERSIONS:
        with Server(smtp(context(tmp_path, pair, only=only))) as server:
            assert shown(look(server))["ecdsa"] == leaf(pair)


def test_sni_chooses_the_certificate(tmp_path: Path, ecdsa: tuple[bytes, bytes]) -> None:
    """SNI is the TLSA base domain; without it the server's default shows."""
    default, names = pki.pair("default.example"), []
    settings, own = context(tmp_path, default), context(tmp_path, ecdsa)

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        names.append(name)
        connection.context = own if name == HOST else settings

    settings.sni_callback = choose  # type: ignore[assignment]
    with Server(implicit(settings)) as server:
        seen = shown(look(server, "tls"))
    assert seen == {"any": leaf(ecdsa), "no-sni": leaf(default), "rsa": "unshared", "ecdsa": leaf(ecdsa)}
    assert sorted(map(str, names)) == ["None", HOST, HOST, HOST]


def test_a_server_that_wants_our_certificate_has_failed(tmp_path: Path, rsa: tuple[bytes, bytes]) -> None:
    """A refusal after the server's certificate was seen is a failure, also for clients that take only that kind."""
    settings = context(tmp_path, rsa)
    settings.maximum_version = ssl.TLSVersion.TLSv1_2
    settings.verify_mode = ssl.CERT_REQUIRED
    settings.load_verify_locations(cadata=rsa[0].decode())
    with Server(smtp(settings)) as server:
        seen = {client: one.outcome for client, one in by_client(look(server)).items()}
    failed = dict.fromkeys(("any", "no-sni", "rsa"), Outcome.FAILED)
    assert seen == {**failed, "ecdsa": Outcome.UNSHARED}


def test_one_service_at_two_places_is_one_view(tmp_path: Path, rsa: tuple[bytes, bytes], ecdsa: tuple[bytes, bytes]) -> None:
    """A service that two lineages name with different addresses is seen at both."""
    with Server(smtp(context(tmp_path, rsa))) as one, Server(smtp(context(tmp_path, ecdsa))) as two:
        views = live.services([Service(HOST, 25, "smtp", (server.place,)) for server in (one, two)])
    (view,) = views.values()
    assert {p.chain.fingerprint for p in view.presentations if p.chain} == {leaf(rsa), leaf(ecdsa)}


def test_a_server_that_wants_sni_shows(tmp_path: Path, ecdsa: tuple[bytes, bytes]) -> None:
    """A server that aborts without SNI (RFC 7672 §8.1 forbids it) fails for the client without, and only there."""
    settings = context(tmp_path, ecdsa)
    settings.sni_callback = lambda _, name, __: None if name else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME  # type: ignore[assignment]
    with Server(smtp(settings)) as server:
        seen = by_client(look(server))
    assert seen["no-sni"].outcome is Outcome.FAILED
    assert "unrecognized name" in seen["no-sni"].reason
    assert seen["any"].outcome is Outcome.PRESENTED


def test_old_and_new_side_by_side_are_both_kept(tmp_path: Path) -> None:
    """One old worker among many new ones is not lost; equal results are told once."""
    old, new = pki.pair(HOST), pki.pair(HOST)
    settings = {True: context(tmp_path, old), False: context(tmp_path, new)}
    with Server(smtp(lambda visit: settings[visit.number == 11])) as server:
        view = look(server, repeats=4)
        assert server.visits == 4 * len(CLIENTS)
    seen = [one.chain.fingerprint for one in view.presentations if one.chain]
    assert seen.count(leaf(old)) == 1
    assert len(view.presentations) <= len(CLIENTS) + 1
    assert set(seen) == {leaf(old), leaf(new)}


def test_another_intermediate_is_another_chain(tmp_path: Path, ecdsa: tuple[bytes, bytes]) -> None:
    """The same leaf with and without its issuer are two results: a DANE-TA record matches only one of them."""
    short = (ecdsa[0].split(b"-----END CERTIFICATE-----\n")[0] + b"-----END CERTIFICATE-----\n", ecdsa[1])
    settings = [context(tmp_path, ecdsa), context(tmp_path, short)]
    with Server(smtp(lambda visit: settings[visit.number % 2])) as server:
        view = look(server, repeats=6)
    assert {len(one.chain.certificates) for one in view.presentations if one.chain} == {1, 2}


def test_it_is_polite(tmp_path: Path, ecdsa: tuple[bytes, bytes]) -> None:
    """At most four connections at the same time at one address, however many services it has; QUIT at the end."""
    settings, present, counts, lock = context(tmp_path, ecdsa), set(), [], threading.Lock()

    def arrive(visit: Visit) -> None:
        with lock:
            present.add(visit.number)
            counts.append(len(present))
        visit.pause(0.01)
        smtp(leave)(visit)

    def leave(visit: Visit) -> ssl.SSLContext:
        with lock:
            present.remove(visit.number)  # the client is still there: it waits for the handshake
        return settings

    with Server(arrive) as server:
        many = [Service(f"mx{number}.example.org", 25, "smtp", (server.place,)) for number in range(8)]
        views = live.services(many, repeats=2)
    assert len(views) == 8
    assert max(counts) == live.AT_ONE_ADDRESS
    assert server.said.count(b"QUIT\r\n") == 8 * 2 * 3  # RSA-only clients come no further than the handshake


def alarm(visit: Visit) -> None:
    """Answer the handshake with a TLS alert."""
    visit.socket.recv(1)
    visit.socket.sendall(b"\x15\x03\x03\x00\x02\x02\x50")


@pytest.mark.parametrize(
    ("behaviour", "outcome", "words"),
    [
        (plain(b"220 mx\r\n", b"250-mx\r\n250 SIZE\r\n"), Outcome.NO_TLS, "does not offer STARTTLS"),
        (plain(*READY, b"454 4.7.0 TLS not available\r\n"), Outcome.FAILED, "'454 4.7.0 TLS not available'"),
        (plain(*READY, b"220 go\r\n250 ok evil\r\n"), Outcome.FAILED, "sent data before TLS began: '250 ok evil'"),
        (plain(b"220 \x1b[31m\x07\r\n", b"421 \x1b[2Jbye\xff\r\n"), Outcome.FAILED, "421  [2Jbye"),
        (plain(*READY, b"220 go\r\n", then=lambda visit: visit.socket.sendall(b"hello?\r\n")), Outcome.FAILED, "hello?"),
        (plain(*READY, b"220 go\r\n", then=alarm), Outcome.FAILED, "alert internal error"),
        (plain(*READY, b"220 go\r\n", then=Visit.reset), Outcome.FAILED, "Connection reset"),
        (plain(*READY, b"220 go\r\n", then=lambda visit: visit.socket.close()), Outcome.FAILED, ""),
        (Visit.reset, Outcome.FAILED, ""),
        (lambda visit: visit.socket.close(), Outcome.FAILED, "closed the connection before TLS"),
        (plain(b"* OK imap here\r\n"), Outcome.FAILED, "does not speak SMTP: '* OK imap here'"),
        (plain(b"x" * 100_000), Outcome.FAILED, "line without end"),
    ],
)
def test_trouble_of_servers_is_recorded(behaviour, outcome: Outcome, words: str) -> None:  # noqa: ANN001
    """A server that cannot, will not, or means harm gives an outcome and a clean reason for every kind of client."""
    with Server(behaviour) as server:
        seen, reason = only(look(server))
    assert seen is outcome
    assert words in reason


def endless(visit: Visit) -> None:
    """Greet for ever, as fast as the wire takes it."""
    while visit.pause(0):
        visit.socket.sendall(b"220-hello\r\n" * 100)


def dripping(visit: Visit) -> None:
    """Send a byte every now and then, each well within any limit for a single read."""
    while visit.pause(0.05):
        visit.socket.sendall(b"2")


def trickling(visit: Visit) -> None:
    """Announce one TLS record, and send it a byte at a time."""
    visit.socket.sendall(b"\x16\x03\x03\x40\x00")
    while visit.pause(0.05):
        visit.socket.sendall(b"\x02")


def mute(visit: Visit) -> None:
    """Accept, and say nothing."""
    visit.pause(30)


def frozen(visit: Visit) -> None:
    """Get as far as the handshake, then say nothing."""
    for words in (*READY, b"220 go\r\n"):
        visit.socket.sendall(words)
        visit.line()
    visit.pause(30)


def babbling(visit: Visit) -> None:
    """Send TLS handshake records without end."""
    visit.socket.recv(1000)
    while visit.pause(0):
        visit.socket.sendall(b"\x16\x03\x03\x40\x00" + b"\x02\xff\xff\xff" + bytes(0x4000 - 4))


@pytest.mark.parametrize(
    ("behaviour", "protocol"),
    [(dripping, "smtp"), (mute, "smtp"), (frozen, "smtp"), (mute, "tls"), (trickling, "tls")],
)
def test_time_is_bounded(behaviour, protocol: str) -> None:  # noqa: ANN001
    """Whoever wastes our time gets one fixed amount of it in a look, not one for each packet or each repetition."""
    with Server(behaviour) as server:
        outcome, reason = only(look(server, protocol, timeout=0.1, repeats=25))
    assert outcome is Outcome.FAILED
    assert "within 0.3 s" in reason
    assert 0 < server.visits <= live.AT_ONE_ADDRESS


@pytest.mark.parametrize(("behaviour", "protocol"), [(endless, "smtp"), (babbling, "tls")])
def test_bytes_are_bounded(behaviour, protocol: str) -> None:  # noqa: ANN001
    """Whoever sends without end is left before long, although each piece comes in time."""
    with Server(behaviour) as server:
        outcome, reason = only(look(server, protocol, timeout=10))
    assert outcome is Outcome.FAILED
    assert "within" not in reason


def test_a_huge_chain_is_refused(tmp_path: Path, ecdsa: tuple[bytes, bytes]) -> None:
    """More than 100 kB of certificates are not taken."""
    issuer = pki.authority().certificate.public_bytes(pki.PEM)
    with Server(smtp(context(tmp_path, (ecdsa[0] + issuer * 600, ecdsa[1])))) as server:
        seen = by_client(look(server))
    assert seen["any"].outcome is Outcome.FAILED
    assert "excessive message size" in seen["any"].reason


def test_a_certificate_that_cannot_be_parsed_has_failed(tmp_path: Path) -> None:
    """A certificate that OpenSSL lets through but that has no sense is a failure with a reason, never a chain."""
    from OpenSSL import SSL, crypto

    key = pki.new_key("RSA")
    sound = pki.authority().issue(HOST, key=key).public_bytes(pki.DER)
    version = sound.index(b"\xa0\x03\x02\x01\x02")
    odd = sound[: version + 4] + b"\x07" + sound[version + 5 :]
    settings = SSL.Context(SSL.TLS_SERVER_METHOD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        settings.use_certificate(crypto.load_certificate(crypto.FILETYPE_ASN1, odd))
        settings.use_privatekey(crypto.PKey.from_cryptography_key(key))

    def behave(visit: Visit) -> None:
        visit.socket.settimeout(None)
        connection = SSL.Connection(settings, visit.socket)
        connection.set_accept_state()
        try:
            connection.do_handshake()
            connection.recv(100)
        except SSL.Error:
            return

    with Server(behave) as server:
        seen = by_client(look(server, "tls"))
    assert seen["any"].outcome is Outcome.FAILED
    assert "cannot be read" in seen["any"].reason


def test_the_wrong_protocol_is_named(tmp_path: Path, ecdsa: tuple[bytes, bytes]) -> None:
    """Plain text on a port said to be TLS, and TLS on a port said to begin in plain text, are told apart."""
    with Server(plain(b"220 mx.example.org ESMTP\r\n")) as server:
        outcome, reason = only(look(server, "tls"))
    assert outcome is Outcome.FAILED
    assert "does not speak TLS here but: '220 mx.example.org ESMTP'" in reason
    with Server(implicit(context(tmp_path, ecdsa))) as server:
        outcome, reason = only(look(server, "smtp", timeout=0.2))
    assert outcome is Outcome.FAILED
    assert "sent nothing within" in reason


def test_nobody_there_is_unreachable() -> None:
    """A closed port is unreachable, not failed."""
    with Server(mute) as server:
        pass
    outcome, reason = only(look(server))
    assert outcome is Outcome.UNREACHABLE
    assert "refused" in reason


def test_every_address_is_probed(tmp_path: Path) -> None:
    """Addresses that are given, IPv4 and IPv6, are each told apart by their own text; one wrong one is seen."""
    good, wrong = pki.pair(HOST), pki.pair(HOST)
    with Server(smtp(context(tmp_path, good))) as one, Server(smtp(context(tmp_path, wrong)), "::1") as two:
        service = Service(HOST, 25, "smtp", connect=(one.place, two.place))
        view = live.services([service])[str(service)]
    found = {(p.address, p.chain.fingerprint) for p in view.presentations if p.chain}
    assert found == {(one.place, leaf(good)), (two.place, leaf(wrong))}
    assert view.problem == ""


def test_addresses_come_from_the_lookup(tmp_path: Path, ecdsa: tuple[bytes, bytes]) -> None:
    """Without given addresses all those of the host are probed, looked up once for all its ports."""
    asked = []

    def resolve(host: str) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1", "127.0.0.2")

    with Server(smtp(context(tmp_path, ecdsa))) as server:
        wanted = [Service(HOST, server.port, "smtp"), Service(HOST, server.port, "lmtp")]
        views = live.services(wanted, resolve=resolve)
    assert asked == [HOST]
    for service in wanted:
        outcomes = {(p.address, p.outcome) for p in views[str(service)].presentations if p.client == "any"}
        assert outcomes == {("127.0.0.1", Outcome.PRESENTED), ("127.0.0.2", Outcome.UNREACHABLE)}


def test_no_address_is_a_problem() -> None:
    """A host without addresses, a lookup that fails, an address that is none: told, and nothing is presented."""

    def broken(host: str) -> tuple[str, ...]:
        raise OSError("SERVFAIL")

    service = Service(HOST, 25, "smtp")
    for resolve, words in ((lambda host: (), "has no address"), (broken, "SERVFAIL"), (lambda host: ("x",), "not an address")):
        view = live.services([service], resolve=resolve)[str(service)]
        assert words in view.problem
        assert view.presentations == ()
        assert view.at > 0
    for bad in ("nonsense", "127.0.0.1:0", "127.0.0.1:99999", "::1:25:x", "[::1]", "[127.0.0.1]:25", ""):
        odd = Service(HOST, 25, "smtp", connect=(bad,))
        assert "is not an ADDRESS" in live.services([odd])[str(odd)].problem


def test_what_is_vouched_for_is_not_probed() -> None:
    """A service with probe = false is left out; nothing wanted gives nothing."""
    assert live.services([Service(HOST, 25, "smtp", ("127.0.0.1:9",), probe=False)]) == {}
    assert live.services([]) == {}


def test_every_protocol_can_be_probed() -> None:
    """Each protocol that a service may have ends in an outcome, also where nobody speaks it."""
    with Server(plain(b"hello\r\n")) as server:
        for protocol in PROTOCOLS:
            outcome, _ = only(look(server, protocol, timeout=0.3))
            assert outcome is Outcome.FAILED


class HalfDead(socketserver.BaseRequestHandler):
    """A resolver that knows A, and answers SERVFAIL for AAAA of `half.`, NXDOMAIN for `none.`."""

    def handle(self) -> None:
        """Answer one query."""
        query = dns.message.from_wire(self.request[0])
        (question,) = query.question
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if question.name == dns.name.from_text("none.example"):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype == dns.rdatatype.A:
            reply.answer.append(dns.rrset.from_text(question.name, 1, "IN", "A", "127.0.0.1"))
        elif question.name == dns.name.from_text("half.example"):
            reply.set_rcode(dns.rcode.SERVFAIL)
        self.request[1].sendto(reply.to_wire(), self.client_address)


def test_half_an_answer_is_a_problem(tmp_path: Path, ecdsa: tuple[bytes, bytes]) -> None:
    """Where AAAA cannot be looked up the IPv4 address is probed, but it is told that there may be more."""
    with (
        Server(smtp(context(tmp_path, ecdsa))) as server,
        socketserver.ThreadingUDPServer(("127.0.0.1", 0), HalfDead) as resolver,
    ):
        threading.Thread(target=resolver.serve_forever, daemon=True).start()
        hosts = ("whole.example", "half.example", "none.example")
        wanted = [Service(host, server.port, "smtp") for host in hosts]
        address, port = resolver.server_address[:2]
        for form in (f"{address}#{port}", f"{address}:{port}"):
            whole, half, none = live.services(wanted, resolver=(form,), timeout=1.0).values()
            assert (whole.problem, {one.address for one in whole.presentations}) == ("", {"127.0.0.1"})
            assert "AAAA records of half.example could not be looked up" in half.problem
            assert {one.address for one in half.presentations} == {"127.0.0.1"}
            assert "none.example does not exist" in none.problem
            assert none.presentations == ()
        resolver.shutdown()
    (view,) = live.services(wanted[:1], resolver=("not an address",)).values()
    assert "the resolver cannot be used: 'not an address'" in view.problem
    assert [
        (one.address, one.port) for one in map(places._nameserver, ("::1", "[::1]", "[::1]:5353", "::1#5353", " 127.0.0.1"))
    ] == [
        *(("::1", 53), ("::1", 53), ("::1", 5353), ("::1", 5353), ("127.0.0.1", 53)),
    ]
