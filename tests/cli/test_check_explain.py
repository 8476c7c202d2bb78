"""`check --explain`, and the page that is made from the same source."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tlsa_manager.checks import faults

if TYPE_CHECKING:
    from program import Say

HERE = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("code", ["F-CRASH", "f-crash", "crash", " F-Crash "])
def test_the_whole_story(say: Say, code: str) -> None:
    """Title, severity, how it comes about, what it does to mail, what to do; in any case, with or without its F-."""
    ending = say("check", "--explain", code)
    fault = faults()["F-CRASH"]
    assert (ending.code, ending.err) == (0, "")
    for text in (fault.title, str(fault.severity), fault.story, fault.consequence, fault.remedy):
        assert text in ending.out


def test_all_codes_in_one_table(say: Say) -> None:
    """One line each, in the order of the page; as JSON with every text."""
    lines = say("check", "--explain", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == list(faults())
    told = say("check", "--explain", "list", "--json").json["faults"]
    assert [one["code"] for one in told] == list(faults())
    assert all(one["story"] and one["consequence"] and one["remedy"] for one in told)
    (alone,) = say("--json", "check", "--explain", "crash").json["faults"]
    assert alone in told


def test_a_code_that_there_is_not(say: Say) -> None:
    """The nearest is named."""
    ending = say("check", "--explain", "F-CRAHS")
    assert (ending.code, ending.out) == (3, "")
    assert "did you mean 'F-CRASH'?" in ending.err
    assert "--explain list" in ending.err


def test_the_page_of_findings_is_the_declarations() -> None:
    """Made anew it is the same; if not: python docs/make_reference.py findings > docs/findings.md"""  # noqa: D400
    made = runpy.run_path(str(HERE / "docs/make_reference.py"))["findings"]()
    assert (HERE / "docs/findings.md").read_text() == made
    headings = [line.split()[1].rstrip(":") for line in made.splitlines() if line.startswith("### ")]
    assert sorted(headings) == sorted(faults())
