"""The file in which an ACME client looks for the key of its next certificate: ours is put there, and the former put back.

    privkey7.pem                          what the client reads
    privkey7.pem.kept-by-tlsa-manager     the former key, from before ours is put there until it is put back
    .privkey7.pem.new                     ours while it is written; only a crash leaves it

Whatever happens in between (a failed order, a crash), `mend` ends it the same way: the key that belongs to the certificate
beside it stands there, and nothing is kept.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tlsa_manager.disk import KEY_MODES, Owner, distrust, entries, in_words, open_directory, read_file, write_new
from tlsa_manager.errors import BadInput, StateError
from tlsa_manager.pem import MAX_BYTES
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT = ".kept-by-tlsa-manager"
_FRESH = ".new"


@dataclass(frozen=True, slots=True)
class Slot:
    """A client's key file, and the certificate in the same directory that belongs to it while no order is under way."""

    key: Path
    certificate: Path

    def exposure(self) -> str:
        """Say who may read the key that stands there and should not; empty where all is well. Raises StateError."""
        with self._open() as place:
            mode = stat.S_IMODE(os.stat(self.key.name, dir_fd=place, follow_symlinks=False).st_mode)
        wide = mode & ~KEY_MODES & 0o066
        return f"{self.key} had mode {mode:04o}, too wide for a private key; ours has {mode & KEY_MODES:04o}" if wide else ""

    def lend(self, key_pem: bytes) -> bool:
        """Put a key there (PEM), with the owner and rights of the former, which is kept; whether another one was there.

        A mode that is too wide for a key is narrowed to KEY_MODES. At every moment the file is there, whole. Raises BadInput,
        and StateError; then it is as it was.
        """
        self.mend()
        name, fresh = self.key.name, _fresh(self.key)
        with self._open() as place:
            if _spki(name, place) == _spki_of(key_pem):
                return False
            former = os.stat(name, dir_fd=place, follow_symlinks=False)
            with _gone_after(fresh, place):
                owner = Owner(former.st_uid, former.st_gid, former.st_mode & KEY_MODES)
                write_new(fresh, key_pem, place, owner, like=name)
                os.link(name, name + KEPT, src_dir_fd=place, dst_dir_fd=place, follow_symlinks=False)
                os.rename(fresh, name, src_dir_fd=place, dst_dir_fd=place)
                os.fsync(place)
        return True

    def mend(self) -> bool:
        """End what `lend` began; whether the former key was put back. Raises BadInput when no key fits the certificate."""
        name, kept = self.key.name, self.key.name + KEPT
        with self._open() as place:
            _remove(_fresh(self.key), place)  # a crash left it
            if kept not in entries(place):
                return False
            wanted = _spki_of_certificate(read_file(self.certificate.name, place, MAX_BYTES))
            back = _spki(name, place) != wanted
            if back and _spki(kept, place) != wanted:
                message = f"neither {self.key} nor the key kept beside it belongs to {self.certificate}, so both were left alone"
                raise BadInput(message, f"look which one the client shall have, put it there, and remove {self.key}{KEPT}")
            if back:
                os.rename(kept, name, src_dir_fd=place, dst_dir_fd=place)
            else:
                os.unlink(kept, dir_fd=place)
            os.fsync(place)
        return back

    @contextmanager
    def _open(self) -> Iterator[int]:
        """Open the directory of both, which must be beyond the reach of other users."""
        directory = self.key.parent
        try:
            with open_directory(directory, follow=True) as place:
                if reason := distrust(os.fstat(place)):
                    raise BadInput(f"{directory} {reason}, so no key of ours is put there", f"chown and chmod go-w {directory}")
                yield place
        except OSError as error:
            hint = "mend that; the client goes on with the key that it has"
            raise StateError(f"the key file {self.key} cannot be exchanged: {in_words(error)}", hint) from None


def provide(link: Path, name: str, key_pem: bytes) -> None:
    """Put a key (PEM) beside a link of a client under a name, as private as can be, and have the link lead to it.

    A file in place of the link is left alone: it may be the only copy of a key. Raises BadInput and StateError; then the link
    leads where it did.
    """
    fresh = _fresh(link)
    with Slot(link, link)._open() as place, _gone_after(fresh, place):  # noqa: SLF001  the same care
        with suppress(FileNotFoundError):
            if not stat.S_ISLNK(os.stat(link.name, dir_fd=place, follow_symlinks=False).st_mode):
                message = f"{link} is no link but a file of its own, so the key of the certificate was not put there"
                raise BadInput(message, f"if that key is of no use any more, move it away: mv {link} {link}.old")
        write_new(fresh, key_pem, place)
        os.rename(fresh, name, src_dir_fd=place, dst_dir_fd=place)
        os.symlink(name, fresh, dir_fd=place)
        os.rename(fresh, link.name, src_dir_fd=place, dst_dir_fd=place)
        os.fsync(place)


def left_over(directory: Path, pattern: str) -> tuple[Path, ...]:
    """Return the key files of such names beside which a `lend` left something: the former key, or a copy of ours."""
    kept = {one.with_name(one.name.removesuffix(KEPT)) for one in directory.glob(pattern + KEPT)}
    fresh = {one.with_name(one.name.removeprefix(".").removesuffix(_FRESH)) for one in directory.glob(f".{pattern}{_FRESH}")}
    return tuple(sorted(kept | fresh))


def _fresh(file: Path) -> str:
    """The name under which a key is written before it takes the place of a file: always the same, so that it can be removed."""
    return f".{file.name}{_FRESH}"


@contextmanager
def _gone_after(name: str, place: int) -> Iterator[None]:
    """See to it that there is no file of a name, neither before nor after: a copy of a private key must not lie about."""
    _remove(name, place)
    try:
        yield
    finally:
        _remove(name, place)


def _remove(name: str, place: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=place)


def _spki(name: str, place: int) -> str:
    """SHA-256 of the public half of the key in a file; empty when there is no file, or no key in it."""
    try:
        return _spki_of(read_file(name, place, MAX_BYTES))
    except (FileNotFoundError, BadInput):
        return ""


def _spki_of(key_pem: bytes) -> str:
    from tlsa_manager.keys import public_half

    return public_half(key_pem, "").spki_sha256


def _spki_of_certificate(data: bytes) -> str:
    from tlsa_manager.keys import read_chain

    return read_chain(data)[0].leaf.spki_sha256
