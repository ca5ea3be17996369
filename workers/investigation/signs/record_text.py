"""The parts of a log record: its messages, and the source code that its trace quotes. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from workers.investigation.code.frame_syntax import is_frame_line

MAX_CHARS = 40_000
"""Characters of a record that are read, half of them from each end: the message of an exception stands at the
beginning or at the end of its trace."""
PYTHON_FRAME = re.compile(r"(?P<indent>[\s>|│+]{0,40})File \"[^\"\n]{1,300}\", line \d+")
# Node prints the line that threw, between `file:line` and a line of carets, before the error.
NODE_PLACE = re.compile(r"(?:file://)?/[^\s:]{1,300}\.[cm]?[jt]sx?:\d+$|node:[\w/]{1,80}:\d+$")
# Ruby prints the message of an uncaught exception behind its innermost frame.
RUBY_MESSAGE = re.compile(r"\.rb:\d{1,6}:in [`'][^`'\n]{1,200}': (?P<text>.{1,2000})")
BARS = " \t>|│+"  # indents, the bars of exception groups and of rich, the pointer of loguru
MAY_BE_FRAME = re.compile(r"[\s|>│+-]{1,40}\S|at |#\d|goroutine |created by |\S{1,300}:\d|\S{1,300}\(")
"""A cheap look at a line before the syntax of frames is tried."""


# Text of users and of other data that a message quotes: a sentence in it states nothing about the service.
QUOTED_DATA = re.compile(
    r"(?P<before>\bKeyError: |invalid literal for \w{1,10}\(\)[^:\n]{0,20}: |could not convert string to float: "
    r"|\b(?:title|query|comment|feedback|review|description|prompt|question|bio|search(?:ed)?(?: for)?|subject|User feedback)[\"']?[:=]? ?)"
    r"(?:'(?!Config )[^'\n]{0,400}? [^'\n]{0,400}'|\"(?!Config )[^\"\n]{0,400}? [^\"\n]{0,400}\")"
)


@dataclass(frozen=True)
class RecordText:
    """A log record in parts."""

    message: str
    """Everything but frames and quoted code."""
    lowered: str
    """The message in lower case, to search for literals."""
    code: str
    """Source code that the trace quotes, then the code around the innermost own frame."""
    whole: str


def split_record(text: str, code: Sequence[str] = ()) -> RecordText:
    """The parts of a record as it was logged."""
    whole = _plain(text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS // 2]}\n{text[-MAX_CHARS // 2 :]}")
    messages, sources = _split_lines(whole.split("\n"))
    message = QUOTED_DATA.sub(r"\g<before>''", "\n".join(messages))
    return RecordText(message, message.lower(), "\n".join((*sources, *code)), whole)


def _plain(text: str) -> str:
    """JSON escapes become what they stand for: a record may hold a JSON object as it was printed."""
    if '\\"' not in text and "\\n" not in text:
        return text
    return text.replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"')


def _split_lines(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    messages: list[str] = []
    sources: list[str] = []
    indent = -1  # indentation of the Python frame whose code follows, or -1
    for number, line in enumerate(lines):
        frame = PYTHON_FRAME.match(line)
        if frame:
            indent = len(frame["indent"])
        elif _is_quoted_code(line, indent) or (number and _is_thrown_line(lines, number)):
            sources.append(line)
        else:
            indent = -1
            if not NODE_PLACE.match(line) and not (MAY_BE_FRAME.match(line) and is_frame_line(line)):
                messages.append(line)
            elif message := RUBY_MESSAGE.search(line):
                messages.append(message["text"])
    return messages, sources


def _is_quoted_code(line: str, indent: int) -> bool:
    return indent >= 0 and (_indent(line) > indent or not line.strip())


def _is_thrown_line(lines: Sequence[str], number: int) -> bool:
    """True for the line of code that Node.js prints below its place, above a line of carets."""
    below = lines[number + 1] if number + 1 < len(lines) else ""
    return NODE_PLACE.match(lines[number - 1]) is not None and below.strip().startswith("^")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(BARS))
