"""Probes of real mail servers: Postfix and Dovecot."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

import pki
import pytest
from cryptography import x509
from lab.certificate import self_signed
from lab.daemon import Daemon, until
from lab.fixtures import needs

from tlsa_manager.observe import live
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Outcome, ServiceView

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab

HOST = "mx.a.example"


def leaf(pem: bytes) -> str:
    """Return the fingerprint of the first certificate of a PEM text."""
    return hashlib.sha256(x509.load_pem_x509_certificates(pem)[0].public_bytes(pki.DER)).hexdigest()


def leaves(views: dict[str, ServiceView]) -> set[str]:
    """Return all leaves that anybody saw."""
    return {one.chain.fingerprint for view in views.values() for one in view.presentations if one.chain}


def test_postfix_on_all_its_ports(mx_lab: MxLab, dns_lab: DnsLab, tmp_path: Path) -> None:
    """STARTTLS on 25 and 587 and TLS on 465, the addresses looked up in the lab's DNS, before and after a reload."""
    wanted = [Service.parse(f"{HOST}:{port}") for port in (25, 465, 587)]
    old, new = self_signed(HOST), self_signed(HOST)
    file = tmp_path / "tls" / "mx.pem"
    old.install(file)
    postfix = mx_lab.receiver(file)
    views = live.services(wanted, repeats=2, resolver=(dns_lab.resolver,))
    assert list(views) == ["mx.a.example:25", "mx.a.example:465", "mx.a.example:587"]
    for view in views.values():
        assert view.problem == ""
        outcomes = {one.client: one.outcome for one in view.presentations}
        assert outcomes == {
            "any": Outcome.PRESENTED,
            "no-sni": Outcome.PRESENTED,
            "rsa": Outcome.UNSHARED,
            "ecdsa": Outcome.PRESENTED,
        }
    assert leaves(views) == {leaf(old.certificate)}
    new.install(file)
    postfix.reload()
    until(lambda: leaves(live.services(wanted, resolver=(dns_lab.resolver,))) == {leaf(new.certificate)}, "the new certificate")


def test_postfix_with_a_broken_key_file(mx_lab: MxLab, tmp_path: Path) -> None:
    """Postfix goes on in clear when its key does not fit: offered, then 454, which the probe reports in its words."""
    file = tmp_path / "mx.pem"
    file.touch(0o600)
    file.write_bytes(self_signed(HOST).key + self_signed(HOST).certificate)
    postfix = mx_lab.receiver(file, address="127.25.0.7")
    view = live.services([Service.parse(f"{HOST}:25", connect=(postfix.address,))])[f"{HOST}:25"]
    assert {one.outcome for one in view.presentations} == {Outcome.FAILED}
    assert all("454 4.7.0 TLS not available" in one.reason for one in view.presentations)


@pytest.fixture
def dovecot_pairs() -> dict[str, tuple[bytes, bytes]]:
    """Make a certificate of each kind."""
    return {"ecdsa": pki.pair(HOST), "rsa": pki.pair(HOST, kind="RSA")}


@pytest.fixture
def dovecot(lab_dir: Path, dovecot_pairs: dict[str, tuple[bytes, bytes]]) -> Iterator[object]:
    """Start a Dovecot."""
    needs("dovecot")
    from dovecot import Dovecot

    server = Dovecot(lab_dir / "dovecot", **dovecot_pairs)
    with contextlib.ExitStack() as stack:
        stack.callback(server.daemon.stop)
        server.start()
        yield server


def test_dovecot_in_every_protocol(dovecot: object, dovecot_pairs: dict[str, tuple[bytes, bytes]]) -> None:
    """IMAP, POP3, ManageSieve and LMTP with STARTTLS, and TLS at once; each kind of client gets its certificate."""
    from dovecot import ADDRESS, PORTS, TLS_PORTS

    wanted = [Service(HOST, port, protocol, (ADDRESS,)) for protocol, port in PORTS.items()]
    wanted += [Service(HOST, port, "tls", (ADDRESS,)) for port in TLS_PORTS]
    views = live.services(wanted)
    assert len(views) == len(wanted)
    rsa, ecdsa = (leaf(dovecot_pairs[kind][0]) for kind in ("rsa", "ecdsa"))
    for name, view in views.items():
        seen = {one.client: one.chain.fingerprint if one.chain else one.reason for one in view.presentations}
        assert seen == {"any": ecdsa, "no-sni": ecdsa, "rsa": rsa, "ecdsa": ecdsa}, name


def test_gnutls_that_knows_only_tls_1_3(lab_dir: Path, tmp_path: Path, dovecot_pairs: dict[str, tuple[bytes, bytes]]) -> None:
    """GnuTLS refuses TLS 1.2 in the words of one that has no such certificate; both certificates are found all the same."""
    needs("gnutls-serv")
    argv = ["gnutls-serv", "--quiet", "--echo", "--port", "7777", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3"]
    for kind, (chain, key) in dovecot_pairs.items():
        for what, pem in (("key", key), ("cert", chain)):
            file = tmp_path / f"{kind}-{what}.pem"
            file.touch(0o600)
            file.write_bytes(pem)
            argv += [f"--x509{what}file", str(file)]
    server = Daemon(argv, log=tmp_path / "log")
    service = Service(HOST, 7777, "tls", ("127.0.0.1",))
    server.start()
    try:
        server.wait_until(lambda: bool(leaves(live.services([service]))))
        (view,) = live.services([service]).values()
    finally:
        server.stop()
    seen = {one.client: one.chain.fingerprint for one in view.presentations if one.chain}
    assert (seen["rsa"], seen["ecdsa"]) == (leaf(dovecot_pairs["rsa"][0]), leaf(dovecot_pairs["ecdsa"][0]))
