"""The checks that `up` runs once beside the start, and its first screen: `python -m workers.doctor.at_start`.

A process of its own, so that no check delays the start, and so that what the checks load leaves the memory with it.
On a terminal it prints text, elsewhere it logs one line for each problem.
"""

from __future__ import annotations

import logging
import sys
import time
from datetime import UTC, datetime

from workers import doctor
from workers.doctor import first_screen, report_lines
from workers.doctor.setting_checks import PresentSettings, read_present
from workers.engine.journal_store import JournalStore
from workers.engine.last_checks import store_report
from workers.errors import NotAvailable, SettingsError
from workers.models.check_results import CheckReport, CheckStatus
from workers.runtime import logs, store
from workers.runtime.process import protect_process
from workers.runtime.text import safe_row
from workers.views import overview
from workers.views.shapes import Overview

LEVELS = {CheckStatus.ERROR: logging.ERROR, CheckStatus.WARNING: logging.WARNING}
REDIS_SECONDS = 20.0  # for a Redis that starts at the same time
# For the first check of all environments, which begins 5 s after the start: before the screen, and after it.
SCREEN_SECONDS = 12.0
FIRST_CHECK_SECONDS = 120.0
POLL_SECONDS = 1.0

log = logging.getLogger("trackwalker.checks")


def main() -> int:
    """Run the quick checks and report what does not work; 0, as a problem does not prevent the start."""
    protect_process()
    logs.configure("checks")
    present, began = read_present(), datetime.now(UTC)
    report = doctor.examine(present, is_quick=True)
    _report(report)
    journals = _open_store(present)
    if journals is not None:
        store_report(journals, report)
    state = _first_state(journals, present, began, SCREEN_SECONDS)
    _show_screen(present, state, report)
    if state is None and (state := _first_state(journals, present, began, FIRST_CHECK_SECONDS)):
        _show_first_check(state, report)
    return 0


def _report(report: CheckReport) -> None:
    if sys.stderr.isatty():
        lines = report_lines.render_results(report.problems)
        for line in lines:
            print(report_lines.colour(safe_row(line)), file=sys.stderr, flush=True)
        return
    for result in report.problems:
        facts = {"area": result.area, "what": result.what, "repair": result.repair}
        log.log(LEVELS[result.status], "check failed", extra=facts)
    log.info("installation checked", extra={"problems": len(report.problems), "seconds": report.seconds})


def _open_store(present: PresentSettings) -> JournalStore | None:
    """The journals, as soon as Redis answers; None if it does not."""
    until = time.monotonic() + REDIS_SECONDS
    while time.monotonic() < until:
        try:
            journals = JournalStore(store.connect(present.settings, present.folder))
            journals.ping()
            return journals
        except (NotAvailable, SettingsError):
            time.sleep(POLL_SECONDS)
    return None


def _first_state(
    journals: JournalStore | None, present: PresentSettings, began: datetime, seconds: float
) -> Overview | None:
    """The state after the first check since the start; None if none ends in time."""
    until = time.monotonic() + seconds
    while journals is not None and time.monotonic() < until:
        try:
            state = overview.read(journals, present.settings, datetime.now(UTC))
        except NotAvailable:
            return None
        ended = [sweep for sweep in state.sweeps if sweep.ended_at and sweep.ended_at >= began]
        if ended and len(ended) == len(state.sweeps):
            return state
        time.sleep(POLL_SECONDS)
    return None


def _show_screen(present: PresentSettings, state: Overview | None, report: CheckReport) -> None:
    settings, watched = present.settings, report.watched
    if sys.stderr.isatty():
        lines = first_screen.screen(settings, state, watched)
        print("\n".join(["", *map(safe_row, lines), ""]), file=sys.stderr, flush=True)
        return
    facts = {
        "mode": settings.mode,
        "watching": first_screen.watching(state, watched),
        "next": first_screen.next_check(settings, state),
    }
    log.info("running", extra=facts)


def _show_first_check(state: Overview, report: CheckReport) -> None:
    text = first_screen.watching(state, report.watched)
    if sys.stderr.isatty():
        print(safe_row(f"First check: {text}"), file=sys.stderr, flush=True)
    else:
        log.info("first check ended", extra={"watching": text})


if __name__ == "__main__":
    sys.exit(main())
