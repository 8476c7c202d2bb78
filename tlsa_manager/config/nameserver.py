"""Which name server on this host has zones of its own, from its configuration, and how it is changed. Reads only, and few words.

What it finds is a proposal for a person to look through: no configuration language is understood here as its server does.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_BIND = ("etc/bind/named.conf*", "etc/named.conf", "etc/named/*.conf", "etc/bind/zones/*.conf")
_KNOT = ("etc/knot/knot.conf",)
_NSD = ("etc/nsd/nsd.conf", "etc/nsd/nsd.conf.d/*.conf")
_POWERDNS = ("etc/powerdns/pdns.conf", "etc/powerdns/pdns.d/*.conf", "etc/pdns/pdns.conf")
_EVERYWHERE = {"localhost", "127.in-addr.arpa", "0.in-addr.arpa", "255.in-addr.arpa", "."}  # of Debian's named.conf.default-zones
_COMMENT = re.compile(r"/\*.*?\*/|(?://|#)[^\n]*", re.DOTALL)
_BIND_ZONE = re.compile(r'\bzone\s+"([^"\s]+)"[^{;]*\{(?:[^{}]|\{[^{}]*\})*?\btype\s+(?:primary|master)\b')
_KNOT_ZONE = re.compile(r'^\s*(?:-\s*)?domain\s*:\s*"?([^\s"#]+)', re.MULTILINE)
_NSD_ZONE = re.compile(r'^zone:(?:\n[ \t]+[^\n]*|\n[ \t]*)*?\n[ \t]+name:\s*"?([^\s"]+)', re.MULTILINE)
_KEY_FILE = "/etc/tlsa-manager/tsig.key"
_OURS = "/etc/tlsa-manager/"
_ON = {"yes", "on", "true", ""}
_BIND_LISTENS = re.compile(r"\blisten-on(?:-v6)?(?:\s+port\s+(\d+))?\s*\{([^}]*)\}")
_BIND_GRANTS = re.compile(r"\bgrant\s+[^;]*\b(?:TLSA|ANY)\b|\ballow-update\s*\{[^}]*\bkey\b")
_KNOT_LISTENS = re.compile(r"^\s*(?:-\s*)?listen\s*:\s*([^\n#]+)", re.MULTILINE)
_KNOT_GRANTS = re.compile(r"^\s*(?:-\s*)?action\s*:[^\n#]*\bupdate\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class NameServer:
    """One that was found. `title`: as people call it; `kind`: of the backend that changes it, `given`: its options.

    `zones`: those it is the primary of, as far as its files name them; `todo`: what a person has to do, a sentence each.
    `listens`: ADDRESS or ADDRESS#PORT, where its files name any; `authority`: whether it answers for the host, None: not asked.
    """

    title: str
    kind: str
    given: Mapping[str, object] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    todo: tuple[str, ...] = ()
    listens: tuple[str, ...] = ()
    authority: bool | None = None

    def has(self, host: str) -> bool:
        """Whether the host lies in one of its zones."""
        return bool(self.authority) or any(f".{host}".endswith(f".{zone}") for zone in self.zones)


def name_servers(root: Path, tsig_key: str) -> tuple[NameServer, ...]:
    """Return those that have zones of their own. `root`: of the tree that is looked at; `tsig_key`: a key file, or empty."""
    found = (_bind(root, tsig_key), _knot(root, tsig_key), _powerdns(root, tsig_key), _nsd(root))
    return tuple(one for one in found if one is not None)


def _bind(root: Path, tsig_key: str) -> NameServer | None:
    text = _COMMENT.sub(" ", _text(root, _BIND))
    zones = _names(set(_BIND_ZONE.findall(text)) - _EVERYWHERE)
    if not zones:
        return None
    listens = _addresses((one, port) for port, inside in _BIND_LISTENS.findall(text) for one in re.split(r"[;\s]+", inside))
    granted = tsig_key if _BIND_GRANTS.search(text) else ""
    return _updated(
        "BIND", zones, tsig_key, listens, () if granted else _to_allow("BIND", "bind.md has the key and the update-policy")
    )


def _knot(root: Path, tsig_key: str) -> NameServer | None:
    text = _text(root, _KNOT)
    zones = _names(_KNOT_ZONE.findall(text))
    if not zones:
        return None
    words = (one.partition("@") for value in _KNOT_LISTENS.findall(text) for one in re.split(r"[\[\],\s\"]+", value))
    granted = tsig_key if _KNOT_GRANTS.search(text) else ""
    todo = () if granted else _to_allow("Knot DNS", "knot.md has the key and the acl")
    return _updated("Knot DNS", zones, tsig_key, _addresses((one, port) for one, _, port in words), todo)


def _updated(title: str, zones: tuple[str, ...], tsig_key: str, listens: tuple[str, ...], todo: tuple[str, ...]) -> NameServer:
    """One that takes signed updates."""
    server = listens[0] if listens and "127.0.0.1" not in listens else "127.0.0.1"
    return NameServer(title, "rfc2136", {"server": server, "tsig-key-file": tsig_key or _KEY_FILE}, zones, todo, listens)


def _to_allow(title: str, page: str) -> tuple[str, ...]:
    return (f"let {title} take updates of TLSA records that are signed with a key of its own: docs/backends/{page}",)


def _addresses(named: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return what is an address of its own, with the port where it is another than 53; "any" and the like say nothing."""
    found: dict[str, None] = {}
    for one, port in named:
        with suppress(ValueError):
            if not ip_address(one).is_unspecified:
                found[one if port in {"", "53"} else f"{one}#{port}"] = None
    return tuple(found)


def _powerdns(root: Path, tsig_key: str) -> NameServer | None:
    """Its zones are in a database, which nobody opens here."""
    if not (text := _text(root, _POWERDNS)):
        return None
    settings = dict(re.findall(r"^\s*([a-z0-9-]+)\s*=\s*(.*?)\s*$", text, re.MULTILINE))
    updated = settings.get("dnsupdate", "no").lower() in _ON
    if settings.get("api", "no").lower() in _ON and not (updated and tsig_key.startswith(_OURS)):
        address, port = settings.get("webserver-address", "127.0.0.1"), settings.get("webserver-port", "8081")
        place = "127.0.0.1" if address in {"0.0.0.0", "::", ""} else address  # noqa: S104  it is where we ask, not where we listen
        url = f"http://{f'[{place}]' if ':' in place else place}:{port}"
        todo = ("put the api-key of pdns.conf into the file that is named here, mode 0600: docs/backends/powerdns.md",)
        return NameServer("PowerDNS", "powerdns", {"server": url}, (), todo)
    if updated:
        see = "see that the zone allows this key, and from where (pdnsutil get-meta ZONE): docs/backends/powerdns.md"
        port = settings.get("local-port", "53")
        listens = _addresses((one, port) for one in re.split(r"[,\s]+", settings.get("local-address", "")))
        return _updated("PowerDNS", (), tsig_key, listens, (see,) if tsig_key else _to_allow("PowerDNS", "powerdns.md"))
    return None  # installed, and not made ready to be changed: it may be here for anything


def _nsd(root: Path) -> NameServer | None:
    """NSD takes no updates: a snippet is included."""
    zones = _names(_NSD_ZONE.findall(_text(root, _NSD)))
    todo = ("have the zone file include the snippet, and name the command that signs and reloads: docs/backends/zonefile.md",)
    return NameServer("NSD", "zonefile", {}, zones, todo) if zones else None


def _text(root: Path, patterns: Iterable[str]) -> str:
    """Return all that the files have; what cannot be read is not there."""
    return "\n".join(text for pattern in patterns for file in sorted(root.glob(pattern)) for text in _read(file))


def _read(file: Path) -> Iterator[str]:
    try:
        yield file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return


def _names(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name.rstrip(".").lower() for name in found} - {""}))
