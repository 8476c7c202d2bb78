"""tlsa_manager's files in the demo's world: what an operator would write to /etc/tlsa-manager, with small numbers."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

from tlsa_manager.demo import names

if TYPE_CHECKING:
    from pathlib import Path

TSIG_NAME = "tlsa-manager."
_CONFIG = """\
[defaults]
resolver = ["{resolver}#{port}"]
trust-anchor = "root.ds"
directory = "var"
authority-port = {port}         # no root is needed for a demo, so nothing is at port 53

[timing]                        # hours and days in real life
ttl = "{ttl}s"
ttl-multiplier = 2
cache-floor = "4s"
margin = "1s"
rollback-window = "3s"
poll-interval = "500ms"
check-interval = "10s"
signature-margin = "1m"

[dns.primary]
backend = "rfc2136"
server = "{primary}#{port}"
tsig-key-file = "tsig.key"

[consumer.mailserver]
type = "command"
file = "mx.pem"
reload = ["/bin/sh", "-c", "kill -USR1 {pid}"]

[lineage."{lineage}"]
services = [{{ at = "{host}:25", connect = ["{mail}:{mail_port}"] }}]
dns = "primary"
consumers = ["mailserver"]
"""


def write_config(directory: Path, *, dns_port: int, mail_port: int, tsig_secret: bytes, anchor: str) -> Path:
    """Write all files into a directory; return the path of the configuration."""
    secret = base64.b64encode(tsig_secret).decode("ascii")
    write_private(directory / "tsig.key", f'key "{TSIG_NAME}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'.encode())
    write_private(directory / "root.ds", f". IN DS {anchor}\n".encode())
    text = _CONFIG.format(
        resolver=names.RESOLVER_ADDRESS, port=dns_port, primary=names.PRIMARY_ADDRESS, ttl=names.TTL, pid=os.getpid(),
        lineage=names.LINEAGE, host=names.HOST, mail=names.MAIL_ADDRESS, mail_port=mail_port,
    )  # fmt: skip
    write_private(directory / "config.toml", text.encode())
    return directory / "config.toml"


def write_private(file: Path, content: bytes) -> None:
    """Replace a file by one that nobody else can read from its first byte."""
    beside = file.with_name(file.name + ".new")
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
        stream.write(content)
    beside.replace(file)
