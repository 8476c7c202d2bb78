"""How TXT records of proofs are journalled, waited for and removed, whoever fails and whenever the process dies."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tlsa_manager import clock, proof
from tlsa_manager.config import Config
from tlsa_manager.errors import PublishError, PublishTemporary
from tlsa_manager.journal import Journal
from tlsa_manager.lineage import Lineage
from tlsa_manager.observe.texts import TextAnswer, TextView
from tlsa_manager.order import Token
from tlsa_manager.proof import Proofs
from tlsa_manager.publish import Text, Ticket
from tlsa_manager.rollover import events as ev
from tlsa_manager.security import Cause, Security

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tlsa_manager.snapshot import Held

LINEAGE = Lineage("mx.example.org", ())
NAME, ALIAS, TARGET = "_acme-challenge.mx.example.org.", "_acme-challenge.example.org.", "proofs.example.net."
FIRST, SECOND = "A" * 43, "B" * 43
SERVERS = ("ns1.example.org (192.0.2.1)", "ns2.example.org (192.0.2.2)")


class Killed(BaseException):
    """The process ends here, as kill -9 ends it: nothing of ours runs any more."""


class World:
    """A zone, the backend that writes it, and what its servers answer; and who is to be killed when."""

    name = "ns1"

    def __init__(self, directory: Path) -> None:
        self.journal = Journal(directory / "journal.sqlite3")
        self.zone: set[tuple[str, str]] = set()
        self.said: list[str] = []
        self.acts: list[str] = []
        self.kill_after = -1  # acts
        self.refusal: Callable[[Text], PublishError | None] = lambda _text: None
        self.asks = False
        self.lag = Counter[str]()  # looks until a server has what stands in the zone
        self.unknown: dict[str, str] = {}  # why a server does not answer
        self.problem, self.cause = "", Cause.NONE
        self.security, self.why = Security.SECURE, Cause.NONE

    def read(self, target: str) -> Held:
        """Nobody asks a proof's backend for TLSA."""
        raise AssertionError(target)

    def change(self, change: object) -> Ticket:
        """Nobody has it change TLSA."""
        raise AssertionError(change)

    def text(self, text: Text) -> Ticket:
        """Write one record, if it is not refused; a process may die before and after."""
        self._die()
        if error := self.refusal(text):
            raise error
        if self.asks:
            return Ticket("asked", f"{'Add' if text.present else 'Remove'} {text.value}")
        (self.zone.add if text.present else self.zone.discard)((text.target, text.value))
        self._die()
        return Ticket("done")

    def facts(self, lineage: str) -> object:
        """Return what the journal says."""
        return self.journal.facts(lineage)

    def append(self, lineage: str, event: ev.Event, at: float) -> None:
        """Journal it; a process may die before and after."""
        self._die()
        self.journal.append(lineage, event, at)
        self._die()

    def look(self, names: Iterable[str]) -> dict[str, TextView]:
        """Ask every server."""
        return {name: self._view(name) for name in names}

    def tokens(self) -> set[Token]:
        """Return what is still to be removed."""
        return set(self.journal.facts(LINEAGE.name).tokens)

    def proofs(self, *, timeout: float = 30.0, spared: Iterable[Token] = ()) -> Proofs:
        """Begin as a new process begins."""
        config = Config(Path("/c"), (), None, "", Path("/"))
        return Proofs(
            LINEAGE, self, self, config, self.said.append, timeout=timeout, look=self.look, spared={*spared}  # type: ignore[arg-type]
        )  # fmt: skip

    def _view(self, name: str) -> TextView:
        if self.problem and self.cause:
            return TextView(name, problem=self.problem, cause=self.cause)
        target = TARGET if name == ALIAS else name
        zone = "example.net." if name == ALIAS else "example.org."
        return TextView(name, target, zone, tuple(self._answer(place, target) for place in SERVERS), self.problem)

    def _answer(self, place: str, target: str) -> TextAnswer:
        if place in self.unknown:
            return TextAnswer(place, None, reason=self.unknown[place])
        values = {value for where, value in self.zone if where == target}
        if values and self.lag[place] > 0:
            self.lag[place] -= 1
            values = set()
        return TextAnswer(place, frozenset(values), self.security, "the signature has expired", self.why)

    def _die(self) -> None:
        self.acts.append("act")
        if len(self.acts) == self.kill_after:
            raise Killed


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Make a world in which waiting takes no time."""
    moment = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: moment[0])
    monkeypatch.setattr(clock, "sleep", lambda seconds: moment.__setitem__(0, moment[0] + seconds))
    return World(tmp_path)


def test_shown_everywhere_and_taken_away(world: World) -> None:
    """Every value stands at its target, aliases followed, and is known to the journal; afterwards nothing is left of it."""
    world.proofs().show({NAME: (FIRST, SECOND), ALIAS: (FIRST,)})
    assert world.zone == {(NAME, FIRST), (NAME, SECOND), (TARGET, FIRST)}
    assert world.tokens() == {
        Token(NAME, "example.org.", FIRST), Token(NAME, "example.org.", SECOND), Token(TARGET, "example.net.", FIRST)
    }  # fmt: skip
    world.proofs().take_away()
    assert (world.zone, world.tokens()) == (set(), set())
    assert "removed" in world.said[-1]


def test_shown_twice_is_journalled_once(world: World) -> None:
    """An order that is gone on with shows the same again; the list of what is to be removed does not grow."""
    for _ in range(2):
        world.proofs().show({NAME: (FIRST, FIRST)})
    kinds = [type(entry.event) for entry in world.journal.entries(LINEAGE.name)]
    assert kinds == [ev.Proving]


def test_what_another_order_left_goes_and_what_is_needed_stays(world: World) -> None:
    """Another order has other tokens: only those that are not asked for any more are removed."""
    world.proofs().show({NAME: (FIRST,), ALIAS: (FIRST,)})
    world.proofs().show({NAME: (FIRST, SECOND)})
    assert world.zone == {(NAME, FIRST), (NAME, SECOND)}
    assert {(token.target, token.value) for token in world.tokens()} == world.zone
    proving = [entry.event for entry in world.journal.entries(LINEAGE.name) if isinstance(entry.event, ev.Proving)]
    assert len(proving) == 3


def test_what_is_left_and_cannot_be_removed_stops_no_proof(world: World) -> None:
    """It stays on the list, and it is told."""
    world.proofs().show({NAME: (FIRST,)})
    world.refusal = lambda text: None if text.present else PublishError("not now", "later")
    world.proofs().show({NAME: (SECOND,)})
    assert any("stays for now: not now" in text for text in world.said)
    assert {token.value for token in world.tokens()} == {FIRST, SECOND}


def test_what_others_need_is_spared(world: World) -> None:
    """A rehearsal beside an order removes its own records only."""
    world.proofs().show({NAME: (FIRST,)})
    spared = world.tokens()
    world.proofs(spared=spared).show({NAME: (SECOND,)})
    world.proofs(spared=spared).take_away()
    assert world.zone == {(NAME, FIRST)}
    assert world.tokens() == spared


def test_nothing_to_take_away_says_nothing(world: World) -> None:
    """Taking away where there is nothing touches nothing."""
    world.proofs().take_away()
    assert (world.acts, world.said) == ([], [])


def test_it_waits_for_the_slowest_server(world: World) -> None:
    """It returns only when the last server answers, and tells whom it waits for."""
    world.lag[SERVERS[1]] = 8
    world.proofs().show({NAME: (FIRST,)})
    assert world.lag[SERVERS[1]] == 0
    assert any("still waiting" in text and SERVERS[1] in text and SERVERS[0] not in text for text in world.said)


def test_who_waits_long_says_so_again(world: World) -> None:
    """While it waits it is heard of at least once a minute: whoever holds a lease has to be."""
    world.lag[SERVERS[1]] = 10**6
    with pytest.raises(PublishTemporary):
        world.proofs(timeout=600).show({NAME: (FIRST,)})
    assert 10 <= sum("still waiting" in text for text in world.said) <= 25


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda world: world.lag.update({SERVERS[1]: 10**6}), f"{SERVERS[1]} does not have it yet"),
        (lambda world: world.unknown.update({SERVERS[1]: "did not answer"}), f"{SERVERS[1]} did not answer"),
        (lambda world: setattr(world, "problem", "ns3 has no known address"), "ns3 has no known address"),
        (lambda world: setattr(world, "security", Security.BOGUS), "no authority that validates will believe it: the signature"),
    ],
)
def test_an_authority_is_told_nothing_before_it_is_everywhere(world: World, spoil: Callable[[World], None], words: str) -> None:
    """Time runs out with the server's name; the records stay for the next try, and can be removed."""
    spoil(world)
    with pytest.raises(PublishTemporary) as caught:
        world.proofs().show({NAME: (FIRST,)})
    assert words in caught.value.message
    assert caught.value.hint
    assert len(world.tokens()) == 1
    world.proofs().take_away()
    assert (world.zone, world.tokens()) == (set(), set())


def test_an_anchor_of_our_own_that_does_not_fit_stops_nobody(world: World) -> None:
    """Where only our own trust anchor is out of date, others validate well."""
    world.security, world.why = Security.BOGUS, Cause.ANCHOR
    world.proofs().show({NAME: (FIRST,)})


def test_a_part_of_the_values_is_not_enough(world: World) -> None:
    """Each value counts: the authority looks for each."""
    world.refusal = lambda text: PublishTemporary("later", "again") if text.value == SECOND else None
    with pytest.raises(PublishTemporary, match="later"):
        world.proofs().show({NAME: (FIRST, SECOND)})
    assert {token.value for token in world.tokens()} == {FIRST, SECOND}, "the second may have been written"


def test_where_nobody_knows_where_it_belongs_nothing_is_written(world: World) -> None:
    """Without a single answer there may be an alias: nothing is journalled, nothing is written."""
    world.unknown = dict.fromkeys(SERVERS, "answered REFUSED")
    world.problem, world.cause = "the resolver does not answer", Cause.LOST
    with pytest.raises(PublishTemporary, match="the resolver does not answer") as caught:
        world.proofs().show({NAME: (FIRST,)})
    assert "nothing was written" in caught.value.hint
    assert (world.acts, world.zone) == ([], set())


def test_a_circle_of_aliases_is_an_error_at_once(world: World) -> None:
    """Waiting helps nobody there."""
    world.problem, world.cause = "the aliases go round in a circle", Cause.LOOP
    with pytest.raises(PublishError) as caught:
        world.proofs().show({NAME: (FIRST,)})
    assert not isinstance(caught.value, PublishTemporary)


def test_an_alias_to_where_the_backend_may_not_write(world: World) -> None:
    """The words name the alias, where it leads, and the backend; what was never there is given up when no server has it."""
    world.refusal = lambda _text: PublishError("may not change it", "allow it")
    with pytest.raises(PublishError) as caught:
        world.proofs().show({ALIAS: (FIRST,)})
    for word in (ALIAS, TARGET, "example.net.", "backend ns1", "may not change it"):
        assert word in caught.value.message
    assert "allow it" in caught.value.hint
    world.proofs().take_away()
    assert world.tokens() == set()


@pytest.mark.parametrize("kind", [PublishError, PublishTemporary])
def test_what_cannot_be_removed_is_tried_again(world: World, kind: type[PublishError]) -> None:
    """It stays in the facts while it stands; others are removed, and later it is, too."""
    world.proofs().show({NAME: (FIRST, SECOND)})
    world.refusal = lambda text: kind("not now", "later") if text.value == SECOND else None
    with pytest.raises(kind, match="not now"):
        world.proofs().take_away()
    assert {token.value for token in world.tokens()} == {SECOND}
    world.refusal = lambda _text: None
    world.proofs().take_away()
    assert (world.zone, world.tokens()) == (set(), set())


def test_a_backend_out_of_reach_is_asked_once(world: World) -> None:
    """Fifty names must not wait fifty times for a server that hangs."""
    world.proofs().show({f"_acme-challenge.mx{number}.example.org.": (FIRST,) for number in range(50)})
    world.acts.clear()
    world.refusal = lambda _text: PublishTemporary("not now", "later")
    with pytest.raises(PublishTemporary):
        world.proofs().take_away()
    assert len(world.acts) == 1


def test_removed_only_where_no_server_can_be_asked(world: World) -> None:
    """Unknown is never absent: what the backend may not touch and a server does not tell stays in the list."""
    world.proofs().show({NAME: (FIRST,)})
    world.zone.clear()
    world.refusal = lambda _text: PublishError("no", "")
    world.unknown = {SERVERS[1]: "did not answer"}
    with pytest.raises(PublishError):
        world.proofs().take_away()
    assert len(world.tokens()) == 1


def test_a_person_is_asked_and_looked_after(world: World) -> None:
    """By hand: the person is told what to add and to remove; only the name servers say that it is done."""
    world.asks = True

    def person(_names: Iterable[str], look: Callable[[Iterable[str]], dict[str, TextView]] = world.look) -> dict[str, TextView]:
        if f"Add {FIRST}" in world.said:
            world.zone.add((NAME, FIRST))
        return look(_names)

    world.look = person  # type: ignore[method-assign]
    world.proofs().show({NAME: (FIRST,)})
    with pytest.raises(PublishError, match="still stands"):
        world.proofs().take_away()
    assert world.said[-1] == f"Remove {FIRST}"
    assert len(world.tokens()) == 1
    world.said.clear()
    world.zone.clear()
    world.proofs().take_away()
    assert world.tokens() == set()


def test_a_person_who_is_slow_is_told_what_to_add_until_it_stands(world: World) -> None:
    """The error names it, and what to do; asked again it is told again, but not once it stands somewhere."""
    world.asks = True
    for _ in range(2):
        with pytest.raises(PublishTemporary, match="somebody has to add") as caught:
            world.proofs().show({NAME: (FIRST,)})
        assert caught.value.hint == f"Add {FIRST}"
    assert world.said.count(f"Add {FIRST}") == 2
    world.said.clear()
    world.zone.add((NAME, FIRST))
    world.lag[SERVERS[1]] = 10**6
    with pytest.raises(PublishTemporary) as caught:
        world.proofs().show({NAME: (FIRST,)})
    assert "somebody has to add" not in caught.value.message
    assert f"{SERVERS[1]} does not have it yet" in caught.value.message
    world.lag.clear()
    world.proofs().show({NAME: (FIRST,)})
    assert f"Add {FIRST}" not in world.said
    assert len([entry for entry in world.journal.entries(LINEAGE.name) if isinstance(entry.event, ev.Proving)]) == 1


@pytest.mark.parametrize("acts", range(1, 17))
def test_killed_at_any_act_nothing_is_left_behind(world: World, acts: int) -> None:
    """Wherever the process dies, while showing or while taking away: the next one removes all, whatever was done by then."""
    world.kill_after = acts

    def whole_life() -> None:
        world.proofs().show({NAME: (FIRST,), ALIAS: (SECOND,)})
        world.proofs().take_away()

    with pytest.raises(Killed):
        whole_life()
    assert world.zone <= {(token.target, token.value) for token in world.tokens()}, "what stands is on the list"
    world.proofs().take_away()
    assert (world.zone, world.tokens()) == (set(), set())


def test_patience_ends_after_five_minutes() -> None:
    """That is what the documents say."""
    assert proof.TIMEOUT == 300
