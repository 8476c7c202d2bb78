"""BIND servers of the lab: configuration, keys, control channel."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.daemon import Daemon, run

if TYPE_CHECKING:
    from pathlib import Path

# Records live two seconds: a rollover in the lab waits for seconds where the world waits for hours.
TTL = 2

_POLICY = """
dnssec-policy "lab" {
  keys { csk lifetime unlimited algorithm ecdsap256sha256; };
  dnskey-ttl 5; max-zone-ttl 1d; zone-propagation-delay 1; parent-ds-ttl 5; parent-propagation-delay 1;
  publish-safety 1; retire-safety 1; signatures-validity 14d; signatures-refresh 5d;
};
"""
# On loopback the source address of a packet is its destination unless said otherwise, hence the *-source lines.
# The rates are BIND's politeness towards strangers; with the defaults a NOTIFY may take five seconds.
_OPTIONS = """
options {{
  directory "{directory}"; key-directory "keys"; pid-file "named.pid"; session-keyfile none; lock-file none;
  listen-on port 53 {{ {listen}; }}; listen-on-v6 {{ none; }};
  notify-source {source}; transfer-source {source}; query-source address {source};
  notify explicit; notify-delay 0; notify-rate 1000; startup-notify-rate 1000; serial-query-rate 1000;
  recursion no; dnssec-validation no; empty-zones-enable no; minimal-responses yes;
  allow-transfer {{ key "lab-transfer."; }};
}};
controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.0/8; }} keys {{ "lab-rndc"; }}; }};
"""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Files every server of the lab includes: signing policy and TSIG keys."""

    policy: Path
    update: Path  # BIND key file, key "lab-update.", hmac-sha256
    transfer: Path
    rndc: Path

    @classmethod
    def make(cls, directory: Path) -> Secrets:
        """Write the policy and three fresh TSIG keys, readable by their owner only."""
        policy = directory / "policy.conf"
        policy.write_text(_POLICY)
        names = {"update": "lab-update.", "transfer": "lab-transfer.", "rndc": "lab-rndc"}
        return cls(policy=policy, **{kind: tsig_key(directory / f"{kind}.key", name) for kind, name in names.items()})

    def includes(self) -> str:
        """Return the lines of named.conf that read all of them."""
        return "".join(f'include "{path}";\n' for path in (self.policy, self.update, self.transfer, self.rndc))


def tsig_key(path: Path, name: str) -> Path:
    """Write a new TSIG key in BIND's form and return its path."""
    secret = base64.b64encode(os.urandom(32)).decode()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(f'key "{name}" {{\n    algorithm hmac-sha256;\n    secret "{secret}";\n}};\n')
    return path


class Named:
    """One named process with its own directory and control port."""

    def __init__(self, directory: Path, secrets: Secrets, *, listen: tuple[str, ...], control: int) -> None:
        self.directory, self.listen, self.control = directory, listen, control
        self._secrets = secrets
        (directory / "keys").mkdir(parents=True)
        configuration = directory / "named.conf"
        self.daemon = Daemon(["named", "-c", str(configuration), "-g", "-n", "1"], log=directory / "log")

    def configure(self, zones: str) -> None:
        """Write named.conf: the lab's options, then these zone statements."""
        options = _OPTIONS.format(
            directory=self.directory, listen="; ".join(self.listen), source=self.listen[0], control=self.control
        )
        (self.directory / "named.conf").write_text(self._secrets.includes() + options + zones)

    def sign_later(self, zone: str) -> str:
        """Make the zone's key before named starts, so that the DS record is known now; return that record."""
        policy = str(self._secrets.policy)
        key = run("dnssec-keygen", "-q", "-K", str(self.directory / "keys"), "-k", "lab", "-l", policy, zone).strip()
        return run("dnssec-dsfromkey", "-2", str(self.directory / "keys" / f"{key}.key")).strip()

    def rndc(self, *words: str) -> str:
        """Command the server through its control channel and return its answer."""
        return run(*self.rndc_words(*words))

    def rndc_words(self, *words: str) -> list[str]:
        """Return the command line of a command for it."""
        return ["rndc", "-s", "127.0.0.1", "-p", str(self.control), "-k", str(self._secrets.rndc), *words]
