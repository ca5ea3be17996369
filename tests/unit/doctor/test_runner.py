"""Checks run side by side: one that hangs or breaks delays and hides no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from workers.doctor.check_context import Context
from workers.doctor.results import passed
from workers.doctor.runner import Check, run_checks
from workers.errors import NotAvailable, Refused
from workers.models.check_results import CheckResult, CheckStatus
from workers.runtime.settings import read


def context() -> Context:
    return Context(read({}), {}, Path("nowhere"))


def works(_: Context) -> Iterator[CheckResult]:
    yield passed("Good", "fine")


def breaks(_: Context) -> Iterator[CheckResult]:
    yield passed("Bad", "so far")
    raise KeyError("secret")


def refused(_: Context) -> Iterator[CheckResult]:
    raise Refused("the token is wrong")


def away(_: Context) -> Iterator[CheckResult]:
    raise NotAvailable("it does not answer")


def test_a_check_that_hangs_is_named_after_its_time_and_the_others_are_shown() -> None:
    over = threading.Event()

    def hangs(_: Context) -> list[CheckResult]:
        over.wait(5)
        return []

    began = time.monotonic()

    report = run_checks([Check("Slow", hangs, 0.2), Check("Good", works, 5)], context(), 20)

    over.set()
    assert time.monotonic() - began < 3
    assert [(result.area, result.status) for result in report.results] == [
        ("Slow", CheckStatus.WARNING), ("Good", CheckStatus.OK),
    ]  # fmt: skip
    assert report.results[0].what == "no answer within 0.2 s"


def test_an_error_is_a_result_and_a_bug_shows_its_class_alone() -> None:
    checks = [Check("No", refused, 5), Check("Away", away, 5), Check("Bug", breaks, 5)]

    report = run_checks(checks, context(), 20)

    assert [(result.status, result.what) for result in report.results] == [
        (CheckStatus.ERROR, "the token is wrong"), (CheckStatus.WARNING, "it does not answer"),
        (CheckStatus.WARNING, "the check failed: KeyError"),
    ]  # fmt: skip


def test_a_check_that_judges_the_others_runs_after_them() -> None:
    seen: list[str] = []

    def note(_: Context) -> list[CheckResult]:
        time.sleep(0.1)
        seen.append("first")
        return [passed("First", "noted")]

    def judge(_: Context) -> list[CheckResult]:
        return [passed("Last", ",".join(seen))]

    report = run_checks([Check("Last", judge, 5, after_others=True), Check("First", note, 5)], context(), 20)

    assert [result.what for result in report.results] == ["first", "noted"]
