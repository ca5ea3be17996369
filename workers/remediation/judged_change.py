"""What of a patch is judged: the files that are planted, the changed code in them, and the counter-checks. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path

from workers.clients.git import FileDiff, safe_bytes
from workers.remediation.changed_code import ChangedCode, find_changed_code
from workers.remediation.counter_checks import ControlFiles, python_control_files
from workers.remediation.proof import Change
from workers.remediation.run_trees import Overlay, SourceTree
from workers.remediation.test_integrity import is_test

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
    reproduction: str,
    *,
    script: bool,
    marker: str,
) -> Change:
    """What the patch changes, with the counter-checks that the host can write for it.

    Args:
        files: the patch.
        base: the tree without the patch; `patched` is the one with what of it is applied.
        reproduction: path of the test or script.
        script: True if it is a script.
        marker: the error of the counter-checks.
    """
    code: dict[str, ChangedCode] = {}
    unread: list[str] = []
    for file in files:
        path = file.path
        if path == reproduction or path not in patched.overlay or is_test(path):
            continue
        suffix = posixpath.splitext(path)[1]
        text = patched.text(path)
        if suffix == ".py":
            changed = _python_change(file, base.text(path), text)
            code |= {path: changed} if changed else {}
        elif suffix not in TEXT_SUFFIXES:
            unread.append(path)
    python = posixpath.splitext(reproduction)[1] == ".py"
    controls = _controls(code, patched, reproduction, script=script, marker=marker) if python else []
    return Change(code, tuple(unread), controls, observed=python)


def _python_change(file: FileDiff, before: str | None, after: str | None) -> ChangedCode | None:
    if after is None:
        return None
    added = {number for number, _ in file.added}
    # A removed line beside an added one is a changed line, and the added one stands for it.
    deletions = [number for number in file.removed_at if not {number - 1, number} & added]
    return find_changed_code(before, after, added, deletions)


def _controls(
    code: dict[str, ChangedCode], patched: SourceTree, reproduction: str, *, script: bool, marker: str
) -> list[ControlFiles]:
    texts = {path: (patched.text(path) or "", changed) for path, changed in code.items()}
    try:
        return python_control_files(
            reproduction, patched.text(reproduction) or "", texts, marker, script=script
        )
    except (SyntaxError, ValueError, RecursionError):
        return []
