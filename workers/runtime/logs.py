"""Logging: one JSON object per line in production, readable text on a terminal.

A log event is a constant lower-case message; its facts are in `extra`. Both are cleaned and redacted here.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from workers.runtime.text import safe_line, safe_text, safe_value

ENCODE = json.JSONEncoder(default=lambda value: safe_text(str(value))).encode
INDENT = "    "  # before each line of an exception on a terminal, so that none of them can pose as a log line

# The attributes that every record has. All others came in `extra`.
STANDARD_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in record.__dict__.items() if name not in STANDARD_ATTRIBUTES}


class _JsonFormatter(logging.Formatter):
    """One JSON object per line. Railway reads `message` and `level` of it: https://docs.railway.com/guides/logs

    Every text in it is cleaned and redacted, at any depth: facts quote log lines, names and errors of others.
    """

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self.process,
            "message": safe_text(record.getMessage()),
            **safe_value(_facts(record)),
        }
        if record.exc_info:
            line["exception"] = safe_text(self.formatException(record.exc_info))
        return ENCODE(line)


class _TextFormatter(logging.Formatter):
    """One line per event for a terminal, without anything that moves its cursor; exceptions are indented."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        # Cleaned before they are formatted: repr() turns a hidden character of a nested text into visible letters.
        facts = " ".join(f"{name}={value}" for name, value in safe_value(_facts(record)).items())
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        level = "" if record.levelno == logging.INFO else f" {record.levelname}"
        text = f"{time} {self.process}{level} {safe_line(f'{record.getMessage()} {facts}')}".rstrip()
        if not record.exc_info:
            return text
        exception = safe_text(self.formatException(record.exc_info)).expandtabs().split("\n")
        return "\n".join([text, *(f"{INDENT}{line}" for line in exception)])


def configure(process: str) -> None:
    """Log to standard error: the product from INFO, libraries from WARNING.

    Args:
        process: the name that every line carries, such as `web`.
    """
    # The formatters use none of these, and looking them up is half the cost of a line. The settings come from
    # "Optimization" in the standard library's logging HOWTO.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_TextFormatter(process) if sys.stderr.isatty() else _JsonFormatter(process))
    # While Redis is away, each consumer logs an error every three seconds; the dispatcher logs the outage once.
    handler.addFilter(lambda record: not record.name.startswith("dramatiq.worker.ConsumerThread"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("trackwalker").setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore", "dramatiq"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
