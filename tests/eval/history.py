"""The history of a service, as summaries or as whole windows, oldest first."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

from tests.eval.canvas import Canvas, Level, to_line
from tests.eval.chance import P95, P95_SPREAD, binomial, poisson
from tests.eval.detector import Line

MAX_WHOLE_WINDOWS = 12
"""At most this many whole windows, which make long lines."""


def earlier_windows(canvas: Canvas, service: str, end: datetime) -> list[Line]:
    """The windows before the one that ends at `end`, without overlap."""
    if canvas.has_whole_windows:
        ages = range(min(MAX_WHOLE_WINDOWS, canvas.history_windows), 0, -1)
        return [_whole_window(canvas, age, service, end) for age in ages]
    return [
        summary(canvas, canvas.earlier(age, canvas.baseline)) for age in range(canvas.history_windows, 0, -1)
    ]


def _whole_window(canvas: Canvas, age: int, service: str, end: datetime) -> Line:
    level = canvas.earlier(age, canvas.baseline)
    hot = min(canvas.minutes, round(level.cpu_high_minutes))
    minutes = [replace(level, cpu=0.95)] * hot + [level] * (canvas.minutes - hot)
    nothing = [0.0] * canvas.minutes
    events = [("deployed", 1.0)] if level.restarted else []
    before = replace(canvas, levels=minutes, extra_rejected=nothing, missing_minutes=set(), events=events)
    return to_line(before, service, end - timedelta(minutes=age * canvas.minutes))


def summary(canvas: Canvas, level: Level) -> Line:
    """The summary of a window at that level."""
    draw = canvas.random
    line: Line = {
        "cpu_mean": level.cpu * canvas.plan[0] * (1 + draw.gauss(0, 0.04)),
        "memory_mean": level.memory * canvas.plan[1] * (1 + draw.gauss(0, 0.005)),
        "memory_low": level.memory * canvas.plan[1] * (1 - abs(draw.gauss(0, 0.01))),
        "cpu_high_minutes": level.cpu_high_minutes,
        "restarted": level.restarted,
    }
    if level.disk is not None:
        line["disk"] = level.disk * canvas.disk_limit
    if not canvas.is_worker:
        line |= _traffic(canvas, level)
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in line.items()
        if not canvas.missing_share or draw.random() >= canvas.missing_share
    }


def _traffic(canvas: Canvas, level: Level) -> Line:
    draw = canvas.random
    requests = poisson(draw, level.requests_per_minute * canvas.minutes)
    failed = binomial(draw, requests, level.failed_share)
    refused = binomial(draw, requests - failed, level.rejected_share)
    answers: Line = {"requests": requests, "5xx": failed, "ok": requests - failed - refused}
    if requests:
        baseline = level.latency * math.exp(canvas.spread * P95)
        if level.slow_share > 0.05:
            baseline = canvas.slow_ms
        noise = canvas.spread * P95_SPREAD / math.sqrt(max(1.0, level.requests_per_minute))
        answers["p95_median"] = baseline * math.exp(draw.gauss(0, noise / math.sqrt(canvas.minutes)))
        answers["p95_high"] = answers["p95_median"] * math.exp(1.28 * noise) * (1 + abs(draw.gauss(0, 0.03)))
    return answers
