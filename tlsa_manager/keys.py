"""The only place that makes and opens private keys. What leaves it is a checked Pair, or only the public half.

Nothing here puts private bytes into a repr, a message or a log.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, cast

from tlsa_manager import clock, der, pem
from tlsa_manager.certificates import CERTIFICATE_LABELS, certificates_in, chain_of, names_cover, read_chain, to_pem
from tlsa_manager.errors import BadInput
from tlsa_manager.lineage import Key
from tlsa_manager.policy import DEFAULT_KEY_TYPE, KEY_TYPES
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
    from josepy.jwk import JWKEC

    from tlsa_manager.chain import Chain

__all__ = [
    "Material", "Pair", "account_key", "chain_of", "generate", "load_pair", "names_cover", "public_half", "read_any",
    "read_chain", "request", "rs256", "self_signed", "signature", "split_combined",
]  # fmt: skip

MIN_RSA_BITS = 2048  # OpenSSL's security level 2, the default of today's senders, refuses less
MIN_EC_BITS = 256
MAX_RSA_BITS = 8192
MAX_KEY_BYTES = 5000  # DER; RSA of 8192 bits takes 4700
LONGEST_COMMON_NAME = 64


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key and the chain that belongs to it, proven; both as tidy PEM text. Dates in seconds since 1970.

    `type`: of the key, one of policy.KEY_TYPES, or empty.
    """

    chain: Chain
    names: tuple[str, ...]
    not_before: float
    not_after: float
    key_pem: bytes = field(repr=False)
    chain_pem: bytes = field(repr=False)
    signed_by_itself: bool = False
    type: str = ""

    @property
    def combined(self) -> bytes:
        """Key first, then the chain: the one file that can be swapped without a moment of mismatch."""
        return self.key_pem + self.chain_pem


@dataclass(frozen=True, slots=True)
class Material:
    """What a file turned out to be, and the public half of it: SubjectPublicKeyInfo and certificates, both DER."""

    what: str  # certificate, chain, private key, public key, certificate request, key and chain
    spki: bytes
    certificates: tuple[bytes, ...] = ()

    @property
    def kind(self) -> str:
        """The kind of key: RSA, ECDSA, Ed25519, Ed448, other."""
        return der.kind_of_key(self.spki)


def load_pair(chain_pem: bytes, key_pem: bytes) -> Pair:
    """Check a chain and a private key, PEM or DER, and that they belong together. Whether it is expired, the caller judges.

    Raises BadInput: damaged, encrypted, too large, too weak, leaf not first, not one chain, key of another certificate.
    """
    key = _open_key(key_pem)
    _check_strength(key)
    _check_together(key, certificates_in(chain_pem))
    chain, details = read_chain(chain_pem)
    return Pair(
        chain, details.names, details.not_before, details.not_after, _key_text(key), details.pem,
        details.signed_by_itself, _type_of(key),
    )  # fmt: skip


def split_combined(combined: bytes) -> Pair:
    """Check what stands in one combined file: key first, then the chain. Raises BadInput."""
    found = pem.blocks(combined, "combined file")
    if not found or not found[0].is_key:
        raise BadInput("the combined file does not begin with the private key", "Postfix wants the key first, then the chain")
    return load_pair(combined, combined)


def read_any(data: bytes) -> Material:
    """Recognise a certificate, chain, private key, public key or certificate request, PEM or DER. Raises BadInput."""
    pem.bounded(data, "file")
    return _from_pem(data) if pem.is_pem(data) else _from_der(data)


def generate(key_type: str = DEFAULT_KEY_TYPE) -> bytes:
    """Make a new private key, PEM. `key_type`: one of policy.KEY_TYPES, such as ecdsa-p256 or rsa-3072. Raises BadInput."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    kind, _, size = key_type.partition("-")
    if key_type not in KEY_TYPES:
        raise BadInput(f"{key_type[:20]!r} is not a type of key that can be made here", "use one of: " + ", ".join(KEY_TYPES))
    if kind == "rsa":
        return _key_text(rsa.generate_private_key(65537, int(size)))
    return _key_text(ec.generate_private_key(ec.SECP384R1() if size == "p384" else ec.SECP256R1()))


def public_half(key_pem: bytes, identity: str) -> Key:
    """Return what a private key looks like from outside, under the id that it is kept by. Raises BadInput."""
    from hashlib import sha256, sha512

    key = _open_key(key_pem)
    _check_strength(key)
    spki = _spki(key.public_key())
    kind = der.kind_of_key(spki)
    return Key(identity, sha256(spki).hexdigest(), sha512(spki).hexdigest(), kind, _type_of(key))


def request(key_pem: bytes, names: Sequence[str]) -> bytes:
    """Return a certificate request (PKCS #10, PEM) for these DNS names, signed with the key. Raises BadInput.

    The first name is its subject, too: lego 4 names its files by that. One that is too long for a subject is not (X.520).
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    key = cast("RSAPrivateKey | EllipticCurvePrivateKey", _open_key(key_pem))
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    short = [x509.NameAttribute(x509.NameOID.COMMON_NAME, name) for name in names[:1] if len(name) <= LONGEST_COMMON_NAME]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(short)).add_extension(alternatives, critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def account_key(key_pem: bytes) -> JWKEC:
    """Return the key of an account as the `acme` package signs with it: ECDSA P-256 (ES256, RFC 8555 §6.2). Raises BadInput."""
    from josepy.jwk import JWKEC

    key = _open_key(key_pem)
    if _type_of(key) != "ecdsa-p256":
        raise BadInput("the key of the account is not ECDSA P-256", "restore the one that was made for it")
    return JWKEC(key=key)


def signature(key_pem: bytes, message: bytes) -> bytes:
    """Sign a message with an RSA key by PKCS #1 v1.5 and SHA-512, for an API that knows us by our key. Raises BadInput."""
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA512

    key = _open_key(key_pem)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadInput("the private key is not an RSA key", "take the key that was shown when the pair was made")
    return key.sign(message, padding.PKCS1v15(), SHA512())


def rs256(key_pem: bytes, content: bytes) -> bytes:
    """Return a signature as JSON Web Tokens have it: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3). Raises BadInput."""
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    key = _open_key(key_pem)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadInput("the private key is not RSA, which RS256 needs", "take the key that the provider made")
    return key.sign(content, padding.PKCS1v15(), SHA256())


def self_signed(names: Sequence[str], key_pem: bytes, *, days: int = 3650) -> Pair:
    """Make a certificate signed by its own key for these host names. DANE senders want no more (RFC 7672 §3.1.1)."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    key = cast("RSAPrivateKey | EllipticCurvePrivateKey", _open_key(key_pem))
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0][:LONGEST_COMMON_NAME])])
    today = datetime.fromtimestamp(clock.now(), UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(hours=1))
        .not_valid_after(today + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, SHA256())
    )
    return load_pair(to_pem(certificate.public_bytes(Encoding.DER)), key_pem)


def _open_key(data: bytes) -> PrivateKeyTypes:
    """Open the one private key in a file."""
    if not pem.is_pem(data):
        return _load_key(pem.bounded(data, "private key"))
    found = [block for block in pem.blocks(data, "private key file") if block.is_key]
    if len(found) != 1:
        msg = f"the private key file has {len(found) or 'no'} private key{'s' if found else ''} in it; one is needed"
        raise BadInput(msg, "name the file that ACME clients call privkey.pem")
    if found[0].encrypted:
        raise _Encrypted
    return _load_key(found[0].content)


def _load_key(content: bytes) -> PrivateKeyTypes:
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    _check_size(content)
    try:
        return load_der_private_key(content, None)
    except TypeError:  # "password was not given"
        raise _Encrypted from None
    except (ValueError, UnsupportedAlgorithm, InternalError):  # their texts stay here: they may quote what they read
        return _load_padded(content)


def _load_padded(content: bytes) -> PrivateKeyTypes:
    """Open a key on a curve whose number has an octet too many or too few: GnuTLS writes half of its keys so (RFC 5915 §3)."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    curves: dict[str, ec.EllipticCurve] = {"2a8648ce3d030107": ec.SECP256R1(), "2b81040022": ec.SECP384R1()}
    try:
        oid, number, point = der.curve_and_number(content) or ("", b"", b"")
        curve = curves.get(oid)
        if curve is not None and len(number) != curve.key_size // 8:
            key = ec.derive_private_key(int.from_bytes(number), curve)
            if point in {b"", key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)}:
                return key
    except (BadInput, ValueError, IndexError):
        pass
    raise _unreadable() from None


def _check_size(content: bytes) -> None:
    """Refuse a key with which the library would be busy for minutes: it proves that the primes of RSA are primes."""
    try:
        sizes = der.rsa_sizes(content)
    except BadInput:
        raise _unreadable() from None
    if len(content) > MAX_KEY_BYTES or (sizes and (sizes[1] > MAX_RSA_BITS or max(sizes[4:]) > MAX_RSA_BITS // 2)):
        message = (
            f"the private key is larger than RSA of {MAX_RSA_BITS} bits: it would keep a mail server busy with each connection"
        )
        raise BadInput(message, "have a certificate issued on an ECDSA P-256 key, or on RSA of 2048 to 4096 bits")


def _unreadable() -> BadInput:
    msg = "the private key cannot be read: it is damaged, or of a kind that mail servers do not use"
    return BadInput(msg, "use an ECDSA P-256 or an RSA key of 2048 bits or more, as PEM")


class _Encrypted(BadInput):
    def __init__(self) -> None:
        hint = "mail servers need it without passphrase: openssl pkey -in OLD -out NEW (with umask 077)"
        super().__init__("the private key is encrypted with a passphrase, so no mail server could load it", hint)


def _check_strength(key: PrivateKeyTypes) -> None:
    """Refuse what senders refuse: RSA under 2048 bits, curves under 256 bits, other algorithms."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        msg = f"the RSA key has {key.key_size} bits; many senders refuse less than {MIN_RSA_BITS}, and mail would be deferred"
        raise BadInput(msg, "have a certificate issued on an ECDSA P-256 or RSA 2048 key")
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size < MIN_EC_BITS:
        raise BadInput(f"the curve {key.curve.name} is too weak for senders of mail", "use ECDSA P-256")
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        raise BadInput("the private key is of a kind that TLS does not use", "use ECDSA P-256 or RSA 2048")


def _check_together(key: PrivateKeyTypes, certificates: tuple[bytes, ...]) -> None:
    """Prove that the leaf is the key's: equal public keys, byte for byte.

    The bytes of the certificate were cut out by hand, those of the key are the library's: two methods for one digest.
    That the private half fits the public half has been checked by the library when it loaded the key.
    """
    ours = _spki(key.public_key())
    places = [place for place, one in enumerate(certificates, 1) if der.certificate_spki(one) == ours]
    if not places and certificates and not _names_its_curve(certificates[0]):
        msg = "the certificate spells out the numbers of its curve instead of naming the curve, which senders refuse (RFC 5480)"
        raise BadInput(msg, "make the key anew without -param_enc explicit, and have a certificate issued for it")
    if not places:
        msg = "the private key and the certificate do not belong together: TLS with this pair would fail"
        raise BadInput(msg, "both must come from the same renewal; look whether one of the files is older")
    if places[0] != 1:
        msg = f"the private key belongs to certificate {places[0]} of the chain, so the server's own certificate is not first"
        raise BadInput(msg, "put the leaf first, then its issuers in turn; ACME clients call that file fullchain.pem")


def _names_its_curve(certificate: bytes) -> bool:
    """Whether the key of a certificate can be compared byte for byte: every kind, but curves that are not named."""
    spki = der.certificate_spki(certificate)
    return der.kind_of_key(spki) != "ECDSA" or der.names_its_curve(spki)


def _type_of(key: PrivateKeyTypes) -> str:
    """Return its name in policy.KEY_TYPES, empty for a type that is not made here."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    name = f"rsa-{key.key_size}" if isinstance(key, rsa.RSAPrivateKey) else ""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        name = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384"}.get(key.curve.name, "")
    return name if name in KEY_TYPES else ""


def _key_text(key: PrivateKeyTypes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _spki(key: PublicKeyTypes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _from_pem(data: bytes) -> Material:
    """Recognise PEM by its labels; a file with a key and certificates must be a matching pair."""
    found = pem.blocks(data, "file")
    labels = {block.label for block in found}
    if any(block.is_key for block in found):
        key = _open_key(data)
        if not labels & CERTIFICATE_LABELS:
            return Material("private key", _spki(key.public_key()))
        certificates = certificates_in(data)
        _check_together(key, certificates)
        return Material("key and chain", der.certificate_spki(certificates[0]), certificates)
    if labels & CERTIFICATE_LABELS:
        return _of_certificates(certificates_in(data))
    for block in found:
        if block.label in {"PUBLIC KEY", "RSA PUBLIC KEY"}:
            return _of_public_key(block.content)
        if block.label in {"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"}:
            return _of_request(block.content)
    raise _unknown(", ".join(sorted(labels)))


def _from_der(data: bytes) -> Material:
    """Recognise DER by trying, public things first."""
    for reader in (_of_certificate, _of_request, _of_public_key):
        try:
            return reader(data)
        except BadInput:
            continue
    try:
        return Material("private key", _spki(_load_key(data).public_key()))
    except _Encrypted:
        raise
    except BadInput:
        raise _unknown("") from None


def _of_certificate(content: bytes) -> Material:
    return _of_certificates((content,))


def _of_certificates(certificates: tuple[bytes, ...]) -> Material:
    chain_of(certificates)  # raises where one of them is damaged
    what = "certificate" if len(certificates) == 1 else "chain"
    return Material(what, der.certificate_spki(certificates[0]), certificates)


def _of_public_key(content: bytes) -> Material:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        return Material("public key", _spki(load_der_public_key(content)))
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput("the public key cannot be read: it is damaged", "make it again: openssl pkey -in KEY -pubout") from None


def _of_request(content: bytes) -> Material:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        intact = x509.load_der_x509_csr(content).is_signature_valid
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        intact = False
    if not intact:
        raise BadInput("the certificate request cannot be read, or its signature is wrong", "make the request again")
    return Material("certificate request", der.request_spki(content))


def _unknown(labels: str) -> BadInput:
    inside = f" (it has: {labels})" if labels else ""
    msg = f"the file is no certificate, private key, public key or certificate request, neither PEM nor DER{inside}"
    return BadInput(msg, "from PKCS #12 get PEM with: openssl pkcs12 -in FILE -nodes")
