"""What certbot renews, read from its directory: which certificates, with which key files, and whether it uses them again."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.errors import BadInput
from tlsa_manager.handover import content
from tlsa_manager.handover.keyslot import Slot, left_over
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

DIRECTORY = Path("/etc/letsencrypt")
_TOP = "before the first section"
_CURVES = {"secp256r1": "p256", "secp384r1": "p384"}


@dataclass(frozen=True, slots=True)
class Renewable:
    """One certificate of certbot. `file`: its file in renewal/. `key_type`: one of policy.KEY_TYPES, what certbot insists on."""

    name: str
    file: Path
    chain: Path
    slot: Slot
    reuses_key: bool
    key_type: str

    def left_over(self) -> Iterator[Slot]:
        """The key files, of earlier certificates too, beside which something of ours was left, such as their former keys."""
        for key in left_over(self.slot.key.parent, "privkey*.pem"):
            yield Slot(key, key.with_name(key.name.replace("privkey", "cert", 1)))


def names(directory: Path) -> tuple[str, ...]:
    """Return the names of certbot's certificates."""
    return tuple(sorted(one.stem for one in (directory / "renewal").glob("*.conf")))


def renewable(directory: Path, name: str) -> Renewable:
    """Read one of them. Raises BadInput."""
    file = directory / "renewal" / f"{name}.conf"
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    try:
        parser.read_string(f"[{_TOP}]\n" + content(file, "file of certbot").decode())
        top = parser[_TOP]
        paths = [Path(top[one]) for one in ("privkey", "cert", "fullchain")]
        key, certificate = (one.resolve() for one in paths[:2])
    except (configparser.Error, KeyError, ValueError, OSError, RuntimeError):  # the last two: links that lead in a circle
        raise BadInput(f"{file} is not what certbot writes there", f"see: certbot certificates --cert-name {name}") from None
    if key.parent != certificate.parent or re.sub("^privkey", "cert", key.name) != certificate.name:
        message = (
            f"{paths[0]} and {paths[1]} do not lead to a key and a certificate of one number, so no key of ours is put there"
        )
        raise BadInput(message, f"see: certbot certificates --cert-name {name}")
    options = parser["renewalparams"] if parser.has_section("renewalparams") else top
    return Renewable(name, file, paths[2], Slot(key, certificate), options.get("reuse_key") == "True", _key_type(options))


def _key_type(options: configparser.SectionProxy) -> str:
    """Say which type of key certbot expects: with another in the file it refuses to use it again."""
    if options.get("key_type", "ecdsa") == "rsa":
        return "rsa-" + options.get("rsa_key_size", "2048")
    curve = options.get("elliptic_curve", "secp256r1")
    return "ecdsa-" + _CURVES.get(curve, curve)
