"""The files of the counter-checks of a reproduction, for the languages in which the host can write them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workers.remediation import python_controls
from workers.remediation.changed_code import ChangedCode
from workers.remediation.run_trees import Overlay

BROKEN_CODE = "with the changed code broken"
FAILING_END = "with tests that fail at their end"
OTHER_VALUES = "with other expected values"


@dataclass(frozen=True)
class ControlFiles:
    """One counter-check: the files to plant, and the names of the tests that must fail with them.

    Attributes:
        tests: names of test functions; empty if all tests must fail.
    """

    name: str
    files: Overlay
    tests: frozenset[str] = frozenset()
    marker: str = ""
    """The error by which the counter-check is recognised."""


def python_control_files(
    path: str, text: str, changed: Mapping[str, tuple[str, ChangedCode]], marker: str, *, script: bool
) -> list[ControlFiles]:
    """The counter-checks of a Python reproduction.

    Args:
        path: the reproduction; `text` is its content.
        changed: changed file → its text with the patch, and the changed code.
        script: True for a program, which has no test functions.
    """
    broken = _break_files(changed, marker)
    controls = [ControlFiles(BROKEN_CODE, broken, marker=marker)] if broken else []
    end = python_controls.fail_at_end(text, marker, script=script)
    if end:
        controls.append(ControlFiles(FAILING_END, {path: end.text.encode()}, end.tests, marker))
    values = None if script else python_controls.change_expectations(text, marker)
    if values:
        controls.append(ControlFiles(OTHER_VALUES, {path: values.text.encode()}, values.tests))
    return controls


def _break_files(changed: Mapping[str, tuple[str, ChangedCode]], marker: str) -> Overlay:
    """The changed functions of all files raise; only if there are none, changed values become another object.

    A value that breaks an import would fail the reproduction whatever it tests, so functions come first.
    """
    has_functions = any(code.functions for _, code in changed.values())
    files = {}
    for file, (text, code) in changed.items():
        if bool(code.functions) != has_functions:
            continue
        broken = python_controls.break_code(text, code, marker)
        if broken is not None:
            files[file] = broken.encode()
    return files
