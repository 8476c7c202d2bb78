"""`check` and `policy` in the lab: real DNS, real servers, the program as a user runs it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pki
import pytest
from zoo.zoo import Zoo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from program import Say

OTHER = "3 1 1 " + "5a" * 32


@pytest.fixture
def zoo(dns_lab: DnsLab, tmp_path: Path) -> Iterator[Zoo]:
    """Open the zoo for one test; all its servers end with the test."""
    with contextlib.ExitStack() as stack:
        yield Zoo(dns_lab, tmp_path, stack)


@pytest.fixture
def look(zoo: Zoo, tmp_path: Path) -> tuple[str, ...]:
    """Return the options that let the program look at the lab."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(pki.authority().root.public_bytes(pki.PEM))
    return "--resolver", zoo.lab.resolver, "--trust-anchor", str(zoo.lab.anchor), "--ca-file", str(roots)


def test_domains_and_services_from_end_to_end(zoo: Zoo, look: tuple[str, ...], say: Say, tmp_path: Path) -> None:
    """What is well, what is deferred, what does not exist; alone and in a list, in one process and in two; Postfix's table."""
    good, stale, bare = zoo.domain(zoo.mx("3 1 1")), zoo.domain(zoo.mx(OTHER)), zoo.domain(zoo.mx())
    ending = say("check", good, *look)
    assert ending.code in {0, 1}, ending.out
    assert ending.out.startswith(f"{good}: auth: ")
    assert "DNSSEC secure; 3 1 1 " in ending.out
    ending = say("check", stale, *look, "--format", "nagios")
    assert ending.code == 2
    assert ending.out.startswith(f"DANE CRITICAL - {stale}: ")
    (tmp_path / "list").write_text(f"{good}\n{stale}\n{bare}\n")
    for workers in ("1", "2"):
        told = say("check", "--list", tmp_path / "list", "--json", "--workers", workers, *look)
        assert told.code == 2
        outcomes = {one["target"]: one["outcome"] for one in told.json["targets"]}
        assert outcomes == {good: "auth", stale: "defer", bare: "opportunistic"}
    table = say("policy", "--list", tmp_path / "list", *look)
    assert table.code == 0
    assert f"{good}  dane-only" in table.out.splitlines()
    assert f"{bare}  encrypt" in table.out.splitlines()
    assert not any(line.startswith(stale) for line in table.out.splitlines())
