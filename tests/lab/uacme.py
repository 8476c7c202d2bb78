"""uacme as Debian has it, with a challenge program that sends DNS updates, in a directory of its own."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from lab.zones import PRIMARY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.pebble import Pebble

_CHALLENGE = """#!/bin/sh
# METHOD TYPE IDENT TOKEN AUTH, as uacme(1) says; other types than dns-01 are declined.
[ "$2" = dns-01 ] || exit 1
[ -z "$PROVES_NOTHING" ] || exit 0
case $1 in
begin) what="add _acme-challenge.$3. 1 TXT \\"$5\\"" ;;
*) what="delete _acme-challenge.$3. TXT \\"$5\\"" ;;
esac
printf 'server {server}\\nupdate %s\\nsend\\n' "$what" | nsupdate -k {key}
"""


class Uacme:
    """One uacme: its account and what it issues. A run takes about two seconds."""

    def __init__(self, directory: Path, pebble: Pebble, *, tsig_key_file: Path) -> None:
        directory.mkdir(parents=True)
        self.confdir = directory / "etc"
        challenge = directory / "challenge"
        challenge.write_text(_CHALLENGE.format(server=PRIMARY, key=tsig_key_file))
        challenge.chmod(0o755)
        # It has no option for an authority of one's own and believes this file alone, which is covered for its process only.
        cover = f'mount --bind {pebble.ca_file} /etc/ssl/certs/ca-certificates.crt && exec "$@"'
        self._before = ("unshare", "--mount", "sh", "-c", cover, "sh")
        self.options = ("-a", pebble.directory_url, "-c", str(self.confdir), "-h", str(challenge), "-o")
        self.run("uacme", *self.options, "-y", "new")

    def run(self, *words: str, env: Mapping[str, str] | None = None, proves: bool = True, code: int = 0) -> str:
        """Run uacme, or a wrapper around it; return all it said. Another exit code than expected fails the test."""
        denied = {} if proves else {"PROVES_NOTHING": "1"}
        done = subprocess.run(
            [*self._before, *words], env={**os.environ, **denied, **(env or {})}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == code, f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr
