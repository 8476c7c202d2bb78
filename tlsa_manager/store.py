"""Where keys and certificates rest: every generation that was handed to us, immutable, on disk before the hook returns.

    <directory>/lineages/<name>/<generation>/{privkey.pem,fullchain.pem,combined.pem}      files 0600, directories 0700
    <directory>/lineages/<name>/keys/<key>/privkey.pem                                     keys that have no certificate yet

Each is written into a temporary directory and renamed: it is there whole, or not at all.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tlsa_manager import keys
from tlsa_manager.clock import now
from tlsa_manager.disk import distrust, entries, in_words, open_directory, read_file, sync, write_new
from tlsa_manager.errors import BadInput, StateError
from tlsa_manager.lineage import Generation, lineage_name
from tlsa_manager.pem import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tlsa_manager.lineage import Key

_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_TEMPORARY = ".new-"
_FILES = ("privkey.pem", "fullchain.pem", "combined.pem")
_KEYS = "keys"


class Store:
    """The generations of all lineages. Every method raises StateError, and BadInput for a name that is none."""

    def __init__(self, directory: Path) -> None:
        """Name the directory; it is made at the first `put`."""
        self.directory = directory

    def put(self, lineage: str, pair: keys.Pair, origin: str) -> Generation:
        """Keep a pair, fsynced, and return its generation; a pair that is here already is not stored twice."""
        name = lineage_name(lineage)
        with _in_words(f"cannot store a certificate of {name} in {self.directory}"), self._lineage(name, make=True) as place:
            fcntl.flock(place, fcntl.LOCK_EX)
            _sweep(place)
            known = self._find(name, place, pair)
            identity = known or _new_id(pair)
            if not known:
                _write(place, identity, dict(zip(_FILES, (pair.key_pem, pair.chain_pem, pair.combined), strict=True)))
        return Generation(identity, pair.chain, pair.names, ours=True, origin=origin, not_before=pair.not_before, type=pair.type)

    def read(self, lineage: str, generation: str) -> keys.Pair:
        """Return a generation, its key and chain checked again."""
        name, identity = lineage_name(lineage), _known_form(generation)
        what = f"cannot read generation {identity} of {name} in {self.directory}"
        with _in_words(what), self._lineage(name) as place, open_directory(identity, within=place) as inside:
            key, chain, combined = (read_file(file, inside, MAX_BYTES) for file in _FILES)
        try:
            pair = keys.load_pair(chain, key)
        except BadInput as error:
            raise StateError(f"{what}: {error.message}", _RESTORE) from None
        if combined != pair.combined:
            raise StateError(f"{what}: combined.pem is not the key and chain beside it", _RESTORE)
        return pair

    def combined(self, lineage: str, generation: str) -> bytes:
        """Return what a consumer's file shall hold, checked: the key first, then the chain."""
        return self.read(lineage, generation).combined

    def put_key(self, lineage: str, key_pem: bytes) -> Key:
        """Keep a key that has no certificate yet, fsynced, and return its public half; a key that is here is not stored twice."""
        name = lineage_name(lineage)
        key = keys.public_half(key_pem, "")
        what = f"cannot store a key of {name} in {self.directory}"
        with _in_words(what), self._lineage(name, make=True) as lineage_place:
            fcntl.flock(lineage_place, fcntl.LOCK_EX)
            with _level(lineage_place, self._keys(name).parent, _KEYS, make=True) as place:
                _sweep(place)
                suffix = "-" + key.spki_sha256[:8]
                known = next((one for one in sorted(entries(place)) if one.endswith(suffix) and self._holds(name, one, key)), "")
                identity = known or _stamp(now()) + suffix
                if not known:
                    _write(place, identity, {"privkey.pem": key_pem})
        return replace(key, id=identity)

    def key(self, lineage: str, identity: str) -> bytes:
        """Return a key by the id of the key, or of a generation that has it, PEM, checked."""
        name, known = lineage_name(lineage), _known_form(identity)
        what = f"cannot read key {known} of {name} in {self.directory}"
        if not (self._keys(name) / known).is_dir():
            return self.read(name, known).key_pem
        with (
            _in_words(what), self._lineage(name) as place,
            _level(place, self._keys(name).parent, _KEYS, make=False) as inside, open_directory(known, within=inside) as own,
        ):  # fmt: skip
            content = read_file("privkey.pem", own, MAX_BYTES)
        try:
            keys.public_half(content, known)
        except BadInput as error:
            raise StateError(f"{what}: {error.message}", _RESTORE) from None
        return content

    def key_of(self, lineage: str, spki_sha256: str) -> bytes | None:
        """Return the key with this public half, wherever it is kept, PEM; None when it is not here."""
        name = lineage_name(lineage)
        for identity in self._key_ids(name):
            if identity.endswith("-" + spki_sha256[:8]):
                with suppress(StateError):  # damaged
                    content = self.key(name, identity)
                    if keys.public_half(content, identity).spki_sha256 == spki_sha256:
                        return content
        for identity in reversed(self._ids(name)):
            with suppress(StateError):
                pair = self.read(name, identity)
                if pair.chain.leaf.spki_sha256 == spki_sha256:
                    return pair.key_pem
        return None

    def _holds(self, name: str, identity: str, key: Key) -> bool:
        """Whether an intact key that is kept is this one."""
        try:
            return keys.public_half(self.key(name, identity), identity).spki_sha256 == key.spki_sha256
        except StateError:
            return False

    def lone_keys(self, lineage: str) -> tuple[Key, ...]:
        """Return all intact keys that are kept without a certificate, oldest first; damaged ones are left out."""
        name = lineage_name(lineage)
        found = []
        for identity in self._key_ids(name):
            with suppress(StateError):
                found.append(keys.public_half(self.key(name, identity), identity))
        return tuple(found)

    def _key_ids(self, name: str) -> list[str]:
        if not self._keys(name).is_dir():
            return []
        what = f"cannot list the keys of {name} in {self.directory}"
        with _in_words(what), self._lineage(name) as place, _level(place, self._keys(name).parent, _KEYS, make=False) as inside:
            return sorted(entry for entry in entries(inside) if _ID.fullmatch(entry))

    def _keys(self, name: str) -> Path:
        return self.directory / "lineages" / name / _KEYS

    def path(self, lineage: str, generation: str) -> Path:
        """Return the directory of a generation, whether it exists or not."""
        return self.directory / "lineages" / lineage_name(lineage) / _known_form(generation)

    def generations(self, lineage: str) -> tuple[Generation, ...]:
        """Return all intact generations of a lineage, oldest first; damaged ones are left out. `origin` is empty."""
        name = lineage_name(lineage)
        found = []
        for identity in self._ids(name):
            try:
                pair = self.read(name, identity)
            except StateError:
                continue
            found.append(Generation(identity, pair.chain, pair.names, not_before=pair.not_before, type=pair.type))
        return tuple(found)

    def newest(self, lineage: str, *, after: str, before: float) -> tuple[Generation, keys.Pair] | None:
        """Return the newest intact generation with its key, if there is one newer than generation `after` (empty = any).

        `before`: only what was put here before that moment, seconds since 1970. `origin` is empty.
        """
        name = lineage_name(lineage)
        for identity in reversed(self._ids(name)):
            if identity <= after:
                return None
            if identity < _stamp(before):
                with suppress(StateError):  # damaged
                    pair = self.read(name, identity)
                    return Generation(identity, pair.chain, pair.names, not_before=pair.not_before, type=pair.type), pair
        return None

    def _ids(self, name: str) -> list[str]:
        if not self.path(name, _ANY_ID).parent.is_dir():
            return []
        with _in_words(f"cannot list the generations of {name} in {self.directory}"), self._lineage(name) as place:
            return sorted(entry for entry in entries(place) if _ID.fullmatch(entry))

    def _find(self, name: str, place: int, pair: keys.Pair) -> str:
        """Return the id of an intact generation with this leaf, or an empty text."""
        for identity in sorted(entries(place)):
            if _ID.fullmatch(identity) and identity.endswith(_suffix(pair)):
                try:
                    if self.read(name, identity).chain.fingerprint == pair.chain.fingerprint:
                        return identity
                except StateError:
                    continue  # damaged: what was handed to us now takes its place
        return ""

    @contextmanager
    def _lineage(self, name: str, *, make: bool = False) -> Iterator[int]:
        """Open the directory of a lineage, level by level, so that nobody can put a symlink in between."""
        if make and not self.directory.exists():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync(self.directory.parent)
        with (
            open_directory(self.directory) as root,
            _level(root, self.directory, "lineages", make=make) as lineages,
            _level(lineages, self.directory / "lineages", name, make=make) as place,
        ):
            yield place


_ANY_ID = "00000000T000000Z-00000000"
_RESTORE = "the files in the store are never changed by this program; restore them from a backup, or renew the certificate"


@contextmanager
def _level(parent: int, parent_path: Path, name: str, *, make: bool) -> Iterator[int]:
    """Open (and make, 0700) one directory below another; both must be beyond the reach of other users."""
    reason = distrust(os.fstat(parent))
    if reason:
        hint = f"chown root: {parent_path}; chmod go-w {parent_path}; then make sure that nothing in it was planted"
        raise StateError(f"{parent_path} {reason}, so keys are not safe there", hint)
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)
        os.fsync(parent)
    with open_directory(name, within=parent) as inside:
        found = os.fstat(inside)
        if distrust(found):
            path = parent_path / name
            raise StateError(f"{path} {distrust(found)}, so keys are not safe there", f"chown root: {path}; chmod 700 {path}")
        yield inside


def _write(place: int, identity: str, files: Mapping[str, bytes]) -> None:
    """Write one directory of files beside the others and rename it into being."""
    temporary = _TEMPORARY + secrets.token_hex(8)
    os.mkdir(temporary, 0o700, dir_fd=place)
    try:
        with open_directory(temporary, within=place) as inside:
            for file, content in files.items():
                write_new(file, content, inside)
            os.fsync(inside)
        os.rename(temporary, identity, src_dir_fd=place, dst_dir_fd=place)
    except BaseException:
        _remove(place, temporary)
        raise
    os.fsync(place)


def _sweep(place: int) -> None:
    """Remove what a crash left half-written; the lock is ours, so nobody is at it."""
    for entry in entries(place):
        if entry.startswith(_TEMPORARY):
            _remove(place, entry)


def _remove(place: int, temporary: str) -> None:
    if not stat.S_ISDIR(os.stat(temporary, dir_fd=place, follow_symlinks=False).st_mode):
        os.unlink(temporary, dir_fd=place)
        return
    with open_directory(temporary, within=place) as inside:
        for entry in entries(inside):
            os.unlink(entry, dir_fd=inside)
    os.rmdir(temporary, dir_fd=place)


def _new_id(pair: keys.Pair) -> str:
    """Make an id that sorts by time and can be read: `20261121T233449Z-1a2b3c4d`."""
    return _stamp(now()) + _suffix(pair)


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%M%SZ")


def _suffix(pair: keys.Pair) -> str:
    return "-" + pair.chain.fingerprint[:8]


def _known_form(generation: str) -> str:
    if _ID.fullmatch(generation) is None:
        raise BadInput(f"{generation[:60]!r} is not the id of a generation", "tlsa-manager status names them")
    return generation


@contextmanager
def _in_words(what: str) -> Iterator[None]:
    """Turn the system's errors into ours."""
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if isinstance(error.filename, str) else ""
        raise StateError(
            f"{what}: {in_words(error)}{where}", "mend that and run the same command again; nothing was changed"
        ) from None
