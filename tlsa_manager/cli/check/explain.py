"""`check --explain CODE`: the whole story of a fault, and `--explain list` for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlsa_manager.cli.check.finding_text import STYLES
from tlsa_manager.cli.check.paper import terminal_width
from tlsa_manager.cli.check.wrapped import labelled, wrapped
from tlsa_manager.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tlsa_manager.checks.fault import Fault
    from tlsa_manager.cli.voice import Line, Voice

ALL = "list"
_PREFIX = "F-"


def explain(voice: Voice, code: str) -> None:
    """Tell the story of a fault, or the codes and titles of all. Raises UsageError for a code that there is not."""
    from tlsa_manager.checks import faults

    known = faults()
    if code.strip().lower() == ALL:
        found = list(known.values())
        voice.answer({"faults": [_value(one) for one in found]}, _table(found))
        return
    one = known[_found(code, known)]
    voice.answer({"faults": [_value(one)]}, story(one, terminal_width()))


def _found(text: str, known: Mapping[str, Fault]) -> str:
    """Return the code that is meant: in any case, with or without its F-."""
    from tlsa_manager.option import suggestion

    word = text.strip().upper()
    for each in (word, _PREFIX + word):
        if each in known:
            return each
    near = suggestion(word if word.startswith(_PREFIX) else _PREFIX + word, known)
    near = near if near.startswith("; did") else ""
    raise UsageError(f"there is no finding {text[:40]!r}{near}", "tlsa-manager check --explain list has them all")


def story(one: Fault, width: int | None) -> Iterator[Line]:
    """Tell it to people."""
    yield f"{one.code}: {one.title} ({one.severity})", STYLES[one.severity]
    yield from ((line, "") for line in wrapped(one.story, width))
    for label, text in (("mail", one.consequence), ("to do", one.remedy), ("see", one.reference)):
        yield from ((line, "") for line in labelled(label, text, width, indent=0))


def _value(one: Fault) -> dict[str, Any]:
    return {
        "code": one.code,
        "title": one.title,
        "severity": str(one.severity),
        "story": one.story,
        "consequence": one.consequence,
        "remedy": one.remedy,
        "reference": one.reference,
    }


def _table(found: list[Fault]) -> Iterator[Line]:
    codes, levels = (
        max(len(text) for text in texts) for texts in zip(*((one.code, str(one.severity)) for one in found), strict=True)
    )
    for one in found:
        yield f"{one.code:<{codes}}  {one.severity!s:<{levels}}  {one.title}", ""
