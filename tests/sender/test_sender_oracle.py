"""OpenSSL as an oracle: random chains and records, judged by its own DANE client over a real handshake, and by us."""

from __future__ import annotations

import dataclasses
import ipaddress
import random
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lab.fixtures import needs_only
from papers import AT, HOST, ISSUER, ROOT, STOP, Paper, key_of, leaf, record, seen

from tlsa_manager.certificates import to_pem
from tlsa_manager.sender.agility import agile
from tlsa_manager.sender.match import match

if TYPE_CHECKING:
    from pathlib import Path

    from tlsa_manager.tlsa import Tlsa

CHAINS, SETS = 30, 4
LEAVES = (
    leaf(),
    leaf("www.example.org"),
    leaf("*.example.org"),
    leaf(days=(-100, -1)),
    leaf(issuer="Root"),
    leaf(issuer="Stranger"),
)
ISSUERS = (
    ISSUER, ISSUER, dataclasses.replace(ISSUER, days=(-100, -1)), dataclasses.replace(ISSUER, ca=False, path_length=None),
    dataclasses.replace(ISSUER, key="other key"),
)  # fmt: skip
ROOTS = (ROOT, ROOT, dataclasses.replace(ROOT, path_length=0), dataclasses.replace(ROOT, days=(-100, -1)))
PARAMETERS = ("3 0 0", "3 0 1", "3 1 0", "3 1 1", "3 1 2", "2 0 0", "2 0 1", "2 0 2", "2 1 0", "2 1 1", "2 1 2")


class Presenting:
    """A TLS server on loopback that presents one chain to everybody."""

    def __init__(self, directory: Path, chain: tuple[bytes, ...]) -> None:
        file, key = directory / "chain.pem", directory / "key.pem"
        file.write_bytes(b"".join(to_pem(one) for one in chain))
        form = serialization.PrivateFormat.PKCS8
        key.write_bytes(key_of("leaf").private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(file, key)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Go away."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(connection, server_side=True) as inside:
                    inside.recv(10)
            except OSError:
                connection.close()


def test_openssl_agrees(tmp_path: Path) -> None:
    """Over random chains and random sets of records we and OpenSSL come to the same verdict, each time.

    OpenSSL is agile, asks no names for usage 3 (as told), and takes a bare key whose certificate is not presented, which a sender
    need not (`lenient`). Both verdicts have to occur often, or the comparison proves nothing.
    """
    needs_only("openssl")
    chance = random.Random(7672)
    verdicts: list[bool] = []
    for number in range(CHAINS):
        chain, heap = _chain(chance)
        directory = tmp_path / str(number)
        directory.mkdir()
        with Presenting(directory, chain) as server:
            for _ in range(SETS):
                records = frozenset(
                    record(chance.choice(PARAMETERS), chance.choice(heap)) for _ in range(chance.choice((1, 1, 2, 3)))
                )
                found = [match(one, seen(*chain), STOP, AT) for one in agile(records)]
                ours = any(one.matches or one.lenient for one in found)
                theirs, said = _openssl(server.port, records)
                assert ours is theirs, _story(records, chain, [one.why for one in found], said)
                verdicts.append(ours)
    assert min(verdicts.count(True), verdicts.count(False)) > len(verdicts) // 5, verdicts.count(True)


@pytest.mark.parametrize(
    "constraints",
    [
        x509.NameConstraints([x509.DNSName("example.org")], None),
        x509.NameConstraints([x509.DNSName(".example.org")], None),  # the standard knows no leading dot
        x509.NameConstraints([x509.DNSName(".mx.example.org")], None),
        x509.NameConstraints([x509.DNSName("mx.example.org")], None),
        x509.NameConstraints([x509.DNSName("example.org.")], None),
        x509.NameConstraints([x509.DNSName("")], None),
        x509.NameConstraints(None, [x509.DNSName(".mx.example.org")]),
        x509.NameConstraints(None, [x509.DNSName(".EXAMPLE.org")]),
        x509.NameConstraints(None, [x509.IPAddress(ipaddress.ip_network("0.0.0.0/0"))]),
        x509.NameConstraints([x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "other")]))], None),
    ],
    ids=str,
)
def test_openssl_agrees_about_name_constraints(constraints: x509.NameConstraints, tmp_path: Path) -> None:
    """An anchor with constraints of every form: what OpenSSL refuses we refuse, and nothing else."""
    needs_only("openssl")
    anchor = dataclasses.replace(ISSUER, extensions=((constraints, True),)).der()
    with Presenting(tmp_path, (leaf().der(), anchor)) as server:
        theirs, said = _openssl(server.port, frozenset({record("2 0 1", anchor)}))
    ours = match(record("2 0 1", anchor), seen(leaf().der(), anchor), STOP, AT)
    assert ours.matches is theirs, f"{ours.why}\n{said}"


def _chain(chance: random.Random) -> tuple[tuple[bytes, ...], list[bytes]]:
    """Return what is presented, and the certificates that records may be of: some are not presented.

    An anchor that has expired is left out: OpenSSL takes it where it is not self-signed, other senders do not.
    """
    papers = [chance.choice(ISSUERS), chance.choice(ROOTS)]
    issuers = [one.der() for one in papers]
    first = chance.choice(LEAVES).der()
    shown = [one for one in issuers if chance.random() < 0.8]
    if chance.random() < 0.3:
        shown.append(Paper("Stranger").der())
    if chance.random() < 0.3:
        chance.shuffle(shown)
    return (first, *shown), [first, *2 * [one.der() for one in papers if one.days[1] > 0 or one.issuer == ""]]


def _openssl(port: int, records: frozenset[Tlsa]) -> tuple[bool, str]:
    """Ask OpenSSL's client. Its security level is left as Postfix has it: what is signed counts, not how strongly."""
    data = [word for one in sorted(records) for word in ("-dane_tlsa_rrdata", str(one))]
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-dane_tlsa_domain", HOST, "-dane_ee_no_namechecks",
         "-attime", str(int(AT)), "-verify_return_error", "-brief", *data],
        input=b"", capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    said = (done.stdout + done.stderr).decode()
    assert "Verification: OK" in said or "verif" in said.lower(), said  # else it did not come to a verdict
    return "Verification: OK" in said, said


def _story(records: frozenset[Tlsa], chain: tuple[bytes, ...], why: list[str], said: str) -> str:
    papers = [x509.load_der_x509_certificate(one) for one in chain]
    names = [f"{one.subject.rfc4514_string()} by {one.issuer.rfc4514_string()} until {one.not_valid_after_utc}" for one in papers]
    return "\n".join([*map(str, sorted(records)), *names, *why, said])
