"""Turns log lines into records: a traceback is one record, JSON is opened, the level follows from the text. Pure.

Log text comes from the watched service and is untrusted: it is cleaned and truncated, kept as data, and never
followed. It is not redacted: a pattern is redacted when it is built. All regular expressions are bounded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from workers.models import LogLine
from workers.runtime.characters import visible
from workers.runtime.redaction import redact_key_line

MAX_LINE_CHARS = 200_000  # of a line are processed at all; far less is kept, after redaction
MAX_RECORD_CHARS = 12_000  # a whole traceback with its message; longer records lose their middle
MAX_RECORD_LINES = 60  # of one record; the frames of deep recursion repeat
MAX_OPEN_LINES = (
    4 * MAX_RECORD_LINES
)  # after which a record is closed, even if its next line would continue it
# Longest pause between two lines of one traceback. A process prints it at once, so a later line is a new record.
MAX_PAUSE_SECONDS = 3.0

# A line inside a traceback of Python or of Node, with the markers of an exception group.
FRAME = re.compile(
    r'^[\s|+-]*(?:File "[^"]{1,500}", line \d|at\s+\S|\.\.\. \d+ (?:more|lines)|\^|~)|^\s*\[cause\]'
)
# A frame of a Node stack.
STACK_LINE = re.compile(r"^\s+at\s")
# A line that begins with a class name, as Node prints exceptions of any class: `SoldOut: gift`.
CLASS_NAME = re.compile(r"^[A-Z][\w$]{2,120}(?: \[\w+\])?(?::|$)")
PYTHON_START = re.compile(r"^[\s|+-]*(?:Exception Group )?Traceback \(most recent call last\):")
# Lines between the tracebacks of chained exceptions, of Python and of Java.
CHAINED = re.compile(
    r"^(?:During handling of the above exception|The above exception was the direct cause|Caused by:)"
)
# A line that begins with the name of an exception or warning class.
THROWN = re.compile(
    r"^(?:Uncaught )?(?:Error|Exception"
    r"|[A-Za-z_][\w.$]{0,120}(?:Error|Exception|Warning|Timeout|Exit|Interrupt|Failure|Group))"
    r"(?: \[[\w-]+\])?(?::|\s*$)"
)
CLASS = re.compile(
    r"^(?:Uncaught )?([A-Za-z_][\w.$]{0,120}(?:Error|Exception|Warning|Timeout|Exit|Interrupt|Failure|Group)|Error"
    r"|Exception|[A-Z][\w$]{2,120})(?: \[[\w-]+\])?(?::|\s*$)"
)
# The first line that Node prints for an uncaught exception: the file and line that threw it.
SOURCE_LINE = re.compile(r"^(?:file://)?[^\s:]{1,300}\.[cm]?[jt]sx?:\d{1,7}$")
# A level at the start of a line, after time and brackets; not `ERROR-42` and not `info.py`.
LEADING_LEVEL = re.compile(
    r"^(?:<time>|[\[(|\s\d:.,TZ/+-])*\W?(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|ERR|CRITICAL|FATAL|PANIC)\b(?![-.\w])",
    re.I,
)
# Words that make a line on standard error an error; servers log harmless lines there too.
ERROR_WORDS = re.compile(
    r"traceback|\w{0,60}(?:error|exception)\b|\bfail(?:ed|ure|s)?\b|\bfatal\b|\bpanic\b|\bunhandled|\buncaught"
    r"|\bcannot\b|\bcould not\b|\bunable to\b|\btimed? ?out\b|\brefused\b|\bdenied\b|\bexceeded\b|\bkilled\b"
    r"|\bout of memory\b|\bcrash|\baborted?\b|\brejected\b|\bmissing\b|\bnot found\b|\bE[A-Z]{5,14}\b"
    r"|\bnever became healthy\b|\bservice unavailable\b|\b5\d\d\b",
    re.I,
)  # fmt: skip
# Phrases with an error word that report success, and the notices of npm.
HARMLESS_PHRASES = re.compile(
    r"\b(?:0|no|zero|without) (?:errors?|failures?|exceptions?)\b|\bnpm (?:notice|warn)\b"
    r"|\b(?:errors?|failed)[=:] ?0\b",
    re.I,
)
NUMERIC_LEVELS = {"10": "debug", "20": "debug", "30": "info", "40": "warning", "50": "error", "60": "error"}
"""Numeric levels of the Node loggers pino and bunyan."""
LEVEL_ALIASES = {
    "err": "error", "critical": "error", "fatal": "error", "panic": "error", "warn": "warning",
    "notice": "info", "trace": "debug",
}  # fmt: skip
STACK_KEYS = (
    "stack",
    "stacktrace",
    "stack_trace",
    "traceback",
    "exc_info",
    "exception",
    "error",
    "err",
    "cause",
)


@dataclass(frozen=True)
class LogRecord:
    """One log entry of one replica: a line, or a whole traceback with the message before it.

    The text is cleaned of invisible characters, but not redacted: records stay in memory and signs are read from them.
    """

    at: datetime
    instance: str
    """Replica that printed it; empty if Railway does not say."""
    reported_level: str
    """The level that Railway or the JSON line names, lower case. Standard error counts as `error` on Railway."""
    lines: tuple[str, ...]
    level: str
    """The level that the text shows: `error`, `warning`, `stderr`, `info`, `debug` …"""
    is_trace: bool
    """True if the record has a stack trace."""
    headline: str
    """The line that names the problem: the exception of a trace, otherwise the first line."""
    exception: str
    """Class of the exception that the headline names; empty without one."""

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def is_error(self) -> bool:
        return self.level == "error"


@dataclass
class _Open:
    """A record whose next line may still come."""

    at: datetime
    instance: str
    reported_level: str
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def is_trace(self) -> bool:
        return any(FRAME.match(line) for line in self.lines)


def clean_log_text(text: str) -> str:
    """The beginning of the text without anything that a reader cannot see; line feeds and tabs stay."""
    return visible(text[:MAX_LINE_CHARS])


def build_log_records(lines: Iterable[LogLine]) -> list[LogRecord]:
    """The lines as records, oldest first. Tracebacks are joined per replica, because replicas interleave."""
    open_records: dict[str, _Open] = {}
    records: list[_Open] = []
    in_key: dict[str, bool] = {}
    for line in sorted(lines, key=lambda line: line.timestamp):
        instance = line.instance_id or ""
        message, in_key[instance] = redact_key_line(
            clean_log_text(line.message), inside=in_key.get(instance, False)
        )
        level, text = _open_json(message, (line.level or "").lower())
        # Again, because JSON may hold escaped control characters.
        for position, piece in enumerate(visible(text).split("\n")):
            record = open_records.get(instance)
            if record is not None and (position > 0 or _continues(record, piece, line.timestamp)):
                _append(record, piece)
            elif piece.strip():
                record = _Open(line.timestamp, instance, level, [piece.rstrip()[:MAX_RECORD_CHARS]])
                open_records[instance] = record
                records.append(record)
    return [_closed(record) for record in records]


def _closed(record: _Open) -> LogRecord:
    record.lines = _limited(record.lines)
    headline = find_headline(record.lines) if record.is_trace else record.lines[0]
    return LogRecord(
        at=record.at,
        instance=record.instance,
        reported_level=record.reported_level,
        lines=tuple(record.lines),
        level=_level(record),
        is_trace=record.is_trace,
        headline=headline,
        exception=exception_class(headline),
    )


def _append(record: _Open, line: str) -> None:
    # Beyond the limit only frames are dropped: the exception comes after them and must stay.
    if len(record.lines) < MAX_RECORD_LINES or not FRAME.match(line):
        record.lines.append(line.rstrip()[:MAX_RECORD_CHARS])


def _limited(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    if sum(map(len, lines)) <= MAX_RECORD_CHARS:
        return lines
    return truncate_middle("\n".join(lines), MAX_RECORD_CHARS).split("\n")


def truncate_middle(text: str, limit: int) -> str:
    """The text in at most `limit` characters: its beginning and, twice as long, its end.

    The end of a traceback names the exception, and its beginning the request.
    """
    if len(text) <= limit:
        return text
    head = limit // 3
    return f"{text[:head]}\n… cut …\n{text[-(limit - head - 9) :]}"


# ---- joining lines ----


def _continues(record: _Open, line: str, at: datetime) -> bool:
    """True if a new message of the same replica is the next line of the record."""
    if (at - record.at).total_seconds() > MAX_PAUSE_SECONDS or len(record.lines) >= MAX_OPEN_LINES:
        return False
    if FRAME.match(line) or CHAINED.match(line):
        return True
    last = next((text for text in reversed(record.lines) if text.strip()), "")
    in_trace = record.is_trace or PYTHON_START.match(last) is not None
    if PYTHON_START.match(line):
        # A traceback after a complete one is a new record, one after an error message explains the message.
        return CHAINED.match(last) is not None or (not in_trace and ERROR_WORDS.search(last) is not None)
    # Node prints an uncaught exception below the path, the text and a marker of the line that threw it.
    node_uncaught = SOURCE_LINE.match(record.lines[0]) is not None
    if not line.strip():
        return in_trace or node_uncaught
    if CHAINED.match(last) or (node_uncaught and not in_trace):
        return True
    return in_trace and _continues_trace(record, line, last, node_uncaught=node_uncaught)


def _continues_trace(record: _Open, line: str, last: str, *, node_uncaught: bool) -> bool:
    if line[0] in " \t}|" or (node_uncaught and not record.lines[-1].strip()):
        return True
    if (FRAME.match(last) or last[:1] in " \t|") and _expects_exception(record):
        return True
    return THROWN.match(line) is not None and not THROWN.match(last)


def _expects_exception(record: _Open) -> bool:
    """True if the record is a Python traceback whose last line, which names the exception, is still missing."""
    starts = [number for number, line in enumerate(record.lines) if PYTHON_START.match(line)]
    return bool(starts) and all(line[:1] in " \t|+" or not line for line in record.lines[starts[-1] + 1 :])


# ---- JSON ----


def _open_json(text: str, level: str) -> tuple[str, str]:
    """The level and the text of a line. JSON becomes its message and stack, escaped tracebacks are unescaped."""
    if text.lstrip().startswith("{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            named = str(value.get("level", value.get("severity", value.get("lvl", level))))
            return NUMERIC_LEVELS.get(named, named.lower()), _message_and_stack(value) or text
    # Railway truncates long lines: their JSON cannot be parsed, but the traceback inside is readable.
    if "\\n" in text and ('File \\"' in text or 'File "' in text or "\\n    at " in text):
        text = text.replace("\\n", "\n").replace('\\"', '"').replace("\\t", "\t")
    return level, text


def _message_and_stack(value: Mapping[str, object]) -> str:
    parts = [text for key in ("message", "msg", "event") if isinstance(text := value.get(key), str)][:1]
    for key in STACK_KEYS:
        stack = _stack_text(value.get(key))
        if stack.strip() and stack not in parts:
            parts.append(stack)
    return "\n".join(parts)


def _stack_text(value: object) -> str:
    """The stack in the value of a JSON field: a string, a list of lines, or an object with `stack` or `message`."""
    if isinstance(value, dict):
        value = next((text for name in ("stack", "message") if isinstance(text := value.get(name), str)), "")
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "\n".join(value)
    return value if isinstance(value, str) else ""


# ---- levels ----


def _level(record: _Open) -> str:
    """The level that the text itself shows. Everything on standard error is `error` for Railway, even `INFO` lines."""
    leading = LEADING_LEVEL.match(record.lines[0][:200])
    word = leading[1].lower() if leading else ""
    if record.is_trace and any(_names_exception(line) for line in record.lines):
        return "warning" if word.startswith("warn") else "error"
    if word:
        return LEVEL_ALIASES.get(word, word)
    if record.reported_level in ("error", "err", "fatal", "critical", "panic"):
        # A trace is an error under any name, but a warning with a stack stays a warning.
        thrown = record.is_trace and "Warning" not in record.lines[0]
        return "error" if thrown or _sounds_like_error(record.text) else "stderr"
    if record.reported_level.startswith("warn"):
        return "warning"
    if THROWN.match(record.text) and record.reported_level not in ("info", "debug"):
        return "error"
    return record.reported_level or "info"


def _names_exception(line: str) -> bool:
    return THROWN.match(line.lstrip(" |+")) is not None or PYTHON_START.match(line) is not None


def _sounds_like_error(text: str) -> bool:
    return ERROR_WORDS.search(HARMLESS_PHRASES.sub("", text[:2_000])) is not None


# ---- headlines ----


def find_headline(lines: Sequence[str]) -> str:
    """The line of a trace that names the exception; its first line if none does."""
    if exception := _python_exception(lines):
        return exception
    plain = [line.lstrip(" |+") for line in lines]
    thrown = [line for line in plain if THROWN.match(line)] or _node_exception(lines)
    return thrown[0] if thrown else lines[0]


def exception_class(headline: str) -> str:
    """The class of the exception that a headline names; empty without one."""
    match = CLASS.match(headline)
    return match[1] if match else ""


def _python_exception(lines: Sequence[str]) -> str:
    """The last line of the last traceback, which names the exception. It may have any class name."""
    starts = [number for number, line in enumerate(lines) if PYTHON_START.match(line)]
    if not starts:
        return ""
    after = (line for line in lines[starts[-1] + 1 :] if line.strip() and line[0] not in " \t|+")
    return next(after, "")


def _node_exception(lines: Sequence[str]) -> list[str]:
    """The line above the first frame of a Node stack, if it can be an exception: its class may have any name."""
    above = [line for line, below in pairwise(lines) if STACK_LINE.match(below) and not FRAME.match(line)][:1]
    is_exception = SOURCE_LINE.match(lines[0]) or (above and CLASS_NAME.match(above[0]))
    return above if is_exception else []
