"""The eyes: look at the world once, and never judge it.

    eyes.py      DnsEyes: one round over all owners. Gathers first (zone, survey, witness; through ask, with a short memory),
                 then thinks: judge, chain_of_trust, denial, signature, message are pure and see one moment
    live.py      services(): what services present to different kinds of clients
    unseen.py    blind(): the views where the eyes cannot be opened

A remote fault is recorded with its reason in the values of snapshot.py, never raised; unknown is never absent.
Nothing heavy is imported until a name is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlsa_manager.observe.eyes import DnsEyes
    from tlsa_manager.observe.unseen import blind

__all__ = ["DnsEyes", "blind"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name == "DnsEyes":
        from tlsa_manager.observe.eyes import DnsEyes

        return DnsEyes
    if name == "blind":
        from tlsa_manager.observe.unseen import blind

        return blind
    raise AttributeError(name)
