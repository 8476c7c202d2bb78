"""An Exim of our own, unpacked beside Postfix: Debian lets only one mail server be installed."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from lab import namespace
from lab.daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import Sequence

USER, GROUP = "nobody", "nogroup"  # Exim's own user is not on this host; it is given the number of this one
_CONFIGURATION = """
exim_path = {directory}/bin/exim4
spool_directory = {directory}/spool
log_file_path = {directory}/log/%slog
pid_file_path = {directory}/exim.pid
primary_hostname = {hostname}
local_interfaces = {address}
daemon_smtp_ports = 25 : 465 : 587
tls_on_connect_ports = 465
tls_advertise_hosts = *
exim_user = {user}
exim_group = {group}
{tls}
acl_smtp_rcpt = acl_ok
acl_smtp_data = acl_ok
keep_environment =
disable_ipv6 = true
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 0
begin acl
acl_ok:
  accept
begin routers
here:
  driver = accept
  transport = inbox
begin transports
inbox:
  driver = appendfile
  directory = {directory}/mail
  maildir_format
  user = Debian-exim
  group = Debian-exim
"""
# Exim looks up its user when it starts, and keeps its rights through a SIGHUP only with a configuration that it trusts, and only
# when it is set-uid root: it listens on port 25 anew. So it runs as a copy that is, and that nobody but itself can see.
_BEGIN = """mount --bind "$0" /etc && mount -t tmpfs -o mode=0755 tmpfs "$3" && cp "$1" "$3/exim4" &&
chmod 4755 "$3/exim4" && exec "$3/exim4" -C "$2" -bdf"""
# What an administrator types as exim4, on a host that has Exim's user.
_COMMAND = """#!/bin/sh
exec unshare --mount sh -c 'mount --bind {etc} /etc && exec {exim} "$@"' sh "$@"
"""


def both(*files: Path) -> str:
    """Return the options that have Exim read these combined files."""
    named = " : ".join(map(str, files))
    return f"tls_certificate = {named}\ntls_privatekey = {named}"


class Exim:
    """One receiving Exim on one address, ports 25, 465 and 587."""

    def __init__(self, directory: Path, *, address: str, hostname: str, files: Sequence[Path] = (), tls: str = "") -> None:
        self.address, self.directory, self.config_directory = address, directory, directory
        for part in ("spool", "log", "mail", "bin"):
            (directory / part).mkdir(parents=True)
            shutil.chown(directory / part, USER, GROUP)
        exim = shutil.which("exim4")
        assert exim, "lab.fixtures.needs was not asked"
        self._values = {"directory": directory, "address": address, "hostname": hostname, "user": USER, "group": GROUP}
        self.configuration = configuration = directory / "exim.conf"
        self.configure(tls or both(*files))
        etc = _etc(directory / "etc", configuration)
        argv = ["unshare", "--mount", "sh", "-c", _BEGIN, str(etc), exim, str(configuration), str(directory / "bin")]
        self.daemon = Daemon(argv, log=directory / "output")
        self.command = directory / "exim4"
        self.command.write_text(_COMMAND.format(etc=etc, exim=exim))
        self.command.chmod(0o755)

    def configure(self, tls: str) -> None:
        """Write the configuration, with these options for TLS; a running daemon takes it up with a SIGHUP."""
        self.configuration.write_text(_CONFIGURATION.format(tls=tls, **self._values))

    def start(self) -> None:
        """Start it; return when port 25 answers."""
        namespace.add_address(self.address)
        self.daemon.start()
        self.daemon.wait_until(self._answers)

    def stop(self) -> None:
        """End it."""
        self.daemon.stop()

    @property
    def reload_command(self) -> tuple[str, ...]:
        """What makes it read its files anew; the daemon keeps its number."""
        return ("/bin/kill", "-HUP", (self.directory / "exim.pid").read_text().strip())

    def log(self) -> str:
        """Everything it logged."""
        return "".join(one.read_text(errors="replace") for one in sorted((self.directory / "log").iterdir()))

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.address, 25), timeout=1) as connection:
                return connection.recv(4) == b"220 "
        except OSError:
            return False


def _etc(place: Path, configuration: Path) -> Path:
    """Make what Exim sees as /etc: the user it was built for, and that its configuration is to be trusted."""
    (place / "exim4").mkdir(parents=True)
    (place / "exim4" / "trusted_configs").write_text(f"{configuration}\n")
    for name, line in (("passwd", "Debian-exim:x:65534:65534::/:/usr/sbin/nologin\n"), ("group", "Debian-exim:x:65534:\n")):
        (place / name).write_text(Path("/etc", name).read_text() + line)
    (place / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    (place / "hosts").write_text("127.0.0.1 localhost\n")
    return place
