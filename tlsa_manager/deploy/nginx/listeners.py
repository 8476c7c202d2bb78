"""Which certificates an nginx presents: those of the `server` blocks that are spoken to with TLS, of what they have or inherit.

That a `server` is, its `listen` says (`ssl`, `quic`), or that of another one for the same address: the words are the address's
(ngx_http_core_module, listen). In `mail` also `starttls`, and `ssl on`, as in `http` before 1.25.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.deploy.reading import Use

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tlsa_manager.deploy.nginx.configuration import Directive

CHAIN, KEY = "ssl_certificate", "ssl_certificate_key"
_LEVELS = {"http", "mail", "stream"}
_WITH_TLS = {"ssl", "quic"}


def uses(directives: Iterable[Directive], base: Path) -> Iterator[Use]:
    """Name what each server presents; several pairs are of different algorithms, in one order. `base`: of relative names."""
    for level in directives:
        servers = [one for one in level.inside if one.name == "server"] if level.name in _LEVELS else []
        secured = {_address(words) for one in servers for words in _said(one, "listen") if _WITH_TLS & {*words[1:]}}
        for server in servers:
            if _is_on(server, level) or any(_address(words) in secured for words in _said(server, "listen") or [("80",)]):
                keys = _files(server, level, KEY)
                for number, chain in enumerate(_files(server, level, CHAIN)):
                    key = keys[number] if number < len(keys) else ""
                    yield Use(_called(server), str(base / chain), str(base / key) if key else "")


def _said(block: Directive, name: str) -> list[tuple[str, ...]]:
    """Return the words of each directive of a name in a block."""
    return [one.words for one in block.inside if one.name == name and one.words]


def _files(server: Directive, level: Directive, name: str) -> list[str]:
    return [words[0] for words in _said(server, name) or _said(level, name)]


def _is_on(server: Directive, level: Directive) -> bool:
    said = [(_said(server, name) or _said(level, name))[-1:] for name in ("ssl", "starttls")]
    return any(words[0] in {"on", "only"} for found in said for words in found)


def _address(words: tuple[str, ...]) -> str:
    """Return where a `listen` listens, in one form: `443`, `*:443` and `0.0.0.0:443` are one."""
    address = f"*:{words[0]}" if words[0].isdecimal() else words[0].replace("0.0.0.0:", "*:", 1)
    return address if ":" in address.rpartition("]")[2] or address.startswith("unix:") else f"{address}:80"


def _called(server: Directive) -> str:
    """Say which server block: its names, or where it listens, and its place."""
    words = {one.name: " ".join(one.words) for one in reversed(server.inside)}
    named = words.get("server_name") or words.get("listen") or "without a name"
    return f"server {named} at {server.place}"
