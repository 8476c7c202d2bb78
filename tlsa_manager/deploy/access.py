"""Whether a server's own user can read the file: it need not be root that opens it anew while the server runs."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from typing import TYPE_CHECKING

from tlsa_manager.deploy.files import AS_IT_STANDS
from tlsa_manager.disk import Owner
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from tlsa_manager.deploy.files import Wanted

_ACL = "system.posix_acl_access"  # acl(5); with one, owner, group and mode are not all there is to say


@dataclass(frozen=True, slots=True)
class Reader:
    """As whom a server opens its files: the user, its number, that of its group, and those of all its groups."""

    name: str
    uid: int
    gid: int
    groups: frozenset[int]


def reader(user: str, group: str = "") -> Reader | None:
    """Return who that is, by name or number, with the groups it is a member of; None when there is no such user here."""
    try:
        found = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
        gid = (int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid) if group else found.pw_gid
    except KeyError:
        return None
    return Reader(found.pw_name, found.pw_uid, gid, frozenset(os.getgrouplist(found.pw_name, gid)))


def hindrance(path: Path, who: Reader, wanted: Wanted = AS_IT_STANDS) -> str:
    """Say why this user cannot read the file, with a command that mends it; empty when it can, or cannot be told.

    `wanted`: whose the file will be once it is replaced, where that differs from how it stands. Each directory on the way must
    be walkable. Where an access control list stands, it decides, and nothing is said.
    """
    if who.uid == 0:
        return ""
    try:
        for place in reversed(path.absolute().parents):
            walked = _owner(place)
            if not _may(walked, who, 1) and not _has_acl(place):
                mend = f"chgrp {_group_of(who)} {place} && chmod g+x {place}"
                return f"{who.name} cannot reach {path}: {place} is closed to it ({_shown(walked)}); {mend}"
        owner = wanted.over(_owner(path))
    except OSError:
        return ""  # what is not there is told elsewhere
    if _may(owner, who, 4) or _has_acl(path):
        return ""
    mend = f"chgrp {_group_of(who)} {path} && chmod g+r {path}"
    return f"{who.name} cannot read {path} ({_shown(owner)}); {mend}"


def _owner(place: Path) -> Owner:
    found = place.stat()
    return Owner(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))


def _shown(owner: Owner) -> str:
    """Say it as `ls -ln` does."""
    return f"{stat.filemode(owner.mode)[1:]} {owner.uid} {owner.gid}"


def _group_of(who: Reader) -> str:
    """Return the user's own group, by name where it has one."""
    try:
        return grp.getgrgid(who.gid).gr_name
    except KeyError:
        return str(who.gid)


def _may(found: Owner, who: Reader, bit: int) -> bool:
    """Whether the mode has the bit (4 read, 1 walk) for this user; the first class that fits decides (path_resolution(7))."""
    if found.uid == who.uid:
        return bool(found.mode & bit << 6)
    return bool(found.mode & (bit << 3 if found.gid in who.groups else bit))


def _has_acl(place: Path) -> bool:
    try:
        return bool(os.getxattr(place, _ACL))
    except OSError as error:
        return error.errno not in {errno.ENODATA, errno.EOPNOTSUPP}
