"""TLSA records (RFC 6698) and the digests they are made of.

Pure values. A record's data is kept as lower-case hexadecimal text, so that two spellings of one record are equal.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from tlsa_manager.errors import BadInput

USAGES = {"PKIX-TA": 0, "PKIX-EE": 1, "DANE-TA": 2, "DANE-EE": 3, "PRIVCERT": 255}  # RFC 7218 §2
SELECTORS = {"CERT": 0, "SPKI": 1, "PRIVSEL": 255}
MATCHINGS = {"FULL": 0, "SHA2-256": 1, "SHA2-512": 2, "PRIVMATCH": 255}
DIGEST_BYTES = {1: 32, 2: 64}  # RFC 6698 §2.1.3


@dataclass(frozen=True, slots=True, order=True)
class Params:
    """What a TLSA record says about its data: certificate usage, selector, matching type (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching: int

    def __str__(self) -> str:
        """Return the numeric presentation form, `3 1 1`."""
        return f"{self.usage} {self.selector} {self.matching}"

    @property
    def mnemonic(self) -> str:
        """The names of RFC 7218 beside the numbers, `DANE-EE(3) SPKI(1) SHA2-256(1)`."""
        return " ".join(
            f"{_name(table, value)}({value})"
            for table, value in ((USAGES, self.usage), (SELECTORS, self.selector), (MATCHINGS, self.matching))
        )

    @classmethod
    def parse(cls, text: str) -> Params:
        """Read `3 1 1` or `DANE-EE SPKI SHA2-256`. Raises BadInput."""
        words = text.split()
        if len(words) != 3:
            msg = f"{text!r} is not a set of TLSA parameters: three fields are needed"
            raise BadInput(msg, "write usage, selector and matching type, for example: 3 1 1")
        usage, selector, matching = (
            _number(word, table) for word, table in zip(words, (USAGES, SELECTORS, MATCHINGS), strict=True)
        )
        return cls(usage, selector, matching)


DANE_EE_SPKI_SHA256 = Params(3, 1, 1)


@dataclass(frozen=True, slots=True, order=True)
class Tlsa:
    """The RDATA of one TLSA record. `data` is lower-case hexadecimal."""

    usage: int
    selector: int
    matching: int
    data: str

    def __str__(self) -> str:
        """Return the presentation form (RFC 6698 §2.2)."""
        return f"{self.usage} {self.selector} {self.matching} {self.data}"

    @property
    def params(self) -> Params:
        """The record without its data."""
        return Params(self.usage, self.selector, self.matching)

    @property
    def flaw(self) -> str:
        """Why no conforming client can use the record, or an empty text (RFC 6698 §4.1)."""
        if self.usage not in {0, 1, 2, 3}:
            return f"certificate usage {self.usage} is not defined"
        if self.selector not in {0, 1}:
            return f"selector {self.selector} is not defined"
        if self.matching not in {0, 1, 2}:
            return f"matching type {self.matching} is not defined"
        wanted = DIGEST_BYTES.get(self.matching)
        if wanted is not None and len(self.data) != 2 * wanted:
            return f"{len(self.data) // 2} bytes of data; matching type {self.matching} needs {wanted}"
        return "" if self.data else "no data"

    @property
    def rdata(self) -> bytes:
        """The RDATA on the wire (RFC 6698 §2.1)."""
        return bytes((self.usage, self.selector, self.matching)) + bytes.fromhex(self.data)

    @classmethod
    def parse(cls, text: str) -> Tlsa:
        """Read the presentation form: blanks inside the hexadecimal and either case are allowed. Raises BadInput."""
        words = text.split()
        if len(words) < 4:
            msg = f"{_short(text)!r} is not a TLSA record: usage, selector, matching type and data are needed"
            raise BadInput(msg, "write it as: 3 1 1 <hexadecimal digest>")
        params = Params.parse(" ".join(words[:3]))
        data = "".join(words[3:]).lower()
        if re.fullmatch(r"(?:[0-9a-f]{2})*", data) is None:
            msg = f"the data of TLSA record {_short(text)!r} is not an even number of hexadecimal digits"
            raise BadInput(msg, "compute it anew with: tlsa-manager digest CERTIFICATE")
        return cls(params.usage, params.selector, params.matching, data)


RRset = frozenset[Tlsa]


def associate(params: Params, certificate: bytes, spki: bytes) -> Tlsa:
    """Make the record with `params` of a certificate (DER) and its SubjectPublicKeyInfo (DER), as RFC 6698 §2.1 says."""
    selected = spki if params.selector == SELECTORS["SPKI"] else certificate
    if params.matching == MATCHINGS["FULL"]:
        data = selected.hex()
    elif params.matching == MATCHINGS["SHA2-256"]:
        data = hashlib.sha256(selected).hexdigest()
    elif params.matching == MATCHINGS["SHA2-512"]:
        data = hashlib.sha512(selected).hexdigest()
    else:
        msg = f"matching type {params.matching} is not defined, so no data can be computed"
        raise BadInput(msg, "use 1 (SHA-256)")
    return Tlsa(params.usage, params.selector, params.matching, data)


def owner_name(host: str, port: int, transport: str = "tcp") -> str:
    """Make the owner name `_25._tcp.mx.example.org.` (RFC 6698 §3)."""
    return f"_{port}._{transport}.{host.rstrip('.').lower()}."


def _number(word: str, table: dict[str, int]) -> int:
    """Read a number 0-255 or a mnemonic of RFC 7218."""
    if word.isascii() and word.isdigit() and len(word) <= 3 and int(word) <= 255:
        return int(word)
    if word.upper() in table:
        return table[word.upper()]
    msg = f"{_short(word)!r} is not a TLSA parameter"
    raise BadInput(msg, "use numbers from 0 to 255 or one of: " + ", ".join(table))


def _name(table: dict[str, int], value: int) -> str:
    return next((name for name, number in table.items() if number == value), "unassigned")


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
