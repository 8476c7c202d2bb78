"""Worlds for the judgement of a preflight: what servers answer and present, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sender.papers import AT, HOST, ISSUER, leaf, record

from tlsa_manager.certificates import chain_of
from tlsa_manager.lineage import Generation
from tlsa_manager.policy import Policy
from tlsa_manager.preflight.clearance import Candidate, Clearance
from tlsa_manager.preflight.judgement import Liking, for_scene
from tlsa_manager.preflight.look import scene_of
from tlsa_manager.security import Security
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Answer, Outcome, OwnerView, Presentation, ServiceView, Snapshot

if TYPE_CHECKING:
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.tlsa import RRset

SMTP = Service(HOST, 25, "smtp")
POLICY = Policy()
WAIT = 2 * 3600 + 600.0  # of a TTL of an hour
OLD, NEW = (leaf().der(), ISSUER.der()), (leaf(key="new").der(), ISSUER.der())
ANCHOR = record("2 1 1", ISSUER.der())


def candidate(*certificates: bytes, names: tuple[str, ...] = (HOST,)) -> Candidate:
    """Describe the new chain."""
    return Candidate(chain_of(certificates), certificates, names, AT - 1e6, AT + 1e6)


def answered(records: RRset | None, *, number: int = 1, security: Security = Security.SECURE, ttl: int = 3600) -> Answer:
    """Describe what a name server says."""
    place = f"192.0.2.{number}"
    return Answer(f"ns{number}.example.org.", place, records, ttl, security, "", signed_from=AT - 1e6, signed_until=AT + 1e7)


def seen(answers: tuple[Answer, ...], *presented: tuple[bytes, ...], since: float | None = None) -> Scene:
    """Look once at a service that presents these chains."""
    owner = SMTP.owner
    probes = tuple(
        Presentation("192.0.2.25", client, Outcome.PRESENTED, chain_of(one), certificates=one)
        for one, client in zip(presented, ("any", "rsa"), strict=False)
    ) or (Presentation("192.0.2.25", "any", Outcome.UNREACHABLE, reason="nobody is there"),)
    view = OwnerView(owner, owner, "example.org.", AT, answers)
    snapshot = Snapshot(AT, {owner: view}, services={str(SMTP): ServiceView(str(SMTP), AT, probes)})
    return scene_of((SMTP,), snapshot, POLICY, since)


def ask(scene: Scene, chain: Candidate) -> Clearance:
    """Judge."""
    return for_scene(scene, Generation("preflight", chain.chain), chain, Liking())


def ee(*chains: tuple[bytes, ...]) -> RRset:
    """Return the `3 1 1` records of chains."""
    return frozenset(record("3 1 1", one[0]) for one in chains)
