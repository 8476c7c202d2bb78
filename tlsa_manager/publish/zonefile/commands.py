"""What is run when the file has changed: bounded in time and output, without a shell, and never with our own environment."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from tlsa_manager.errors import PublishError, PublishTemporary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.publish.child import Ended

TEMPORARY = 75  # EX_TEMPFAIL of sysexits.h
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(section: str, argv: tuple[str, ...], timeout: float) -> None:
    """Run a command of a section, if there is one. Raises PublishError with its last words, PublishTemporary if it may pass."""
    from tlsa_manager.publish import child

    if not argv:
        return
    try:
        ended = child.run(list(argv), b"", {"PATH": PATH, "LANG": "C.UTF-8"}, timeout)
    except OSError as error:
        message = f"{argv[0]} cannot be started: {error.strerror}"
        raise PublishError(message, f"correct section [{section}]: does it exist, may it be run?") from None
    name, said = argv[0], _said(ended)
    by_hand = f"run it by hand, as the user that runs tlsa-manager, and mend what it complains of: {shlex.join(argv)}"
    if ended.cut == "time":
        message = f"{name} did not end within {timeout:g} s and was killed{said}"
        raise PublishTemporary(message, f"if it needs longer, raise {section}.timeout; otherwise see why it hangs")
    if ended.cut == "left":
        message = f"{name} has ended, but what it left behind held its output open for {timeout:g} s and was killed{said}"
        raise PublishTemporary(
            message, "begin what shall stay with >/dev/null 2>&1 </dev/null, or have the service manager start it"
        )
    if ended.cut == "size":
        raise PublishError(f"{name} printed more than a mebibyte and was killed", by_hand)
    if ended.code == TEMPORARY:
        raise PublishTemporary(f"{name} asks to try again later (exit 75){said}", "tried again by itself")
    if ended.code:
        how = f"exit {ended.code}" if ended.code > 0 else f"killed by signal {-ended.code}"
        raise PublishError(f"{name} failed ({how}){said}", by_hand)


def problems(argv: tuple[str, ...]) -> Iterator[str]:
    """Say which program cannot be run."""
    if argv and not os.access(argv[0], os.X_OK):
        yield f"{argv[0]} is not a program that can be run here; install it, or correct the path"


def _said(ended: Ended) -> str:
    """Return the end of what it wrote, on one line: errors, else output."""
    text = (ended.errors.strip() or ended.output.strip())[-500:].decode("utf-8", "replace")
    text = re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()
    return f": {text}" if text else ""
