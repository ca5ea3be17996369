"""The products that sit the exam: this one, another one behind a command, and two simple rivals.

A product gets the input line of `trackwalker diagnose` and answers with a JSON line; of that, the exam reads
`category`, `summary`, `action`, `places` (`file`, `line`) and, if they are there, `patterns` (`count`, `headline`,
`example`) and `model_calls`.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.exam.incidents import Exercise
from workers.cli.diagnosis import diagnose_line

TIMEOUT_SECONDS = 600.0  # of another product for one incident: it may ask a model
EXCEPTION = re.compile(r"\b\w{0,80}(?:Error|Exception)\b[^\n]{0,200}")
PLACE = re.compile(
    r"File \"([^\"\n]{1,300})\", line (\d{1,7})"
    r"|([\w@./-]{1,300}\.(?:py|jsx?|tsx?|mjs|cjs|go|rb|php|rs|exs?|java|kt|cs))(?::|\(|:line | on line )(\d{1,7})"
)
"""A path with a line, as most languages print it."""


class Reply(NamedTuple):
    """The answer of a product to one incident, and its cost."""

    category: str
    places: tuple[str, ...] = ()
    """`file:line`, the likeliest first."""
    summary: str = ""
    action: str = ""
    patterns: tuple[tuple[int, str], ...] = ()
    """Count and text of each group of similar log records."""
    model_calls: int = 0
    milliseconds: float = 0.0


Product = Callable[[Exercise], Reply]


def this_product(exercise: Exercise) -> Reply:
    """The diagnosis of this repository, in this process."""
    line, began = exercise.line, time.process_time()
    answer = json.loads(diagnose_line(line))
    return _reply(answer, 1000 * (time.process_time() - began))


def product_behind(command: str) -> Product:
    """Another product: a command that reads the line on standard input and prints an answer as a JSON line.

    Raises:
        subprocess.CalledProcessError: The command failed.
    """

    def ask(exercise: Exercise) -> Reply:
        began = time.monotonic()
        result = subprocess.run(
            shlex.split(command), input=exercise.line + "\n", text=True, check=True,
            stdout=subprocess.PIPE, timeout=TIMEOUT_SECONDS,
        )  # fmt: skip
        return _reply(json.loads(result.stdout.splitlines()[-1]), 1000 * (time.monotonic() - began))

    return ask


def _reply(answer: dict[str, Any], milliseconds: float) -> Reply:
    places = (f"{place['file']}:{place.get('line') or 0}" for place in answer.get("places", ()))
    return Reply(
        category=answer.get("category", ""),
        places=tuple(places),
        summary=answer.get("summary", ""),
        action=answer.get("action", ""),
        patterns=tuple(_pattern(pattern) for pattern in answer.get("patterns", ())),
        model_calls=answer.get("model_calls", 0),
        milliseconds=milliseconds,
    )


def _pattern(pattern: dict[str, Any]) -> tuple[int, str]:
    return pattern.get("count", 0), f"{pattern.get('headline', '')}\n{pattern.get('example', '')}"


# ---- rivals ----


def thresholds(exercise: Exercise) -> Reply:
    """The rules of common alerting: fixed thresholds, then an agent for whatever fires.

    Source: m-abdelwahab/railway-autofix, `constants.ts` and `detect-issues.ts`. Mean and maximum of CPU and memory at
    70 % or 90 % of the limit, 5xx at 1 % or 5 %, 4xx at 10 % or 25 %, p95 at 1,000 or 3,000 ms. The rules name
    no cause; a full resource counts here as `resource limit`, all else as `code`, since an agent then edits the code.
    """
    fired = _resources_above(exercise) + _requests_above(exercise)
    if not fired:
        return Reply("none", summary="no threshold is exceeded")
    _, metric, category = min(fired)
    return Reply(category, summary=metric)


def _resources_above(exercise: Exercise) -> list[tuple[int, str, str]]:
    limits, usage = exercise.case.get("limits", {}), exercise.case.get("usage", {})
    fired = []
    for metric, limit, peak in (
        ("memory", "memory_gb", "memory_percent_peak"),
        ("cpu", "cpu", "cpu_percent_peak"),
    ):
        samples = [row[limit] for row in exercise.series if row.get(limit) is not None]
        shares = [100 * sample / limits[limit] for sample in samples] if limits.get(limit) else []
        worst = max([*shares, usage.get(peak, 0.0)])
        if worst >= 70:
            fired.append((0 if worst >= 90 else 1, metric, "resource limit"))
    return fired


def _requests_above(exercise: Exercise) -> list[tuple[int, str, str]]:
    total = sum(row["count"] for row in exercise.requests)
    if not total:
        return []
    failed, refused = (
        100 * sum(row["count"] for row in exercise.requests if row["status"] // 100 == hundred) / total
        for hundred in (5, 4)
    )
    measures = (("5xx", failed, 1, 5), ("4xx", refused, 10, 25), ("latency", _p95(exercise), 1_000, 3_000))
    return [
        (0 if value >= critical else 1, metric, "code")
        for metric, value, warning, critical in measures
        if value >= warning
    ]


def _p95(exercise: Exercise) -> float:
    """The 95th percentile over all requests, taking that of a kind for each request of the kind."""
    times = sorted((row.get("p95_ms", row.get("slowest_ms", 0.0)), row["count"]) for row in exercise.requests)
    rank, seen = 0.95 * sum(count for _, count in times), 0
    for milliseconds, count in times:
        seen += count
        if seen >= rank:
            return float(milliseconds)
    return 0.0


def grep(exercise: Exercise) -> Reply:
    """The last exception of the logs and the last `file:line` before it that is in the repository; always `code`."""
    lines = [line["message"] for key in ("build_logs", "logs") for line in exercise.case.get(key, ())]
    files = exercise.case.get("repository", {}).get("files", {})
    last = max((index for index, line in enumerate(lines) if EXCEPTION.search(line)), default=None)
    if last is None:
        return Reply("none", summary="no exception in the logs")
    places = [place for line in lines for place in _own_places(line, files)]
    return Reply("code", tuple(reversed(places[-3:])), summary=lines[last])


def _own_places(line: str, files: dict[str, str]) -> list[str]:
    found = []
    for match in PLACE.finditer(line):
        path, number = match[1] or match[3], match[2] or match[4]
        own = next((file for file in files if path == file or path.endswith(f"/{file}")), None)
        if own and "node_modules" not in path:
            found.append(f"{own}:{number}")
    return found
