"""Checks everything that an installation depends on, and names the step that repairs each problem."""

from __future__ import annotations

from collections.abc import Callable

from workers.models.check_results import CheckReport

LIMIT_SECONDS = 20.0  # of `doctor` as a whole
QUICK_SECONDS = 3.0  # of the checks that `up` runs beside the start


def examine(
    *,
    is_quick: bool = False,
    post_test: bool = False,
    report_progress: Callable[[str], None] = lambda _: None,
) -> CheckReport:
    """The results of all checks of this installation, whose settings may be missing or malformed.

    Args:
        is_quick: only the checks that cost nothing, within QUICK_SECONDS.
        post_test: post one test message to Slack.
        report_progress: called with the area of each check that has ended.
    """
    from workers.doctor.catalogue import CHECKS
    from workers.doctor.check_context import Context
    from workers.doctor.runner import run_checks
    from workers.doctor.setting_checks import check_settings, read_present

    present = read_present()
    context = Context(
        present.settings, present.environ, present.folder, is_quick=is_quick, post_test=post_test
    )
    checks = [check for check in CHECKS if check.is_quick or not is_quick]
    report = run_checks(checks, context, QUICK_SECONDS if is_quick else LIMIT_SECONDS, report_progress)
    return report.model_copy(update={"results": (*check_settings(present), *report.results)})
