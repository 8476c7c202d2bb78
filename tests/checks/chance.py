"""Cases by chance: any records, right, wrong and mistaken, at two name servers, and any chains at one or two addresses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

import pki
from cryptography import x509
from hypothesis import strategies as st

from checks.made import HOST, hashed, presented, right
from checks.places import ZONE, lookup
from tlsa_manager.certificates import chain_of, to_pem
from tlsa_manager.checks.case import Case
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.judge import judge
from tlsa_manager.sender.route import route
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Answer, Outcome, OwnerView, Presentation, ServiceView, Snapshot
from tlsa_manager.surroundings import Alias
from tlsa_manager.target import Target
from tlsa_manager.tlsa import RRset, Tlsa

NOW = datetime.now(UTC).timestamp()
OWNER = f"_25._tcp.{HOST}."
BEHIND = "host.example.org."
_ADDRESSES = {"A": ["192.0.2.1"], "AAAA": list[str]()}
SECURE, INSECURE, BOGUS, SILENT = (
    (Security.SECURE, Cause.NONE),
    (Security.INSECURE, Cause.NO_DS),
    (Security.BOGUS, Cause.SIGNATURE_BAD),
    (Security.INDETERMINATE, Cause.SILENT),
)
Ders = tuple[bytes, ...]
Answers = tuple[tuple[RRset, tuple[Security, Cause]], ...]


@dataclass(frozen=True, repr=False)
class Mail:
    """One host: what each name server answers and how it validates, what each address presents to clients (RSA: its own)."""

    answers: Answers
    addresses: tuple[Ders, ...]
    rsa: Ders = ()
    behind: Answers = ()  # where the host is an alias: what is answered at the name behind it

    def __repr__(self) -> str:
        """Tell it in a line: records, states, and chains by their place in `shown`."""
        answers = ["; ".join(str(one)[:18] for one in sorted(records)) + f" {state[0]}" for records, state in self.answers]
        more = f", behind: {Mail(self.behind, ())}" if self.behind else ""
        return f"Mail({answers}{more}, {[shown().index(one) for one in self.addresses]}{', RSA' if self.rsa else ''})"

    def case(self) -> Case:
        """Judge it."""
        met = Service(HOST, 25, "smtp")
        seen = tuple(one for place, chain in enumerate(self.addresses, 1) for one in self._seen(f"192.0.2.{place}", chain))
        target = BEHIND if self.behind else HOST
        alias = (Alias(HOST + ".", BEHIND, ZONE, Security.SECURE, 300),) if self.behind else ()
        found = [lookup(HOST + ".", kind, *values, aliases=alias, target=target) for kind, values in _ADDRESSES.items()]
        views = [_view(OWNER, self.answers), *([_view(f"_25._tcp.{BEHIND}", self.behind)] if self.behind else [])]
        snapshot = Snapshot(
            NOW,
            {one.owner: one for one in views},
            services={str(met): ServiceView(str(met), NOW, seen)},
            lookups={(one.name, one.rdtype): one for one in found},
        )
        aim = Target.parse(str(met))
        way = route(aim, snapshot.lookups)
        return Case(aim, snapshot, way, judge(way, snapshot), NOW)

    def changed(self, publish: frozenset[Tlsa], remove: frozenset[Tlsa]) -> Mail:
        """Return it with other records, at all servers."""
        return replace(self, answers=tuple(((records | publish) - remove, state) for records, state in self.answers))

    def chains(self) -> set[Ders]:
        """Return all that is presented."""
        return {*self.addresses, *([self.rsa] if self.rsa else [])}

    def _seen(self, address: str, chain: Ders) -> list[Presentation]:
        shown = {"any": chain, "no-sni": chain, "ecdsa": chain, "rsa": self.rsa}
        return [
            Presentation(address, client, Outcome.PRESENTED, chain_of(one), certificates=one)
            if one
            else Presentation(address, client, Outcome.UNSHARED, reason="no certificate that the client takes")
            for client, one in shown.items()
        ]


def _view(owner: str, answers: Answers) -> OwnerView:
    return OwnerView(owner, owner, ZONE, NOW, tuple(_answer(n, *one) for n, one in enumerate(answers, 1)))


def _answer(n: int, records: RRset, state: tuple[Security, Cause]) -> Answer:
    security, cause = state
    return Answer(
        f"ns{n}.example.org.", f"198.51.100.{n}", None if state == SILENT else records, 3600, security, serial=7,
        reason=str(cause), cause=cause, exists=True, size=200, signed_from=NOW - 3e5, signed_until=NOW + 1e6, edns=True,
    )  # fmt: skip


@cache
def shown() -> tuple[Ders, ...]:
    """Chains that are right, of another key, for another name, expired, self-signed, without their issuer; the last is RSA."""
    good, other = presented(), presented(days=(-2, 360))
    expired = presented(days=(-50, -5))
    return good, other, _stranger(), expired, _alone(), good[:1], presented("RSA")


def _stranger() -> Ders:
    pem = pki.authority().chain("www.example.net", key=pki.new_key())
    return tuple(one.public_bytes(pki.DER) for one in x509.load_pem_x509_certificates(pem))


def _alone() -> Ders:
    key, name = pki.new_key(), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    return (pki._sign(HOST, key, name, key, extensions=[], days=(-1, 60)).public_bytes(pki.DER),)


@cache
def pool() -> tuple[Tlsa, ...]:
    """Records of all that may be presented, of other keys, and mistakes."""
    good, other, _, expired, alone, _, rsa = shown()
    leaves = [right(params, one) for one in (good, other, expired, alone, rsa) for params in ("3 1 1", "3 0 1", "3 1 2", "3 1 0")]
    anchors = [right(params, good, 1) for params in ("2 1 1", "2 0 1", "2 1 2", "2 0 0", "2 1 0")]
    digest = right().data
    mistakes = [
        hashed(good[0]), hashed(good[0], "3 1 2"), hashed(expired[0]), hashed(b""), hashed(b"", "3 1 2"), hashed(to_pem(good[0])),
        hashed(b"another"), hashed(b"another", "3 1 2"), hashed(b"another", "3 0 1"), hashed(b"another", "2 1 1"),
        Tlsa(1, 1, 1, digest), Tlsa(0, 1, 1, right("2 1 1", good, 1).data), Tlsa(2, 1, 1, digest),
        Tlsa(3, 1, 1, right("2 1 1", good, 1).data), Tlsa(3, 0, 0, "00"), Tlsa(4, 1, 1, "aa" * 32), Tlsa(3, 1, 1, ""),
        Tlsa(3, 1, 1, "aa"), Tlsa(3, 1, 1, ("0" if digest[0] != "0" else "1") + digest[1:]),
        Tlsa(3, 1, 1, hashlib.sha512(good[0]).hexdigest()),
    ]  # fmt: skip
    return tuple(dict.fromkeys((*leaves, *anchors, *mistakes)))


def sets(least: int = 1) -> st.SearchStrategy[RRset]:
    """A few records."""
    return st.deferred(lambda: st.frozensets(st.sampled_from(pool()), min_size=least, max_size=4))


def mails(*, agreed: bool) -> st.SearchStrategy[Mail]:
    """Hosts. `agreed`: both servers answer the same, signed."""
    if agreed:
        answers = sets().map(lambda one: ((one, SECURE), (one, SECURE)))
    else:
        answers = st.tuples(st.tuples(sets(), st.just(SECURE)), st.tuples(sets(0), _states))
    return st.builds(Mail, answers, _addresses(), st.deferred(lambda: st.sampled_from(((), shown()[6]))))


def aliases() -> st.SearchStrategy[Mail]:
    """Hosts that are aliases, with any records at both names."""
    one = st.tuples(sets(0), _states)
    answers = st.one_of(st.tuples(one, one), one.map(lambda same: (same, same)))
    return st.builds(Mail, answers, _addresses(), st.just(()), answers)


_states = st.sampled_from((SECURE, INSECURE, BOGUS, SILENT))


def _addresses() -> st.SearchStrategy[tuple[Ders, ...]]:
    return st.deferred(lambda: st.lists(st.sampled_from(shown()[:6]), min_size=1, max_size=2).map(tuple))
