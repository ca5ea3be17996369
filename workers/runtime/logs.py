"""Log events, not prose: one JSON object a line in production, readable text on a terminal; no secret in either."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

ENCODE = json.JSONEncoder(default=str).encode
_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in record.__dict__.items() if name not in _PLAIN}


class _Lines(logging.Formatter):
    """One JSON object a line; Railway parses `message` and `level` out of it."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self.process,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return ENCODE(line)


class _Text(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={value}" for name, value in _facts(record).items())
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        mark = "" if record.levelno == logging.INFO else f" {record.levelname}"
        text = f"{moment} {self.process}{mark} {record.getMessage()} {facts}".rstrip()
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def configure(process: str) -> None:
    """Everything of ours from INFO, everything else from WARNING, to standard error."""
    # What no line of ours shows is not looked up (the standard library's own advice): half of a line's cost.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Text(process) if sys.stderr.isatty() else _Lines(process))
    # Every consumer cries every three seconds while the store is away; the mover says it once.
    handler.addFilter(lambda record: not record.name.startswith("dramatiq.worker.ConsumerThread"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("trackwalker").setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore", "dramatiq"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
