"""The mind touches nothing, and nothing that is ever written into the journal can confuse it."""

from __future__ import annotations

import ast
import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tlsa_manager.rollover
from tlsa_manager.chain import Chain, Digests
from tlsa_manager.journal import Journal
from tlsa_manager.lineage import Lineage
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.decide import decide, look_at
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.note import note
from tlsa_manager.rollover.scene import Scene
from tlsa_manager.rollover.state import phase
from tlsa_manager.service import Service
from tlsa_manager.snapshot import FileView, OwnerView, ServiceView, Snapshot
from tlsa_manager.tlsa import RRset, Tlsa

MODULES = sorted(Path(tlsa_manager.rollover.__file__).parent.glob("*.py"))
PURE = {
    "__future__",
    "dataclasses",
    "enum",
    "functools",
    "itertools",
    "types",
    "typing",
    "collections.abc",
    "re",
    "math",
    "hashlib",
}
VALUES = {"chain", "errors", "lineage", "order", "policy", "security", "service", "snapshot", "tlsa", "value", "rollover"}
SERVICE = Service.parse("mx.example.org:25")
LINEAGE = Lineage("one", (SERVICE,), "dns", ("postfix",))
WORDS = ("", "a", "b", "c", "postfix", SERVICE.owner, "elsewhere.example.net.", "ns1", "any", "rsa")


def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Make any value of a type of the house; texts and digests from a small stock, so that they meet each other."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Chain:  # a chain has a leaf
        return st.builds(Chain, st.lists(anything(Digests), min_size=1, max_size=2).map(tuple), st.sampled_from(["RSA", "ECDSA"]))
    if kind is Tlsa:  # its data is hexadecimal
        return st.builds(Tlsa, *[st.integers(0, 4)] * 3, st.sampled_from(["", "ab", "ab" * 32, "cd" * 64]))
    if is_dataclass(kind):
        hints = get_type_hints(kind, localns={"RRset": RRset, "Chain": Chain})
        return st.builds(kind, **{one.name: anything(hints[one.name]) for one in fields(kind)})
    if origin is tuple:
        return st.lists(anything(inner[0]), max_size=3).map(tuple)
    if origin is frozenset:
        return st.frozensets(anything(inner[0]), max_size=3)
    if origin is types.UnionType:
        return st.one_of(*(anything(one) for one in inner))
    plain = {
        str: st.sampled_from(WORDS), bool: st.booleans(), int: st.integers(0, 3), type(None): st.none(),
        float: st.floats(-1e6, 1e6), bytes: st.binary(max_size=2),
    }  # fmt: skip
    return plain[kind] if kind in plain else st.sampled_from(kind)


EVENTS = st.one_of([anything(one) for one in get_args(ev.Event)])
QUIET = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_mind_imports_neither_network_nor_disk_nor_clock_nor_chance(path: Path) -> None:
    """Only the values, and the standard library's pure parts."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            own = name.partition(".")[2].partition(".")[0] if name.startswith("tlsa_manager.") else ""
            assert name in PURE or own in VALUES, f"{path.name} imports {name}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "__import__", "exec", "eval"}, (
                f"{path.name} calls {node.func.id}"
            )


@settings(QUIET, max_examples=150)
@given(st.lists(st.tuples(EVENTS, st.floats(-1e6, 1e6)), max_size=12))
def test_no_sequence_of_events_can_make_the_mind_fail(happened: list[tuple[ev.Event, float]]) -> None:
    """`apply` never raises, and whatever came out of it, there is a phase, a way to look and a decision."""
    facts = Facts("one")
    for event, at in happened:
        facts = apply(facts, event, at)
    now = max([0.0, *(at for _, at in happened)])
    phase(LINEAGE, facts, now)
    look_at(LINEAGE, facts, now)
    scene = Scene(LINEAGE, facts, Snapshot(now), now)
    note(scene)
    decide(scene)


@settings(QUIET, max_examples=150)
@given(st.lists(EVENTS, max_size=6), anything(OwnerView), anything(ServiceView), anything(FileView))
def test_no_look_can_make_the_mind_fail(happened: list[ev.Event], owner: OwnerView, service: ServiceView, file: FileView) -> None:
    """Whatever is seen of the world, a decision comes out."""
    facts = Facts("one")
    for event in happened:
        facts = apply(facts, event, 0.0)
    snapshot = Snapshot(1.0, {SERVICE.owner: owner}, {}, {str(SERVICE): service}, {"postfix": file})
    scene = Scene(LINEAGE, facts, snapshot, 1.0)
    note(scene)
    decide(scene)


@settings(QUIET, max_examples=150)
@given(st.lists(EVENTS, min_size=1, max_size=5))
def test_every_event_comes_out_of_the_journal_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, happened: list[ev.Event]
) -> None:
    """State is the fold of the journal, so the journal must not lose a word."""
    journal = Journal(tmp_path_factory.mktemp("journal") / "state.db")
    for number, event in enumerate(happened):
        journal.append("one", event, float(number))
    assert [entry.event for entry in journal.entries("one")] == happened
    facts = Facts("one")
    for number, event in enumerate(happened):
        facts = apply(facts, event, float(number))
    assert journal.facts("one") == facts
