"""A certificate from a real authority, Pebble, from the wish to the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from issue.asked import LabProver, Notes, wish
from tlsa_manager import keys
from tlsa_manager.errors import IssueError, PublishError, PublishTemporary

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab

    from issue.conftest import Opens
    from issue.gate import Gate


def test_first_certificate(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """A wish becomes a chain for our key: the order is written down before and after, the TXT record is gone at the end."""
    host, key = dns_lab.fresh_name(), keys.generate()
    diary, prover = Notes(), LabProver(dns_lab)
    chain = issuer().obtain(wish(host, key=key), None, diary, prover)
    assert keys.load_pair(chain, key).names == (host,)
    assert diary.words == ["ordering", "ordered"]
    assert diary.former is not None
    assert diary.former.key == "key-1"
    assert [list(shown) for shown in prover.rounds] == [[f"_acme-challenge.{host}."]]
    assert prover.taken == 1
    assert gate.count("/nonce-plz") == 1, "each answer brings the nonce of the next message"
    assert dns_lab.records(dns_lab.primary, f"_acme-challenge.{host}", "TXT") == set()


def test_wildcard_and_several_names(dns_lab: DnsLab, issuer: Opens) -> None:
    """All names are shown at once, two values at one name where a wildcard stands beside its own domain."""
    host, other, key = dns_lab.fresh_name(), dns_lab.fresh_name(), keys.generate("rsa-2048")
    names = (host, f"*.{host}", other)
    prover = LabProver(dns_lab)
    chain = issuer().obtain(wish(*names, key=key), None, Notes(), prover)
    assert set(keys.load_pair(chain, key).names) == set(names)
    (shown,) = prover.rounds
    assert {name: len(values) for name, values in shown.items()} == {
        f"_acme-challenge.{host}.": 2,
        f"_acme-challenge.{other}.": 1,
    }


def test_names_are_put_in_order(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Capitals, final dots and repetitions in a wish make no further names of it."""
    host = dns_lab.fresh_name()
    wanted = wish(host)
    given = type(wanted)((host.upper(), f"{host}.", host), wanted.request, wanted.key)
    issuer().obtain(given, None, Notes(), LabProver(dns_lab))
    assert gate.payloads("/order-plz")[0]["identifiers"] == [{"type": "dns", "value": host}]


def test_refused_proof(dns_lab: DnsLab, issuer: Opens) -> None:
    """A proof that is not taken ends the order, in words and with the reason; the records go, and the next one succeeds."""
    host, diary, prover = dns_lab.fresh_name(), Notes(), LabProver(dns_lab, wrong=True)
    wanted = wish(host)
    with pytest.raises(IssueError, match=f"did not take the proof for {host}: .*nothing changes for mail") as error:
        issuer().obtain(wanted, None, diary, prover)
    assert "Correct value not found" in error.value.message
    assert diary.words == ["ordering", "ordered", "ended"]
    assert diary.former is None
    assert prover.taken == 1
    assert prover.shown == {}
    assert issuer().obtain(wanted, diary.former, diary, LabProver(dns_lab))


def test_a_prover_that_fails(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Where the records cannot be shown, nothing is answered, and the order stays to be gone on with."""
    diary, prover = Notes(), LabProver(dns_lab, fail={"show": PublishTemporary("no server", "later")})
    wanted = wish(dns_lab.fresh_name())
    with pytest.raises(PublishTemporary, match="no server"):
        issuer().obtain(wanted, None, diary, prover)
    assert gate.count("/chalZ/") == 0
    assert prover.taken == 0, "what was shown stays with the order"
    assert issuer().obtain(wanted, diary.former, diary, prover)
    assert prover.taken == 1
    assert gate.count("/order-plz") == 1


def test_records_that_stay(dns_lab: DnsLab, issuer: Opens) -> None:
    """That the records could not be removed is told, and loses no chain."""
    diary, prover = Notes(), LabProver(dns_lab, fail={"take_away": PublishTemporary("no server today", "later")})
    host, key = dns_lab.fresh_name(), keys.generate()
    assert keys.load_pair(issuer().obtain(wish(host, key=key), None, diary, prover), key)
    assert "no server today" in diary.texts[-1]


def test_both_fail(dns_lab: DnsLab, issuer: Opens) -> None:
    """Where proving fails and removing too, the first is raised and the second told."""
    fails: dict[str, BaseException] = {"show": PublishError("one", ""), "take_away": PublishTemporary("two", "")}
    diary = Notes()
    with pytest.raises(PublishError, match="one"):
        issuer().obtain(wish(dns_lab.fresh_name()), None, diary, LabProver(dns_lab, fail=fails))
    assert "two" in diary.texts[-1]


def test_rehearsal(dns_lab: DnsLab, issuer: Opens, gate: Gate, tmp_path: Path) -> None:
    """A rehearsal does all of it at the staging directory, with another account, and writes down no order."""
    diary, prover = Notes(), LabProver(dns_lab)
    issuer(directory="https://nowhere.invalid/dir", staging=gate.url).rehearse(wish(dns_lab.fresh_name()), diary, prover)
    assert gate.count("/certZ/") == 1
    assert diary.entries == []
    assert all(text.startswith("rehearsal: ") for text in diary.texts)
    assert [place.name.partition("-")[0] for place in (tmp_path / "state" / "accounts").iterdir()] == ["127.14.0.9"]


def test_a_rehearsal_keeps_no_proof(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Nobody goes on with it, so what was shown goes, whatever it failed of."""
    prover = LabProver(dns_lab, fail={"show": PublishTemporary("not everywhere yet")})
    with pytest.raises(PublishTemporary):
        issuer(staging=gate.url).rehearse(wish(dns_lab.fresh_name()), Notes(), prover)
    assert (prover.taken, prover.shown) == (1, {})


def test_no_rehearsal(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """An authority without staging directory is not asked for a real certificate instead."""
    with pytest.raises(IssueError, match="nothing was tried"):
        issuer().rehearse(wish("x.example"), Notes(), LabProver(dns_lab))
    assert gate.asked == []


def test_staging_of_lets_encrypt(issuer: Opens) -> None:
    """Let's Encrypt's staging directory is known."""
    real = issuer(directory="https://acme-v02.api.letsencrypt.org/directory")
    assert real.staging == "https://acme-staging-v02.api.letsencrypt.org/directory"  # type: ignore[attr-defined]  Acme's
