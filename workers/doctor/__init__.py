"""Checks everything that an installation depends on, and names the step that repairs each problem."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from workers.models.check_results import CheckReport

if TYPE_CHECKING:
    from workers.doctor.setting_checks import PresentSettings

LIMIT_SECONDS = 20.0  # of `doctor` as a whole
QUICK_SECONDS = 3.0  # of the checks that `up` runs beside the start


def examine(
    present: PresentSettings | None = None,
    *,
    areas: Collection[str] = (),
    is_quick: bool = False,
    post_test: bool = False,
    report_progress: Callable[[str], None] = lambda _: None,
) -> CheckReport:
    """The results of all checks of this installation, whose settings may be missing or malformed.

    Args:
        present: the settings; None reads those of the environment and of `.env`.
        areas: only these areas of the report, in lower case; none stands for all.
        is_quick: only the checks that cost nothing, within QUICK_SECONDS.
        post_test: post one test message to Slack.
        report_progress: called with the area of each check that has ended.
    """
    from workers.doctor.catalogue import CHECKS
    from workers.doctor.check_context import Context
    from workers.doctor.runner import run_checks
    from workers.doctor.setting_checks import AREA, check_settings, read_present

    present = present or read_present()
    context = Context(
        present.settings, present.environ, present.folder, is_quick=is_quick, post_test=post_test
    )
    chosen = [check for check in CHECKS if not areas or check.area.lower() in areas]
    needed = {name for check in chosen for name in check.needs} | {check.area for check in chosen}
    checks = [check for check in CHECKS if check.area in needed and (check.is_quick or not is_quick)]
    limit = QUICK_SECONDS if is_quick else LIMIT_SECONDS
    report = run_checks(checks, context, limit, report_progress)
    context.close()
    settings = check_settings(present, with_optional=False) if not areas or AREA.lower() in areas else ()
    results = (result for result in report.results if not areas or result.area.lower() in areas)
    watched = context.watched.result() if context.watched.done() else ()
    labels = tuple(item.label for item in watched)
    return report.model_copy(update={"results": (*settings, *results), "watched": labels})


def all_areas() -> list[str]:
    """The areas of a full report, in its order."""
    from workers.doctor.catalogue import CHECKS
    from workers.doctor.setting_checks import AREA

    return [AREA, *(check.area for check in CHECKS)]
