"""The same incidents as other process managers, replicas and outputs would log them.

The right answer stays the same. Each variant changes the deployment log only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from tests.exam.incidents import Exercise

LogLines = list[dict[str, str]]
Variant = Callable[[LogLines], LogLines]

REPLICA_LAG = timedelta(
    microseconds=300
)  # less than a log line takes, so that the lines of two replicas alternate
LINES_BETWEEN_REQUESTS = 7
ACCESS_LINE = '10.0.0.9 - - [20/Nov/2026:11:48:00 +0000] "GET /health HTTP/1.1" 200 2 "-" "probe"'


def two_replicas(lines: LogLines) -> LogLines:
    """Two replicas fail in the same way, a moment apart."""
    doubled = [copy for line in lines for copy in (line, line | {"at": _later(line["at"]), "instance": "c2"})]
    return sorted(doubled, key=lambda line: _time_of(line["at"]))


def standard_output(lines: LogLines) -> LogLines:
    """The service prints everything on standard output."""
    return [line | {"severity": "info"} for line in lines]


def standard_error(lines: LogLines) -> LogLines:
    """The service prints everything on standard error."""
    return [line | {"severity": "error"} for line in lines]


def process_prefix(lines: LogLines) -> LogLines:
    """A process manager such as honcho or docker compose puts the name of the process before each line."""
    return [line | {"message": f"web.1  | {line['message']}"} for line in lines]


def time_prefix(lines: LogLines) -> LogLines:
    """A process manager such as pm2 puts the time before each line."""
    return [line | {"message": f"{line['at']} {line['message']}"} for line in lines]


def requests_between(lines: LogLines) -> LogLines:
    """Lines of an access log on standard output stand between the lines of traces."""
    result = []
    for index, line in enumerate(lines):
        result.append(line)
        if index % LINES_BETWEEN_REQUESTS == LINES_BETWEEN_REQUESTS // 2:
            result.append(line | {"severity": "info", "message": ACCESS_LINE})
    return result


def whole_seconds(lines: LogLines) -> LogLines:
    """The times of the lines have no fractions."""
    return [line | {"at": line["at"].partition(".")[0].rstrip("Z") + "Z"} for line in lines]


VARIANTS: tuple[Variant, ...] = (
    two_replicas, standard_output, standard_error, process_prefix, time_prefix, requests_between, whole_seconds,
)  # fmt: skip


def dressed(exercise: Exercise, variant: Variant) -> Exercise:
    """The exercise with another deployment log; each replica shows every occurrence of the fault."""
    before = exercise.case.get("logs", [])
    lines = variant(before)
    more = len({line["instance"] for line in lines}) // max(1, len({line["instance"] for line in before}))
    answer = replace(exercise.answer, occurrences=exercise.answer.occurrences * more)
    return replace(exercise, case=exercise.case | {"logs": lines}, answer=answer)


def _time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _later(text: str) -> str:
    return (_time_of(text) + REPLICA_LAG).isoformat(timespec="microseconds")
