"""lego 4 as Debian has it, with its RFC 2136 provider, in a directory of its own; and how lego 5 calls a hook."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from lab.zones import PRIMARY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.pebble import Pebble

HOOK_TIMEOUT = 120  # seconds; then lego 5 kills a hook


class Lego:
    """One lego: its account and its certificates. A run takes about two seconds."""

    def __init__(self, directory: Path, pebble: Pebble, *, tsig_key_file: Path, resolver: str) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        key = tsig_key_file.read_text()
        self.environment = {
            "LEGO_CA_CERTIFICATES": str(pebble.ca_file),
            "RFC2136_NAMESERVER": f"{PRIMARY}:53",
            "RFC2136_TSIG_ALGORITHM": "hmac-sha256.",
            "RFC2136_TSIG_KEY": _one(r'key "([^"]+)"', key),
            "RFC2136_TSIG_SECRET": _one(r'secret "([^"]+)"', key),
            "RFC2136_TTL": "1",
            "EXEC_PATH": "/bin/true",  # a provider that publishes nothing
        }
        self.common = (
            "--server", pebble.directory_url, "--accept-tos", "--email", "hostmaster@a.example", "--path", str(directory),
            "--dns.resolvers", f"{resolver}:53", "--dns.disable-cp",
        )  # fmt: skip

    def run(self, *words: str, env: Mapping[str, str] | None = None, proves: bool = True, code: int = 0) -> str:
        """Run lego and return all it said; another exit code than expected fails the test.

        `words`: `run` or `renew` with its options, before it --csr FILE or --domains NAME. `proves`: else the authority refuses.
        """
        done = subprocess.run(
            ["lego", *self.common, "--dns", "rfc2136" if proves else "exec", *words],
            env={**os.environ, **self.environment, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == code, f"lego {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def certificate(self, name: str) -> Path:
        """Return where lego writes the chain of a certificate."""
        return self.directory / "certificates" / f"{name}.crt"


def deploy_hook_of_5(hook: str, certificate: Path, name: str, env: Mapping[str, str]) -> str:
    """Call a hook as lego 5 does after it has saved a certificate: no shell, words split at blanks, files by other names.

    A double: lego 5 is no package of Debian's. From its documentation and its source (cmd/internal/hook).
    """
    told = {
        "ACCOUNT_ID": "hostmaster@a.example", "ACCOUNT_EMAIL": "hostmaster@a.example", "ACCOUNT_SERVER": "https://127.14.0.1:14000",
        "CERT_NAME": name, "CERT_NAME_SANITIZED": name, "CERT_KEY_TYPE": "EC256", "CERT_DOMAINS": f"{name},www.{name}",
        "CERT_PATH": str(certificate), "CERT_KEY_PATH": str(certificate.with_suffix(".key")),
        "ISSUER_CERT_PATH": str(certificate.with_suffix(".issuer.crt")),
    }  # fmt: skip
    done = subprocess.run(
        hook.split(), env={**os.environ, **env, **{f"LEGO_HOOK_{key}": value for key, value in told.items()}},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=HOOK_TIMEOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def _one(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, pattern
    return found[1]
