"""Whether an address is on this host: what a resolver elsewhere says can be forged on the way, AD included (RFC 7672 §2.1.1)."""

from __future__ import annotations

import socket
from functools import lru_cache
from ipaddress import ip_address


@lru_cache(64)
def here(address: str) -> bool:
    """Whether a numeric address is loopback or one of this host's own. Nothing is sent."""
    named = ip_address(address)
    found = (named.ipv4_mapped or named) if named.version == 6 else named
    if found.is_loopback:
        return True
    family = socket.AF_INET if found.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(found), 53))  # tells from which address one would speak; to oneself it is the same
            source: str = probe.getsockname()[0]
    except OSError:
        return False
    return ip_address(source.partition("%")[0]) == ip_address(str(found).partition("%")[0])
