"""The house: what the verbs of hook, timer and terminal do to each other."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pki
import pytest

from tlsa_manager import clock, config, keys, wiring
from tlsa_manager.errors import DeployError, StateError
from tlsa_manager.publish import Change, Ticket
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.facts import Facts, WayBack
from tlsa_manager.rollover.steps import Wait
from tlsa_manager.snapshot import Held
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tlsa_manager.lineage import Generation

NAME = "mx.example"
CONFIG = """
[defaults]
resolver = ["127.0.0.1"]
directory = "{directory}/state"
[dns.by-hand]
backend = "manual"
[consumer.postfix]
type = "postfix"
file = "{directory}/mx.pem"
[lineage."mx.example"]
services = ["mx.example:25"]
dns = "by-hand"
consumers = ["postfix"]
"""


@pytest.fixture
def home(tmp_path: Path) -> wiring.House:
    return house_of(tmp_path)


def house_of(directory: Path, *, more: str = "") -> wiring.House:
    (directory / "config.toml").write_text(CONFIG.format(directory=directory) + more)
    return wiring.House(config.load(directory / "config.toml"))


class SlowEngine:
    """Publishes only when it is told to."""

    def __init__(self) -> None:
        self.may_publish = threading.Event()
        self.did: list[str] = []

    def publish(self, name: str) -> None:
        """Take a while."""
        self.may_publish.wait(30)
        self.did.append(f"publish {name}")

    def advance(self, name: str) -> Wait:
        """Have nothing to do for ever."""
        self.did.append(f"advance {name}")
        return Wait(float("inf"), "nothing is due")


def test_a_run_waits_for_what_is_still_being_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`rollover start` publishes and then runs: name servers slower than a hook's budget do not make it too busy for itself."""
    monkeypatch.setattr(wiring, "HOOK_BUDGET", 0.0)
    home, engine = house_of(tmp_path), SlowEngine()
    home.__dict__["engine"] = engine
    home.stage("mx.example", *pki.pair("mx.example"), "test")
    assert home.is_publishing
    threading.Timer(0.3, engine.may_publish.set).start()
    assert home.run(["mx.example"], anyway=True) == {}
    assert engine.did == ["publish mx.example", "advance mx.example"]


ANOTHER = """
[consumer.{name}]
type = "command"
file = "{directory}/{name}.pem"
reload = ["/bin/true"]
[lineage."{name}.example"]
services = ["{host}:25"]
dns = "by-hand"
consumers = ["{name}"]
"""


class Engine:
    """Does to a lineage what the test says."""

    def __init__(self, trouble: dict[str, Exception]) -> None:
        self.trouble = trouble
        self.did: list[str] = []

    def advance(self, name: str) -> Wait:
        """Fail, or have nothing to do for ever."""
        self.did.append(name)
        if name in self.trouble:
            raise self.trouble[name]
        return Wait(float("inf"), "nothing is due")


def test_what_nobody_expected_of_one_lineage_stops_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in its family nor elsewhere; it is told with a hint, and where it came from with -v."""
    more = "".join(
        ANOTHER.format(name=name, host=host, directory=tmp_path)
        for name, host in (("family", "mx.example"), ("other", "other.example"), ("refused", "refused.example"))
    )
    home = house_of(tmp_path, more=more)
    refused = StateError("the disk is full")
    engine = Engine({"family.example": ZeroDivisionError("by zero"), "refused.example": refused})
    home.__dict__["engine"] = engine
    with caplog.at_level(logging.INFO, "tlsa_manager"):
        errors = home.run()
    assert set(engine.did) == set(home.config.lineages) == {NAME, "family.example", "other.example", "refused.example"}
    assert set(errors) == {"family.example", "refused.example"}
    assert errors["refused.example"] is refused
    assert errors["family.example"].message == "something unexpected happened (ZeroDivisionError: by zero)"
    assert "report" in errors["family.example"].hint
    assert "ZeroDivisionError: by zero" in caplog.text
    assert "raise self.trouble[name]" in caplog.text


class Backend:
    """Counts how often it is asked."""

    name = "by-hand"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def read(self, target: str) -> Held:
        """Know of nothing."""
        self.asked.append(target)
        return Held(target, frozenset(), 60)

    def change(self, change: Change) -> Ticket:
        """Do as told."""
        return Ticket("done", change.target)


RECORDS = frozenset({Tlsa.parse("3 1 1 " + "ab" * 32)})
SWAPPING = Facts(NAME, deploying=True)
GOING_BACK = Facts(NAME, way_back=WayBack("a", "why", hold=False))


@pytest.mark.parametrize("facts", [SWAPPING, GOING_BACK])
def test_a_backend_is_not_asked_at_every_look_of_a_swap(
    home: wiring.House, facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine looks each second then; a provider is asked once in a poll interval, and again after a change."""
    time = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: time[0])
    backend = Backend()
    home.hands._backends["by-hand"] = backend
    lineage = home.lineage(NAME)
    (owner,) = lineage.owners

    def look(facts: Facts) -> int:
        """How often the backend was asked by then."""
        assert home.hands._held(lineage, [owner], facts) == {owner: Held(owner, frozenset(), 60)}
        time[0] += 1
        return len(backend.asked)

    assert [look(Facts(NAME)), look(Facts(NAME))] == [1, 2], "at any other time every look asks"
    assert [look(facts) for _ in range(10)] == [2] * 10
    home.hands._change(lineage, Change(owner, "", RECORDS, frozenset(), None, 60))
    assert [look(facts) for _ in range(10)] == [3] * 10
    time[0] += lineage.policy.poll_interval
    assert [look(facts), look(facts)] == [4, 4]


class Away:
    """The engine of a lineage whose server is away: the former certificate is put back, and nobody can see it."""

    def __init__(self, home: wiring.House, *, every: float) -> None:
        self.home, self.every = home, every
        self.looks = 0

    def advance(self, name: str) -> Wait:
        """Look again soon, for ever."""
        if not self.looks:
            self.home.journal.append(name, ev.RollingBack("a", "it is away", hold=False), clock.now())
        self.looks += 1
        assert self.looks < 10_000, "a run that never ends"
        return Wait(clock.now() + self.every, "looking again")


@pytest.mark.parametrize("every", [0.5, 4.0])
def test_a_server_that_stays_away_does_not_keep_a_run_for_ever(
    home: wiring.House, every: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However short the poll interval is: the next run has all lineages to look after."""
    began = clock.now()
    time = [began]
    monkeypatch.setattr(clock, "now", lambda: time[0])
    monkeypatch.setattr(clock, "monotonic", lambda: time[0])
    monkeypatch.setattr(clock, "sleep", lambda seconds: time.__setitem__(0, time[0] + seconds))
    home.__dict__["engine"] = engine = Away(home, every=every)
    assert home.run([NAME], anyway=True) == {}
    confirm = home.lineage(NAME).policy.confirm_within
    assert 2 * confirm <= time[0] - began <= 2 * confirm + wiring.STAY, "what a swap and its way back need, and no more"
    assert engine.looks > 2 * confirm / every


class Consumer:
    """Does what the test says, and tells what was done to it."""

    def __init__(self, name: str, did: list[str], fails: str = "") -> None:
        self.name, self._did, self._fails = name, did, fails

    def check(self) -> None:
        """Check its own configuration."""
        self._do("check")

    def install(self, combined: bytes) -> None:
        """Take a certificate."""
        self._do("install")

    def reload(self) -> None:
        """Read it anew."""
        self._do("reload")

    def _do(self, what: str) -> None:
        self._did.append(f"{what} {self.name}")
        if what == self._fails:
            raise DeployError(f"{self.name} does not {what}")


def with_consumers(home: wiring.House, **fails: str) -> tuple[Callable[[], None], Callable[[], None], list[str]]:
    """Return how to deploy to such consumers, how to restore them, and what is done to them."""
    did: list[str] = []
    home.hands._consumers.update({name: Consumer(name, did, what) for name, what in fails.items()})  # type: ignore[misc]
    generation = home.store.put(NAME, keys.load_pair(*pki.pair(NAME)), "test").id
    lineage = replace(home.lineage(NAME), consumers=tuple(fails))
    return lambda: home.hands.deploy(lineage, generation), lambda: home.hands.restore(lineage, generation), did


def test_a_consumer_that_fails_bars_the_way_back_of_no_other(home: wiring.House) -> None:
    """All are tried, the first failure is told; what could not be written is not reloaded: it may be the new certificate."""
    _, restore, did = with_consumers(home, a="install", b="reload", c="")
    with pytest.raises(DeployError, match="a does not install"):
        restore()
    assert did[:3] == ["install a", "install b", "install c"]
    assert sorted(did[3:]) == ["reload b", "reload c"]


def test_a_consumer_that_fails_ends_a_deployment(home: wiring.House) -> None:
    """On the way forward there is no hurry: nothing more is changed."""
    deploy, _, did = with_consumers(home, a="", b="install", c="")
    with pytest.raises(DeployError, match="b does not install"):
        deploy()
    assert did == ["check a", "check b", "check c", "install a", "install b"]


def put(home: wiring.House, at: float, monkeypatch: pytest.MonkeyPatch, host: str = NAME) -> Generation:
    """Put a new certificate into the store at a moment, as a hook does that then dies."""
    with monkeypatch.context() as patch:
        patch.setattr("tlsa_manager.store.now", lambda: at)
        return home.store.put(NAME, keys.load_pair(*pki.pair(host)), "certbot")


def staged(home: wiring.House) -> list[ev.Staged]:
    return [one.event for one in home.journal.entries(NAME) if isinstance(one.event, ev.Staged)]


def run(home: wiring.House) -> None:
    home.__dict__["engine"] = Engine({})
    assert home.run([NAME], anyway=True) == {}


def test_a_certificate_whose_hook_died_is_found_in_the_store(home: wiring.House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest, once, and only when it is newer than all that is known."""
    now = clock.now()
    put(home, now - 400, monkeypatch)
    second = put(home, now - 300, monkeypatch)
    run(home)
    run(home)
    assert staged(home) == [ev.Staged(replace(second, origin="found in the store"))]
    fourth = put(home, now - 100, monkeypatch)
    run(home)
    assert [one.generation.id for one in staged(home)] == [second.id, fourth.id]
    assert home.journal.facts(NAME).next == second.id
    put(home, now - 200, monkeypatch)
    run(home)
    assert len(staged(home)) == 2, "what was superseded before it was found stays in the store"


def test_a_hook_that_lives_is_not_forestalled(home: wiring.House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has put the certificate into the store a moment ago and is about to journal it, perhaps with another judgement."""
    put(home, clock.now(), monkeypatch)
    run(home)
    assert staged(home) == []


def test_what_is_found_in_the_store_is_doubted_as_the_hook_would(home: wiring.House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate for another name waits for a person."""
    put(home, clock.now() - 100, monkeypatch, host="other.example")
    run(home)
    (one,) = staged(home)
    assert "does not name mx.example" in one.hold
    assert one.remedy == "if that is intended: tlsa-manager rollover start mx.example"


def test_a_damaged_generation_is_not_found(home: wiring.House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest that can be used is."""
    good = put(home, clock.now() - 300, monkeypatch)
    bad = put(home, clock.now() - 200, monkeypatch)
    (home.store.path(NAME, bad.id) / "privkey.pem").write_text("nothing")
    run(home)
    assert [one.generation.id for one in staged(home)] == [good.id]


def test_a_store_that_cannot_be_read_does_not_stop_a_lineage(home: wiring.House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and the rest goes on."""
    said: list[str] = []
    home.watch = lambda name, text: said.append(f"{name}: {text}")
    put(home, clock.now() - 300, monkeypatch)
    (home.store.directory / "lineages").chmod(0o777)
    run(home)
    assert staged(home) == []
    assert len(said) == 1
    assert "keys are not safe there" in said[0]


@pytest.mark.parametrize("anchor", ["there is none", ""])
def test_a_trust_anchor_that_is_gone_blinds_and_does_not_stop(tmp_path: Path, anchor: str) -> None:
    """In the middle of a swap the look must come back, or there would be no way back; it says why it saw nothing."""
    (tmp_path / "anchor").write_text(". IN DS 20326 8 2 " + "e0" * 32 + "\n")
    (tmp_path / "config.toml").write_text(
        CONFIG.format(directory=tmp_path).replace("[defaults]", f'[defaults]\ntrust-anchor = "{tmp_path}/anchor"')
    )
    home = wiring.House(config.load(tmp_path / "config.toml"))
    if anchor:
        (tmp_path / "anchor").write_text(anchor)
    else:
        (tmp_path / "anchor").unlink()
    seen = home.hands.look(home.lineage(NAME), SWAPPING, 0)
    (owner,) = home.lineage(NAME).owners
    assert not seen.owners[owner].complete
    assert "trust anchor" in seen.owners[owner].problem
    assert seen.files.keys() == {"postfix"}
