"""`demo`: a whole rollover in half a minute, with servers of its own, beside the same renewal done carelessly."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.voice import colours, voice_of
from tlsa_manager.errors import EXIT_FAILED, EXIT_OK, TlsaManagerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlsa_manager.cli.voice import Voice
    from tlsa_manager.demo.story import Story

INTRODUCTION = """\
A mail server with DANE has the digest of its key in DNS, as a TLSA record.
Senders keep that record in caches, and refuse a server whose key does not
match. So the next key's record must be everywhere before the server uses it.
Watch two renewals: with tlsa-manager, and as a simple deploy hook does it."""


@click.command(cls=Command, name="demo", short_help="A whole rollover in half a minute, with servers of its own.")
@click.pass_context
def command(context: click.Context) -> int:
    """Play a rollover on loopback: name servers, a mail server, and a sender that tries ten times a second. Needs no root,
    touches nothing of this machine, and ends with the figures. Then the same renewal is done naively, for comparison.

    Exit code 0 if no mail was refused with tlsa-manager, and some were without.
    """  # noqa: D205  click makes paragraphs of it
    voice = voice_of(context)
    _need_aiosmtpd()
    from tlsa_manager.demo.play import play
    from tlsa_manager.demo.story import new_story

    story = new_story()
    with _ending_tidily(), _audience(voice, story) as audience:
        play(story, audience)
    if voice.json:
        voice.event(_figures(story), "")
    else:
        from tlsa_manager.cli.demo.closing import lines

        voice.answer({}, lines(story))
    return EXIT_OK if story.good else EXIT_FAILED


def _figures(story: Story) -> dict[str, Any]:
    ours, naive = story.with_tool.tally, story.naive.tally
    return {
        "attempts": ours.attempts,
        "failures": ours.failures,
        "seconds": round(story.seconds, 1),
        "naive": {"attempts": naive.attempts, "failures": naive.failures},
    }


@contextmanager
def _audience(voice: Voice, story: Story) -> Iterator[Callable[[Story], None]]:
    """Who looks on: nobody, a terminal, or a file."""
    if voice.json or voice.quiet:
        yield lambda _: None
        return
    voice.say(INTRODUCTION)
    if colours():
        from tlsa_manager.cli.demo.board import Board

        with Board(story) as board:
            yield board.look
    else:
        from tlsa_manager.cli.demo.reporter import Reporter

        yield Reporter(voice).look


@contextmanager
def _ending_tidily() -> Iterator[None]:
    """Let the demo clean up when it is told to end, or its terminal goes away."""
    import signal

    def end(number: int, _: object) -> NoReturn:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _need_aiosmtpd() -> None:
    from importlib.util import find_spec

    if find_spec("aiosmtpd") is None:
        raise TlsaManagerError(
            "the demo's mail server needs the Python package aiosmtpd, which is not installed",
            "pip install 'tlsa-manager[demo]' (with pipx: pipx inject tlsa-manager aiosmtpd), or run ./examples/demo.sh",
        )
