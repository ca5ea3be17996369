"""Classifies the output of a test run: passed, failed, or not run at all. Pure.

The patterns follow the output of unittest, pytest, node:test, Jest, Vitest and Mocha.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from workers.sandbox.commands import CommandResult

NOTHING_RAN = re.compile(
    r"^Ran 0 tests|^NO TESTS RAN|no tests ran|collected 0 items|No tests found|No test files found"
    r"|^(?:#|\u2139) tests 0\b",
    re.MULTILINE,
)
ALL_SKIPPED = re.compile(
    r"^OK \((?:skipped|expected failures)=(?P<n>\d+)\)|^=* ?\d+ (?:skipped|xfailed|deselected)[^\n]* in [\d.]+s"
    r"|^Tests:\s+\d+ (?:skipped|todo), \d+ total|^\s*Tests\s+\d+ skipped \(\d+\)",
    re.MULTILINE,
)
NODE_SUMMARY = re.compile(r"^(?:#|\u2139) (pass|fail|skipped|todo) (\d+)", re.MULTILINE)
RUNNER_MISSING = re.compile(
    r"No module named (?:pytest|unittest)$|could not determine executable to run|npx canceled"
    r"|(?:command )?not found$|: No such file or directory$|missing script:|npm error 404",
    re.IGNORECASE | re.MULTILINE,
)
MISSING_MODULE = re.compile(
    r"ModuleNotFoundError: No module named '([^']+)'|Cannot find (?:module|package) '([^'./][^']*)'",
    re.MULTILINE,
)
LOAD_ERROR = re.compile(
    r"^[# \tE]*(?:(?:Syntax|Indentation|Tab|Import|ModuleNotFound)Error\b"
    r"|AttributeError: (?:partially initialized )?module '|NameError: name '"
    r"|TypeError: .*(?:unexpected keyword argument|positional arguments? but|required (?:positional|keyword-only)"
    r"|is not a function|is not a constructor)|error: .*(?:is not a function|is not a constructor|is not defined)"
    r"|ReferenceError: |Error: Cannot find module|.*ERR_MODULE_NOT_FOUND)[^\n]*",
    re.MULTILINE,
)
"""Errors of a test that calls code which does not exist, as opposed to code that does the wrong thing."""
FRAME = re.compile(
    r"""^[# \tE]*File "(?P<native>[^"\n]+)", line \d+"""
    r"""|^(?P<pytest>[^\s:"]+\.py):\d+: """
    r"""|^[# \t]*(?:file://)?(?P<node>/[^\s:()]+\.[cm]?[jt]sx?):\d+$"""
    r"""|^[# \t]*(?:at )?(?:[^\n(]* \()?(?:file://)?(?P<stack>/[^\s:()]+\.[cm]?[jt]sx?):\d+:\d+\)?""",
    re.MULTILINE,
)
FAILED_TEST = re.compile(
    r"^(?:FAIL|ERROR): (?P<unittest>[^\n]+)|^(?:FAILED|ERROR) (?P<pytest>\S+::\S+|\S+\.py\b)"
    r"|^\s*not ok \d+ - (?P<tap>[^\n#]+)|^\s*[\u2716\u2717\u00d7] (?P<spec>[^\n(]+)|^\s*● (?P<jest>[^\n]+)",
    re.MULTILINE,
)
NO_MOCHA_TEST = re.compile(r"^[ \t]*0 passing\b", re.MULTILINE)
ANSI_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
MAX_LINES = 2_000  # last lines of an output that are classified: hostile output must not cost minutes
MAX_LINE_LENGTH = 500
MAX_ERRORS = 50  # load errors that are compared with the stack
RUNNER_OUTPUT = 2_000  # last characters in which a missing runner is looked for
MESSAGE_LIMIT = 200
NOT_FOUND_CODES = (126, 127)  # POSIX shells: command not executable, command not found
NO_TESTS_CODE = 5  # pytest and unittest (Python 3.12): no tests were collected


@dataclass(frozen=True)
class Classification:
    """The result of a run, as decisions need it."""

    outcome: Literal["passed", "failed", "not run"]
    reason: str = ""
    """A sentence for people if the exit code alone does not explain the outcome."""
    unloadable: bool = False
    """The test failed because it could not be loaded, or because it calls code that does not exist."""
    timed_out: bool = False
    failed_tests: frozenset[str] = frozenset()
    """Names of failed tests, if the runner prints them."""


def classify_run(
    run: CommandResult, path: str | None, is_own_module: Callable[[str], bool]
) -> Classification:
    """The outcome that the run shows.

    Args:
        path: the reproduction; None for one of the repository's own checks, which may fail to load.
        is_own_module: True for modules of the repository. Any other missing module is a dependency that is not
            installed, so the test did not run.
    """
    lines = ANSI_ESCAPES.sub("", run.output).splitlines()[-MAX_LINES:]
    output = "\n".join(line[:MAX_LINE_LENGTH] for line in lines)
    if run.timed_out:
        return Classification("failed", f"did not end within {run.seconds:.0f} s", timed_out=True)
    runner_missing = run.code != 0 and RUNNER_MISSING.search(output[-RUNNER_OUTPUT:])
    if run.code in NOT_FOUND_CODES or runner_missing:
        return Classification("not run", f"the test runner is not installed: {_last_line(output)}")
    if reason := _no_test_ran(run, output):
        return Classification("not run", reason)
    if run.code == 0:
        return Classification("passed")
    if module := _missing_dependency(output, is_own_module):
        return Classification("not run", f"module {module} is not installed")
    if path is not None and (error := _load_error(output, path)):
        return Classification("failed", f"the reproduction could not be loaded: {error}", unloadable=True)
    return Classification("failed", failed_tests=failed_tests(output))


def failed_tests(output: str) -> frozenset[str]:
    """The names of the tests that the runner reports as failed, without their durations."""
    names = (match[match.lastgroup or 0].strip() for match in FAILED_TEST.finditer(output))
    return frozenset(re.sub(r" \(?\d[\d.]*m?s\)?$", "", name) for name in names)


def _no_test_ran(run: CommandResult, output: str) -> str:
    if run.code == NO_TESTS_CODE or (run.code in (0, 1, 4) and NOTHING_RAN.search(output)):
        return "no test ran"
    if run.code != 0:
        return ""
    if NO_MOCHA_TEST.search(output) and "failing" not in output:
        return "no test ran"
    counts = {name: int(count) for name, count in NODE_SUMMARY.findall(output)}
    if counts and counts.get("pass") == 0 and counts.get("fail") == 0:
        return "every test was skipped"
    skipped = ALL_SKIPPED.search(output)
    ran = re.search(r"^Ran (\d+) tests?", output, re.MULTILINE)
    if skipped and (ran is None or skipped["n"] is None or int(ran[1]) == int(skipped["n"])):
        return "every test was skipped"
    return ""


def _missing_dependency(output: str, is_own_module: Callable[[str], bool]) -> str:
    for match in MISSING_MODULE.finditer(output):
        name = match[1] or match[2]
        top = name.split(".")[0] if match[1] else name
        if not posixpath.isabs(name) and not is_own_module(top):
            return name
    return ""


def _load_error(output: str, path: str) -> str:
    """The load error that the lines of the reproduction raised; empty if the service raised it or there is none."""
    frames = [
        (match.start(), match.lastgroup or "", match[match.lastgroup or 0])
        for match in FRAME.finditer(output)
    ]
    for error in islice(LOAD_ERROR.finditer(output), MAX_ERRORS):
        before = [frame for start, _, frame in frames if start < error.start()][-1:]
        after = [(kind, frame) for start, kind, frame in frames if start > error.start()][:1]
        # Node.js prints the stack below its error, Python above it. The stack of a syntax error in Node.js names only
        # its module loader.
        if after and after[0][0] == "stack" and "SyntaxError" not in error[0]:
            before = [after[0][1]]
        if before and _is_same_file(before[0], path):
            return error[0].strip("# \t\nE")[:MESSAGE_LIMIT]
    return ""


def _is_same_file(frame: str, path: str) -> bool:
    return frame == path or frame.endswith(f"/{path}") or path.endswith(f"/{frame}")


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:MESSAGE_LIMIT] if lines else "the command could not be started"
