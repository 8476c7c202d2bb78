"""A client of a few lines that does to its files what getssl is documented to do; the real lego speaks to the authority for it.

REUSE_PRIVATE_KEY=true takes the key that lies there, =false deletes it before it orders; RELOAD_CMD is run when all is written.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.lego import Lego

_SCRIPT = """#!/bin/sh
set -e
cd "$DOMAIN_DIR"
[ "$REUSE_PRIVATE_KEY" = true ] || rm -f "$DOMAIN.key"
[ -f "$DOMAIN.key" ] || openssl ecparam -genkey -name prime256v1 -noout -out "$DOMAIN.key"
openssl req -new -key "$DOMAIN.key" -subj "/CN=$DOMAIN" -addext "subjectAltName=DNS:$DOMAIN" -out "$DOMAIN.csr"
"$ORDER" "$DOMAIN.csr" >fresh.crt
cp fresh.crt "$DOMAIN.crt"
eval "$RELOAD_CMD"
"""
_ORDER = """#!/bin/sh
# One order with a request; the chain on stdout.
set -e
lego {common} --dns "$PROVIDER" --csr "$1" run >&2
cat {chain}
"""


class Plain:
    """The client, its files below one directory."""

    def __init__(self, directory: Path, lego: Lego, name: str) -> None:
        directory.mkdir()
        self.name = name
        self.key, self.chain = directory / f"{name}.key", directory / f"{name}.crt"
        script, order = directory / "client", directory / "order"
        script.write_text(_SCRIPT)
        order.write_text(_ORDER.format(common=" ".join(lego.common), chain=lego.certificate(name)))
        for file in (script, order):
            file.chmod(0o755)
        self._script = str(script)
        self._environment = {**lego.environment, "DOMAIN_DIR": str(directory), "DOMAIN": name, "ORDER": str(order)}

    def run(self, reload: str, env: Mapping[str, str], *, reuse: bool, proves: bool = True, code: int = 0) -> str:
        """Order a certificate, then run `reload`; another exit code than expected fails the test."""
        settings = {
            "REUSE_PRIVATE_KEY": str(reuse).lower(),
            "RELOAD_CMD": reload,
            "PROVIDER": "rfc2136" if proves else "exec",
        }
        done = subprocess.run(
            [self._script], env={**os.environ, **self._environment, **settings, **env}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == code, f"the client ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr
