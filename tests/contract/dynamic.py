"""The stands of dynamic update: real servers, each behind a relay that can bring it into trouble."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from lab import namespace

from contract import primaries
from contract.doubles.hosted import one_spelling
from contract.relay import Relay
from contract.stand import TROUBLES
from tlsa_manager.publish import open_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contract.primaries import Primary
    from contract.stand import Trouble
    from tlsa_manager.publish import Backend

EXAMPLE = Path(__file__).parents[2] / "examples" / "exec-backend" / "nsupdate-backend"
MEDDLED = f"3 1 1 {'9' * 64}"  # what somebody else adds in the middle, here as at the doubles


class DynamicStand:
    """A primary that takes updates. A subclass says which, and where its relay listens."""

    kind: ClassVar[str] = "rfc2136"
    which: ClassVar[str] = ""
    troubles: ClassVar[frozenset[Trouble]] = TROUBLES - {"limit"}
    compares: ClassVar[bool] = True
    together: ClassVar[bool] = True
    late: ClassVar[bool] = False
    renews: ClassVar[bool] = False
    zone: ClassVar[str] = primaries.ZONE
    patience: ClassVar[str] = "1s"
    fixture: ClassVar[str]
    address: ClassVar[str]

    def __init__(self, _directory: Path, server: Callable[[str], Any]) -> None:
        self.primary: Primary = server(self.fixture)
        self._refuses = False

    def __enter__(self) -> Self:
        """Open the door."""
        namespace.add_address(self.address)
        self.relay = Relay(self.address, self.primary.address, self.primary.keys.load("publisher."), self._meddle)
        self.relay.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.relay.__exit__()

    def backend(self, **options: object) -> Backend:
        """Open the backend; while it is refused, with a key that may not."""
        return self._open(self._refused_key if self._refuses else "publisher.", options)

    def stranger(self) -> Backend:
        """Open it with the right name and another secret."""
        return self._open("false/publisher.", {})

    def put(self, name: str, ttl: int, *records: str, kind: str = "TLSA") -> None:
        """Make a set stand."""
        self.primary.put(f"-{name} {kind}", *(f"{name} {ttl} {kind} {record}" for record in records))

    def stands(self, name: str, kind: str = "TLSA") -> tuple[set[str], int]:
        """Ask as anybody."""
        found, ttl = self.primary.records(name, kind)
        return {one_spelling(kind, record) for record in found}, ttl

    def spelled(self, name: str, kind: str = "TLSA") -> list[str]:
        """Return the same: over DNS there is one spelling, and no record stands twice (RFC 2181 §5)."""
        return sorted(self.primary.records(name, kind)[0])

    def new_ttl(self, wanted: int) -> int:
        """Return what is asked for."""
        return wanted

    def other_ttl(self) -> int:
        """Return any."""
        return 317

    @contextlib.contextmanager
    def trouble(self, which: Trouble, name: str, *, reads: bool = False, spared: int = 0) -> Iterator[None]:
        """Bring the relay into it; refused is who has a key that may not."""
        assert not spared, "a change is one step"
        self._refuses = which == "refusal"
        try:
            with self.relay.trouble(which, name, reads=reads):
                yield
        finally:
            self._refuses = False

    def asked(self) -> int:
        """Count what went through the relay."""
        return self.relay.asked

    def writes(self) -> int:
        """Count what went through the relay."""
        return self.relay.writes

    def secrets(self) -> set[str]:
        """Return the secrets of all keys."""
        return self.primary.keys.secrets()

    def complaints(self) -> list[str]:
        """Return none: a real server complains by refusing."""
        return []

    _refused_key: ClassVar[str] = "stranger."

    def _open(self, key: str, options: dict[str, object]) -> Backend:
        path = self.primary.keys.path(key)
        return open_backend("ns1", "rfc2136", {"server": self.address, "tsig-key-file": path, **options})

    def _meddle(self, name: str) -> None:
        self.primary.put(f"{name} {self.other_ttl()} TLSA {MEDDLED}")


class BindStand(DynamicStand):
    """BIND."""

    fixture, address = "bind", "127.53.4.11"


class KnotStand(DynamicStand):
    """Knot."""

    fixture, address = "knot", "127.53.4.12"


class PowerDnsStand(DynamicStand):
    """PowerDNS, which knows no key that may only look: refused is one that it does not know."""

    fixture, address = "pdns", "127.53.4.13"
    _refused_key = "unknown."


class ExecStand(DynamicStand):
    """The program of the examples, over BIND. What is no answer ends that program, and with it the change: test_exec.py."""

    kind = "exec"
    troubles = DynamicStand.troubles - {"nonsense"}
    fixture, address, patience = "bind", "127.53.4.14", "5s"  # a program has to be started, several times

    def _open(self, key: str, options: dict[str, object]) -> Backend:
        command = [str(EXAMPLE), self.address, self.primary.keys.path(key)]
        return open_backend("ns1", "exec", {"command": command, **options})
