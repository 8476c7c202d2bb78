"""From "a certificate is due" to "it is in the store": every failure, every crash, with an authority that does as it is told."""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pki
import pytest
from cryptography import x509

from tlsa_manager import clock, config, issue, issuing, wiring
from tlsa_manager.errors import IssueError, IssueTemporary, NotYet, PublishTemporary, TlsaManagerError, Unsafe
from tlsa_manager.issue import Advice, Wish
from tlsa_manager.option import Option
from tlsa_manager.order import Order, Token
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import renewal
from tlsa_manager.rollover.plan import Plan
from tlsa_manager.rollover.steps import Wait
from tlsa_manager.verbs import staging

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tlsa_manager.issue import Diary, Prover
    from tlsa_manager.rollover.facts import Facts

NAME = "mx.example"
DIRECTORY = "https://ca.example/dir"
CONFIG = """
[defaults]
resolver = ["127.0.0.1"]
directory = "{directory}/state"
[dns.by-hand]
backend = "manual"
[consumer.postfix]
type = "postfix"
file = "{directory}/mx.pem"
[issuer.fake]
type = "fake"
directory = "https://ca.example/dir"
[lineage."mx.example"]
services = ["mx.example:25"]
dns = "by-hand"
consumers = ["postfix"]
issuer = "{issuer}"
{more}
"""


class Died(BaseException):
    """The process was killed here."""


@dataclass
class World:
    """What outlives a process: the authority and its orders, DNS; and when the process dies.

    `dies_at`: at which act, counted from 1; 0 = never. `trouble`: what the authority raises instead of placing an order;
    `blocked`: what every change of DNS raises; `late`: what is raised after proofs were added; `lasts`: an order's life, seconds.
    """

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    dns: set[str] = field(default_factory=set)
    dies_at: int = 0
    acts: int = 0
    trouble: Exception | None = None
    blocked: Exception | None = None
    late: Exception | None = None
    lasts: float = 0.0
    advice: Advice | None = None
    asked: int = 0
    rehearsed: list[Wish] = field(default_factory=list)
    replaced: list[bytes] = field(default_factory=list)

    def act(self) -> None:
        """Do one more thing, or die; the dead do nothing."""
        self.acts += 1
        if self.dies_at and self.acts >= self.dies_at:
            raise Died

    def reborn(self, dies_at: int = 0) -> None:
        """Start another process."""
        self.acts, self.dies_at = 0, dies_at


@dataclass
class Authority:
    """An issuer as the contract has it, without a network."""

    world: World
    name: str = "fake"

    def obtain(self, wish: Wish, former: Order | None, diary: Diary, prover: Prover) -> bytes:
        """Go on with the former order, or place a new one."""
        world = self.world
        world.replaced.append(wish.replaces)
        url = former.url if former and former.url in world.orders else ""
        if former and not url:
            lost = [one for one, order in world.orders.items() if order["names"] == wish.names and not order["chain"]]
            url = lost[0] if lost else ""
        if not url:
            order = Order(DIRECTORY, wish.names, wish.key)
            diary.ordering(order)
            if world.trouble:
                raise world.trouble
            world.act()
            url = f"https://ca.example/order/{len(world.orders) + 1}"
            world.orders[url] = {"names": wish.names, "chain": b""}
            diary.ordered(replace(order, url=url, expires=clock.now() + world.lasts if world.lasts else 0.0))
        try:
            prover.show({f"_acme-challenge.{NAME}.": (f"proof-{url[-1]}",)})
            world.act()
            key = x509.load_pem_x509_csr(wish.request).public_key()
            world.orders[url]["chain"] = world.orders[url]["chain"] or pki.authority().chain(*wish.names, key=Public(key))
        except (PublishTemporary, IssueTemporary):
            raise  # the order stands, and what was shown stays with it
        except Exception:  # whatever it is, it goes on to the caller: the proofs are taken away first, as a real issuer does
            prover.take_away()
            raise
        prover.take_away()
        world.act()
        return world.orders[url]["chain"]

    def rehearse(self, wish: Wish, diary: Diary, prover: Prover) -> None:
        """Remember it."""
        self.world.rehearsed.append(wish)
        if self.world.trouble:
            raise self.world.trouble
        diary.told("trying")

    def advice(self, certificate: bytes, now: float) -> Advice | None:
        """Say what the test wants."""
        self.world.asked += 1
        if self.world.trouble:
            raise self.world.trouble
        return self.world.advice


@dataclass
class Public:
    """The public half where a key is wanted."""

    half: Any

    def public_key(self) -> Any:
        """It is that already."""
        return self.half


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An authority that is configured as `type = "fake"`, and DNS that takes proofs."""
    made = World()

    class Proofs:
        """Shows and removes one TXT record, as the real ones do: journalled before and after."""

        def __init__(self, lineage: Any, backend: Any, memory: Any, config: Any, told: Any, *, spared: Any = ()) -> None:
            self.name, self.memory, self.spared = lineage.name, memory, frozenset(spared)

        def show(self, records: Mapping[str, tuple[str, ...]]) -> None:
            """Add it, and remove others."""
            (value,) = records[f"_acme-challenge.{NAME}."]
            token = Token(f"_acme-challenge.{NAME}.", "", value)
            if token not in self.memory.facts(self.name).tokens:
                self.memory.append(self.name, ev.Proving(token), clock.now())
            if made.blocked:
                raise made.blocked
            made.act()
            made.dns.add(value)
            self._remove(token)
            if made.late:
                raise made.late

        def take_away(self) -> None:
            """Remove all that is journalled."""
            self._remove()

        def _remove(self, *wanted: Token) -> None:
            for token in self.memory.facts(self.name).tokens - self.spared - {*wanted}:
                made.act()
                if made.blocked:
                    raise made.blocked
                made.dns.discard(token.value)
                self.memory.append(self.name, ev.Proved(token), clock.now())

    kind = types.ModuleType("fake_authority")
    kind.OPTIONS = (Option("directory", "str", "where"),)  # type: ignore[attr-defined]
    kind.build = lambda name, settings, directory: Authority(made)  # type: ignore[attr-defined]
    proof = types.ModuleType("tlsa_manager.proof")
    proof.Proofs = Proofs  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_authority", kind)
    monkeypatch.setitem(sys.modules, "tlsa_manager.proof", proof)
    monkeypatch.setitem(issue.KINDS, "fake", "fake_authority")
    return made


class Engine:
    """Keeps a plan, and looks at nothing."""

    def __init__(self, home: wiring.House) -> None:
        self.home, self.did = home, list[str]()

    def advance(self, name: str) -> Wait:
        """Have nothing to do for an hour."""
        self.did.append(name)
        self.home.journal.facts(name)
        now = clock.now()
        self.home.journal.keep_plan(name, Plan(now + 3600, "nothing", "", (), None, (now, "", 0.0)))
        return Wait(now + 3600, "nothing is due")

    def publish(self, name: str) -> None:
        """Nothing: there is no DNS."""


def house(directory: Path, world: World, *, issuer: str = "fake", more: str = "") -> wiring.House:
    """Start a process of the program: what it knows is on the disk. It dies at the world's word, also between two lines."""
    (directory / "config.toml").write_text(CONFIG.format(directory=directory, issuer=issuer, more=more))
    home = wiring.House(config.load(directory / "config.toml"))
    home.__dict__["engine"] = Engine(home)
    for owner, word in ((home.journal, "append"), (home.store, "put"), (home.store, "put_key")):
        setattr(owner, word, mortal(world, getattr(owner, word)))
    return home


def mortal(world: World, act: Callable[..., Any]) -> Callable[..., Any]:
    """Let the process die before an act, and (at the next act) after it."""

    def one(*args: Any, **words: Any) -> Any:
        world.act()
        return act(*args, **words)

    return one


def known(home: wiring.House) -> Facts:
    return home.journal.facts(NAME)


def in_service(home: wiring.House) -> None:
    """Put the newest certificate into service, as a rollover would."""
    latest = renewal.newest(known(home))
    assert latest is not None
    home.journal.append(NAME, ev.Adopted(latest), clock.now())


def of(home: wiring.House, kind: type) -> list[Any]:
    return [one.event for one in home.journal.entries(NAME) if isinstance(one.event, kind)]


def test_a_run_orders_the_first_certificate_and_stages_it(tmp_path: Path, world: World) -> None:
    """For the next key, which was kept and journalled before anybody was asked; then the engine goes on with it."""
    home = house(tmp_path, world)
    assert home.run() == {}
    facts = known(home)
    assert home.engine.did == [NAME, NAME]  # type: ignore[attr-defined]
    assert facts.standby is not None
    latest = facts.generation(facts.next)
    assert latest is not None
    assert (latest.spki, latest.origin, latest.names) == (facts.standby.spki_sha256, "issuer.fake", (NAME,))
    order = [type(one.event).__name__ for one in home.journal.entries(NAME)]
    assert order == ["Prepared", "Ordering", "Ordered", "Proving", "Proved", "Staged", "OrderEnded"]
    assert (facts.order, world.dns, len(world.orders)) == (None, set(), 1)
    assert home.run([NAME], anyway=True) == {}
    assert len(world.orders) == 1, "what is on its way is not ordered twice"


def test_a_run_with_nothing_due_asks_nobody_and_imports_nothing_of_it(tmp_path: Path, world: World) -> None:
    """The plan knows when the next certificate is due; until then the lineage is not even looked at."""
    home = house(tmp_path, world)
    home.run()
    in_service(home)
    home.run()
    plan = home.journal.plan(NAME)
    assert plan is not None
    assert plan.wake_at <= clock.now() + 3600
    home.run()
    did = len(home.engine.did)  # type: ignore[attr-defined]
    assert not home.due(NAME, clock.now())
    home.run()
    assert len(home.engine.did) == did  # type: ignore[attr-defined]


def test_the_plan_wakes_at_the_renewal_and_not_later(tmp_path: Path, world: World) -> None:
    """A window of the authority lies ahead by minutes only."""
    now = clock.now()
    world.advice = Advice(now + 300, now + 301, now + 50000, "https://ca.example/why")
    home = house(tmp_path, world)
    home.run()
    in_service(home)
    home.run()  # asks
    assert world.asked == 1
    home.run([NAME], anyway=True)
    plan, planned = home.journal.plan(NAME), known(home).renewal
    assert plan is not None
    assert planned is not None
    assert now + 300 <= planned.at <= now + 301
    assert plan.wake_at == planned.at
    assert planned.why == "its authority asks for it: https://ca.example/why"
    assert planned.ask_again >= now + 86400, "at most daily"
    assert world.asked == 1
    assert not home.due(NAME, planned.at - 1)
    assert home.due(NAME, planned.at)


@pytest.mark.parametrize("trouble", [IssueTemporary("later", until=2e9), IssueError("what?"), None])
def test_an_authority_that_does_not_say_leaves_it_at_two_thirds(tmp_path: Path, world: World, trouble: Exception | None) -> None:
    """It is asked again when it said, or in some hours, or never again where it does not know the question."""
    home = house(tmp_path, world)
    home.run()
    in_service(home)
    world.trouble = trouble
    home.run()
    planned, current = known(home).renewal, known(home).generation(known(home).current)
    assert planned is not None
    assert current is not None
    assert planned.at == renewal.usual_at(current)
    expected = {IssueTemporary: 2e9, IssueError: clock.now() + 6 * 3600, type(None): planned.at}[type(trouble)]
    assert planned.ask_again == pytest.approx(expected, abs=60)
    assert not of(home, ev.Failed)


def test_a_plan_outlives_an_authority_that_does_not_answer(tmp_path: Path, world: World) -> None:
    """The moment that was chosen stays."""
    now = clock.now()
    world.advice = Advice(now + 3000, now + 3001, now)
    home = house(tmp_path, world)
    home.run()
    in_service(home)
    home.run()
    first = known(home).renewal
    assert first is not None
    home.journal.append(NAME, ev.RenewalPlanned(replace(first, ask_again=now)), now)
    world.trouble = IssueTemporary("later")
    home.run()
    second = known(home).renewal
    assert second is not None
    assert (second.at, world.asked) == (first.at, 2)
    assert second.ask_again > now


def test_a_renewal_takes_the_next_key_and_says_what_it_replaces(tmp_path: Path, world: World) -> None:
    """The certificate of the same authority, and no other (RFC 9773 §5)."""
    home = house(tmp_path, world)
    home.run()
    in_service(home)
    first = known(home).generation(known(home).current)
    assert first is not None
    key = home.next_key(NAME)
    assert home.order([NAME], insist=True) == {}
    second = renewal.newest(known(home))
    assert second is not None
    assert second.spki != first.spki
    assert home.store.read(NAME, second.id).key_pem == key
    assert world.replaced[0] == b""
    assert x509.load_pem_x509_certificates(world.replaced[1])[0].serial_number
    assert len(x509.load_pem_x509_certificates(world.replaced[1])) == 1


def test_a_renewal_keeps_the_key_where_it_is_reused(tmp_path: Path, world: World) -> None:
    """Until somebody wants another."""
    home = house(tmp_path, world, more="reuse-key = true")
    home.run()
    in_service(home)
    first = renewal.newest(known(home))
    assert home.order([NAME], insist=True) == {}
    second = renewal.newest(known(home))
    assert first is not None
    assert second is not None
    assert first.id != second.id
    assert first.spki == second.spki
    in_service(home)
    home.journal.append(NAME, ev.KeyDue(), clock.now())
    assert home.order([NAME]) == {}, "who asked for another key and asks to renew means now"
    third = renewal.newest(known(home))
    assert third is not None
    assert third.spki != first.spki


def test_a_refusal_burns_no_key(tmp_path: Path, world: World) -> None:
    """However often: the next key that is published stays the one that is used (story 9)."""
    home = house(tmp_path, world)
    world.trouble = IssueError("the authority refuses", "ask it why")
    keys = set()
    for _ in range(3):
        (error,) = home.order([NAME]).values()
        assert error.message == "the authority refuses"
        standby = known(home).standby
        assert standby is not None
        keys.add(standby.spki_sha256)
    failure = known(home).failures["issue"]
    assert (failure.count, failure.hint) == (3, "ask it why")
    assert home.run([NAME], anyway=True) == {}, "the timer is patient"
    assert known(home).failures["issue"].count == 3
    world.trouble = None
    assert home.order([NAME]) == {}
    latest = renewal.newest(known(home))
    assert latest is not None
    assert keys == {latest.spki}
    assert not known(home).failures


def test_the_word_of_the_authority_counts_for_everybody_but_who_insists(tmp_path: Path, world: World) -> None:
    """Retry-After (RFC 8555 §6.6)."""
    home = house(tmp_path, world)
    world.trouble = IssueTemporary("too many orders", "wait", until=clock.now() + 1000)
    (error,) = home.order([NAME]).values()
    assert isinstance(error, IssueTemporary)
    world.trouble = None
    (error,) = home.order([NAME]).values()
    assert isinstance(error, NotYet)
    assert "too many orders" in error.message
    assert "--force" in error.hint
    assert home.run([NAME], anyway=True) == {}
    plan = home.journal.plan(NAME)
    assert plan is not None
    assert plan.wake_at == pytest.approx(clock.now() + 1000, abs=60)
    assert not world.orders
    assert home.order([NAME], insist=True) == {}
    assert len(world.orders) == 1


def test_an_order_that_waits_for_dns_is_gone_on_with(tmp_path: Path, world: World) -> None:
    """Nothing is ordered again; the proof stays in DNS until it has done its work, and is asked for once."""
    home = house(tmp_path, world)
    world.late = PublishTemporary("ns2 does not have it yet")
    for _ in range(3):
        (error,) = home.order([NAME]).values()
        assert isinstance(error, PublishTemporary)
        assert known(home).order is not None
        assert world.dns == {"proof-1"}
        assert home.run([NAME], anyway=True) == {}, "the timer waits, and removes nothing"
    assert world.dns == {"proof-1"}
    assert len(of(home, ev.Proving)) == 1
    assert not of(home, ev.Proved)
    assert set(known(home).failures) == {renewal.SHOW}
    world.late = None
    assert home.order([NAME]) == {}
    assert len(world.orders) == 1
    assert world.dns == set()
    assert (known(home).order, known(home).tokens, known(home).failures) == (None, frozenset(), {})


def test_the_timer_looks_again_soon_whether_a_proof_is_everywhere(tmp_path: Path, world: World) -> None:
    """No authority was asked, so none can count it: after a poll interval, then twice as long, at most an hour."""
    home = house(tmp_path, world)
    world.late = PublishTemporary("ns2 does not have it yet")
    waits = []
    for _ in range(9):
        home.order([NAME])
        failure = known(home).failures[renewal.SHOW]
        due = renewal.due(home.lineage(NAME), known(home), clock.now())
        assert due is not None
        assert "ns2 does not have it yet" in due.why
        waits.append(round(due.at - failure.at))
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_network_that_fails_after_the_proof_was_shown_keeps_it(tmp_path: Path, world: World) -> None:
    """The authority may still be looking."""
    home = house(tmp_path, world)
    world.late = IssueTemporary("no route to the authority")
    home.order([NAME])
    assert set(known(home).failures) == {renewal.ISSUE}
    assert home.run([NAME], anyway=True) == {}
    assert (world.dns, len(known(home).tokens)) == ({"proof-1"}, 1)


def test_a_final_refusal_takes_the_proof_away(tmp_path: Path, world: World) -> None:
    """Nothing stays in DNS for what somebody has to mend first."""
    home = house(tmp_path, world)
    world.late = IssueError("not proven")
    home.order([NAME])
    assert (world.dns, known(home).tokens) == (set(), frozenset())


@pytest.mark.parametrize(("old", "new"), [('issuer = "fake"', ""), ('issuer = "fake"', 'issuer = "fake"\nleaving = true')])
def test_nobody_goes_on_with_an_order_that_the_configuration_does_not_want(
    tmp_path: Path, world: World, old: str, new: str
) -> None:
    """Then its proofs go by the next run."""
    home = house(tmp_path, world)
    world.late = PublishTemporary("ns2 does not have it yet")
    home.order([NAME])
    assert world.dns == {"proof-1"}
    text = (tmp_path / "config.toml").read_text()
    assert old in text
    (tmp_path / "config.toml").write_text(text.replace(old, new))
    home = wiring.House(config.load(tmp_path / "config.toml"))
    home.__dict__["engine"] = Engine(home)
    assert home.run([NAME], anyway=True) == {}
    assert (world.dns, known(home).tokens) == (set(), frozenset())


def test_a_proof_goes_when_its_order_has_expired(tmp_path: Path, world: World) -> None:
    """Even where the authority cannot be asked about it."""
    home = house(tmp_path, world)
    world.late, world.lasts = PublishTemporary("ns2 does not have it yet"), 1000.0
    home.order([NAME])
    lineage, facts = home.lineage(NAME), known(home)
    assert facts.order is not None
    assert facts.order.expires == pytest.approx(clock.now() + 1000, abs=60)
    assert issuing.clearing_at(lineage, facts) == facts.order.expires
    assert issuing.clearing_at(lineage, replace(facts, order=replace(facts.order, expires=0.0))) == float("inf")
    assert issuing.clearing_at(lineage, replace(facts, order=replace(facts.order, url=""))) == 0.0, "of an order before it"
    assert issuing.clearing_at(replace(lineage, issuer="self-signed"), facts) == 0.0


def test_a_rehearsal_leaves_the_proofs_of_an_order_alone(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it shows itself goes again."""
    home = house(tmp_path, world)
    world.late = PublishTemporary("ns2 does not have it yet")
    home.order([NAME])
    world.late = None

    def rehearse(_self: Authority, _wish: Wish, _diary: Diary, prover: Prover) -> None:
        prover.show({f"_acme-challenge.{NAME}.": ("rehearsed",)})
        assert world.dns == {"proof-1", "rehearsed"}
        prover.take_away()

    monkeypatch.setattr(Authority, "rehearse", rehearse)
    assert home.rehearse([NAME]) == {}
    assert world.dns == {"proof-1"}
    assert {one.value for one in known(home).tokens} == {"proof-1"}


def test_a_proof_that_was_left_is_removed_though_nothing_is_due(tmp_path: Path, world: World) -> None:
    """Also where the lineage has no issuer any more; what hinders it is tried again later."""
    home = house(tmp_path, world)
    home.run()
    in_service(home)
    home.run()
    token = Token(f"_acme-challenge.{NAME}.", "", "proof")
    home.journal.append(NAME, ev.Proving(token), clock.now())
    world.dns.add("proof")
    world.blocked = PublishTemporary("the server does not answer")
    home.run()
    failure = known(home).failures[renewal.CLEAR]
    assert failure.reason == "the server does not answer"
    plan = home.journal.plan(NAME)
    home.run([NAME], anyway=True)
    plan = home.journal.plan(NAME)
    assert plan is not None
    assert plan.wake_at <= failure.at + 60
    world.blocked = None
    text = (tmp_path / "config.toml").read_text().replace('issuer = "fake"', "")
    (tmp_path / "config.toml").write_text(text)
    brought = wiring.House(config.load(tmp_path / "config.toml"))
    brought.__dict__["engine"] = Engine(brought)
    brought.journal.append(NAME, ev.Released(), clock.now())  # forgets the failure
    brought.run()
    assert world.dns == set()
    assert known(brought).tokens == frozenset()
    assert renewal.CLEAR not in known(brought).failures


def test_what_nobody_expected_is_written_down_too(tmp_path: Path, world: World) -> None:
    """Else an authority would be asked every minute."""
    home = house(tmp_path, world)
    world.trouble = ZeroDivisionError("by zero")
    (error,) = home.run().values()
    assert "ZeroDivisionError" in error.message
    assert "ZeroDivisionError" in known(home).failures["issue"].reason
    acts = world.acts
    assert home.run([NAME], anyway=True) == {}
    assert world.acts == acts


def test_an_order_for_other_names_is_given_up(tmp_path: Path, world: World) -> None:
    """The configuration names more by now; the proof for the old order goes, and the one for the new stays while it is needed."""
    home = house(tmp_path, world)
    world.late = PublishTemporary("ns2 does not have it yet")
    home.order([NAME])
    home = house(tmp_path, world, more='names = ["*.mx.example"]')
    home.order([NAME])
    assert world.dns == {"proof-2"}
    assert known(home).failures[renewal.SHOW].count == 1
    world.late = None
    assert home.order([NAME]) == {}
    assert [one.reason for one in of(home, ev.OrderEnded)] == ["another certificate is wanted by now", ""]
    latest = renewal.newest(known(home))
    assert latest is not None
    assert set(latest.names) == {NAME, "*.mx.example"}


def test_names_that_are_added_are_ordered_by_the_next_run(tmp_path: Path, world: World) -> None:
    """And nothing more after that."""
    house(tmp_path, world).run()
    home = house(tmp_path, world)
    in_service(home)
    home = house(tmp_path, world, more='names = ["imap.example"]')
    for _ in range(3):
        assert home.run([NAME], anyway=True) == {}
    assert len(world.orders) == 2
    latest = renewal.newest(known(home))
    assert latest is not None
    assert set(latest.names) == {NAME, "imap.example"}


def test_a_certificate_that_others_brought_is_taken_over_by_who_asks(tmp_path: Path, world: World) -> None:
    """`issue` orders one, `renew` and the timer leave it alone while it is young."""
    home = house(tmp_path, world)
    home.stage(NAME, *pki.pair(NAME), "certbot")
    in_service(home)
    assert home.order([NAME]) == {}
    assert home.run([NAME], anyway=True) == {}
    assert not world.orders
    assert home.order([NAME], take_over=True) == {}
    assert len(world.orders) == 1


def test_without_an_issuer_it_is_said_how_to_have_one(tmp_path: Path, world: World) -> None:
    """And nothing is done."""
    text = CONFIG.format(directory=tmp_path, issuer="fake", more="").replace('issuer = "fake"', "")
    (tmp_path / "config.toml").write_text(text)
    home = wiring.House(config.load(tmp_path / "config.toml"))
    home.__dict__["engine"] = Engine(home)
    for errors in (home.order([NAME]), home.rehearse([NAME])):
        (error,) = errors.values()
        assert isinstance(error, Unsafe)
        assert 'issuer = "NAME" in [lineage."mx.example"]' in error.hint


def test_nothing_is_ordered_in_the_middle_of_a_swap(tmp_path: Path, world: World) -> None:
    """One change at a time."""
    home = house(tmp_path, world)
    home.run()
    home.journal.append(NAME, ev.Deploying(known(home).next), clock.now())
    (error,) = home.order([NAME], insist=True).values()
    assert isinstance(error, NotYet)
    assert "a swap is being proven" in error.message
    assert len(world.orders) == 1


def test_a_rehearsal_leaves_nothing_behind(tmp_path: Path, world: World) -> None:
    """Neither key nor order nor failure; what is told is told."""
    said: list[str] = []
    home = house(tmp_path, world)
    home.watch = lambda name, text: said.append(text)
    assert home.rehearse([NAME]) == {}
    assert said == ["trying"]
    world.trouble = IssueError("refused")
    (error,) = home.rehearse([NAME]).values()
    assert error.message == "refused"
    assert not list(home.journal.entries(NAME))
    assert len({one.request for one in world.rehearsed}) == 2, "each with a key of its own"


def test_its_own_key_signs(tmp_path: Path, world: World) -> None:
    """For ten years; another name, or the end of the key, has it sign again."""
    home = house(tmp_path, world, issuer="self-signed", more='key-lifetime = "30d"')
    assert home.run() == {}
    in_service(home)
    first = renewal.newest(known(home))
    assert first is not None
    assert first.origin == "self-signed"
    assert first.chain.not_after > clock.now() + 3600 * 86400
    assert home.run([NAME], anyway=True) == {}
    assert renewal.newest(known(home)) == first
    assert home.rehearse([NAME]) == {}
    home = house(tmp_path, world, issuer="self-signed", more='names = ["imap.example"]')
    assert home.run([NAME], anyway=True) == {}
    second = renewal.newest(known(home))
    assert second is not None
    assert second.names == (NAME, "imap.example")
    assert not world.orders


def test_another_lineage_s_authority_stops_nobody(tmp_path: Path, world: World) -> None:
    """Each is looked after first; then each that is due is ordered."""
    text = CONFIG.format(directory=tmp_path, issuer="fake", more="")
    second = text[text.index("[lineage") :].replace("mx.example", "other.example").replace('"fake"', '"self-signed"')
    text += second.replace('["postfix"]', '["other"]')
    text += f'[consumer.other]\ntype = "command"\nfile = "{tmp_path}/other.pem"\nreload = ["/bin/true"]\n'
    (tmp_path / "config.toml").write_text(text)
    home = wiring.House(config.load(tmp_path / "config.toml"))
    home.__dict__["engine"] = engine = Engine(home)
    world.trouble = IssueError("refused")
    errors = home.run()
    assert set(errors) == {NAME}
    assert sorted(engine.did[:2]) == [NAME, "other.example"]
    assert renewal.newest(home.journal.facts("other.example")) is not None


def test_a_run_begins_no_order_when_it_has_taken_too_long(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other lineages have to be looked after; what is left is due at once, in the next run."""
    home = house(tmp_path, world)
    monkeypatch.setattr(wiring, "ISSUE_BUDGET", 0.0)
    assert home.run() == {}
    assert not world.orders
    assert home.due(NAME, clock.now())
    monkeypatch.setattr(wiring, "ISSUE_BUDGET", 300.0)
    assert home.run() == {}
    assert len(world.orders) == 1


ACTS = 15  # of one issue, at least; the last turn of the test has none left to die at


@pytest.mark.parametrize("dies_at", range(1, ACTS + 4))
def test_who_dies_at_any_act_goes_on_with_the_same_order_and_key(tmp_path: Path, world: World, dies_at: int) -> None:
    """Killed before each act in turn: one order, one key, one certificate, no proof left; whatever was in between."""
    world.reborn(dies_at)
    died = False
    try:
        house(tmp_path, world).run()
    except Died:
        died = True
    assert died or dies_at > ACTS - 4
    prepared = known(house(tmp_path, World())).standby
    world.reborn()
    home = house(tmp_path, world)
    for _ in range(2):
        assert home.run([NAME], anyway=True) == {}
    facts = known(home)
    latest = renewal.newest(facts)
    assert latest is not None
    assert len(world.orders) == 1
    assert len(of(home, ev.Staged)) == 1
    assert prepared is None or prepared.spki_sha256 == latest.spki
    assert facts.standby is not None
    assert facts.standby.spki_sha256 == latest.spki
    assert home.store.read(NAME, latest.id).chain.leaf.spki_sha256 == latest.spki
    assert (facts.order, facts.tokens, facts.failures, world.dns) == (None, frozenset(), {}, set())


def test_a_certificate_that_was_kept_and_not_journalled_is_known_as_the_issuer_s(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later run finds it in the store before the order is gone on with: it is not ordered again, and ended all the same."""
    home = house(tmp_path, world)
    staged = home.journal.append

    def append(name: str, event: Any, at: float, **words: Any) -> None:
        if isinstance(event, ev.Staged):
            raise Died
        staged(name, event, at, **words)

    monkeypatch.setattr(home.journal, "append", append)
    with pytest.raises(Died):
        home.run()
    monkeypatch.setattr(staging, "SETTLED", -2.0)
    home = house(tmp_path, world)
    said: list[str] = []
    home.watch = lambda name, text: said.append(text)
    assert home.run([NAME], anyway=True) == {}
    assert any("was found in the store" in one for one in said)
    latest = renewal.newest(known(home))
    assert latest is not None
    assert latest.origin == "issuer.fake"
    assert known(home).order is None
    assert len(of(home, ev.Staged)) == len(world.orders) == 1


def test_an_order_whose_certificate_is_in_service_by_now_is_over(tmp_path: Path, world: World) -> None:
    """Whoever brought it died before saying so; meanwhile another key is the next one, and none is ordered for it."""
    home = house(tmp_path, world)
    append = home.journal.append

    def mortal_at_the_end(name: str, event: Any, at: float, **words: Any) -> None:
        if isinstance(event, ev.OrderEnded):
            raise Died
        append(name, event, at, **words)

    home.journal.append = mortal_at_the_end  # type: ignore[method-assign]
    with pytest.raises(Died):
        home.run()
    home = house(tmp_path, world)
    in_service(home)
    home.next_key(NAME)
    assert known(home).order is not None
    assert home.run([NAME], anyway=True) == {}
    assert known(home).order is None
    assert [one.reason for one in of(home, ev.OrderEnded)] == [""]
    assert len(world.orders) == 1


def test_errors_of_the_issuer_are_ours() -> None:
    """So that they end with an exit code of their own."""
    assert issubclass(IssueTemporary, TlsaManagerError)


def made_otherwise(monkeypatch: pytest.MonkeyPatch, *names: str, **more: Any) -> None:
    """From now on every certificate is made like this, whatever was asked for."""
    authority = type(pki.authority())
    chain = authority.chain

    def otherwise(self: Any, *wanted: str, key: Any, **_: Any) -> bytes:
        return chain(self, *(names or wanted), key=key, **more)

    monkeypatch.setattr(authority, "chain", otherwise)


@pytest.mark.parametrize("serves", [False, True], ids=["waits", "in service"])
@pytest.mark.parametrize("days", [(-80, 10), (-90, -1), (10, 100)], ids=["old", "expired", "not valid yet"])
def test_a_certificate_that_is_due_when_it_comes_is_not_ordered_with_every_run(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch, days: tuple[float, float], *, serves: bool
) -> None:
    """Our clock may be ahead, or the authority dates back: `status` tells, and a person who insists gets one."""
    made_otherwise(monkeypatch, days=days)
    home = house(tmp_path, world)
    for _ in range(6):
        assert home.run([NAME], anyway=True) == {}
        if serves:
            in_service(home)
    assert len(world.orders) == 1
    if days[0] < 0 and not known(home).hold:
        assert "look at the clock of this host" in " ".join(home.standing(NAME).advice)
    assert home.order([NAME], insist=True) == {}
    assert len(world.orders) == 2


def test_a_certificate_for_other_names_is_not_ordered_with_every_run(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin may err for ever; as soon as the configuration asks for something else, that is ordered."""
    made_otherwise(monkeypatch, "other.example")
    home = house(tmp_path, world)
    for _ in range(6):
        home.run([NAME], anyway=True)
    assert len(world.orders) == 1
    home = house(tmp_path, world, more='names = ["imap.example"]')
    for _ in range(6):
        home.run([NAME], anyway=True)
    assert len(world.orders) == 2


@pytest.mark.parametrize("more", ["", "reuse-key = true\nnext-key = false"])
@pytest.mark.parametrize("start", [-5000, 60], ids=["over", "soon"])
def test_an_authority_that_wants_everything_renewed_at_once_is_not_asked_with_every_run(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch, start: float, more: str
) -> None:
    """Its window lies in the past, or minutes ahead, for each certificate that it makes."""
    home, real, ahead = house(tmp_path, world, more=more), clock.now, 0.0
    monkeypatch.setattr(clock, "now", lambda: real() + ahead)
    for minute in range(20):
        ahead = 60.0 * minute
        world.advice = Advice(clock.now() + start, clock.now() + start + 1, clock.now() + 50000)
        assert home.run([NAME], anyway=True) == {}
        in_service(home)
    assert len(world.orders) == (1 if start < 0 else 2)


@pytest.mark.parametrize(("limited", "days"), [(False, 1.0), (True, 19.5 / 2)])
def test_the_word_of_the_authority_costs_no_certificate(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch, days: float, *, limited: bool
) -> None:
    """Trouble of its own is believed for a day, a limit for half of what the certificate has left, by `renew` too."""
    made_otherwise(monkeypatch, days=(-31, 29))
    home, real, ahead = house(tmp_path, world), clock.now, 0.0
    home.run()
    in_service(home)
    monkeypatch.setattr(clock, "now", lambda: real() + ahead)
    ahead = 86400.0 * 9.5  # so that 2/3 are over: 19.5 of the 29 days are left
    world.trouble = IssueTemporary("in a month", until=clock.now() + 31 * 86400, limited=limited)
    home.run([NAME], anyway=True)
    failure = known(home).failures["issue"]
    assert failure.limited is limited
    due = renewal.due(home.lineage(NAME), known(home), clock.now())
    assert due is not None
    assert due.at == pytest.approx(failure.at + days * 86400, abs=3600)
    assert any("asked again in" in one and "all the same" in one for one in home.standing(NAME).advice)
    (error,) = home.order([NAME]).values()
    assert isinstance(error, issuing.TooEarly)
    assert error.until == due.at
    world.trouble, ahead = None, due.at - real() + 1
    assert home.run([NAME], anyway=True) == {}
    assert len(world.orders) == 2


def test_a_new_key_that_somebody_asks_for_is_ordered_at_once(tmp_path: Path, world: World) -> None:
    """The certificate in service is young; what goes wrong is told, and the key stays due."""
    home = house(tmp_path, world, more="reuse-key = true")
    home.run()
    in_service(home)
    first = renewal.newest(known(home))
    world.trouble = IssueError("the authority refuses", "ask it why")
    (error,) = home.order_new_key(NAME).values()
    assert (error.message, known(home).key_due) == ("the authority refuses", True)
    world.trouble = None
    assert home.order_new_key(NAME) == {}
    second = renewal.newest(known(home))
    assert first is not None
    assert second is not None
    assert (second.id != first.id, second.spki != first.spki) == (True, True)


def test_a_new_key_of_another_kind_is_not_ordered_without_a_word_for_it(tmp_path: Path, world: World) -> None:
    """Nobody is asked for a certificate that would be held; with the word it is not held."""
    home = house(tmp_path, world, more='key-type = "ecdsa-p256"')
    home.run()
    in_service(home)
    other = house(tmp_path, world, more='key-type = "rsa-2048"')
    home.journal.append(NAME, ev.Discarded(standby.id if (standby := known(home).standby) else ""), clock.now())
    placed = len(world.orders)
    with pytest.raises(Unsafe, match="from ECDSA to RSA"):
        other.order_new_key(NAME)
    assert (len(world.orders), known(other).key_due) == (placed, False)
    assert other.order_new_key(NAME, accept_kind=True) == {}
    facts = known(other)
    assert (len(world.orders), facts.hold) == (placed + 1, None)
    newest = renewal.newest(facts)
    assert newest is not None
    assert newest.chain.kind == "RSA"
