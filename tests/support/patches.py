"""Makes patches from small trees and asks the patch policy about them, without git."""

from __future__ import annotations

import difflib
import functools
import tempfile
from pathlib import Path
from typing import Any

from workers.models import Category
from workers.remediation.patch_policy import PolicyResult, check_patch

Tree = dict[str, str]
Edits = tuple[tuple[str, str, str], ...]
"""(path, old part, new part); an empty old part makes a new file, an empty new part of a whole file deletes it."""


FOLDERS: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends


def edited(tree: Tree, edits: Edits) -> Tree:
    """The tree with the edits."""
    result = dict(tree)
    for path, old, new in edits:
        if not old:
            result[path] = new
            continue
        assert old in result[path], f"{path} does not hold {old!r}"
        result[path] = result[path].replace(old, new, 1)
        if not result[path]:
            del result[path]
    return result


def diff(before: Tree, after: Tree) -> str:
    """The patch between two trees in git's format."""
    parts = []
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        parts.append(f"diff --git a/{path} b/{path}\n")
        parts += (
            ["new file mode 100644\n"]
            if old is None
            else ["deleted file mode 100644\n"]
            if new is None
            else []
        )
        names = ("/dev/null" if old is None else f"a/{path}", "/dev/null" if new is None else f"b/{path}")
        for line in difflib.unified_diff(_lines(old), _lines(new), *names, n=3):
            parts.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(parts)


def judge(before: Tree, after: Tree, **options: Any) -> PolicyResult:
    """The result of the policy for the patch between two trees."""
    arguments: dict[str, Any] = {
        "category": Category.CODE, "root": "", "culprit": None, "reproduction": None, **options,
    }  # fmt: skip
    changed = {path: text for path, text in after.items() if before.get(path) != text}
    with tempfile.TemporaryDirectory() as folder:
        # The policy reads only the changed files of the tree with the patch.
        _write(Path(folder), changed)
        return check_patch(diff(before, after), _before(tuple(before.items())), Path(folder), **arguments)


@functools.cache
def _before(files: tuple[tuple[str, str], ...]) -> Path:
    """A tree that stays until the process ends: most tests begin with one of two trees."""
    folder = tempfile.TemporaryDirectory()
    FOLDERS.append(folder)
    _write(Path(folder.name), dict(files))
    return Path(folder.name)


def _lines(text: str | None) -> list[str]:
    # Not splitlines: a carriage return or a form feed ends no line for git.
    return [f"{line}\n" for line in (text or "").split("\n")[:-1]] + (
        [last] if (last := (text or "").split("\n")[-1]) else []
    )


def _write(root: Path, tree: Tree) -> None:
    for path, text in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode())
