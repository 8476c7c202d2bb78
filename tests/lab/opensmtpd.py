"""An OpenSMTPD of our own, unpacked beside Postfix: Debian lets only one mail server be installed.

That of Debian 12 (6.8.0p2 with OpenSSL 3) cannot end a handshake (OpenSMTPD issues 1171 and 1239): it sends its certificate, and
then has no key to sign with. What it reads, when it reads it, and what it sends is real; mail over TLS it cannot take.
"""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from lab import namespace
from lab.daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONFIGURATION = """
{tls}
listen on {address} port 25 tls {pki} hostname mx.example
listen on {address} port 465 smtps {pki} hostname mx.example
action "here" maildir "{directory}/mail"
match from any for any action "here"
"""
# smtpd has fixed places for its users, its queue and its socket; it gets them where nobody else sees them.
_BEGIN = """pid=$1; shift; mount --bind "$0" /etc && mount -t tmpfs tmpfs /var/spool && mkdir -m 711 /var/spool/smtpd &&
mount -t tmpfs -o mode=755 tmpfs /var/lib && mkdir -p -m 755 /var/lib/opensmtpd/empty &&
mount -t tmpfs -o mode=755 tmpfs /run || exit 1
trap 'kill $child; wait; exit' TERM
while :; do "$@" & child=$!; echo $child > "$pid"; wait $child; done
"""  # the loop is what an init system does: whoever ends it restarts it
_ACCOUNTS = "opensmtpd:x:65533:65533::/var/lib/opensmtpd/empty:/bin/false\nopensmtpq:x:65532:65532::/nonexistent:/bin/false\n"
_GROUPS = "opensmtpd:x:65533:\nopensmtpq:x:65532:\n"


class OpenSmtpd:
    """One receiving OpenSMTPD on one address, ports 25 and 465."""

    def __init__(self, directory: Path, *, address: str) -> None:
        self.directory, self.address = directory, address
        directory.mkdir(parents=True, exist_ok=True)
        program = shutil.which("smtpd")
        assert program, "lab.fixtures.needs was not asked"
        self.program, self.config = Path(program), directory / "smtpd.conf"
        etc = _etc(directory / "etc")
        begin: Sequence[str] = ("unshare", "--mount", "sh", "-c", _BEGIN, str(etc), str(directory / "pid"))
        self.daemon = Daemon([*begin, program, "-d", "-f", str(self.config)], log=directory / "output")

    def configure(self, tls: str, pki: str = "pki mx.example") -> None:
        """Write the configuration: these lines about certificates, and which of them the listeners present."""
        values = {"tls": tls, "pki": pki, "address": self.address, "directory": self.directory}
        self.config.write_text(_CONFIGURATION.format(**values))

    @property
    def restart_command(self) -> tuple[str, ...]:
        """What restarts it."""
        return ("/bin/sh", "-c", f"kill $(cat {self.directory}/pid)")

    def start(self) -> None:
        """Start it; return when it greets."""
        namespace.add_address(self.address)
        self.daemon.start()
        self.daemon.wait_until(self._answers)

    def stop(self) -> None:
        """End it."""
        self.daemon.stop()

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.address, 25), timeout=1) as connection:
                return connection.recv(4) == b"220 "
        except OSError:
            return False


def _etc(place: Path) -> Path:
    """Make what smtpd sees as /etc: its users, and certificate authorities, which it wants to see."""
    place.mkdir(exist_ok=True)
    (place / "passwd").write_text(_ACCOUNTS + Path("/etc/passwd").read_text())
    (place / "group").write_text(_GROUPS + Path("/etc/group").read_text())
    (place / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\nservices: files\n")
    (place / "hosts").write_text("127.0.0.1 localhost\n")
    shutil.copytree("/etc/ssl/certs", place / "ssl" / "certs", dirs_exist_ok=True)
    return place
