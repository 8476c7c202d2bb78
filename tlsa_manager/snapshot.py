"""What was measured, when, from where: the one look that everybody shares. Values only; nothing here judges.

Unknown is never absent: `records is None` means that nobody knows; an empty set means that a server said there is none.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

from tlsa_manager.security import Cause, Security
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.chain import Chain
    from tlsa_manager.surroundings import Lookup, StsPolicy, ZoneView
    from tlsa_manager.tlsa import RRset


@dataclass(frozen=True, slots=True)
class Answer:
    """What one address of one authoritative server answers for an owner. `ttl` in seconds, dates in seconds since 1970.

    `exists`: False where the server denies the name itself (NXDOMAIN), None where it is not known; `wildcard`: the asterisk
    name that the records were made from (RFC 4592), or empty; `size`: octets of the whole answer, 0 where there is none;
    `edns`: whether the answer carried EDNS, None where there is none.
    """

    server: str
    address: str
    records: RRset | None
    ttl: int = 0  # RRSIG original TTL where signed (RFC 4035 §5.3.3), else as answered; for an empty set the negative TTL
    security: Security = Security.INDETERMINATE
    reason: str = ""  # why unknown, or why not secure; names the zone where the chain of trust breaks
    broken_zone: str = ""
    serial: int | None = None
    signed_from: float | None = None
    signed_until: float | None = None  # the earliest end of any signature that the answer depends on
    signed_life: float = 0.0  # seconds: the whole life of that signature; 0 = not known
    cause: Cause = Cause.NONE
    exists: bool | None = None
    wildcard: str = ""
    size: int = 0
    edns: bool | None = None

    @property
    def place(self) -> str:
        """The server as a person names it: `ns2.example.org (192.0.2.2)`."""
        return f"{self.server.rstrip('.')} ({self.address})" if self.server else self.address


@dataclass(frozen=True, slots=True)
class Witness:
    """What the configured recursive resolver says. `validates`: found out by experiment; None = could not be found out.

    `lies`: it vouches (AD) for what no validator can have validated; `serves`: it answered from a zone that it serves itself,
    and nobody validates his own zones.
    """

    resolver: str
    validates: bool | None
    security: Security = Security.INDETERMINATE
    records: RRset | None = None
    reason: str = ""
    lies: bool = False
    serves: bool = False


@dataclass(frozen=True, slots=True)
class OwnerView:
    """One poll round over one owner name.

    `at`: when the last answer of the round arrived, so every server is proven to have had its answer by then.
    `target`: the owner after aliases; `alias_ttl`: the largest TTL on the way there (0 = no alias); `via`: the names between.
    `problem`: why the round cannot be complete (the server set is unknown, for instance), or empty.
    `ns_ttl`: seconds for which resolvers may go on asking a name server of `zone` that has been taken out: the largest TTL of
    the NS RRsets that name the servers, at the parent and in the zone, as far as they were heard.
    `cause`: of the problem, for machines.
    """

    owner: str
    target: str
    zone: str
    at: float
    answers: tuple[Answer, ...] = ()
    alias_ttl: int = 0
    witness: Witness | None = None
    problem: str = ""
    ns_ttl: int = 0
    cause: Cause = Cause.NONE
    via: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every authoritative address is known and answered."""
        return bool(self.answers) and not self.problem and all(a.records is not None for a in self.answers)


@dataclass(frozen=True, slots=True)
class Held:
    """What a DNS backend itself says it has at a target. `records` None: it cannot tell, or (`failed`) could not be asked.

    `settled`: those of the changes that it took for later (by its own numbers) that were in force on all of its servers before
    the round began; `unsettled`: why the others were not, or why that cannot be told. `late`: whether it is such a backend.
    """

    target: str
    records: RRset | None
    ttl: int = 0
    reason: str = ""
    settled: frozenset[str] = frozenset()
    unsettled: str = ""
    late: bool = False
    failed: bool = False


class Outcome(StrEnum):
    """How one probe ended."""

    PRESENTED = "presented"  # a chain was seen
    UNSHARED = "unshared"  # the server has no certificate for this kind of client (RSA-only, ECDSA-only)
    NO_TLS = "no-tls"  # STARTTLS is not offered, or refused
    FAILED = "failed"  # connected, but no handshake
    UNREACHABLE = "unreachable"  # no connection


@dataclass(frozen=True, slots=True)
class Presentation:
    """What one kind of client saw at one address. `client`: any, rsa, ecdsa, no-sni; for a diagnosis also tls1.0, tls1.1, weak.

    `certificates`: the chain as presented, DER, leaf first; `version` and `suite`: what was agreed, as OpenSSL names them
    (TLSv1.3, TLS_AES_256_GCM_SHA384); `pkix`: empty where a public certificate authority vouches for the chain and the host's
    name, else why not; None: not examined; `refused`: whether the address said at once that nobody listens.
    """

    address: str
    client: str
    outcome: Outcome
    chain: Chain | None = None
    reason: str = ""
    certificates: tuple[bytes, ...] = field(default=(), repr=False)
    version: str = ""
    suite: str = ""
    pkix: str | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """What an SMTP server said in plain text, at one address. `offers`: whether STARTTLS was offered, connection by connection.

    `crossed_out`: words like XXXXXXXA stand where STARTTLS would: something on the path hides it. `plain`: the code with which
    RCPT TO was answered without TLS (the conversation stops before DATA), 0 where it did not come to that; `plain_said`: the
    reply; `starttls_code`: the reply to STARTTLS where it was refused, else 0.
    """

    address: str
    banner: str = ""
    offers: tuple[bool, ...] = ()
    crossed_out: bool = False
    starttls_code: int = 0
    plain: int = 0
    plain_said: str = ""


@dataclass(frozen=True, slots=True)
class ServiceView:
    """All probes of one service in one look. `problem`: why it could not be probed at all (no address), or empty."""

    service: str
    at: float
    presentations: tuple[Presentation, ...] = ()
    problem: str = ""
    conversations: tuple[Conversation, ...] = ()


@dataclass(frozen=True, slots=True)
class FileView:
    """What stands at a consumer's certificate file, and whether the consumer is configured to read it.

    `exposed`, `from_acme`: those of the problems that are about who can get at the file, and about files of an ACME client;
    `stuck`: the one for which it could not be replaced, or empty.
    """

    consumer: str
    path: str
    fingerprint: str = ""  # of the leaf that stands there; empty = nothing usable
    configured: bool | None = None  # None: cannot be told for this kind of consumer
    problems: tuple[str, ...] = ()  # sentences: wrong mode, unreadable, not what the consumer reads
    exposed: tuple[str, ...] = ()
    from_acme: tuple[str, ...] = ()
    stuck: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look. A key that is missing was not looked at."""

    at: float
    owners: Mapping[str, OwnerView] = field(default_factory=dict)  # by owner, before aliases
    held: Mapping[str, Held] = field(default_factory=dict)  # by target
    services: Mapping[str, ServiceView] = field(default_factory=dict)  # by str(service)
    files: Mapping[str, FileView] = field(default_factory=dict)  # by consumer
    lookups: Mapping[tuple[str, str], Lookup] = field(default_factory=dict)  # by name (lower case, final dot) and type
    zones: Mapping[str, ZoneView] = field(default_factory=dict)  # by name
    policies: Mapping[str, StsPolicy] = field(default_factory=dict)  # by mail domain
