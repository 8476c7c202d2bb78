"""The files at home: what stands in the consumers' files, who can get at keys, and digests of what belongs into no record."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager import der, pem
from tlsa_manager.disk import distrust
from tlsa_manager.errors import BadInput, TlsaManagerError
from tlsa_manager.household import Content, Exposed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.lineage import Lineage
    from tlsa_manager.pem import Block
    from tlsa_manager.wiring import House

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_REQUESTS = {".csr", ".req"}
_SECRET_WORD = re.compile(r"--?(?:[a-z-]*-)?(?:token|secret|password|passwd|api-?key)(?:=(.+))?", re.IGNORECASE)
_LARGEST = 65536


def contents(house: House, lineage: Lineage) -> dict[str, Content]:
    """Return what stands in each consumer's file. What cannot be read is left out: the FileView says why."""
    found = {}
    for name in lineage.consumers:
        with suppress(TlsaManagerError, OSError):
            consumer = house.hands.consumer(name)
            content = consumer.current()
            if content is not None:
                found[name] = _content(consumer.path, content)
    return found


def exposed(house: House, lineage: Lineage) -> tuple[Exposed, ...]:
    """Return what somebody else can read or change: the store with its keys, the journal, the credentials for DNS."""
    return (*_store(house, lineage), *_journal(house), *_credentials(house, lineage))


def digests(house: House, lineage: Lineage) -> dict[str, str]:
    """Return what hexadecimal digests are of: private keys, requests, and whole files, as people hash them by mistake."""
    found: dict[str, str] = {}
    for path in _files(house, lineage):
        with suppress(OSError, TlsaManagerError):
            content = path.read_bytes()
            for what, data in _hashed(path, content):
                found = {hashlib.sha256(data).hexdigest(): what, hashlib.sha512(data).hexdigest(): what} | found
    return found


def _content(path: Path, content: bytes) -> Content:
    modified = path.stat().st_mtime
    try:
        blocks = pem.blocks(content, "file")
        keys, leaves = _publics(blocks), [der.certificate_spki(one.content) for one in blocks if _is_certificate(one)]
    except BadInput:
        return Content(str(path), modified=modified)  # the view of the file says what is wrong
    kind = der.kind_of_key(keys[0]) if keys else ""
    place = leaves.index(keys[0]) + 1 if keys and keys[0] in leaves else 0
    strangers = "the private key belongs to none of the certificates beside it" if keys and leaves and not place else ""
    return Content(str(path), kind, modified, strangers, "" if strangers else _disorder(blocks, len(keys), place))


def _publics(blocks: tuple[Block, ...]) -> list[bytes]:
    from tlsa_manager.keys import read_any

    return [read_any(one.content).spki for one in blocks if one.is_key and one.content]


def _disorder(blocks: tuple[Block, ...], keys: int, place: int) -> str:
    """Say which part stands at the wrong place (Postfix: a key, then its chain, leaf first)."""
    if keys > 1 and blocks[0].is_key and blocks[1].is_key:
        return "parts 1 and 2 are both private keys: after a key its certificate has to come"
    if keys and not blocks[0].is_key:
        first = next(number for number, one in enumerate(blocks, 1) if one.is_key)
        return f"the private key is part {first}, behind certificates: it has to be part 1"
    if place > 1:
        return f"the server's own certificate is number {place} of the chain, and has to be the first"
    certificates = [one.content for one in blocks if _is_certificate(one)]
    for number, (below, above) in enumerate(pairwise(certificates), 1):
        if not _issued(below, above):
            return f"certificate {number + 1} of the chain did not issue certificate {number}"
    return ""


def _issued(below: bytes, above: bytes) -> bool:
    from tlsa_manager.sender.issuing import issued

    return issued(below, above)


def _is_certificate(block: Block) -> bool:
    from tlsa_manager.certificates import CERTIFICATE_LABELS

    return block.label in CERTIFICATE_LABELS


def _store(house: House, lineage: Lineage) -> Iterator[Exposed]:
    root = house.config.directory
    below = root / "lineages" / lineage.name
    for place in (root, root / "lineages", below, *_kept(below)):
        with suppress(OSError):
            if reason := distrust(place.stat()):
                yield Exposed(str(place), f"{place} {reason}", f"chown root: {place}; chmod 700 {place}")
    for file in (one for place in _kept(below) for one in place.glob("*.pem")):
        yield from _open(file)


def _kept(below: Path) -> tuple[Path, ...]:
    """The directories of the generations, and of the keys that have no certificate yet."""
    return (*_directories(below), *_directories(below / "keys"))


def _directories(below: Path) -> tuple[Path, ...]:
    with suppress(OSError):
        return tuple(sorted(one for one in below.iterdir() if one.is_dir()))
    return ()


def _journal(house: House) -> Iterator[Exposed]:
    file = Path(house.config.state.removeprefix("sqlite:///"))
    with suppress(OSError):
        mode = file.stat().st_mode
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            problem = f"{file} can be written by others (mode {stat.S_IMODE(mode):04o}), who decide then what is swapped and when"
            yield Exposed(str(file), problem, f"chmod 600 {file}")


def _open(file: Path, *, credential: bool = False) -> Iterator[Exposed]:
    """Say whether others can read a secret file. What systemd hands over has its group bits as the mask of an access list."""
    with suppress(OSError):
        found = file.stat()
        mode = stat.S_IMODE(found.st_mode)
        handed = os.environ.get("CREDENTIALS_DIRECTORY", "")
        forbidden = stat.S_IRWXO | stat.S_IWGRP if handed and file.parent == Path(handed) else _OTHERS
        if mode & forbidden:
            yield Exposed(str(file), f"{file} is open to others (mode {mode:04o})", f"chmod 600 {file}", credential)
        elif found.st_uid not in {0, os.geteuid()}:
            problem = f"{file} belongs to another user (uid {found.st_uid})"
            yield Exposed(str(file), problem, f"chown root {file}", credential)


def _credentials(house: House, lineage: Lineage) -> Iterator[Exposed]:
    """Return what opens the way into DNS: files that the backend's section names, and secrets in a command line."""
    from tlsa_manager.publish import options_of

    section = house.config.dns.get(lineage.dns)
    if section is None:
        return
    with suppress(TlsaManagerError):
        for option in options_of(section.kind):
            given = section.options.get(option.name)
            if option.type == "file" and isinstance(given, str):
                yield from _open(Path(given), credential=True)
            elif option.type == "argv" and isinstance(given, list | tuple):
                yield from _in_words(f"dns.{lineage.dns}.{option.name}", [str(word) for word in given])


def _in_words(where: str, words: list[str]) -> Iterator[Exposed]:
    for word, following in pairwise([*words[1:], ""]):
        found = _SECRET_WORD.fullmatch(word)
        value = (found[1] or following) if found else ""
        if value and not value.startswith(("/", "-")):
            option = word.partition("=")[0]
            problem = f"{where} passes a secret in its command line ({option}), where every user of this machine can read it (ps)"
            yield Exposed(
                where, problem, "have the program read it from a file of mode 600, and make a new secret", credential=True
            )
        elif _is_key_file(Path(word)):
            yield from _open(Path(word), credential=True)


def _is_key_file(file: Path) -> bool:
    """Whether a file that a command line names is a credential: a TSIG key, or a short text that calls itself one."""
    with suppress(OSError):
        if file.is_absolute() and file.is_file() and not os.access(file, os.X_OK) and file.stat().st_size < _LARGEST:
            return re.search(rb"secret|token|api.?key|password", file.read_bytes(), re.IGNORECASE) is not None
    return False


def _files(house: House, lineage: Lineage) -> Iterator[Path]:
    for place in _kept(house.config.directory / "lineages" / lineage.name):
        yield from sorted(place.glob("*.pem"), reverse=True)  # the key by itself first
    for name in lineage.consumers:
        with suppress(TlsaManagerError, OSError):
            path = house.hands.consumer(name).path
            yield path
            yield from sorted(one for one in path.parent.iterdir() if one.suffix in _REQUESTS)


def _hashed(path: Path, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Say what may have been hashed: the file as it stands, and what its PEM blocks encode. Certificates are known otherwise."""
    yield f"the file {path.name} as it stands", content
    for block in pem.blocks(content, "file"):
        if block.is_key and block.content:
            yield f"the private key in {path.name}", block.content
        elif "REQUEST" in block.label:
            yield f"the certificate request in {path.name}", block.content
