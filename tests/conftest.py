"""What every test shares: the lab's fixtures, and the private network the whole test process lives in."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from lab import namespace, programs

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["lab.fixtures"]


def pytest_configure(config: pytest.Config) -> None:
    """Enter private namespaces before any thread starts; with xdist in each worker, not in the controller."""
    is_controller = bool(getattr(config.option, "numprocesses", None)) and not hasattr(config, "workerinput")
    if not is_controller:
        programs.widen_path()
        namespace.enter()
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun with `&` in a script: what we start would ignore it, too
            signal.signal(signal.SIGINT, signal.default_int_handler)
