"""What is said of owners where the eyes themselves cannot be opened."""

from __future__ import annotations

import subprocess
import sys

from tlsa_manager.observe import blind


def test_nothing_is_known_and_the_reason_is_told() -> None:
    """Unknown is never absent: no answers, not complete, and the problem in every view."""
    names = ["_25._tcp.mx.example.", "_443._tcp.www.example."]
    views = blind(names, "trust anchor cannot be read", 5.0)
    assert list(views) == names
    for name, view in views.items():
        assert (view.owner, view.target, view.at, view.answers) == (name, name, 5.0, ())
        assert (view.complete, view.problem) == (False, "trust anchor cannot be read")


def test_it_needs_nothing_that_may_be_what_is_broken() -> None:
    """It is made without any DNS library."""
    program = "import sys; from tlsa_manager.observe import blind; blind(['x.'], 'why', 0.0); sys.exit('dns' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
