"""The frames of a stack trace, the innermost of the deepest cause first. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from workers.investigation.code.frame_syntax import GO, RICH, RUBY, Frame, frame_of, is_frame_line
from workers.investigation.code.function_names import function_name
from workers.investigation.code.python_frames import python_frames

MAX_LINES = 4_000  # lines of one record that are read: deep recursion repeats its frames
MAX_FRAMES = 400  # frames of one trace

# The position that a runtime prints above or beside a stack: where the exception was raised.
NODE_RAISED = re.compile(
    r"^(?:Uncaught )?(?:file://)?(?P<path>[^\s:]{1,400}\.[cm]?[jt]sx?):(?P<line>\d{1,7})$"
)
RUST_RAISED = re.compile(
    r"panicked at (?:'.{0,1000}', )?(?P<path>[^\s:']{1,400}\.rs):(?P<line>\d{1,7}):(?P<column>\d{1,7}):?$"
)
PHP_RAISED = re.compile(
    r"(?:^|[\s(])(?:in|at) (?P<path>[^\s:()]{1,400}\.php)(?: on line |:)(?P<line>\d{1,7})\b"
)
PHP_OUTER_FIRST = "[previous exception]"  # Laravel prints the previous exception last, PHP itself first
DEEPER = re.compile(r"^\s*(?:\[?[Cc]aused? ?[bB]?y?\]?: ?|\[errors\]: \[|Causes:|Caused by )")
SUPPRESSED = re.compile(r"^\s*Suppressed: ")
GOROUTINE = re.compile(r"goroutine \d{1,9} .{0,60}\[")
RUST_CALL = re.compile(r"^\s*\d{1,4}: +(?:0x[0-9a-f]{1,16} - )?(\S.{0,400})$")
RUBY_RAISED = re.compile(r":in [`'\"][^`'\"]{1,200}['\"]: .{0,2000}")


@dataclass
class _Part:
    """The frames of one exception of a chain, innermost first."""

    frames: list[Frame] = field(default_factory=list)
    indent: int = 0


def frames(text: str) -> list[Frame]:
    """The frames of a record, innermost first; those of the deepest cause of a chain of exceptions come first.

    Repeated frames of a recursion are listed once. Functions have plain names.
    """
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES // 2], *lines[-MAX_LINES // 2 :]]
    unique: dict[tuple[str, int, int], Frame] = {}
    for frame in _in_order(lines):
        unique.setdefault((frame.path, frame.line, frame.column), frame)
    return [
        replace(frame, function=function_name(frame.function)) for frame in list(unique.values())[:MAX_FRAMES]
    ]


def _in_order(lines: Sequence[str]) -> list[Frame]:
    if any('File "' in line or RICH.match(line.lstrip()) for line in lines):
        return python_frames(lines)
    if any(PHP_RAISED.search(line) for line in lines):
        return _php(lines)
    if any(".go:" in line and GO.match(line.strip(" \t->")) for line in lines):
        return _go(lines)
    if any(":in " in line and RUBY.search(line) for line in lines):
        return _joined(_ruby_parts(lines))
    return _joined(_nested_parts(lines))


def _joined(parts: Sequence[_Part]) -> list[Frame]:
    return [frame for part in parts for frame in part.frames]


# ---- Node, JVM, .NET, Rust, Elixir, browsers ----


def _nested_parts(lines: Sequence[str]) -> list[_Part]:
    """The exceptions of a chain, the deepest first. .NET prints the inner exception first, the others last."""
    parts: list[_Part] = []
    current: _Part | None = None
    is_cause, is_suppressed, call = False, False, ""
    for line in lines:
        raised = NODE_RAISED.match(line.strip()) or RUST_RAISED.search(line)
        frame = _raised(raised) if raised else frame_of(line)
        if frame is not None:
            indent = len(line) - len(line.lstrip())
            if current is None:
                current = _Part(indent=indent)
                _insert(parts, current, first=is_cause, last=is_suppressed)
            current.frames.append(replace(frame, function=call) if call and not frame.function else frame)
            is_cause, is_suppressed, call = False, False, ""
        elif match := RUST_CALL.match(line):
            call = match[1]
        elif line.strip() and not is_frame_line(line):
            current = None
            is_cause = is_cause or DEEPER.match(line) is not None or _opens_property(line, parts)
            is_suppressed = is_suppressed or SUPPRESSED.match(line) is not None
    return parts


def _insert(parts: list[_Part], part: _Part, *, first: bool, last: bool) -> None:
    parts.insert(0 if first and not last else len(parts), part)


def _opens_property(line: str, parts: Sequence[_Part]) -> bool:
    """True for an error in a property of another error, as Node prints it: `  driverError: error: …`."""
    name, colon, _ = line.partition(": ")
    key = name.strip(" []")
    return (
        bool(parts and colon)
        and line[:1] == " "
        and key.isidentifier()
        and key[0].islower()
        and "rror" in line
    )


def _raised(match: re.Match[str]) -> Frame:
    return Frame(match["path"], int(match["line"]), None, int(match.groupdict().get("column") or 0))


# ---- Ruby ----


def _ruby_parts(lines: Sequence[str]) -> list[_Part]:
    """Ruby prints the exception that was not caught first, and its cause behind it."""
    parts: list[_Part] = []
    begins = True
    for line in lines:
        frame = frame_of(line)
        if frame is None:
            begins = begins or line.strip() == "Causes:"
            continue
        if begins or RUBY_RAISED.search(line):
            parts.insert(0, _Part())
            begins = False
        parts[0].frames.append(frame)
    return parts


# ---- PHP ----


def _php(lines: Sequence[str]) -> list[Frame]:
    """PHP prints, for each call, the line of the call and the function that is called: the caller's name is below."""
    parts: list[_Part] = []
    part = _Part()
    outer_first = False
    for line in lines:
        outer_first = outer_first or PHP_OUTER_FIRST in line
        frame = frame_of(line)
        if frame is not None:
            if part.frames:
                part.frames[-1] = replace(part.frames[-1], function=frame.function)
            part.frames.append(replace(frame, function=None))
        elif match := PHP_RAISED.search(line):
            part = _Part([_raised(match)])
            parts.insert(0 if outer_first else len(parts), part)
    return _joined(parts)


# ---- Go ----


def _go(lines: Sequence[str]) -> list[Frame]:
    """The goroutine that runs. Frames above the last `panic(` belong to the code that recovers, and come last."""
    calls: list[tuple[str, Frame]] = []
    goroutines, call = 0, ""
    for position, line in enumerate(lines):
        if GOROUTINE.search(line):
            goroutines += 1
            if goroutines > 1 and calls:
                break
        frame = frame_of(line)
        if frame is None:
            call = line.strip(" \t->") or call
            continue
        name = _gin_call(lines, position) if " (0x" in line else call
        calls.append((name, replace(frame, function=name)))
        call = ""
    panics = [position for position, (name, _) in enumerate(calls) if name.startswith("panic(")]
    start = panics[-1] + 1 if panics else 0
    return [frame for _, frame in (*calls[start:], *calls[:start])]


def _gin_call(lines: Sequence[str], position: int) -> str:
    """gin prints the function below its file."""
    return lines[position + 1].strip().split(":")[0] if position + 1 < len(lines) else ""
