"""How a diagnosis is to be made."""

from __future__ import annotations

from tlsa_manager.value import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What the options of `check` say. A value that goes to every worker process.

    `resolver`, `anchor`, `port`: as for DnsEyes; `quick`: the resolver's word for DNSSEC and one handshake an address;
    `thorough`: also old TLS versions, weak suites, and mail without TLS; `timeout`: seconds for a DNS try, for a connection;
    `ca_file`: the authorities that MTA-STS senders and mail programs trust, None for the system's; `sources`: local addresses
    to connect from besides the usual one, to find out whether all clients are treated alike; `at_once`: targets under way at
    the same time in one process; `ipv4_only`, `ipv6_only`: which addresses of the services to probe; `workers`: processes that
    share what may be asked of one server at the same time.
    """

    resolver: tuple[str, ...] = ("127.0.0.1",)
    anchor: str | None = None
    port: int = 53
    quick: bool = False
    thorough: bool = False
    timeout: float = 3.0
    ca_file: str | None = None
    sources: tuple[str, ...] = ()
    at_once: int = 32
    ipv4_only: bool = False
    ipv6_only: bool = False
    workers: int = 1
