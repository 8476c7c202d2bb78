"""The usual deploy hook, for comparison: the new certificate at once, its record afterwards."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain

_SCRIPT = """#!/bin/sh
set -eu
umask 077
cat "$RENEWED_LINEAGE/privkey.pem" "$RENEWED_LINEAGE/fullchain.pem" > {chain_file}.new
mv {chain_file}.new {chain_file}
{reload}
digest=$(openssl pkey -in "$RENEWED_LINEAGE/privkey.pem" -pubout -outform DER | sha256sum | cut -d' ' -f1)
nsupdate -k {tsig_key_file} <<END
server {primary}
{updates}
send
END
"""


def write_hook(path: Path, dns_lab: DnsLab, mail: MailDomain) -> Path:
    """Write the hook for one mail domain and return its path."""
    updates = (f"update delete {owner} TLSA\nupdate add {owner} {dns_lab.ttl} TLSA 3 1 1 $digest" for owner in mail.owners)
    script = _SCRIPT.format(
        chain_file=shlex.quote(str(mail.chain_file)),
        reload=shlex.join(mail.postfix.reload_command),
        tsig_key_file=shlex.quote(str(dns_lab.tsig_key_file)),
        primary=dns_lab.primary,
        updates="\n".join(updates),
    )
    path.write_text(script)
    path.chmod(0o755)
    return path
