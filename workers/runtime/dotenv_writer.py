"""Writes settings into a `.env` file and keeps every other line of it."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path

from workers.errors import SettingsError

PLAIN_VALUE = re.compile(r"[\w./:@,=+-]*", re.ASCII)  # needs no quotes for any reader of such files
MODE = 0o600  # only the owner: the file holds tokens


def update_dotenv(path: Path, values: Mapping[str, str | None]) -> None:
    """Set these variables, in one step: after a crash the file is the old or the new one.

    A line that has the right value already, a comment and everything else stays as it is, to the byte.

    Args:
        path: the file, which need not exist. A symbolic link stays one.
        values: the value of each variable; None removes its lines.

    Raises:
        SettingsError: a value cannot be written in one line.
        OSError: the file cannot be written.
    """
    place = path.resolve()
    raw = place.read_bytes() if place.exists() else b""
    mark = "\ufeff" if raw.startswith("\ufeff".encode()) else ""
    text = raw.decode("utf-8-sig")
    content = mark + merge(text, values)
    fresh = place.with_name(f"{place.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "wb") as file:
        file.write(content.encode())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(place)


def merge(text: str, values: Mapping[str, str | None]) -> str:
    """The text of a `.env` file with these values. The last line of a repeated variable counts, so the others go."""
    # Imported late: only `init` writes the file.
    from dotenv.parser import parse_stream

    ending = "\r\n" if "\r\n" in text else "\n"
    pieces: list[str] = []
    written: set[str] = set()
    bindings = list(parse_stream(io.StringIO(text, newline="")))
    for binding in reversed(bindings):
        source, name = binding.original.string, binding.key
        if name is None or name not in values:
            pieces.append(source)
        elif name in written or values[name] is None:
            pieces.append(_space_before(source))
        else:
            written.add(name)
            is_same = binding.value == values[name]
            pieces.append(source if is_same else _space_before(source) + _line(name, values[name]) + ending)
    merged = "".join(reversed(pieces))
    added = [name for name in values if name not in written and values[name] is not None]
    if added and merged and not merged.endswith("\n"):
        merged += ending
    return merged + "".join(_line(name, values[name]) + ending for name in added)


def _space_before(source: str) -> str:
    """The blank lines before a statement, which the parser counts to it."""
    return source[: len(source) - len(source.lstrip("\r\n"))]


def _line(name: str, value: str | None) -> str:
    text = (value or "").strip().replace("\r\n", "\n").replace("\n", "\\n")
    if not text.isprintable():
        raise SettingsError((name, "holds characters that a line of .env cannot hold"))
    if "${" in text:  # readers put a variable in its place, also between single quotes
        raise SettingsError(
            (name, "holds ${, which stands for a variable in .env: set it in the environment")
        )
    if PLAIN_VALUE.fullmatch(text):
        return f"{name}={text}"
    # A backslash escapes the next character: at the end, it would hide the closing quote and the lines after it.
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{quoted}'"
