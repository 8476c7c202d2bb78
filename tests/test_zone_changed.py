"""examples/zonefile/zone-changed: the serial goes up, what is broken is not served, and one works at a time."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab.daemon import run
from lab.fixtures import needs_only

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = Path(__file__).parent.parent / "examples" / "zonefile" / "zone-changed"
ZONE = """$TTL 60
example.org. SOA ns hostmaster (
    {serial} ; Serial
    3600 600 864000 60 ) ; 77 ; serial numbers of the other kind
example.org. NS ns
ns A 192.0.2.53
$INCLUDE {snippet}
"""


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a call of the script for a zone with this serial and snippet; its reload leaves `reloaded` behind."""
    needs_only("named-checkzone", "ldns-signzone", "nsd-checkzone")
    key = run("ldns-keygen", "-k", "-a", "ECDSAP256SHA256", "example.org", cwd=tmp_path).strip()

    def call(serial: str = "2026010199", snippet: str = "", *, sign: bool = False) -> subprocess.CompletedProcess[str]:
        (tmp_path / "snippet").write_text(snippet)
        (tmp_path / "zone").write_text(ZONE.format(serial=serial, snippet=tmp_path / "snippet"))
        words = ["--sign", str(tmp_path / "signed"), str(tmp_path / key)] if sign else []
        argv = [str(SCRIPT), *words, "example.org", str(tmp_path / "zone"), "touch", str(tmp_path / "reloaded")]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    return call


@pytest.mark.parametrize(("before", "after"), [("2026010199", "2026010200"), ("1", "2"), ("4294967295", "1")])
def test_the_serial_goes_up(
    changed: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, before: str, after: str
) -> None:
    """By one, as RFC 1982 counts, whatever a serial means here; nothing else in the file changes, its mode neither."""
    (tmp_path / "zone").touch()
    (tmp_path / "zone").chmod(0o640)
    done = changed(before)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "zone").read_text() == ZONE.format(serial=after, snippet=tmp_path / "snippet")
    assert (tmp_path / "zone").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "reloaded").exists()


def test_without_a_serial_line(changed: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    """It says what is missing, and changes nothing."""
    done = changed("7 3600 600 864000 60 )\n;")
    assert done.returncode == 1
    assert "; serial" in done.stderr
    assert "7 3600" in (tmp_path / "zone").read_text()
    assert not (tmp_path / "reloaded").exists()


@pytest.mark.parametrize("sign", [False, True], ids=["bind", "nsd"])
def test_a_broken_zone_is_not_served(
    changed: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, *, sign: bool
) -> None:  # fmt: skip
    """It says what is broken; the file that was signed before stands, and nothing is reloaded."""
    assert changed(sign=sign).returncode == 0
    (tmp_path / "reloaded").unlink()
    signed = (tmp_path / "signed").read_text() if sign else ""
    done = changed(snippet="_25._tcp.mx TLSA 3 1 nonsense\n", sign=sign)
    assert done.returncode != 0
    assert "snippet:" in done.stderr
    assert not (tmp_path / "reloaded").exists()
    assert ((tmp_path / "signed").read_text() if sign else "") == signed


def test_signed_with_the_snippet(changed: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    """What the snippet has is in the signed file, with signatures, which anybody may read."""
    assert changed(snippet=f"_25._tcp.mx TLSA 3 1 1 {'a' * 64}\n", sign=True).returncode == 0
    signed = (tmp_path / "signed").read_text()
    assert f"TLSA\t3 1 1 {'a' * 64}" in signed
    assert "RRSIG\tTLSA 13" in signed
    assert (tmp_path / "signed").stat().st_mode & 0o777 == 0o644


def test_wrong_words() -> None:
    """Called without what it needs it says how it is called."""
    done = subprocess.run([str(SCRIPT), "--sign", "a"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "usage" in done.stderr
