"""Reads a `.env` file and names every line of it that cannot be read."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from typing import NamedTuple

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class DotenvFile(NamedTuple):
    """The values of a file, and what cannot be read in it: pairs of a place and a reason, as in SettingsError."""

    values: dict[str, str]
    problems: tuple[tuple[str, str], ...] = ()
    repeated: tuple[str, ...] = ()
    """Names that stand in the file more than once; the last value counts."""


def read_dotenv(path: Path) -> DotenvFile:
    """The file's values. Lines that cannot be read are left out and named, with the number of each."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        return DotenvFile({}, ((str(path), f"cannot be read: {error.strerror}"),))
    # PowerShell's `>` writes UTF-16. Without its mark it shows as a NUL beside each ASCII character.
    if raw.startswith(UTF16_MARKS) or b"\0" in raw:
        return DotenvFile({}, ((str(path), "is UTF-16: save it as UTF-8"),))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return DotenvFile({}, ((f"{path} line {line}", "is not UTF-8: save the file as UTF-8"),))
    return _parse(path, text)


def _parse(path: Path, text: str) -> DotenvFile:
    # Imported late: most containers have no .env file, and the parser costs a supervisor memory.
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    problems, readable, names = [], [], []
    for binding in parse_stream(io.StringIO(text)):
        source = binding.original.string
        is_statement = bool(source.strip()) and not source.strip().startswith("#")
        if is_statement and (binding.error or binding.value is None):
            line = binding.original.line + len(source) - len(source.lstrip("\r\n"))
            problems.append((f"{path} line {line}", _reason(source)))
        else:
            readable.append(source)
            names += [binding.key] if binding.key else []
    values = dotenv_values(stream=io.StringIO("".join(readable)))
    repeated = tuple(sorted({name for name in names if names.count(name) > 1}))
    return DotenvFile({name: value for name, value in values.items() if value}, tuple(problems), repeated)


def _reason(source: str) -> str:
    """Why a statement cannot be read. Without quoting it: it may hold a secret."""
    name, equals, value = source.partition("=")
    if not equals:
        return "has no `=`: write NAME=value"
    if not name.strip():
        return "has no name before `=`: write NAME=value"
    if value.strip()[:1] in ("'", '"'):
        return "has a quote that is not closed: close the quote"
    return "is not NAME=value: remove the space in the name"
