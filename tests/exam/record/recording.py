"""The output, answers and measurements of one run of a service, and the files that they become."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

MAX_LOG_BYTES = 24_000  # of a recorded log; the whole exam stays small enough to be read
PAUSE_SECONDS = (
    0.04  # without a line for so long, an occurrence is over: logs are cut there, not inside a trace
)


class Recording:
    """The lines, requests and samples of one run; several threads write to it."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._lock = threading.Lock()
        self.lines: list[str] = []
        self.requests: dict[tuple[str, str, int], list[float]] = {}
        self.samples: list[dict[str, Any]] = []

    def add_line(self, severity: str, message: str) -> None:
        """Add a log line with the present time."""
        with self._lock:
            self.lines.append(f"{timestamp()} {severity} {self._instance} {message}")

    def add_request(self, method: str, path: str, status: int, milliseconds: float) -> None:
        """Add an answered request."""
        with self._lock:
            self.requests.setdefault((method, path, status), []).append(milliseconds)

    def add_sample(self, memory_gb: float, cpu: float) -> None:
        """Add a measurement of all processes of the service."""
        self.samples.append({"at": timestamp(), "memory_gb": round(memory_gb, 4), "cpu": round(cpu, 3)})


def timestamp() -> str:
    """The present time as Railway prints it, in milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def save(folder: Path, log_name: str, recording: Recording) -> None:
    """Write the log, the requests and the series of a folder."""
    kept = cut_at_pause(recording.lines)
    (folder / log_name).write_text("".join(f"{line}\n" for line in kept))
    rows = [_request_row(*item) for item in recording.requests.items()]
    _write_rows(folder / "requests.jsonl", rows)
    _write_rows(folder / "series.jsonl", recording.samples)


def cut_at_pause(lines: Sequence[str]) -> Sequence[str]:
    """The first lines, up to the last pause before the limit; all of them if there is none."""
    if sum(len(line.encode()) + 1 for line in lines) <= MAX_LOG_BYTES:
        return lines
    size, end = len(lines[0].encode()) + 1, len(lines)
    for index, (earlier, later) in enumerate(pairwise(lines), 1):
        if (_time_of(later) - _time_of(earlier)).total_seconds() >= PAUSE_SECONDS:
            end = index
        size += len(later.encode()) + 1
        if size > MAX_LOG_BYTES and end < len(lines):
            break
    return lines[:end]


def _time_of(line: str) -> datetime:
    return datetime.fromisoformat(line.split(" ", 1)[0])


def _request_row(key: tuple[str, str, int], times: list[float]) -> dict[str, Any]:
    """Requests of one kind, with their 95th percentile, which only rules on thresholds read."""
    method, path, status = key
    ordered = sorted(times)
    return {
        "method": method, "path": path, "status": status, "count": len(times),
        "slowest_ms": round(ordered[-1], 1), "p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
    }  # fmt: skip


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write JSON lines, or no file without rows."""
    path.unlink(missing_ok=True)
    if rows:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
