"""Whether a certificate names the server, where names count: usages 0, 1 and 2 (RFC 7672 §3.2.3, RFC 9525 §6.3). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def covers(presented: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether one of a certificate's names is one of the names that a sender accepts.

    An asterisk stands for one whole label, the first; at least two labels have to follow it, or OpenSSL does not take it.
    """
    accepted = {one.rstrip(".").lower() for one in wanted} - {""}
    starred = {f"*.{parent}" for one in accepted if "." in (parent := one.partition(".")[2])}
    return any(plain(one) and one.rstrip(".").lower() in accepted | starred for one in presented)


def plain(name: str) -> bool:
    """Whether a name is text that can stand in DNS: one with a NUL, or in Unicode, names nobody."""
    return name.isascii() and name.isprintable() and name not in ("", "*")


def within(name: str, subtree: str) -> bool:
    """Whether a DNS name lies within the subtree of a name constraint (RFC 5280 §4.2.1.10).

    An empty subtree is all names; one that begins with a dot, which the standard does not know, is all below it, as in OpenSSL.
    """
    own, root = name.rstrip(".").lower(), subtree.lower()
    return not root or own == root or own.endswith("." + root.removeprefix("."))
