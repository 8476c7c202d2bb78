"""Every backend with the server behind it, as the suite of promises wants them."""

from __future__ import annotations

import itertools
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab.fixtures import needs

from tlsa_manager.errors import PublishError
from tlsa_manager.publish import Backend, Change, Text, open_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contract.primaries import Primary

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
