"""The configuration as it takes effect: defaults filled in, secrets masked, in the shape of the file."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tlsa_manager.config.duration import duration
from tlsa_manager.config.sections import KIND_KEY, declaration

if TYPE_CHECKING:
    from tlsa_manager.config import Config, Section
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.policy import Policy
    from tlsa_manager.service import Service

MASK = "********"
_PASSWORD = re.compile(r"(//)[^/@]*@")


def effective(config: Config) -> dict[str, Any]:
    """Return the tables of the file with every value that holds. What no file says and has no default is left out."""
    defaults: dict[str, Any] = {"resolver": list(config.resolver)}
    if config.trust_anchor is not None:
        defaults["trust-anchor"] = config.trust_anchor
    defaults |= {"directory": str(config.directory), "state": config.state, "authority-port": config.authority_port}
    return {
        "defaults": defaults,
        "timing": timing(config.policy),
        "dns": {name: _section("dns", section) for name, section in config.dns.items()},
        "consumer": {name: _section("consumer", section) for name, section in config.consumers.items()},
        "issuer": {name: _section("issuer", section) for name, section in config.issuers.items()},
        "lineage": {name: _lineage(lineage, config.policy) for name, lineage in config.lineages.items()},
    }


def timing(policy: Policy) -> dict[str, Any]:
    """Return the `[timing]` of a policy as people write it."""
    return {
        name.replace("_", "-"): value if name == "ttl_multiplier" else duration(value) for name, value in asdict(policy).items()
    }


def _section(name: str, section: Section) -> dict[str, Any]:
    shown: dict[str, Any] = {KIND_KEY[name]: section.kind}
    for option in declaration(name, section.kind).values():
        value = section.options.get(option.name, option.default)
        if value is not None:
            shown[option.name] = MASK if option.secret else _without_password(value)
    return shown


def _without_password(value: Any) -> Any:
    """Mask what stands before the @ of a URL, where it does not belong."""
    return _PASSWORD.sub(rf"\1{MASK}@", value) if isinstance(value, str) else value


def _lineage(lineage: Lineage, common: Policy) -> dict[str, Any]:
    usual = timing(common)
    own = {key: value for key, value in timing(lineage.policy).items() if value != usual[key]}
    return (
        {
            "services": [_service(service) for service in lineage.services],
            "dns": lineage.dns,
            "consumers": list(lineage.consumers),
            "params": [str(params) for params in lineage.params],
        }
        | _keys(lineage)
        | ({"timing": own} if own else {})
    )


def _keys(lineage: Lineage) -> dict[str, Any]:
    """What is not as it is without a word."""
    keys = lineage.keys
    shown = {
        "issuer": lineage.issuer or None,
        "names": list(lineage.names) or None,
        "next-key": keys.next_key,
        "reuse-key": keys.reuse or None,
        "key-lifetime": duration(keys.lifetime) if keys.lifetime else None,
        "key-type": keys.type or None,
        "accept-key-type": list(keys.accept) or None,
        "watch": {"certificate": lineage.watch[0], "key": lineage.watch[1]} if lineage.watch[0] else None,
        "leaving": lineage.leaving or None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _service(service: Service) -> str | dict[str, Any]:
    if service.probe and not service.connect:
        return str(service)
    return {"at": str(service), "probe": service.probe} | ({"connect": list(service.connect)} if service.connect else {})
