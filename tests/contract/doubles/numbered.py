"""A double that keeps single records, each with a number, as most providers do."""

from __future__ import annotations

from contract.doubles.double import Double


class Numbered(Double):
    """The records of one zone. What a record is called stays the same as long as it stands."""

    zone = "pub.example."

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[tuple[str, str, str], int] = {}

    def rows(self) -> list[tuple[int, str, str, int, str]]:
        """Return all records: number, absolute name, type, TTL, content."""
        return [
            (self.number(name, kind, text), name, kind, ttl, text)
            for (name, kind), (ttl, texts) in sorted(self.sets.items())
            for text in texts
        ]

    def number(self, name: str, kind: str, text: str) -> int:
        """Return the number of a record."""
        return self._numbers.setdefault((name, kind, text), 7000 + len(self._numbers))

    def insert(self, name: str, kind: str, ttl: int, text: str) -> int:
        """Let a record stand beside the others, which get its TTL: there is one in a set (RFC 2181 §5.2)."""
        others = self.sets.get((name, kind), (0, []))[1]
        self.sets[name, kind] = ttl, [*others, text]
        return self.number(name, kind, text)

    def drop(self, number: int) -> bool:
        """Take one record away; returns whether it was there."""
        for found, name, kind, ttl, text in self.rows():
            if found == number:
                left = [one for one in self.sets[name, kind][1] if one != text]
                self.sets[name, kind] = ttl, left
                if not left:
                    del self.sets[name, kind]
                return True
        return False
