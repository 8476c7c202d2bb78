"""Several Postfix instances on one host (postmulti(1), MULTI_INSTANCE_README), and what systemd calls each of them.

Measured with 3.7: `postfix -c DIRECTORY reload` tells that instance alone, whatever multi_instance_wrapper says.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tlsa_manager.deploy import process
from tlsa_manager.deploy.postfix import snimaps
from tlsa_manager.errors import DeployError
from tlsa_manager.value import dataclass


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance. `name`: its multi_instance_name, empty for the primary; `units`: of systemd, the closest first."""

    directory: Path
    name: str = ""
    units: tuple[str, ...] = ()


def family(directory: Path, timeout: float) -> tuple[Instance, ...]:
    """Return the instance of a configuration directory, then all others of its host. Raises DeployError.

    The primary's configuration names the others; an instance that it does not name stands alone.
    """
    primary = Path(process.run(("postconf", "-dh", "config_directory"), timeout).strip())
    at_home = directory == primary or directory in _named(primary, timeout)
    first = primary if at_home else directory
    named = _named(first, timeout)
    found = [_instance(one, primary, timeout, is_known=at_home) for one in dict.fromkeys((first, *named))]
    return tuple(sorted(found, key=lambda one: one.directory != directory))


def is_running(instance: Instance, timeout: float) -> bool:
    """Whether its master runs."""
    try:
        process.run(("postfix", "-c", str(instance.directory), "status"), timeout)
    except DeployError:
        return False
    return True


def _named(directory: Path, timeout: float) -> tuple[Path, ...]:
    """Return the directories of the other instances, as a primary names them; none where there is no configuration."""
    try:
        value = process.run(("postconf", "-c", str(directory), "-hx", "multi_instance_directories"), timeout)
    except DeployError:
        return ()
    return tuple(map(Path, snimaps.words(value)))


def _instance(directory: Path, primary: Path, timeout: float, *, is_known: bool) -> Instance:
    """Debian: postfix@-.service is the primary and postfix.service no more than a cover; elsewhere that is Postfix itself.

    One that cannot be asked its name is known by its directory: what is wrong with it must not hide the others.
    """
    if directory == primary:
        return Instance(directory, units=("postfix@-.service", "postfix.service"))
    name = ""
    with suppress(DeployError):
        name = process.run(("postconf", "-c", str(directory), "-hx", "multi_instance_name"), timeout).strip()
    return Instance(directory, name, (f"postfix@{name}.service",) if is_known and name else ())
