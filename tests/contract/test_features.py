"""What docs/backends says that a backend can, and what it cannot be brought into, is what the suite of promises tries with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from contract.stand import TROUBLES
from contract.stands import STANDS, stand_of
from tlsa_manager.publish import KINDS

DOCS = Path(__file__).parents[2] / "docs" / "backends"
NEVER = {
    "asked too often": "limit", "nobody there": "dead", "nonsense": "nonsense", "refused": "refusal", "server errors": "broken",
    "question lost": "lost-request", "answer lost": "lost-answer",
}  # fmt: skip


def table(heading: str) -> dict[str, list[str]]:
    """Return the table of the page whose first row begins so: cells by the backend, without links and marks."""
    lines = (DOCS / "README.md").read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith(heading))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in _while_table(lines[begin + 2 :])]
    return {re.sub(r"\[(.+?)\]\(.+?\)", r"\1", row[0]).replace("`", ""): row[1:] for row in rows}


def _while_table(lines: list[str]) -> list[str]:
    return lines[: next(number for number, line in enumerate(lines) if not line.startswith("|"))]


def label(stand: Any) -> str:
    """Return how the tables call a stand."""
    return f"{stand.kind} {stand.which}".strip()


@pytest.mark.parametrize("name", STANDS)
def test_what_it_can(name: str) -> None:
    """The row of each backend tells what its stand declares, and so what the suite demands of it."""
    stand = stand_of(name)
    others = "stays" if "conflict" in stand.troubles else "may be lost"
    said = {True: "yes", False: "no"}
    told = [said[stand.compares], said[stand.together], others, said[stand.late]]
    assert table("| backend | compares")[label(stand)] == told


@pytest.mark.parametrize("name", STANDS)
def test_what_it_is_not_brought_into(name: str) -> None:
    """What is not tried with a backend is written down, with the reason."""
    stand = stand_of(name)
    found = table("| backend | never").get(label(stand), ["", ""])
    assert {NEVER[word] for word in found[0].split(", ") if word} == TROUBLES - stand.troubles - {"conflict"}
    assert bool(found[1]) is bool(found[0])


def test_who_compares_keeps_what_others_add() -> None:
    """No stand says that it compares in one step without having to prove it."""
    assert [name for name in STANDS if stand_of(name).compares and "conflict" not in stand_of(name).troubles] == []


def test_every_backend_stands_there() -> None:
    """The suite runs over every kind of backend, and each has a row and a page; `manual` changes nothing and has a page."""
    kinds = {stand_of(name).kind for name in STANDS}
    assert kinds == set(KINDS) - {"manual"}
    assert {row.split()[0] for row in table("| backend | compares")} == kinds
    for kind in KINDS:
        assert f'    backend = "{kind}"\n' in (DOCS / f"{kind}.md").read_text(), kind
        assert f"({kind}.md)" in (DOCS / "README.md").read_text()
