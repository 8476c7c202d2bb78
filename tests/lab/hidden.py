"""A hidden primary: BIND takes updates and signs, but the name servers of the zone are its secondaries, a BIND and an NSD."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from lab import namespace
from lab.bind import Named, tsig_key
from lab.elsewhere import Elsewhere
from lab.nsd import Nsd
from lab.updates import Updates, backend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.hierarchy import DnsLab


class HiddenPrimary(Updates, Elsewhere):
    """h.example: the world asks the two secondaries and cannot know of the primary."""

    zone = "h.example"
    servers = ("127.53.6.4", "127.53.6.5")
    primary = "127.53.6.6"

    def __init__(self, dns_lab: DnsLab) -> None:
        super().__init__(dns_lab)
        self.key = tsig_key(self.directory / "tlsa-manager.key", "tlsa-manager.")

    def launch(self) -> None:
        """Write all configuration and start the three."""
        secrets = self.dns_lab.secrets
        namespace.add_address(self.primary)
        hidden = Named(self.directory / "hidden", secrets, listen=(self.primary,), control=9544)
        names = "; ".join(f"grant tlsa-manager. name _{port}._tcp.mx.{self.zone} TLSA" for port in (25, 465, 587))
        (hidden.directory / "zone.db").write_text(self.text())
        hidden.configure(
            f'include "{self.key}";\n'
            + "".join(f'server {address} {{ keys {{ "lab-transfer."; }}; }};\n' for address in self.servers)
            + f'zone "{self.zone}" {{ type primary; file "zone.db"; dnssec-policy lab; inline-signing no;\n'
            f"  update-policy {{ {names}; grant lab-update. zonesub ANY; }}; also-notify {{ {'; '.join(self.servers)}; }}; }};\n"
        )
        self._public = public = Named(self.directory / "public", secrets, listen=self.servers[:1], control=9545)
        public.configure(
            f'server {self.primary} {{ keys {{ "lab-transfer."; }}; }};\n'
            f'zone "{self.zone}" {{ type secondary; primaries {{ {self.primary}; }}; file "zone.db"; }};\n'
        )
        nsd = Nsd(self.directory / "nsd", self.servers[1])
        nsd.follow(self.zone, self.primary, secrets.transfer)
        self.daemons += [public.daemon, nsd.daemon, hidden.daemon]
        hidden.daemon.start()
        hidden.daemon.wait_until(lambda: self._is_signed(self.primary))
        public.daemon.start()
        nsd.daemon.start()

    @contextlib.contextmanager
    def without(self, server: str) -> Iterator[None]:
        """Have the BIND among the public servers hear nothing for a while; back again, it catches up."""
        assert server == self._public.listen[0]
        self._public.daemon.freeze()
        try:
            yield
        finally:
            self._public.daemon.thaw()
            self._public.rndc("refresh", self.zone)

    def backend(self) -> str:
        """Return the lines of `[dns.primary]`: the hidden one, by its address."""
        return backend(self.primary, self.key)
