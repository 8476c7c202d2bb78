"""Whose the combined file shall be, as the options `owner`, `group` and `mode` say it."""

from __future__ import annotations

import grp
import pwd
import re
from typing import TYPE_CHECKING

from tlsa_manager.deploy.files import Wanted
from tlsa_manager.disk import KEY_MODES
from tlsa_manager.errors import ConfigError
from tlsa_manager.option import Option

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.option import Settings

OPTIONS = (
    Option("owner", "str", "the user the file belongs to; none: as it stands, else the user of this program", example="root"),
    Option("group", "str", "the group the file belongs to; none: as it stands", example="Debian-exim"),
    Option("mode", "str", "the file's mode in octal, 0640 at most; none: as it stands, else 0600", example="0640"),
)


def wanted(settings: Settings) -> Wanted:
    """Return what the options say. Raises ConfigError for a user or group that does not exist, or a mode that shows the key."""
    section = settings.section
    return Wanted(
        _number(section, "owner", settings.text("owner"), lambda user: pwd.getpwnam(user).pw_uid),
        _number(section, "group", settings.text("group"), lambda group: grp.getgrnam(group).gr_gid),
        _mode(section, settings.text("mode")),
    )


def _number(section: str, option: str, text: str, find: Callable[[str], int]) -> int | None:
    """Return the number of a user or group, by name or as written; None when not given."""
    if not text or text.isdecimal():
        return int(text) if text else None
    try:
        return find(text)
    except KeyError:
        mistake = f"{section}.{option}: {text[:60]!r} does not exist on this host"
        raise ConfigError(mistake, "install the software first, or correct the name", (mistake,)) from None


def _mode(section: str, text: str) -> int | None:
    if not text:
        return None
    mode = int(text, 8) if re.fullmatch("0?[0-7]{3}", text) else 0o777
    if mode & ~KEY_MODES:
        mistake = f"{section}.mode: {text[:20]!r} is not a mode for a private key"
        raise ConfigError(mistake, "0600, 0400, 0640 or 0440; others must never read it", (mistake,))
    return mode
