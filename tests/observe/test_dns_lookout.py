"""Names, owners and zones for a whole run: from their own servers, and by the resolver's word alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from dns_strangers import DnsStranger, numbers, resolver_that
from lab import faults
from lab.daemon import until

from tlsa_manager.observe import Lookout
from tlsa_manager.security import Cause, Security
from tlsa_manager.surroundings import Alias

if TYPE_CHECKING:
    from dns.message import Message
    from lab.hierarchy import DnsLab

    from tlsa_manager.snapshot import OwnerView
    from tlsa_manager.surroundings import Lookup, ZoneView

SECURE, INSECURE, BOGUS, INDETERMINATE = Security.SECURE, Security.INSECURE, Security.BOGUS, Security.INDETERMINATE
THE_RECORD = f"3 1 1 {faults.DIGEST}"


@pytest.fixture(params=["full", "quick"])
def out(request: pytest.FixtureRequest, dns_lab: DnsLab) -> Lookout:
    """Look out both ways: all by ourselves, and by the resolver's word."""
    until(lambda: dns_lab.validates(dns_lab.zone, "SOA"), "the resolver validates")
    return lookout(dns_lab, quick=request.param == "quick")


def lookout(lab: DnsLab, *, quick: bool = False, resolver: str = "", timeout: float = 1.0) -> Lookout:
    return Lookout(resolver=(resolver or lab.resolver,), anchor=str(lab.anchor), timeout=timeout, quick=quick)


def is_quick(out: Lookout) -> bool:
    return out._quick


def ask(out: Lookout, name: str, rdtype: str) -> Lookup:
    return asyncio.run(out.look_up([(name, rdtype)]))[name, rdtype]


def look(out: Lookout, owner: str) -> OwnerView:
    return asyncio.run(out.owners([owner]))[owner]


def zone_view(out: Lookout, zone: str) -> ZoneView:
    return asyncio.run(out.zones([zone]))[zone]


def at_mx(zone: str) -> str:
    return f"_25._tcp.mx.{zone}.example."


@pytest.mark.parametrize(
    ("zone", "security", "cause"),
    [
        ("nsec3", SECURE, Cause.NONE),
        ("nsec3optout", SECURE, Cause.NONE),
        ("nsecgone", SECURE, Cause.NONE),
        ("expired", BOGUS, Cause.SIGNATURE_EXPIRED),
        ("expired-tlsa", BOGUS, Cause.SIGNATURE_EXPIRED),
        ("notyet", BOGUS, Cause.SIGNATURE_FUTURE),
        ("bogusds", BOGUS, Cause.DS_MISMATCH),
        ("unsigned", BOGUS, Cause.NO_DNSKEY),
        ("badsig", BOGUS, Cause.SIGNATURE_BAD),
        ("badalg", INSECURE, Cause.OLD_ALGORITHM),
        ("nods", INSECURE, Cause.NO_DS),
        ("refused", INDETERMINATE, Cause.RCODE),
        ("loadfail", INDETERMINATE, Cause.RCODE),
    ],
)
def test_each_fault_zone_has_its_cause(out: Lookout, zone: str, security: Security, cause: Cause) -> None:
    """Owners and single questions agree; the resolver's word gives the same state, though it cannot tell every cause."""

    async def both() -> tuple[OwnerView, Lookup]:
        owners, lookups = await asyncio.gather(out.owners([at_mx(zone)]), out.look_up([(at_mx(zone), "TLSA")]))
        return owners[at_mx(zone)], lookups[at_mx(zone), "TLSA"]

    view, found = asyncio.run(both())
    (answer,) = view.answers
    assert (answer.security, found.security) == (security, security), (answer.reason, found.reason)
    assert bool(answer.reason) is bool(found.reason) is (security is not SECURE)
    if security is SECURE:
        assert answer.signed_from is not None
        assert answer.signed_until is not None
        assert answer.signed_from < view.at < answer.signed_until
        assert answer.signed_life > 0
    if not is_quick(out):
        assert (answer.cause, found.cause) == (cause, cause), (answer.reason, found.reason)
    if security in {SECURE, INSECURE}:
        assert {str(one) for one in answer.records or ()} == set(found.records or ()) == {THE_RECORD}
        assert (answer.exists, found.exists) == (True, True)
        assert answer.edns is True
        assert answer.size > 50
    elif is_quick(out):
        assert (answer.records, found.records) == (None, None)


@pytest.mark.parametrize("zone", ["sha1ds", "rsasha1"])
def test_algorithms_that_no_longer_count(dns_lab: DnsLab, zone: str) -> None:
    """By our own chain they are insecure, and that is the cause, whatever an older resolver says."""
    found = ask(lookout(dns_lab), at_mx(zone), "TLSA")
    assert (found.security, found.cause) == (INSECURE, Cause.OLD_ALGORITHM)


@pytest.mark.parametrize(
    ("owner", "security", "cause"),
    [
        ("_26._tcp.mx.nsec3optout.example.", INSECURE, Cause.OPT_OUT),
        ("_26._tcp.mx.nsecgone.example.", INDETERMINATE, Cause.DENIAL_UNPROVEN),
        ("_26._tcp.mx.expired.example.", BOGUS, Cause.SIGNATURE_EXPIRED),
        ("_26._tcp.mx.shapes.example.", SECURE, Cause.NONE),
    ],
)
def test_the_cause_of_a_doubtful_absence(dns_lab: DnsLab, owner: str, security: Security, cause: Cause) -> None:
    """What is not there, and cannot be proven not to be there, has its cause in both views."""
    out = lookout(dns_lab)
    found, (answer,) = ask(out, owner, "TLSA"), look(out, owner).answers
    assert (found.records, found.exists, found.security, found.cause) == ((), False, security, cause), found.reason
    assert (answer.records, answer.exists, answer.security, answer.cause) == (frozenset(), False, security, cause)


@pytest.mark.parametrize(
    ("name", "rdtype", "records"),
    [
        ("shapes.example.", "MX", ("10 mx.shapes.example.",)),
        ("shapes.example.", "NS", ("ns.shapes.example.",)),
        ("shapes.example.", "SOA", ("ns.shapes.example. hostmaster.shapes.example. 1 60 10 86400 1",)),
        ("mx.shapes.example.", "A", ("127.25.0.1",)),
        ("mx.shapes.example.", "AAAA", ()),
    ],
)
def test_the_records_of_a_name(out: Lookout, name: str, rdtype: str, records: tuple[str, ...]) -> None:
    """Each type in its presentation form; what is denied is empty, not unknown."""
    found = ask(out, name, rdtype)
    assert (found.name, found.rdtype, found.records, found.security) == (name, rdtype, records, SECURE), found.reason
    assert (found.target, found.zone, found.aliases, found.exists) == (name, "shapes.example.", (), True)
    assert found.ttl > 0
    assert (found.cause, found.reason, found.wildcard) == (Cause.NONE, "", "")


def test_names_are_keys_in_one_form(out: Lookout) -> None:
    """However a name is written, the answer is found in lower case with a final dot; what is no name is told."""
    found = asyncio.run(out.look_up([("Shapes.EXAMPLE", "mx"), ("a..b", "A")]))
    assert found["shapes.example.", "MX"].records == ("10 mx.shapes.example.",)
    assert found["a..b.", "A"].records is None
    assert "is not a domain name" in found["a..b.", "A"].reason


def test_a_name_that_is_not_there(out: Lookout) -> None:
    """NXDOMAIN is told apart from an absence of records."""
    found = ask(out, "nosuch.shapes.example.", "MX")
    assert (found.records, found.exists, found.security) == ((), False, SECURE)
    assert "does not exist" in found.reason or is_quick(out)


def test_an_alias_is_followed(out: Lookout) -> None:
    """The records of the target, and the step to it with its zone, TTL and state."""
    found = ask(out, "alias.shapes.example.", "A")
    assert (found.records, found.security) == (("127.25.0.1",), SECURE), found.reason
    assert found.aliases == (Alias("alias.shapes.example.", "mx.shapes.example.", "shapes.example.", SECURE, found.ttl),)
    assert found.target == "mx.shapes.example."


def test_an_insecure_alias_begins_securely(out: Lookout) -> None:
    """A signed alias into an unsigned zone: the whole is insecure, the first step is not (RFC 7672 §2.2.2)."""
    found = ask(out, "_465._tcp.mx.shapes.example.", "TLSA")
    assert found.security is INSECURE
    assert [step.security for step in found.aliases] == [SECURE]
    assert found.target == "_25._tcp.mx.insecure.example."


def test_a_dname_and_a_wildcard(out: Lookout) -> None:
    """Redirection of a whole tree is an alias, too; a record made from an asterisk says so."""
    moved = ask(out, "tlsa.there.shapes.example.", "TLSA")
    assert (moved.records, moved.security, moved.target) == ((THE_RECORD,), SECURE, "tlsa.keys.shapes.example.")
    grown = ask(out, "_25._tcp.wild.shapes.example.", "TLSA")
    assert (grown.records, grown.security, grown.wildcard) == ((THE_RECORD,), SECURE, "*._tcp.wild.shapes.example.")
    (answer,) = look(out, "_25._tcp.wild.shapes.example.").answers
    assert answer.wildcard == "*._tcp.wild.shapes.example."


def test_a_circle_is_unknown(out: Lookout) -> None:
    """Aliases that lead to themselves give no records."""
    found, view = ask(out, "_466._tcp.mx.shapes.example.", "TLSA"), look(out, "_466._tcp.mx.shapes.example.")
    assert found.records is None
    assert not view.complete
    assert found.cause in ({Cause.LOOP, Cause.RCODE} if is_quick(out) else {Cause.LOOP})
    if not is_quick(out):
        assert view.cause is Cause.LOOP


def test_how_zones_are_set_up(out: Lookout) -> None:
    """Keys, DS, NSEC3, servers and the time that absences are kept, of good zones and of faulty ones."""
    good, hashed, unlinked = (zone_view(out, f"{name}.example.") for name in ("a", "nsec3", "nods"))
    assert (good.security, good.signed, good.algorithms, good.iterations, good.negative_ttl) == (SECURE, True, (13,), None, 1)
    assert [one[1:] for one in good.ds] == [(13, 2)]
    assert good.child_hosts == ("ns1.a.example.", "ns2.a.example.")
    assert good.parent_hosts == (() if is_quick(out) else good.child_hosts)
    assert (hashed.security, hashed.iterations) == (SECURE, 0)
    assert (unlinked.security, unlinked.signed, unlinked.ds) == (INSECURE, True, ())


def test_the_cause_of_a_zone(dns_lab: DnsLab) -> None:
    """Why the zone is not secure is told; where no zone begins, that."""
    out = lookout(dns_lab)
    causes = {name: zone_view(out, f"{name}.example.").cause for name in ("nods", "bogusds", "badalg", "unsigned", "refused")}
    assert causes == {
        "nods": Cause.NO_DS, "bogusds": Cause.DS_MISMATCH, "badalg": Cause.OLD_ALGORITHM, "unsigned": Cause.NO_DNSKEY,
        "refused": Cause.RCODE,
    }  # fmt: skip


def test_a_name_where_no_zone_begins(out: Lookout) -> None:
    """It is told which zone it belongs to, and nothing of that zone is said to be its own."""
    seen = zone_view(out, "mx.a.example.")
    assert seen.reason == "no zone begins at mx.a.example.; it belongs to a.example."
    assert (seen.signed, seen.child_hosts, seen.negative_ttl) == (False, (), 0)


def test_one_run_with_many_targets_asks_everything_once(dns_lab: DnsLab) -> None:
    """Coroutines that ask at the same time, and later ones, share each question, at the resolver as well as at servers."""
    asked: list[tuple[str, int, int]] = []

    def count(query: Message, answer: Message) -> None:
        asked.append((query.question[0].name.to_text(), query.question[0].rdtype, query.flags))

    address = f"127.53.9.{100 + next(numbers)}"
    with DnsStranger(address, resolver_that(count, dns_lab.resolver)):
        for quick in (False, True):
            out = lookout(dns_lab, quick=quick, resolver=address, timeout=3)

            async def targets(out: Lookout) -> list[object]:
                same = [("shapes.example.", "MX"), ("mx.shapes.example.", "A")]
                now = await asyncio.gather(
                    *(out.look_up(same) for _ in range(5)), *(out.owners([at_mx("nsec3")]) for _ in range(5))
                )
                return [*now, await out.look_up(same)]

            answers = asyncio.run(targets(out))
            assert len({str(one) for one in (*answers[:5], answers[-1])}) == 1
            assert len(asked) == len(set(asked)) > 0, asked
            asked.clear()


def test_without_a_resolver_nothing_is_known(dns_lab: DnsLab) -> None:
    """Every view says why, and that it is we who are lost, not the target."""
    out = lookout(dns_lab, resolver="127.53.9.250", timeout=0.2)
    found, zone, view = ask(out, "a.example.", "MX"), zone_view(out, "a.example."), look(out, at_mx("a"))
    for one in (found.reason, zone.reason, view.problem):
        assert "no resolver answers (127.53.9.250)" in one
    assert {found.cause, zone.cause, view.cause} == {Cause.LOST}


@pytest.mark.parametrize("name", ["mx.nsec3.example.", "mx.expired.example."])
def test_a_quick_look_through_a_resolver_that_does_not_validate_says_so(dns_lab: DnsLab, name: str) -> None:
    """Neither secure nor insecure, with a clear reason; and one that sets AD always is called a liar."""

    def always(_: Message, answer: Message) -> None:
        answer.flags |= 0x20

    for change, lies in ((always, True), (lambda *_: None, False)):
        address = f"127.53.9.{100 + next(numbers)}"
        with DnsStranger(address, resolver_that(change, dns_lab.resolver)):
            out = lookout(dns_lab, quick=True, resolver=address, timeout=3)
            found, view = ask(out, name, "A"), look(out, f"_25._tcp.{name}")
        assert (found.records, found.security, found.cause) == (("127.25.0.1",), INDETERMINATE, Cause.RESOLVER)
        assert "does not validate" in found.reason
        assert (view.answers[0].security, view.answers[0].cause) == (INDETERMINATE, Cause.RESOLVER)
        assert view.witness is not None
        assert (view.witness.validates, view.witness.lies) == (False, lies)


def test_a_good_resolver_does_not_lie(out: Lookout) -> None:
    """The other side of it."""
    witness = look(out, at_mx("nsec3")).witness
    assert witness is not None
    assert (witness.validates, witness.lies, witness.security) == (True, False, SECURE)
