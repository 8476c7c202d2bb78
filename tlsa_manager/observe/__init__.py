"""The eyes: look at the world once, and never judge it.

    lookout.py   Lookout: owners, texts, names and zones for a whole run. Gathers first (zone, survey, inquiry, witness; through
                 ask, with a short memory), then thinks: judge, trust, chain_of_trust, denial, signature, records and
                 message are pure and see one moment; hearsay: the resolver's word alone, for a quick look
    eyes.py      DnsEyes: the same, round by round
    live.py      services(): what services present to different kinds of clients; prober.py the same for a whole run of a
                 diagnosis: wire, starttls, handshake, weak make one probe, pkix says who vouches, sts fetches policies
    unseen.py    blind(): the views where the eyes cannot be opened

A remote fault is recorded with its reason in the values of snapshot.py, never raised; unknown is never absent.
Nothing heavy is imported until a name is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlsa_manager.observe.eyes import DnsEyes
    from tlsa_manager.observe.lookout import Lookout
    from tlsa_manager.observe.unseen import blind

__all__ = ["DnsEyes", "Lookout", "blind"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name == "DnsEyes":
        from tlsa_manager.observe.eyes import DnsEyes

        return DnsEyes
    if name == "Lookout":
        from tlsa_manager.observe.lookout import Lookout

        return Lookout
    if name == "blind":
        from tlsa_manager.observe.unseen import blind

        return blind
    raise AttributeError(name)
