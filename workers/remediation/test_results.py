"""The results of a run by test id, read from the report of `runners/guard.py`. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["passed", "failed", "skipped", "expected failure", "none"]
OUTCOMES = ("passed", "failed", "skipped", "expected failure", "none")


@dataclass(frozen=True)
class TestResult:
    """One test of a run.

    Attributes:
        error: name of the exception's type; empty if the test did not fail.
        chain: names of the exception's type and of those that caused it.
        frames: (file, line, function) of the stack, outermost first; absolute paths of the run's own tree.
    """

    __test__ = False  # keeps pytest from collecting the class

    outcome: str
    error: str = ""
    chain: tuple[str, ...] = ()
    message: str = ""
    text: str = ""
    frames: tuple[tuple[str, int, str], ...] = ()


@dataclass(frozen=True)
class Report:
    """The report of the host's runner.

    Attributes:
        tests: results by id. A test that ran twice has its worst result.
        problem: why the report is incomplete; its results then show no success.
        lines: executed lines by file of the repository, relative to the tree, those of the reproduction among them.
        functions: `file:function` of each function of the repository that ran.
        raised: (exception, file, line, function) that passed through files of the repository.
        reads: source files that the reproduction read itself.
        loaded: files of the repository that were imported.
        seconds: how long the tests' own process ran.
    """

    tests: Mapping[str, TestResult] = field(default_factory=dict)
    problem: str = ""
    lines: Mapping[str, frozenset[int]] = field(default_factory=dict)
    functions: frozenset[str] = frozenset()
    raised: tuple[tuple[str, str, int, str], ...] = ()
    reads: tuple[str, ...] = ()
    loaded: tuple[str, ...] = ()
    seconds: float = 0.0

    def ids(self, outcome: Outcome) -> set[str]:
        """The ids of the tests with that outcome."""
        return {name for name, test in self.tests.items() if test.outcome == outcome}


NO_REPORT = Report(problem="the test runner gave no report")


def read_report(content: bytes) -> Report:
    """The report of one run; one with a problem if it is malformed, cut off or inconsistent."""
    try:
        summary = json.loads(content)
        problem, events = str(summary["problem"]), summary["events"]
        tests, inconsistency = _read_tests(events)
        end: dict[str, Any] = next((event for event in reversed(events) if event["event"] == "end"), {})
        return Report(
            tests=tests,
            problem=problem or inconsistency,
            lines={path: frozenset(lines) for path, lines in end.get("lines", {}).items()},
            functions=frozenset(end.get("functions", ())),
            raised=tuple((str(n), str(p), int(line), str(f)) for n, p, line, f in end.get("raised", ())),
            reads=tuple(end.get("reads", ())),
            loaded=tuple(end.get("loaded", ())),
            seconds=float(summary["seconds"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return NO_REPORT


def _read_tests(events: list[dict[str, Any]]) -> tuple[dict[str, TestResult], str]:
    """The results, and why they are inconsistent: a test that ends without a start, or starts and never ends."""
    tests: dict[str, TestResult] = {}
    running: dict[str, int] = {}
    problem = ""
    for event in events:
        if event["event"] == "start":
            running[event["id"]] = running.get(event["id"], 0) + 1
        elif event["event"] == "stop":
            name = str(event["id"])
            if not running.get(name):
                problem = problem or f"{name} ends without having started"
                continue
            running[name] -= 1
            result = _read_test(event)
            if name not in tests or _badness(result) > _badness(tests[name]):
                tests[name] = result
    unended = sorted(name for name, count in running.items() if count)
    return tests, problem or (f"{unended[0]} started and did not end" if unended else "")


def _read_test(event: dict[str, Any]) -> TestResult:
    error = event.get("error") or {}
    outcome = event["outcome"] if event["outcome"] in OUTCOMES else "failed"
    return TestResult(
        outcome=outcome,
        error=str(error.get("type", "")),
        chain=tuple(str(name) for name in error.get("chain", ())),
        message=str(error.get("message", "")),
        text=str(event.get("text", "")),
        frames=tuple((str(file), int(line), str(name)) for file, line, name in error.get("frames", ())),
    )


def _badness(result: TestResult) -> int:
    return ("passed", "expected failure", "skipped", "none", "failed").index(result.outcome)
