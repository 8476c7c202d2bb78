"""The stand of a zone file: a real NSD, whose zone is signed outside by the script of the examples, and a command in trouble."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, Any, ClassVar, Self

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
from lab.daemon import run, until
from lab.fixtures import needs
from lab.nsd import Nsd
from lab.zonefiles import SCRIPT

from contract.doubles.hosted import one_spelling
from tlsa_manager.publish import Change, open_backend
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from contract.stand import Trouble
    from tlsa_manager.publish import Backend

ADDRESS = "127.53.4.31"
_SETTLING = Change("_25._tcp.nobody.pub.example.", "", frozenset(), frozenset({Tlsa.parse(f"3 1 1 {'0' * 64}")}), None, 60)


class NsdStand:
    """The snippet of a zone of NSD. Its command does the work unless it is to be in trouble before or after that."""

    kind: ClassVar[str] = "zonefile"
    which: ClassVar[str] = ""
    troubles: ClassVar[frozenset[Trouble]] = frozenset({"refusal", "broken", "lost-request", "lost-answer"})
    compares: ClassVar[bool] = False
    together: ClassVar[bool] = True
    late: ClassVar[bool] = False
    renews: ClassVar[bool] = False
    zone: ClassVar[str] = "pub.example."
    patience: ClassVar[str] = "2s"

    def __init__(self, directory: Path, _server: Callable[[str], Any]) -> None:
        self.directory = directory
        self.snippet = directory / "tlsa.inc"
        self._trouble, self._runs = directory / "trouble", directory / "runs"
        self._zone, self._signed = directory / "zone.db", directory / "signed.db"

    def __enter__(self) -> Self:
        """Sign the zone and start NSD."""
        needs("nsd", "nsd-control", "ldns-signzone")
        self.directory.mkdir()
        self._runs.touch()
        self._trouble.touch()
        self.snippet.touch()
        self._zone.write_text(
            f"$TTL 60\n{self.zone} SOA ns.{self.zone} hostmaster.{self.zone} (\n 1 ; serial\n 60 10 86400 60 )\n"
            f"{self.zone} NS ns.{self.zone}\nns.{self.zone} A {ADDRESS}\n$INCLUDE {self.snippet}\n"
        )
        name = self.zone.rstrip(".")
        key = run("ldns-keygen", "-k", "-a", "ECDSAP256SHA256", name, cwd=self.directory).strip()
        self._nsd = Nsd(self.directory / "nsd", ADDRESS)
        self._nsd.serve_file(name, self._signed)
        work = [str(SCRIPT), "--sign", str(self._signed), str(self.directory / key), name, str(self._zone)]
        self._command(" ".join([*work, *self._nsd.words("reload", name)]))
        run(*work, "/bin/true")
        self._nsd.daemon.start()
        try:
            self._nsd.daemon.wait_until(lambda: self._serial() is not None)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._nsd.daemon.stop()

    def backend(self, **options: object) -> Backend:
        """Open the backend."""
        required = {"file": str(self.snippet), "command": [str(self.directory / "command")], "zone": self.zone}
        return open_backend("ns1", "zonefile", {**required, **options})

    def stranger(self) -> Backend:
        """Open it with a file that is not the one which the zone includes: there is no secret that could be wrong."""
        return self.backend(file=str(self.directory / "other.inc"))

    def put(self, name: str, ttl: int, *records: str, kind: str = "TLSA") -> None:
        """Edit the snippet by hand."""
        lines = [line for line in self.snippet.read_text().splitlines() if not _is_of(line, name, kind)]
        lines += [f"{name} {ttl} IN {kind} {record}" for record in records]
        self.snippet.write_text("".join(f"{line}\n" for line in lines))
        run(str(self.directory / "command"))

    def stands(self, name: str, kind: str = "TLSA") -> tuple[set[str], int]:
        """Ask the server as anybody, when it has loaded what was signed last."""
        serial = int(self._signed.read_text().split("SOA", 1)[1].split()[2])
        until(lambda: self._serial() == serial, "NSD serves what was signed")
        wanted = dns.rdatatype.from_text(kind)
        for rrset in dns.query.tcp(dns.message.make_query(name, kind), ADDRESS, timeout=10).answer:
            if rrset.rdtype == wanted:
                return {one_spelling(kind, rdata.to_text()) for rdata in rrset}, rrset.ttl
        return set(), 0

    def spelled(self, name: str, kind: str = "TLSA") -> list[str]:
        """Return what the snippet has."""
        lines = self.snippet.read_text().splitlines()
        return sorted(line.split(maxsplit=4)[4] for line in lines if _is_of(line, name, kind))

    def new_ttl(self, wanted: int) -> int:
        """Return what is asked for."""
        return wanted

    def other_ttl(self) -> int:
        """Return any."""
        return 317

    @contextlib.contextmanager
    def trouble(self, which: Trouble, name: str, *, reads: bool = False, spared: int = 0) -> Iterator[None]:
        """Have the command refuse, say later, or hang; with `reads` another run is at work in the directory."""
        assert not spared, "a change is one step"
        self._trouble.write_text(which)
        directory = os.open(self.directory, os.O_RDONLY)
        try:
            if reads and which != "refusal":
                fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)
            self._trouble.write_text("")

    def asked(self) -> int:
        """Count the runs of the command."""
        return len(self._runs.read_text())

    def writes(self) -> int:
        """Count the runs of the command."""
        return self.asked()

    def secrets(self) -> set[str]:
        """Return none: there are none."""
        return set()

    def complaints(self) -> list[str]:
        """Return none. Between tests a change of nothing has the command run that the last trouble has left to be run."""
        if self.snippet.with_name(f".{self.snippet.name}.owed").exists():
            self.backend().change(_SETTLING)
        return []

    def _command(self, work: str) -> None:
        command = self.directory / "command"
        command.write_text(
            f"#!/bin/sh\ntrouble=$(cat {self._trouble})\nprintf . >>{self._runs}\ncase $trouble in\n"
            "    refusal) echo 'you may not' >&2; exit 1 ;;\n    broken) exit 75 ;;\n    lost-request) sleep 60 ;;\nesac\n"
            f'{work} || exit\n[ "$trouble" != lost-answer ] || sleep 60\n'
        )
        command.chmod(0o755)

    def _serial(self) -> int | None:
        try:
            answer = dns.query.udp(dns.message.make_query(self.zone, "SOA"), ADDRESS, timeout=1).answer
        except (dns.exception.DNSException, OSError):
            return None
        return int(answer[0][0].serial) if answer else None


def _is_of(line: str, name: str, kind: str) -> bool:
    words = line.split(maxsplit=4)
    return len(words) == 5 and words[0].lower() == name.lower() and words[3] == kind
