"""The prober before real servers: Postfix, Dovecot, GnuTLS."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pki
import pytest
from lab.daemon import Daemon, until
from lab.fixtures import needs

from tlsa_manager.observe.handshake import CLIENTS, OLD_VERSIONS
from tlsa_manager.observe.pkix import Authorities
from tlsa_manager.observe.prober import Prober
from tlsa_manager.observe.weak import ANONYMOUS, WEAK
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Outcome, Presentation, ServiceView

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dovecot import Dovecot
    from lab.postfix import Postfix
    from lab.receiver import MxLab

HOST = "mx.a.example"
EVERYTHING = (*CLIENTS, *OLD_VERSIONS, WEAK, ANONYMOUS)
MODERN = {"TLSv1.3": "TLS_AES_256_GCM_SHA384", "TLSv1.2": "ECDHE-ECDSA-AES256-GCM-SHA384"}


@pytest.fixture
def authorities(tmp_path: Path) -> Authorities:
    """Trust the root of our own authority."""
    file = tmp_path / "root.pem"
    file.write_bytes(pki.authority().root.public_bytes(pki.PEM))
    return Authorities(str(file))


@pytest.fixture
def postfix(mx_lab: MxLab, tmp_path: Path) -> Postfix:
    """Run a Postfix as it comes, with a certificate of our own authority."""
    file = tmp_path / "mx.pem"
    file.touch(0o600)
    chain, key = pki.pair(HOST)
    file.write_bytes(key + chain)
    return mx_lab.receiver(file)


def look(service: Service, address: str, authorities: Authorities | None = None, **words: object) -> ServiceView:
    """Look once, with everything on."""

    async def once() -> ServiceView:
        return await Prober(authorities=authorities).look(service, [address], **{"clients": EVERYTHING, **words})  # type: ignore[arg-type]

    return asyncio.run(once())


def by_client(view: ServiceView) -> dict[str, Presentation]:
    """Return the one result of each kind of client."""
    found = {one.client: one for one in view.presentations}
    assert len(found) == len(view.presentations)
    return found


def taken(view: ServiceView) -> set[str]:
    """Return the kinds of clients that the server takes; the others it refused in the handshake."""
    assert {one.outcome for one in view.presentations} <= {Outcome.PRESENTED, Outcome.UNSHARED}
    return {one.client for one in view.presentations if one.outcome is Outcome.PRESENTED}


def configure(postfix: Postfix, text: str) -> None:
    """Add to main.cf and reload."""
    main = postfix.config_directory / "main.cf"
    postfix._write("main.cf", main.read_text() + text)
    postfix.reload()


@pytest.mark.parametrize("port", [25, 465, 587])
def test_postfix_as_it_comes(postfix: Postfix, authorities: Authorities, port: int) -> None:
    """It speaks TLS 1.3, still takes old versions and clients that ask for no certificate, but no weak suite."""
    seen = by_client(view := look(Service.parse(f"{HOST}:{port}"), postfix.address, authorities))
    assert taken(view) == {"any", "no-sni", "ecdsa", "tls1.0", "tls1.1", ANONYMOUS}
    assert (seen["any"].version, seen["any"].suite) == ("TLSv1.3", MODERN["TLSv1.3"])
    assert (seen["tls1.0"].version, seen["tls1.1"].version) == ("TLSv1", "TLSv1.1")
    assert seen[ANONYMOUS].suite.startswith(("ADH-AES", "AECDH-AES"))
    assert {one.pkix for one in view.presentations if one.certificates} == {""}
    assert {len(one.certificates) for one in view.presentations if one.chain} == {2}


def test_the_name_that_is_asked_for_counts(postfix: Postfix, authorities: Authorities) -> None:
    """A trusted chain for another host is not for this one, and says so."""
    view = look(Service.parse("mx2.a.example:25"), postfix.address, authorities, clients=("any",))
    assert by_client(view)["any"].pkix == f"it is not for mx2.a.example but for {HOST}"
    assert by_client(look(Service.parse(f"{HOST}:25"), postfix.address, clients=("any",)))["any"].pkix is None


def test_mail_without_tls(postfix: Postfix) -> None:
    """Where TLS is optional a recipient is taken in clear, where it is demanded the answer is 530; no mail is sent."""
    (conversation,) = look(Service.parse(f"{HOST}:25"), postfix.address, plain_to="a.example").conversations
    assert conversation.banner == f"{HOST} ESMTP Postfix"
    assert conversation.offers == (True,) * (len(EVERYTHING) + 1)
    assert (conversation.plain, conversation.plain_said) == (250, "250 2.1.5 Ok")
    assert not conversation.crossed_out
    assert conversation.starttls_code == 0
    (conversation,) = look(Service.parse(f"{HOST}:587"), postfix.address, plain_to="a.example").conversations
    assert conversation.plain == 530
    assert "Must issue a STARTTLS command first" in conversation.plain_said
    (conversation,) = look(Service.parse(f"{HOST}:25"), postfix.address).conversations
    assert (conversation.plain, conversation.plain_said) == (0, "")
    assert look(Service.parse(f"{HOST}:465"), postfix.address, plain_to="a.example").conversations == ()
    until(lambda: "disconnect from" in postfix.log(), "Postfix has seen us go")
    assert "message-id=" not in postfix.log()
    assert "data=" not in postfix.log()


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_postfix_with_one_version(postfix: Postfix, version: str) -> None:
    """What is agreed is what the configuration says; everything old is refused."""
    configure(postfix, f"\nsmtpd_tls_protocols = {version}\nsmtpd_tls_exclude_ciphers = aNULL\n")

    def strict() -> bool:
        return taken(look(Service.parse(f"{HOST}:25"), postfix.address)) == {"any", "no-sni", "ecdsa"}

    until(strict, "only what is modern is taken")
    seen = by_client(look(Service.parse(f"{HOST}:25"), postfix.address))
    assert (seen["any"].version, seen["any"].suite) == (version, MODERN[version])


def test_postfix_without_its_key(mx_lab: MxLab, tmp_path: Path) -> None:
    """STARTTLS is offered and answered with 454, connection by connection."""
    file = tmp_path / "mx.pem"
    file.touch(0o600)
    file.write_bytes(pki.pair(HOST)[1] + pki.pair(HOST)[0])
    postfix = mx_lab.receiver(file, address="127.25.0.8")
    view = look(Service.parse(f"{HOST}:25"), postfix.address)
    (conversation,) = view.conversations
    assert conversation.starttls_code == 454
    assert conversation.offers == (True,) * len(EVERYTHING)
    assert {one.outcome for one in view.presentations} == {Outcome.FAILED}


@pytest.fixture
def dovecot(lab_dir: Path) -> Iterator[Dovecot]:
    """Start a Dovecot with certificates of our own authority."""
    needs("dovecot")
    from dovecot import Dovecot

    server = Dovecot(lab_dir / "dovecot-2", ecdsa=pki.pair(HOST), rsa=pki.pair(HOST, kind="RSA"))
    with contextlib.ExitStack() as stack:
        stack.callback(server.daemon.stop)
        server.start()
        yield server


def test_dovecot(dovecot: Dovecot, authorities: Authorities) -> None:
    """Versions, suites and trust on its ports; LMTP is talked to like SMTP."""
    from dovecot import ADDRESS

    for port in (24, 143, 993):
        service = Service.parse(f"{HOST}:{port}")
        view = look(service, ADDRESS, authorities, plain_to="a.example")
        assert taken(view) == set(CLIENTS), service
        assert {one.pkix for one in view.presentations if one.certificates} == {""}
        assert {one.version for one in view.presentations if one.certificates} == {"TLSv1.3"}
        if port == 24:
            (conversation,) = view.conversations
            assert "ready" in conversation.banner
            assert conversation.plain >= 250
        else:
            assert view.conversations == ()


@pytest.mark.parametrize(
    ("priority", "suite", "kind"),
    [
        ("NORMAL:+3DES-CBC:-AES-128-GCM:-AES-256-GCM:-CHACHA20-POLY1305:-AES-128-CBC:-AES-256-CBC", "CBC3", WEAK),
        ("NORMAL:+ARCFOUR-128:+MD5", "RC4", WEAK),
        ("NORMAL:+NULL:+RSA", "NULL", WEAK),
        ("NORMAL:+ANON-ECDH", "AECDH-AES", ANONYMOUS),
    ],
)
def test_weak_suites_of_a_real_server(tmp_path: Path, lab_dir: Path, priority: str, suite: str, kind: str) -> None:
    """GnuTLS still knows what OpenSSL has forgotten; the suite that it takes is named."""
    needs("gnutls-serv")
    chain, key = pki.pair(HOST, kind="RSA")
    file = tmp_path / "both.pem"
    file.touch(0o600)
    file.write_bytes(key + chain)
    with_tls12 = f"{priority}:-VERS-ALL:+VERS-TLS1.2:%VERIFY_ALLOW_BROKEN"
    argv = ["gnutls-serv", "--quiet", "--echo", "--port", "7778", "--priority", with_tls12]
    server = Daemon([*argv, "--x509keyfile", str(file), "--x509certfile", str(file)], log=tmp_path / "log")
    service = Service(HOST, 7778, "tls")
    server.start()
    try:
        server.wait_until(
            lambda: look(service, "127.0.0.1", clients=("rsa",)).presentations[0].outcome is not Outcome.UNREACHABLE
        )
        seen = by_client(look(service, "127.0.0.1"))
    finally:
        server.stop()
    assert seen[kind].outcome is Outcome.PRESENTED, seen[kind].reason
    assert suite in seen[kind].suite
    assert seen[kind].version == "TLSv1.2"
    other = ANONYMOUS if kind == WEAK else WEAK
    assert seen[other].outcome is Outcome.UNSHARED
