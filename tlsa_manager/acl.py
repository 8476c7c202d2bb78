"""POSIX access control lists, acl(5): what beside owner, group and mode says who may read a file.

A file that has one shows the list's mask where its group's rights would stand: `chmod` changes the mask, and what the group
itself may do is in the list alone. Linux keeps it as an extended attribute (linux/posix_acl_xattr.h).
"""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

_ATTRIBUTE = "system.posix_acl_access"
_VERSION = struct.pack("<I", 2)
_ENTRY = struct.Struct("<HHI")
_OWNER, _USER, _OWNING_GROUP, _GROUP, _MASK, _OTHERS = 1, 2, 4, 8, 16, 32
_NO_LIST = {errno.ENODATA, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list. `tag`: who is meant; `rights`: 4 read, 2 write, 1 walk; `number`: of a named user or group."""

    tag: int
    rights: int
    number: int = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Acl:
    """A list that says more than owner, group and mode."""

    entries: tuple[Entry, ...]

    def with_mode(self, mode: int) -> Acl:
        """Return what `chmod` makes of it: the mode's group bits become the mask; what the group itself may do stays."""
        middle = _MASK if any(one.tag == _MASK for one in self.entries) else _OWNING_GROUP
        bits = {_OWNER: mode >> 6 & 7, middle: mode >> 3 & 7, _OTHERS: mode & 7}
        return Acl(tuple(Entry(one.tag, bits.get(one.tag, one.rights), one.number) for one in self.entries))

    def grants(self, right: int, uid: int, groups: AbstractSet[int], owner: tuple[int, int]) -> bool:
        """Whether a user has a right on a file of this `owner` (uid, gid), as acl(5) decides it."""
        mask = next((one.rights for one in self.entries if one.tag == _MASK), 7)
        if uid == owner[0]:
            return any(one.rights & right for one in self.entries if one.tag == _OWNER)
        named = [one for one in self.entries if one.tag == _USER and one.number == uid]
        if deciding := named or list(self._of_groups(groups, owner[1])):
            return any(one.rights & mask & right for one in deciding)
        return any(one.rights & right for one in self.entries if one.tag == _OTHERS)

    def put(self, descriptor: int) -> None:
        """Give it to an open file, whose mode it sets, too. Raises OSError."""
        packed = b"".join(_ENTRY.pack(one.tag, one.rights, one.number) for one in self.entries)
        os.setxattr(descriptor, _ATTRIBUTE, _VERSION + packed)

    def _of_groups(self, groups: AbstractSet[int], gid: int) -> Iterator[Entry]:
        for one in self.entries:
            if (one.tag == _OWNING_GROUP and gid in groups) or (one.tag == _GROUP and one.number in groups):
                yield one


def of(file: int | Path) -> Acl | None:
    """Return the list of a file or directory, None where it has none. Raises OSError."""
    try:
        packed = os.getxattr(file, _ATTRIBUTE)
    except OSError as error:
        if error.errno in _NO_LIST:
            return None
        raise
    if not packed.startswith(_VERSION):
        raise OSError(errno.EINVAL, "its access control list is of an unknown form")
    return Acl(tuple(Entry(*one) for one in _ENTRY.iter_unpack(packed[len(_VERSION) :])))


def drop(descriptor: int) -> None:
    """Take from an open file what it inherited of its directory's default list. Raises OSError."""
    try:
        os.removexattr(descriptor, _ATTRIBUTE)
    except OSError as error:
        if error.errno not in _NO_LIST:
            raise
