"""Our account at an authority (RFC 8555 §7.3): its key is kept, on the disk, before the account is made.

    <directory>/accounts/<host>-<8 hex digits>/key.pem        ECDSA P-256, 0600
    <directory>/accounts/<host>-<8 hex digits>/account.json   its URL, and what the authority was told

One account for each directory URL and each eab-kid. An account whose URL was lost is found again by its key.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tlsa_manager import keys
from tlsa_manager.disk import distrust, entries, in_words, open_directory, read_file, write_new
from tlsa_manager.errors import BadInput, IssueError, StateError
from tlsa_manager.issue.refusal import STAYS, host_of, refused
from tlsa_manager.secret import read_secret
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tlsa_manager.issue.authority import Authority

_KEY, _ACCOUNT, _TEMPORARY = "key.pem", "account.json", ".new-"
_LARGEST = 1 << 16
_MAC_KEY = re.compile(r"[A-Za-z0-9_-]{16,1000}")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who we are to an authority. `contact`: URLs; `agreed`: to its terms; `kid`, `mac_file`: external account binding.

    `section`: of the configuration, for messages.
    """

    section: str
    contact: tuple[str, ...] = ()
    agreed: bool = False
    kid: str = ""
    mac_file: str = ""


def open_account(authority: Authority, directory: Path, holder: Holder) -> None:
    """Give a conversation the key and the URL of our account, which is made where there is none.

    Raises IssueTemporary, IssueError (terms, binding, contact), StateError (the disk), ConfigError (the file of the binding).
    """
    with _home(directory, _name(authority.url, holder.kid)) as home:
        pem, fresh = _key(home)
        try:
            authority.key = keys.account_key(pem)
        except BadInput as error:
            hint = "restore it from a backup, or move it away: a new account is made then"
            raise StateError(f"the account key at {authority.host} in {directory}/accounts: {error.message}", hint) from None
        known = _known(home)
        authority.account = known.get("url", "")
        authority.reopen = lambda: _register(authority, home, holder)
        if not authority.account and (fresh or not _found(authority)):
            _register(authority, home, holder)
        elif known.get("contact") != list(holder.contact):
            _tell_contact(authority, home, holder)
    authority.reopen = lambda: _again(authority, directory, holder)


def _again(authority: Authority, directory: Path, holder: Holder) -> None:
    """Register anew with the same key: the authority has forgotten the account, as test authorities do."""
    with _home(directory, _name(authority.url, holder.kid)) as home:
        authority.reopen = None
        _register(authority, home, holder)


def _register(authority: Authority, home: int, holder: Holder) -> None:
    """Make the account (§7.3); where the key has one already, the authority names it (§7.3.1)."""
    directory = authority.directory
    wanted: dict[str, Any] = {"contact": list(holder.contact)} if holder.contact else {}
    if directory.terms and not holder.agreed:
        msg = f"{authority.host} makes accounts only for those who agree to its terms of service, {directory.terms}; {STAYS}"
        raise IssueError(msg, f"read them, then set agree-to-terms = true in [{holder.section}]")
    if holder.agreed:
        wanted["termsOfServiceAgreed"] = True
    if holder.kid:
        wanted["externalAccountBinding"] = _binding(authority, holder)
    elif directory.customers_only:
        msg = f"{authority.host} makes accounts only for its customers (external account binding); {STAYS}"
        raise IssueError(msg, f"set eab-kid and eab-key-file in [{holder.section}] as it gave them to you")
    authority.account = ""
    authority.account = authority.tell(directory.new_account, wanted, "to make an account").location
    _remember(home, authority, holder)


def _tell_contact(authority: Authority, home: int, holder: Holder) -> None:
    """Tell whom the authority may write to now (§7.3.2)."""
    authority.tell(authority.account, {"contact": list(holder.contact)}, "a change of the address it may write to")
    _remember(home, authority, holder)


def _found(authority: Authority) -> bool:
    """Ask whether our key has an account already (§7.3.1): its URL may have been lost in a crash."""
    answer = authority.send(authority.directory.new_account, {"onlyReturnExisting": True})
    if answer.ok:
        authority.account = answer.location
        return True
    if answer.problem.kind == "accountDoesNotExist" or (400 <= answer.status < 500 and answer.status != 429):
        return False
    raise refused(answer, "to look for our account")


def _binding(authority: Authority, holder: Holder) -> dict[str, Any]:
    """Sign our account's key with the key that the authority gave to its customer (§7.3.4)."""
    from acme.messages import Directory, ExternalAccountBinding

    power = f"can have accounts at {authority.host} in your name"
    text = "".join(read_secret(holder.mac_file, f"{holder.section}.eab-key-file", power).split())
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")
    if authority.key is None or _MAC_KEY.fullmatch(plain) is None or len(plain) % 4 == 1:
        hint = "the file holds the HMAC key alone, base64url, one line, as the authority gave it"
        raise IssueError(f"the key in eab-key-file of [{holder.section}] is not base64url; {STAYS}", hint)
    places = Directory({"newAccount": authority.directory.new_account})
    return ExternalAccountBinding.from_data(authority.key.public_key(), holder.kid, plain, places)


def _name(url: str, kid: str) -> str:
    host = re.sub(r"[^a-z0-9.-]", "_", host_of(url).lower())[:100]
    return f"{host}-{sha256((url + chr(10) + kid).encode()).hexdigest()[:8]}"


@contextmanager
def _home(directory: Path, name: str) -> Iterator[int]:
    """Open the directory of one account, made where it is missing, for us alone."""
    what = f"cannot keep the account {name} in {directory}"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open_directory(directory, follow=True) as base, _inside(base, "accounts") as above, _inside(above, name) as home:
            fcntl.flock(home, fcntl.LOCK_EX)
            for left in entries(home):
                if left.startswith(_TEMPORARY):  # of a process that was killed: the lock is ours, so nobody is at it
                    os.unlink(left, dir_fd=home)
            yield home
    except OSError as error:
        raise StateError(f"{what}: {in_words(error)}", "mend that and run the command again; nothing was changed") from None


@contextmanager
def _inside(parent: int, name: str) -> Iterator[int]:
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
        os.fsync(parent)
    with open_directory(name, within=parent) as inside:
        if reason := distrust(os.fstat(inside)):
            raise StateError(f"the directory {name} with the keys of accounts {reason}", "make it root's, with mode 0700")
        yield inside


def _key(home: int) -> tuple[bytes, bool]:
    """Return the account's key, PEM, on the disk, and whether it was made just now."""
    with suppress(FileNotFoundError):
        return read_file(_KEY, home, _LARGEST), False
    pem = keys.generate()
    _put(home, _KEY, pem)
    return pem, True


def _known(home: int) -> dict[str, Any]:
    """Return what is remembered of the account; what cannot be read is as good as lost: the key finds it again."""
    try:
        found = json.loads(read_file(_ACCOUNT, home, _LARGEST))
    except (FileNotFoundError, ValueError):
        return {}
    intact = isinstance(found, dict) and isinstance(found.get("url"), str) and found["url"].startswith("https://")
    return found if intact else {}


def _remember(home: int, authority: Authority, holder: Holder) -> None:
    told = {"url": authority.account, "directory": authority.url, "contact": list(holder.contact), "eab-kid": holder.kid}
    _put(home, _ACCOUNT, json.dumps(told, indent=1).encode() + b"\n")


def _put(home: int, name: str, content: bytes) -> None:
    """Write a file whole or not at all, on the disk when this returns."""
    temporary = f"{_TEMPORARY}{secrets.token_hex(8)}"
    write_new(temporary, content, home)
    os.rename(temporary, name, src_dir_fd=home, dst_dir_fd=home)
    os.fsync(home)
