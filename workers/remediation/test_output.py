"""Reads the error text of tests: missing dependencies, and tests that call code which does not exist. Pure.

The patterns follow the output of unittest, pytest, node:test, Jest, Vitest and Mocha. No success is read from text.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from itertools import islice

MISSING_MODULE = re.compile(
    r"ModuleNotFoundError: No module named '([^']+)'|Cannot find (?:module|package) '([^'./][^']*)'",
    re.MULTILINE,
)
RUNNER_MISSING = re.compile(
    r"No module named '?(?:pytest|unittest)'?$|could not determine executable to run|npx canceled"
    r"|(?:command )?not found$|: No such file or directory$|missing script:|npm error 404",
    re.IGNORECASE | re.MULTILINE,
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
ANSI_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
MAX_TEXT = 200_000  # characters of a text that are read: hostile output must not cost minutes
MAX_LINE_LENGTH = 500
MAX_ERRORS = 50  # load errors that are compared with the stack
MESSAGE_LIMIT = 200


def missing_dependency(text: str, is_own_module: Callable[[str], bool]) -> str:
    """The first module that is not installed; empty if there is none.

    Args:
        is_own_module: True for modules of the repository, whose absence is a fault of the code.
    """
    for match in MISSING_MODULE.finditer(_shorten(text)):
        name = match[1] or match[2]
        top = name.split(".")[0] if match[1] else name
        if not posixpath.isabs(name) and not is_own_module(top):
            return name
    return ""


def load_error(text: str, path: str) -> str:
    """The load error that the lines of that file raised; empty if other code raised it or there is none."""
    text = _shorten(text)
    frames = [
        (match.start(), match.lastgroup or "", match[match.lastgroup or 0]) for match in FRAME.finditer(text)
    ]
    for error in islice(LOAD_ERROR.finditer(text), MAX_ERRORS):
        before = [frame for start, _, frame in frames if start < error.start()][-1:]
        after = [(kind, frame) for start, kind, frame in frames if start > error.start()][:1]
        # Node.js prints the stack below its error, Python above it. The stack of a syntax error in Node.js names only
        # its module loader.
        if after and after[0][0] == "stack" and "SyntaxError" not in error[0]:
            before = [after[0][1]]
        if before and _is_same_file(before[0], path):
            return error[0].strip("# \t\nE")[:MESSAGE_LIMIT]
    return ""


def runner_error(output: str) -> str:
    """The line that says that the test runner is not installed; empty if there is none."""
    match = RUNNER_MISSING.search(_shorten(output))
    return output[match.start() : match.end()].strip()[:MESSAGE_LIMIT] if match else ""


def _shorten(text: str) -> str:
    lines = ANSI_ESCAPES.sub("", text[-MAX_TEXT:]).splitlines()
    return "\n".join(line[:MAX_LINE_LENGTH] for line in lines)


def _is_same_file(frame: str, path: str) -> bool:
    return frame == path or frame.endswith(f"/{path}") or path.endswith(f"/{frame}")
