"""The earlier windows of a service, as summaries or as whole windows, oldest first."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

from tests.eval.canvas import Canvas, Level, show
from tests.eval.chance import P95, P95_SPREAD, arrivals, hits
from tests.eval.detector import Line

WHOLE = 12
"""Whole windows are long: no more than this many are given."""


def earlier_windows(canvas: Canvas, service: str, end: datetime) -> list[Line]:
    """What came before the window that ends then; nothing of it overlaps the window."""
    if canvas.whole_past:
        ages = range(min(WHOLE, canvas.past_windows), 0, -1)
        return [_whole(canvas, age, service, end) for age in ages]
    return [summary(canvas, canvas.earlier(age, canvas.usual)) for age in range(canvas.past_windows, 0, -1)]


def _whole(canvas: Canvas, age: int, service: str, end: datetime) -> Line:
    level = canvas.earlier(age, canvas.usual)
    hot = min(canvas.minutes, round(level.cpu_high_minutes))
    minutes = [replace(level, cpu=0.95)] * hot + [level] * (canvas.minutes - hot)
    nothing = [0.0] * canvas.minutes
    events = [("deployed", 1.0)] if level.restarted else []
    before = replace(canvas, now=minutes, extra_refused=nothing, unseen=set(), events=events)
    return show(before, service, end - timedelta(minutes=age * canvas.minutes))


def summary(canvas: Canvas, level: Level) -> Line:
    """One window at that level in a few numbers; CPU and memory are those of the mean replica."""
    draw = canvas.draw
    line: Line = {
        "cpu_mean": level.cpu * canvas.plan[0] * (1 + draw.gauss(0, 0.04)),
        "memory_mean": level.memory * canvas.plan[1] * (1 + draw.gauss(0, 0.005)),
        "memory_low": level.memory * canvas.plan[1] * (1 - abs(draw.gauss(0, 0.01))),
        "cpu_high_minutes": level.cpu_high_minutes,
        "restarted": level.restarted,
    }
    if level.disk is not None:
        line["disk"] = level.disk * canvas.disk_limit
    if not canvas.worker:
        line |= _answers(canvas, level)
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in line.items()
        if not canvas.forgotten or draw.random() >= canvas.forgotten
    }


def _answers(canvas: Canvas, level: Level) -> Line:
    draw = canvas.draw
    requests = arrivals(draw, level.per_minute * canvas.minutes)
    failed = hits(draw, requests, level.failing)
    refused = hits(draw, requests - failed, level.refused)
    answers: Line = {"requests": requests, "5xx": failed, "ok": requests - failed - refused}
    if requests:
        usual = level.latency * math.exp(canvas.spread * P95)
        if level.slow > 0.05:
            usual = canvas.slow_ms
        noise = canvas.spread * P95_SPREAD / math.sqrt(max(1.0, level.per_minute))
        answers["p95_median"] = usual * math.exp(draw.gauss(0, noise / math.sqrt(canvas.minutes)))
        answers["p95_high"] = answers["p95_median"] * math.exp(1.28 * noise) * (1 + abs(draw.gauss(0, 0.03)))
    return answers
