"""The fault zoo, 77 to 101: what servers present. Each fault under its own code, and nothing else critical beside it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pki
from cryptography import x509
from observe.strangers import context

from tlsa_manager.checks.servers.letsencrypt import ISSUERS
from zoo.zoo import absent, calm, digest, found, mail

if TYPE_CHECKING:
    from pathlib import Path

    from observe.strangers import Visit

    from zoo.zoo import Host, Zoo


def other(host: Host, kind: str = "ECDSA") -> tuple[bytes, bytes]:
    """Make another chain and key for the same host."""
    return pki.pair(host.name, kind=kind)


def test_renewed_without_publishing(zoo: Zoo) -> None:
    """F-STALE: the server has a new key, DNS the record of the former one."""
    host = zoo.host()
    zoo.publish(host, host.record())
    zoo.serve(host, other(host))
    one = found(zoo.check(f"{host.name}:25"), "F-STALE", outcome="defer")
    assert f"publish: {host.owner} 3600 IN TLSA 3 1 1 " in one.remedy
    assert dict(one.evidence)["published"] == host.record()


def test_two_machines_behind_one_address(zoo: Zoo) -> None:
    """F-MIXED: a balancer sends clients to a machine with the new certificate or to one with the old; one has no record."""
    host, elsewhere = zoo.host(), zoo.address()
    old, new = context(zoo.directory, host.pair), context(zoo.directory, other(host))
    zoo.serve(host, settings=lambda visit: new if visit.socket.getpeername()[0] == elsewhere else old)
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25", sources=(elsewhere,)), "F-MIXED", outcome="defer")


def test_two_machines_that_both_have_a_record(zoo: Zoo) -> None:
    """F-MIXED: nothing is lost while both certificates have a record."""
    host, elsewhere = zoo.host(), zoo.address()
    second = zoo.host(name=host.name, address=host.address)
    old, new = context(zoo.directory, host.pair), context(zoo.directory, second.pair)
    zoo.serve(host, settings=lambda visit: new if visit.socket.getpeername()[0] == elsewhere else old)
    zoo.publish(host, host.record(), second.record())
    found(zoo.check(f"{host.name}:25", sources=(elsewhere,)), "F-MIXED", outcome="auth", severity="warning")


def test_one_address_is_wrong(zoo: Zoo) -> None:
    """F-IPDIFF: of two addresses of a host one was forgotten."""
    host = zoo.mx("3 1 1")
    second = zoo.address()
    zoo.zone(f"{host.name}. 3600 A {second}")
    zoo.serve(host, other(host), address=second)
    one = found(zoo.check(f"{host.name}:25"), "F-IPDIFF", outcome="defer")
    assert f"{second} presents a certificate that no record fits; {host.address} is right" in one.message


def test_one_port_is_wrong(zoo: Zoo) -> None:
    """F-PORTDIFF: the record of port 465's key stands at 993, too, and another program there has another key."""
    host = zoo.host()
    zoo.serve(host, port=465)
    zoo.serve(host, other(host), port=993)
    for port in (465, 993):
        zoo.publish(host, host.record(), port=port)
    domain = zoo.fresh("srv")
    zoo.zone(*(f"_imaps._tcp.{domain}. 3600 SRV {port} 0 {port} {host.name}." for port in (465, 993)))
    found(zoo.check(f"_imaps._tcp.{domain}"), "F-PORTDIFF", outcome="defer", severity="error")


def test_only_the_default_certificate_is_covered(zoo: Zoo) -> None:
    """F-SNIDIFF: with SNI another certificate is presented than without, and the record is of the default one."""
    host = zoo.host()
    default, named = context(zoo.directory, host.pair), context(zoo.directory, other(host))
    default.sni_callback = lambda connection, name, _: setattr(connection, "context", named) if name else None  # type: ignore[assignment]
    zoo.serve(host, settings=default)
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25"), "F-SNIDIFF", outcome="defer")


def test_only_the_certificate_for_the_name_is_covered(zoo: Zoo) -> None:
    """F-SNIDIFF: the other way round senders deliver, since they send SNI."""
    host = zoo.host()
    default, named = context(zoo.directory, other(host)), context(zoo.directory, host.pair)
    default.sni_callback = lambda connection, name, _: setattr(connection, "context", named) if name else None  # type: ignore[assignment]
    zoo.serve(host, settings=default)
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25"), "F-SNIDIFF", outcome="auth", severity="error")


def test_sni_is_demanded(zoo: Zoo) -> None:
    """F-SNIREQ: without SNI the handshake is broken off."""
    host = zoo.host()
    strict = context(zoo.directory, host.pair)
    strict.sni_callback = lambda connection, name, _: None if name else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME  # type: ignore[assignment]
    zoo.serve(host, settings=strict)
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25"), "F-SNIREQ", outcome="auth", severity="warning")


def test_the_ecdsa_certificate_was_forgotten(zoo: Zoo) -> None:
    """F-ALGDIFF: RSA and ECDSA side by side, and only the RSA one has a record."""
    host = zoo.host(kind="RSA")
    zoo.serve(host, host.pair, other(host))
    zoo.publish(host, host.record())
    one = found(zoo.check(f"{host.name}:25"), "F-ALGDIFF", outcome="defer")
    assert "ECDSA" in one.message


def test_starttls_is_missing(zoo: Zoo) -> None:
    """F-NOTLS: signed records promise TLS, and the server offers none."""
    host = zoo.host()
    zoo.serve(host, behaviour=mail(None, offer=False))
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25"), "F-NOTLS", outcome="defer")


def test_starttls_is_missing_where_nothing_is_promised(zoo: Zoo) -> None:
    """F-NOTLS: without TLSA records it is only a pity."""
    host = zoo.host()
    zoo.serve(host, behaviour=mail(None, offer=False))
    zoo.publish(host)
    found(zoo.check(f"{host.name}:25"), "F-NOTLS", outcome="opportunistic", severity="warning")


def test_starttls_for_some(zoo: Zoo) -> None:
    """F-NOTLSSEL: every second connection is offered no STARTTLS."""
    host = zoo.host()
    settings = context(zoo.directory, host.pair)
    zoo.serve(host, behaviour=mail(settings, offer=lambda visit: visit.number % 2 == 0))
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25"), "F-NOTLSSEL")  # which of them senders meet is chance, and so is the outcome


def test_starttls_for_known_clients(zoo: Zoo) -> None:
    """F-NOTLSSEL: a client that comes from another address is offered no STARTTLS."""
    host = zoo.host()
    settings, stranger = context(zoo.directory, host.pair), zoo.address()
    zoo.serve(host, behaviour=mail(settings, offer=lambda visit: visit.socket.getpeername()[0] != stranger))
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25", sources=(stranger,)), "F-NOTLSSEL", outcome="defer")


def test_starttls_is_crossed_out(zoo: Zoo) -> None:
    """F-STRIP: a firewall writes XXXXXXXA over STARTTLS."""
    host = zoo.host()
    zoo.serve(host, behaviour=mail(None, offer=False, extensions=(b"PIPELINING", b"XXXXXXXA", b"HELP")))
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25"), "F-STRIP", outcome="defer", severity="error")


def test_starttls_fails(zoo: Zoo) -> None:
    """F-454: offered, and then "454 TLS not available due to local problem"."""
    host = zoo.host()
    settings = context(zoo.directory, host.pair)
    zoo.serve(host, behaviour=mail(settings, starttls=b"454 4.7.0 TLS not available due to local problem"))
    zoo.publish(host, host.record())
    one = found(zoo.check(f"{host.name}:25"), "F-454", outcome="defer")
    assert "454" in one.message


def test_the_handshake_fails(zoo: Zoo) -> None:
    """F-454: STARTTLS is accepted, and then the connection is closed."""

    def hang_up(visit: Visit) -> None:
        visit.socket.sendall(b"220 mx.example.org ESMTP\r\n")
        while words := visit.line():
            verb = words.strip().upper()[:4]
            if verb == b"STAR":
                visit.socket.sendall(b"220 go ahead\r\n")
                return
            visit.socket.sendall(b"250-mx.example.org\r\n250 STARTTLS\r\n" if verb == b"EHLO" else b"250 ok\r\n")

    host = zoo.host()
    zoo.serve(host, behaviour=hang_up)
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25"), "F-454", outcome="defer")


def test_leaf_alone_with_usage_2(zoo: Zoo) -> None:
    """F-CHAINSHORT: the issuer is pinned, and only the leaf is sent."""
    host = zoo.host()
    leaf = x509.load_pem_x509_certificates(host.chain_pem)[0].public_bytes(pki.PEM)
    zoo.serve(host, (leaf, host.key_pem))
    zoo.publish(host, host.record("2 1 1", place=1))
    found(zoo.check(f"{host.name}:25"), "F-CHAINSHORT", outcome="defer")


def test_leaf_alone_with_usage_3(zoo: Zoo) -> None:
    """F-CHAINSHORT: DANE does not mind, others do."""
    host = zoo.host()
    leaf = x509.load_pem_x509_certificates(host.chain_pem)[0].public_bytes(pki.PEM)
    zoo.serve(host, (leaf, host.key_pem))
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25"), "F-CHAINSHORT", outcome="auth", severity="warning")


def test_the_root_is_pinned_and_not_sent(zoo: Zoo) -> None:
    """F-TANOTSENT: the record is of the root, which servers leave out."""
    host = zoo.host()
    root = pki.authority().root
    zoo.serve(host)
    spki = root.public_key().public_bytes(pki.DER, pki.serialization.PublicFormat.SubjectPublicKeyInfo)
    zoo.publish(host, digest(spki, "2 1 1"))
    found(zoo.check(f"{host.name}:25"), "F-TANOTSENT", outcome="defer")


def test_only_retired_issuers_are_pinned(zoo: Zoo) -> None:
    """F-CAPIN: R10 to R14 of Let's Encrypt sign nothing any more."""
    host = zoo.host()
    zoo.serve(host)
    zoo.publish(host, *(f"2 1 1 {digest}" for digest, one in ISSUERS.items() if one.name in {"R10", "R11", "R12", "R13", "R14"}))
    found(zoo.check(f"{host.name}:25"), "F-CAPIN", outcome="defer")


def test_an_issuer_is_left_out(zoo: Zoo) -> None:
    """F-CAPIN: beside a record of the key itself YE1 is pinned, and YE2 and YE3 may sign the next certificate."""
    host = zoo.mx("3 1 1", "2 1 1 6ebcefb4210b088654a38b03fea3d7d1c711b4fb1ddc363a45f9b1a4e53da01e")
    one = found(zoo.check(f"{host.name}:25"), "F-CAPIN", outcome="auth", severity="warning")
    assert "YE2, YE3" in one.message
    assert "2 1 1 b3fb5d00e994cddf2cc9a4eea9f806bc5727e83cc0e4299bf956f2d524fe5376" in one.remedy


def test_a_public_authority_by_its_certificate(zoo: Zoo) -> None:
    """F-CAPIN0: `2 0 1` of an authority that the public trusts."""
    host = zoo.host()
    zoo.serve(host)
    zoo.publish(host, host.record("2 0 1", place=1))
    found(zoo.check(f"{host.name}:25"), "F-CAPIN0", outcome="auth", severity="error")


def test_other_names_with_usage_2(zoo: Zoo) -> None:
    """F-TANAME: the anchor is right, the certificate is for another host."""
    host = zoo.host(pair=pki.pair("elsewhere.example.net"))
    zoo.serve(host)
    zoo.publish(host, host.record("2 1 1", place=1))
    found(zoo.check(f"{host.name}:25"), "F-TANAME", outcome="defer")


def dated(zoo: Zoo, days: tuple[float, float]) -> Host:
    """Make a host whose certificate is valid for these days."""
    name, key = zoo.fresh("mx"), pki.new_key()
    return zoo.host(name=name, pair=(pki.authority().chain(name, key=key, days=days), pki.key_pem(key)))


def test_expired_with_usage_2(zoo: Zoo) -> None:
    """F-TAEXP: dates count with usage 2."""
    host = dated(zoo, (-90, -1))
    zoo.serve(host)
    zoo.publish(host, host.record("2 1 1", place=1))
    found(zoo.check(f"{host.name}:25"), "F-TAEXP", outcome="defer")


def test_about_to_expire_with_usage_2(zoo: Zoo) -> None:
    """F-TAEXP: two days are left."""
    host = dated(zoo, (-88, 2))
    zoo.serve(host)
    zoo.publish(host, host.record("2 1 1", place=1))
    found(zoo.check(f"{host.name}:25"), "F-TAEXP", outcome="auth", severity="error")


def test_expired_with_usage_3(zoo: Zoo) -> None:
    """F-EEEXP: on port 25 nobody but DANE senders look at it, and they do not mind."""
    host = dated(zoo, (-90, -1))
    zoo.serve(host)
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25"), "F-EEEXP", outcome="auth", severity="notice")


def test_expired_on_a_port_for_users(zoo: Zoo) -> None:
    """F-EEEXP: mail programs do mind."""
    host = dated(zoo, (-90, -1))
    zoo.serve(host, port=993)
    zoo.publish(host, host.record(), port=993)
    found(zoo.check(f"{host.name}:993"), "F-EEEXP", outcome="auth", severity="warning")


def test_less_life_than_a_rollover_needs(zoo: Zoo) -> None:
    """F-EXPSOON: a TTL of one day wants two for a rollover: they fit into 80 hours (T20), and not into 40."""
    for hours, severity in ((80, "warning"), (40, "error")):
        host = dated(zoo, (-3.4, hours / 24))
        zoo.serve(host)
        zoo.publish(host, host.record(), ttl=86400)
        found(zoo.check(f"{host.name}:25"), "F-EXPSOON", outcome="auth", severity=severity)


def test_a_life_that_will_be_too_short_at_the_next_renewal(zoo: Zoo) -> None:
    """F-EXPSOON, early: of 160 hours 80 will be left, of 70 hours 35; a TTL of one day wants 48, of an hour two (T20)."""
    for hours, severity in ((70, "warning"), (160, "notice")):
        host = dated(zoo, (0, hours / 24))
        zoo.serve(host)
        zoo.publish(host, host.record(), ttl=86400)
        found(zoo.check(f"{host.name}:25"), "F-EXPSOON", outcome="auth", severity=severity)
    host = dated(zoo, (0, 160 / 24))
    zoo.serve(host)
    zoo.publish(host, host.record(), ttl=3600)
    assert "F-EXPSOON" not in [one.code for one in zoo.check(f"{host.name}:25").findings]


def test_only_old_tls(zoo: Zoo) -> None:
    """F-TLSVER: nothing better than TLS 1.1."""
    host = zoo.host(kind="RSA")
    settings = context(zoo.directory, host.pair, only=ssl.TLSVersion.TLSv1_1, suites="ALL:@SECLEVEL=0")
    zoo.serve(host, settings=settings)
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25"), "F-TLSVER", severity="error")


def test_old_tls_beside_new(zoo: Zoo) -> None:
    """F-WEAKTLS: TLS 1.0 is still accepted."""
    host = zoo.host(kind="RSA")
    settings = context(zoo.directory, host.pair, suites="ALL:@SECLEVEL=0")
    settings.minimum_version = ssl.TLSVersion.TLSv1
    zoo.serve(host, settings=settings)
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25", thorough=True), "F-WEAKTLS", outcome="auth", severity="notice")


def test_mail_in_plain_text(zoo: Zoo) -> None:
    """F-PLAIN: right on port 25, wrong on 587."""
    host = zoo.host()
    settings = context(zoo.directory, host.pair)
    for port in (25, 587):
        zoo.serve(host, behaviour=mail(settings, plain=b"250 2.1.5 Ok"), port=port)
    zoo.publish(host, host.record())
    zoo.publish(host, host.record(), port=587)
    found(zoo.check(f"{host.name}:25", thorough=True), "F-PLAIN", outcome="auth", severity="notice")
    found(zoo.check(f"{host.name}:587", thorough=True), "F-PLAIN", outcome="auth", severity="warning")


def test_an_address_that_nobody_answers(zoo: Zoo) -> None:
    """F-UNREACH: one of two addresses."""
    host = zoo.mx("3 1 1")
    zoo.zone(f"{host.name}. 3600 A {zoo.address()}")
    found(zoo.check(f"{host.name}:25"), "F-UNREACH", severity="warning")


def test_one_kind_of_key_only(zoo: Zoo) -> None:
    """F-KEYTYPE: an ECDSA server is no fault by itself."""
    host = zoo.mx("3 1 1")
    report = zoo.check(f"{host.name}:25")
    found(report, "F-KEYTYPE", outcome="auth", severity="notice")
    calm(report)


def test_a_muddled_chain(zoo: Zoo, tmp_path: Path) -> None:
    """F-ORDER: the root is sent before the intermediate certificate."""
    host = zoo.host()
    parts = x509.load_pem_x509_certificates(host.chain_pem)
    muddled = b"".join(one.public_bytes(pki.PEM) for one in (parts[0], pki.authority().root, parts[1]))
    zoo.serve(host, (muddled, host.key_pem))
    zoo.publish(host, host.record())
    found(zoo.check(f"{host.name}:25"), "F-ORDER", outcome="auth", severity="warning")


def test_nothing_is_said_of_a_good_server(zoo: Zoo) -> None:
    """Current and next, RSA beside ECDSA: no mismatch, nothing stale."""
    host = zoo.host(kind="RSA")
    second = zoo.host(name=host.name, address=host.address)
    zoo.serve(host, host.pair, second.pair)
    zoo.publish(host, host.record(), second.record())
    report = zoo.check(f"{host.name}:25")
    absent(report, "F-STALE", "F-ALGDIFF", "F-MIXED", "F-KEYTYPE")
    calm(report)


def announce(zoo: Zoo, domain: str, *lines: str) -> None:
    """Publish an MTA-STS policy for a domain."""
    name, key = f"mta-sts.{domain}", pki.new_key()
    site = zoo.host(name=name, pair=(pki.authority().chain(name, key=key), pki.key_pem(key)))
    settings = context(zoo.directory, site.pair)
    text = "\r\n".join(("version: STSv1", *lines, "max_age: 86400", "")).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode()

    def answer(visit: Visit) -> None:
        with settings.wrap_socket(visit.socket, server_side=True) as inside:
            inside.recv(4000)
            inside.sendall(head + text)

    zoo.serve(site, behaviour=answer, port=443)
    zoo.zone(f'_mta-sts.{domain}. 3600 TXT "v=STSv1; id=1;"', f"{name}. 3600 A {site.address}")


def test_a_policy_without_the_host(zoo: Zoo) -> None:
    """F-STS: the policy names a host that has gone; DANE is not touched by it."""
    host = zoo.mx("3 1 1")
    domain = zoo.domain(host)
    announce(zoo, domain, "mode: enforce", "mx: former.example.net")
    one = found(zoo.check(domain), "F-STS", outcome="auth", severity="error")
    assert f"mx: {host.name}" in one.remedy


def test_a_policy_that_the_certificate_does_not_live_up_to(zoo: Zoo) -> None:
    """F-STS and F-EEEXP: an expired certificate is an error where MTA-STS senders have been told to insist."""
    host = dated(zoo, (-90, -1))
    zoo.serve(host)
    zoo.publish(host, host.record())
    domain = zoo.domain(host)
    announce(zoo, domain, "mode: enforce", f"mx: {host.name}")
    report = zoo.check(domain)
    found(report, "F-STS", outcome="auth", severity="error")
    found(report, "F-EEEXP", outcome="auth", severity="error")


def test_a_policy_that_is_kept(zoo: Zoo) -> None:
    """No F-STS where policy, hosts and certificates agree."""
    host = zoo.mx("3 1 1")
    domain = zoo.domain(host)
    announce(zoo, domain, "mode: enforce", f"mx: *.{host.name.partition('.')[2]}")
    absent(zoo.check(domain), "F-STS")
