"""The first line of a build log that says what is wrong, with its place. Pure apart from reading the clone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from workers.investigation.code.build_wordings import (
    MANIFESTS,
    MAX_LINE_CHARS,
    NOISE,
    POSITION_ONLY,
    PREFIX,
    PROBLEM,
    SOUNDS_WRONG,
)
from workers.investigation.code.built_code import Place
from workers.investigation.code.code_layout import Layout, layout_of
from workers.investigation.code.locations import trace_places
from workers.investigation.code.named_places import named_places
from workers.investigation.code.tree import Tree
from workers.investigation.logs.log_records import LogRecord

LINES_BEFORE = 2  # in which a position stands above its message
LINES_AFTER = 12  # in which a compiler draws the code around the problem
MAX_LINES = 20_000  # of a build log that are searched
IMPORTED_FROM = re.compile(
    r"[Cc]ould not resolve [\"']([^\"']{1,200})[\"'] from [\"']([^\"']{1,300})[\"']"
    r"|resolve import [\"']([^\"']{1,200})[\"'] from [\"']([^\"']{1,300})[\"']"
)
PARSE_ERROR_LINE = re.compile(r"parse error on line (\d{1,5})")
QUOTED_NAME = re.compile(
    r"(?:found for|requirement|gem|package|version for|Missing:|named) [`'\"]?(@?[A-Za-z][\w./-]{1,80})"
)
FILE_ONLY = re.compile(r"^(?:\./|/)?[\w@.~+$()\[\]/-]{1,300}\.(?:[cm]?[jt]sx?|vue|svelte|astro|s?css)$")
LINE_AND_COLUMN = re.compile(r"^(\d{1,6}):\d{1,6}\s")
UNRESOLVED = re.compile(r"(?:resolve|find module) ['\"]([^'\"]{1,200})['\"]")
DOCKERFILE_LINE = re.compile(r"^((?:[\w./-]{1,100}/)?[\w.-]{0,40}Dockerfile[\w.-]{0,40}):(\d{1,5})$")


@dataclass(frozen=True)
class BuildProblem:
    """The statement of a build log about its failure."""

    record: LogRecord
    """The record as an error; its headline is the line that says what is wrong."""
    source: LogRecord
    """The record of the log."""
    place: Place | None
    """Own code or manifest that the problem is in; None if the log does not say, or without a clone."""


@dataclass(frozen=True)
class _Line:
    text: str
    record: LogRecord


def first_build_problem(records: Sequence[LogRecord], tree: Tree | None) -> BuildProblem | None:
    """The first line that says what is wrong with the build, instead of the exit codes that follow from it.

    None if no line sounds like a failure.
    """
    lines = list(_lines(records))
    position = _first(lines)
    if position is None:
        return None
    line = lines[position]
    source = line.record
    record = LogRecord(
        at=source.at, instance=source.instance, reported_level=source.reported_level, lines=source.lines,
        level="error", is_trace=source.is_trace, headline=line.text, exception=source.exception,
    )  # fmt: skip
    layout = layout_of(tree) if tree else None
    return BuildProblem(record, source, _place(lines, position, layout) if layout else None)


def _lines(records: Sequence[LogRecord]) -> Iterator[_Line]:
    count = 0
    for record in records:
        for text in record.lines:
            count += 1
            if count > MAX_LINES:
                return
            yield _Line(PREFIX.sub("", text[:MAX_LINE_CHARS].strip()).strip(), record)


def _first(lines: Sequence[_Line]) -> int | None:
    for regex in (PROBLEM, SOUNDS_WRONG):
        for position, line in enumerate(lines):
            if regex.search(line.text) and not NOISE.search(line.text) and not POSITION_ONLY.match(line.text):
                return position
    return None


def _place(lines: Sequence[_Line], position: int, layout: Layout) -> Place | None:
    text = lines[position].text
    match = IMPORTED_FROM.search(text)
    place = _import(match[1] or match[3], match[2] or match[4], layout) if match else None
    place = place or _manifest(lines, position, layout) or _first_named([text], layout)
    place = (
        place or _under_file_name(lines, position, layout) or _first_named(_around(lines, position), layout)
    )
    if place is None:
        traced = trace_places(lines[position].record.text, layout)
        place = traced[0] if traced else None
    return place


def _first_named(texts: Iterable[str], layout: Layout) -> Place | None:
    return next((place for text in texts for place in named_places(text, layout)), None)


def _around(lines: Sequence[_Line], position: int) -> list[str]:
    """The lines just above, the nearest first, then the lines below."""
    above = [line.text for line in lines[max(0, position - LINES_BEFORE) : position]]
    return [*above[::-1], *(line.text for line in lines[position + 1 : position + 1 + LINES_AFTER])]


def _under_file_name(lines: Sequence[_Line], position: int, layout: Layout) -> Place | None:
    """A message below the name of its file, as Next.js and ESLint print it; an import has its line in the file."""
    above = [line.text for line in lines[max(0, position - LINES_BEFORE) : position][::-1]]
    name = next((text for text in above if FILE_ONLY.match(text)), None)
    text = lines[position].text
    if name is None:
        return None
    if match := LINE_AND_COLUMN.match(text):
        return _first_named([f"{name}:{match[1]}"], layout)
    module = UNRESOLVED.search(text)
    return _import(module[1], name, layout) if module else None


def _import(module: str, path: str, layout: Layout) -> Place | None:
    """The line of an own file that imports a module."""
    file = next((place.file for place in named_places(f"{path}:1", layout)), None)
    lines = layout.lines(file) if file else []
    number = next((number for number, text in enumerate(lines, start=1) if module in text), 0)
    return Place(file, number) if file else None


def _manifest(lines: Sequence[_Line], position: int, layout: Layout) -> Place | None:
    text = lines[position].text
    files = next((files for regex, files in MANIFESTS if regex.search(text)), ())
    for name in files:
        paths = sorted(
            layout.tree.by_name.get(name, ()),
            key=lambda path: (not layout.tree.is_own(path), path.count("/"), path),
        )
        if paths:
            return Place(paths[0], _line_of(paths[0], text, lines, layout))
    return None


def _line_of(file: str, text: str, lines: Sequence[_Line], layout: Layout) -> int:
    """The line of a manifest that the problem is about; 0 if none is."""
    if "ockerfile" in file:
        numbers = [int(match[2]) for line in lines if (match := DOCKERFILE_LINE.match(line.text))]
        numbers += [int(number) for number in PARSE_ERROR_LINE.findall(text)]
        return next((number for number in numbers if number <= len(layout.lines(file))), 0)
    names = [
        re.split(r"[=<>~!@\[ ]", name, maxsplit=1)[0] if not name.startswith("@") else name
        for name in QUOTED_NAME.findall(text)
    ]
    for number, content in enumerate(layout.lines(file), start=1):
        if any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", content) for name in names):
            return number
    return 0
