"""Opening a backend: options checked, modules imported on demand, third parties by entry point."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest
from lab.bind import tsig_key

from tlsa_manager import publish
from tlsa_manager.errors import ConfigError
from tlsa_manager.publish import KINDS, Change, manual, open_backend, options_of
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from pathlib import Path

RECORD = frozenset({Tlsa.parse("3 1 1 " + "a" * 64)})


def test_unknown_kind() -> None:
    """A kind that does not exist is a mistake of the configuration, with a suggestion."""
    with pytest.raises(ConfigError) as caught:
        open_backend("ns1", "rfc2163", {})
    assert caught.value.mistakes == ("dns.ns1.backend: 'rfc2163' is not a kind of backend; did you mean 'rfc2136'?",)


def test_unknown_and_missing_options() -> None:
    """Unknown and missing options are all told."""
    with pytest.raises(ConfigError) as caught:
        open_backend("ns1", "rfc2136", {"servers": "192.0.2.53"})
    assert any("did you mean 'server'" in line for line in caught.value.mistakes)
    assert any(line.startswith("dns.ns1.tsig-key-file: missing") for line in caught.value.mistakes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"server": "192.0.2.53#0"}, "port"),
        ({"server": "192.0.2.53#dns"}, "port"),
        ({"port": 70000}, "port"),
        ({"server": "192.0.2.300"}, "neither an address nor a name"),
        ({"server": "ns1 example"}, "neither an address nor a name"),
        ({"server": "-x"}, "neither an address nor a name"),
        ({"zone": "exam ple"}, "not a zone name"),
        ({"zone": "a..b"}, "not a zone name"),
    ],
)
def test_places_that_cannot_be(tmp_path: Path, options: dict[str, object], words: str) -> None:
    """Addresses, ports and zones that cannot exist are refused before anything is sent."""
    path = str(tsig_key(tmp_path / "key", "up."))
    with pytest.raises(ConfigError, match=words):
        open_backend("ns1", "rfc2136", {"server": "192.0.2.53", "tsig-key-file": path, **options})


@pytest.mark.parametrize("server", ["192.0.2.53", "192.0.2.53#5353", "2001:db8::53#53", "ns1.example.org", "ns1.example.org.#53"])
def test_places_that_can_be(tmp_path: Path, server: str) -> None:
    """Addresses of both families and names, with and without port."""
    open_backend("ns1", "rfc2136", {"server": server, "tsig-key-file": str(tsig_key(tmp_path / "key", "up."))})


@pytest.mark.parametrize("kind", KINDS)
def test_options_are_documented(kind: str) -> None:
    """Every option of every backend has a help text, and a default that its own check accepts."""
    for option in options_of(kind):
        assert option.help
        assert option.default is None or option.read(option.default) is not None
        assert option.required or option.default is not None or option.type in {"str", "file", "argv"}


def test_start_up_stays_light() -> None:
    """Declaring and checking options imports no DNS library."""
    code = (
        "import sys; from tlsa_manager import publish; [publish.options_of(kind) for kind in publish.KINDS];"
        "sys.exit(bool({'dns', 'subprocess', 'selectors', 'importlib.metadata'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_third_parties(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that is not ours is looked for among the entry points, and checked like ours."""
    asked: list[str] = []

    def entry_points(*, group: str) -> list[EntryPoint]:
        asked.append(group)
        return [EntryPoint("cloud", manual.__name__, group), EntryPoint("broken", "no.such.module", group)]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    open_backend("ns1", "manual", {})
    assert asked == []
    assert open_backend("ns1", "cloud", {}).name == "ns1"
    assert asked == [publish.ENTRY_POINTS]
    with pytest.raises(ConfigError, match="unknown option"):
        open_backend("ns1", "cloud", {"x": 1})
    with pytest.raises(ConfigError, match="cannot be loaded"):
        open_backend("ns1", "broken", {})
    with pytest.raises(ConfigError, match="did you mean 'cloud'"):
        open_backend("ns1", "clod", {})


@pytest.mark.parametrize(("add", "remove"), [(RECORD, RECORD), (frozenset(), frozenset())])
def test_a_change_adds_or_removes(add: frozenset[Tlsa], remove: frozenset[Tlsa]) -> None:
    """A change that does both, or nothing, cannot be made: no step of a rollover exchanges records in place."""
    with pytest.raises(ValueError, match="either adds"):
        Change("x.example.", "", add, remove, None, 60)


def test_a_change_names_its_target_absolutely() -> None:
    """A relative name would be another name in another zone."""
    with pytest.raises(ValueError, match="absolute"):
        Change("x.example", "", RECORD, frozenset(), None, 60)
