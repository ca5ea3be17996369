"""The parts of a log record: its messages, and the source code that its trace quotes. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_CHARS = 40_000
"""Characters of a record that are read, half of them from each end: the message of an exception stands at the
beginning or at the end of its trace."""
# A frame of a trace: Python, JavaScript, Java, Kotlin, .NET, Go, Ruby, PHP, Elixir and Rust.
FRAME = re.compile(
    r"[\s>|│+]{0,40}(?:File \"[^\"\n]{1,300}\", line \d+"
    r"|at (?:[^\n(]{1,200} )?\(?(?:[^\s():]{1,300}:\d+|native|<anonymous>|node:|file:|index \d|Unknown Source)"
    r"|at [\w$.<>/@\[\]`]{1,300}\([^()\n]{0,200}\)"
    r"|\.{3} \d+ (?:more|common frames omitted)"
    r"|/[^\s:]{1,300}\.go:\d+"
    r"|(?:from )?[\w./-]{1,300}\.rb:\d+:in [`']"
    r"|#\d{1,3} (?:/|\{main\}|\[internal)"
    r"|\(\w[\w.-]{0,60} \d[\w.-]{0,20}\) [\w./]{1,200}\.exs?:\d+:"
    r"|goroutine \d+ \[|created by )"
)
PYTHON_FRAME = re.compile(r"(?P<indent>[\s>|│+]{0,40})File \"[^\"\n]{1,300}\", line \d+")
# Node prints the line that threw, between `file:line` and a line of carets, before the error.
NODE_PLACE = re.compile(r"(?:file://)?/[^\s:]{1,300}\.[cm]?[jt]sx?:\d+$|node:[\w/]{1,80}:\d+$")


@dataclass(frozen=True)
class RecordText:
    """A log record in parts."""

    message: str
    """Everything but frames and quoted code."""
    code: str
    """Source code that the trace quotes, then the code around the innermost own frame."""
    whole: str

    @property
    def lowered(self) -> str:
        return self.message.lower()


def split_record(text: str, code: Sequence[str] = ()) -> RecordText:
    """The parts of a record as it was logged."""
    whole = _plain(text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS // 2]}\n{text[-MAX_CHARS // 2 :]}")
    messages, sources = _split_lines(whole.split("\n"))
    return RecordText("\n".join(messages), "\n".join((*sources, *code)), whole)


def _plain(text: str) -> str:
    """JSON escapes become what they stand for: a record may be a JSON object as it was printed."""
    if "\\" not in text or not text.lstrip().startswith(("{", "[")):
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
        elif (indent >= 0 and (_indent(line) > indent or not line.strip())) or (
            number and NODE_PLACE.match(lines[number - 1]) and line.strip()
        ):
            sources.append(line)
        else:
            indent = -1
            if not FRAME.match(line) and not NODE_PLACE.match(line):
                messages.append(line)
    return messages, sources


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t>|│+"))
