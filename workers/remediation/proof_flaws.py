"""Flaws in the runs of a reproduction that fails without a patch and passes with it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from workers.remediation.change_under_test import Change, Fault
from workers.remediation.counter_checks import (
    BROKEN_CODE,
    BROKEN_LINES,
    FAILING_ASSERTIONS,
    FAILING_END,
    IDLE_CODE,
)
from workers.remediation.policy.test_files import is_test
from workers.remediation.reproduction_runs import LOAD_FAILURE, Attempt, Attempts
from workers.remediation.test_results import TestResult

MAX_NAMES = 3  # names that a reason lists


def find_flaws(attempts: Attempts, fault: Fault, change: Change) -> Iterator[str]:
    """Sentences that each show that the reproduction proves nothing."""
    if not change.code and not change.unread:
        yield "the patch changes no code, only comments or texts"
        return
    yield from _side_effects(attempts)
    yield from _lost_tests(attempts)
    yield from _failed_controls(attempts, change)
    patched, base = attempts.patched[0].result.report, attempts.base[0].result.report
    if not change.observed:
        if change.code and not _probed(attempts, change):
            yield f"the reproduction runs no changed line of {_list(_proof_files(fault, change))}"
        return
    yield from _skipped_lines(attempts, change)
    elsewhere = _ran_elsewhere(attempts)
    if not elsewhere and not [file for file in patched.loaded if not is_test(file)] and not patched.functions:
        yield "the reproduction imports no code of the service"
    elif not elsewhere and change.code and not _executed(attempts, fault, change):
        yield f"the reproduction runs no changed line of {_list(_proof_files(fault, change))}"
    if fault.file and not elsewhere and base.lines and not _reaches(attempts, fault):
        yield f"without the patch the reproduction does not reach {fault.file}, where the fault is"


def _side_effects(attempts: Attempts) -> Iterator[str]:
    reads = sorted({path for attempt in attempts.all for path in attempt.result.report.reads})
    if reads:
        yield f"the reproduction reads code ({_list(reads)}) instead of calling it"
    edits = sorted({
        path
        for attempt in (attempts.deployed, *attempts.base, *attempts.patched)
        for path in attempt.result.edits
    })  # fmt: skip
    if edits:
        yield f"the reproduction changes files of the repository ({_list(edits)})"


def _lost_tests(attempts: Attempts) -> Iterator[str]:
    """Tests that ran without the patch and do not pass with it, and a reproduction of which no test changed."""
    after = attempts.patched[0].result.report
    before = {
        name: test
        for attempt in attempts.base
        for name, test in attempt.result.report.tests.items()
        if not LOAD_FAILURE.search(name) and test.outcome != "skipped"
    }
    lost = sorted(name for name in before if name not in after.ids("passed"))
    if lost:
        yield f"tests of the reproduction do not pass with the patch ({_list(lost)})"
    changed = [name for name in before if before[name].outcome != "passed"]
    if before and not changed and not any(attempt.result.report.problem for attempt in attempts.base):
        yield "every test of the reproduction has the same result with the patch as without it"


def _skipped_lines(attempts: Attempts, change: Change) -> Iterator[str]:
    """Lines of the reproduction that fail without the patch and do not run with it."""
    path = change.reproduction
    executed = [attempt.result.report.lines.get(path, frozenset()) for attempt in attempts.patched]
    if not path or not all(executed):
        return
    failing = {
        line
        for attempt in attempts.base
        for test in attempt.result.report.tests.values()
        if test.outcome == "failed" and (line := _failing_line(test, path))
    }
    skipped = sorted(line for line in failing if not all(line in lines for lines in executed))
    if skipped:
        numbers = _list([str(line) for line in skipped])
        yield f"with the patch the reproduction does not run the line that fails without it ({path}:{numbers})"


def _failing_line(test: TestResult, path: str) -> int:
    """The innermost line of the reproduction in the stack of a failed test; 0 if it is in none."""
    lines = [line for file, line, _ in test.frames if file.endswith(f"/{path}")]
    if lines:
        return lines[-1]
    # Node.js prints the innermost call first.
    match = re.search(rf"/{re.escape(path)}:(\d+)", test.text)
    return int(match[1]) if match else 0


def _failed_controls(attempts: Attempts, change: Change) -> Iterator[str]:
    passed = attempts.patched[0].result.report.ids("passed")
    for control in change.controls:
        attempt = attempts.controls.get(control.name)
        if attempt is None:
            continue
        if control.name == BROKEN_CODE and attempt.outcome == "passed":
            yield "the reproduction passes even if the changed code only raises an error"
        named = {name for name in passed if not control.tests or _function(name) in control.tests}
        if control.name == FAILING_ASSERTIONS:
            still = [name for name in named if _failed_with(attempt, name, control.marker)]
            if still:
                yield f"an assertion of the reproduction cannot fail ({_list(sorted(still))})"
        if control.name == FAILING_END:
            silent = [name for name in named if not _failed_with(attempt, name, control.marker)]
            if silent:
                yield f"a test that raises an error at its end is not reported as failed ({_list(sorted(silent))})"


def _failed_with(attempt: Attempt, name: str, marker: str) -> bool:
    test = attempt.result.report.tests.get(name)
    return test is not None and test.outcome == "failed" and marker in f"{test.message}{test.text}"


def _function(name: str) -> str:
    """The test function of an id of unittest or pytest."""
    last = name.partition("[")[0].rpartition("::")[2].rpartition(" > ")[2]
    return last.rpartition(".")[2]


def _proof_files(fault: Fault, change: Change) -> list[str]:
    """The changed files of which lines must run: the culprit if the patch changes it, else any."""
    return [fault.file] if fault.file in change.code and fault.file else sorted(change.code)


def _executed(attempts: Attempts, fault: Fault, change: Change) -> bool:
    return all(
        any(
            change.code[file].lines & attempt.result.report.lines.get(file, frozenset())
            for file in _proof_files(fault, change)
        )
        for attempt in attempts.patched
    )


def _probed(attempts: Attempts, change: Change) -> bool:
    """True if an error in front of the changed lines fails the reproduction, or if no line can be broken."""
    markers = [control.marker for control in change.controls if control.name == BROKEN_LINES]
    attempt = attempts.controls.get(BROKEN_LINES)
    return attempt is None or any(
        marker in f"{test.message}{test.text}"
        for marker in markers
        for test in attempt.result.report.tests.values()
    )


def _ran_elsewhere(attempts: Attempts) -> bool:
    """True if the broken code was seen only in a process that the test started: its error is in the test's text."""
    attempt = attempts.controls.get(BROKEN_CODE)
    if attempt is None or attempts.patched[0].result.report.functions:
        return False
    return any("counter-check" in test.text for test in attempt.result.report.tests.values())


def _reaches(attempts: Attempts, fault: Fault) -> bool:
    for attempt in attempts.base:
        report = attempt.result.report
        lines = report.lines.get(fault.file or "", frozenset())
        if (lines & frozenset(fault.lines)) if fault.lines else lines:
            return True
    return False


# ---- gaps ----


def find_gaps(attempts: Attempts, fault: Fault, change: Change) -> Iterator[str]:
    """Sentences about what could not be proved here."""
    names = {control.name for control in change.controls}
    if change.code and not change.observed and BROKEN_LINES not in names:
        yield f"the executed lines of {_list(sorted(change.code))} cannot be observed here"
    if change.observed and _ran_elsewhere(attempts):
        yield "the reproduction runs the changed code in another process, where its lines are not observed"
    if not change.code:
        yield f"the host cannot follow how {_list(change.unread)} takes part in the reproduction"
    elif BROKEN_CODE not in names:
        yield "the changed code cannot be broken for a counter-check"
    if FAILING_END not in names:
        yield "the reproduction has no test function that the counter-check could make fail"
    idle = attempts.controls.get(IDLE_CODE)
    if idle is not None and idle.outcome == "passed" and not _fails_inside(attempts, change):
        yield "the reproduction also passes if the changed code does nothing at all"
    codes = change.code.values()
    if codes and all(code.literals_only for code in codes) and not _functions(attempts):
        yield "the patch only changes a value, and the reproduction compares it without running code of the service"
    if fault.exceptions and not _raises(attempts, fault):
        names_text = _list(sorted(fault.exceptions))
        yield f"without the patch the reproduction does not fail with the error of the evidence ({names_text})"


def _fails_inside(attempts: Attempts, change: Change) -> bool:
    """True if without the patch an error of a changed file fails the reproduction, and not only an assertion of it."""
    for attempt in attempts.base:
        report = attempt.result.report
        if attempt.timed_out:
            return True
        inside = {name for name, path, *_ in report.raised if path in change.code}
        failed = [report.tests[name] for name in report.ids("failed")]
        if any(test.error in inside for test in failed):
            return True
        # Node.js names the files of a stack in its text only.
        if any(
            f"/{path}:" in test.text and test.error != "AssertionError"
            for test in failed
            for path in change.code
        ):
            return True
    return False


def _functions(attempts: Attempts) -> list[str]:
    return [
        name for name in attempts.patched[0].result.report.functions if not is_test(name.rpartition(":")[0])
    ]


def _raises(attempts: Attempts, fault: Fault) -> bool:
    for attempt in (attempts.deployed, *attempts.base):
        report = attempt.result.report
        names = {name for name, *_ in report.raised}
        names |= {name for test in report.tests.values() for name in (test.error, *test.chain)}
        if names & fault.exceptions or attempt.timed_out:
            return True
    return False


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more
