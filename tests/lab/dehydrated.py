"""Debian's dehydrated with our hook, and behind it one that puts challenges into the lab's DNS, in a directory of its own."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from lab.zones import PRIMARY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.pebble import Pebble

_CONFIG = """CA="{ca}"
CHALLENGETYPE="dns-01"
BASEDIR="{base}"
DOMAINS_TXT="{base}/domains.txt"
HOOK="{hook}"
KEY_ALGO=prime256v1
CURL_OPTS="--cacert {trust}"
export TLSA_MANAGER_NEXT_HOOK="{base}/challenges"
"""
_CHALLENGES = """#!/bin/sh
echo "$1 $2" >>"{base}/challenges.log"
case $1 in
deploy_challenge) verb=add ;;
clean_challenge) verb=delete ;;
*) exit 0 ;;
esac
[ -z "${{PROVES_NOTHING:-}}" ] || exit 0
printf 'server {primary}\\nupdate %s _acme-challenge.%s. 1 TXT "%s"\\nsend\\n' "$verb" "$2" "$4" | nsupdate -k "{tsig}"
"""


class Dehydrated:
    """One dehydrated. A run takes about four seconds."""

    def __init__(self, directory: Path, pebble: Pebble, *, tsig_key_file: Path, hook: str) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        (directory / "config").write_text(
            _CONFIG.format(ca=pebble.directory_url, base=directory, hook=hook, trust=pebble.ca_file)
        )
        challenges = directory / "challenges"
        challenges.write_text(_CHALLENGES.format(base=directory, primary=PRIMARY, tsig=tsig_key_file))
        challenges.chmod(0o755)

    def register(self) -> None:
        """Make an account."""
        self.run("--register", "--accept-terms")

    def run(self, *words: str, env: Mapping[str, str] | None = None, code: int = 0) -> str:
        """Run it and return all it said; another exit code than expected fails the test."""
        done = subprocess.run(
            ["dehydrated", "--config", str(self.directory / "config"), *words],
            env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == code, f"dehydrated {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def certificates(self, name: str) -> Path:
        """Return the directory of a certificate."""
        return self.directory / "certs" / name
