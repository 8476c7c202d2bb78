"""The TSIG key (RFC 8945), out of a key file: BIND's form, Knot's form, or one line `algorithm:name:secret`."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import field

from tlsa_manager.option import mistake
from tlsa_manager.secret import read_secret
from tlsa_manager.value import dataclass

# RFC 8945 §6: SHA-256 is mandatory; MD5 and SHA-1 are not recommended; truncated MACs are not worth having.
ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
_MAKE = (
    "make one with: (umask 077; tsig-keygen -a hmac-sha256 tlsa-manager. > FILE), or where Knot is: keymgr -t tlsa-manager."
    " hmac-sha256; and give the server the same key"
)
# Base64 may hold two slashes: a comment begins at the beginning of a word, and never inside quotes.
_QUOTED_OR_COMMENT = re.compile(r'("[^"]*")|(?<![^\s;{}])(?:/\*.*?\*/|(?://|#)[^\n]*)', re.DOTALL)
_BIND_KEY = re.compile(r'\bkey\s+"?([^\s"{;]+)"?\s*\{([^}]*)\}\s*;?', re.DOTALL)
_BIND_FIELD = r'\b{}\s+"?([^\s";]+)"?\s*;'
_KNOT_FIELD = r'^\s*(?:-\s+)?{}:\s*"?([^\s"]+)"?\s*$'
_NAME = re.compile(r"(?=.{1,254}$)(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")


@dataclass(frozen=True, slots=True)
class TsigKey:
    """A key as both sides must have it. `name` is absolute; the secret (raw bytes) is kept out of every text."""

    name: str
    algorithm: str
    secret: bytes = field(repr=False)


def load(path: str, where: str) -> TsigKey:
    """Read the one key in a file. Raises ConfigError, which never quotes the file."""
    return parse(read_secret(path, where, "can change the DNS records of the mail servers"), path, where)


def parse(text: str, path: str, where: str) -> TsigKey:
    """Read the one key in a text. Raises ConfigError."""
    keys = _bind(text) or _knot(text) or _line(text)
    if len(keys) != 1:
        what = f"{len(keys)} keys where one is needed" if keys else "no TSIG key that can be read"
        raise mistake(where, f"{path} holds {what}", 'write: key "NAME" { algorithm hmac-sha256; secret "BASE64"; }; or ' + _MAKE)
    name, algorithm, secret = keys[0]
    algorithm = algorithm.lower().rstrip(".")
    if algorithm not in ALGORITHMS:
        shown = algorithm if re.fullmatch(r"[a-z0-9.-]{1,40}", algorithm) else "something unknown"
        message = f"the key in {path} is for {shown}, which is not used here (RFC 8945): {', '.join(ALGORITHMS)} are"
        raise mistake(where, message, _MAKE)
    if _NAME.fullmatch(name) is None:
        raise mistake(where, f"the name of the key in {path} is not a domain name", _MAKE)
    return TsigKey(name.lower().rstrip(".") + ".", algorithm, _decode(secret, path, where))


def _decode(secret: str, path: str, where: str) -> bytes:
    try:
        raw = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        raise mistake(where, f"the secret of the key in {path} is not base64", "copy the file again, whole")
    return raw


def _bind(text: str) -> list[tuple[str, str, str]]:
    """Read BIND's form: key "n" { algorithm a; secret "s"; }; (any number of them)."""
    return [
        (name, algorithm[1], secret[1])
        for name, body in _BIND_KEY.findall(_QUOTED_OR_COMMENT.sub(lambda found: found[1] or " ", text))
        if (algorithm := re.search(_BIND_FIELD.format("algorithm"), body))
        and (secret := re.search(_BIND_FIELD.format("secret"), body))
    ]


def _knot(text: str) -> list[tuple[str, str, str]]:
    """Read Knot's form: the list under `key:` with id, algorithm, secret."""
    ids, algorithms, secrets = (
        re.findall(_KNOT_FIELD.format(word), text, re.MULTILINE) for word in ("id", "algorithm", "secret")
    )
    return list(zip(ids, algorithms, secrets, strict=True)) if len(ids) == len(algorithms) == len(secrets) else []


def _line(text: str) -> list[tuple[str, str, str]]:
    """Read a line as for `nsupdate -y` and `kdig -y`: algorithm:name:secret."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    words = [line.split(":") for line in lines]
    return [(name, algorithm, secret) for algorithm, name, secret in words] if all(len(w) == 3 for w in words) else []
