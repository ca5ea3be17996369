"""`make bench-logs`: log lines a second on one core, and the accuracy of the grouping.

Speed: CPU time from raw lines to groups, the best of a few rounds, beside two references in the same run: the masks of
the grouping alone, and Drain3 with the same masks if it is installed. Accuracy: Loghub-2k (Zhu et al., ISSRE 2023), one
setting for all logs, if its files stand in the data folder.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from tests.eval.grouping import grouping_scores
from tests.support.logs import NODE_STACK, PYTHON_TRACEBACK
from workers.investigation.logs.log_masks import MASKS
from workers.investigation.logs.log_patterns import group_records
from workers.investigation.logs.log_records import build_log_records
from workers.models import LogLine

LINES = 30_000  # of each mix
ROUNDS = 3
GOAL = 50_000  # lines a second
GOAL_ACCURACY = 0.80
GOAL_FACTOR = 0.82
START = datetime(2026, 11, 20, 11, 48, tzinfo=UTC)
MIXES = {
    "plain lines": (1.0, 0.0, 0.0),
    "JSON lines": (0.0, 1.0, 0.0),
    "traces": (0.0, 0.0, 1.0),
    "55 % plain, 35 % JSON, 7 % errors, 3 % traces": (0.55, 0.35, 0.03),
}
"""Shares of plain lines, JSON lines and traces among the entries; the others are errors without a level."""


def main() -> int:
    """Print the figures; the exit code is 1 if the mixed log or the accuracy misses its goal."""
    speeds = {name: _print_speed(name, _lines(*shares)) for name, shares in MIXES.items()}
    is_fast = list(speeds.values())[-1] >= GOAL
    scores = grouping_scores()
    for log, accuracy, factor in scores:
        print(f"{log:<12} GA {accuracy:.3f}  FGA {factor:.3f}")
    if not scores:
        print("Loghub-2k is absent: no figures for the grouping")
        return 0 if is_fast else 1
    accuracy = sum(score[1] for score in scores) / len(scores)
    factor = sum(score[2] for score in scores) / len(scores)
    print(f"grouping     GA {accuracy:.3f} (goal {GOAL_ACCURACY})  FGA {factor:.3f} (goal {GOAL_FACTOR})")
    return 0 if is_fast and accuracy >= GOAL_ACCURACY and factor >= GOAL_FACTOR else 1


def _print_speed(name: str, lines: Sequence[LogLine]) -> float:
    messages = [line.message for line in lines]
    own = _best(lambda: group_records(build_log_records(lines)))
    references = {"masks alone": _best(lambda: [_masked(message) for message in messages])}
    if importlib.util.find_spec("drain3"):
        references["Drain3"] = _best(lambda: _drain(messages))
    others = ", ".join(f"{title} {len(lines) / seconds:,.0f}" for title, seconds in references.items())
    print(f"{name}: {len(lines) / own:,.0f} lines/s (goal {GOAL:,}; {others})")
    return len(lines) / own


def _best(run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)


def _masked(message: str) -> str:
    for regex, kind in MASKS:
        message = regex.sub(kind, message)
    return message


def _drain(messages: Sequence[str]) -> None:
    miner = importlib.import_module("drain3").TemplateMiner()
    for message in messages:
        miner.add_log_message(_masked(message))


# ---- lines ----


def _lines(plain: float, structured: float, traced: float) -> list[LogLine]:
    rng = random.Random(7)
    lines: list[LogLine] = []
    at = START
    while len(lines) < LINES:
        at += timedelta(milliseconds=rng.choice((1, 3, 20, 200)))
        share = rng.random()
        instance = f"i{rng.randrange(2)}"
        for message, level in _entry(rng, share, (plain, structured, traced)):
            lines.append(LogLine(timestamp=at, message=message, level=level, instance_id=instance))
    return lines


def _entry(rng: random.Random, share: float, shares: tuple[float, float, float]) -> Iterator[tuple[str, str]]:
    plain, structured, traced = shares
    if share < plain:
        yield rng.choice(PLAIN)(rng), "info"
    elif share < plain + structured:
        yield json.dumps(rng.choice(STRUCTURED)(rng)), "info"
    elif share < plain + structured + traced:
        trace = (
            f"ERROR:    Exception in ASGI application\n{PYTHON_TRACEBACK}"
            if rng.random() < 0.5
            else NODE_STACK
        )
        for line in trace.splitlines():
            yield line, "error"
    else:
        yield f"payment {rng.randrange(9_999)} failed: timeout after {rng.randrange(9_000)} ms", "error"


def _time(rng: random.Random) -> str:
    return f"2026-11-20 11:{rng.randrange(60):02}:{rng.randrange(60):02},{rng.randrange(1_000):03}"


def _id(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


PLAIN: tuple[Callable[[random.Random], str], ...] = (
    lambda rng: f"{_time(rng)} - shop.worker - INFO - order {_id(rng)} placed in {rng.random() * 100:.1f} ms",
    lambda rng: (
        f'INFO:     10.250.3.7:{rng.randrange(65_535)} - "GET /orders/{rng.randrange(9_999)} HTTP/1.1" 200 OK'
    ),
    lambda rng: f'{_time(rng)} - apscheduler.executors.default - INFO - Job "sync" executed successfully',
    lambda rng: f"[{_time(rng)[11:19]}] INFO (1): request completed {rng.randrange(99)}ms",
    lambda rng: (
        f"GET /api/items/{rng.randrange(9_999)} 200 {rng.random() * 50:.3f} ms - {rng.randrange(5_000)}"
    ),
    lambda rng: f"2026/11/20 11:48:{rng.randrange(60):02} cache miss for key session:{_id(rng)[:8]}",
)
STRUCTURED: tuple[Callable[[random.Random], dict[str, object]], ...] = (
    lambda rng: {
        "level": 30, "time": 1763639282000 + rng.randrange(9_999), "pid": 7, "hostname": "a", "reqId": _id(rng),
        "req": {"method": "GET", "url": f"/orders/{rng.randrange(999)}"}, "msg": "request completed",
    },
    lambda rng: {
        "timestamp": "2026-11-20T11:48:02Z", "level": "info", "event": "order placed", "user": _id(rng),
        "logger": "shop.orders",
    },
    lambda rng: {
        "level": "info", "ts": 1763639282.1, "caller": "shop/main.go:42", "msg": "served", "status": 200,
        "latency": rng.random(),
    },
)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
