"""The door: `tlsa-manager` and `python -m tlsa_manager`."""

import atexit
import gc
import os
import sys
from typing import NoReturn

from tlsa_manager import __version__

AT_LEAST = 20_000  # new objects before the interpreter looks for circles among them, 700 if not told: a start makes many


def door() -> NoReturn:
    """Obey the command line and end the process.

    What was to be done at its end is done; to take apart all that it has built is left to the system, which is quicker.
    """
    code = main()
    if _is_somebody_at_work():
        sys.exit(code)  # the interpreter waits for them
    atexit._run_exitfuncs()  # noqa: SLF001  as the interpreter does
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            sys.exit(code)  # the interpreter complains
    os._exit(code)


def main() -> int:
    """Obey the command line and return the exit code. `--version` alone is answered before anything is imported."""
    words = sys.argv[1:]
    if words == ["--version"]:
        sys.stdout.write(f"tlsa-manager {__version__}\n")
        return 0
    gc.set_threshold(AT_LEAST)
    from tlsa_manager.cli.ending import run

    return run(words)


def _is_somebody_at_work() -> bool:
    """Whether a thread is left that the interpreter would wait for."""
    threading = sys.modules.get("threading")
    return threading is not None and any(not one.daemon for one in threading.enumerate() if one is not threading.main_thread())


if __name__ == "__main__":
    door()
