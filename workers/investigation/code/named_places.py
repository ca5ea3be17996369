"""Own files and lines that a log line names without a trace. Pure apart from reading files of the clone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.investigation.code.built_code import Place, place_of
from workers.investigation.code.code_layout import Layout
from workers.investigation.code.deployed_paths import is_built, locate_named
from workers.investigation.code.frame_syntax import Frame
from workers.investigation.code.function_names import function_name

MAX_TEXT_CHARS = 6_000  # of a record that are searched
MAX_PLACES = 8
ENDINGS = (
    r"(?:py|pyx|[cm]?[jt]sx?|vue|svelte|astro|go|rb|erb|rake|php|java|kts?|scala|groovy|cs|fs|vb|cshtml"
    r"|razor|rs|exs?|heex|erl|swift|dart"
    r"|json|ya?ml|toml|mod|sum|lock|txt|cfg|ini|sql|prisma|graphql|proto|css|scss|html|csproj|fsproj"
    r"|gradle|xml|env|conf|sh)"
)
NAME = (
    r"(?<![\w/@.~-])(?P<path>(?:[A-Za-z]:)?(?:\.{0,2}/)?"
    r"(?:[\w@.~+$-]{1,100}/|[\[(][\w.-]{1,60}[\])]/){0,20}[\w@.+$-]{0,100}"
)
# `src/x.ts:42:17`, `src/x.ts(42,17)`, `X.java:[12,5]`, `x.py", line 12`, `x.php on line 9`, `src/x.ts (3:5)`.
POSITION = re.compile(
    rf"{NAME}(?:[\[(][\w.-]{{1,60}}[\])])?\.{ENDINGS})"
    r"(?:: ?\[?|\(|(?:\"|')?,? (?:on |at )?line |\s?\()(?P<line>\d{1,6})(?:[:,](?P<column>\d{1,6}))?(?![\w.])"
)
UNTYPED = re.compile(
    r"(?<![\w-])(?P<path>(?:[\w./-]{1,100}/)?(?:[\w.-]{1,60}\.)?(?:Dockerfile|Makefile|Gemfile|Rakefile"
    r"|Procfile|Justfile|Caddyfile)(?:\.\w{1,20})?):(?P<line>\d{1,5})\b"
)
# Fields of structured loggers: `"file":"/app/x.go","line":42`, `caller_file_name=X.java caller_line_number=42`.
FIELDS = re.compile(
    rf"(?:file(?:[._]?name|\.path)?|caller_file_name|pathname|source_file"
    rf"|sourcefile)\"?[=:]\s?\"?(?P<path>[\w@./~+$-]{{1,300}}\.{ENDINGS})\"?"
    r".{0,160}?\"?(?:line(?:_?no|_?number)?|caller_line_number|lineNumber)\"?[=:]\s?\"?(?P<line>\d{1,6})",
    re.I,
)
# loguru's JSON has the line first: `record.line=42 … record.file.path=/app/x.py`.
LINE_FIRST = re.compile(
    rf"\bline=(?P<line>\d{{1,6}})\b.{{0,200}}?\bfile\.path=(?P<path>[\w@./~+$-]{{1,300}}\.{ENDINGS})\b"
)
# loguru's default format: `shop.orders:create:31 - order failed`.
LOGURU = re.compile(
    r"(?<![\w.])(?P<module>[A-Za-z_][\w.]{0,160}):(?P<function>[\w<>]{1,120}):(?P<line>\d{1,6}) - "
)


def named_places(text: str, layout: Layout) -> tuple[Place, ...]:
    """The own files and lines that a text names, in its order; third-party code is left out."""
    places: dict[tuple[str, int], Place] = {}
    for frame in _named(text[:MAX_TEXT_CHARS].replace("file://", "")):
        place = _place(frame, layout)
        if place is not None:
            places.setdefault((place.file, place.line), place)
        if len(places) >= MAX_PLACES:
            break
    return tuple(places.values())


def _named(text: str) -> Iterator[Frame]:
    for match in POSITION.finditer(text):
        yield Frame(match["path"], int(match["line"]), None, int(match["column"] or 0))
    for regex in (UNTYPED, FIELDS, LINE_FIRST):
        yield from (Frame(match["path"], int(match["line"])) for match in regex.finditer(text))
    for match in LOGURU.finditer(text):
        path = match["module"].replace(".", "/")
        yield Frame(f"{path}.py", int(match["line"]), function_name(match["function"]))


def _place(frame: Frame, layout: Layout) -> Place | None:
    place = place_of(frame, layout)
    if place is not None and (place.line or is_built(frame.path, place.file)):
        return place
    file = locate_named(frame.path, layout)
    if file is None or not 1 <= frame.line <= len(layout.lines(file)):
        return None
    return Place(file, frame.line, frame.function)
