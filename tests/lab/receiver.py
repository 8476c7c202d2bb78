"""Receiving mail servers: ports 25, 465 and 587, with a certificate file the test chooses."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from lab.postfix import Postfix
from lab.zones import MAIL_DOMAINS, MX_ADDRESS

if TYPE_CHECKING:
    from pathlib import Path

_MAIN = """
smtpd_tls_security_level = may
smtpd_tls_chain_files = {chain_file}
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {mailboxes}
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
"""
_MASTER = """
587        inet  n - n - - smtpd -o smtpd_tls_security_level=encrypt
465        inet  n - n - - smtpd -o smtpd_tls_wrappermode=yes
"""


class MxLab:
    """Makes receiving Postfix instances; one per address at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._receivers: dict[str, Postfix] = {}
        self._made = 0

    def receiver(
        self,
        chain_file: Path,
        *,
        address: str = MX_ADDRESS,
        hostname: str = "mx.a.example",
        domains: tuple[str, ...] = MAIL_DOMAINS,
    ) -> Postfix:
        """Start a mail server for these domains that reads key and chain from one file; it replaces one at the same address."""
        if address in self._receivers:
            self._receivers.pop(address).stop()
        self._made += 1
        mailboxes = self._directory / f"mail-{self._made}"
        mailboxes.mkdir()
        shutil.chown(mailboxes, 65534, 65534)
        main = _MAIN.format(chain_file=chain_file, domains=", ".join(domains), mailboxes=mailboxes)
        postfix = Postfix(self._directory / f"rx-{self._made}", address=address, hostname=hostname, main=main, master=_MASTER)
        postfix.start()
        self._receivers[address] = postfix
        return postfix

    def stop(self) -> None:
        """Stop every receiver."""
        while self._receivers:
            self._receivers.popitem()[1].stop()


def trust(destination: str, *, implicit_tls: bool = False) -> str:
    """Return how Postfix's own DANE client sees a destination: Verified, Untrusted, ... or its last complaint.

    `destination` as in a transport table: `a.example` goes through the MX, `[mx.a.example]:587` does not.
    """
    wrapper = ["-w"] if implicit_tls else []
    argv = ["posttls-finger", "-c", *wrapper, "-l", "dane-only", destination]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    text = said.stdout + said.stderr
    found = re.search(r"(\w+) TLS connection established", text)
    return found[1] if found else text.strip()
