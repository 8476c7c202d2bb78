"""certbot with its RFC 2136 plugin, as an administrator would have set it up, in a directory of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lab.zones import PRIMARY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.pebble import Pebble

_OURS = Path(sys.executable).parent  # the environment of these tests has the current certbot


def packaged() -> str:
    """Return the certbot of the system's packages, which is older than the one in the environment of the tests.

    Another environment on PATH may have a current one, too: it is not looked for there.
    """
    return shutil.which("certbot", path="/usr/bin") or "certbot"


def current() -> str:
    """Return the certbot that is installed beside the project's tools."""
    return str(_OURS / "certbot")


class Certbot:
    """One certbot installation: accounts, lineages, hooks. A run takes two to three seconds."""

    def __init__(self, directory: Path, pebble: Pebble, tsig_key_file: Path, *, program: str = "") -> None:
        directory.mkdir(parents=True)
        self._program = program or packaged()
        self.config_dir = directory / "etc"
        self._pebble = pebble
        self._credentials = directory / "rfc2136.ini"
        self._write_credentials(tsig_key_file.read_text())
        self._places = ("--config-dir", str(self.config_dir), "--work-dir", str(directory / "work"), "--logs-dir")
        self._logs = directory / "log"

    def certbot(self, *arguments: str, env: Mapping[str, str] | None = None, code: int = 0) -> str:
        """Run certbot against Pebble and return all it said; another exit code than expected fails the test."""
        common = ("--server", self._pebble.directory_url, "--non-interactive", *self._places, str(self._logs))
        done = subprocess.run(
            [self._program, *arguments, *common],
            env={**os.environ, "REQUESTS_CA_BUNDLE": str(self._pebble.ca_file), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"certbot {arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def obtain(
        self, name: str, *domains: str, deploy_hook: str = "", more: Iterable[str] = (), env: Mapping[str, str] | None = None
    ) -> Path:
        """Get the first certificate of a lineage for these domains (default: its name); return its live directory."""
        wanted = [word for domain in domains or (name,) for word in ("-d", domain)]
        hook = ["--deploy-hook", deploy_hook] if deploy_hook else []
        plugin = ("--dns-rfc2136", "--dns-rfc2136-credentials", str(self._credentials))
        account = ("--agree-tos", "-m", "hostmaster@a.example", "--dns-rfc2136-propagation-seconds", "0")
        self.certbot("certonly", "--cert-name", name, *wanted, *plugin, *account, *hook, *more, env=env)
        return self.live(name)

    def renew(
        self, name: str = "", *, force: bool = True, more: Iterable[str] = (), env: Mapping[str, str] | None = None, code: int = 0
    ) -> str:
        """Renew one lineage, or all; the deploy hook given at `obtain` runs. Return what certbot said."""
        which = ["--cert-name", name] if name else []
        forced = ["--force-renewal"] if force else []
        return self.certbot("renew", "--no-random-sleep-on-renew", *forced, *which, *more, env=env, code=code)

    def live(self, name: str) -> Path:
        """Return the directory with the links to a lineage's newest files."""
        return self.config_dir / "live" / name

    def _write_credentials(self, tsig_key: str) -> None:
        secret = re.search(r'secret "([^"]+)"', tsig_key)
        name = re.search(r'key "([^"]+)"', tsig_key)
        assert secret, "no secret in the TSIG key file"
        assert name, "no name in the TSIG key file"
        settings = {"server": PRIMARY, "port": "53", "name": name[1], "secret": secret[1], "algorithm": "HMAC-SHA256"}
        self._credentials.touch(mode=0o600)
        self._credentials.write_text("".join(f"dns_rfc2136_{key} = {value}\n" for key, value in settings.items()))
