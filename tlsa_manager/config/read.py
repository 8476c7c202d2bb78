"""From files to tables: the configuration file and `conf.d/*.toml` beside it."""

from __future__ import annotations

import stat
import tomllib
from typing import TYPE_CHECKING, Any

from tlsa_manager.config.mistake import Mistakes, Place
from tlsa_manager.errors import ConfigError
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from pathlib import Path

MORE = "conf.d"
LARGEST = 1 << 20  # bytes; thousands of lineages fit


@dataclass(frozen=True, slots=True)
class Document:
    """One file, parsed."""

    file: Path
    table: dict[str, Any]


def documents(path: Path, mistakes: Mistakes) -> list[Document]:
    """Read the file and those in conf.d beside it, in order of name.

    A file that cannot be read or parsed is a mistake; a missing main file raises ConfigError.
    """
    if _is_absent(path):
        msg = f"there is no configuration at {path}"
        raise ConfigError(msg, f"write a first one with: tlsa-manager --config {path} config init")
    found = [_document(file, mistakes) for file in (path, *_more(path, mistakes))]
    return [document for document in found if document is not None]


def _is_absent(path: Path) -> bool:
    """Whether there is no such file; one that may not be looked at is a mistake of its own."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _more(path: Path, mistakes: Mistakes) -> list[Path]:
    directory = path.parent / MORE
    try:
        return sorted(file for file in directory.iterdir() if file.suffix == ".toml" and not file.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        mistakes.add(Place(directory), f"cannot be read ({error.strerror})", _remedy(error))
        return []


def _document(file: Path, mistakes: Mistakes) -> Document | None:
    place = Place(file)
    try:
        text = _text(file)
        return Document(file, tomllib.loads(text))
    except OSError as error:
        mistakes.add(place, f"cannot be read ({error.strerror or error})", _remedy(error))
    except UnicodeDecodeError as error:
        mistakes.add(place, f"is not UTF-8 (byte {error.start})")
    except RecursionError:
        mistakes.add(place, "is nested too deeply")
    except ValueError as error:  # TOMLDecodeError, and what dates and long numbers raise
        mistakes.add(place, f"is not TOML: {error}")
    return None


def _remedy(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "run as root or as the service's user"
    return "put a plain text file of a sensible size in its place"


def _text(file: Path) -> str:
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "not a regular file")
    if status.st_size > LARGEST:
        raise OSError(0, f"larger than {LARGEST} bytes")
    return file.read_bytes().decode("utf-8").replace("\r\n", "\n")
