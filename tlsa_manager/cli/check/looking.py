"""How to look: the options that `check` and `policy` share, as Settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.voice import Voice, config_from_environment
from tlsa_manager.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.config import Config
    from tlsa_manager.diagnose.settings import Settings

ENOUGH = 32  # targets that keep a process busy
_FILE = click.Path(exists=True, dir_okay=False, readable=True)
_OPTIONS = (
    click.option("--quick", is_flag=True, help="One handshake an address, and the resolver's word for DNSSEC."),
    click.option("--thorough", is_flag=True, help="Also old TLS versions, weak suites, and mail without TLS."),
    click.option("--ca-file", metavar="FILE", type=_FILE, help="Authorities that MTA-STS senders trust; else the system's."),
    click.option("--source", "sources", metavar="ADDRESS", multiple=True, help="Connect from this local address, too."),
    click.option("-4", "ipv4_only", is_flag=True, help="Connect over IPv4 only."),
    click.option("-6", "ipv6_only", is_flag=True, help="Connect over IPv6 only."),
    click.option(
        "--resolver", "resolvers", metavar="ADDRESS", multiple=True,
        help="Validating resolver, ADDRESS or ADDRESS#PORT; the configured one if not given, else 127.0.0.1.",
    ),
    click.option("--trust-anchor", "anchor", metavar="FILE", type=_FILE, help="DNSKEY or DS of the root, in zone-file form."),
    click.option("--timeout", metavar="SECONDS", type=click.FloatRange(0.1, 300), help="For a DNS try, for a connection; 3."),
    click.option("--workers", metavar="N", type=click.IntRange(1, 64), help="Processes; for a long list as many as cores."),
)  # fmt: skip


def look_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take the options that `settings` reads."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def settings(words: dict[str, Any], config: Config | None) -> Settings:
    """Return what the options say, with the configuration behind them. Raises UsageError where they contradict each other."""
    from tlsa_manager.diagnose.settings import Settings

    for one, other in (("quick", "thorough"), ("ipv4_only", "ipv6_only")):
        if words[one] and words[other]:
            names = {"ipv4_only": "-4", "ipv6_only": "-6"}
            flags = [names.get(each, f"--{each}") for each in (one, other)]
            raise UsageError(f"{flags[0]} and {flags[1]} contradict each other", "give one of them")
    usual = Settings()
    return Settings(
        resolver=_places(words["resolvers"]) or (config.resolver if config else usual.resolver),
        anchor=_absolute(words["anchor"]) or (config.trust_anchor if config else None),
        port=config.authority_port if config else usual.port,
        quick=words["quick"],
        thorough=words["thorough"],
        timeout=words["timeout"] or usual.timeout,
        ca_file=_absolute(words["ca_file"]),
        sources=_addresses(words["sources"]),
        ipv4_only=words["ipv4_only"],
        ipv6_only=words["ipv6_only"],
    )


def workers(words: dict[str, Any], total: int | None) -> int:
    """Return how many processes look. `total`: targets, None where only the end will tell; few are not worth another process."""
    cores = len(os.sched_getaffinity(0))
    return words["workers"] or (cores if total is None else min(cores, 1 + total // ENOUGH))


def config_if_any(voice: Voice) -> Config | None:
    """Load the configuration; None where there is none, or none that this user may read, unless the command line names it.

    Raises ConfigError for one with mistakes.
    """
    named = voice.config_file != config_from_environment()
    try:
        with voice.config_file.open("rb"):
            pass
    except PermissionError:
        if not named:
            voice.note(f"{voice.config_file} may not be read by this user; going on without it")
            return None
    except OSError:
        if not named:
            return None
    return voice.config()


def _absolute(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path else None


def _places(texts: tuple[str, ...]) -> tuple[str, ...]:
    from tlsa_manager.resolver import address_problem

    for text in texts:
        if problem := address_problem(text):
            raise UsageError(f"--resolver: {problem}", "write 127.0.0.1, ::1 or 192.0.2.1#5353")
    return texts


def _addresses(texts: tuple[str, ...]) -> tuple[str, ...]:
    from ipaddress import ip_address

    for text in texts:
        try:
            ip_address(text)
        except ValueError:
            raise UsageError(
                f"--source: {text[:80]!r} is not an address", "name an address of this host, see: ip address"
            ) from None
    return texts
