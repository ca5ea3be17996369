"""Opens log lines in JSON: their level, message and stack trace, from the field names of the common loggers. Pure.

Loggers: pino, winston, bunyan; zap, slog, logrus, zerolog; Logback, Log4j, Spring Boot (ECS, GELF); Serilog, .NET;
Monolog; structlog, python-json-logger, mozlog; Elixir's LoggerJSON; tracing; MongoDB; Google Cloud, OpenTelemetry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from workers.investigation.logs.json_traces import is_trace_text, trace_of
from workers.investigation.logs.log_prefixes import LEVELS, SYSLOG_LEVELS
from workers.runtime.characters import visible

MAX_DEPTH = 5  # of nested objects that are looked into
MAX_FIELDS = 120  # of one line that are looked at
MAX_FIELD_CHARS = 200  # of a further field
MAX_FURTHER_CHARS = 900  # of all further fields together

LEVEL_KEYS = (
    "level", "severity", "lvl", "loglevel", "log.level", "levelname", "level_name", "@l", "severitytext",
    "severitynumber", "s", "priority",
)  # fmt: skip
"""Names of the field with the level, in lower case, without underscores in `loglevel`."""
MESSAGE_KEYS = (
    "message", "msg", "event", "@m", "@mt", "short_message", "full_message", "body", "textpayload", "text",
    "messagetemplate", "log",
)  # fmt: skip
INNER = ("fields", "log", "data", "jsonpayload", "context", "extra", "attributes", "record", "attr")
"""Objects in which loggers put message and level, when they are not at the top."""
SHOWN_ELSEWHERE = frozenset(
    (*LEVEL_KEYS, *MESSAGE_KEYS, "time", "timestamp", "ts", "@timestamp", "@t", "t", "pid", "hostname", "v", "version",
     "@version", "level_value", "logger_name", "thread", "thread_name", "stack", "stacktrace", "stack_trace",
     "exc_info", "exception", "traceback", "@x", "envversion", "severity_number", "datetime", "host")
)  # fmt: skip
"""Fields that are not repeated behind the message."""
PINO_LEVELS = {10: "debug", 20: "debug", 30: "info", 40: "warning", 50: "error", 60: "error"}
"""Numbers of pino and bunyan."""
MONOLOG_LEVELS = {
    100: "debug",
    200: "info",
    250: "info",
    300: "warning",
    400: "error",
    500: "error",
    550: "error",
    600: "error",
}
OPEN_TELEMETRY_STEPS = ((17, "error"), (13, "warning"), (9, "info"), (0, "debug"))
"""Lowest number of each level (OpenTelemetry, log data model, `SeverityNumber`)."""
DOTNET_LEVELS = ("debug", "debug", "info", "warning", "error", "error", "info")
"""By the number of `Microsoft.Extensions.Logging.LogLevel`."""
BROKEN_LEVEL = re.compile(
    r'"(?:level|severity|lvl|levelname|LogLevel|@l)":\s{0,2}"?([A-Za-z]{1,13}|\d{1,3})\b'
)
BROKEN_MESSAGE = re.compile(r'"(?:message|msg|event|Message|@m|@mt)":\s{0,2}"((?:[^"\\]|\\.){1,2000})')
ESCAPED_TRACE = re.compile(
    r'File \\{0,2}"|\\n\s{1,8}at |\\n\\tat |goroutine \d|\\n#\d|:\d{1,6}:in |\.go:\d|\\n\\t/'
)


TRACE_HINTS = (
    "Traceback", "\\n", "stack", "Stack", "rror", "err", "exc", "xception", "race", "thrown", "cause", "@x", "reason",
    "anic", "Err",
)  # fmt: skip
"""Lines with an exception have one of these."""
TROUBLE_HINTS = (
    "error",
    "fail",
    "reason",
    "detail",
    "invalid",
    "reject",
    "denied",
    "refused",
    "missing",
    "unavailable",
)
"""Words of a quiet line whose further fields may say what is wrong."""


QUIET_LEVELS = {
    "30": "info",
    "20": "debug",
    "info": "info",
    "INFO": "info",
    "debug": "debug",
    "DEBUG": "debug",
}
FAULT_HINTS = (
    "rror", "err", "Err", "ERR", "ail", "tack", "race", "xc", "cause", "thrown", "@x", "eason", "etail", "nvalid",
    "eject", "enied", "efused", "issing", "navail", "anic", "\\n",
)  # fmt: skip
"""Most lines are quiet and have none of these: their message is all that they say."""


class Opened(NamedTuple):
    """A line with its level and its text."""

    level: str
    """As the product names levels; empty if the line does not state one."""
    text: str
    """Message, then stack trace, then further fields, on as many lines as they have."""
    is_json: bool


def open_line(text: str) -> Opened:
    """The content of a line. JSON becomes its message and stack trace, and escaped traces are unescaped."""
    if text.lstrip(" \t")[:1] == "{" and '"' in text:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and value:
            return _from_object(value, text)
    # Railway truncates long lines: their JSON cannot be parsed, but the traceback inside is readable.
    if "\\n" in text and ESCAPED_TRACE.search(text):
        return _from_broken(text)
    return Opened("", text, is_json=False)


def _from_broken(text: str) -> Opened:
    level, message = BROKEN_LEVEL.search(text), BROKEN_MESSAGE.search(text)
    plain = text.replace("\\n", "\n").replace('\\"', '"').replace("\\t", "\t")
    if not text.lstrip().startswith("{"):
        return Opened("", plain, is_json=False)
    if message is not None:
        first = message[1].replace("\\n", "\n").replace('\\"', '"').replace("\\t", "\t")
        plain = f"{first}\n{plain[message.end() :]}" if "\n" in plain[message.end() :] else plain
    word = level[1].lower() if level else ""
    return Opened(
        _number_level(int(word), "level") if word.isdigit() else LEVELS.get(word, ""), plain, is_json=True
    )


def _from_object(value: Mapping[str, object], text: str) -> Opened:
    level = QUIET_LEVELS.get(str(value.get("level")), "")
    message = value.get("msg") or value.get("message") or value.get("event")
    if level and isinstance(message, str) and not any(hint in text for hint in FAULT_HINTS):
        return Opened(level, visible(message), is_json=True)
    return _from_fields(value, text)


def _from_fields(value: Mapping[str, object], text: str) -> Opened:
    fields = {name.lower(): item for name, item in value.items()}
    level, message = _level(fields), _message(fields)
    if not level or not message:
        inner = _inner(fields)
        level, message = level or _level(inner), message or _message(inner)
    trace = trace_of(value) if any(hint in text for hint in TRACE_HINTS) else ""
    if not message and not trace:
        return Opened(level, visible(text), is_json=True)
    lines = [message] if message and message.strip() not in trace else []
    if trace:
        lines.append(trace)
    lower = text.lower()
    if (level not in ("info", "debug") or any(hint in lower for hint in TROUBLE_HINTS)) and (
        further := _further(value, "\n".join(lines))
    ):
        lines.append(further)
    # Again, because JSON may hold escaped control characters.
    return Opened(level, visible("\n".join(lines)), is_json=True)


def _inner(fields: Mapping[str, object]) -> dict[str, object]:
    return {
        name.lower(): item
        for key in INNER
        if isinstance(nested := fields.get(key), dict)
        for name, item in nested.items()
    }


def _message(fields: Mapping[str, object]) -> str:
    for key in MESSAGE_KEYS:
        text = fields.get(key)
        if isinstance(text, str) and text.strip():
            return text
        if key == "body" and isinstance(text, dict) and isinstance(text.get("stringValue"), str):
            return str(text["stringValue"])
    return ""


# ---- levels ----


def _level(fields: Mapping[str, object]) -> str:
    for key in LEVEL_KEYS:
        value = fields.get(key)
        if value is None and key == "loglevel":
            value = fields.get("log_level")
        if isinstance(value, bool) or value is None or (key == "s" and "c" not in fields):
            continue
        if isinstance(value, dict):
            value = value.get("name") or value.get("level")
        if isinstance(value, int | float):
            return _number_level(int(value), key)
        if isinstance(value, str) and value.strip():
            word = value.strip().lower()
            if word.isdigit():
                return _number_level(int(word[:4]), key)
            if word in LEVELS:
                return LEVELS[word]
    return ""


def _number_level(number: int, key: str) -> str:
    """The level of a number. Loggers count in different ways, which the range tells apart."""
    if key == "severitynumber":
        return next((level for lowest, level in OPEN_TELEMETRY_STEPS if number >= lowest), "debug")
    if key == "loglevel" and 0 <= number < len(DOTNET_LEVELS):
        return DOTNET_LEVELS[number]
    if 0 <= number < len(SYSLOG_LEVELS):
        return SYSLOG_LEVELS[number]
    steps = MONOLOG_LEVELS if number >= 100 else PINO_LEVELS
    return next((level for lowest, level in reversed(steps.items()) if number >= lowest), "debug")


# ---- further fields ----


def _further(value: Mapping[str, object], shown: str) -> str:
    """The fields beside message and stack trace as `name=value`, on one line."""
    parts: list[str] = []
    length = 0
    for name, item in _leaves(value):
        text = item if isinstance(item, str) else json.dumps(item)
        if not text or is_trace_text(text) or (len(text) > 2 and text in shown):
            continue
        parts.append(f"{name}={text[:MAX_FIELD_CHARS]}".replace("\n", " "))
        length += len(parts[-1]) + 1
        if length > MAX_FURTHER_CHARS:
            break
    return " ".join(parts)[:MAX_FURTHER_CHARS]


def _leaves(value: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Name and value of each plain field, outer ones first, `MAX_FIELDS` at most."""
    waiting: list[tuple[str, object, int]] = [("", value, 0)]
    for count, (path, item, depth) in enumerate(waiting):
        if count >= MAX_FIELDS:
            return
        if isinstance(item, str | int | float | bool):
            yield path, item
        elif depth < MAX_DEPTH and isinstance(item, dict | list):
            pairs = item.items() if isinstance(item, dict) else enumerate(item)
            prefix = f"{path}." if path else ""
            waiting += [
                (f"{prefix}{name}", part, depth + 1)
                for name, part in list(pairs)[:MAX_FIELDS]
                if str(name).lower() not in SHOWN_ELSEWHERE or (name == "log" and isinstance(part, dict))
            ]
