"""Zones that are files: changed through an included snippet, by backend = "zonefile" and the script of the examples."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from lab.bind import Named
from lab.daemon import run
from lab.elsewhere import Elsewhere
from lab.nsd import Nsd

SCRIPT = Path(__file__).parents[2] / "examples" / "zonefile" / "zone-changed"


class ZoneFiles(Elsewhere):
    """A zone file that ends with the snippet."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that has the snippet served."""

    @property
    def file(self) -> Path:
        """The zone file."""
        return self.directory / "zone.db"

    @property
    def snippet(self) -> Path:
        """What the zone file includes."""
        return self.directory / "tlsa.inc"

    def write(self) -> None:
        """Write the zone file and an empty snippet."""
        self.snippet.write_text("; written by tlsa-manager\n")
        self.file.write_text(self.text(f"$INCLUDE {self.snippet}"))

    def put(self, owner: str, ttl: int, *records: str) -> None:
        """Add records to the snippet by hand."""
        lines = [line for line in self.snippet.read_text().splitlines() if not line.startswith(owner)]
        lines += [f"{owner} {ttl} IN TLSA {record}" for record in records]
        self.snippet.write_text("\n".join(lines) + "\n")
        run(*self.command())

    def backend(self) -> str:
        """Return the lines of `[dns.primary]`."""
        words = ", ".join(f'"{word}"' for word in self.command())
        return f'backend = "zonefile"\nfile = "{self.snippet}"\ncommand = [{words}]\nzone = "{self.zone}"\n'


class NsdZoneFile(ZoneFiles):
    """n.example: signed outside by ldns, served by NSD."""

    zone = "n.example"
    servers = ("127.53.6.7",)

    def launch(self) -> None:
        """Make a key, sign, start."""
        self.write()
        self._key = run("ldns-keygen", "-k", "-a", "ECDSAP256SHA256", self.zone, cwd=self.directory).strip()
        self._nsd = Nsd(self.directory / "nsd", self.servers[0])
        self._nsd.serve_file(self.zone, self.directory / "signed.db")
        run(*self._signing(), "/bin/true")
        self.daemons.append(self._nsd.daemon)
        self._nsd.daemon.start()

    def command(self) -> list[str]:
        """Return the command that signs and reloads."""
        return [*self._signing(), *self._nsd.words("reload", self.zone)]

    def _signing(self) -> list[str]:
        signed, key = str(self.directory / "signed.db"), str(self.directory / self._key)
        return [str(SCRIPT), "--sign", signed, key, self.zone, str(self.file)]


class BindZoneFile(ZoneFiles):
    """f.example: signed by BIND itself, which keeps the zone file as it is (inline-signing)."""

    zone = "f.example"
    servers = ("127.53.6.8",)

    def launch(self) -> None:
        """Start BIND."""
        self.write()
        self._named = Named(self.directory / "named", self.dns_lab.secrets, listen=self.servers, control=9543)
        self._named.configure(
            f'zone "{self.zone}" {{ type primary; file "{self.file}"; dnssec-policy lab; inline-signing yes; }};\n'
        )
        self.daemons.append(self._named.daemon)
        self._named.daemon.start()

    def command(self) -> list[str]:
        """Return the command that raises the serial and reloads."""
        return [str(SCRIPT), self.zone, str(self.file), *self._named.rndc_words("reload", self.zone)]

    def backend(self) -> str:
        """Return the lines of `[dns.primary]`, with a check before the command."""
        return f'{super().backend()}check = ["/usr/bin/named-checkzone", "-q", "{self.zone}", "{self.file}"]\n'
