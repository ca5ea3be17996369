"""The files of the counter-checks of a reproduction, for the languages in which the host can write them. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workers.remediation import javascript_checks, python_assertions, python_controls
from workers.remediation.changed_code import ChangedCode
from workers.remediation.run_trees import Overlay

BROKEN_CODE = "with the changed code broken"
IDLE_CODE = "with the changed code doing nothing"
BROKEN_LINES = "with the changed lines broken"
FAILING_END = "with tests that fail at their end"
FAILING_ASSERTIONS = "with assertions that must fail"

ChangedFiles = Mapping[str, tuple[str, ChangedCode]]
"""Changed file → its text with the patch, and the changed code."""


@dataclass(frozen=True)
class ControlFiles:
    """One counter-check: the files to plant, and the names of the tests that must fail with them.

    Attributes:
        tests: names of test functions; empty if all tests must fail.
        marker: the error by which the counter-check is recognised.
    """

    name: str
    files: Overlay
    tests: frozenset[str] = frozenset()
    marker: str = ""


def control_files(
    path: str, text: str, changed: ChangedFiles, marker: str, *, script: bool, observed: bool
) -> list[ControlFiles]:
    """The counter-checks of a reproduction; none if it cannot be parsed.

    Args:
        path: the reproduction; `text` is its content.
        script: True for a program, which has no test functions.
        observed: True if the runner reports executed lines; else another counter-check shows them.
    """
    controls = []
    if broken := _break_files(changed, marker):
        controls.append(ControlFiles(BROKEN_CODE, broken, marker=marker))
    if idle := _each(changed, python_controls.idle_code, javascript_checks.idle_javascript):
        controls.append(ControlFiles(IDLE_CODE, idle))
    if not observed and (probes := _break_lines(changed, marker)):
        controls.append(ControlFiles(BROKEN_LINES, probes, marker=marker))
    try:
        end, values = _changed_tests(path, text, marker, script=script)
    except (SyntaxError, ValueError, RecursionError):
        return []
    if end:
        controls.append(ControlFiles(FAILING_END, {path: end.text.encode()}, end.tests, marker))
    if values:
        controls.append(ControlFiles(FAILING_ASSERTIONS, {path: values.text.encode()}, values.tests, marker))
    return controls


def _changed_tests(
    path: str, text: str, marker: str, *, script: bool
) -> tuple[python_controls.Control | None, python_controls.Control | None]:
    if _is_python(path):
        values = None if script else python_assertions.fail_assertions(text, marker)
        return python_controls.fail_at_end(text, marker, script=script), values
    end = javascript_checks.fail_at_end_javascript(path, text, marker, script=script)
    return end, None if script else javascript_checks.fail_assertions_javascript(path, text, marker)


def _break_files(changed: ChangedFiles, marker: str) -> Overlay:
    """The changed functions of all files raise; only if there are none, changed values become another object.

    A value that breaks an import would fail the reproduction whatever it tests, so functions come first.
    """
    has_functions = any(code.functions or code.decorators for _, code in changed.values())
    files = {}
    for file, (text, code) in changed.items():
        if bool(code.functions or code.decorators) != has_functions:
            continue
        if _is_python(file):
            broken = python_controls.break_code(text, code, marker)
        else:
            broken = javascript_checks.break_javascript(file, text, code, marker)
        if broken is not None:
            files[file] = broken.encode()
    return files


def _each(
    changed: ChangedFiles,
    python: Callable[[str, ChangedCode], str | None],
    javascript: Callable[[str, str, ChangedCode], str | None],
) -> Overlay:
    """The files for which a text can be made."""
    texts = {
        file: python(text, code) if _is_python(file) else javascript(file, text, code)
        for file, (text, code) in changed.items()
    }
    return {file: text.encode() for file, text in texts.items() if text is not None}


def _break_lines(changed: ChangedFiles, marker: str) -> Overlay:
    probes = {
        file: javascript_checks.throw_at_lines(file, text, code, marker)
        for file, (text, code) in changed.items()
        if not _is_python(file)
    }
    return {file: text.encode() for file, text in probes.items() if text is not None}


def _is_python(path: str) -> bool:
    return posixpath.splitext(path)[1] == ".py"
