"""The promises of `publish.Backend` over TLSA records, kept by every backend in every trouble it can be in.

A backend takes part by one line in `contract.stands`. What its server cannot be brought into is no test here, and is written
down in docs/backends/README.md (test_features.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract.stand import ALWAYS, outcome, playing, refusal
from tlsa_manager import clock
from tlsa_manager.errors import Conflict, PublishTemporary
from tlsa_manager.publish import Change, LateBackend, Ticket
from tlsa_manager.tlsa import RRset, Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable

    from contract.stand import Stand, Trouble
    from tlsa_manager.publish import Backend

NOW, NEXT, FOREIGN, MEDDLED = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "abc9")
OTHER, LAST = Tlsa.parse(f"2 0 2 {'d' * 128}"), Tlsa.parse(f"3 0 1 {'e' * 64}")
OURS_AND_OTHERS = frozenset({NOW, FOREIGN, OTHER})
NONE: RRset = frozenset()
UNANSWERED = ALWAYS - {"refusal"}  # in which nobody can tell what stands


def adding(target: str, *records: Tlsa, expect: RRset | None = None, ttl: int = 7200) -> Change:
    return Change(target, "", frozenset(records), NONE, expect, ttl)


def removing(target: str, *records: Tlsa, expect: RRset | None = None) -> Change:
    return Change(target, "", NONE, frozenset(records), expect, 7200)


def stands(stand: Stand, target: str, *records: Tlsa) -> None:
    """Assert that exactly these records stand there, each once."""
    assert stand.stands(target)[0] == {str(record) for record in records}
    assert len(stand.spelled(target)) == len(records)


@pytest.fixture
def name(stand: Stand, fresh_in: Callable[[str], str]) -> str:
    """Return an owner name that no other test has used."""
    return fresh_in(stand.zone)


@pytest.fixture
def owner(stand: Stand, name: str) -> str:
    """Make a name where NOW (ours) and two foreign records stand, with a TTL that is not ours."""
    stand.put(name, stand.other_ttl(), *map(str, OURS_AND_OTHERS))
    return name


# --- adding and removing --------------------------------------------------------------------------------------------------


def test_first_record(stand: Stand, name: str) -> None:
    """Where nothing stands, the record is added with the TTL asked for (or the provider's least), and read again."""
    assert stand.backend().read(name).records == NONE
    assert stand.backend().change(adding(name, NOW, expect=NONE, ttl=1234)).state == "done"
    assert stand.stands(name) == ({str(NOW)}, stand.new_ttl(1234))
    held = stand.backend().read(name)
    assert (held.target, held.records, held.ttl) == (name, frozenset({NOW}), stand.new_ttl(1234))


def test_adding_keeps_what_stands_and_its_ttl(stand: Stand, owner: str) -> None:
    """Adding one record keeps all others, and the TTL of the set stays theirs."""
    assert stand.backend().change(adding(owner, NEXT, expect=OURS_AND_OTHERS)).state == "done"
    stands(stand, owner, NOW, NEXT, FOREIGN, OTHER)
    assert stand.stands(owner)[1] == stand.other_ttl()


def test_removing_keeps_the_others_and_their_ttl(stand: Stand, owner: str) -> None:
    """Removing one record removes that one only."""
    assert stand.backend().change(removing(owner, NOW, expect=OURS_AND_OTHERS)).state == "done"
    stands(stand, owner, FOREIGN, OTHER)
    assert stand.stands(owner)[1] == stand.other_ttl()


def test_several_at_once(stand: Stand, owner: str) -> None:
    """A change may add several records, and remove several; in one step where the backend says so."""
    for change in (adding(owner, NEXT, LAST), removing(owner, NEXT, LAST, NOW)):
        before = stand.writes()
        assert stand.backend().change(change).state == "done"
        assert stand.writes() - before == 1 or not stand.together
        assert change.stands_in(stand.backend().read(owner).records or NONE)
    stands(stand, owner, FOREIGN, OTHER)


def test_the_last_record_can_go(stand: Stand, name: str) -> None:
    """After the last record is removed, the backend says that there is none."""
    stand.backend().change(adding(name, NOW))
    assert stand.backend().change(removing(name, NOW, expect=frozenset({NOW}))).state == "done"
    assert stand.backend().read(name).records == NONE
    stands(stand, name)


def test_adding_twice_is_done(stand: Stand, owner: str) -> None:
    """What stands already is done, even when it was planned from what stood before: the first reply may have been lost."""
    planned = adding(owner, NEXT, expect=OURS_AND_OTHERS)
    assert stand.backend().change(planned).state == "done"
    before = stand.writes()
    assert stand.backend().change(planned).state == "done"
    assert stand.writes() - before == int(stand.renews)
    stands(stand, owner, NOW, NEXT, FOREIGN, OTHER)
    assert stand.stands(owner)[1] == stand.other_ttl()


def test_adding_what_stands_in_part(stand: Stand, owner: str) -> None:
    """Of several records one may stand already: no record ever stands twice."""
    assert stand.backend().change(adding(owner, NOW, NEXT)).state == "done"
    stands(stand, owner, NOW, NEXT, FOREIGN, OTHER)


def test_removing_what_is_gone_is_done(stand: Stand, owner: str, fresh_in: Callable[[str], str]) -> None:
    """What is gone already is done, also where there is nothing at all."""
    planned = removing(owner, NOW, expect=OURS_AND_OTHERS)
    assert stand.backend().change(planned).state == "done"
    assert stand.backend().change(planned).state == "done"
    assert stand.backend().change(removing(owner, NOW, NEXT)).state == "done"
    assert stand.backend().change(removing(fresh_in(stand.zone), NOW)).state == "done"
    stands(stand, owner, FOREIGN, OTHER)


@pytest.mark.parametrize("expected", [{NOW}, {NOW, FOREIGN, OTHER, NEXT}, set()], ids=["less", "more", "none"])
def test_not_what_was_expected(stand: Stand, owner: str, expected: set[Tlsa], caplog: pytest.LogCaptureFixture) -> None:
    """When the set is not exactly what the change was planned from, nothing is written."""
    before = stand.writes()
    for change in (adding(owner, Tlsa.parse(f"3 1 1 {'f' * 64}"), expect=frozenset(expected)), removing(owner, NOW, expect=NONE)):
        assert isinstance(refusal(stand, change, caplog), Conflict)
    assert stand.writes() == before
    stands(stand, owner, NOW, FOREIGN, OTHER)


def test_foreign_records_keep_their_spelling(stand: Stand, name: str) -> None:
    """What somebody else has written stays as it was written, in capital letters and with blanks."""
    stand.put(name, stand.other_ttl(), f"3 1 1 {'C' * 64}", f"2 0 2 {'D' * 56} {'D' * 72}")
    spelled = stand.spelled(name)
    for change in (adding(name, NEXT), removing(name, NEXT), adding(name, NOW), removing(name, FOREIGN)):
        assert stand.backend().change(change).state == "done"
        kept = [one for one in spelled if Tlsa.parse(one) not in change.remove]
        assert [one for one in stand.spelled(name) if one in spelled] == kept
    stands(stand, name, NOW, OTHER)


def test_spelling_of_the_name(stand: Stand, name: str) -> None:
    """Capital letters in the name make no difference."""
    stand.backend().change(adding(name.upper(), NOW, expect=NONE))
    stands(stand, name, NOW)
    assert stand.backend().read(name.upper()).records == frozenset({NOW})
    stand.backend().change(removing(name.upper(), NOW))
    stands(stand, name)


# --- what is refused ------------------------------------------------------------------------------------------------------


def test_alias(stand: Stand, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """At an alias nothing is written, the answer says where it leads, and reading cannot tell."""
    stand.put(name, stand.other_ttl(), f"_dane.{stand.zone}", kind="CNAME")
    before = stand.writes()
    for change in (adding(name, NOW), removing(name, NOW)):
        error = refusal(stand, change, caplog)
        assert not isinstance(error, PublishTemporary)
        assert "alias" in error.message
        assert f"_dane.{stand.zone}".rstrip(".") in error.message
    held = stand.backend().read(name)
    assert held.records is None
    assert "alias" in held.reason
    assert stand.stands(name, "CNAME")[0] == {f"_dane.{stand.zone}"}
    assert stand.writes() == before


def test_outside_of_all_zones(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    """A name in no zone of the server, or of the account, is an error that a person has to look at."""
    name = "_25._tcp.mx.elsewhere.example."
    before = stand.writes()
    error = refusal(stand, adding(name, NOW), caplog)
    assert not isinstance(error, PublishTemporary)
    assert "mx.elsewhere.example" in error.message
    held = stand.backend().read(name)
    assert held.records is None
    assert held.reason
    assert stand.writes() == before


def test_stranger(stand: Stand, owner: str, caplog: pytest.LogCaptureFixture) -> None:
    """With a secret that the server does not know nothing is written, and it is no passing trouble."""
    error = refusal(stand, adding(owner, NEXT), caplog, stand.stranger())
    assert not isinstance(error, PublishTemporary)
    held = stand.stranger().read(owner)
    assert held.records is None
    assert held.reason
    stands(stand, owner, NOW, FOREIGN, OTHER)


# --- in trouble -----------------------------------------------------------------------------------------------------------


def patient(stand: Stand) -> Backend:
    """Open a backend that gives up soon."""
    return stand.backend(timeout=stand.patience)


@playing("refusal")
def test_refused(stand: Stand, trouble: Trouble, owner: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who may not is told so for good; nothing is written."""
    with stand.trouble(trouble, owner):
        for change in (adding(owner, NEXT), removing(owner, NOW)):
            error = refusal(stand, change, caplog)
            assert not isinstance(error, PublishTemporary)
    stands(stand, owner, NOW, FOREIGN, OTHER)


@playing("limit", "broken", "dead", "lost-request")
@pytest.mark.parametrize("what", ["add", "remove"])
def test_passing_trouble(stand: Stand, trouble: Trouble, owner: str, what: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is written, it may be tried again, and then it is done."""
    change = adding(owner, NEXT, expect=OURS_AND_OTHERS) if what == "add" else removing(owner, NOW, expect=OURS_AND_OTHERS)
    with stand.trouble(trouble, owner):
        error = refusal(stand, change, caplog, patient(stand))
    assert isinstance(error, PublishTemporary)
    assert not isinstance(error, Conflict)
    stands(stand, owner, NOW, FOREIGN, OTHER)
    assert stand.backend().change(change).state == "done"
    stands(stand, owner, *(OURS_AND_OTHERS | change.add) - change.remove)


@playing("lost-answer", "nonsense")
@pytest.mark.parametrize("what", ["add", "remove"])
def test_done_or_not(stand: Stand, trouble: Trouble, owner: str, what: str, caplog: pytest.LogCaptureFixture) -> None:
    """When the answer says nothing, the backend looks; or else it says so, and the same may be asked again."""
    change = adding(owner, NEXT, expect=OURS_AND_OTHERS) if what == "add" else removing(owner, NOW, expect=OURS_AND_OTHERS)
    with stand.trouble(trouble, owner):
        end = outcome(stand, change, caplog, patient(stand))
    assert isinstance(end, (Ticket, PublishTemporary))
    assert stand.backend().change(change).state == "done"
    stands(stand, owner, *(OURS_AND_OTHERS | change.add) - change.remove)
    assert stand.stands(owner)[1] == stand.other_ttl()


@playing("broken", "limit", "lost-answer", "lost-request", "nonsense", "refusal", apart=True)
@pytest.mark.parametrize("what", ["add", "remove"])
def test_half_of_a_change(stand: Stand, trouble: Trouble, owner: str, what: str, caplog: pytest.LogCaptureFixture) -> None:
    """Where records are written one after the other, the same change may be asked again when the second went wrong."""
    change = adding(owner, NEXT, LAST) if what == "add" else removing(owner, NOW, FOREIGN)
    with stand.trouble(trouble, owner, spared=1):
        end = outcome(stand, change, caplog, patient(stand))
    assert isinstance(end, (Ticket, PublishTemporary)) or trouble == "refusal"
    found = {Tlsa.parse(one) for one in stand.stands(owner)[0]}
    assert OURS_AND_OTHERS - change.remove <= found <= OURS_AND_OTHERS | change.add
    assert change.stands_in(frozenset(found)) or not isinstance(end, Ticket)
    assert stand.backend().change(change).state == "done"
    stands(stand, owner, *(OURS_AND_OTHERS | change.add) - change.remove)
    assert stand.stands(owner)[1] == stand.other_ttl()


@playing("limit")
def test_asked_too_often(
    stand: Stand, trouble: Trouble, owner: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who is told when to come again does not even ask before that moment, and then it is done."""
    backend, change, began = stand.backend(), adding(owner, NEXT), clock.now()
    with stand.trouble(trouble, owner):
        error = refusal(stand, change, caplog, backend)
    assert isinstance(error, PublishTemporary)
    assert error.until > began + 5
    before = stand.asked()
    again = refusal(stand, change, caplog, backend)
    assert isinstance(again, PublishTemporary)
    assert again.until == error.until
    assert backend.read(owner).records is None
    assert stand.asked() == before
    monkeypatch.setattr(clock, "now", lambda: error.until + 1)
    assert backend.read(owner).records == OURS_AND_OTHERS


@playing(*UNANSWERED)
def test_reading_in_trouble(stand: Stand, trouble: Trouble, owner: str) -> None:
    """Who cannot be asked has said nothing: reading says that it cannot tell, and why; never that there is none."""
    backend = patient(stand)
    with stand.trouble(trouble, owner, reads=True):
        held = backend.read(owner)
    assert held.target == owner
    assert held.records is None
    assert held.reason


@playing("refusal")
def test_reading_what_may_not_be_written(stand: Stand, trouble: Trouble, owner: str) -> None:
    """Who may look but not write sees what stands; who may not look says so."""
    with stand.trouble(trouble, owner, reads=True):
        held = stand.backend().read(owner)
    assert held.records in {None, OURS_AND_OTHERS}
    assert held.reason or held.records


@playing("conflict")
@pytest.mark.parametrize("before", [{NOW, FOREIGN}, set()], ids=["some", "none"])
def test_another_writer_in_the_middle(
    stand: Stand, trouble: Trouble, name: str, before: set[Tlsa], caplog: pytest.LogCaptureFixture
) -> None:
    """What somebody else adds between our reading and our writing survives; who compares in one step writes nothing then.

    Who does not may find out that something has changed, or write ours beside it.
    """
    if before:
        stand.put(name, stand.other_ttl(), *map(str, before))
    planned = adding(name, NEXT, expect=frozenset(before))
    with stand.trouble(trouble, name):
        end = outcome(stand, planned, caplog, stand.backend())
    assert isinstance(end, Conflict if stand.compares else (Conflict, Ticket)), end
    stands(stand, name, *before, MEDDLED, *([NEXT] if isinstance(end, Ticket) else []))


# --- in force later -------------------------------------------------------------------------------------------------------


def test_in_force(stand: Stand, owner: str) -> None:
    """A backend whose changes come into force later numbers them, and says when they are in force; no other does."""
    in_force_later(stand, stand.backend().change(adding(owner, NEXT)))


def test_in_force_as_it_stands(stand: Stand, owner: str) -> None:
    """What is found standing has a number, too: who wrote it may have died before he could write its number down."""
    assert stand.backend().change(adding(owner, NEXT)).state == "done"
    in_force_later(stand, stand.backend().change(adding(owner, NEXT)))
    assert bool(stand.backend().change(removing(owner, LAST)).number) is stand.late
    stands(stand, owner, NOW, NEXT, FOREIGN, OTHER)


@playing("lost-answer")
def test_in_force_after_a_lost_answer(stand: Stand, trouble: Trouble, owner: str, caplog: pytest.LogCaptureFixture) -> None:
    """A change whose answer was lost is done with a number, or not known to be done."""
    with stand.trouble(trouble, owner):
        end = outcome(stand, adding(owner, NEXT), caplog, patient(stand))
    if isinstance(end, Ticket):
        in_force_later(stand, end)


def in_force_later(stand: Stand, ticket: Ticket) -> None:
    """Make sure that a change has a number where it comes into force later, not at once but soon."""
    backend = stand.backend()
    assert bool(ticket.number) is getattr(backend, "late", False) is stand.late
    if ticket.number:
        assert isinstance(backend, LateBackend)
        assert not backend.settled(ticket.number)
        assert any(backend.settled(ticket.number) for _ in range(50))
