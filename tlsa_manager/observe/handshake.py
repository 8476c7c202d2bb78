"""TLS with one kind of client, as far as the certificates that the server presents. Nothing is verified: digests are compared.

The kinds of clients, because a server may have another certificate for each (RFC 7671 §8.1, RFC 7672 §8.1):

    any      as modern senders are; SNI = the TLSA base domain
    no-sni   the same without SNI
    rsa      takes RSA certificates only
    ecdsa    takes ECDSA certificates only
    tls1.0   speaks this version only, which nobody should (RFC 8996)
    tls1.1   likewise

In TLS 1.2 the cipher suite says how the server must prove itself (aRSA, aECDSA), in TLS 1.3 the signature algorithms do;
`rsa` and `ecdsa` restrict both in one and the same ClientHello. To ask in TLS 1.2 alone would not do: a server that knows
only TLS 1.3 may refuse it in the same words as one that has no such certificate (GnuTLS does).
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from tlsa_manager.errors import BadInput
from tlsa_manager.observe.ending import ProbeError, printable
from tlsa_manager.snapshot import Outcome
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from OpenSSL import SSL

    from tlsa_manager.chain import Chain
    from tlsa_manager.observe.wire import Wire

CLIENTS = ("any", "no-sni", "rsa", "ecdsa")
OLD_VERSIONS = ("tls1.0", "tls1.1")

# Level 0 sees weak chains, too: to show what is presented is the task, others judge it.
_SUITES = {"rsa": b"aRSA:!eNULL:!aNULL:@SECLEVEL=0", "ecdsa": b"aECDSA:!eNULL:!aNULL:@SECLEVEL=0"}
_ANY_SUITE = b"DEFAULT:!PSK:!SRP:@SECLEVEL=0"
# PKCS#1 v1.5 is for the issuers' signatures only in TLS 1.3 (RFC 8446 §4.2.3), and the suites forbid it for the leaf in
# TLS 1.2: so an ECDSA certificate of an RSA authority still counts for "ecdsa".
_BY_RSA_ISSUERS = b"RSA+SHA256:RSA+SHA384:RSA+SHA512"
_SIGNATURES = {
    "rsa": b"RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:" + _BY_RSA_ISSUERS,
    "ecdsa": b"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:" + _BY_RSA_ISSUERS,
}
_OLD_SUITE = b"ALL:!PSK:!SRP:!eNULL:!aNULL:@SECLEVEL=0"
_NOTHING_SHARED = re.compile("alert handshake failure|alert insufficient security|no shared cipher")


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a server presented: the certificates (DER, leaf first) and their digests; what was agreed, as OpenSSL names it."""

    certificates: tuple[bytes, ...]
    chain: Chain
    version: str
    suite: str


async def shake(wire: Wire, client: str, host: str, farewell: bytes = b"") -> Handshake:
    """Shake hands on an open connection and return what the server presents. Raises ProbeError."""
    connection = connect(client, host)
    await drive(connection, wire, client)
    certificates, chain = presented(connection)
    done = Handshake(certificates, chain, connection.get_protocol_version_name(), connection.get_cipher_name() or "")
    await part(connection, wire, farewell)
    return done


def connect(client: str, host: str) -> SSL.Connection:
    """Return the client's end of a TLS connection that is still to be made."""
    from OpenSSL import SSL

    connection = SSL.Connection(_context(client), None)
    connection.set_connect_state()
    if client != "no-sni" and not is_address(host):  # RFC 6066 §3: a literal address is not a name
        connection.set_tlsext_host_name(host.encode("ascii"))
    return connection


async def drive(connection: SSL.Connection, wire: Wire, client: str) -> None:
    """Carry bytes between OpenSSL and the wire until the handshake is done. Raises ProbeError.

    What is to be sent last waits for what is sent next, so that both go in one packet.
    """
    from OpenSSL import SSL

    first = b""
    while True:
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            await flush(connection, wire)
            data = await wire.receive()
            if not data:
                outcome = Outcome.UNSHARED if client in OLD_VERSIONS else Outcome.FAILED  # nobody owes them an alert
                raise ProbeError(outcome, "the server closed the connection during the handshake") from None
            first = first or data
            connection.bio_write(data)
        except SSL.Error as error:
            served = bool(connection.get_peer_cert_chain())
            raise _refusal(error, "any" if served else client, first) from None
        else:
            return


def presented(connection: SSL.Connection) -> tuple[tuple[bytes, ...], Chain]:
    """Return the chain as the server sent it, leaf first: DER, and its digests. Raises ProbeError."""
    from cryptography.x509 import InvalidVersion
    from OpenSSL import crypto

    presented = connection.get_peer_cert_chain() or []
    if not presented:
        raise ProbeError(Outcome.FAILED, "the server presented no certificate")
    try:
        return _read(tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in presented))
    except (BadInput, ValueError, InvalidVersion) as error:
        raise ProbeError(Outcome.FAILED, f"a certificate that the server presented cannot be read: {error}") from None


async def part(connection: SSL.Connection, wire: Wire, farewell: bytes) -> None:
    """Say good-bye in the protocol's words and in TLS, without waiting for an answer."""
    from OpenSSL import SSL

    try:
        if farewell:
            connection.send(farewell)
        connection.shutdown()
        await flush(connection, wire)
    except (SSL.Error, ProbeError):
        return  # the chain has been seen; how the server takes its leave says nothing about it


async def flush(connection: SSL.Connection, wire: Wire) -> None:
    """Send what OpenSSL has to say. Raises ProbeError."""
    from OpenSSL import SSL

    while True:
        try:
            data = connection.bio_read(65536)
        except SSL.WantReadError:
            return
        await wire.send(data)


@cache
def _context(client: str) -> SSL.Context:
    """Make the settings of one kind of client. Sessions are never resumed: a resumed one shows no certificate."""
    from OpenSSL import SSL

    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(_OLD_SUITE if client in OLD_VERSIONS else _SUITES.get(client, _ANY_SUITE))
    if client in OLD_VERSIONS:
        version = SSL.TLS1_VERSION if client == "tls1.0" else SSL.TLS1_1_VERSION
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
    if client in _SIGNATURES and not _allow_signatures(context, _SIGNATURES[client]):
        context.set_max_proto_version(SSL.TLS1_2_VERSION)  # in TLS 1.3 it would take any certificate
    return context


def _allow_signatures(context: SSL.Context, names: bytes) -> bool:
    """Restrict the signature algorithms. pyOpenSSL has no public method for it, but a binding of OpenSSL's function."""
    from OpenSSL import SSL

    restrict = getattr(SSL._lib, "SSL_CTX_set1_sigalgs_list", None)  # type: ignore[attr-defined]  # noqa: SLF001
    return restrict is not None and bool(restrict(context._context, names))  # noqa: SLF001


def _refusal(error: SSL.Error, client: str, first: bytes) -> ProbeError:
    """Say in words why there was no handshake. `first`: the first bytes that the server sent.

    `client`: "any" where a certificate was sent already, so that the reason cannot be that there is none.
    """
    if first and first[0] not in {0x15, 0x16}:
        return ProbeError(Outcome.FAILED, f"the server does not speak TLS here but: '{printable(first, 120)}'")
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    words = "; ".join(dict.fromkeys(str(entry[-1]) for entry in queue)) or str(error)
    if client in _SIGNATURES and _NOTHING_SHARED.search(words):
        return ProbeError(Outcome.UNSHARED, f"the server has no certificate for this client: {words}")
    if client in OLD_VERSIONS and not first:
        return ProbeError(Outcome.FAILED, f"it was not asked, since this machine's OpenSSL does not speak this version: {words}")
    if client in OLD_VERSIONS:
        return ProbeError(Outcome.UNSHARED, f"the server does not speak this version of TLS: {words}")
    return ProbeError(Outcome.FAILED, f"the TLS handshake failed: {words}")


@lru_cache(maxsize=128)  # the kinds of clients at the addresses of one host mostly see the same, also in memory
def _read(certificates: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], Chain]:
    from tlsa_manager.certificates import chain_of

    return certificates, chain_of(certificates)


def is_address(host: str) -> bool:
    """Whether it is an address literal, which SNI cannot carry."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
