"""The list of Debian packages and the table of programs say the same."""

from __future__ import annotations

import re
from pathlib import Path

from lab.programs import PACKAGE_OF

_TESTS = Path(__file__).parents[1]


def test_every_program_of_the_lab_gets_installed() -> None:
    """What a skip reason tells people to install, tests/run.sh installs, or unpacks."""
    listed = {line for line in (_TESTS / "packages.txt").read_text().splitlines() if not line.startswith("#")}
    unpacked = set(re.findall(r"^unpack (\S+)", (_TESTS / "run.sh").read_text(), re.MULTILINE))
    named = {package for packages in PACKAGE_OF.values() for package in re.split(r", | and ", packages)}
    assert named <= listed | unpacked
