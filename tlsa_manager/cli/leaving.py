"""How a hook leaves while its own threads still wait for servers: everything it did is on the disk already."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from tlsa_manager.errors import EXIT_OK


def end_at_once() -> NoReturn:
    """End the process successfully without waiting for any thread."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_OK)
