"""The account: its key is there before it, one for each directory, found again by its key, told what changed."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest
from lab.pebble import Pebble

from issue.asked import LabProver, Notes, wish
from issue.gate import Gate, problem
from tlsa_manager import keys
from tlsa_manager.errors import ConfigError, IssueError, IssueTemporary, StateError
from tlsa_manager.issue import Issuer, open_issuer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab

    from issue.conftest import Opens

MAC_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


def home(tmp_path: Path) -> Path:
    """The directory of the one account."""
    (found,) = (tmp_path / "state" / "accounts").iterdir()
    return found


def test_key_is_kept(dns_lab: DnsLab, issuer: Opens, gate: Gate, tmp_path: Path) -> None:
    """The key is ECDSA P-256, closed to others, and on the disk before the authority hears of it."""
    gate.instead["/sign-me-up"].append(problem("serverInternal", status=500))
    with pytest.raises(IssueTemporary):
        issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))
    key = (home(tmp_path) / "key.pem").read_bytes()
    assert keys.public_half(key, "").type == "ecdsa-p256"
    issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))
    assert (home(tmp_path) / "key.pem").read_bytes() == key
    assert {one.name: stat.S_IMODE(one.stat().st_mode) for one in home(tmp_path).iterdir()} == {
        "key.pem": 0o600,
        "account.json": 0o600,
    }
    assert stat.S_IMODE(home(tmp_path).stat().st_mode) == 0o700


def test_one_account(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """A second certificate is asked for with the same account, without a word about it."""
    for _ in range(2):
        issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))
    assert gate.count("/sign-me-up") == 1


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"url": 5}'])
def test_lost_url(content: bytes | None, dns_lab: DnsLab, issuer: Opens, gate: Gate, tmp_path: Path) -> None:
    """An account whose URL was lost is found by its key, whatever stands where the URL was."""
    issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))
    file = home(tmp_path) / "account.json"
    url = json.loads(file.read_bytes())["url"]
    file.unlink() if content is None else file.write_bytes(content)
    issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))
    assert json.loads(file.read_bytes())["url"] == url
    assert gate.payloads("/sign-me-up")[1:] == [{"onlyReturnExisting": True}]


def test_forgotten_by_the_authority(dns_lab: DnsLab, issuer: Opens, gate: Gate, tmp_path: Path) -> None:
    """An authority that does not know the account any more gets it anew, with the same key, in the same run."""
    issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))
    key = (home(tmp_path) / "key.pem").read_bytes()
    gate.instead["/order-plz"].append(problem("accountDoesNotExist", "never heard of", 400))
    assert issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))
    assert gate.count("/sign-me-up") == 2
    assert (home(tmp_path) / "key.pem").read_bytes() == key


def test_forgotten_again_and_again(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """An authority that forgets at once is not told for ever."""
    gate.always["/order-plz"] = problem("accountDoesNotExist", "never heard of", 400)
    with pytest.raises(IssueError, match="does not know our account"):
        issuer().obtain(wish("x.example"), None, Notes(), LabProver(dns_lab))
    assert gate.count("/sign-me-up") == 2


def test_terms(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Without a yes in the configuration there is no account, and the address of the terms is named."""
    with pytest.raises(IssueError, match=r"terms of service, data:text/plain,Do%20what%20thou%20wilt; nothing changes") as error:
        issuer(agree_to_terms=False).obtain(wish("x.example"), None, Notes(), LabProver(dns_lab))
    assert "agree-to-terms = true" in error.value.hint
    assert gate.count("/sign-me-up") == 0


def test_terms_that_changed(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Where somebody has to agree to something anew, it is said where (RFC 8555 §7.3.3)."""
    reply = problem("userActionRequired", "Terms of service have changed")
    reply.body = reply.body[:-1] + b', "instance": "https://ca.example/agree?token=x"}'
    gate.always["/order-plz"] = reply
    with pytest.raises(IssueError, match=r"changed; https://ca.example/agree"):
        issuer().obtain(wish("x.example"), None, Notes(), LabProver(dns_lab))


def test_contact(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Whom the authority may write to is told at first, and again when it changes, once each."""

    def obtain(*contact: str) -> None:
        issuer(contact=contact).obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))

    obtain("mailto:a@a.example")
    assert gate.payloads("/sign-me-up")[0]["contact"] == ["mailto:a@a.example"]
    assert gate.payloads("/my-account/") == []
    obtain("mailto:b@a.example", "c@a.example")
    obtain("mailto:b@a.example", "c@a.example")
    obtain()
    wanted = [{"contact": ["mailto:b@a.example", "mailto:c@a.example"]}, {"contact": []}]
    assert gate.payloads("/my-account/") == wanted


def test_damaged_key(dns_lab: DnsLab, issuer: Opens, tmp_path: Path) -> None:
    """A key that cannot be read is not replaced in silence: the account with its limits hangs on it."""
    issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))
    (home(tmp_path) / "key.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(StateError, match="account key at") as error:
        issuer().obtain(wish("x.example"), None, Notes(), LabProver(dns_lab))
    assert "backup" in error.value.hint


def test_cleared_without_an_account(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """What an earlier process left in DNS is removed even where the authority does not let us in."""
    gate.always["/sign-me-up"] = problem("serverInternal", status=500)
    prover = LabProver(dns_lab)
    with pytest.raises(IssueTemporary):
        issuer().obtain(wish("x.example"), None, Notes(), prover)
    assert prover.taken == 1


def test_half_written_files(dns_lab: DnsLab, issuer: Opens, tmp_path: Path) -> None:
    """What a killed process left half-written beside the key is removed."""
    issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))
    (home(tmp_path) / ".new-0123").write_bytes(b"half a key")
    issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))
    assert sorted(one.name for one in home(tmp_path).iterdir()) == ["account.json", "key.pem"]


def test_directory_of_others(dns_lab: DnsLab, issuer: Opens, tmp_path: Path) -> None:
    """No key is kept where others could change it, nor behind a link."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "accounts").mkdir()
    (tmp_path / "state" / "accounts").chmod(0o777)
    with pytest.raises(StateError, match="writable by others"):
        issuer().obtain(wish("x.example"), None, Notes(), LabProver(dns_lab))
    (tmp_path / "state" / "accounts").rmdir()
    (tmp_path / "state" / "accounts").symlink_to(tmp_path)
    with pytest.raises(StateError, match="link"):
        issuer().obtain(wish("x.example"), None, Notes(), LabProver(dns_lab))


@pytest.fixture(scope="module")
def customers(dns_lab: DnsLab) -> Iterator[Pebble]:
    """Start an authority that makes accounts only for its customers."""
    settings = {"externalAccountBindingRequired": True, "externalAccountMACKeys": {"kid-1": MAC_KEY}}
    directory = dns_lab.dir / "pebble-customers"
    one = Pebble(directory, dns_server=dns_lab.primary, address="127.14.0.3", settings=settings)
    try:
        one.start()
        yield one
    finally:
        one.daemon.stop()


def bound(pebble: Pebble, tmp_path: Path, kid: str = "kid-1", content: str = MAC_KEY, mode: int = 0o600) -> Issuer:
    """An issuer with external account binding."""
    file = tmp_path / "mac.key"
    file.write_text(content + "\n")
    file.chmod(mode)
    options = {"directory": pebble.directory_url, "ca-bundle": str(pebble.ca_file), "agree-to-terms": True}
    return open_issuer("paid", "acme", options | {"eab-kid": kid, "eab-key-file": str(file)}, tmp_path / "state")


def test_external_account(dns_lab: DnsLab, customers: Pebble, tmp_path: Path) -> None:
    """With the authority's key an account is bound to the customer's, and found again when its URL is lost."""
    one = bound(customers, tmp_path)
    host, key = dns_lab.fresh_name(), keys.generate()
    chain = one.obtain(wish(host, key=key), None, Notes(), LabProver(dns_lab))
    assert keys.load_pair(chain, key)
    (home(tmp_path) / "account.json").unlink()
    assert one.obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))
    assert all(MAC_KEY not in file.read_text() for file in home(tmp_path).iterdir())


def test_external_account_is_needed(dns_lab: DnsLab, customers: Pebble, tmp_path: Path) -> None:
    """Without it, it is said what is missing."""
    options = {"directory": customers.directory_url, "ca-bundle": str(customers.ca_file), "agree-to-terms": True}
    with pytest.raises(IssueError, match="only for its customers") as error:
        open_issuer("paid", "acme", options, tmp_path).obtain(wish("x.example"), None, Notes(), LabProver(dns_lab))
    assert "eab-kid" in error.value.hint


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("kid-2", MAC_KEY, 0o600), "refused to make an account"),
        (("kid-1", "A" * 64, 0o600), "refused to make an account"),
        (("kid-1", f"key: {MAC_KEY}", 0o600), "is not base64url"),
        (("kid-1", MAC_KEY[:41], 0o600), "is not base64url"),
        (("kid-1", MAC_KEY, 0o644), "is open to others"),
    ],
)
def test_external_account_amiss(
    given: tuple[str, str, int], says: str, dns_lab: DnsLab, customers: Pebble, tmp_path: Path
) -> None:
    """A wrong key identifier, a wrong key, a file with more than the key, an open file: said, and the key never shown."""
    with pytest.raises((IssueError, ConfigError), match=says) as error:
        bound(customers, tmp_path, *given).obtain(wish("x.example"), None, Notes(), LabProver(dns_lab))
    assert given[1] not in f"{error.value.message} {error.value.hint} {error.value!r}"
    assert MAC_KEY[:20] not in f"{error.value.message} {error.value.hint} {error.value!r}"
