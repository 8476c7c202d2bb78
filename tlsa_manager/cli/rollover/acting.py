"""After a person has spoken: do at once what is due, and tell where the lineage stands now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlsa_manager.cli.run import outcome, tell_errors
from tlsa_manager.cli.standing import lines, value
from tlsa_manager.clock import now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.cli.voice import Voice
    from tlsa_manager.errors import TlsaManagerError
    from tlsa_manager.wiring import House


def go_on(
    voice: Voice, home: House, name: str, said: str = "", before: Mapping[str, TlsaManagerError] | None = None, **more: Any
) -> int:
    """Run the lineage and return the exit code. `before`: what went wrong already; `more`: what else the answer has on --json."""
    errors = {**home.run([name], anyway=True), **(before or {})}
    standing = home.standing(name)
    text = [*([(said, "bold")] if said else []), *lines(standing, now())]
    voice.answer({"said": said, **more, "lineage": value(standing)}, text)
    tell_errors(voice, errors, shown=not (voice.json or voice.quiet))
    return outcome([standing.facts], errors)
