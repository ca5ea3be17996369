"""Prints a change as `git diff --binary --full-index --no-renames` does, without git."""

from __future__ import annotations

import base64
import difflib
import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path

from tests.support.attacks.cases import Case, Change, Content, Edit, Link, Program

NOTHING = "0" * 40
LITERAL_BYTES = 52
"""Bytes in one line of a binary patch."""


def change_files(base: Mapping[str, Content], changes: Mapping[str, Change]) -> dict[str, Content]:
    """The files after the change."""
    files = dict(base)
    for path, change in changes.items():
        if change is None:
            del files[path]
        elif isinstance(change, Edit):
            old = files[path]
            text = old.text if isinstance(old, Program) else old
            assert isinstance(text, str)
            files[path] = change.apply(text)
        else:
            files[path] = change
    return files


def make_patch(base: Mapping[str, Content], case: Case) -> str:
    """The change of the case as a patch."""
    after = change_files(base, case.changes)
    paths = sorted({*base, *after}, key=lambda path: path.encode())
    return "".join(_file(path, base.get(path), after.get(path)) for path in paths)


def write_files(folder: Path, files: Mapping[str, Content]) -> None:
    """Write the files below the folder."""
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            target.symlink_to(content.target)
        else:
            target.write_bytes(_bytes(content))
            target.chmod(0o755 if isinstance(content, Program) else 0o644)


def _file(path: str, old: Content | None, new: Content | None) -> str:
    if old == new:
        return ""
    modes = _mode(old), _mode(new)
    # A file that becomes a link is a deleted and a new file in one patch.
    if old is not None and new is not None and isinstance(old, Link) != isinstance(new, Link):
        return _file(path, old, None) + _file(path, None, new)
    before_name, after_name = _quote(f"a/{path}"), _quote(f"b/{path}")
    header = f"diff --git {before_name} {after_name}\n"
    if old is None:
        header += f"new file mode {modes[1]}\n"
    elif new is None:
        header += f"deleted file mode {modes[0]}\n"
    elif modes[0] != modes[1]:
        header += f"old mode {modes[0]}\nnew mode {modes[1]}\n"
    if old is not None and new is not None and _bytes(old) == _bytes(new):
        return header
    index = f"index {_hash(old)}..{_hash(new)}"
    header += f"{index} {modes[1]}\n" if modes[0] == modes[1] else f"{index}\n"
    if b"\0" in _bytes(old) + _bytes(new):
        return f"{header}GIT binary patch\n{_literal(_bytes(new))}{_literal(_bytes(old))}"
    names = ("/dev/null" if old is None else before_name, "/dev/null" if new is None else after_name)
    hunks = _hunks(_bytes(old).decode(), _bytes(new).decode())
    return f"{header}--- {names[0]}\n+++ {names[1]}\n{hunks}" if hunks else header


def _hunks(old: str, new: str) -> str:
    lines = list(difflib.unified_diff(_split(old), _split(new)))[2:]
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _split(text: str) -> list[str]:
    """The lines with their line feeds; unlike splitlines(), no other character ends a line."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _literal(content: bytes) -> str:
    packed = zlib.compress(content)
    lines = [f"literal {len(content)}"]
    for start in range(0, len(packed), LITERAL_BYTES):
        part = packed[start : start + LITERAL_BYTES]
        length = chr(len(part) + (64 if len(part) <= 26 else 70))
        lines.append(length + base64.b85encode(part, pad=True).decode())
    return "\n".join(lines) + "\n\n"


def _bytes(content: Content | None) -> bytes:
    match content:
        case None:
            return b""
        case Link():
            return content.target.encode()
        case Program():
            return content.text.encode()
        case str():
            return content.encode()
        case bytes():
            return content


def _mode(content: Content | None) -> str:
    return {Link: "120000", Program: "100755"}.get(type(content), "100644")


def _hash(content: Content | None) -> str:
    if content is None:
        return NOTHING
    body = _bytes(content)
    return hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()


def _quote(path: str) -> str:
    """The path as git prints it with core.quotePath=false."""
    if all(char.isprintable() and char not in '"\\' for char in path):
        return path
    escapes = {"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\", "\r": "\\r", "\x1b": "\\033"}
    return '"' + "".join(escapes.get(char, char) for char in path) + '"'
