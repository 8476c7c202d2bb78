"""Whether a server's own user can read the file: it need not be root that opens it anew while the server runs."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager import acl
from tlsa_manager.disk import Owner
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from tlsa_manager.deploy.files import Wanted


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


@dataclass(frozen=True, slots=True)
class _Rights:
    """What owner, mode and access control list make of a file or directory."""

    owner: Owner
    entries: acl.Acl | None

    def __str__(self) -> str:
        """Say it as `ls -ln` does."""
        more = "+" if self.entries else ""
        return f"{stat.filemode(self.owner.mode)[1:]}{more} {self.owner.uid} {self.owner.gid}"

    def allow(self, who: Reader, bit: int) -> bool:
        """Whether the user has the right (4 read, 1 walk); the first class that fits decides (path_resolution(7))."""
        if self.entries and self.owner.mode & 0o070:  # with an empty mask Linux does not ask the list at all
            return self.entries.with_mode(self.owner.mode).grants(bit, who.uid, who.groups, (self.owner.uid, self.owner.gid))
        if self.owner.uid == who.uid:
            return bool(self.owner.mode & bit << 6)
        return bool(self.owner.mode & (bit << 3 if self.owner.gid in who.groups else bit))

    def mend(self, who: Reader, letter: str, place: Path) -> str:
        """Return the command that gives the user a right (`r`, `x`)."""
        if self.entries:  # there the group's bits of the mode are the right of all that the list names
            return f"setfacl -m u:{who.name}:{letter} {place}"
        return f"chgrp {_group_of(who)} {place} && chmod g+{letter} {place}"


def hindrance(path: Path, who: Reader, wanted: Wanted | None = None) -> str:
    """Say why this user cannot read the file, with a command that mends it; empty when it can, or cannot be told.

    `wanted`: says it of the file as it will stand once it is replaced. Each directory on the way must be walkable.
    """
    if who.uid == 0:
        return ""
    try:
        for place in reversed(path.absolute().parents):
            walked = _rights(place)
            if not walked.allow(who, 1):
                return f"{who.name} cannot reach {path}: {place} is closed to it ({walked}); {walked.mend(who, 'x', place)}"
        found = _rights(path)
    except OSError:
        return ""  # what is not there is told elsewhere
    rights = replace(found, owner=wanted.over(found.owner)) if wanted else found
    return "" if rights.allow(who, 4) else f"{who.name} cannot read {path} ({rights}); {rights.mend(who, 'r', path)}"


def _rights(place: Path) -> _Rights:
    found = place.stat()
    return _Rights(Owner(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)), acl.of(place))


def _group_of(who: Reader) -> str:
    """Return the user's own group, by name where it has one."""
    try:
        return grp.getgrgid(who.gid).gr_name
    except KeyError:
        return str(who.gid)
