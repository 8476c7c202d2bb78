"""Every backend with the server behind it, as the suite of promises wants them."""

from __future__ import annotations

import contextlib
import itertools
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lab.fixtures import needs

from contract.stands import STANDS, stand_of
from tlsa_manager import clock
from tlsa_manager.errors import PublishError
from tlsa_manager.publish import Backend, Change, Text, open_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contract.primaries import Primary
    from contract.stand import Stand

EXAMPLE = Path(__file__).parents[2] / "examples" / "exec-backend" / "nsupdate-backend"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class World:
    """A backend as the program opens it, and the server it changes."""

    kind: str
    primary: Primary
    log: pytest.LogCaptureFixture

    def backend(self, key: str = "publisher.", **options: object) -> Backend:
        """Open the backend with this key file; further options replace or add."""
        path = self.primary.keys.path(key)
        if self.kind == "exec":
            server = str(options.pop("server", self.primary.address))
            return open_backend("ns1", "exec", {"command": [str(EXAMPLE), server, path], **options})
        return open_backend("ns1", "rfc2136", {"server": self.primary.address, "tsig-key-file": path, **options})

    def refusal(self, change: Change | Text, backend: Backend | None = None) -> PublishError:
        """Return the error a change ends with, having made sure that it tells what to do and tells no secret."""
        one = backend or self.backend()
        with pytest.raises(PublishError) as caught:
            one.change(change) if isinstance(change, Change) else one.text(change)
        error = caught.value
        assert error.hint, "an error names its remedy"
        everything = "".join(traceback.format_exception(error)) + error.message + error.hint + repr(backend) + self.log.text
        assert not [secret for secret in self.primary.keys.secrets() if secret in everything]
        return error


def _primary(kind: type[Primary], lab_dir: Path) -> Iterator[Primary]:
    server = kind(lab_dir / f"primary-{kind.kind}")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def bind(lab_dir: Path) -> Iterator[Primary]:
    """BIND, taking updates."""
    from contract.primaries import Bind

    needs("named", "rndc", "dig", "nsupdate")
    yield from _primary(Bind, lab_dir)


@pytest.fixture(scope="session")
def knot(lab_dir: Path) -> Iterator[Primary]:
    """Knot, taking updates."""
    from contract.primaries import Knot

    needs("knotd", "knotc")
    yield from _primary(Knot, lab_dir)


@pytest.fixture(scope="session")
def pdns(lab_dir: Path) -> Iterator[Primary]:
    """Start PowerDNS, taking updates."""
    from contract.primaries import PowerDns

    needs("pdns_server", "pdnsutil")
    yield from _primary(PowerDns, lab_dir)


@pytest.fixture(params=["rfc2136-bind", "rfc2136-knot", "rfc2136-pdns", "exec-bind"])
def world(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> World:
    """Every backend that has hands, over every server it can change."""
    kind, server = request.param.split("-")
    caplog.set_level("DEBUG")
    return World(kind, request.getfixturevalue(server), caplog)


@pytest.fixture(params=["bind", "knot"])
def updates(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> World:
    """Give the rfc2136 backend alone, over both servers."""
    caplog.set_level("DEBUG")
    return World("rfc2136", request.getfixturevalue(request.param), caplog)


@pytest.fixture
def fresh() -> Callable[[], str]:
    """Return owner names that no other test has used."""
    return lambda: f"_25._tcp.mx{next(_numbers)}.pub.example."


@pytest.fixture
def fresh_in() -> Callable[[str], str]:
    """Return owner names in a zone that no other test has used."""
    return lambda zone: f"_25._tcp.mx{next(_numbers)}.{zone}"


# --- the stands of the suite of promises ------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test over every stand; one that plays troubles, over every stand that can be brought into them."""
    if "stand" not in metafunc.fixturenames:
        return
    if "trouble" not in metafunc.fixturenames:
        metafunc.parametrize("stand", list(STANDS), indirect=True)
        return
    played, apart = metafunc.function.troubles, metafunc.function.apart
    stands = {name: stand_of(name) for name in STANDS}
    pairs = [
        (name, one) for name in STANDS for one in played if one in stands[name].troubles and not (apart and stands[name].together)
    ]
    metafunc.parametrize(("stand", "trouble"), pairs, indirect=["stand"], ids=["-".join(pair) for pair in pairs])


@pytest.fixture(scope="session")
def stands_made() -> Iterator[tuple[contextlib.ExitStack, dict[str, Stand]]]:
    """Keep what has been made until the end: servers are started once."""
    with contextlib.ExitStack() as stack:
        yield stack, {}


@pytest.fixture
def stand_named(
    request: pytest.FixtureRequest, lab_dir: Path, stands_made: tuple[contextlib.ExitStack, dict[str, Stand]],
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[str], Any]]:  # fmt: skip
    """Give any stand by its name. Whatever is not asked as the server's documents say fails the test."""
    stack, made = stands_made
    used: list[Stand] = []
    caplog.set_level("DEBUG")
    monkeypatch.setattr(clock, "sleep", lambda seconds: time.sleep(min(seconds, 0.02)))  # what is waited for is on loopback

    def give(name: str) -> Stand:
        if name not in made:
            made[name] = stack.enter_context(stand_of(name)(lab_dir / f"stand-{name}", request.getfixturevalue))
        made[name].complaints()
        used.append(made[name])
        return made[name]

    yield give
    assert [one.complaints() for one in used] == [[] for _ in used]


@pytest.fixture
def stand(request: pytest.FixtureRequest, stand_named: Callable[[str], Stand]) -> Stand:
    """One backend and what stands behind it."""
    return stand_named(request.param)
