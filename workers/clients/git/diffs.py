"""Reading what `git diff` prints, line by line by its own counts: a changed line may look like a header."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@dataclass
class FileDiff:
    """One file's changes. `old` or `new` is None where the file was added or deleted."""

    old: str | None
    new: str | None
    added: list[tuple[int, str]] = field(default_factory=list)
    """Number in the new file, text."""
    removed: list[tuple[int, str]] = field(default_factory=list)
    """Number in the old file, text."""
    deletion_lines: list[int] = field(default_factory=list)
    """Lines of the new file at which something was only taken away."""
    binary: bool = False
    mode: str | None = None
    """The new mode where it is new or changed: 100755, 120000 for a link, 160000 for a submodule."""

    @property
    def path(self) -> str:
        return self.new or self.old or ""


def read_diff(text: str) -> list[FileDiff]:
    """The files of a unified diff by git."""
    found: list[FileDiff] = []
    lines = iter(text.split("\n"))
    for line in lines:
        if line.startswith("diff --git "):
            name = _both(line)
            found.append(FileDiff(name, name))
        elif found and (match := HUNK.match(line)):
            _read_hunk(found[-1], match, lines)
        elif found:
            _read_header(found[-1], line)
    return found


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


def _read_hunk(file: FileDiff, hunk: re.Match[str], lines: object) -> None:
    old, new = int(hunk[1]), int(hunk[3])
    old_left, new_left = int(hunk[2] or 1), int(hunk[4] or 1)
    if new_left == 0:
        file.deletion_lines.append(max(new, 1))
    while old_left > 0 or new_left > 0:
        line = next(lines, None)  # type: ignore[call-overload]
        if line is None:
            return
        sign, text = line[:1], line[1:]
        if sign == "+":
            file.added.append((new, text))
        elif sign == "-":
            file.removed.append((old, text))
        if sign in ("+", " ", ""):
            new, new_left = new + 1, new_left - 1
        if sign in ("-", " ", ""):
            old, old_left = old + 1, old_left - 1


def _both(line: str) -> str:
    """The path of `diff --git a/path b/path`, both of which are the same without renames."""
    rest = line.removeprefix("diff --git ")
    half = rest[: (len(rest) - 1) // 2]
    return _name(half) or half


def _name(words: str) -> str | None:
    words = words.removesuffix("\t")
    if words.startswith('"') and words.endswith('"'):
        words = (
            words[1:-1]
            .encode("latin-1", "replace")
            .decode("unicode_escape")
            .encode("latin-1", "replace")
            .decode(errors="replace")
        )
    return None if words == "/dev/null" else words.partition("/")[2]
