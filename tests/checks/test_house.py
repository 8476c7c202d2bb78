"""What a lineage's own machine tells, case by case. Pure; real files, journals and servers are in the zoo."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from checks.made import HOST, NOW, case, codes, finding, presented, right
from tlsa_manager.certificates import chain_of
from tlsa_manager.checks import examine
from tlsa_manager.household import Content, Exposed, Holder, Household
from tlsa_manager.lineage import Generation, Lineage
from tlsa_manager.policy import Policy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.state import Phase
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.judge import judge
from tlsa_manager.service import Service
from tlsa_manager.snapshot import FileView, Held, Outcome, Presentation, ServiceView

if TYPE_CHECKING:
    from tlsa_manager.checks.case import Case
    from tlsa_manager.tlsa import Tlsa

OWNER = f"_25._tcp.{HOST}."
LINEAGE = Lineage(HOST, (Service.parse(f"{HOST}:25"),), "ns1", ("postfix",), policy=Policy())
OLD, NEW = "20261101T000000Z-aaaaaaaa", "20261120T000000Z-bbbbbbbb"
PATH = "/etc/postfix/tls/mx.pem"
CRITICAL = {"F-STALE", "F-OLDCERT", "F-RETRACT", "F-PARTIAL", "F-MIXED"}


def following() -> tuple[bytes, ...]:
    """Return the chain of the next generation."""
    return presented(bits=2049)


def facts(*events: ev.Event) -> Facts:
    """Return what a journal knows: the first generation in service, its record ours, then these events."""
    known = apply(Facts(HOST), ev.Adopted(Generation(OLD, chain_of(presented()))), NOW - 90000)
    known = apply(known, ev.RecordsAdopted(OWNER, (right(),)), NOW - 90000)
    for event in events:
        known = apply(known, event, NOW - 3600)
    return known


def at_home(known: Facts | None = None, *, phase: Phase = Phase.STABLE, **words: object) -> Household:
    """Return a household in order."""
    content = {"postfix": Content(PATH, "ECDSA", NOW - 7200)}
    return Household(LINEAGE, known or facts(), phase, **({"contents": content} | words))  # type: ignore[arg-type]


def of_lineage(
    *records: Tlsa,
    home: Household | None = None,
    chain: tuple[bytes, ...] = (),
    disk: tuple[bytes, ...] = (),
    held: Held | None = None,
) -> Case:
    """Make the case of the lineage: what DNS has, what is presented, what stands on the disk, what the backend has."""
    made = case(*records, chains=(chain or presented(),), household=home or at_home())
    view = FileView("postfix", PATH, chain_of(disk or presented()).fingerprint, configured=True)
    snapshot = replace(made.snapshot, files={"postfix": view}, held={OWNER: held} if held else {})
    return replace(made, snapshot=snapshot, verdicts=judge(made.route, snapshot))


def staged() -> Facts:
    """Return what is known when the next generation was handed over and published."""
    new = Generation(NEW, chain_of(following()))
    return facts(ev.Staged(new), ev.Publishing(OWNER, (next_record(),)), ev.Published(OWNER, (next_record(),)))


def next_record() -> Tlsa:
    """Return the record of the next generation."""
    return right(chain=following())


def loud(made: Case) -> dict[str, str]:
    """Return what is found above notice, by code."""
    return {code: severity for code, severity in codes(made).items() if severity != "notice"}


def test_a_house_in_order() -> None:
    """Nothing above notice; nor with the next record published."""
    assert loud(of_lineage(right())) == {}
    assert loud(of_lineage(right(), next_record(), home=at_home(staged(), phase=Phase.WAITING))) == {}


def test_disk_and_wire() -> None:
    """The file has another certificate than the server: an error while both are published, an outage when only the new one is."""
    swapped = {"home": at_home(staged()), "disk": following()}
    assert codes(of_lineage(right(), next_record(), **swapped))["F-OLDCERT"] == "error"  # type: ignore[arg-type]
    assert "for 2.0 hours" in finding(of_lineage(right(), next_record(), **swapped), "F-OLDCERT").message  # type: ignore[arg-type]


def test_disk_and_wire_while_a_swap_is_being_proven() -> None:
    """Then old processes are expected for a while."""
    known = apply(staged(), ev.Deploying(NEW), NOW - 5)
    made = of_lineage(right(), next_record(), home=at_home(known, phase=Phase.SWAPPING), disk=following())
    assert "F-OLDCERT" not in codes(made)


def test_disk_and_wire_and_the_old_record_withdrawn() -> None:
    """Mail is kept because of the server that was not reloaded; no other cause is told."""
    known = apply(staged(), ev.Retiring(OWNER, (right(),)), NOW - 60)
    made = of_lineage(next_record(), home=at_home(known), disk=following())
    assert {one.code for one in examine(made) if str(one.severity) == "critical"} == {"F-OLDCERT"}


def test_two_kinds_of_certificates_are_no_old_one() -> None:
    """A file with an RSA key beside a server that happened to show ECDSA only proves nothing."""
    rsa = presented("RSA")
    home = at_home(contents={"postfix": Content(PATH, "RSA")})
    assert "F-OLDCERT" not in codes(of_lineage(right(), home=home, disk=rsa))


def test_the_record_in_service_is_gone() -> None:
    """F-RETRACT alone, critical, with the line to publish; without any record mail goes on."""
    made = of_lineage(next_record(), home=at_home())
    assert {one.code for one in examine(made) if str(one.severity) == "critical"} == {"F-RETRACT"}
    assert f"{OWNER} 3600 IN TLSA {right()}" in finding(made, "F-RETRACT").remedy
    assert codes(of_lineage())["F-RETRACT"] == "error"


def test_a_record_that_is_meant_to_go_is_not_missed() -> None:
    """Its removal was begun by ourselves."""
    known = apply(facts(), ev.Retiring(OWNER, (right(),)), NOW - 60)
    assert "F-RETRACT" not in codes(of_lineage(next_record(), home=at_home(known)))


def test_nothing_is_missed_where_a_server_did_not_answer() -> None:
    """Unknown is never absent."""
    made = of_lineage(next_record())
    (view,) = made.snapshot.owners.values()
    silent = replace(view, answers=(*view.answers[:1], replace(view.answers[1], records=None)))
    snapshot = replace(made.snapshot, owners={OWNER: silent})
    assert "F-RETRACT" not in codes(replace(made, snapshot=snapshot))


def test_the_set_was_replaced() -> None:
    """F-PARTIAL alone: the next record took the present one's place."""
    made = of_lineage(next_record(), home=at_home(staged(), phase=Phase.WAITING))
    assert {one.code for one in examine(made) if str(one.severity) == "critical"} == {"F-PARTIAL"}
    assert codes(of_lineage(right(), home=at_home(staged(), phase=Phase.WAITING)))["F-PARTIAL"] == "error"


def test_stuck_behind_the_primary() -> None:
    """F-RESIGN when the primary has had it for longer than the margin, and F-PARTIAL never: it is not lost."""
    held = Held(OWNER, frozenset({right(), next_record()}), 3600)
    made = of_lineage(right(), home=at_home(staged(), phase=Phase.WAITING), held=held)
    assert codes(made)["F-RESIGN"] == "error"
    assert "F-PARTIAL" not in codes(made)
    assert "F-RESIGN" not in codes(replace(made, now=NOW - 3600 + 60))
    assert "F-RESIGN" not in codes(of_lineage(right(), next_record(), home=at_home(staged()), held=held))


def test_a_key_that_the_journal_does_not_know() -> None:
    """Published it is another program's rollover; unpublished it is a renewal that nobody published."""
    stranger = presented(bits=2050)
    both = {"chain": stranger, "disk": stranger}
    assert codes(of_lineage(right(), right(chain=stranger), **both))["F-STATE"] == "error"  # type: ignore[arg-type]
    found = codes(of_lineage(right(), **both))  # type: ignore[arg-type]
    assert found["F-STALE"] == "critical"
    assert "F-STATE" not in found


def test_a_journal_or_store_in_trouble() -> None:
    """Told as they told it."""
    one = finding(of_lineage(right(), home=at_home(trouble=(("the journal cannot be read", "restore it"),))), "F-STATE")
    assert (one.message, one.remedy) == ("the journal cannot be read", "restore it")
    assert OLD in finding(of_lineage(right(), home=at_home(missing=(OLD,))), "F-STATE").message


def test_files_of_the_consumer() -> None:
    """Each sentence under the code of what it is about, its remedy behind the semicolon."""
    made = of_lineage(right())
    view = made.snapshot.files["postfix"]
    problems = ("it reads live; point it elsewhere", "mode 0644; chmod 600", "it is not read; postconf -e this")
    told = replace(view, problems=problems, from_acme=problems[:1], exposed=problems[1:2])
    report = {one.code: one for one in examine(replace(made, snapshot=replace(made.snapshot, files={"postfix": told})))}
    assert [report[code].remedy for code in ("F-HOOK", "F-PERM", "F-FILE")] == [
        "point it elsewhere",
        "chmod 600",
        "postconf -e this",
    ]


def test_keys_and_credentials() -> None:
    """Keys are F-PERM, what opens DNS is F-TSIGFILE."""
    exposed = (Exposed("/a", "/a is open", "chmod 600 /a"), Exposed("/b", "/b is open", "chmod 600 /b", credential=True))
    report = {one.code: one.subject for one in examine(of_lineage(right(), home=at_home(exposed=exposed)))}
    assert (report["F-PERM"], report["F-TSIGFILE"]) == ("/a", "/b")


def test_parts_of_the_file() -> None:
    """Strangers beside each other are an error before the server has read them; a mere disorder may be somebody's right."""
    for content, code, severity in (
        (Content(PATH, "ECDSA", strangers="no"), "F-KEYMISMATCH", "error"),
        (Content(PATH, "ECDSA", disorder="no"), "F-ORDER", "warning"),
    ):
        assert codes(of_lineage(right(), home=at_home(contents={"postfix": content})))[code] == severity


def test_a_file_that_no_server_could_load_is_the_cause() -> None:
    """Then STARTTLS is missing because of it: the file is told, critical, and nothing else is."""
    made = of_lineage(right(), home=at_home(contents={"postfix": Content(PATH, "ECDSA", strangers="no")}))
    (name,) = made.snapshot.services
    bare = (Presentation("192.0.2.1", "any", Outcome.NO_TLS, reason="the server does not offer STARTTLS"),)
    snapshot = replace(made.snapshot, services={name: ServiceView(name, NOW, bare)})
    made = replace(made, snapshot=snapshot, verdicts=judge(made.route, snapshot))
    assert {one.code for one in examine(made) if str(one.severity) == "critical"} == {"F-KEYMISMATCH"}
    assert "F-NOTLS" not in codes(made)


def test_who_is_at_work() -> None:
    """A run is a notice, a run that was not heard for an hour is an error."""
    busy = at_home(holder=Holder("mx", 4711, NOW - 5))
    hung = at_home(holder=Holder("mx", 4711, NOW - 3600))
    assert codes(of_lineage(right(), home=busy))["F-CONCUR"] == "notice"
    one = finding(of_lineage(right(), home=hung), "F-CONCUR")
    assert str(one.severity) == "error"
    assert "kill 4711" in one.remedy


def test_what_shows_that_the_clock_is_wrong() -> None:
    """The root's signatures everywhere, the primary's word, a step since the last look, a step noticed today."""
    assert "F-SKEW" not in codes(of_lineage(right()))
    assert codes(of_lineage(right(), home=at_home(clock_step=-7200.0)))["F-SKEW"] == "warning"
    assert codes(of_lineage(right(), home=at_home(steps=((NOW - 60, 3600.0),))))["F-SKEW"] == "warning"
    held = Held(OWNER, None, reason="the clocks differ by 900 seconds (BADTIME) and nothing was changed; more")
    assert codes(of_lineage(right(), held=held))["F-SKEW"] == "error"
    for zone, cause, found in (
        (".", Cause.SIGNATURE_FUTURE, True), (".", Cause.SIGNATURE_EXPIRED, True),
        ("example.org.", Cause.SIGNATURE_FUTURE, False), (".", Cause.SIGNATURE_BAD, False),
    ):  # fmt: skip
        made = of_lineage(right())
        (view,) = made.snapshot.owners.values()
        answers = tuple(replace(one, security=Security.BOGUS, broken_zone=zone, cause=cause) for one in view.answers)
        snapshot = replace(made.snapshot, owners={OWNER: replace(view, answers=answers)})
        assert ("F-SKEW" in codes(replace(made, snapshot=snapshot))) is found
        partly = replace(made.snapshot, owners={OWNER: replace(view, answers=(answers[0], view.answers[1]))})
        assert "F-SKEW" not in codes(replace(made, snapshot=partly))


def test_a_change_of_the_kind_of_key() -> None:
    """Before it is in service it is told as an error, and also when it was done and RSA clients are shut out."""
    rsa, place = presented("RSA"), "192.0.2.1"
    other = Generation(NEW, chain_of(rsa))
    assert codes(of_lineage(right(), home=at_home(facts(ev.Staged(other)))))["F-KEYTYPE"] == "error"
    known = apply(Facts(HOST), ev.Adopted(Generation(OLD, chain_of(rsa))), NOW - 90000)
    known = apply(known, ev.Staged(Generation(NEW, chain_of(presented()))), NOW - 9000)
    for event in (ev.Deploying(NEW), ev.Deployed(NEW), ev.Confirmed(NEW), ev.Finished(OLD)):
        known = apply(known, event, NOW - 8000)
    made = of_lineage(right(), home=at_home(known))
    (name,) = made.snapshot.services
    seen = (
        Presentation(place, "any", Outcome.PRESENTED, chain_of(presented()), certificates=presented()),
        Presentation(place, "rsa", Outcome.UNSHARED, reason="no shared cipher"),
    )
    met = replace(made, snapshot=replace(made.snapshot, services={name: ServiceView(name, NOW, seen)}))
    assert codes(met)["F-KEYTYPE"] == "error"
    assert codes(replace(met, household=None))["F-KEYTYPE"] == "notice"


def test_a_stranger_s_target_has_no_house() -> None:
    """Without a household nothing of all this is told."""
    house = {
        "F-HOOK",
        "F-PERM",
        "F-TSIGFILE",
        "F-SKEW",
        "F-CONCUR",
        "F-PARTIAL",
        "F-RETRACT",
        "F-STATE",
        "F-RESIGN",
        "F-OLDCERT",
        "F-FILE",
    }
    assert not house & set(codes(case(right(chain=following()))))
