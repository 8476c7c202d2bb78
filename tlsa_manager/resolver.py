"""The address of a resolver, as people write it."""

from __future__ import annotations


def address_problem(text: str) -> str:
    """Return why this is not ADDRESS or ADDRESS#PORT, or an empty text."""
    from ipaddress import ip_address

    place, mark, port = text.partition("#")
    try:
        ip_address(place)
    except ValueError:
        return f"{text[:80]!r} is not an address"
    if mark and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        return f"{port[:20]!r} in {text[:80]!r} is not a port"
    return ""
