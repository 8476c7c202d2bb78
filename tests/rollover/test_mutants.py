"""Every deliberate fault in the rules is caught by the battery, and for a reason."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sim.battery import CAUGHT, PASSED
from sim.caught import FIRST
from sim.mutants import MUTANTS, Mutant

import tlsa_manager

PACKAGE = Path(tlsa_manager.__file__).parent
TESTS = Path(__file__).parents[1]


def examine(directory: Path, first: str = "") -> tuple[int, str]:
    """Run the battery against the package in a directory, in a process of its own."""
    path = f"{directory}{os.pathsep}{TESTS}"
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "sim.battery", str(directory), first]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False, cwd=directory)
    return done.returncode, done.stdout + done.stderr


def copy(directory: Path) -> Path:
    """Copy the package."""
    shutil.copytree(PACKAGE, directory / "tlsa_manager")
    return directory / "tlsa_manager" / "rollover"


def test_the_rules_as_they_are_pass_the_battery(tmp_path: Path) -> None:
    """Without a planted fault nothing is caught."""
    copy(tmp_path)
    code, said = examine(tmp_path)
    assert code == PASSED, said


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_fault_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    """By an assertion, by the oracle or by the veto; not because the code does not run."""
    rollover = copy(tmp_path)
    for file, old, new in mutant.edits:
        text = (rollover / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} has {text.count(old)} times: {old}"
        (rollover / file).write_text(text.replace(old, new), encoding="utf-8")
    code, said = examine(tmp_path, FIRST.get(mutant.name, ""))
    print(f"{mutant.name} ({mutant.means}): {said.strip()}")
    assert code == CAUGHT, f"{mutant.means}: {said}"
