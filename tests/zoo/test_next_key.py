"""A lineage with a next key published ahead: nothing is wrong with it, and what can go wrong with the key is found."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from lab.certificate import self_signed
from lab.daemon import until

from zoo.test_house import home_of
from zoo.zoo import absent, calm, found

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab

    from tlsa_manager.lineage import Key
    from zoo.test_house import Home
    from zoo.zoo import Zoo


@pytest.fixture
def home(zoo: Zoo, dns_lab: DnsLab, tmp_path: Path) -> Home:
    """A house in order that keeps a next key, which the latest run has made and published."""
    home = home_of(zoo, dns_lab, tmp_path)
    text = home.installation.config.read_text()
    home.installation.config.write_text(text + "next-key = true\n")
    home.installation.command("run")
    return home


def next_key(home: Home) -> Key:
    """The next key as the journal has it."""
    key = home.house.journal.facts(home.host.name).standby
    assert key is not None
    return key


def records(home: Home) -> set[str]:
    """What stands at the first owner, by `records --look`."""
    told = json.loads(home.installation.command("records", "--look", "--json", home.host.name))
    return set(told["targets"][0]["published"])


@pytest.mark.parametrize("way", [{}, {"quick": True}, {"thorough": True}], ids=["usual", "quick", "thorough"])
def test_a_published_next_key_is_no_fault(home: Home, way: dict[str, bool]) -> None:
    """It is neither a left-over nor stale: nothing is said above a notice. A resolver may still know one record."""
    (record,) = map(str, next_key(home).records(home.house.lineage(home.host.name).params))
    assert records(home) == {home.host.record(), record}
    report = home.check(**way)
    calm(report)
    absent(report, "F-LEFTOVER", "F-PARTIAL", "F-RETRACT", "F-STATE", *(() if way.get("quick") else ("F-SINGLE",)))


def test_the_store_lost_the_next_key(home: Home) -> None:
    """F-STATE: a record is published of a key that nobody has; the next certificate would be for it."""
    shutil.rmtree(home.installation.config.parents[1] / "state" / "lineages" / home.host.name / "keys")
    one = found(home.check(), "F-STATE", outcome="auth", severity="error")
    assert next_key(home).id in one.message + repr(one.evidence)


def test_others_can_read_the_next_key(home: Home) -> None:
    """F-PERM: it is as secret as the key in service."""
    (key,) = (home.installation.config.parents[1] / "state" / "lineages" / home.host.name / "keys").glob("*/privkey.pem")
    key.chmod(0o644)
    one = found(home.check(), "F-PERM", outcome="auth", severity="error")
    assert (one.subject, one.remedy) == (str(key), f"chmod 600 {key}")


def test_the_record_of_the_next_key_was_removed(home: Home) -> None:
    """Somebody took it for a left-over: nobody is hit, it is told, and the next run publishes it again."""
    (record,) = map(str, next_key(home).records(home.house.lineage(home.host.name).params))
    home.publish(home.host.record())
    report = home.check()
    found(report, "F-PARTIAL", outcome="auth", severity="error")
    until(lambda: home.installation.command("run") is not None and record in records(home), "it is published again", timeout=60)


def test_a_certificate_for_another_key_is_on_its_way(home: Home) -> None:
    """Three records then: in service, next in line, and the one that a client brought against the rules."""
    pair = self_signed(home.host.name)
    home.hook(pair.certificate, pair.key)
    home.installation.command("run")
    report = home.check()
    calm(report)
    absent(report, "F-LEFTOVER", "F-PARTIAL")
