"""Runs checks side by side, each with its own time limit. A check that hangs or fails delays and hides no other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from workers.clients import deadline
from workers.doctor.check_context import Context
from workers.errors import NotAvailable, TrackwalkerError
from workers.models.check_results import CheckReport, CheckResult, CheckStatus

log = logging.getLogger("trackwalker.doctor")

Run = Callable[[Context], Iterable[CheckResult]]


class Check(NamedTuple):
    """A check of one area."""

    area: str
    run: Run
    seconds: float
    """Time limit. All checks start at the same time, so the longest one bounds the whole run."""
    is_quick: bool = False
    """Whether `up` runs it at start."""
    address: str = ""
    """The setting whose address it asks, to be checked where nothing answers."""
    needs: tuple[str, ...] = ()
    """Areas of the checks whose results it waits for."""
    after_others: bool = False
    """Whether it only judges what the other checks have seen."""


def run_checks(
    checks: Sequence[Check],
    context: Context,
    limit_seconds: float,
    report_progress: Callable[[str], None] = lambda _: None,
) -> CheckReport:
    """The results of the checks, in their order.

    Args:
        limit_seconds: upper bound of each check's own limit.
        report_progress: called with the area of each check that has ended.
    """
    began = time.monotonic()
    running = [_Running(check, context, limit_seconds, report_progress) for check in checks]
    first = [task for task in running if not task.check.after_others]
    for task in first:
        task.start()
    for task in first:
        task.wait(began)
    for task in running:
        if task.check.after_others:
            task.start()
            task.wait(time.monotonic())
    results = tuple(result for task in running for result in task.results)
    return CheckReport(results=results, at=context.now(), seconds=round(time.monotonic() - began, 1))


class _Running:
    """One check in a thread of its own. A daemon: the process may end while the check still waits for an answer."""

    def __init__(
        self, check: Check, context: Context, limit_seconds: float, report_progress: Callable[[str], None]
    ) -> None:
        self.check, self.context, self.report_progress = check, context, report_progress
        self.seconds = min(check.seconds, limit_seconds)
        self.results: tuple[CheckResult, ...] = ()
        self._ended = threading.Event()
        self._is_over = False
        """Whether its time is over: then the connections are closed below it, and its errors mean nothing."""
        self._results: tuple[CheckResult, ...] = ()

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"check {self.check.area}", daemon=True).start()

    def wait(self, began: float) -> None:
        """Wait until the check has ended or its time is over, and take over its results."""
        if self._ended.wait(max(0.0, began + self.seconds - time.monotonic())):
            self.results = self._results
        else:
            self._is_over = True
            text = f"no answer within {self.seconds:g} s"
            self.results = (self._result(CheckStatus.WARNING, text, self._retry()),)
        self.report_progress(self.check.area)

    def _run(self) -> None:
        try:
            with deadline.within(self.seconds):
                self._results = tuple(self.check.run(self.context))
        except TrackwalkerError as error:
            if isinstance(error, NotAvailable):
                self._results = (self._result(CheckStatus.WARNING, str(error), self._retry()),)
            else:
                self._results = (self._result(CheckStatus.ERROR, str(error)),)
        except Exception as error:  # a bug in one check must not hide the results of the others
            if not self._is_over:
                log.exception("check failed")
            text = f"the check failed: {type(error).__name__}"
            self._results = (self._result(CheckStatus.WARNING, text),)
        finally:
            self._ended.set()

    def _retry(self) -> str:
        return f"try again, or check {self.check.address}" if self.check.address else "try again"

    def _result(self, status: CheckStatus, what: str, repair: str = "") -> CheckResult:
        return CheckResult(area=self.check.area, status=status, what=what, repair=repair)
