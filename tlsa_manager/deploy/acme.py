"""Which files an ACME client writes: whoever reads those has the new key the moment it is renewed, published or not (F-HOOK)."""

from __future__ import annotations

import os

_DIRECTORIES = (
    "/etc/letsencrypt", "/var/lib/dehydrated", "/etc/dehydrated", "/etc/ssl/uacme", "/var/lib/acme", "/etc/lego", "/root/.lego",
    "/root/.acme.sh", "/etc/acme.sh",
)  # fmt: skip


def is_acme(file: str) -> bool:
    """Whether a file lies in a directory of an ACME client, or is a link into one."""
    places = {file, os.path.realpath(file)}
    return any("/.acme.sh/" in place or place.startswith(tuple(f"{one}/" for one in _DIRECTORIES)) for place in places)
