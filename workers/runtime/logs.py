"""Logging: one JSON object per line in production, readable text on a terminal.

A log event is a constant lower-case message; its facts are in `extra`. Both are cleaned and redacted here. Every line
of a stage names the stage's journal (`about`).

INFO tells the story of an incident in a few lines: alert, incident, verdict, outcome, pull request, end. What each
stage, sweep and ping does in between is DEBUG (TRACKWALKER_LOG_LEVEL).
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from workers.runtime.text import safe_line, safe_text, safe_value

ENCODE = json.JSONEncoder(default=lambda value: safe_text(str(value))).encode
INDENT = "    "  # before each line of an exception on a terminal, so that none of them can pose as a log line

# The attributes that every record has. All others came in `extra`.
STANDARD_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


_journal: ContextVar[str] = ContextVar("journal", default="")
_levels = {"trackwalker": logging.INFO}


@contextmanager
def about(journal: str) -> Iterator[None]:
    """Name this journal in every line that the thread logs within the block and that names none itself."""
    token = _journal.set(journal)
    try:
        yield
    finally:
        _journal.reset(token)


def _facts(record: logging.LogRecord) -> dict[str, object]:
    facts = {name: value for name, value in record.__dict__.items() if name not in STANDARD_ATTRIBUTES}
    return {"journal": journal, **facts} if (journal := _journal.get()) else facts


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
        facts = " ".join(f"{name}={_quoted(value)}" for name, value in safe_value(_facts(record)).items())
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        level = "" if record.levelno == logging.INFO else f" {record.levelname}"
        text = f"{time} {self.process}{level} {safe_line(f'{record.getMessage()} {facts}')}".rstrip()
        if not record.exc_info:
            return text
        exception = safe_text(self.formatException(record.exc_info)).expandtabs().split("\n")
        return "\n".join([text, *(f"{INDENT}{line}" for line in exception)])


def _quoted(value: object) -> str:
    """A fact on a terminal: in quotes if it has a space, so that its end is seen."""
    text = str(value)
    return f'"{text}"' if " " in text or not text else text


def set_level(name: str) -> None:
    """Log the product from this level on: `info` or `debug`."""
    _levels["trackwalker"] = logging.DEBUG if name == "debug" else logging.INFO
    logging.getLogger("trackwalker").setLevel(_levels["trackwalker"])


def configure(process: str) -> None:
    """Log to standard error: the product from INFO, or from the level that was set, libraries from WARNING.

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
    logging.getLogger("trackwalker").setLevel(_levels["trackwalker"])
    for noisy in ("httpx", "httpcore", "dramatiq", "uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
