"""`run --watch`: keep going, and tell what is done and what is waited for, as it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from tlsa_manager.clock import now, sleep
from tlsa_manager.errors import ConfigError
from tlsa_manager.wiring import house

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.cli.voice import Voice
    from tlsa_manager.config import Config
    from tlsa_manager.errors import TlsaManagerError
    from tlsa_manager.wiring import House

LONGEST_NAP = 2.0  # seconds until a renewal that a hook brought is noticed
SHORTEST_NAP = 0.05


def keep_going(voice: Voice, wanted: tuple[str, ...]) -> NoReturn:
    """Run whenever something is due, until interrupted. A configuration that was changed is read again."""
    config = voice.config()
    home = _home(voice, config)
    said: dict[str, str] = {}
    complained: dict[str, str] = {}
    while True:
        config, home = _fresh(voice, config, home)
        names = [home.lineage(name).name for name in wanted] or list(config.lineages)
        due = [name for name in names if home.due(name, now())]
        errors = home.run(due, anyway=True) if due else {}
        _complain(voice, errors, complained)
        for name in names:
            _tell(voice, home, name, said)
        sleep(LONGEST_NAP if errors else _nap(home, names))


def _home(voice: Voice, config: Config) -> House:
    return house(config, watch=lambda name, text: voice.event({"lineage": name, "done": text}, f"{name}: {text}"))


def _fresh(voice: Voice, config: Config, home: House) -> tuple[Config, House]:
    """Read the configuration again if it was changed; with a mistake in it the former one stays."""
    if not config.changed():
        return config, home
    try:
        fresh = voice.config()
    except ConfigError as error:
        voice.complain("; ".join(error.mistakes) or error.message, "the configuration as it was before stays in force")
        return config.kept(), home
    return fresh, _home(voice, fresh)


def _complain(voice: Voice, errors: Mapping[str, TlsaManagerError], complained: dict[str, str]) -> None:
    """Say what went wrong, once for as long as it stays the same."""
    for name, error in errors.items():
        if complained.get(name) != error.message:
            voice.complain(f"{name}: {error.message}", error.hint)
    complained.clear()
    complained.update({name: error.message for name, error in errors.items()})


def _tell(voice: Voice, home: House, name: str, said: dict[str, str]) -> None:
    """Say where a lineage stands if that is news."""
    from tlsa_manager.cli.standing import summary, value

    standing = home.standing(name)
    text, style = summary(standing)
    if said.get(name) != text:
        said[name] = text
        voice.event(value(standing), text, style)


def _nap(home: House, names: list[str]) -> float:
    plans = (home.standing(name).plan for name in names)
    wake = min((plan.wake_at for plan in plans if plan), default=now() + LONGEST_NAP)
    return min(max(wake - now(), SHORTEST_NAP), LONGEST_NAP)
