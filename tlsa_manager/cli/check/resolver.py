"""Whether any resolver answers: without one nothing can be told of anything, and that has one cause and one remedy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.cli.check.monitor import Undiagnosed

if TYPE_CHECKING:
    from tlsa_manager.diagnose.settings import Settings

_SYSTEM = Path("/etc/resolv.conf")
_MOST = 3  # servers that a stub resolver reads from there


def insist_on_resolver(settings: Settings) -> None:
    """Ask the resolvers for the root's servers. Raises Undiagnosed if none of them answers anything."""
    import dns.exception
    import dns.message
    import dns.query

    from tlsa_manager.observe.eyes import parse_place

    for text in settings.resolver:
        place = parse_place(text)
        try:
            dns.query.udp_with_fallback(dns.message.make_query(".", "NS"), place.address, settings.timeout, place.port)
        except (OSError, EOFError, dns.exception.DNSException):
            continue
        return
    named = ", ".join(settings.resolver)
    raise Undiagnosed(f"no resolver answers ({named}), so nothing can be looked up", _hint(settings.resolver))


def _hint(asked: tuple[str, ...]) -> str:
    """Name the option, and what the system uses: not taken unasked, since answers from afar can be forged on the way."""
    hint = "name a validating resolver: --resolver ADDRESS; best is one on this host, such as unbound"
    other = [one for one in _system() if one not in asked]
    return hint + (f" ({_SYSTEM} names {', '.join(other)})" if other else "")


def _system() -> list[str]:
    try:
        lines = _SYSTEM.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    words = [line.split() for line in lines]
    return [one[1] for one in words if len(one) > 1 and one[0] == "nameserver"][:_MOST]
