"""Runs a repository's own tests without and with a patch, and compares the results by test id."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from workers.models import Check, ReasonKind, Run, VerificationReason
from workers.remediation.installation import PreparedTree
from workers.remediation.repository_settings import Command
from workers.remediation.reproduction_runs import PARALLEL_RUNS
from workers.remediation.run_trees import fresh_copy
from workers.remediation.sandboxed_commands import CheckEnvironment, run_command
from workers.remediation.suite_runs import (
    Observation,
    SuiteResult,
    readable_folders,
    record_run,
    run_suite,
    run_variables,
)
from workers.remediation.suites import Suite
from workers.remediation.test_output import runner_error
from workers.remediation.test_results import Report
from workers.runtime.text import plural

A = TypeVar("A")
B = TypeVar("B")

MAX_NAMES = 3  # failed tests that a reason names
RUNNER_OUTPUT = 2_000  # last characters in which a missing command is looked for
NATURAL_ORDER = 0  # number of a run with the suite's own order of tests
OTHER_ORDER = 1  # number of a run with another order of tests
NOT_FOUND_CODES = (126, 127)  # POSIX shells: command not executable, command not found


@dataclass(frozen=True)
class CheckResult:
    """One check without and with the patch.

    Attributes:
        runs: all runs, repetitions among them.
        regressions: sentences, each of which rejects the patch.
        gaps: reasons for a draft.
        notes: facts for the reviewer.
    """

    check: Check
    runs: tuple[Run, ...]
    regressions: tuple[str, ...] = ()
    gaps: tuple[VerificationReason, ...] = ()
    notes: tuple[str, ...] = ()


def compare_suite(
    environment: CheckEnvironment, base: PreparedTree, patched: PreparedTree, suite: Suite
) -> CheckResult:
    """Run a suite under the host's runner: a test that passes without the patch must pass with it.

    Tests that do not are run again on both trees in their natural order, because some depend on the order, and flaky
    tests are common: only a test that passes without the patch and fails with it each time counts.
    """
    results: list[SuiteResult] = []

    def run(tree: PreparedTree, order: int, name: str) -> SuiteResult:
        result = run_suite(
            environment,
            tree,
            suite,
            Observation(order),
            name=f"tests {name}",
            seconds=environment.check_seconds,
        )
        result = _classify(result)
        results.append(result)
        return result

    before, after = _both(
        lambda: run(base, NATURAL_ORDER, "without the patch"),
        lambda: run(patched, OTHER_ORDER, "with the patch"),
    )
    lost = _lost(before.report, after.report)
    notes: list[str] = []
    if lost and before.run.outcome != "not run":
        again, once_more = _both(
            lambda: run(base, NATURAL_ORDER, "without the patch, again"),
            lambda: run(patched, NATURAL_ORDER, "with the patch, again"),
        )
        stable = before.report.ids("passed") & again.report.ids("passed")
        still = {name for name in lost & stable if name not in once_more.report.ids("passed")}
        if still:
            last = run(patched, NATURAL_ORDER, "with the patch, a third time")
            still -= last.report.ids("passed")
        if flaky := sorted(lost - still):
            notes.append(f"tests with changing results in `{suite.command}`: {_names(flaky)}")
        lost, after = still, once_more
    return CheckResult(
        Check(before=before.run, after=after.run), tuple(result.run for result in results),
        _describe_lost(suite, lost, after.report), _gaps(suite, before), tuple(notes),
    )  # fmt: skip


def compare_command(
    environment: CheckEnvironment, base: PreparedTree, patched: PreparedTree, root: str, command: Command
) -> CheckResult:
    """Run a check of .trackwalker.toml. Its exit code can reject a patch and cannot prove a fix."""
    name = " ".join(command)
    runs: list[Run] = []

    def run(tree: PreparedTree, label: str) -> Run:
        record = _run_command(environment, tree, root, command, f"check {label}")
        runs.append(record)
        return record

    before, after = _both(lambda: run(base, "without the patch"), lambda: run(patched, "with the patch"))
    regressions: tuple[str, ...] = ()
    if before.outcome == "passed" and after.outcome != "passed":
        # Flaky checks are common: only a regression that shows twice counts.
        after = run(patched, "with the patch, again")
        if after.outcome != "passed":
            outcome = "fails" if after.outcome == "failed" else "cannot be run"
            last = (after.output.splitlines() or ["no output"])[-1][:200]
            regressions = (f"the check `{name}` passes without the patch and {outcome} with it: {last}",)
    gaps: tuple[VerificationReason, ...] = ()
    if after.outcome == "not run":
        text = f"the check `{name}` could not be run ({after.output.partition(chr(10))[0]})"
        gaps = (VerificationReason(kind=ReasonKind.CHECK_NOT_RUN, text=text),)
    note = f"`{name}` names no tests; only its exit code was compared"
    return CheckResult(Check(before=before, after=after), tuple(runs), regressions, gaps, (note,))


def compare_reproduction(
    environment: CheckEnvironment, base: PreparedTree, patched: PreparedTree, root: str, command: Command
) -> tuple[Run, Run]:
    """Run the reproduction by the `test` command of .trackwalker.toml: for languages without a runner of the host.

    Args:
        base: the base commit with the reproduction on top.
        patched: the same with the patch.
        command: with the path of the reproduction in it.
    """
    return _both(
        lambda: _run_command(environment, base, root, command, "reproduction without the patch"),
        lambda: _run_command(environment, patched, root, command, "reproduction with the patch"),
    )


# ---- suites ----


def _both(first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
    with ThreadPoolExecutor(PARALLEL_RUNS) as pool:
        jobs = pool.submit(first), pool.submit(second)
        return jobs[0].result(), jobs[1].result()


def _classify(result: SuiteResult) -> SuiteResult:
    """The result with an outcome by the report, and an incomplete report without its successes."""
    report = result.report
    if result.run.outcome == "not run":
        return result
    missing = runner_error(result.run.output) if report.problem and not report.tests else ""
    if missing or (not report.problem and not report.tests):
        reason = f"the test runner is not installed: {missing}" if missing else "no test ran"
        run = result.run.model_copy(
            update={"outcome": "not run", "output": f"{reason}\n{result.run.output}".strip()}
        )
        return replace(result, run=run)
    if report.problem:
        tests = {name: test for name, test in report.tests.items() if test.outcome != "passed"}
        report = replace(report, tests=tests)
    failed = bool(report.problem or report.ids("failed"))
    run = result.run.model_copy(
        update={
            "outcome": "failed" if failed else "passed", "passed": len(report.ids("passed")),
            "failed": len(report.ids("failed")),
            "output": f"{report.problem}\n{result.run.output}".strip() if report.problem else result.run.output,
        }
    )  # fmt: skip
    return replace(result, report=report, run=run)


def _lost(before: Report, after: Report) -> set[str]:
    """Tests that pass without the patch and do not pass with it, including tests that vanished."""
    return before.ids("passed") - after.ids("passed")


def _describe_lost(suite: Suite, lost: set[str], after: Report) -> tuple[str, ...]:
    if not lost:
        return ()
    verb = "pass" if len(lost) > 1 else "passes"
    subject = plural(len(lost), "test")
    problem = f" ({after.problem})" if after.problem else ""
    names = _names(sorted(lost))
    return (f"{subject} of `{suite.command}` {verb} without the patch but not with it: {names}{problem}",)


def _gaps(suite: Suite, before: SuiteResult) -> tuple[VerificationReason, ...]:
    if before.run.outcome != "not run" and not before.report.problem:
        return ()
    cause = before.report.problem if before.run.outcome != "not run" else before.run.output.partition("\n")[0]
    text = f"the tests of `{suite.command}` could not be run without the patch ({cause})"
    return (VerificationReason(kind=ReasonKind.CHECK_NOT_RUN, text=text),)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


# ---- commands ----


def _run_command(
    environment: CheckEnvironment, prepared: PreparedTree, root: str, command: Command, name: str
) -> Run:
    line = " ".join(command)
    tool = {"npx": "npm"}.get(command[0], command[0])
    if tool in ("node", "npm") and shutil.which(tool) is None:
        return Run(name=name, command=line, outcome="not run", output=f"{tool} is not installed on this host")
    if prepared.error:
        return Run(name=name, command=line, outcome="not run", output=prepared.error)
    with fresh_copy(prepared.source, environment.folder) as folder:
        result = run_command(
            environment, command, cwd=folder.tree / root, writable=[folder.top],
            readable=readable_folders(prepared), variables=run_variables(prepared, root, folder, NATURAL_ORDER),
            seconds=environment.check_seconds,
        )  # fmt: skip
        ended = time.monotonic()
        environment.busy.append((ended - result.seconds, ended))
        run = record_run(environment, name, line, result, folder.tree, result.seconds)
    missing = result.code != 0 and runner_error(result.output[-RUNNER_OUTPUT:])
    if result.code in NOT_FOUND_CODES or missing:
        text = f"the command is not installed: {missing or run.output}".partition("\n")[0]
        return run.model_copy(update={"outcome": "not run", "output": text})
    return run
