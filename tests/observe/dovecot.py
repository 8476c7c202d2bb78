"""A Dovecot of our own: IMAP, POP3, ManageSieve and LMTP on one address, with an ECDSA and an RSA certificate."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from lab import namespace
from lab.daemon import Daemon, run

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "127.25.0.13"
PORTS = {"imap": 143, "pop3": 110, "sieve": 4190, "lmtp": 24}
TLS_PORTS = (993, 995)
_CONF = """
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
protocols = imap pop3 sieve lmtp
listen = {address}
ssl = required
ssl_cert = <{directory}/ecdsa.pem
ssl_key = <{directory}/ecdsa.pem
ssl_alt_cert = <{directory}/rsa.pem
ssl_alt_key = <{directory}/rsa.pem
ssl_min_protocol = TLSv1.2
mail_location = maildir:{directory}/mail
passdb {{
  driver = static
  args = password=x
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={directory}/mail
}}
service imap-login {{
  chroot =
}}
service pop3-login {{
  chroot =
}}
service managesieve-login {{
  chroot =
  inet_listener sieve {{
    port = 4190
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = 24
  }}
}}
"""


class Dovecot:
    """One Dovecot in the foreground."""

    def __init__(self, directory: Path, *, ecdsa: tuple[bytes, bytes], rsa: tuple[bytes, bytes]) -> None:
        self.directory = directory
        self._conf = directory / "dovecot.conf"
        directory.mkdir()
        directory.chmod(0o755)
        for name, (chain, key) in {"ecdsa": ecdsa, "rsa": rsa}.items():
            self.install(name, chain, key)
        self._conf.write_text(_CONF.format(directory=directory, address=ADDRESS))
        self.daemon = Daemon(["dovecot", "-F", "-c", str(self._conf)], log=directory / "dovecot.out")

    def install(self, name: str, chain: bytes, key: bytes) -> None:
        """Put a chain and its key where Dovecot reads `ecdsa` or `rsa` from."""
        path = self.directory / f"{name}.pem"
        path.touch(0o600)
        path.write_bytes(chain + key)

    def start(self) -> None:
        """Start it and wait for all its ports."""
        namespace.add_address(ADDRESS)
        self.daemon.start()
        self.daemon.wait_until(lambda: all(_open(port) for port in (*PORTS.values(), *TLS_PORTS)))

    def reload(self) -> None:
        """Make it read its certificates again."""
        run("doveadm", "-c", str(self._conf), "reload")


def _open(port: int) -> bool:
    try:
        with socket.create_connection((ADDRESS, port), timeout=1):
            return True
    except OSError:
        return False
