"""A Postfix of our own: own configuration, queue, data directory and log, beside any Postfix of the host."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from typing import TYPE_CHECKING

from lab import namespace
from lab.daemon import run, until

if TYPE_CHECKING:
    from pathlib import Path

# postlogd writes the log: there is no syslog in the lab.
_MAIN = """
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {directory}/maillog
maillog_file_prefixes = {directory}
syslog_name = {name}
myhostname = {hostname}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = {address}
inet_protocols = ipv4
smtp_bind_address = {address}
alias_maps =
alias_database =
smtpd_peername_lookup = no
smtp_tls_loglevel = 1
smtpd_tls_loglevel = 1
"""
_MASTER = """
25         inet  {inbound}
pickup     unix  n - n 60 1 pickup
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 300 1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
verify     unix  - - n - 1 verify
proxymap   unix  - - n - - proxymap
proxywrite unix  - - n - 1 proxymap
smtp       unix  - - n - - smtp
relay      unix  - - n - - smtp
showq      unix  n - n - - showq
error      unix  - - n - - error
retry      unix  - - n - - error
discard    unix  - - n - - discard
virtual    unix  - n n - - virtual
anvil      unix  - - n - 1 anvil
scache     unix  - - n - 1 scache
postlog    unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """One Postfix instance on one address."""

    def __init__(
        self, directory: Path, *, address: str, hostname: str, main: str, master: str = "", inbound: str = "n - n - - smtpd"
    ) -> None:
        self.address, self.hostname, self.directory = address, hostname, directory
        self.config_directory = directory / "conf"
        self.maillog = directory / "maillog"
        for part in ("conf", "queue", "data"):
            (directory / part).mkdir(parents=True)
        shutil.chown(directory / "data", "postfix")
        common = _MAIN.format(directory=directory, name=directory.name, hostname=hostname, address=address)
        self._write("main.cf", common + main)
        self._write("master.cf", _MASTER.format(inbound=inbound) + master)

    def start(self, *, resolver: str = namespace.RESOLVER) -> None:
        """Start it with this resolver in its own view of /etc/resolv.conf; return when port 25 answers."""
        namespace.add_address(self.address)
        resolv_conf = self.directory / "resolv.conf"
        resolv_conf.write_text(namespace.resolv_conf(resolver))
        begin = 'umount /etc/resolv.conf && mount --bind "$0" /etc/resolv.conf && exec postfix -c "$1" start'
        run("unshare", "--mount", "sh", "-c", begin, str(resolv_conf), str(self.config_directory))
        until(self._answers, f"{self.address} answers on port 25")

    def reload(self) -> None:
        """Read configuration and certificates again; connections that are open go on."""
        run(*self.reload_command)

    @property
    def reload_command(self) -> tuple[str, ...]:
        """Return what an administrator would type to reload this instance."""
        return ("postfix", "-c", str(self.config_directory), "reload")

    def stop(self) -> None:
        """End it and wait until its master is gone."""
        master = self._master()
        if master:
            os.kill(master, signal.SIGTERM)
            until(lambda: not namespace.command_of(master), f"Postfix on {self.address} ends")

    def log(self) -> str:
        """Return the whole mail log."""
        return self.maillog.read_text(errors="replace") if self.maillog.exists() else ""

    def _master(self) -> int:
        pid_file = self.directory / "queue" / "pid" / "master.pid"
        return int(pid_file.read_text()) if pid_file.exists() else 0

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.address, 25), timeout=1) as connection:
                return connection.recv(3) == b"220"  # postscreen goes on with a line of its own
        except OSError:
            return False

    def _write(self, name: str, text: str) -> None:
        """Write a configuration file that looks a minute old: Postfix dozes for seconds beside a younger one."""
        path = self.config_directory / name
        path.write_text(text)
        minute_ago = time.time() - 60
        os.utime(path, (minute_ago, minute_ago))
