"""What servers have in common that take dynamic updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab


class Updates:
    """A zone that is changed by updates with the lab's own key at `primary`."""

    dns_lab: DnsLab
    primary: str

    def put(self, owner: str, ttl: int, *records: str) -> None:
        """Make these rdata the TLSA records of a name."""
        adds = "".join(f"update add {owner} {ttl} TLSA {record}\n" for record in records)
        self.dns_lab.update(f"update delete {owner} TLSA\n{adds}", server=self.primary)


def backend(primary: str, key: Path) -> str:
    """Return the lines of a section of the configuration that updates there."""
    return f'backend = "rfc2136"\nserver = "{primary}"\ntsig-key-file = "{key}"\n'
