"""Which files stay beside ours in a server's list: it presents one key of each kind, so of two of a kind one is too many."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.certificates import certificates_in
from tlsa_manager.deploy.acme import is_acme
from tlsa_manager.deploy.files import read_current
from tlsa_manager.der import certificate_spki, kind_of_key
from tlsa_manager.errors import BadInput, DeployError

if TYPE_CHECKING:
    from collections.abc import Iterable


def kind(file: str) -> str:
    """Return the kind of key a file is for, ECDSA for instance, or an empty text when that cannot be told."""
    try:
        content = read_current(Path(file))
        return kind_of_key(certificate_spki(certificates_in(content)[0])) if content else ""
    except (BadInput, DeployError):
        return ""


def rivals(files: Iterable[str], path: Path) -> list[str]:
    """Return the other files with a key of the same kind as ours."""
    mine = kind(str(path))
    return [one for one in files if not same(one, path) and mine and kind(one) == mine]


def kept(files: Iterable[str], path: Path, copied: Iterable[str] = ()) -> list[str]:
    """Return which files stay beside ours: not what it supersedes. `copied`: what ours is made from."""
    files = tuple(files)
    superseded = {*copied, *rivals(files, path)}
    return [one for one in files if one not in superseded and not same(one, path) and not is_acme(one)]


def same(file: str, path: Path) -> bool:
    """Whether this is the file, by whatever name: a link to it goes on leading to what is renamed into its place."""
    return bool(file) and os.path.realpath(file) == os.path.realpath(path)
