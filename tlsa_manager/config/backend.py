"""Which backend a first configuration proposes, and why: from what was found on the host, and what DNS says of it."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from tlsa_manager.publish import KINDS, options_of, warning_of
from tlsa_manager.publish.whose import whose
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.config.found import Found
    from tlsa_manager.config.nameserver import NameServer

_FILES = {
    "azure": "azure-secret", "cloudflare": "cloudflare-token", "desec": "desec-token", "gandi": "gandi-token",
    "google": "google.json", "hetzner": "hetzner-token", "inwx": "inwx-password", "lexicon": "porkbun", "netcup": "netcup-key",
    "ovh": "ovh-secret", "powerdns": "pdns.key", "route53": "aws-secret", "transip": "transip.pem",
}  # fmt: skip
_BY_HAND = (
    "No TSIG key was found here, so you are told what to publish. Better: let the name server or the provider be changed by"
    " a backend, see docs/backends; who keeps DNS in git finds docs/backends/git.md there."
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The kind, the options that are given, and why it is this kind and what is still to be done, a sentence each."""

    kind: str
    given: Mapping[str, object] = field(default_factory=dict)
    why: tuple[str, ...] = ()


def chosen(found: Found) -> Choice:
    """Choose: the server here that has the zone, the provider whose name servers it has, another server here, a person."""
    servers = [one for one in found.name_servers if one.kind in KINDS]
    mine = next((one for one in servers if one.has(found.host)), None)
    if mine is not None:
        return _here(mine, f"{mine.title} on this host has the zone of {found.host}.")
    kind = whose(found.delegation.servers) if found.delegation else ""
    if kind and not found.tsig_key:
        return _there(found, kind)
    if servers:
        doubt = "does not answer for" if servers[0].authority is False else "may have"
        return _here(servers[0], f"{servers[0].title} on this host {doubt} the zone of {found.host}: look whether it does.")
    if found.tsig_key:
        why = "A TSIG key was found here, and no name server. To do: name the primary of the zone in `server`."
        return Choice("rfc2136", {"server": "127.0.0.1", "tsig-key-file": found.tsig_key}, (why,))
    unknown = f"{_served(found)}: this program has no backend that is known by these names." if found.delegation else ""
    return Choice("manual", {}, tuple(filter(None, (unknown, _BY_HAND))))


def _here(one: NameServer, why: str) -> Choice:
    declared = {option.name for option in options_of(one.kind)}
    given = {name: value for name, value in one.given.items() if name in declared}
    return Choice(one.kind, _secret(one.kind) | given, (why, *(f"To do: {each}." for each in one.todo)))


def _there(found: Found, kind: str) -> Choice:
    """The provider's: where its token is has to be told, and what everybody has to know who uses it."""
    given = _secret(kind)
    to_do = f"To do: make a token or key that may change TLSA records only, as docs/backends/{kind}.md tells."
    return Choice(kind, given, tuple(filter(None, (f"{_served(found)}.", to_do, _sentence(warning_of(kind))))))


def _secret(kind: str) -> dict[str, object]:
    """Return the first of the options that name a file with a secret, as the page of the backend calls it."""
    files = (one for one in options_of(kind) if one.type == "file" and one.name.endswith("-file") and one.example)
    first = next(files, None)
    return {first.name: f"/etc/tlsa-manager/{_FILES[kind]}" if kind in _FILES else first.example} if first is not None else {}


def _served(found: Found) -> str:
    if found.delegation is None:
        return ""
    servers = ", ".join(name.rstrip(".") for name in found.delegation.servers)
    return f"The name servers of {found.delegation.zone.rstrip('.')} are {servers}"


def _sentence(text: str) -> str:
    return text if not text or text.endswith(".") else f"{text}."
