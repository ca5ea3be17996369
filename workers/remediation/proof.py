"""Decides what the runs of a reproduction show. Pure.

A reproduction proves a fix if it fails without the patch through the fault's place, passes with it because changed
lines run, and fails in each of its counter-checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from workers.models import ReasonKind, VerificationReason
from workers.remediation.changed_code import ChangedCode
from workers.remediation.counter_checks import (
    BROKEN_CODE,
    BROKEN_LINES,
    FAILING_ASSERTIONS,
    FAILING_END,
    IDLE_CODE,
    ControlFiles,
)
from workers.remediation.policy.test_files import is_test
from workers.remediation.reproduction_runs import LOAD_FAILURE, Attempt, Attempts
from workers.remediation.test_results import TestResult

Decision = Literal["ready", "draft", "rejected", "already fixed"]
FAILURE_LIMIT = 200  # characters of an error that a reason quotes
MAX_NAMES = 3  # names that a reason lists


@dataclass(frozen=True)
class Fault:
    """The fault that a fix is made for, as the evidence names it.

    Attributes:
        file: the culprit; None if nothing is known.
        lines: the lines of its function on the base commit; empty if no line is known.
        exceptions: names of exception types of the error log; empty if there is none.
    """

    file: str | None = None
    lines: range = range(0)
    exceptions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """What the patch changes, as far as the host can read the languages.

    Attributes:
        code: file → changed code.
        unread: changed source files whose language the host cannot follow while it runs.
        controls: the counter-checks that ran.
        observed: the language's runner reports executed lines.
        reproduction: path of the test or script.
    """

    code: Mapping[str, ChangedCode] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    controls: Sequence[ControlFiles] = ()
    observed: bool = True
    reproduction: str = ""


@dataclass(frozen=True)
class Verdict:
    """The decision, with a reason for anything but `ready`."""

    decision: Decision
    reasons: tuple[VerificationReason, ...] = ()


def decide(attempts: Attempts, fault: Fault, change: Change, base_commit: str) -> Verdict:
    """What the runs show."""
    return _decide_outcomes(attempts, base_commit) or _decide_proof(attempts, fault, change)


def describe_failure(attempt: Attempt) -> str:
    """The error of the first failed test, else the reason or the last line of the output."""
    for name in sorted(attempt.result.report.ids("failed")):
        test = attempt.result.report.tests[name]
        if test.error:
            return f"{test.error}: {test.message.strip().partition(chr(10))[0]}"[:FAILURE_LIMIT]
    lines = [line.strip() for line in attempt.run.output.splitlines() if line.strip()]
    return (attempt.reason or (lines or ["no output"])[-1])[:FAILURE_LIMIT]


# ---- outcomes ----


def _decide_outcomes(attempts: Attempts, base_commit: str) -> Verdict | None:
    """The decision that follows from outcomes alone; None if the reproduction fails before and passes after."""
    first = [attempts.deployed, *attempts.base[:1]]
    for attempt in first:
        if attempt.unloadable:
            text = f"{attempt.reason}: its failure says nothing about the fault"
            return _verdict("rejected", ReasonKind.REPRODUCTION_INVALID, text)
    if not attempts.base:
        text = "the reproduction passes on the deployed commit: it does not show the fault"
        return _verdict("rejected", ReasonKind.NOT_REPRODUCED, text)
    if attempts.base[0].outcome == "passed" and attempts.deployed.outcome == "failed":
        text = f"Already fixed in {base_commit[:12]}, which is not deployed yet"
        return _verdict("already fixed", ReasonKind.ALREADY_FIXED, text)
    if attempts.base[0].outcome == "passed":
        return _verdict("rejected", ReasonKind.NOT_REPRODUCED, "the reproduction passes without the patch")
    patched = attempts.patched[0] if attempts.patched else None
    if patched is not None and patched.outcome == "failed":
        text = f"the reproduction still fails with the patch: {describe_failure(patched)}"
        return _verdict("rejected", ReasonKind.STILL_FAILS, text)
    if (
        patched is not None
        and patched.outcome == "not run"
        and patched.result.started
        and first[-1].outcome == "failed"
    ):
        text = f"with the patch the reproduction cannot be run: {patched.reason}"
        return _verdict("rejected", ReasonKind.STILL_FAILS, text)
    for attempt in (*first, *attempts.patched):
        if attempt.outcome == "not run":
            text = f"the {attempt.run.name} could not be run ({attempt.reason})"
            return _verdict("draft", ReasonKind.REPRODUCTION_NOT_RUN, text)
    if any(attempt.outcome == "passed" for attempt in attempts.base) or any(
        attempt.outcome != "passed" for attempt in attempts.patched
    ):
        text = "the reproduction does not give the same result twice"
        return _verdict("rejected", ReasonKind.UNSTABLE, text)
    return None


# ---- proof ----


def _decide_proof(attempts: Attempts, fault: Fault, change: Change) -> Verdict:
    flaws = list(_find_flaws(attempts, fault, change))
    if flaws:
        return Verdict("rejected", tuple(_reason(ReasonKind.NO_PROOF, text) for text in flaws))
    gaps = list(_find_gaps(attempts, fault, change))
    if gaps:
        return Verdict("draft", tuple(_reason(ReasonKind.UNPROVED, text) for text in gaps))
    return Verdict("ready")


def _find_flaws(attempts: Attempts, fault: Fault, change: Change) -> Iterator[str]:
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
        yield "no test of the reproduction has another result with the patch"


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
                yield f"an assertion of the reproduction holds whatever it asserts ({_list(sorted(still))})"
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


def _find_gaps(attempts: Attempts, fault: Fault, change: Change) -> Iterator[str]:
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
        yield "the reproduction has no test function that the counter-check could let fail"
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


def _reason(kind: ReasonKind, text: str) -> VerificationReason:
    return VerificationReason(kind=kind, text=text)


def _verdict(decision: Decision, kind: ReasonKind, text: str) -> Verdict:
    return Verdict(decision, (_reason(kind, text),))
