"""Whether a server takes cipher suites that protect too little: one ClientHello by hand, and the ServerHello to it.

OpenSSL as it is built today knows neither export suites nor RC4, DES or 3DES, so it cannot ask for them. Nothing is agreed
here: when the server has named the suite that it would take, the connection ends (RFC 5246 §7.4.1.2, §7.4.1.3).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tlsa_manager.observe.ending import ProbeError, printable
from tlsa_manager.observe.handshake import is_address
from tlsa_manager.snapshot import Outcome

if TYPE_CHECKING:
    from tlsa_manager.observe.wire import Wire

WEAK, ANONYMOUS = "weak", "anonymous"
MAX_ANSWER = 40_000  # octets in which a ServerHello must have come
# What each kind of client offers, with OpenSSL's names. Weak is what hides nothing from anybody: no encryption, export keys,
# DES, 3DES (RFC 8429), RC4 (RFC 7465). Anonymous is no fault where TLS is opportunistic (RFC 7672 §8.2): Postfix takes it from
# clients that ask for it, and a client that wants to know who is there does not.
SUITES = {
    WEAK: {
        0x0001: "NULL-MD5", 0x0002: "NULL-SHA", 0x003B: "NULL-SHA256", 0xC001: "ECDH-ECDSA-NULL-SHA",
        0xC006: "ECDHE-ECDSA-NULL-SHA", 0xC00B: "ECDH-RSA-NULL-SHA", 0xC010: "ECDHE-RSA-NULL-SHA", 0xC015: "AECDH-NULL-SHA",
        0x0003: "EXP-RC4-MD5", 0x0006: "EXP-RC2-CBC-MD5", 0x0008: "EXP-DES-CBC-SHA", 0x000B: "EXP-DH-DSS-DES-CBC-SHA",
        0x000E: "EXP-DH-RSA-DES-CBC-SHA", 0x0011: "EXP-EDH-DSS-DES-CBC-SHA", 0x0014: "EXP-EDH-RSA-DES-CBC-SHA",
        0x0017: "EXP-ADH-RC4-MD5", 0x0019: "EXP-ADH-DES-CBC-SHA", 0x0062: "EXP1024-DES-CBC-SHA", 0x0064: "EXP1024-RC4-SHA",
        0x0009: "DES-CBC-SHA", 0x000C: "DH-DSS-DES-CBC-SHA", 0x000F: "DH-RSA-DES-CBC-SHA", 0x0012: "EDH-DSS-DES-CBC-SHA",
        0x0015: "EDH-RSA-DES-CBC-SHA", 0x001A: "ADH-DES-CBC-SHA",
        0x0004: "RC4-MD5", 0x0005: "RC4-SHA", 0x0018: "ADH-RC4-MD5", 0xC016: "AECDH-RC4-SHA", 0xC002: "ECDH-ECDSA-RC4-SHA",
        0xC007: "ECDHE-ECDSA-RC4-SHA", 0xC00C: "ECDH-RSA-RC4-SHA", 0xC011: "ECDHE-RSA-RC4-SHA",
        0x000A: "DES-CBC3-SHA", 0x000D: "DH-DSS-DES-CBC3-SHA", 0x0010: "DH-RSA-DES-CBC3-SHA", 0x0013: "EDH-DSS-DES-CBC3-SHA",
        0x0016: "EDH-RSA-DES-CBC3-SHA", 0x001B: "ADH-DES-CBC3-SHA", 0xC003: "ECDH-ECDSA-DES-CBC3-SHA",
        0xC008: "ECDHE-ECDSA-DES-CBC3-SHA", 0xC00D: "ECDH-RSA-DES-CBC3-SHA", 0xC012: "ECDHE-RSA-DES-CBC3-SHA",
        0xC017: "AECDH-DES-CBC3-SHA",
    },
    ANONYMOUS: {
        0x0034: "ADH-AES128-SHA", 0x003A: "ADH-AES256-SHA", 0x006C: "ADH-AES128-SHA256", 0x006D: "ADH-AES256-SHA256",
        0x00A6: "ADH-AES128-GCM-SHA256", 0x00A7: "ADH-AES256-GCM-SHA384", 0xC018: "AECDH-AES128-SHA",
        0xC019: "AECDH-AES256-SHA", 0x0046: "ADH-CAMELLIA128-SHA", 0x0089: "ADH-CAMELLIA256-SHA", 0x009B: "ADH-SEED-SHA",
    },
}  # fmt: skip
_VERSIONS = {b"\x03\x00": "SSLv3", b"\x03\x01": "TLSv1", b"\x03\x02": "TLSv1.1", b"\x03\x03": "TLSv1.2"}
_NO_RENEGOTIATION = 0x00FF  # RFC 5746 §3.3: some servers insist on it
_GROUPS = (29, 23, 24, 25)  # x25519, secp256r1, secp384r1, secp521r1
_SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201, 0x0202)
_ALERT, _HANDSHAKE, _FATAL = 0x15, 0x16, 2
_GOOD_BYE = b"\x15\x03\x01\x00\x02\x01\x00"


async def offer(wire: Wire, client: str, host: str) -> tuple[str, str]:
    """Offer the suites of a kind of client, and nothing else; return version and suite that the server takes.

    Raises ProbeError, UNSHARED where it takes none.
    """
    await wire.send(_client_hello(host, tuple(SUITES[client])))
    said = b""
    while not (hello := _message(said)):
        data = await wire.receive()
        if not data:
            raise ProbeError(Outcome.UNSHARED, "the server takes none of these cipher suites: it closed the connection")
        said += data
    await wire.leave(_GOOD_BYE)
    return _chosen(hello, SUITES[client])


def _client_hello(host: str, offered: tuple[int, ...]) -> bytes:
    """Make the whole record."""
    name = b"" if is_address(host) else _extension(0, _sized(b"\x00" + _sized(host.encode("ascii"))))  # RFC 6066 §3
    extensions = (
        name
        + _extension(10, _sized(_numbers(_GROUPS)))
        + _extension(11, b"\x01\x00")  # uncompressed points
        + _extension(13, _sized(_numbers(_SIGNATURES)))
    )
    suites = _sized(_numbers((*offered, _NO_RENEGOTIATION)))
    body = b"\x03\x03" + os.urandom(32) + b"\x00" + suites + b"\x01\x00" + _sized(extensions)
    return b"\x16\x03\x01" + _sized(b"\x01" + len(body).to_bytes(3) + body)


def _message(said: bytes) -> bytes:
    """Return the first handshake message, empty as long as it is not whole. Raises ProbeError at an alert or nonsense."""
    found, place = b"", 0
    while len(said) - place >= 5:
        kind, length = said[place], int.from_bytes(said[place + 3 : place + 5])
        content = said[place + 5 : place + 5 + length]
        if kind not in {_ALERT, _HANDSHAKE} or said[place + 1] != 3:
            raise ProbeError(Outcome.FAILED, f"the server does not speak TLS here but: '{printable(said, 120)}'")
        if kind == _ALERT and len(content) == 2 and content[0] == _FATAL:
            raise ProbeError(Outcome.UNSHARED, f"the server takes none of these cipher suites (TLS alert {content[1]})")
        found += content if kind == _HANDSHAKE else b""
        place += 5 + length
    size = 4 + int.from_bytes(found[1:4])
    if len(said) > MAX_ANSWER or size > MAX_ANSWER:
        raise ProbeError(Outcome.FAILED, "the server answered the ClientHello with something that is no ServerHello")
    return found[:size] if len(found) >= max(size, 4) else b""


def _chosen(hello: bytes, offered: dict[int, str]) -> tuple[str, str]:
    """Read version and suite from a ServerHello (RFC 5246 §7.4.1.3)."""
    place = 39 + hello[38] if len(hello) > 38 else 0
    version = _VERSIONS.get(hello[4:6], "")
    if hello[0] != 2 or not place or len(hello) < place + 2 or not version:
        raise ProbeError(Outcome.FAILED, "the server answered the ClientHello with something that is no ServerHello")
    suite = offered.get(int.from_bytes(hello[place : place + 2]))
    if suite is None:
        raise ProbeError(Outcome.FAILED, "the server chose a cipher suite that was not offered")
    return version, suite


def _extension(number: int, content: bytes) -> bytes:
    return number.to_bytes(2) + _sized(content)


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(2) + content


def _numbers(numbers: tuple[int, ...]) -> bytes:
    return b"".join(number.to_bytes(2) for number in numbers)
