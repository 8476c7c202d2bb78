"""Bad input on real servers: each gets a clear error and an exit code, and what senders meet is untouched."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from lab.hostile import assert_clear, assert_no_traceback, ending, hand_over, hook_files, installed, kept, mail_server
from lab.untouched import Sight
from pki import authority, key_pem, new_key, pair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.installation import Installation
    from lab.maildomain import MailDomain
    from lab.receiver import MxLab

Made = Callable[[bytes, bytes], tuple[bytes, bytes]]
DAY = 86400.0
WITHOUT_ROOT_S_EYES = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory for all tests of this file."""
    return tmp_path_factory.mktemp("bad-input")


@pytest.fixture(scope="module")
def mail(dns_lab: DnsLab, mx_lab: MxLab, place: Path) -> MailDomain:
    """One mail server for all of them: none of them may touch it."""
    return mail_server(dns_lab, mx_lab, place)


@pytest.fixture(scope="module")
def installation(dns_lab: DnsLab, mail: MailDomain, place: Path) -> Installation:
    """One installation, which has adopted what stands there."""
    return installed(dns_lab, mail, place)


@pytest.fixture(autouse=True)
def untouched(dns_lab: DnsLab, mail: MailDomain, installation: Installation) -> Iterator[None]:
    """After every test the server, its file and its records are what they were."""
    before = Sight.of(dns_lab, mail)
    yield
    assert Sight.of(dns_lab, mail) == before


def _weak(chain: bytes, key: bytes) -> tuple[bytes, bytes]:
    weak = new_key("RSA", 1024)
    return authority().chain("mx.example.org", key=weak), key_pem(weak)


def _encrypted(chain: bytes, key: bytes) -> tuple[bytes, bytes]:
    return chain, key_pem(serialization.load_pem_private_key(key, None), b"secret")  # type: ignore[arg-type]  one of pki's kinds


def _upside_down(chain: bytes, key: bytes) -> tuple[bytes, bytes]:
    blocks = [block + b"-----END CERTIFICATE-----\n" for block in chain.split(b"-----END CERTIFICATE-----\n")[:-1]]
    return b"".join(reversed(blocks)), key


REFUSED: dict[str, tuple[Made, str]] = {
    "an empty certificate": (lambda _, key: (b"", key), "is empty"),
    "an empty key": (lambda chain, _: (chain, b"\n"), "is empty"),
    "garbage for a certificate": (lambda _, key: (os.urandom(3000), key), "certificate"),
    "garbage for a key": (lambda chain, _: (chain, os.urandom(300)), "damaged"),
    "a truncated certificate": (lambda chain, key: (chain[:300], key), "cut off"),
    "a truncated key": (lambda chain, key: (chain, key[: len(key) // 2]), "cut off"),
    "an encrypted key": (_encrypted, "encrypted with a passphrase"),
    "a huge certificate": (lambda chain, key: (chain + b"#" * (1 << 20), key), "larger than 1024 KiB"),
    "a huge key": (lambda chain, key: (chain, key + b"\n" * (1 << 20)), "larger than 1024 KiB"),
    "the key of another certificate": (lambda chain, _: (chain, pair("mx.example.org")[1]), "do not belong together"),
    "certificate and key confused": (lambda chain, key: (key, chain), "private key"),
    "the chain in the wrong order": (_upside_down, "leaf first"),
    "an RSA key of 1024 bits": (_weak, "1024 bits"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_used_is_refused(installation: Installation, mail: MailDomain, place: Path, what: str) -> None:
    """Exit 1, what is wrong and what to do; nothing is kept; and nothing of the key is shown."""
    make, phrase = REFUSED[what]
    chain, key = make(*pair(mail.host))
    before = kept(installation)
    code, said = hand_over(installation, place, chain, key)
    assert code == 1, said
    assert phrase in said
    assert_clear(said)
    assert_secret(said, key)
    assert kept(installation) == before
    assert installation.status()["next"] is None


HELD: dict[str, tuple[Callable[[str], tuple[bytes, bytes]], str]] = {
    "other names": (lambda _: pair("www.example.org"), "does not name hostile-"),
    "the parent's name": (lambda host: pair(host.partition(".")[2]), "does not name hostile-"),
    "another kind of key": (lambda host: pair(host, kind="RSA"), "the kind of key changed from ECDSA to RSA"),
    "expired": (lambda host: _dated(host, -90, -1), "has expired"),
    "not valid yet": (lambda host: _dated(host, 1, 90), "is not valid yet"),
}


def _dated(host: str, begin: float, end: float) -> tuple[bytes, bytes]:
    key = new_key()
    return authority().chain(host, key=key, days=(begin, end)), key_pem(key)


@pytest.mark.parametrize("what", HELD)
def test_what_a_person_should_see_is_kept_and_held(installation: Installation, mail: MailDomain, place: Path, what: str) -> None:
    """Exit 0, for it is safely kept; it goes nowhere until a person says so, and `status` says why and what to do."""
    make, phrase = HELD[what]
    before = kept(installation)
    code, said = hand_over(installation, place, *make(mail.host))
    assert code == 0, said
    assert phrase in said
    assert f"tlsa-manager rollover start {mail.host}" in said
    assert_no_traceback(said)
    assert len(kept(installation) - before) == 1
    installation.command("run", code=1)
    said = installation.command("status", code=1)
    assert phrase in said
    assert f"rollover start {mail.host}" in said
    installation.command("rollover", "abort", mail.host)
    assert installation.status()["phase"] == "stable"


@pytest.mark.parametrize("what", ["a loop of links", "a FIFO", "a directory", "a device", "nothing", "a socket"])
def test_what_is_no_file_is_refused_at_once(
    installation: Installation, mail: MailDomain, place: Path, tmp_path: Path, what: str
) -> None:
    """A thing that is no file neither hangs the hook nor is read."""
    odd = tmp_path / "odd"
    if what == "a loop of links":
        odd.symlink_to(odd.name)
    elif what == "a FIFO":
        os.mkfifo(odd)
    elif what == "a directory":
        odd.mkdir()
    elif what == "a device":
        odd.symlink_to("/dev/zero")
    elif what == "a socket":
        import socket

        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(odd))
    good = tmp_path / "good.pem"
    good.write_bytes(mail.pair.certificate)
    for files in ((odd, good), (good, odd)):
        code, said = hook_files(installation, *files)
        assert code == 1, said
        assert "cannot be read" in said or "is not a regular file" in said
        assert_clear(said)


def test_a_file_that_may_not_be_read(installation: Installation, mail: MailDomain, tmp_path: Path) -> None:
    """Root without its privilege, as in a hardened unit: the hook names the file and the reason."""
    chain, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    for file, content in zip((chain, key), pair(mail.host), strict=True):
        file.write_bytes(content)
    key.chmod(0)
    words = ["hook", "files", "--lineage", mail.host, "--certificate", str(chain), "--key", str(key)]
    program = installation.environment["TLSA_MANAGER"]
    done = subprocess.run(
        [*WITHOUT_ROOT_S_EYES, program, *words], env={**os.environ, **installation.environment},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert f"{key} cannot be read: Permission denied" in done.stderr
    assert_clear(done.stderr)


@pytest.mark.parametrize(
    "name",
    ["../../../etc", "/etc/passwd", "a\nb", "\x1b[2Jx", "--config=/no", "-rf", "", "x" * 5000, "mx.b.example; reboot", "%s{}"],
)
def test_a_hostile_lineage_is_only_compared(installation: Installation, mail: MailDomain, tmp_path: Path, name: str) -> None:
    """Names from a hook are compared with configured names and make no path: an error, and nothing comes into being."""
    chain, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    for file, content in zip((chain, key), pair(mail.host), strict=True):
        file.write_bytes(content)
    before = kept(installation)
    code, said = hook_files(installation, chain, key, lineage=name)
    assert code in (1, 2), said
    assert "\x1b" not in said
    assert_clear(said)
    assert len(said) < 1500
    assert kept(installation) == before


@pytest.mark.parametrize(
    "directory",
    [
        "/nonexistent",
        "../../../etc",
        "/nowhere/a\nb\x1b[31m",
        "--config=/no",
        "-rf",
        "/" + "x" * 5000,
        "/dev",
        "/proc/self/fd/0",
        " ",
    ],
)
def test_a_hostile_directory_is_an_error(installation: Installation, directory: str) -> None:
    """Whatever RENEWED_LINEAGE says: an error with a hint."""
    code, said = certbot(installation, directory)
    assert code == 1, said
    assert "cannot be read" in said
    assert "\x1b" not in said
    assert_clear(said)


@pytest.mark.parametrize("name", ["--config=x", "a\nb", "..", ".", "x;reboot", "-h"])
def test_a_hostile_name_of_a_directory_makes_no_path(
    installation: Installation, mail: MailDomain, tmp_path: Path, name: str
) -> None:
    """The certificate in it is for other hosts: the hook leaves it alone, whatever the directory is called."""
    live = tmp_path / "live" / "x" / name
    live.mkdir(parents=True, exist_ok=True)
    chain, key = pair("www.example.org")
    (live / "fullchain.pem").write_bytes(chain)
    (live / "privkey.pem").write_bytes(key)
    before = kept(installation)
    code, said = certbot(installation, str(live))
    assert (code, "left alone" in said) == (0, True), said
    assert_no_traceback(said)
    assert kept(installation) == before


def test_five_mistakes_in_the_configuration(installation: Installation, mail: MailDomain, place: Path) -> None:
    """Exit 78; every mistake is named at once, and the hook says what becomes of the certificate: nothing, yet."""
    good = installation.config.read_text()
    bad = good.replace('cache-floor = "1s"', 'cache-flor = "1s"').replace('margin = "1s"', 'margin = "soon"')
    bad = bad.replace('backend = "rfc2136"', 'backend = "rfc2163"').replace('dns = "primary"', 'dns = "secondary"')
    bad = bad.replace(':587"', ':99999"')
    before = kept(installation)
    try:
        installation.config.write_text(bad)
        code, said = hand_over(installation, place, *pair(mail.host))
        checked, listed = ending(installation, "config", "check")
    finally:
        installation.config.write_text(good)
    assert (code, checked) == (78, 78), said
    for phrase in ("cache-flor", "soon", "rfc2163", "secondary", "99999"):
        assert phrase in said
        assert phrase in listed
    assert "not taken over" in said
    assert "run the hook again" in said
    assert_clear(said)
    assert kept(installation) == before


def certbot(installation: Installation, directory: str) -> tuple[int, str]:
    """Call the hook as certbot does."""
    installation.environment["RENEWED_LINEAGE"] = directory
    try:
        return ending(installation, "hook", "certbot")
    finally:
        del installation.environment["RENEWED_LINEAGE"]


def assert_secret(said: str, key: bytes) -> None:
    """No line of a key is shown."""
    for line in key.splitlines()[1:-1]:
        assert len(line) < 20 or line.decode("latin-1") not in said
