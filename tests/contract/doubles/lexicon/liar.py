"""A provider of dns-lexicon that does not do what it says, or does not say what it does: for the process of dns-lexicon."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

STANDING: dict[str, list[str]] = {}


class Liar:
    """The name of the account is the lie. It is a client and its operations in one; `update_record` must never be called."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self.lie = asked["options"]["auth_token"].partition("-")[0]
        self.records = STANDING.setdefault(asked["name"], [f"3 1 1 {'c' * 64}"])
        self.ends_with = asked["zone"]

    def __enter__(self) -> Self:
        """Log in."""
        if self.lie == "hangs":
            time.sleep(600)
        return self

    def __exit__(self, *_: object) -> None:
        """Log out."""

    def list_records(self, rtype: str, name: str, content: str | None = None) -> Any:
        """List, also what was not asked for."""
        assert content is None
        if self.lie == "lists":
            return None
        found = [{"type": rtype, "name": name, "content": one, "ttl": 300, "id": one} for one in self.records]
        other = {"type": rtype, "name": f"other.{self.ends_with}", "content": "3 1 1 00", "ttl": 1, "id": "other"}
        wrong = {"type": "A", "name": name, "content": "192.0.2.1", "ttl": 1, "id": "wrong"}
        return [*(found if rtype != "CNAME" else []), other, wrong]

    def create_record(self, rtype: str, name: str, content: str) -> Any:
        """Create, or not."""
        assert content not in self.records, "it was to be skipped"
        if self.lie in {"none", "false", "raises", "secret"}:
            if self.lie == "raises":
                raise KeyError("zone")
            return {"none": None, "false": False, "secret": "secret-0123456789"}[self.lie]
        if self.lie == "overwrites":
            self.records.clear()
        if self.lie != "pretends":
            self.records.append(content)
        return 1 if self.lie == "one" else True

    def delete_record(self, identifier: None = None, *, rtype: str, name: str, content: str) -> Any:
        """Delete, or not."""
        assert identifier is None
        assert content
        if self.lie == "overwrites":
            self.records.clear()
        if self.lie not in {"pretends", "none", "overwrites"}:
            self.records.remove(content)
        return None if self.lie == "none" else True

    def update_record(self, *_: object) -> None:
        """Delete and create: not for us."""
        raise AssertionError("it is never used")


open_client = Liar
