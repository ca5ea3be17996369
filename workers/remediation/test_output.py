"""What the output of a test run says: passed, failed, or nothing at all. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

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
RUNNER_LACKS = re.compile(
    r"No module named (?:pytest|unittest)$|could not determine executable to run|npx canceled"
    r"|(?:command )?not found$|: No such file or directory$|missing script:|npm error 404",
    re.IGNORECASE | re.MULTILINE,
)
MODULE = re.compile(
    r"ModuleNotFoundError: No module named '([^']+)'|Cannot find (?:module|package) '([^'./][^']*)'",
    re.MULTILINE,
)
LOADING = re.compile(
    r"^[# \tE]*(?:(?:Syntax|Indentation|Tab|Import|ModuleNotFound)Error\b"
    r"|AttributeError: (?:partially initialized )?module '|NameError: name '"
    r"|TypeError: .*(?:unexpected keyword argument|positional arguments? but|required (?:positional|keyword-only)"
    r"|is not a function|is not a constructor)|error: .*(?:is not a function|is not a constructor|is not defined)"
    r"|ReferenceError: |Error: Cannot find module|.*ERR_MODULE_NOT_FOUND)[^\n]*",
    re.MULTILINE,
)
"""Errors that say that the code asked for is not there at all, and not that it does the wrong thing."""
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
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
MOST_LINES, WIDEST, MOST_ERRORS = 2_000, 500, 50
"""Of an output that is judged: its last lines, characters of each, errors. Hostile output must cost no time."""


@dataclass(frozen=True)
class Judgement:
    """`outcome` as in models.Run; `why` is a sentence where the exit code does not tell all."""

    outcome: str
    why: str = ""
    unloadable: bool = False
    """It failed because the test itself could not be loaded, or asks for code that is not there."""
    failures: frozenset[str] = frozenset()
    """Names of failed tests, where the runner prints them."""


def judge(run: CommandResult, path: str | None, is_ours: Callable[[str], bool]) -> Judgement:
    """What the run proves. `path` is the reproduction, None for a whole check.

    `is_ours(module)` says whether the repository itself holds that module: else it is only not installed here.
    """
    lines = ESCAPES.sub("", run.output).splitlines()[-MOST_LINES:]
    output = "\n".join(line[:WIDEST] for line in lines)
    if run.timed_out:
        return Judgement("failed", f"it did not end within {run.seconds:.0f} s")
    if run.code in (126, 127) or (run.code != 0 and RUNNER_LACKS.search(output[-2000:])):
        return Judgement("not run", f"there is no runner here: {_last_line(output)}")
    if nothing := _nothing_ran(run, output):
        return Judgement("not run", nothing)
    if run.code == 0:
        return Judgement("passed")
    if missing := _not_installed(output, is_ours):
        return Judgement("not run", f"module {missing} is not installed here")
    if path is not None and (error := _unloadable(output, path)):
        return Judgement("failed", f"the reproduction could not be loaded: {error}", unloadable=True)
    return Judgement("failed", failures=failed_tests(output))


def failed_tests(output: str) -> frozenset[str]:
    """The names under which the runner reports what failed."""
    found = (match[match.lastgroup or 0].strip() for match in FAILED_TEST.finditer(output))
    return frozenset(re.sub(r" \(?\d[\d.]*m?s\)?$", "", name) for name in found)


def _nothing_ran(run: CommandResult, output: str) -> str:
    if run.code == 5 or (run.code in (0, 1, 4) and NOTHING_RAN.search(output)):
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


def _not_installed(output: str, is_ours: Callable[[str], bool]) -> str:
    for match in MODULE.finditer(output):
        name = match[1] or match[2]
        top = name.split(".")[0] if match[1] else name
        if not posixpath.isabs(name) and not is_ours(top):
            return name
    return ""


def _unloadable(output: str, path: str) -> str:
    """The error, where it was raised by the reproduction's own lines and says that something is not there."""
    frames = [
        (match.start(), match.lastgroup or "", match[match.lastgroup or 0])
        for match in FRAME.finditer(output)
    ]
    for error in islice(LOADING.finditer(output), MOST_ERRORS):
        before = [frame for start, _, frame in frames if start < error.start()][-1:]
        after = [(kind, frame) for start, kind, frame in frames if start > error.start()][:1]
        # Node prints the stack below its error, Python above; a syntax error's own stack is all node's.
        if after and after[0][0] == "stack" and "SyntaxError" not in error[0]:
            before = [after[0][1]]
        if before and _is_same(before[0], path):
            return error[0].strip("# \t\nE")[:200]
    return ""


def _is_same(frame: str, path: str) -> bool:
    return frame == path or frame.endswith(f"/{path}") or path.endswith(f"/{frame}")


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it could not be started"
