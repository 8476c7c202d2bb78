"""Servers that read one combined file, each real, in the foreground, with a configuration of its own: Dovecot, nginx, HAProxy."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from lab import namespace
from lab.daemon import Daemon

if TYPE_CHECKING:
    from pathlib import Path

_DOVECOT = """
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
protocols = imap
listen = {address}
ssl = required
{tls}
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
"""
_NGINX = """
daemon off;
worker_processes 1;
pid {directory}/server.pid;
error_log {directory}/nginx.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  {tls}
}}
"""
_HAPROXY = """
global
  user nobody
  group nogroup
defaults
  mode tcp
  timeout client 5s
  timeout server 5s
  timeout connect 1s
  default_backend none
{tls}
backend none
  server none 127.0.0.1:1
"""


class Reader:
    """One such server."""

    def __init__(
        self,
        directory: Path,
        address: str,
        *,
        ports: tuple[int, ...],
        text: str,
        argv: tuple[str, ...],
        pid_file: str = "server.pid",
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
        self.directory, self.address, self._ports, self._text = directory, address, ports, text
        self.config, self.pid_file = directory / "server.conf", directory / pid_file
        words = [word.format(config=self.config, pid=self.pid_file) for word in argv]
        self.daemon = Daemon(words, log=directory / "output")

    def configure(self, tls: str) -> None:
        """Write the configuration, with these lines about certificates; all addresses (`*:443`) are the one of this server."""
        own = tls.replace("*:", f"{self.address}:")
        self.config.write_text(self._text.format(directory=self.directory, address=self.address, tls=own))

    def start(self) -> None:
        """Start it; return when all its ports answer and its number is written down, which may be a little later."""
        namespace.add_address(self.address)
        self.daemon.start()
        self.daemon.wait_until(lambda: self._numbered() and all(_open(self.address, port) for port in self._ports))

    def stop(self) -> None:
        """End it."""
        self.daemon.stop()

    def _numbered(self) -> bool:
        return self.pid_file.exists() and self.pid_file.read_text().strip().isdecimal()


def dovecot(directory: Path, address: str) -> Reader:
    """Make a Dovecot: IMAP on ports 143 and 993."""
    return Reader(
        directory, address, ports=(143, 993), text=_DOVECOT, argv=("dovecot", "-F", "-c", "{config}"), pid_file="run/master.pid"
    )


def nginx(directory: Path, address: str) -> Reader:
    """Make an nginx: HTTPS on port 443, or what its configuration says."""
    return Reader(directory, address, ports=(443,), text=_NGINX, argv=("nginx", "-c", "{config}"))


def haproxy(directory: Path, address: str, *, master: bool = True) -> Reader:
    """Make an HAProxy, with a master process or without."""
    argv = ("haproxy", *(("-W",) if master else ("-db",)), "-f", "{config}", "-p", "{pid}")
    return Reader(directory, address, ports=(443,), text=_HAPROXY, argv=argv)


def _open(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False
