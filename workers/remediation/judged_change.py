"""The part of a patch that is judged: the planted files, the changed code in them, and the counter-checks. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path

from workers.clients.git import FileDiff, safe_bytes
from workers.remediation.change_under_test import Change
from workers.remediation.changed_code import ChangedCode, find_changed_code
from workers.remediation.counter_checks import control_files
from workers.remediation.javascript_code import find_changed_javascript
from workers.remediation.policy.javascript_tree import is_javascript
from workers.remediation.policy.test_files import is_test
from workers.remediation.run_trees import Overlay, SourceTree
from workers.remediation.suites import Suite

PLAIN_RUNNERS = ("node", "node script", "mocha")  # run a file as it stands, without translating it
PLAIN_SUFFIXES = frozenset({".js", ".mjs", ".cjs"})
TEXT_SUFFIXES = frozenset({".md", ".rst", ".txt", ".example", ".adoc"})
"""Files that people read: they take no part in a test."""


def source_overlay(after: Path, applied: Sequence[str]) -> Overlay:
    """The content of each applied path with the patch; None for a deleted file."""
    return {path: safe_bytes(after, path) for path in applied}


def package_files(overlay: Overlay, reproduction: str) -> Overlay:
    """The reproduction and the new, empty package files above it, without which Python cannot import it."""
    packages = {
        path: content
        for path, content in overlay.items()
        if content == b""
        and posixpath.basename(path) == "__init__.py"
        and reproduction.startswith(path.removesuffix("__init__.py"))
    }
    return {**packages, reproduction: overlay[reproduction]}


def describe_change(
    files: Sequence[FileDiff],
    base: SourceTree,
    patched: SourceTree,
    suite: Suite,
    reproduction: str,
    marker: str,
) -> Change:
    """The patch's changes, with the counter-checks that the host can write for them.

    Args:
        files: the patch.
        base: the tree without the patch; `patched` is the tree with the applied part of it.
        suite: runs the reproduction.
        reproduction: path of the test or script.
        marker: the error of the counter-checks.
    """
    code: dict[str, ChangedCode] = {}
    unread: list[str] = []
    for file in files:
        path = file.path
        if path == reproduction or path not in patched.overlay or is_test(path):
            continue
        if _suffix(path) == ".py" or is_javascript(path):
            changed = _changed_code(file, base.text(path), patched.text(path))
            code |= {path: changed} if changed else {}
        elif _suffix(path) not in TEXT_SUFFIXES:
            unread.append(path)
    observed = all(_is_observed(path, suite) for path in code)
    texts = {path: (patched.text(path) or "", changed) for path, changed in code.items()}
    controls = control_files(
        reproduction, patched.text(reproduction) or "", texts, marker,
        script=suite.kind in ("script", "node script"), observed=observed,
    )  # fmt: skip
    return Change(code, tuple(unread), controls, observed, reproduction)


def _changed_code(file: FileDiff, before: str | None, after: str | None) -> ChangedCode | None:
    if after is None:
        return None
    added = {number for number, _ in file.added}
    # A removed line beside an added one is a changed line, and the added one stands for it.
    deletions = [number for number in file.removed_at if not {number - 1, number} & added]
    if _suffix(file.path) == ".py":
        return find_changed_code(before, after, added, deletions)
    return find_changed_javascript(file.path, before, after, added, deletions)


def _is_observed(path: str, suite: Suite) -> bool:
    """True if the runner reports the executed lines of the file as it stands in the repository."""
    if suite.is_python:
        return _suffix(path) == ".py"
    return suite.kind in PLAIN_RUNNERS and _suffix(path) in PLAIN_SUFFIXES


def _suffix(path: str) -> str:
    return posixpath.splitext(path)[1]
