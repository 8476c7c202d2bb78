"""What the result for a domain allows a sender to demand of it, as a level of Postfix (TLS_README)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.errors import BadInput
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.service import host_name
from tlsa_manager.target import Kind
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlsa_manager.cli.check.result import Result

DANE_ONLY, SECURE, ENCRYPT, NOTHING = "dane-only", "secure", "encrypt", ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to demand of a domain. `level` empty: nothing; `known` False: nothing could be found out; `reason`: a clause.

    `vouched`: the names in `attributes` are the domain's own word, not only what unsigned MX records say today.
    """

    domain: str
    level: str
    reason: str
    attributes: tuple[str, ...] = ()
    known: bool = True
    vouched: bool = True


def choice(one: Result, *, pkix: bool = False) -> Choice:
    """Choose for one domain. `pkix`: hold it to public certificates even if it has promised nothing."""
    domain, outcome, why = one.value["target"], Delivery(one.value["outcome"]), one.value.get("why", "")
    if one.value["kind"] != Kind.DOMAIN or _hosts([domain]) != (domain,):  # a file of results is anybody's, until it is read
        return Choice(domain, NOTHING, why or "it is no mail domain", known=False)
    if outcome in {Delivery.UNKNOWN, Delivery.DEFER}:
        return Choice(domain, NOTHING, f"{outcome}: {why}", known=False)
    servers = {at["outcome"] for at in one.value["services"]}
    if outcome is Delivery.AUTH and servers == {Delivery.AUTH}:
        return Choice(domain, DANE_ONLY, "every server is authenticated by DANE")
    unmet = next((at for at in one.value["services"] if at["outcome"] in {Delivery.UNKNOWN, Delivery.DEFER}), None)
    if unmet is not None:  # one that nobody has met may have no record, or a wrong one
        place = f"{unmet['service']} at {unmet['address']}" if unmet["address"] else unmet["service"]
        return Choice(domain, NOTHING, f"{place} was not met: {unmet.get('why', unmet['outcome'])}", known=False)
    return _without_dane(one, domain, outcome, why, pkix=pkix)


def _without_dane(one: Result, domain: str, outcome: Delivery, why: str, *, pkix: bool) -> Choice:
    facts = one.facts
    hosts, patterns = _hosts(facts.get("hosts", ())), _promised(one)
    if patterns and facts.get("pkix") == "" and all(_covered(host, patterns) for host in hosts):
        return Choice(domain, SECURE, "its MTA-STS policy demands it, and every server complies", _names(patterns))
    if (
        any(at["outcome"] in {Delivery.AUTH, Delivery.ENCRYPT} for at in one.value["services"])
        and outcome is not Delivery.ENCRYPT
    ):
        return Choice(domain, NOTHING, f"DANE protects a part of it, which Postfix's level dane makes use of: {why}")
    if pkix and hosts and facts.get("pkix") == "":
        reason = "public authorities vouch for every server now; the domain has promised nothing"
        return Choice(domain, SECURE, reason, _names(hosts), vouched=False)
    if outcome is Delivery.ENCRYPT:
        return Choice(domain, ENCRYPT, f"its TLSA records promise TLS, and cannot authenticate anybody: {why}")
    if facts.get("tls"):
        return Choice(domain, ENCRYPT, f"every server takes TLS; no DANE: {why}")
    return Choice(domain, NOTHING, why or "not every server is known to take TLS")


def _promised(one: Result) -> tuple[str, ...]:
    """Return the names that an enforced MTA-STS policy demands; none where one of them cannot be read (RFC 8461 §4.1)."""
    sts = one.facts.get("sts")
    if not sts or sts["mode"] != "enforce" or sts["problem"]:
        return ()
    names = _hosts([name.removeprefix("*.") for name in sts["mx"]])
    return tuple(("." if asked.startswith("*.") else "") + name for asked, name in zip(sts["mx"], names, strict=bool(names)))


def _hosts(names: Iterable[str]) -> tuple[str, ...]:
    """Return host names as they may stand in a table; none of them where one is something else."""
    try:
        return tuple(host_name(name) for name in names)
    except BadInput:
        return ()


def _covered(host: str, patterns: tuple[str, ...]) -> bool:
    """Whether a policy allows a host; an asterisk stands for one label."""
    return host in patterns or "." + host.partition(".")[2] in patterns


def _names(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the attributes: names that certificates may have, and SNI, without which many servers show another certificate."""
    return f"match={':'.join(dict.fromkeys(patterns))}", "servername=hostname"
