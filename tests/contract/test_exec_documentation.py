"""The program printed in docs/backends/exec.md does what the page promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tlsa_manager.errors import Conflict, PublishTemporary
from tlsa_manager.publish import Backend, Change, Text, open_backend
from tlsa_manager.tlsa import RRset, Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[2] / "docs" / "backends" / "exec.md"
OWNER, NEIGHBOUR = "_25._tcp.mx.example.org.", "_25._tcp.mx2.example.org."
NOW, NEXT, FOREIGN = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "abc")
NONE: RRset = frozenset()
PROOF, TOKEN = "_acme-challenge.mx.example.org.", "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo"


@pytest.fixture
def printed(tmp_path: Path) -> Callable[[str], Backend]:
    """Install the program of the page, with a command to run after each change."""

    def install(reload: str) -> Backend:
        program = tmp_path / "tlsa-include"
        program.write_text(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0])
        program.chmod(0o755)
        (tmp_path / "tlsa.include").write_text(f"{OWNER} 300 IN TLSA {NOW}\n{OWNER} 300 IN TLSA {FOREIGN}\n")
        return open_backend("own", "exec", {"command": [str(program), str(tmp_path / "tlsa.include"), reload]})

    return install


def test_a_rollover_with_the_printed_program(printed: Callable[[str], Backend], tmp_path: Path) -> None:
    """It adds with the TTL of the set, keeps foreign records, removes one record, and starts a name of its own."""
    backend = printed("true")
    backend.change(Change(OWNER, "", frozenset({NEXT}), NONE, frozenset({NOW, FOREIGN}), 3600))
    assert backend.read(OWNER).records == {NOW, NEXT, FOREIGN}
    assert backend.read(OWNER).ttl == 300
    backend.change(Change(OWNER, "", NONE, frozenset({NOW}), frozenset({NOW, NEXT, FOREIGN}), 3600))
    assert backend.read(NEIGHBOUR).records == NONE
    backend.change(Change(NEIGHBOUR, "", frozenset({NEXT}), NONE, NONE, 3600))
    assert (tmp_path / "tlsa.include").read_text().splitlines() == [
        f"{OWNER} 300 IN TLSA {FOREIGN}",
        f"{OWNER} 300 IN TLSA {NEXT}",
        f"{NEIGHBOUR} 3600 IN TLSA {NEXT}",
    ]


def test_a_proof_with_the_printed_program(printed: Callable[[str], Backend], tmp_path: Path) -> None:
    """It writes one TXT record beside those that stand there, with their TTL, and takes that one out again."""
    file = tmp_path / "tlsa.include"
    backend = printed("true")
    before = file.read_text()
    foreign = f'{PROOF} 300 IN TXT "somebody else"\n'
    file.write_text(before + foreign)
    for present, after in ((True, f'{PROOF} 300 IN TXT "{TOKEN}"\n'), (False, "")):
        for _ in range(2):
            assert backend.text(Text(PROOF, "", TOKEN, present=present)).state == "done"
            assert file.read_text() == before + foreign + after
    assert backend.read(OWNER).records == {NOW, FOREIGN}


def test_refusals_of_the_printed_program(printed: Callable[[str], Backend]) -> None:
    """A conflict and a failed reload change nothing."""
    backend = printed("false")
    with pytest.raises(Conflict):
        backend.change(Change(OWNER, "", frozenset({NEXT}), NONE, frozenset({NOW}), 3600))
    with pytest.raises(PublishTemporary):
        backend.change(Change(OWNER, "", frozenset({NEXT}), NONE, frozenset({NOW, FOREIGN}), 3600))
    assert backend.read(OWNER).records == {NOW, FOREIGN}


def test_the_page_and_the_code_agree() -> None:
    """Codes, states and members that the code knows are on the page."""
    text = PAGE.read_text()
    for word in (
        "`done`",
        "`asked`",
        "`conflict`",
        "`alias`",
        "`reason`",
        "`values`",
        "`present`",
        "| 64 |",
        "| 75 |",
        "| 78 |",
        '"schema": 1',
        "mebibyte",
        '"60s"',
    ):
        assert word in text
