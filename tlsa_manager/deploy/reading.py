"""Which certificate files a server is configured to read: as values, and what stands in the way of a swap of one of them.

Each kind of server finds out in its own way what it reads (`Reading`); what that means is the same for all.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.certificates import read_chain
from tlsa_manager.deploy import access
from tlsa_manager.deploy.acme import is_acme
from tlsa_manager.deploy.files import read_current
from tlsa_manager.errors import BadInput, DeployError
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.deploy.files import Wanted


@dataclass(frozen=True, slots=True)
class Use:
    """One place of a configuration that names a certificate. `where`: as a person finds it.

    `key`: the file that the key is always taken from, empty where it is the chain's; `beside`: the one that it is taken from
    only as long as the chain's has none.
    """

    where: str
    chain: str
    key: str = ""
    beside: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Its files, key first; one where both are in one."""
        return tuple(dict.fromkeys(one for one in (self.key or self.beside, self.chain) if one))


@dataclass(frozen=True, slots=True)
class Reading:
    """What a server reads. `server`: its name for people; `doubt`: why it may read more than can be told, or empty.

    `how`: what to write to have it read our file; `again`: what to do then; `user`: as whom it opens files, None: not known.
    `faults`: why it presents nothing of what it is given, as sentences.
    """

    server: str
    uses: tuple[Use, ...]
    how: str
    again: str
    doubt: str = ""
    user: access.Reader | None = None
    faults: tuple[str, ...] = ()


def configured(reading: Reading, path: Path) -> bool | None:
    """Whether the server takes both key and chain from `path`. False where it takes one of them; None: cannot be told."""
    if any(_is_half(use, path) for use in reading.uses):
        return False  # a swap would leave it with a key and a certificate that do not fit
    if any(_same(use.chain, path) for use in reading.uses):
        return True
    return None if reading.doubt else False


def problems(reading: Reading, path: Path) -> Iterator[str]:
    """Say what stands in the way of a swap by replacing this file: sentences, each with what to do."""
    who, remedy = reading.server, f"write {reading.how}, then {reading.again}"
    ours = [use for use in reading.uses if any(_same(one, path) for one in use.files)]
    if not ours and reading.doubt:
        told = f"{who} may read {path}, but that cannot be told: {reading.doubt}"
        yield f"{told}; name the file itself: {_copy(reading, path)}{remedy}"
    elif not ours and not reading.faults:
        yield (
            f"{who} does not read {path}{_instead(reading)}, so a new certificate there would never be presented; "
            f"to have it read: {_copy(reading, path)}{remedy}"
        )
    elif ours and not os.path.lexists(path):
        yield (
            f"{who} is configured to read {path}, which does not exist: it cannot start, nor take up any change, until a "
            f"certificate is there; put the key and the chain in use there, key first"
        )
    yield from reading.faults
    for use in ours:
        yield from _of_one(f"{who} ({use.where})", use, path, remedy)
    yield from from_acme(reading, path)
    if why := unreadable(reading, path):
        yield why


def unreadable(reading: Reading, path: Path, wanted: Wanted | None = None) -> str:
    """Say why the server cannot open the file, with a command; empty if it can. `wanted`: once it is replaced as this says."""
    if reading.user is None or not any(_same(one, path) for use in reading.uses for one in use.files):
        return ""
    why = access.hindrance(path, reading.user, wanted)
    return f"{reading.server}'s user {why}" if why else ""


def from_acme(reading: Reading, path: Path) -> Iterator[str]:
    """Fault F-HOOK: a file that an ACME client writes is the new key the moment it is renewed, published or not.

    Certificates for other names, of web sites on the same server for instance, are none of our business.
    """
    theirs = {one: use for use in reading.uses for one in use.files if is_acme(one) and _is_kin(use, path)}
    if is_acme(str(path)):
        theirs[str(path)] = Use("the file of this consumer", str(path))
    if theirs:
        shown = ", ".join(f"{file} ({use.where})" for file, use in sorted(theirs.items()))
        yield (
            f"{reading.server} reads {shown}, which an ACME client replaces at each renewal: any restart or reload would then "
            f"present a key that is not in DNS; use a file of this program: write {reading.how}, then {reading.again}"
        )


def _of_one(who: str, use: Use, path: Path, remedy: str) -> Iterator[str]:
    """Say what is wrong with one place that names the file."""
    if _is_half(use, path):
        yield (
            f"{who} takes the key from {use.key} and the certificate from {use.chain}, so after a swap of {path} they would not "
            f"belong together and TLS would fail; take both from {path}: {remedy}"
        )
    for link in (one for one in use.files if _same(one, path) and Path(one).is_symlink() and one != str(path)):
        yield (
            f"{who} reads {path} through the link {link}, so whoever turns the link swaps the key, published or not; "
            f"name {path} itself: {remedy}"
        )


def _instead(reading: Reading) -> str:
    """Name what it reads, as far as that is short."""
    found = list(dict.fromkeys(use.chain for use in reading.uses))
    return f" (but {', '.join(found[:3])}{' and others' if len(found) > 3 else ''})" if found else ""


def _copy(reading: Reading, path: Path) -> str:
    """Return the commands that make the file of what is in use, if it is missing and that is clear: nobody sees a change."""
    if os.path.lexists(path):
        return ""
    make = "" if path.parent.exists() else f"install -d -m 700 {path.parent} && "
    pairs = {use.files for use in reading.uses}
    present = " ".join(pairs.pop()) if len(pairs) == 1 else "KEY-IN-USE CHAIN-IN-USE"
    return f"{make}(umask 077; cat {present} > {path}), "


def _same(file: str, path: Path) -> bool:
    """Whether this is the file, by whatever name: a link to it goes on leading to what is renamed into its place."""
    return os.path.realpath(file) == os.path.realpath(path)


def _is_half(use: Use, path: Path) -> bool:
    return bool(use.key) and _same(use.key, path) != _same(use.chain, path)


def _is_kin(use: Use, path: Path) -> bool:
    """Whether a certificate is for a name that the one at `path` is for, too; so it is where that cannot be told."""
    theirs, ours = _names(Path(use.chain)), _names(path)
    return not theirs or not ours or bool(theirs & ours)


def _names(file: Path) -> frozenset[str]:
    try:
        content = read_current(Path(os.path.realpath(file)))
        return frozenset(read_chain(content)[1].names) if content else frozenset()
    except (BadInput, DeployError):
        return frozenset()
