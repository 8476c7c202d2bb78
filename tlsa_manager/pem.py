"""PEM text (RFC 7468) cut into its blocks, in one pass however hostile the text is."""

from __future__ import annotations

import binascii
from dataclasses import field

from tlsa_manager.errors import BadInput
from tlsa_manager.value import dataclass

MAX_BYTES = 1 << 20  # of a file; the largest honest chain is some tens of kilobytes
_BEGIN, _END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"


@dataclass(frozen=True, slots=True)
class Block:
    """One block. `label`: CERTIFICATE, PRIVATE KEY, ...; `content` (may be secret, so never shown): what it encodes, DER."""

    label: str
    content: bytes = field(repr=False)
    encrypted: bool = False

    @property
    def is_key(self) -> bool:
        """Whether it is a private key of whatever form."""
        return self.label.endswith("PRIVATE KEY")


def is_pem(data: bytes) -> bool:
    """Whether the data wants to be PEM rather than DER."""
    return _BEGIN in data


def bounded(data: bytes, what: str) -> bytes:
    """Return the data if there is some, and not too much of it. Raises BadInput."""
    if not data.strip():
        raise BadInput(f"the {what} is empty", "look at the program that should have written the file")
    if len(data) > MAX_BYTES:
        raise BadInput(f"the {what} is larger than {MAX_BYTES >> 10} KiB, so it is not what it should be", "name the right file")
    return data


def blocks(data: bytes, what: str) -> tuple[Block, ...]:
    """Return the blocks of PEM text; text around them is skipped (RFC 7468 §2). `what` names it in errors. Raises BadInput."""
    found: list[Block] = []
    label, lines = b"", list[bytes]()
    for line in (raw.strip() for raw in bounded(data, what).splitlines()):
        if line.startswith(_BEGIN) and line.endswith(_DASHES):
            if label:
                raise _broken(what, label, "a new block begins before it has ended")
            label, lines = line[len(_BEGIN) : -len(_DASHES)] or b"?", []
        elif label and line.startswith(_END):
            if line != _END + label + _DASHES:
                raise _broken(what, label, "it ends as something else")
            found.append(_block(what, label, lines))
            label = b""
        elif label:
            lines.append(line)
    if label:
        raise _broken(what, label, "its end is missing: the file is cut off")
    return tuple(found)


def _block(what: str, label: bytes, lines: list[bytes]) -> Block:
    """Decode one block; headers of the old form (RFC 1421) matter only for saying that it is encrypted."""
    headers = [line for line in lines if b":" in line]
    encrypted = label.startswith(b"ENCRYPTED ") or any(b"ENCRYPTED" in header for header in headers)
    if encrypted:
        return Block(_text(label), b"", encrypted=True)
    try:
        content = binascii.a2b_base64(b"".join(line for line in lines if b":" not in line), strict_mode=True)
    except binascii.Error:
        raise _broken(what, label, "it is not base64") from None
    return Block(_text(label), content)


def _broken(what: str, label: bytes, why: str) -> BadInput:
    return BadInput(f"the {what} has a broken block ({_text(label)}): {why}", "fetch the file again from where it was made")


def _text(label: bytes) -> str:
    return "".join(character if character.isprintable() else "?" for character in label[:40].decode("ascii", "replace"))
