"""Unbound, a validating resolver that trusts the lab's root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.daemon import Daemon, run
from lab.zones import ROOT_SERVER

if TYPE_CHECKING:
    from pathlib import Path

# Bogus and negative answers are forgotten after a second, so that a repaired zone is seen soon. Patience with servers is
# left at its default: when a busy machine keeps servers from answering for a moment, an impatient Unbound says SERVFAIL
# and goes on saying so for seconds after they answer again.
#
# The root is a stub, not hints: BIND tells no addresses with the names of the root's servers, and with hints alone Unbound goes
# in a circle, and fails, when it is asked for the address of the root's server and has not got it any more.
_CONFIGURATION = """
server:
  directory: "{directory}"
  chroot: ""
  username: ""
  pidfile: "{directory}/unbound.pid"
  use-syslog: no
  logfile: ""
  verbosity: 1
  val-log-level: 2
  num-threads: 1
  interface: {address}
  outgoing-interface: 127.0.0.1
  access-control: 127.0.0.0/8 allow
  do-ip6: no
  do-not-query-localhost: no
  trust-anchor-file: "{anchor}"
  module-config: "validator iterator"
  ede: yes
  cache-max-negative-ttl: 1
  val-bogus-ttl: 1
  infra-host-ttl: 1
stub-zone:
  name: "."
  stub-addr: {root}
remote-control:
  control-enable: yes
  control-interface: {directory}/control.sock
  control-use-cert: no
"""


class Unbound:
    """One resolver on one address with a cache of its own."""

    def __init__(self, directory: Path, address: str, *, anchor: Path) -> None:
        directory.mkdir(parents=True)
        self.address = address
        self._configuration = directory / "unbound.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(directory=directory, address=address, root=ROOT_SERVER, anchor=anchor)
        )
        self.daemon = Daemon(["unbound", "-d", "-c", str(self._configuration)], log=directory / "log")

    def control(self, *words: str) -> str:
        """Command it through its control socket and return its answer."""
        return run("unbound-control", "-c", str(self._configuration), *words)

    def flush(self) -> None:
        """Forget every cached answer, also what is known about servers."""
        self.control("flush_zone", ".")
        self.control("flush_infra", "all")
