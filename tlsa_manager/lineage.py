"""A lineage: a named series of certificates for one purpose; a generation: one key and certificate inside it; a key alone."""

from __future__ import annotations

import re
from dataclasses import field

from tlsa_manager.chain import Chain
from tlsa_manager.errors import BadInput
from tlsa_manager.policy import KeyPolicy, Policy
from tlsa_manager.service import Service
from tlsa_manager.tlsa import DANE_EE_SPKI_SHA256, Params, RRset, Tlsa
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
    keys: KeyPolicy = field(default_factory=KeyPolicy)
    issuer: str = ""  # who makes its certificates: a section [issuer.NAME], or `self-signed`; empty = they are brought
    names: tuple[str, ...] = ()  # that its certificates shall have besides the hosts of the services
    leaving: bool = False  # it is to be given up: what nothing presents any more goes
    watch: tuple[str, str] = ("", "")  # files (chain, key) that somebody else rewrites, to be taken over when they change

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names for a certificate: those of the services, then the further ones, each once."""
        return tuple(dict.fromkeys((*(service.host for service in self.services), *self.names)))

    @property
    def owners(self) -> tuple[str, ...]:
        """The TLSA owner names of all services, each once."""
        return tuple(dict.fromkeys(service.owner for service in self.services))


@dataclass(frozen=True, slots=True)
class Key:
    """A private key of ours, by its public half: it may be published long before there is a certificate for it.

    The digests are lower-case hexadecimal, of the SubjectPublicKeyInfo (DER). `type`: one of policy.KEY_TYPES, or empty.
    """

    id: str
    spki_sha256: str
    spki_sha512: str
    kind: str
    type: str = ""

    def records(self, params: tuple[Params, ...]) -> RRset:
        """The records that can be made of a key alone: DANE-EE with selector SPKI."""
        table = {1: self.spki_sha256, 2: self.spki_sha512}
        return frozenset(
            Tlsa(one.usage, one.selector, one.matching, table[one.matching])
            for one in params if one.usage == 3 and one.selector == 1 and one.matching in table
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Generation:
    """One private key and certificate chain. `ours`: the files are in our store; otherwise it was only seen on the wire."""

    id: str
    chain: Chain
    names: tuple[str, ...] = ()
    ours: bool = True
    origin: str = ""  # who brought it: certbot, files, adopted, ...
    not_before: float = 0.0  # seconds since 1970; 0 = not known
    type: str = ""  # of its key: one of policy.KEY_TYPES, empty = another, or not known

    @property
    def spki(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo: what tells one key from another."""
        return self.chain.leaf.spki_sha256

    def records(self, params: tuple[Params, ...]) -> RRset:
        """The records this generation needs at every owner."""
        return self.chain.records(params)


def lineage_name(text: str) -> str:
    """Return a lineage name that is safe as a directory name and in messages. Raises BadInput."""
    if _NAME.fullmatch(text) is None or ".." in text:
        msg = f"{text[:60]!r} is not a lineage name"
        raise BadInput(msg, "letters, digits, dots, hyphens, underscores; no slash, no blank, at most 128 characters")
    return text
