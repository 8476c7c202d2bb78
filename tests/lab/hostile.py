"""What tests about bad input and a broken world share: a mail server of their own, and what every complaint must be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lab.certificate import self_signed
from lab.installation import Installation
from lab.maildomain import MailDomain, settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab

ADDRESS = "127.25.0.61"
ZONE = "b.example"
BRISK = {"ttl": "1s", "ttl-multiplier": "1", "cache-floor": "1s", "margin": "1s", "confirm-within": "8s"}


def mail_server(dns_lab: DnsLab, mx_lab: MxLab, directory: Path, *, records: bool = True, ttl: int = 1) -> MailDomain:
    """Start a receiver with a host name nobody used before, its certificate, and (unless not wanted) its records."""
    host = dns_lab.fresh_name("hostile", zone=ZONE, address=ADDRESS)
    pair = self_signed(host)
    chain_file = directory / "tls" / "mx.pem"
    pair.install(chain_file)
    mail = MailDomain(ZONE, host, chain_file, pair, mx_lab.receiver(chain_file, address=ADDRESS, hostname=host))
    if records:
        for owner in mail.owners:
            dns_lab.put_tlsa(owner, pair.record, ttl=ttl)
        settle(dns_lab, mail, pair.record)
    dns_lab.flush()
    return mail


def installed(
    dns_lab: DnsLab, mail: MailDomain, directory: Path, *,
    timing: dict[str, str] | None = None, edit: Callable[[str], str] = str,
) -> Installation:  # fmt: skip
    """Set tlsa-manager up with a quick timing, a TSIG key file of its own and an `edit`ed configuration; adopt what stands."""
    made = Installation(directory, dns_lab, mail, timing={**BRISK, **(timing or {})})
    key = own_key(directory)
    key.touch(mode=0o600)
    key.write_bytes(dns_lab.tsig_key_file.read_bytes())
    text = made.config.read_text().replace(str(dns_lab.tsig_key_file), str(key))
    text = re.sub(r'^(ttl-multiplier = )"(.*)"$', r"\1\2", text, flags=re.MULTILINE)
    made.config.write_text(edit(text))
    made.command("run")
    made.command("records", mail.host, "--adopt")
    return made


def own_key(directory: Path) -> Path:
    """Return the TSIG key file that only this installation uses."""
    return directory / "tsig.key"


def hand_over(installation: Installation, directory: Path, chain: bytes, key: bytes) -> tuple[int, str]:
    """Call `hook files` with a chain and a key; return the exit code and all it said."""
    files = directory / "handed" / "fullchain.pem", directory / "handed" / "privkey.pem"
    files[0].parent.mkdir(exist_ok=True)
    for file, content in zip(files, (chain, key), strict=True):
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(content)
    return hook_files(installation, *files)


def hook_files(installation: Installation, chain: Path, key: Path, *, lineage: str | None = None) -> tuple[int, str]:
    """Call `hook files`; return the exit code and all it said."""
    name = installation.name if lineage is None else lineage
    return ending(installation, "hook", "files", "--lineage", name, "--certificate", str(chain), "--key", str(key))


def ending(installation: Installation, *words: str) -> tuple[int, str]:
    """Run a command; return the exit code and all it said."""
    process = installation.start(*words)
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


def assert_clear(said: str) -> None:
    """An error says what is wrong and what to do, and is no traceback and no complaint about the program itself."""
    assert re.search(r"^tlsa-manager: error: \S", said, re.MULTILINE), said
    assert re.search(r"^tlsa-manager: hint: \S", said, re.MULTILINE), said
    assert_no_traceback(said)


def assert_no_traceback(said: str) -> None:
    """Nothing in the program went wrong unforeseen."""
    assert "Traceback" not in said, said
    assert "something unexpected" not in said, said
    assert "defect of the tool" not in said, said


def kept(installation: Installation) -> set[Path]:
    """Return the generations in the store."""
    return set((installation.config.parent.parent / "state" / "lineages").glob("*/*"))
