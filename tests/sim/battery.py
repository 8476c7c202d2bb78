"""A quick battery for planted faults: timing cases, stories, regressions and some forty fixed worlds, until one is not passed.

`python -m sim.battery DIRECTORY [NAME]` examines the `tlsa_manager` in that directory, by the examination of that name first. It
prints what caught the fault, and ends with 0 = all passed, 1 = caught for a reason (an assertion, the oracle, the veto), 3 = the
code is broken in some other way.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TESTS = Path(__file__).parents[1]
PASSED, CAUGHT, BROKEN = 0, 1, 3


def examine(directory: str, first: str = "") -> int:
    """Run everything against the package in a directory, what is called so `first`; return the exit code."""
    sys.path[:0] = [directory, str(TESTS), str(TESTS / "rollover")]
    import tlsa_manager

    assert Path(tlsa_manager.__file__).is_relative_to(directory), "another package was imported"
    _listen_to_the_veto()
    examinations = [*_examinations(), *_worlds()]
    for name, examination in sorted(examinations, key=lambda one: not (first and one[0].startswith(first))):
        try:
            examination()
        except AssertionError as error:
            print(f"caught by {name}: {type(error).__name__}: {str(error)[:300] or _line(error)}")
            return CAUGHT
        except Exception as error:  # noqa: BLE001  what it is goes into the verdict
            print(f"broken in {name}: {type(error).__name__}: {error}")
            return BROKEN
    print("passed")
    return PASSED


def _examinations() -> Iterator[tuple[str, Callable[[], object]]]:
    import test_emergency
    import test_leaving
    import test_params
    import test_playbooks
    import test_reviewed
    import test_succession
    import test_timing

    modules = (test_timing, test_playbooks, test_reviewed, test_succession, test_emergency, test_leaving, test_params)
    for module in modules:
        for name, function in vars(module).items():
            if name.startswith("test_"):
                for values in _parameters(function):
                    yield f"{name}{list(values) or ''}", lambda function=function, values=values: function(**values)


def _parameters(function: Callable[..., object]) -> list[dict[str, object]]:
    """The values that pytest would call a test with."""
    marks = [mark.args for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
    tables = [[_together(names, value) for value in values] for names, values in marks]
    return [{name: value for part in values for name, value in part.items()} for values in product(*tables)]


def _together(names: str | tuple[str, ...], value: object) -> dict[str, object]:
    """One or several parameters that have values together."""
    return {names: value} if isinstance(names, str) else dict(zip(names, value, strict=True))  # type: ignore[call-overload]


def _worlds() -> Iterator[tuple[str, Callable[[], object]]]:
    """Fixed lives: every kind of fault with every kind of renewal, small enough to be quick."""
    from sim.fate import Fate, ServerFate, Span
    from sim.life import Renewal, Setting, foreign, live

    lag = ServerFate(lag=70.0)
    fates = {
        "quiet": Fate(),
        "stretch": Fate(ttl=10, stretch=150.0, servers=(ServerFate(), lag)),
        "long": Fate(ttl=300, servers=(lag, ServerFate(lag=100.0))),
        "down": Fate(ttl=300, servers=(ServerFate(down=(Span(0.0, 170.0), Span(300.0, 200.0))),)),
        "relapse": Fate(servers=(ServerFate(), ServerFate(lag=20.0, relapses=(Span(60.0, 180.0),), depth=2))),
        "broken": Fate(servers=(ServerFate(broken=(Span(50.0, 250.0),)), lag)),
        "lost": Fate(lost=frozenset([1, 3, 4]), refused=frozenset([2, 6]), silent=frozenset([5])),
        "crashes": Fate(crashes=frozenset([9, 20, 31, 33, 40, 52, 70]), reload_delays=(0.0, 4.0)),
        "clock": Fate(ttl=120, clock_steps=((130.0, 7200.0), (400.0, -86400.0)), timers=(0.0, 20.0, -5.0)),
        "deploys": Fate(failed_deploys=frozenset([1, 2]), reload_delays=(0.0, 15.0, 4.0)),
    }
    first, later = Renewal(5.0), Renewal(700.0, 0, "current")
    lives = {
        "one": (Setting(), (first,)),
        "several": (Setting(foreign=foreign("issuer")), (first, Renewal(60.0, 0, "latest"), Renewal(90.0), later)),
        "two": (Setting(lineages=2, owners=1, addresses=2), (first, Renewal(20.0, 1))),
        "unreadable": (Setting(owners=1, readable=False, foreign=foreign("stale")), (first,)),
    }
    for (fate, faults), (life, (setting, renewals)) in product(fates.items(), lives.items()):
        yield f"world {fate}/{life}", lambda faults=faults, setting=setting, renewals=renewals: live(faults, setting, renewals)


def _listen_to_the_veto() -> None:
    """A veto that speaks has caught a fault of the rules."""
    from tlsa_manager import engine

    ask = engine.veto

    def veto(step: object, scene: object) -> str:
        refusal = ask(step, scene)  # type: ignore[arg-type]
        assert not refusal, f"veto: {refusal}"
        return refusal

    engine.veto = veto  # type: ignore[assignment]


def _line(error: BaseException) -> str:
    """Where a bare assertion stands."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""


if __name__ == "__main__":
    sys.exit(examine(*sys.argv[1:]))
