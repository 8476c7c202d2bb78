"""Whether a server's own user can read the file: it need not be root that opens it anew while the server runs."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from typing import TYPE_CHECKING

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from pathlib import Path

_ACL = "system.posix_acl_access"  # acl(5); with one, owner, group and mode are not all there is to say


@dataclass(frozen=True, slots=True)
class Reader:
    """As whom a server opens its files: the user, its number, and those of all its groups."""

    name: str
    uid: int
    groups: frozenset[int]


def reader(user: str, group: str = "") -> Reader | None:
    """Return who that is, by name or number, with the groups it is a member of; None when there is no such user here."""
    try:
        found = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
        gid = (int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid) if group else found.pw_gid
    except KeyError:
        return None
    return Reader(found.pw_name, found.pw_uid, frozenset(os.getgrouplist(found.pw_name, gid)))


def hindrance(path: Path, who: Reader) -> str:
    """Say why this user cannot read the file, with a command that mends it; empty when it can, or cannot be told.

    Each directory on the way must be walkable. Where an access control list stands, it decides, and nothing is said.
    """
    if who.uid == 0:
        return ""
    for place in (*reversed(path.absolute().parents), path):
        try:
            found = place.stat()
        except OSError:
            return ""  # what is not there is told elsewhere
        is_file = place == path
        if not _may(found, who, 4 if is_file else 1) and not _has_acl(place):
            return _told(path, place, who, is_file=is_file)
    return ""


def _told(path: Path, place: Path, who: Reader, *, is_file: bool) -> str:
    found = place.stat()
    shown = f"owner {found.st_uid}, group {found.st_gid}, mode {stat.S_IMODE(found.st_mode):04o}"
    group = _group_of(who)
    if is_file:
        return f"{who.name} cannot read {path} ({shown}); chgrp {group} {path} && chmod g+r {path}"
    return f"{who.name} cannot reach {path}: {place} is closed to it ({shown}); chgrp {group} {place} && chmod g+x {place}"


def _group_of(who: Reader) -> str:
    """Return the user's own group, by name where it has one."""
    gid = pwd.getpwuid(who.uid).pw_gid
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _may(found: os.stat_result, who: Reader, bit: int) -> bool:
    """Whether the mode has the bit (4 read, 1 walk) for this user; the first class that fits decides (path_resolution(7))."""
    if found.st_uid == who.uid:
        return bool(found.st_mode & bit << 6)
    if found.st_gid in who.groups:
        return bool(found.st_mode & bit << 3)
    return bool(found.st_mode & bit)


def _has_acl(place: Path) -> bool:
    try:
        return bool(os.getxattr(place, _ACL))
    except OSError as error:
        return error.errno not in {errno.ENODATA, errno.EOPNOTSUPP}
