"""Why a TLSA record that matches nothing is what it is: each reading is one small function, and the first that fits names it.

explained(record, spot, case)    the reading that fits, or None: then the record is simply of another key
readings(spot, case)             all of an owner's records that have one
former(record, case)             the name of a key of this machine's own history that the record is made of
"""

from __future__ import annotations

import binascii
import hashlib
import re
import string
from base64 import b64decode
from typing import TYPE_CHECKING

from tlsa_manager.checks.records.mistaken import digests, inner_keys, public_key, texts
from tlsa_manager.tlsa import DIGEST_BYTES, Params, Tlsa, associate
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.spot import Spot

    Certificates = tuple[bytes, ...]  # a chain as presented, DER, leaf first
    Read = Callable[[Tlsa, Certificates], "Reading | None"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a record really is. `code`: of the fault; `what`: a clause that follows "the data is"; `wanted`: what it should be."""

    code: str
    what: str
    wanted: Tlsa | None = None


AT_MOST = 24  # records of one owner that are explained one by one; nobody honest has more
_HASH = {1: "SHA-256", 2: "SHA-512"}  # by matching type (RFC 6698 §2.1.3)


def explained(record: Tlsa, spot: Spot, case: Case) -> Reading | None:
    """Return the explanation of a record of this owner that matches nothing presented there.

    None where it matches, where its label is not even defined (that is F-UNDEF), and where nothing explains it.
    """
    if record.usage > 3 or record.selector > 1 or record.matching > 2 or spot.selects(record):
        return None
    chains = spot.certificates or ((),)
    found = (reading for read in READINGS for chain in chains if (reading := read(record, chain)) is not None)
    return next(found, None) or _of_our_files(record, case)


def readings(spot: Spot, case: Case) -> dict[Tlsa, Reading]:
    """Return the explanation of each record of an owner that has one."""
    found = {record: explained(record, spot, case) for record in sorted(spot.records)[:AT_MOST]}
    return {record: reading for record, reading in found.items() if reading is not None}


def former(record: Tlsa, case: Case) -> str:
    """Return the id of the generation of the target's lineage, not the current one, that a record is made of; empty if none."""
    if case.household is None:
        return ""
    facts = case.household.facts
    others = (one for name, one in facts.generations.items() if name != facts.current)
    return next((one.id for one in others if one.chain.matches(record)), "")


def no_data(record: Tlsa, presented: Certificates) -> Reading | None:
    """A record that ends behind its label, which raw RDATA of a provider's interface may do."""
    return None if record.data else Reading("F-ODD", "missing: the record ends behind its label", _ought(record, presented))


def nothing(record: Tlsa, presented: Certificates) -> Reading | None:  # noqa: ARG001  the data says it alone
    """The digest of empty input: a program before the digest failed, and nobody noticed."""
    for words, empty in (("nothing at all", b""), ("an empty line", b"\n")):
        name = digests(empty).get(record.data)
        if name:
            return Reading("F-EMPTY", f"{name}{words}: the program that should have delivered the certificate failed")
    return None


def label(record: Tlsa, presented: Certificates) -> Reading | None:
    """A right digest with a wrong label: other selector, other matching type, or other usage."""
    for place, certificate in enumerate(presented):
        for selector, selected in enumerate((certificate, public_key(certificate))):
            for matching, data in _selections(selected):
                if data == record.data:
                    return _mislabelled(record, presented, place, Params(record.usage, selector, matching))
    return None


def pem(record: Tlsa, presented: Certificates) -> Reading | None:
    """The digest of a certificate's file as text."""

    def files() -> Iterator[tuple[str, bytes]]:
        for place, certificate in enumerate(presented):
            for name, text in texts(certificate, "CERTIFICATE"):
                yield f"the {name} of {_where(place)}, not of its DER", text
        whole = b"".join(next(texts(one, "CERTIFICATE"))[1] for one in presented)
        yield "the whole chain file (PEM text), not of one certificate", whole

    return _hashed("F-PEM", record, presented, files())


def pem_key(record: Tlsa, presented: Certificates) -> Reading | None:
    """The digest of the public key as text."""
    forms = (
        (f"the {name} of the public key of {_where(place)}, not of its DER", text)
        for place, certificate in enumerate(presented)
        for name, text in texts(public_key(certificate), "PUBLIC KEY")
    )
    return _hashed("F-PEMKEY", record, presented, forms)


def inner_key(record: Tlsa, presented: Certificates) -> Reading | None:
    """What stands inside the SubjectPublicKeyInfo, or its digest."""
    forms = (
        (f"{name} of {_where(place)}, not of its SubjectPublicKeyInfo", inner)
        for place, certificate in enumerate(presented)
        for name, inner in inner_keys(public_key(certificate))
    )
    return _hashed("F-RSAKEY", record, presented, forms, itself=True)


def sha1(record: Tlsa, presented: Certificates) -> Reading | None:
    """A SHA-1 fingerprint, for which there is no matching type."""
    if len(record.data) != 40:
        return None
    for place, certificate in enumerate(presented):
        for name, selected in (("", certificate), ("the public key of ", public_key(certificate))):
            if digests(selected).get(record.data):
                what = f"the SHA-1 of {name}{_where(place)}, and there is no matching type for SHA-1"
                return Reading("F-SHA1", what, _ought(record, presented))
    return Reading(
        "F-SHA1", "20 bytes long as a SHA-1 digest is, and there is no matching type for SHA-1", _ought(record, presented)
    )


def encoded_twice(record: Tlsa, presented: Certificates) -> Reading | None:
    """Text where bytes belong: hexadecimal digits, base64 or PEM, turned into hexadecimal once more."""
    text = bytes.fromhex(record.data)
    if len(text) < 16 or not all(chr(byte) in string.printable for byte in text):
        return None
    words, ought = "".join(text.decode("ascii").split()), _ought(record, presented)
    digits = re.sub("[:.-]", "", words).lower()
    if "-----BEGIN" in text.decode("ascii"):
        return Reading("F-B64", "PEM text, turned into hexadecimal", ought)
    if re.fullmatch("[0-9a-f]+", digits):
        right = " (of the right value)" if ought and ought.data.startswith(digits) else ""
        return Reading("F-B64", f"hexadecimal digits{right}, turned into hexadecimal a second time", ought)
    try:
        inner = b64decode(words, validate=True)
    except (binascii.Error, ValueError):
        return Reading("F-B64", f"text ({words[:20]!r}), not the bytes of a digest", ought)
    right = " of the right value" if ought and inner.hex() == ought.data else ""
    return Reading("F-B64", f"base64 text ({words[:12]}...){right}, turned into hexadecimal", ought)


def nibble(record: Tlsa, presented: Certificates) -> Reading | None:
    """The right value with one digit lost and the gap filled with a zero: somebody's odd number of digits was made even."""
    for ought in _oughts(record, presented):
        if len(record.data) != len(ought.data) or record.data == ought.data:
            continue
        for short in (record.data[1:] if record.data[0] == "0" else "", record.data[:-1] if record.data[-1] == "0" else ""):
            if short and _lacks_one(short, ought.data) and _differences(record.data, ought.data) > 4:
                return Reading("F-ODD", "the right value with one digit lost and a zero added to make the number even", ought)
    return None


def cut(record: Tlsa, presented: Certificates) -> Reading | None:
    """A digest of a length that no digest has: cut off, or with something added."""
    wanted = DIGEST_BYTES.get(record.matching)
    length = len(record.data) // 2
    if wanted is None or length == wanted:
        return None
    for ought in _oughts(record, presented):
        if length and ought.data.startswith(record.data):
            return Reading("F-LEN", f"only the first {length} bytes of the right value: {wanted} are needed", ought)
        if length and ought.data.endswith(record.data):
            return Reading("F-LEN", f"only the last {length} bytes of the right value: {wanted} are needed", ought)
        if record.data.startswith(ought.data):
            return Reading("F-LEN", f"the right value with {length - wanted} bytes more behind it", ought)
    return Reading("F-LEN", f"{length} bytes long where {wanted} are needed", _ought(record, presented))


def typo(record: Tlsa, presented: Certificates) -> Reading | None:
    """The right value but for up to four digits: it was typed."""
    for ought in _oughts(record, presented):
        if len(ought.data) == len(record.data) and 0 < (wrong := _differences(ought.data, record.data)) <= 4:
            places = "one digit" if wrong == 1 else f"{wrong} digits"
            return Reading("F-TYPO", f"the right value but for {places}", ought)
    return None


def length_of_the_other(record: Tlsa, presented: Certificates) -> Reading | None:
    """A digest as long as the other digest is: of nothing we see, but the label cannot be right."""
    if (record.matching, len(record.data)) in {(1, 128), (2, 64)}:
        other = Params(record.usage, record.selector, 3 - record.matching)
        what = f"{len(record.data) // 2} bytes long as a {_HASH[other.matching]} is, so the label would be {other}"
        return Reading("F-MT12", what, _ought(record, presented))
    return None


READINGS: tuple[Read, ...] = (
    no_data,
    nothing,
    label,
    pem,
    pem_key,
    inner_key,
    sha1,
    encoded_twice,
    nibble,
    length_of_the_other,
    cut,
    typo,
)  # fmt: skip  the first that fits counts, so what is sure comes before what is likely


def _hashed(
    code: str, record: Tlsa, presented: Certificates, candidates: Iterable[tuple[str, bytes]], *, itself: bool = False
) -> Reading | None:
    """Find what was hashed among named candidates. `itself`: the data may be the candidate, not hashed, as well."""
    for name, data in candidates:
        form = digests(data).get(record.data)
        if form or (itself and form is not None):
            return Reading(code, f"{form}{name}", _ought(record, presented))
    return None


def _of_our_files(record: Tlsa, case: Case) -> Reading | None:
    """The digest of a file of this machine that does not go on the wire: a request, a private key, a former chain."""
    found = case.household.digests.get(record.data) if case.household else None
    return Reading("F-PEM" if "chain" in found else "F-CSR", f"the digest of {found}") if found else None


def _selections(selected: bytes) -> Iterator[tuple[int, str]]:
    yield 0, selected.hex()
    yield 1, hashlib.sha256(selected).hexdigest()
    yield 2, hashlib.sha512(selected).hexdigest()


def _mislabelled(record: Tlsa, presented: Certificates, place: int, true: Params) -> Reading | None:
    """Say which part of the label is wrong; the one that does most harm names it."""
    usage = record.usage if (place == 0) == (record.usage in {1, 3}) else {0: 1, 1: 0, 2: 3, 3: 2}[record.usage]
    part = f"the public key of {_where(place)}" if true.selector else f"the whole of {_where(place)}"
    form = f"the {_HASH[true.matching]} of {part}" if true.matching else f"{part}, not hashed"
    what = f"{form}, for which the label would be {Params(usage, true.selector, true.matching)}"
    if true.matching != record.matching:
        code = "F-MT12"
    elif usage != record.usage:
        code = "F-EEASCA" if place == 0 else "F-CAASEE"
    elif true.selector != record.selector:
        code = "F-SEL10" if true.selector else "F-SEL01"
    else:
        return None  # the label is right
    return Reading(code, what, _ought(record, presented))


def _oughts(record: Tlsa, presented: Certificates) -> Iterator[Tlsa]:
    """Give the records with the same label that would be right: of the leaf, or of each issuer that is sent."""
    for certificate in presented[:1] if record.usage in {1, 3} else presented[1:]:
        yield associate(record.params, certificate, public_key(certificate))


def _ought(record: Tlsa, presented: Certificates) -> Tlsa | None:
    return next(_oughts(record, presented), None)


def _where(place: int) -> str:
    return "the server's certificate" if place == 0 else f"certificate {place + 1} of the chain (an issuer)"


def _differences(one: str, other: str) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


def _lacks_one(short: str, whole: str) -> bool:
    """Whether taking one character out of `whole` gives `short`."""
    same = next((place for place, (a, b) in enumerate(zip(short, whole, strict=False)) if a != b), len(short))
    return short[same:] == whole[same + 1 :]


def codes() -> Iterable[str]:
    """Return the codes that a reading may have."""
    return (
        "F-SEL01", "F-SEL10", "F-MT12", "F-PEM", "F-PEMKEY", "F-EMPTY", "F-CSR", "F-RSAKEY", "F-SHA1", "F-LEN", "F-ODD", "F-B64",
        "F-TYPO", "F-CAASEE", "F-EEASCA",
    )  # fmt: skip
