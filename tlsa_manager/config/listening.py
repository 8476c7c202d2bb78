"""Where the name servers that were found on this host really answer for its zone: asked of themselves, at their own addresses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlsa_manager.config.found import Found
    from tlsa_manager.config.nameserver import NameServer

_HERE = ("127.0.0.1", "::1")


def asked(found: Found) -> Found:
    """Return the same with each server that takes updates at an address where it answers for the host with authority."""
    return replace(found, name_servers=tuple(_placed(one, found.host) for one in found.name_servers))


def _placed(one: NameServer, host: str) -> NameServer:
    """What answers without authority at 127.0.0.1 is a resolver beside it, and would say no to every update."""
    from tlsa_manager.observe.authority import answers_for

    if one.kind != "rfc2136":
        return one
    place = next((each for each in dict.fromkeys((*one.listens, *_HERE)) if answers_for(each, host)), "")
    if place:
        return replace(one, given={**one.given, "server": place}, authority=True)
    where = ", ".join(dict.fromkeys((*one.listens, *_HERE)))
    lost = f"put the address into `server` where {one.title} answers for {host} with authority: it does not at {where}"
    return replace(one, authority=False, todo=(*one.todo, lost))
