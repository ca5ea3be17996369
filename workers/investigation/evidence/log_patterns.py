"""Log lines become records (a traceback is one), records become patterns with counts.

All of it is hostile text: stripped, redacted, then cut; kept as data and never followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from workers.clients.railway import LogLine
from workers.models import LogPattern
from workers.runtime.redaction import redact

LONGEST_LINE = 200_000
"""Characters of a line that are read at all; what is kept of it is cut far before, after redaction."""
LONGEST_RECORD = 12_000
LONGEST_SAMPLE = 4_000
LONGEST_TEMPLATE = 300
MOST_LINES = 60
"""Lines of one record; frames further out are not kept."""
MOST_PATTERNS = 20
MOST_TOKENS = 60
MOST_ALIKE = 200
"""Groups of one length and first word: a log that is all different words stops making new ones."""
TOGETHER_SECONDS = 3.0
"""Lines of one traceback come at once; a replica that says nothing for so long has begun something new."""
SAME_SHARE = 0.5

ANSI = re.compile(r"\x1b(?:\[[0-9;?]{0,20}[ -/]{0,4}[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[@-Z\\-_])")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
MASKS = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.I), "<uuid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\b"), "<time>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://[^\s\"'<>)\]]{1,500}", re.I), "<url>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"), "<ip>"),
    (re.compile(r"(?<![\w<])/[\w.@%~+-]{1,100}(?:/[\w.@%~+:-]{0,100})+"), "<path>"),
    (re.compile(r"\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)[0-9a-f]{8,64}\b", re.I), "<hex>"),
    (re.compile(r"(?<![A-Za-z])[-+]?\d+(?:[.,]\d+)*"), "<n>"),
)
FRAME = re.compile(
    r'^[\s|+-]*(?:File "[^"]{1,500}", line \d|at\s+\S|\.\.\. \d+ (?:more|lines)|\^|~)|^\s*\[cause\]'
)
AT = re.compile(r"^\s+at\s")
CLASS = re.compile(r"^[A-Z][\w$]{2,120}(?: \[\w+\])?(?::|$)")
PYTHON_START = re.compile(r"^[\s|+-]*(?:Exception Group )?Traceback \(most recent call last\):")
CHAINED = re.compile(
    r"^(?:During handling of the above exception|The above exception was the direct cause|Caused by:)"
)
THROWN = re.compile(
    r"^(?:Uncaught )?(?:Error|Exception"
    r"|[A-Za-z_][\w.$]{0,120}(?:Error|Exception|Warning|Timeout|Exit|Interrupt|Failure|Group))"
    r"(?: \[[\w-]+\])?(?::|\s*$)"
)
SOURCE_LINE = re.compile(r"^(?:file://)?[^\s:]{1,300}\.[cm]?[jt]sx?:\d{1,7}$")
SAID_LEVEL = re.compile(
    r"^(?:<time>|[\[(|\s\d:.,TZ/+-])*\W?(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|ERR|CRITICAL|FATAL|PANIC)\b(?![-.\w])",
    re.I,
)
TROUBLE = re.compile(
    r"traceback|\w{0,60}(?:error|exception)\b|\bfail(?:ed|ure|s)?\b|\bfatal\b|\bpanic\b|\bunhandled|\buncaught"
    r"|\bcannot\b|\bcould not\b|\bunable to\b|\btimed? ?out\b|\brefused\b|\bdenied\b|\bexceeded\b|\bkilled\b"
    r"|\bout of memory\b|\bcrash|\baborted?\b|\brejected\b|\bmissing\b|\bnot found\b|\bE[A-Z]{5,14}\b"
    r"|\bnever became healthy\b|\bservice unavailable\b|\b5\d\d\b",
    re.I,
)  # fmt: skip
HARMLESS = re.compile(
    r"\b(?:0|no|zero|without) (?:errors?|failures?|exceptions?)\b|\bnpm (?:notice|warn)\b"
    r"|\b(?:errors?|failed)[=:] ?0\b",
    re.I,
)
LEVELS = {"10": "debug", "20": "debug", "30": "info", "40": "warning", "50": "error", "60": "error"}
"""Numbers that pino and bunyan write."""
SAID_AS = {
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


@dataclass
class Record:
    """What was said at once, a line or a whole traceback. `level` is what the text shows."""

    at: datetime
    said_level: str
    instance: str = ""
    lines: list[str] = field(default_factory=list)
    level: str = "info"

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def is_trace(self) -> bool:
        return sum(1 for line in self.lines if FRAME.match(line)) > 0

    @property
    def is_trouble(self) -> bool:
        return self.level == "error"


def strip(text: str) -> str:
    """The text without colours, control and direction characters; line feeds and tabs stay."""
    return CONTROL.sub("", ANSI.sub("", text[:LONGEST_LINE].replace("\r\n", "\n").replace("\r", "\n")))


def records(lines: Iterable[LogLine]) -> list[Record]:
    """The lines as records, oldest first: tracebacks joined, JSON opened, redacted, levels by content."""
    open_records: dict[str, Record] = {}
    found: list[Record] = []
    for line in sorted(lines, key=lambda one: one.timestamp):
        level, text = _open_json(strip(line.message), (line.level or "").lower())
        instance = line.instance_id or ""
        pieces = redact(text).split("\n")
        for piece in pieces:
            current = open_records.get(instance)
            if current is not None and _continues(
                current, piece, line.timestamp, same=piece is not pieces[0]
            ):
                if len(current.lines) < MOST_LINES or not FRAME.match(piece):
                    current.lines.append(piece.rstrip()[:LONGEST_RECORD])
            elif piece.strip():
                current = Record(line.timestamp, level, instance, [piece.rstrip()[:LONGEST_RECORD]])
                open_records[instance] = current
                found.append(current)
    for record in found:
        record.lines = _capped(record.lines)
        record.level = _level(record)
    return found


def _capped(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return (
        lines if sum(map(len, lines)) <= LONGEST_RECORD else cut("\n".join(lines), LONGEST_RECORD).split("\n")
    )


def _continues(record: Record, line: str, at: datetime, *, same: bool) -> bool:
    """Whether the line belongs to what the replica is just saying. `same`: both stood in one message."""
    if same:
        return True
    if (at - record.at).total_seconds() > TOGETHER_SECONDS or len(record.lines) >= 4 * MOST_LINES:
        return False
    if FRAME.match(line) or CHAINED.match(line):
        return True
    last = next((one for one in reversed(record.lines) if one.strip()), "")
    in_trace = record.is_trace or bool(PYTHON_START.match(last))
    if PYTHON_START.match(line):
        return bool(CHAINED.match(last)) or (not in_trace and bool(TROUBLE.search(last)))
    if not line.strip():
        return in_trace or bool(SOURCE_LINE.match(record.lines[0]))
    if CHAINED.match(last) or (SOURCE_LINE.match(record.lines[0]) and not in_trace):
        return True
    if in_trace and (
        line[0] in " \t}|" or (record.lines[-1].strip() == "" and SOURCE_LINE.match(record.lines[0]))
    ):
        return True
    python_open = in_trace and (FRAME.match(last) or last[:1] in " \t|") and _python_like(record)
    if python_open:
        return True
    return in_trace and bool(THROWN.match(line)) and not THROWN.match(last)


def _python_like(record: Record) -> bool:
    """A Python traceback that still waits for the line that names the exception."""
    starts = [i for i, line in enumerate(record.lines) if PYTHON_START.match(line)]
    return bool(starts) and all(line[:1] in " \t|+" or not line for line in record.lines[starts[-1] + 1 :])


def _open_json(text: str, level: str) -> tuple[str, str]:
    """A line of JSON as its message and stack; escaped line feeds of a cut or quoted one are opened."""
    if text.lstrip().startswith("{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            said = value.get("level", value.get("severity", value.get("lvl", level)))
            return LEVELS.get(str(said), str(said).lower()), _words(value) or text
    if "\\n" in text and ('File \\"' in text or 'File "' in text or "\\n    at " in text):
        text = text.replace("\\n", "\n").replace('\\"', '"').replace("\\t", "\t")
    return level, text


def _words(value: Mapping[str, object]) -> str:
    """The message and any stack in a JSON record, one after the other."""
    said = [text for key in ("message", "msg", "event") if isinstance(text := value.get(key), str)][:1]
    for key in STACK_KEYS:
        part = value.get(key)
        if isinstance(part, dict):
            inner = [text for name in ("stack", "message") if isinstance(text := part.get(name), str)]
            part = inner[0] if inner else None
        if isinstance(part, list) and all(isinstance(one, str) for one in part):
            part = "\n".join(part)
        if isinstance(part, str) and part.strip() and part not in said:
            said.append(part)
    return "\n".join(said)


def _level(record: Record) -> str:
    """What the text itself shows; standard error is no error, and `INFO` printed there is information."""
    text = record.text
    said = SAID_LEVEL.match(record.lines[0][:200])
    word = said[1].lower() if said else ""
    if record.is_trace and any(
        THROWN.match(line.lstrip(" |+")) or PYTHON_START.match(line) for line in record.lines
    ):
        return "warning" if word.startswith("warn") else "error"
    if word:
        return SAID_AS.get(word, word)
    trouble = bool(TROUBLE.search(HARMLESS.sub("", text[:2_000])))
    if record.said_level in ("error", "err", "fatal", "critical", "panic"):
        # An error may bear any name; a warning with a stack stays one.
        thrown = record.is_trace and "Warning" not in record.lines[0]
        return "error" if trouble or thrown else "stderr"
    if record.said_level.startswith("warn"):
        return "warning"
    if THROWN.match(text) and record.said_level not in ("info", "debug"):
        return "error"
    return record.said_level or "info"


def headline(record: Record) -> str:
    """The line that says what happened: the exception of a traceback, else the first line."""
    if record.is_trace:
        if raised := _raised(record.lines):
            return raised
        thrown = [line.lstrip(" |+") for line in record.lines if THROWN.match(line.lstrip(" |+"))]
        if thrown or (thrown := _before_the_stack(record.lines)):
            return thrown[0]
    return record.lines[0]


def _before_the_stack(lines: Sequence[str]) -> list[str]:
    """What Node says of an exception of any name: right before the stack, after a message or the source's line."""
    over = [line for line, below in pairwise(lines) if AT.match(below) and not FRAME.match(line)][:1]
    return over if SOURCE_LINE.match(lines[0]) or (over and CLASS.match(over[0])) else []


def _raised(lines: Sequence[str]) -> str:
    """What a Python traceback ends with, the last one of a chain: its exceptions bear any name."""
    starts = [i for i, line in enumerate(lines) if PYTHON_START.match(line)]
    if not starts:
        return ""
    after = (line for line in lines[starts[-1] + 1 :] if line.strip() and line[0] not in " \t|+")
    return next(after, "")


def mask(text: str) -> str:
    """The text with everything that differs from time to time replaced: `<uuid>`, `<time>`, `<n>` …"""
    for pattern, name in MASKS:
        text = pattern.sub(name, text)
    return text


def cut(text: str, longest: int) -> str:
    """The text within `longest` characters: of a longer one the beginning and, longer, the end."""
    if len(text) <= longest:
        return text
    head = longest // 3
    return f"{text[:head]}\n… cut …\n{text[-(longest - head - 9) :]}"


@dataclass
class _Group:
    tokens: list[str]
    records: list[Record]


def patterns(found: Sequence[Record], most: int = MOST_PATTERNS) -> tuple[LogPattern, ...]:
    """Records that are alike, counted; errors first, then the most frequent. At most `most`."""
    groups: dict[tuple[int, str, bool], list[_Group]] = {}
    for record in found:
        tokens = mask(headline(record)[:2_000]).split()[:MOST_TOKENS]
        alike = groups.setdefault((len(tokens), tokens[0] if tokens else "", record.is_trouble), [])
        group = next((one for one in alike if _same(one.tokens, tokens)), None)
        if group is None and len(alike) >= MOST_ALIKE:
            group = alike[-1]
        if group is None:
            alike.append(_Group(tokens, [record]))
            continue
        group.tokens = [a if a == b else "<*>" for a, b in zip(group.tokens, tokens, strict=True)]
        group.records.append(record)
    made = [_pattern(group) for alike in groups.values() for group in alike]
    order = {"error": 0, "warning": 1, "stderr": 2}
    return tuple(sorted(made, key=lambda one: (order.get(one.level, 3), -one.count, one.first))[:most])


def _same(template: Sequence[str], tokens: Sequence[str]) -> bool:
    equal = sum(a == b for a, b in zip(template, tokens, strict=True))
    return equal >= SAME_SHARE * max(1, len(tokens))


def _pattern(group: _Group) -> LogPattern:
    best = next((one for one in group.records if one.is_trace), group.records[0])
    levels = {record.level for record in group.records}
    level = next((one for one in ("error", "warning", "stderr") if one in levels), group.records[0].level)
    return LogPattern(
        template=cut(" ".join(group.tokens), LONGEST_TEMPLATE), count=len(group.records), level=level[:20],
        first=min(record.at for record in group.records), last=max(record.at for record in group.records),
        sample=cut(best.text, LONGEST_SAMPLE),
    )  # fmt: skip
