"""Zones that are wrong in one way each, signed once and served by a BIND of their own.

Each has mx.ZONE with a TLSA record at _25._tcp. What a validating resolver makes of it:
expired, expired-tlsa, notyet, bogusds, unsigned, badsig: bogus. nsecgone: the record is secure, its absence
elsewhere bogus. badalg, nods: insecure. sha1ds, rsasha1: insecure since RFC 9905, though older resolvers say secure.
nsec3, nsec3optout: secure. loadfail, refused, dead: no answer.
shapes is good and holds aliases, a loop, a wildcard and an RRset too big for UDP.
"""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lab.bind import TTL
from lab.daemon import run
from lab.zones import FAULTS, MX_ADDRESS, PARENT_TTL

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = hashlib.sha256(b"x").hexdigest()
DEAD = "127.53.1.77"  # nobody listens there

_SIGNED_WITH = {
    "expired": ("-P", "-s", "20200101000000", "-e", "20200201000000"),
    "expired-tlsa": ("-P", "-s", "20200101000000", "-e", "20200201000000", "-X", "now+864000"),
    "notyet": ("-P", "-s", "now+864000", "-e", "now+1728000"),
    "nsec3": ("-3", "-"),
    "nsec3optout": ("-3", "-", "-A"),
}
_NAMES = ("expired", "expired-tlsa", "notyet", "bogusds", "nsecgone", "badsig", "unsigned", "badalg", "shapes", "loadfail")
NAMES = (*_NAMES, "nods", "nsec3", "nsec3optout", "sha1ds", "rsasha1")


def make(directory: Path) -> tuple[str, str]:
    """Sign all fault zones; return the zone statements of their server and their delegations in example."""
    with ThreadPoolExecutor(4) as side_by_side:
        delegations = list(side_by_side.map(lambda name: _make_zone(directory, name), NAMES))
    statements = "".join(f'zone "{name}.example" {{ type primary; file "{name}.signed"; notify no; }};\n' for name in NAMES)
    lost = _glue("refused.example", FAULTS) + _glue("dead.example", DEAD)
    return statements, "".join(delegations) + lost


def _make_zone(directory: Path, name: str) -> str:
    zone = f"{name}.example"
    plain, signed = directory / f"{name}.db", directory / f"{name}.signed"
    plain.write_text(_text(zone) + (_shapes(zone) if name == "shapes" else ""))
    keys = ("-K", str(directory / "keys"))
    key = run(
        "dnssec-keygen", "-q", *keys, "-a", "RSASHA1" if name == "rsasha1" else "ECDSAP256SHA256", "-f", "KSK", zone
    ).strip()
    options = ("-S", *keys, "-z", *_SIGNED_WITH.get(name, ()), "-o", zone, "-f", str(signed), "-O", "full")
    run("dnssec-signzone", *options, str(plain), cwd=directory)
    _spoil(name, plain, signed)
    ds = run("dnssec-dsfromkey", "-1" if name == "sha1ds" else "-2", str(directory / "keys" / f"{key}.key"))
    return _glue(zone, FAULTS) + _parent_says(name, ds)


def _spoil(name: str, plain: Path, signed: Path) -> None:
    """Damage a signed zone file in the way its name says."""
    lines = signed.read_text().splitlines(keepends=True)
    if name == "nsecgone":  # the apex keeps its NSEC, or BIND would take the zone for unsigned
        signed.write_text("".join(line for line in lines if not re.match(r"_.*\sIN\s+(RRSIG\s+)?NSEC\s", line)))
    elif name == "badsig":
        signed.write_text("".join(_break_signature(line) for line in lines))
    elif name == "unsigned":
        signed.write_text(plain.read_text())
    elif name == "loadfail":
        signed.write_text("broken ) zone\n")


def _break_signature(line: str) -> str:
    words = line.split()
    if not line.startswith("_25._tcp.mx.") or words[3:5] != ["RRSIG", "TLSA"]:
        return line
    words[12] = "AAAA" + words[12][4:]
    return " ".join(words) + "\n"


def _parent_says(name: str, ds: str) -> str:
    """Return the DS record that example. has for a fault zone."""
    owner, _, _, tag, algorithm, kind, digest = ds.split()
    if name == "nods":
        return ""
    if name == "bogusds":
        digest = digest[:-8] + "00000000"
    if name == "badalg":
        algorithm = "200"
    return f"{owner} {PARENT_TTL} IN DS {tag} {algorithm} {kind} {digest}\n"


def _glue(zone: str, address: str) -> str:
    return f"{zone}. {PARENT_TTL} IN NS ns.{zone}.\nns.{zone}. {PARENT_TTL} IN A {address}\n"


def _text(zone: str) -> str:
    return (
        f"$TTL {TTL}\n{zone}. IN SOA ns.{zone}. hostmaster.{zone}. 1 60 10 86400 1\n{zone}. IN NS ns.{zone}.\n"
        f"ns.{zone}. IN A {FAULTS}\n{zone}. IN MX 10 mx.{zone}.\nmx.{zone}. IN A {MX_ADDRESS}\n"
        f"_25._tcp.mx.{zone}. IN TLSA 3 1 1 {DIGEST}\n"
    )


def _shapes(zone: str) -> str:
    return (
        f"_443._tcp.mx.{zone}. CNAME tlsa.keys.{zone}.\ntlsa.keys.{zone}. TLSA 3 1 1 {DIGEST}\n"
        f"_465._tcp.mx.{zone}. CNAME _25._tcp.mx.insecure.example.\n"
        f"_466._tcp.mx.{zone}. CNAME loop2.{zone}.\nloop2.{zone}. CNAME _466._tcp.mx.{zone}.\n"
        f"_587._tcp.mx.{zone}. CNAME nonexist.{zone}.\n"
        f"_993._tcp.mx.{zone}. CNAME _25._tcp.mx.nsec3.example.\n"
        f"there.{zone}. DNAME keys.{zone}.\n*.wildalias.{zone}. CNAME tlsa.keys.{zone}.\n"
        + "".join(f"far{n}.{zone}. CNAME far{n + 1}.{zone}.\n" for n in range(12))
        + f"*._tcp.wild.{zone}. TLSA 3 1 1 {DIGEST}\nwild.{zone}. A {MX_ADDRESS}\n"
        f"alias.{zone}. CNAME mx.{zone}.\nbig.{zone}. A {MX_ADDRESS}\n"
    ) + "".join(f"_25._tcp.big.{zone}. TLSA 3 1 1 {number:064x}\n" for number in range(1, 41))
