"""How the program ends: the one place where an error becomes text on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from typing import TYPE_CHECKING

import click

from tlsa_manager.cli.root import root
from tlsa_manager.cli.voice import Voice, printable
from tlsa_manager.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, ConfigError, TlsaManagerError

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "tlsa-manager"
COMPLETE = "_TLSA_MANAGER_COMPLETE"
EXIT_INTERRUPTED = 130  # 128 + SIGINT, what a shell says of a program that was interrupted
EXIT_PIPE = 141  # 128 + SIGPIPE
_REPORT = (
    "this is a mistake in the program, not in what you did; the certificate that is served and its records are as they were "
    "before this step. Run it again with -v and report what it prints where you got tlsa-manager from"
)


def run(words: Sequence[str]) -> int:
    """Obey the command line; return the exit code. Nothing is raised."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:  # what libraries think of strangers' certificates is for programmers, and no word of ours
        warnings.simplefilter("ignore")
    voice = Voice(json="--json" in words)  # also where the words cannot be understood
    try:
        code = _obey(list(words), voice)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        code = EXIT_PIPE
    except BaseException as error:  # noqa: BLE001  the last resort of the program: everything is told, nothing is swallowed
        code = _tell(error, voice)
    _let_go()
    return code


def _obey(words: list[str], voice: Voice) -> int:
    if COMPLETE in os.environ:
        root.main(words, prog_name=PROGRAM, complete_var=COMPLETE, standalone_mode=False, obj=voice)
        return EXIT_OK
    with root.make_context(PROGRAM, words, obj=voice) as context:
        return int(root.invoke(context) or EXIT_OK)


def _tell(error: BaseException, voice: Voice) -> int:
    """Say what went wrong, and return how the process ends."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return EXIT_INTERRUPTED
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else EXIT_FAILED
    if isinstance(error, TlsaManagerError):
        mistakes = error.mistakes if isinstance(error, ConfigError) else ()
        return _say(voice, error.message, error.hint, error.exit_code, mistakes)
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())) and not voice.json:  # of newer ones
        click.echo(str(error), err=True)
        return EXIT_USAGE
    if isinstance(error, click.ClickException):
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else PROGRAM
        code = EXIT_USAGE if isinstance(error, click.UsageError) else EXIT_FAILED
        return _say(voice, error.format_message().rstrip("."), f"try: {path} --help", code)
    return _tell_unexpected(error, voice)


def _tell_unexpected(error: BaseException, voice: Voice) -> int:
    if isinstance(error, OSError) and error.filename is not None:
        return _say(voice, f"{error.filename}: {error.strerror}", "look at the file, its owner and its mode", EXIT_FAILED)
    if voice.verbose:
        import traceback

        sys.stderr.write(printable("".join(traceback.format_exception(error))))
    if isinstance(error, OSError) and error.errno is not None:
        hint = "try: df -h" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "run it again with -v to see where"
        return _say(voice, f"the system refused: {error.strerror}", hint, EXIT_FAILED)
    return _say(voice, f"something unexpected happened ({type(error).__name__}: {str(error)[:200]})", _REPORT, EXIT_FAILED)


def _say(voice: Voice, message: str, hint: str, code: int, mistakes: Sequence[str] = ()) -> int:
    try:
        for mistake in mistakes:
            print(printable(mistake), file=sys.stderr)
        voice.complain(message, hint)
        if voice.json:
            voice.answer({"error": message, "hint": hint, "mistakes": list(mistakes), "exit": code}, "")
    except OSError:  # nobody can hear it; the exit code still says it
        pass
    return code


def _let_go() -> None:
    """Let what nobody takes go nowhere: the interpreter would flush it once more, complain, and end with 120."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # it was closed before we were started
            continue
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
