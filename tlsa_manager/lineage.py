"""A lineage: a named series of certificates for one purpose; and a generation: one key and certificate inside it."""

from __future__ import annotations

import re
from dataclasses import field

from tlsa_manager.chain import Chain
from tlsa_manager.errors import BadInput
from tlsa_manager.policy import Policy
from tlsa_manager.service import Service
from tlsa_manager.tlsa import DANE_EE_SPKI_SHA256, Params, RRset
from tlsa_manager.value import dataclass

_NAME = re.compile(r"[A-Za-z0-9*_](?:[A-Za-z0-9._+*-]{0,126}[A-Za-z0-9_+*-])?")


@dataclass(frozen=True, slots=True)
class Lineage:
    """One lineage as configured."""

    name: str
    services: tuple[Service, ...]
    dns: str = ""  # name of the backend
    consumers: tuple[str, ...] = ()
    params: tuple[Params, ...] = (DANE_EE_SPKI_SHA256,)
    policy: Policy = field(default_factory=Policy)

    @property
    def owners(self) -> tuple[str, ...]:
        """The TLSA owner names of all services, each once."""
        return tuple(dict.fromkeys(service.owner for service in self.services))


@dataclass(frozen=True, slots=True)
class Generation:
    """One private key and certificate chain. `ours`: the files are in our store; otherwise it was only seen on the wire."""

    id: str
    chain: Chain
    names: tuple[str, ...] = ()
    ours: bool = True
    origin: str = ""  # who brought it: certbot, files, adopted, ...

    def records(self, params: tuple[Params, ...]) -> RRset:
        """The records this generation needs at every owner."""
        return self.chain.records(params)


def lineage_name(text: str) -> str:
    """Return a lineage name that is safe as a directory name and in messages. Raises BadInput."""
    if _NAME.fullmatch(text) is None or ".." in text:
        msg = f"{text[:60]!r} is not a lineage name"
        raise BadInput(msg, "letters, digits, dots, hyphens, underscores; no slash, no blank, at most 128 characters")
    return text
