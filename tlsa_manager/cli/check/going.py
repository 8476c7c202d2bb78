"""The run itself: results as they come, each kept before it is told."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, cast

from tlsa_manager.cli.check.resolver import insist_on_resolver
from tlsa_manager.cli.check.result import Result, of_report
from tlsa_manager.sender.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Generator

    from tlsa_manager.cli.check.targets import Work
    from tlsa_manager.config import Config
    from tlsa_manager.diagnose.report import Report
    from tlsa_manager.diagnose.settings import Settings


def results(work: Work, settings: Settings, *, config: Config | None, workers: int) -> Generator[Result]:
    """Yield the results of a run. Closing it ends the run. Raises Undiagnosed where no resolver answers."""
    heard = False
    while (first := (yield from work.next_target())) is not None:
        from tlsa_manager.diagnose import many

        reports = many.diagnose(work.some(first), settings, config=config, workers=workers)
        with closing(cast("Generator[Report]", reports)) as found:
            for report in found:
                if report.outcome is Delivery.UNKNOWN and not heard:
                    insist_on_resolver(settings)
                heard = True
                one = of_report(report)
                if work.former is not None:
                    work.former.keep(one)
                yield one
                yield from work.aside()
