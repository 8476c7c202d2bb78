"""Handover: what an ACME client brings, its files, read with bounds, and the lineage they belong to; and what it is lent.

Nothing that a hook is told is trusted: a directory is only read from, a name is only compared with configured names.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tlsa_manager.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tlsa_manager.config import Config
    from tlsa_manager.lineage import Lineage

Taken = TypeVar("Taken")

LARGEST = 1 << 20  # bytes; the largest honest chain is some tens of kilobytes


def content(path: Path, what: str) -> bytes:
    """Read a file of a client; links are followed, since certbot's live directory is made of them. Raises BadInput."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not hold the client up
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise BadInput(f"the {what} {path} is not a regular file", "name the file itself, no device, pipe or directory")
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise BadInput(
            f"the {what} {path} cannot be read: {reason}", "look at the name, the owner and the mode of the file"
        ) from None
    if len(data) > LARGEST:
        raise BadInput(
            f"the {what} {path} is larger than {LARGEST >> 10} KiB, so it is not what it should be", "name the right file"
        )
    return data


def handed_over(
    take: Callable[[bytes, bytes | None], Taken], certificate: str | Path, key: str | Path | None, *, named: bool = False
) -> Taken:
    """Have a certificate taken over with the key from its file, or with ours where there is none. Raises BadInput.

    `take` gets the chain and the key, None where the key is to be one of ours. A client that was given a request of ours has no
    key, or still has the file of an earlier one. `named`: a person named the file of the key, so it has to be one.
    """
    chain_pem = content(Path(certificate), "certificate")
    if not key:
        return take(chain_pem, None)
    if named:
        content(Path(key), "private key")  # else what is wrong with it would not be told
    try:
        return take(chain_pem, content(Path(key), "private key"))
    except BadInput as error:
        try:
            return take(chain_pem, None)
        except BadInput:
            raise error from None


def lineage_of(config: Config, chain_pem: bytes, *, asked: str = "", directory: str = "") -> Lineage | None:
    """Return the lineage a certificate belongs to; None: to none, it is for something else than mail.

    `asked`: by the operator, and final. `directory`: its name in certbot's live/. Else the one lineage all of whose hosts
    the certificate names. Raises BadInput where the asked one is not configured, or several would do.
    """
    if asked or directory in config.lineages:
        return lineage_for(config, (), asked=asked, directory=directory)
    from tlsa_manager.keys import read_chain

    return lineage_for(config, read_chain(chain_pem)[1].names)


def lineage_for(config: Config, names: Sequence[str], *, asked: str = "", directory: str = "") -> Lineage | None:
    """Return the lineage that a certificate for these names belongs to, as `lineage_of` does. Raises BadInput."""
    if asked:
        return _asked(config, asked)
    if directory in config.lineages:
        return config.lineages[directory]
    from tlsa_manager.keys import names_cover

    covered = [one for one in config.lineages.values() if all(names_cover(names, service.host) for service in one.services)]
    if len(covered) > 1:
        several = ", ".join(one.name for one in covered)
        msg = f"the certificate could belong to any of the lineages {several}, so it was not taken over"
        raise BadInput(msg, "say which with --lineage NAME at the hook; or name the lineage as the client names the certificate")
    return covered[0] if covered else None


def _asked(config: Config, name: str) -> Lineage:
    if name in config.lineages:
        return config.lineages[name]
    from tlsa_manager.option import suggestion

    known = suggestion(name, config.lineages)
    raise BadInput(f"there is no lineage {name[:80]!r} in {config.path}{known}", "name one that is configured, or configure it")
