"""What servers present, case by case: which cause is told, and how bad it is. Pure; the servers themselves are in the zoo."""

from __future__ import annotations

from dataclasses import replace

import pki
import pytest
from cryptography import x509

from checks.made import HOST, NOW, case, codes, finding, hashed, presented, right
from tlsa_manager.certificates import chain_of
from tlsa_manager.checks import examine
from tlsa_manager.checks.case import Case
from tlsa_manager.checks.servers import letsencrypt
from tlsa_manager.der import certificate_spki
from tlsa_manager.household import Household
from tlsa_manager.lineage import Generation, Key, Lineage
from tlsa_manager.policy import KeyPolicy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.state import Phase
from tlsa_manager.security import Security
from tlsa_manager.sender.judge import judge
from tlsa_manager.sender.route import Route, Stop
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Answer, Conversation, Outcome, OwnerView, Presentation, ServiceView, Snapshot
from tlsa_manager.surroundings import StsPolicy
from tlsa_manager.target import Target
from tlsa_manager.tlsa import Tlsa

OURS = {
    *("F-STALE", "F-MIXED", "F-IPDIFF", "F-PORTDIFF", "F-SNIDIFF", "F-ALGDIFF"),
    *("F-TANOTSENT", "F-CHAINSHORT", "F-CAPIN", "F-TANAME", "F-TAEXP", "F-TAPATH"),
}


def other() -> tuple[bytes, ...]:
    """Return another chain for the same host."""
    return presented(bits=2049)


def seen(address: str, client: str, chain: tuple[bytes, ...] | None, **words: object) -> Presentation:
    """Make what a client met; None: it has no certificate for it."""
    if chain is None:
        return Presentation(address, client, Outcome.UNSHARED, reason="no shared cipher")
    return Presentation(address, client, Outcome.PRESENTED, chain_of(chain), certificates=chain, **words)  # type: ignore[arg-type]


def met(made: Case, *presentations: Presentation, conversations: tuple[Conversation, ...] = ()) -> Case:
    """Return the case with other things met at its service."""
    (name,) = made.snapshot.services
    view = ServiceView(name, NOW, presentations, conversations=conversations)
    snapshot = replace(made.snapshot, services={name: view})
    return replace(made, snapshot=snapshot, verdicts=judge(made.route, snapshot))


def mismatches(made: Case) -> dict[str, str]:
    """Return the causes of a mismatch that are told, by code: the severity."""
    return {one.code: str(one.severity) for one in examine(made) if one.code in OURS}


# A mismatch has one cause


def test_another_key() -> None:
    """Nothing explains the record: it is of another key. The message counts, the remedy has the line."""
    made = case(right(), chains=(other(),))
    assert mismatches(made) == {"F-STALE": "critical"}
    one = finding(made, "F-STALE")
    assert "a key that the only usable record does not fit" in one.message
    assert one.remedy.startswith(f"publish: _25._tcp.{HOST}. 3600 IN TLSA {right(chain=other())}, beside")
    assert dict(one.evidence)["published"] == str(right())


def test_another_key_in_a_zone_that_is_not_signed() -> None:
    """No sender goes by it, so nothing is kept; signing the zone would be an outage."""
    made = case(right(), chains=(other(),), security=Security.INSECURE)
    assert mismatches(made) == {"F-STALE": "error"}
    assert "not signed" in finding(made, "F-STALE").consequence


def test_a_record_made_wrongly_is_not_stale() -> None:
    """The digest is of this certificate, only the label is wrong: that has a code of its own."""
    assert mismatches(case(hashed(presented()[0], "3 1 1"))) == {}


def test_nothing_is_wrong_while_one_record_fits() -> None:
    """A record that fits nothing beside one that does."""
    assert mismatches(case(right(), right(chain=other()))) == {}


def test_of_several_addresses_one_is_wrong() -> None:
    """Found once, at the wrong one; and all of them wrong is another fault."""
    one = case(right(), chains=(presented(), other(), presented()))
    assert mismatches(one) == {"F-IPDIFF": "critical"}
    assert "192.0.2.2 presents" in finding(one, "F-IPDIFF").message
    assert mismatches(case(right(), chains=(other(), other()))) == {"F-STALE": "critical"}
    two = finding(case(right(), chains=(presented(), other(), other())), "F-IPDIFF")  # one finding for both
    assert "192.0.2.2, 192.0.2.3 presents" in two.message


def test_one_kind_of_key_is_not_covered() -> None:
    """RSA has a record, ECDSA has none: whoever prefers ECDSA is hit."""
    rsa, ecdsa = presented("RSA"), presented()
    place = "192.0.2.1"
    both = (seen(place, "any", ecdsa), seen(place, "rsa", rsa), seen(place, "ecdsa", ecdsa))
    assert mismatches(met(case(right(chain=rsa)), *both)) == {"F-ALGDIFF": "critical"}
    assert mismatches(met(case(right(chain=ecdsa)), *both)) == {"F-ALGDIFF": "critical"}
    assert mismatches(met(case(right(chain=ecdsa), right(chain=rsa)), *both)) == {}


def test_old_and_new_in_turn() -> None:
    """Of the same kind at the same address: covered it is fragile, uncovered mail is kept."""
    place = "192.0.2.1"
    both = (seen(place, "any", presented()), seen(place, "any", other()), seen(place, "ecdsa", other()))
    assert mismatches(met(case(right()), *both)) == {"F-MIXED": "critical"}
    assert mismatches(met(case(right(), right(chain=other())), *both)) == {"F-MIXED": "warning"}


def test_with_and_without_sni() -> None:
    """Only what is presented with SNI counts for senders; both ways round are told, one is an outage."""
    place = "192.0.2.1"
    named = (seen(place, "any", other()), seen(place, "no-sni", presented()))
    assert mismatches(met(case(right()), *named)) == {"F-SNIDIFF": "critical"}
    assert mismatches(met(case(right(chain=other())), *named)) == {"F-SNIDIFF": "error"}


def test_the_better_records_stand_at_the_other_base() -> None:
    """Where the records at the other base domain fit, the alias is what is wrong (F-CNAME-BASE), not the key."""
    made = case(right(), chains=(other(),))
    answer = Answer("ns.", "198.51.100.1", frozenset({right(chain=other())}), 60, Security.SECURE)
    beside = OwnerView("_25._tcp.alias.example.org.", "", "example.org.", NOW, (answer,))
    (stop,) = made.route.stops
    route = Route((replace(stop, owners=(*stop.owners, beside.owner)),))
    snapshot = replace(made.snapshot, owners={**made.snapshot.owners, beside.owner: beside})
    moved = replace(made, route=route, snapshot=snapshot)
    assert mismatches(moved) == {}
    assert codes(moved)["F-CNAME-BASE"] == "critical"


def test_one_port_of_a_host() -> None:
    """Port 25 is right and 587 is not: mild for mail programs, and told at the port."""
    assert mismatches(two_ports(25, 587)) == {"F-PORTDIFF": "error"}
    assert mismatches(two_ports(587, 25)) == {"F-PORTDIFF": "critical"}


def two_ports(good: int, bad: int) -> Case:
    """Make the case of two services of a host, one right and one wrong."""
    services = [Service.parse(f"{HOST}:{port}") for port in (good, bad)]
    answers = (Answer("ns.", "198.51.100.1", frozenset({right()}), 3600, Security.SECURE),)
    views = {one.owner: OwnerView(one.owner, one.owner, "example.org.", NOW, answers) for one in services}
    chains = {good: presented(), bad: other()}
    shown = {str(one): ServiceView(str(one), NOW, (seen("192.0.2.1", "any", chains[one.port]),)) for one in services}
    route = Route(tuple(Stop(one, HOST, 0, (one.owner,), (HOST,)) for one in services))
    snapshot = Snapshot(NOW, views, services=shown)
    return Case(Target.parse(str(services[0])), snapshot, route, judge(route, snapshot), NOW)


# Usage 2


def issued_to(name: str = HOST, days: tuple[float, float] = (-1, 364)) -> tuple[bytes, ...]:
    """Make a chain for a name, DER."""
    pem = pki.authority().chain(name, key=pki.new_key(), days=days)
    return tuple(one.public_bytes(pki.DER) for one in x509.load_pem_x509_certificates(pem))


def anchored(chain: tuple[bytes, ...], *records: Tlsa) -> Case:
    """Make the case of a chain under records of usage 2, seen right after it was made."""
    now = x509.load_der_x509_certificate(chain[0]).not_valid_before_utc.timestamp() + 86400
    return case(*(records or (right("2 1 1", presented(), 1),)), chains=(chain,), now=now)


def test_a_good_anchor() -> None:
    """Nothing is told."""
    assert mismatches(anchored(issued_to())) == {}


def test_another_name() -> None:
    """With usage 2 it counts, with usage 3 it does not."""
    chain = issued_to("elsewhere.example.net")
    assert mismatches(anchored(chain)) == {"F-TANAME": "critical"}
    assert mismatches(anchored(chain, right(chain=chain))) == {}


def test_expired() -> None:
    """Likewise; and a name that is wrong at the same time is not what is told."""
    chain = issued_to(days=(-9, -8))
    late = replace(anchored(chain), now=NOW)
    assert mismatches(replace(late, verdicts=judge(late.route, replace(late.snapshot, at=NOW)))) == {"F-TAEXP": "critical"}


def test_the_leaf_alone() -> None:
    """The issuer is pinned and not sent."""
    chain = issued_to()
    assert mismatches(anchored(chain[:1])) == {"F-CHAINSHORT": "critical"}
    assert mismatches(anchored(chain[:1], right(chain=chain))) == {"F-CHAINSHORT": "warning"}


def test_the_root_is_pinned_and_not_sent() -> None:
    """And where the root is sent and the pin is of another one, the record is stale."""
    root = pki.authority().root.public_bytes(pki.DER)
    pin = hashed(certificate_spki(root), "2 1 1")
    chain = issued_to()
    assert mismatches(anchored(chain, pin)) == {"F-TANOTSENT": "critical"}
    assert mismatches(anchored((*chain, root), pin)) == {}
    assert mismatches(anchored((*chain, root), hashed(b"another root", "2 1 1"))) == {"F-STALE": "critical"}


def test_retired_issuers() -> None:
    """Only those of Let's Encrypt that sign nothing any more are pinned: critical, though the chain is short, too."""
    pins = [digest for digest, one in letsencrypt.ISSUERS.items() if one.state == "retired"]
    records = [right("2 1 1", presented(), 1).__class__(2, 1, 1, digest) for digest in pins[:3]]
    assert mismatches(anchored(issued_to(), *records)) == {"F-CAPIN": "critical"}
    assert mismatches(anchored(issued_to()[:1], *records)) == {"F-CAPIN": "critical"}


def test_an_issuer_left_out_is_worse_without_a_record_of_the_key() -> None:
    """Beside `3 1 1` the pins are a second way; alone the next certificate may be an outage. Whole certificates of the public."""
    pin = right("2 1 1", presented(), 1).__class__(2, 1, 1, next(iter(letsencrypt.ISSUERS)))
    chain = issued_to()
    assert codes(anchored(chain, right(chain=chain), pin))["F-CAPIN"] == "warning"
    assert codes(anchored(chain, right("2 1 1", presented(), 1), pin))["F-CAPIN"] == "error"
    public = Presentation("192.0.2.1", "any", Outcome.PRESENTED, chain_of(chain), certificates=chain, pkix="")
    for params, found in (("2 0 1", True), ("2 1 1", False), ("3 0 1", False)):
        made = anchored(chain, right(params, chain, int(params[0] == "2")))
        assert ("F-CAPIN0" in codes(met(made, public))) is found
        assert "F-CAPIN0" not in codes(met(made, replace(public, pkix="unknown authority")))


def test_which_issuers_are_left_out() -> None:
    """Of the kinds that are pinned: all active and reserve ones; a pin of the root that is sent covers its kind."""
    by_name = {one.name: digest for digest, one in letsencrypt.ISSUERS.items()}

    def left_out(*names: str) -> set[str]:
        return set(letsencrypt.missing(frozenset(by_name[name] for name in names)))

    assert left_out("YE1") == {"YE2", "YE3"}
    assert left_out("YE1", "YR1") == {"YE2", "YE3", "YR2", "YR3"}
    assert left_out("YE1", "YE2", "YE3") == set()
    assert left_out("YE1", "Root YE") == set()
    assert left_out("R10") == {"YR1", "YR2", "YR3"}
    assert letsencrypt.missing(frozenset({"ab" * 32})) == {}


def test_the_table_is_the_published_one() -> None:
    """The digests of the reference (its section 3.3), each under its name and state."""
    states = {one.name: one.state for one in letsencrypt.ISSUERS.values()}
    assert len(states) == len(letsencrypt.ISSUERS)
    assert {name for name, state in states.items() if state == "active"} == {"YE1", "YE2", "YR1", "YR2"}
    assert {name for name, state in states.items() if state == "backup"} == {"YE3", "YR3"}
    assert all(len(digest) == 64 for digest in letsencrypt.ISSUERS)


# How TLS begins


def test_no_starttls() -> None:
    """With signed records mail is kept; without, it goes in plain text."""
    bare = Presentation("192.0.2.1", "any", Outcome.NO_TLS, reason="the server does not offer STARTTLS")
    said = (Conversation("192.0.2.1", "mx ESMTP", (False, False)),)
    assert codes(met(case(right()), bare, conversations=said))["F-NOTLS"] == "critical"
    assert codes(met(case(), bare, conversations=said))["F-NOTLS"] == "warning"
    assert codes(met(case(right()), bare))["F-NOTLS"] == "critical"  # quick: nothing was said


@pytest.mark.parametrize(
    ("conversation", "outcome", "code"),
    [
        (Conversation("192.0.2.1", offers=(True, False)), Outcome.NO_TLS, "F-NOTLSSEL"),
        (Conversation("192.0.2.1", offers=(False,), crossed_out=True), Outcome.NO_TLS, "F-STRIP"),
        (Conversation("192.0.2.1", offers=(True,), starttls_code=454), Outcome.FAILED, "F-454"),
        (Conversation("192.0.2.1", offers=(True,), starttls_code=502), Outcome.NO_TLS, "F-454"),
        (Conversation("192.0.2.1", offers=(True,)), Outcome.FAILED, "F-454"),
        (Conversation("192.0.2.1", "554 go away"), Outcome.FAILED, "F-UNREACH"),
    ],
)
def test_one_cause_why_tls_does_not_begin(conversation: Conversation, outcome: Outcome, code: str) -> None:
    """Each way has its code, and only one is told."""
    made = met(case(right()), Presentation("192.0.2.1", "any", outcome, reason="no"), conversations=(conversation,))
    assert set(codes(made)) & {"F-NOTLS", "F-NOTLSSEL", "F-STRIP", "F-454", "F-UNREACH"} == {code}


def test_mail_in_plain_text() -> None:
    """Right on port 25, and not where users send from; an answer other than 250 is no acceptance."""
    said = Conversation("192.0.2.1", offers=(True,), plain=250, plain_said="2.1.5 Ok")
    here = seen("192.0.2.1", "any", presented())
    assert codes(met(case(right()), here, conversations=(said,)))["F-PLAIN"] == "notice"
    assert codes(met(case(right(), service=f"{HOST}:587"), here, conversations=(said,)))["F-PLAIN"] == "warning"
    assert "F-PLAIN" not in codes(met(case(right()), here, conversations=(replace(said, plain=530),)))


def test_a_handshake_without_sni() -> None:
    """Told only where the one with SNI comes about."""
    without = Presentation("192.0.2.1", "no-sni", Outcome.FAILED, reason="unrecognized name")
    assert codes(met(case(right()), seen("192.0.2.1", "any", presented()), without))["F-SNIREQ"] == "warning"
    assert "F-SNIREQ" not in codes(met(case(right()), replace(without, client="any"), without))


def test_a_machine_without_ipv6() -> None:
    """Where no IPv6 address at all can be reached it may be our own fault, and is no more than a notice."""
    away = Presentation("2001:db8::1", "any", Outcome.UNREACHABLE, reason="no route to host")
    assert codes(met(case(right()), away, seen("192.0.2.1", "any", presented())))["F-UNREACH"] == "notice"
    down = replace(away, refused=True)
    assert codes(met(case(right()), down, seen("192.0.2.1", "any", presented())))["F-UNREACH"] == "warning"


# Versions, kinds, dates


def test_versions_and_suites() -> None:
    """The best counts for F-TLSVER, the rest for F-WEAKTLS; weak suites are worse where people log in."""
    place = "192.0.2.1"
    old = seen(place, "any", presented(), version="TLSv1.1", suite="ECDHE-RSA-AES128-SHA")
    rc4 = seen(place, "any", presented(), version="TLSv1.2", suite="RC4-SHA")
    good = seen(place, "any", presented(), version="TLSv1.3", suite="TLS_AES_256_GCM_SHA384")
    weak = seen(place, "weak", presented(), version="TLSv1.2", suite="DES-CBC3-SHA")
    assert codes(met(case(right()), old))["F-TLSVER"] == codes(met(case(right()), rc4))["F-TLSVER"] == "error"
    assert "F-TLSVER" not in codes(met(case(right()), good, old))
    assert codes(met(case(right()), good, weak))["F-WEAKTLS"] == "notice"
    assert codes(met(case(right(), service=f"{HOST}:587"), good, weak))["F-WEAKTLS"] == "warning"
    assert "F-WEAKTLS" not in codes(met(case(right()), good))


def test_timing_vectors_20_and_21() -> None:
    """80 hours left: with a TTL of a day little is to spare, with two days it does not fit, with an hour there is time."""
    chain = presented()
    ends = chain_of(chain).not_after
    for ttl, severity in ((86400, "warning"), (172800, "error"), (3600, None)):
        made = case(right(), now=ends - 80 * 3600)
        (owner, view), *_ = made.snapshot.owners.items()
        answers = tuple(replace(one, ttl=ttl) for one in view.answers)
        snapshot = replace(made.snapshot, owners={owner: replace(view, answers=answers)})
        assert codes(replace(made, snapshot=snapshot)).get("F-EXPSOON") == severity


def short_lived(*records: Tlsa, ttl: int, keys: KeyPolicy | None = None, facts: Facts | None = None) -> Case:
    """A certificate of 160 hours that has just begun, its records of this TTL; `keys`: it is a lineage of ours."""
    chain = presented(days=(0, 160 / 24))
    now = chain_of(chain).not_after - 160 * 3600 + 60
    home = None
    if keys is not None:
        lineage = Lineage(HOST, (Service.parse(f"{HOST}:25"),), "ns1", keys=keys)
        known = apply(facts or Facts(HOST), ev.Adopted(Generation("one", chain_of(chain))), now)
        home = Household(lineage, known, Phase.STABLE)
    made = case(right(chain=chain), *records, chains=(chain,), now=now, household=home)
    (owner, view), *_ = made.snapshot.owners.items()
    answers = tuple(replace(one, ttl=ttl) for one in view.answers)
    snapshot = replace(made.snapshot, owners={owner: replace(view, answers=answers)})
    return replace(made, snapshot=snapshot)


def test_a_short_life_is_told_early() -> None:
    """80 hours will be left: with a TTL of two days it will not fit (T21), with one hardly (T20), with an hour it will."""
    for ttl, severity in ((172800, "warning"), (86400, "notice"), (3600, None)):
        assert codes(short_lived(ttl=ttl)).get("F-EXPSOON") == severity
    assert "usually renewed 3.3 days before it expires" in finding(short_lived(ttl=172800), "F-EXPSOON").message


def test_nothing_is_told_early_where_no_renewal_waits() -> None:
    """The key stays, or the next one is published; one that is not published yet does not count."""
    key = Key("k", "ab" * 32, "cd" * 64, "ECDSA")
    ahead = apply(Facts(HOST), ev.Prepared(key), NOW)
    record = Tlsa.parse(f"3 1 1 {key.spki_sha256}")
    assert "F-EXPSOON" in codes(short_lived(ttl=172800, keys=KeyPolicy()))
    assert "F-EXPSOON" not in codes(short_lived(ttl=172800, keys=KeyPolicy(reuse=True)))
    assert "F-EXPSOON" not in codes(short_lived(record, ttl=172800, keys=KeyPolicy(next_key=True), facts=ahead))
    assert "F-EXPSOON" in codes(short_lived(ttl=172800, keys=KeyPolicy(next_key=True), facts=ahead))


def test_an_expired_certificate() -> None:
    """Who minds decides how bad it is."""
    late = chain_of(presented()).not_after + 1
    assert codes(case(right(), now=late))["F-EEEXP"] == "notice"
    assert codes(case(right(), service=f"{HOST}:993", now=late))["F-EEEXP"] == "warning"
    assert codes(case(now=late))["F-EEEXP"] == "warning"
    for mode, severity in (("enforce", "error"), ("testing", "warning"), ("none", "warning")):
        made = case(right(), now=late)
        policy = StsPolicy("example.org", announced=True, mode=mode, mx=("*.example.org",))
        assert codes(replace(made, snapshot=replace(made.snapshot, policies={"example.org": policy})))["F-EEEXP"] == severity


def test_an_expired_certificate_under_usage_2_is_no_small_matter() -> None:
    """F-TAEXP tells it, and nobody says that DANE does not mind."""
    late = chain_of(presented()).not_after + 1
    report = codes(case(right("2 1 1", place=1), now=late))
    assert report["F-TAEXP"] == "critical"
    assert "F-EEEXP" not in report


def test_a_muddled_chain() -> None:
    """All certificates are there, in the wrong order; one that belongs to nobody is no matter of order."""
    root, stranger = pki.authority().root.public_bytes(pki.DER), pki.authority("Other").root.public_bytes(pki.DER)
    leaf, issuer = presented()
    assert codes(case(right(), chains=((leaf, root, issuer),)))["F-ORDER"] == "warning"
    assert "F-ORDER" not in codes(case(right(), chains=((leaf, issuer, root),)))
    assert "F-ORDER" not in codes(case(right(), chains=((leaf, issuer, stranger),)))


def test_one_kind_of_key() -> None:
    """An ECDSA server is told of as a notice: many are, and on purpose."""
    place = "192.0.2.1"
    made = met(case(right()), seen(place, "any", presented()), seen(place, "rsa", None), seen(place, "ecdsa", presented()))
    assert codes(made)["F-KEYTYPE"] == "notice"
    assert "F-KEYTYPE" not in codes(case(right()))


@pytest.mark.parametrize(
    ("pattern", "named"),
    [(HOST, True), ("MX.Example.ORG.", True), ("*.example.org", True), ("*.org", False), ("example.org", False), ("*", False)],
)
def test_mx_patterns(pattern: str, named: bool) -> None:  # noqa: FBT001  parametrized
    """An asterisk is one label, no more and no less (RFC 8461 §4.1)."""
    made = replace(case(right()), target=Target.parse("example.org"))
    policy = StsPolicy("example.org", announced=True, mode="enforce", mx=(pattern,))
    report = codes(replace(made, snapshot=replace(made.snapshot, policies={"example.org": policy})))
    assert ("F-STS" not in report) is named


def test_what_mta_sts_senders_think_of_the_certificate() -> None:
    """Public authorities count for them; testing is milder; a policy that cannot be had is told."""
    made = replace(case(right()), target=Target.parse("example.org"))
    untrusted = met(made, seen("192.0.2.1", "any", presented(), pkix="self-signed certificate"))
    for mode, severity in (("enforce", "error"), ("testing", "warning"), ("none", None)):
        policy = StsPolicy("example.org", announced=True, mode=mode, mx=(HOST,))
        one = replace(untrusted, snapshot=replace(untrusted.snapshot, policies={"example.org": policy}))
        assert codes(one).get("F-STS") == severity
    gone = StsPolicy("example.org", announced=True, problem="the policy was not fetched: 404")
    assert codes(replace(made, snapshot=replace(made.snapshot, policies={"example.org": gone})))["F-STS"] == "warning"


def test_certificates_that_cannot_be_read_crash_nothing() -> None:
    """A server may present anything; the digests of a chain are known all the same."""
    chain = chain_of(presented())
    junk = Presentation("192.0.2.1", "any", Outcome.PRESENTED, chain, certificates=(b"\x30\x03\x02\x01\x00", b"", b"x" * 5000))
    for record in (right(), right("2 1 1", presented(), 1), right("2 0 1", presented(), 1), hashed(b"x")):
        assert "F-CRASH" not in codes(met(case(record), junk))
