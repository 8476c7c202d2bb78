"""Cases made by hand: one service, what it presents, the records at its owner, judged by the program's own sender."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

import pki
from cryptography import x509

from tlsa_manager.certificates import chain_of
from tlsa_manager.checks import examine
from tlsa_manager.checks.case import Case
from tlsa_manager.der import certificate_spki
from tlsa_manager.security import Security
from tlsa_manager.sender.judge import judge
from tlsa_manager.sender.route import Route, Stop
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Answer, Outcome, OwnerView, Presentation, ServiceView, Snapshot
from tlsa_manager.target import Target
from tlsa_manager.tlsa import Params, Tlsa, associate

if TYPE_CHECKING:
    from tlsa_manager.finding import Finding
    from tlsa_manager.household import Household

NOW = 1_800_000_000.0
HOST = "mx.example.org"


def presented(kind: str = "ECDSA", bits: int = 2048, days: tuple[float, float] = (-1, 364)) -> tuple[bytes, ...]:
    """Make a chain of the lab's authority, DER, leaf first; the same one for the same words."""
    return _made(kind, bits, days)


@cache
def _made(kind: str, bits: int, days: tuple[float, float]) -> tuple[bytes, ...]:
    pem = pki.authority().chain(HOST, key=pki.new_key(kind, bits), days=days)
    return tuple(one.public_bytes(pki.DER) for one in x509.load_pem_x509_certificates(pem))


def right(params: str = "3 1 1", chain: tuple[bytes, ...] | None = None, place: int = 0) -> Tlsa:
    """Return the right record of a certificate of a chain."""
    certificate = (chain or presented())[place]
    return associate(Params.parse(params), certificate, certificate_spki(certificate))


def hashed(data: bytes, params: str = "3 1 1") -> Tlsa:
    """Return a record of anything, hashed as its matching type says."""
    return Tlsa.parse(f"{params} {hashlib.new({'1': 'sha256', '2': 'sha512'}[params[-1]], data).hexdigest()}")


def case(
    *records: Tlsa | str,
    chains: tuple[tuple[bytes, ...], ...] | None = None,
    service: str = f"{HOST}:25",
    security: Security = Security.SECURE,
    target: str = "",
    household: Household | None = None,
    clients: tuple[str, ...] = ("any", "no-sni", "rsa", "ecdsa"),
    now: float = NOW,
) -> Case:
    """Make the case of one service on one address. `chains`: one address each, () = nothing answers; `target`: of an alias."""
    met = Service.parse(service)
    shown = (presented(),) if chains is None else chains
    found = frozenset(one if isinstance(one, Tlsa) else Tlsa.parse(one) for one in records)
    seen = tuple(
        Presentation(f"192.0.2.{place}", client, Outcome.PRESENTED, chain_of(chain), certificates=chain)
        for place, chain in enumerate(shown, 1)
        for client in clients
    )
    answers = tuple(
        Answer(f"ns{n}.example.org.", f"198.51.100.{n}", found, 3600, security, exists=True, size=200) for n in (1, 2)
    )
    view = OwnerView(met.owner, target or met.owner, "example.org.", now, answers)
    snapshot = Snapshot(now, {met.owner: view}, services={str(met): ServiceView(str(met), now, seen)})
    route = Route((Stop(met, met.host, 0, (met.owner,), (met.host,)),))
    return Case(Target.parse(service), snapshot, route, judge(route, snapshot), now, household)


def codes(made: Case) -> dict[str, str]:
    """Return what is found, by code: the severity."""
    return {one.code: str(one.severity) for one in reversed(examine(made))}


def finding(made: Case, code: str) -> Finding:
    """Return the one finding with this code."""
    (one,) = [one for one in examine(made) if one.code == code]
    return one
