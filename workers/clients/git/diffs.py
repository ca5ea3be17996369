"""Parses the output of `git diff`.

Hunks are read by their line counts, because a changed line may look like a header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@dataclass
class FileDiff:
    """The changes of one file. `old` is None for a new file, `new` for a deleted one."""

    old: str | None
    new: str | None
    added: list[tuple[int, str]] = field(default_factory=list)
    """(line number in the new file, text)"""
    removed: list[tuple[int, str]] = field(default_factory=list)
    """(line number in the old file, text)"""
    deletion_lines: list[int] = field(default_factory=list)
    """Line numbers in the new file at which lines were deleted and none added, of a diff without context lines."""
    removed_at: list[int] = field(default_factory=list)
    """Line number in the new file of the line that follows each removed one."""
    binary: bool = False
    mode: str | None = None
    """The mode if it is new or changed: 100755, 120000 for a symbolic link, 160000 for a submodule; else None."""

    @property
    def path(self) -> str:
        return self.new or self.old or ""


def read_diff(text: str) -> list[FileDiff]:
    """The files of a unified diff by git."""
    files: list[FileDiff] = []
    lines = iter(text.split("\n"))
    for line in lines:
        if line.startswith("diff --git "):
            name = _path_of_header(line)
            files.append(FileDiff(name, name))
        elif files and (match := HUNK.match(line)):
            _read_hunk(files[-1], match, lines)
        elif files:
            _read_header(files[-1], line)
    return files


def _read_header(file: FileDiff, line: str) -> None:
    word, _, rest = line.partition(" ")
    if word == "---":
        file.old = _name(rest)
    elif word == "+++":
        file.new = _name(rest)
    elif line.startswith("new file mode "):
        file.old, file.mode = None, line.rsplit(maxsplit=1)[-1]
    elif line.startswith("deleted file mode "):
        file.new = None
    elif line.startswith("new mode "):
        file.mode = line.rsplit(maxsplit=1)[-1]
    elif line.startswith(("GIT binary patch", "Binary files ")):
        file.binary = True


def _read_hunk(file: FileDiff, hunk: re.Match[str], lines: Iterator[str]) -> None:
    old, new = int(hunk[1]), int(hunk[3])
    old_left, new_left = int(hunk[2] or 1), int(hunk[4] or 1)
    if new_left == 0:
        file.deletion_lines.append(max(new, 1))
    while old_left > 0 or new_left > 0:
        line = next(lines, None)
        if line is None:
            return
        sign, text = line[:1], line[1:]
        if sign == "+":
            file.added.append((new, text))
        elif sign == "-":
            file.removed.append((old, text))
            file.removed_at.append(new)
        if sign in ("+", " ", ""):
            new, new_left = new + 1, new_left - 1
        if sign in ("-", " ", ""):
            old, old_left = old + 1, old_left - 1


def _path_of_header(line: str) -> str:
    """The path in `diff --git a/path b/path`. With --no-renames both paths are equal, so each is half of the line."""
    rest = line.removeprefix("diff --git ")
    half = rest[: (len(rest) - 1) // 2]
    return _name(half) or half


def _name(text: str) -> str | None:
    text = text.removesuffix("\t")
    if text.startswith('"') and text.endswith('"'):
        # git quotes a name with special characters like a C string, with octal escapes of its UTF-8 bytes.
        text = (
            text[1:-1]
            .encode("latin-1", "replace")
            .decode("unicode_escape")
            .encode("latin-1", "replace")
            .decode(errors="replace")
        )
    return None if text == "/dev/null" else text.partition("/")[2]
