"""Zone texts of the lab's good zones: the root, example., and the zones below it that tests change."""

from __future__ import annotations

from dataclasses import dataclass

from lab.bind import TTL

PARENT_TTL = 5
ROOT_SERVER, TLD_SERVER = "127.53.0.1", "127.53.0.2"
PRIMARY, SECONDARY, FAULTS = "127.53.1.1", "127.53.1.2", "127.53.1.9"
MX_ADDRESS = "127.25.0.1"


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone on primary and secondary. `notified`: the secondary hears of changes within milliseconds, else not by itself."""

    name: str
    is_signed: bool = True
    notified: bool = True

    def text(self) -> str:
        """Return the zone file: mail for the zone goes to mx.ZONE."""
        # A secondary that is not notified must not find out through the SOA's refresh timer either.
        refresh = "60 10" if self.notified else "86400 86400"
        return (
            f"$TTL {TTL}\n"
            f"{self.name}. IN SOA ns1.a.example. hostmaster.a.example. 1 {refresh} 864000 1\n"
            f"{self.name}. IN NS ns1.a.example.\n{self.name}. IN NS ns2.a.example.\n"
            f"{self.name}. IN MX 10 mx.{self.name}.\nmx.{self.name}. IN A {MX_ADDRESS}\n"
        ) + (f"ns1.a.example. IN A {PRIMARY}\nns2.a.example. IN A {SECONDARY}\n" if self.name == "a.example" else "")

    def on_primary(self) -> str:
        """Return the zone statement of the primary: changed by TSIG-signed updates, signed by BIND itself."""
        signing = "dnssec-policy lab; inline-signing no; " if self.is_signed else ""
        notify = f"also-notify {{ {SECONDARY}; }}; " if self.notified else "notify no; "
        grant = "update-policy { grant lab-update. zonesub ANY; }; "
        return f'zone "{self.name}" {{ type primary; file "{self.name}.db"; {signing}{grant}{notify}}};\n'

    def on_secondary(self) -> str:
        """Return the zone statement of the secondary."""
        kind = f"type secondary; primaries {{ {PRIMARY}; }}; masterfile-format text;"
        return f'zone "{self.name}" {{ {kind} file "{self.name}.db"; }};\n'

    def delegation(self) -> str:
        """Return the NS lines that example. has for it."""
        return f"{self.name}. IN NS ns1.a.example.\n{self.name}. IN NS ns2.a.example.\n"


ZONES = (
    Zone("a.example"),
    Zone("b.example"),
    Zone("lag.example", notified=False),
    Zone("slow.example", notified=False),
    Zone("insecure.example", is_signed=False),
)
MAIL_DOMAINS = tuple(zone.name for zone in ZONES)


def root(ds_of_example: str) -> str:
    """Return the root zone."""
    return (
        f"$TTL {PARENT_TTL}\n. IN SOA a.rootns. hostmaster.rootns. 1 60 10 86400 1\n. IN NS a.rootns.\n"
        f"a.rootns. IN A {ROOT_SERVER}\nexample. IN NS ns.example.\nns.example. IN A {TLD_SERVER}\n{ds_of_example}\n"
    )


def example(ds_records: list[str], fault_delegations: str) -> str:
    """Return the zone example., parent of all others."""
    return (
        f"$TTL {PARENT_TTL}\nexample. IN SOA ns.example. hostmaster.example. 1 60 10 86400 1\nexample. IN NS ns.example.\n"
        f"ns.example. IN A {TLD_SERVER}\nns1.a.example. IN A {PRIMARY}\nns2.a.example. IN A {SECONDARY}\n"
        + "".join(zone.delegation() for zone in ZONES)
        + "\n".join(ds_records)
        + "\n"
        + fault_delegations
    )


def root_hints() -> str:
    """Return the hints file of a resolver in the lab."""
    return f". 3600000 NS a.rootns.\na.rootns. 3600000 A {ROOT_SERVER}\n"
