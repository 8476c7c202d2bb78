"""Every type of key that is made here, from the making to a sender's verdict: request, certificate, Postfix, record, probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lab.receiver import trust

from tlsa_manager.certificates import chain_of
from tlsa_manager.deploy import files
from tlsa_manager.keys import generate, public_half, request, self_signed
from tlsa_manager.lineage import Generation, Lineage
from tlsa_manager.observe.live import services
from tlsa_manager.policy import KEY_TYPES
from tlsa_manager.rollover import gates
from tlsa_manager.rollover.facts import Facts
from tlsa_manager.rollover.scene import Scene
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Outcome, Snapshot
from tlsa_manager.tlsa import DANE_EE_SPKI_SHA256

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab

OTHER = {"RSA": "ecdsa", "ECDSA": "rsa"}


@pytest.fixture(scope="module")
def chain_file(mx_lab: MxLab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the receiver of this module reads; a certificate of any kind to begin with."""
    file = tmp_path_factory.mktemp("types") / "mx.pem"
    files.install(file, self_signed(("begin.example",), generate()).combined)
    mx_lab.receiver(file)
    return file


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_a_key_of_each_type(key_type: str, dns_lab: DnsLab, mx_lab: MxLab, chain_file: Path) -> None:
    """A sender calls it verified; the client of its kind is shown it, the client of the other kind is shown nothing."""
    host = dns_lab.fresh_name(key_type)
    key = generate(key_type)
    asked = x509.load_pem_x509_csr(request(key, (host,)))
    assert asked.is_signature_valid
    assert type_of(asked.public_key()) == public_half(key, "").type == key_type

    made = self_signed((host,), key)
    files.install(chain_file, made.combined)
    mx_lab.receiver(chain_file, hostname=host)
    (record,) = made.chain.records()
    assert record in public_half(key, "").records((DANE_EE_SPKI_SHA256,))
    dns_lab.put_tlsa(f"_25._tcp.{host}.", str(record))
    dns_lab.flush()
    assert trust(f"[{host}]:25") == "Verified"

    service = Service.parse(f"{host}:25")
    view = services((service,), repeats=1, resolver=(dns_lab.resolver,))[str(service)]
    kind = KEY_TYPES[key_type]
    shown = {one.client: one.chain for one in view.presentations if one.outcome is Outcome.PRESENTED}
    assert shown[kind.lower()] == shown["any"] == chain_of(view.presentations[0].certificates) == made.chain
    assert OTHER[kind] not in shown
    lineage = Lineage("one", (service,))
    proof = Scene(lineage, Facts("one"), Snapshot(view.at, services={str(service): view}), view.at)
    assert gates.proven(proof, Generation("new", made.chain), None) == ([], [])
    another = self_signed((host,), generate("ecdsa-p256" if kind == "RSA" else "rsa-2048"))
    late, _ = gates.proven(proof, Generation("other", another.chain), None)
    assert late, "a client of this kind proved a certificate of the other"


def type_of(key: CertificatePublicKeyTypes) -> str:
    """The name of a public key's type, read by the library alone."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa-{key.key_size}"
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384"}[key.curve.name]
