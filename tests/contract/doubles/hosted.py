"""The stand of a backend whose server is a double: what all of them have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import dns.rdata

from contract.stand import ALWAYS
from tlsa_manager.publish import open_backend
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from contract.doubles.double import Double
    from contract.stand import Trouble
    from tlsa_manager.publish import Backend


class HostedStand(ABC):
    """One provider. A subclass says its `kind`, its `double` and its `options`, and what else is not as usual."""

    kind: ClassVar[str]
    which: ClassVar[str] = ""
    double: ClassVar[type[Double]]
    troubles: ClassVar[frozenset[Trouble]] = ALWAYS
    compares: ClassVar[bool] = False
    together: ClassVar[bool] = True
    late: ClassVar[bool] = False
    renews: ClassVar[bool] = False
    zone: ClassVar[str] = "pub.example."
    patience: ClassVar[str] = "1s"
    least_ttl: ClassVar[int] = 0

    def __init__(self, directory: Path, _server: Callable[[str], Any]) -> None:
        """Start nothing yet."""
        self.directory = directory
        self.server = self.double()
        self._secrets: set[str] = set()

    def __enter__(self) -> Self:
        """Start the double."""
        self.directory.mkdir()
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.server.__exit__()

    @abstractmethod
    def options(self, secret: Callable[[str, str], str]) -> dict[str, object]:
        """Return the options of the section. `secret(name, text)` writes a closed file and returns its path."""

    def backend(self, **options: object) -> Backend:
        """Open the backend with the account that the double knows."""
        return open_backend("ns1", self.kind, {**self.options(self._file), **options})

    def stranger(self) -> Backend:
        """Open it with secrets spelled backwards. Override where that would not be one."""
        return open_backend("ns1", self.kind, self.options(lambda name, text: self._file(f"false-{name}", text[::-1])))

    def put(self, name: str, ttl: int, *records: str, kind: str = "TLSA") -> None:
        """Make a set stand."""
        self.server.sets.pop((name, kind), None)
        if records:
            self.server.sets[name, kind] = ttl, list(records)

    def stands(self, name: str, kind: str = "TLSA") -> tuple[set[str], int]:
        """Return the set, in one spelling."""
        ttl = self.server.sets.get((name, kind), (0, []))[0]
        return {one_spelling(kind, record) for record in self.spelled(name, kind)}, ttl

    def spelled(self, name: str, kind: str = "TLSA") -> list[str]:
        """Return the records as the double keeps them."""
        return list(self.server.sets.get((name, kind), (0, []))[1])

    def new_ttl(self, wanted: int) -> int:
        """Return the least TTL of the provider where less is wanted."""
        return max(wanted, self.least_ttl)

    def other_ttl(self) -> int:
        """Return a TTL that the provider takes."""
        return max(300, self.least_ttl) + 17

    def trouble(self, which: Trouble, name: str, **more: Any) -> AbstractContextManager[None]:
        """Bring the double into it."""
        return self.server.trouble(which, name, **more)

    def asked(self) -> int:
        """Count."""
        return len(self.server.requests)

    def writes(self) -> int:
        """Count."""
        return sum(map(self.server.writes, self.server.requests))

    def secrets(self) -> set[str]:
        """Return all that was ever written by `options`, false ones too."""
        return self._secrets

    def complaints(self) -> list[str]:
        """Return the double's, and forget them."""
        found, self.server.complaints[:] = list(self.server.complaints), []
        return found

    def _file(self, name: str, text: str) -> str:
        self._secrets |= {line for line in text.splitlines() if len(line) > 7}
        path = self.directory / name
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(text)
        return str(path)


def one_spelling(kind: str, record: str) -> str:
    """Return a record in the one spelling that tests compare; a TXT record may come without its quotes."""
    if kind == "TLSA":
        return str(Tlsa.parse(record))
    if kind == "TXT":
        return dns.rdata.from_text("IN", kind, record if '"' in record else f'"{record}"').to_text()
    return record
