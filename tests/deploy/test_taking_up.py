"""Whether a server reads a replaced file by itself, as the access time tells."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.deploy.exim import taking_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def seen(file: Path, act: Callable[[], object], *, within: float = 60.0) -> bool:
    """Whether it is seen while something is done a little later."""
    with ThreadPoolExecutor(1) as other:
        later = other.submit(lambda: (clock.sleep(0.3), act()))
        found = taking_up.is_read(file, within)
        later.result()
    return found


def test_the_first_reader_is_seen(tmp_path: Path) -> None:
    """At once, not after all the time there is."""
    file = tmp_path / "mx.pem"
    file.write_bytes(b"x")
    assert seen(file, file.read_bytes)


def test_nobody_is_seen_where_nobody_reads(tmp_path: Path) -> None:
    """Nor is one who had read it before, one who looks and does not read, or one who reads what it was replaced by."""
    file = tmp_path / "mx.pem"
    assert not taking_up.is_read(file, 60.0)
    file.write_bytes(b"x")
    assert not seen(file, file.stat, within=0.6)

    def replace() -> None:
        (tmp_path / "new").write_bytes(b"y")
        (tmp_path / "new").rename(file)
        file.read_bytes()

    assert not seen(file, replace)
    assert not taking_up.is_read(file, 60.0), "it was read before"
    assert not seen(file, file.unlink)
