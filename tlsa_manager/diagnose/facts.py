"""What was seen besides verdicts and findings, in a few words: what monitoring and Postfix's policy table need to know. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlsa_manager.snapshot import Outcome
from tlsa_manager.target import Kind
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.sender.route import Stop
    from tlsa_manager.snapshot import Presentation, Snapshot
    from tlsa_manager.surroundings import StsPolicy

_USUAL = "any"  # the kind of client that every sender may be


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen. None is "nobody knows" everywhere.

    `hosts`: best preference first; `tls`: whether every address of every host takes TLS, of those that can be reached; `pkix`:
    empty where public certificate authorities vouch for all of them, else why not; `sts`: the MTA-STS policy of a mail domain;
    `certificate_until`, `signature_until`: the earliest end of a certificate that is presented, and of a DNSSEC signature that an
    answer depends on, in seconds since 1970.
    """

    hosts: tuple[str, ...] = ()
    tls: bool | None = None
    pkix: str | None = None
    sts: StsPolicy | None = None
    certificate_until: float | None = None
    signature_until: float | None = None

    def value(self) -> dict[str, Any]:
        """Return them as scripts read them."""
        sts = self.sts
        return {
            "hosts": list(self.hosts),
            "tls": self.tls,
            "pkix": self.pkix,
            "sts": {"mode": sts.mode, "mx": list(sts.mx), "problem": sts.problem} if sts else None,
            "certificate_until": self.certificate_until,
            "signature_until": self.signature_until,
        }


def facts(case: Case) -> Facts:
    """Gather them from a case."""
    snapshot, stops = case.snapshot, case.route.stops
    met = [one for stop in stops for one in _met(stop, snapshot)]
    chains = [one.chain for one in met if one.chain is not None]
    return Facts(
        hosts=tuple(dict.fromkeys(stop.host for stop in stops)),
        tls=_tls(stops, snapshot, met),
        pkix=_pkix(met),
        sts=snapshot.policies.get(case.target.name) if case.target.kind is Kind.DOMAIN else None,
        certificate_until=min((one.not_after for one in chains if one.not_after), default=None),
        signature_until=min(_signatures(stops, snapshot), default=None),
    )


def _met(stop: Stop, snapshot: Snapshot) -> Iterator[Presentation]:
    """Yield what usual clients met at the addresses of a stop that somebody listens at."""
    view = snapshot.services.get(str(stop.service))
    for one in view.presentations if view else ():
        if one.client == _USUAL and one.outcome is not Outcome.UNREACHABLE:
            yield one


def _tls(stops: Iterable[Stop], snapshot: Snapshot, met: list[Presentation]) -> bool | None:
    """Whether all take TLS. A host that nobody met at all leaves it open: mail may go there another day."""
    if any(one.outcome is not Outcome.PRESENTED for one in met):
        return False
    silent = any(stop.settled and not any(_met(stop, snapshot)) for stop in stops)
    return None if silent or not met else True


def _pkix(met: list[Presentation]) -> str | None:
    """Why public authorities do not vouch for somebody; a host without TLS has nothing that they could vouch for."""
    if not met:
        return None
    wrong = [one for one in met if one.pkix]
    if wrong:
        return f"{wrong[0].address}: {wrong[0].pkix}"
    return "" if all(one.pkix == "" for one in met) else None


def _signatures(stops: Iterable[Stop], snapshot: Snapshot) -> Iterator[float]:
    for stop in stops:
        for owner in stop.owners:
            view = snapshot.owners.get(owner)
            yield from (one.signed_until for one in (view.answers if view else ()) if one.signed_until is not None)
