"""What can happen to a lineage, in the past tense. Applying an event cannot fail; the journal keeps them for ever."""

from __future__ import annotations

from tlsa_manager.lineage import Generation, Key
from tlsa_manager.order import Order, Renewal, Token
from tlsa_manager.tlsa import Tlsa
from tlsa_manager.value import dataclass


@dataclass(frozen=True, slots=True)
class Staged:
    """A key and certificate are safely in the store. `hold`: why they must not be deployed before somebody says so.

    `accept`: the kind of key (RSA, ECDSA) that has to be accepted by name before the hold ends; empty = a word is enough.
    """

    generation: Generation
    hold: str = ""
    remedy: str = ""
    accept: str = ""


@dataclass(frozen=True, slots=True)
class Adopted:
    """This generation is what the services present: it is the current one."""

    generation: Generation


@dataclass(frozen=True, slots=True)
class ServedSet:
    """An RRset with the TTL (seconds) that some server hands it out with; the same records with another TTL are another set."""

    records: tuple[Tlsa, ...]
    ttl: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What the authoritative servers of an owner answer has changed.

    `complete`: every address answered, with valid signatures. `forgotten`: sets that no cache can hold any more.
    `at`: the end of the poll round, seconds since 1970. `addresses`: of the servers that were asked; `ns_ttl`: how long
    resolvers may remember them, seconds. `zone`: where the target lies; `via`: the aliases between owner and target.
    """

    owner: str
    target: str
    at: float
    sets: tuple[ServedSet, ...]
    complete: bool
    alias_ttl: int = 0
    forgotten: tuple[ServedSet, ...] = ()
    addresses: tuple[str, ...] = ()
    ns_ttl: int = 0
    zone: str = ""
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClockStepped:
    """Somebody moved the wall clock by so many seconds: what was measured with it is measured again."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Unwatched:
    """Nobody looked for so many seconds longer than planned: what servers handed out meanwhile is not known."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Publishing:
    """About to add records at a target (intent)."""

    target: str
    add: tuple[Tlsa, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """The backend has added records, or (`asked`) a person was asked to.

    `number`: of the change, where it comes into force later on servers that cannot all be asked from here (anycast).
    """

    target: str
    add: tuple[Tlsa, ...]
    asked: bool = False
    number: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """The backend says that changes it had taken are in force on all of its servers.

    Without numbers: what was begun at the target, and whose outcome was not known, is seen to be done.
    """

    target: str
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordsAdopted:
    """The operator said that these records, which stood there already, are ours to remove one day."""

    target: str
    records: tuple[Tlsa, ...]


@dataclass(frozen=True, slots=True)
class Retiring:
    """About to remove records at a target (intent)."""

    target: str
    remove: tuple[Tlsa, ...]


@dataclass(frozen=True, slots=True)
class Retired:
    """The backend has removed records, or (`asked`) a person was asked to. `proven`: no server hands them out any more.

    `number`: of the change, where it comes into force later (as of Published).
    """

    target: str
    remove: tuple[Tlsa, ...]
    asked: bool = False
    proven: bool = False
    number: str = ""


@dataclass(frozen=True, slots=True)
class Deploying:
    """About to give the consumers a generation (intent). `before`: fingerprints of what the services presented until now."""

    generation: str
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployed:
    """Every consumer has the generation and was reloaded; nothing is proven yet."""

    generation: str


@dataclass(frozen=True, slots=True)
class Installed:
    """A consumer's file, which lacked the current generation, has it now; the services presented it already."""

    generation: str
    consumer: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Every service was seen to present the generation and nothing else: it is the current one."""

    generation: str


@dataclass(frozen=True, slots=True)
class RollingBack:
    """About to give the consumers the former generation again (intent). `hold`: do not try again before somebody says so."""

    generation: str
    reason: str
    hold: bool = True


@dataclass(frozen=True, slots=True)
class RolledBack:
    """Every consumer has the former generation again and was reloaded; nothing is proven yet."""

    generation: str


@dataclass(frozen=True, slots=True)
class Restored:
    """Every service was seen to present the former generation again."""

    generation: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The rollover is over: the former generation is needed no more and its records are gone."""

    generation: str


@dataclass(frozen=True, slots=True)
class Released:
    """A person said: go on."""


@dataclass(frozen=True, slots=True)
class Retried:
    """A person wants what failed to be tried at once."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """A person gave the next generation up, before it was deployed."""

    generation: str


@dataclass(frozen=True, slots=True)
class Promoted:
    """A generation that had to wait for the rollover before it is the next one now."""

    generation: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A key of ours is safely in the store: it is the next key, which the certificate after this one is made for."""

    key: Key


@dataclass(frozen=True, slots=True)
class HandedOut:
    """A client was given the next key, or a request signed with it: from now on a next key is published ahead."""

    key: str


@dataclass(frozen=True, slots=True)
class Discarded:
    """The next key shall never be used: its record goes, and another key takes its place.

    One that only was of another type than is wanted (`reason` is ANOTHER_TYPE) is as good as before: its certificate may come.
    """

    key: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class KeyDue:
    """A person said: the key in service shall be replaced at the next renewal, whatever its age."""


@dataclass(frozen=True, slots=True)
class Compromised:
    """A person said that somebody else has these keys (SHA-256 of each SubjectPublicKeyInfo).

    `at_once`: the generation that goes into service as soon as every server has its record, without waiting for caches: the
    person was told until when senders may defer their mail. Empty = it waits as always.
    """

    keys: tuple[str, ...]
    at_once: str = ""


@dataclass(frozen=True, slots=True)
class Vanished:
    """Nothing presents this generation any more, of a lineage that is to be given up."""

    generation: str


@dataclass(frozen=True, slots=True)
class Reappeared:
    """Something presents this generation again, of a lineage that is to be given up."""

    generation: str


@dataclass(frozen=True, slots=True)
class Left:
    """The lineage is given up: nothing presents it, and none of its records is left."""

    generation: str


@dataclass(frozen=True, slots=True)
class Ordering:
    """About to ask the certificate authority for a certificate (intent)."""

    order: Order


@dataclass(frozen=True, slots=True)
class Ordered:
    """The authority has taken the order, and named it."""

    order: Order


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """The order leads to nothing more: its certificate is in the store, or (`reason`) it was refused, or is too old.

    Where there is a certificate: its `origin` and the `names` that were asked for.
    """

    url: str
    reason: str = ""
    origin: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proving:
    """About to put a TXT record into DNS, which proves to the authority that a name is ours (intent)."""

    token: Token


@dataclass(frozen=True, slots=True)
class Proved:
    """The TXT record is gone again."""

    token: Token


@dataclass(frozen=True, slots=True)
class RenewalPlanned:
    """When the certificate in service is to be renewed."""

    renewal: Renewal


@dataclass(frozen=True, slots=True)
class Failed:
    """A step did not succeed. `step`: which, as `publish _25._tcp.mx.example.org.`.

    `until`: not to be tried again before this moment, by the word of whoever refused it (Retry-After); 0 = they did not say.
    `limited`: because they were asked too often.
    """

    step: str
    reason: str
    hint: str = ""
    until: float = 0.0
    limited: bool = False


ANOTHER_TYPE = "another type of key is configured"  # a reason to discard a key that says nothing against it

Event = (
    Staged | Adopted | Seen | ClockStepped | Unwatched | Publishing | Published | Settled | RecordsAdopted | Retiring | Retired
    | Deploying | Deployed | Installed | Confirmed | RollingBack | RolledBack | Restored | Finished | Released | Retried | Aborted
    | Promoted | Prepared | HandedOut | Discarded | KeyDue | Compromised | Vanished | Reappeared | Left
    | Ordering | Ordered | OrderEnded | Proving | Proved | RenewalPlanned | Failed
)  # fmt: skip
