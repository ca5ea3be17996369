"""Trouble that goes on is found in every window, however long it lasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from tests.support.stories import Minute, Story, changed, healthy_past, live
from workers.models import Summary, alerting_findings

HOURS_36 = 72
"""Windows."""


@cache
def past(days: float, worker: bool = False) -> Sequence[Summary]:
    return healthy_past(days, worker=worker)


def every(minutes: int, **values: object) -> Story:
    return lambda number, minute: minute if number % minutes else replace(minute, **values)  # type: ignore[arg-type]


def slower(factor: float) -> Story:
    return lambda _, minute: replace(minute, p95=factor * minute.p95)


def leaking(number: int, minute: Minute) -> Minute:
    return replace(minute, memory=0.5 + 0.45 * min(1.0, number / 2160))


TROUBLES: dict[str, tuple[Story, str]] = {
    "no request": (changed(requests=0.0), "traffic_lost"),
    "refuses its callers": (changed(rejected=0.95), "client_errors"),
    "one route refuses": (
        lambda number, minute: replace(minute, rejected=0.4, deploys=number == 3), "client_errors",
    ),
    "fails mostly": (changed(failed=0.94), "server_errors"),
    "fails a little": (changed(failed=0.04), "server_errors"),
    "three times as slow": (slower(3), "latency"),
    "half as slow again": (slower(1.8), "latency"),
    "cpu at its limit": (changed(cpu=1.95), "cpu"),
    "a busy loop": (lambda _, minute: replace(minute, cpu=minute.cpu + 1.0), "cpu"),
    "memory near its limit": (changed(memory=0.93), "memory"),
    "memory at its limit": (changed(memory=0.99), "memory"),
    "restarts": (every(5, starts=True), "restart_loop"),
    "killed for its memory": (every(12, out_of_memory=True), "oom_killed"),
    "volume nearly full": (changed(disk=9.0), "volume"),
}  # fmt: skip


@pytest.mark.parametrize("days", [7, 1])
@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_alerts_in_every_window_of_36_hours(name: str, days: float) -> None:
    story, kind = TROUBLES[name]

    windows = list(live(story, HOURS_36, past(days)))

    quiet = [
        number
        for number, findings in enumerate(windows)
        if kind not in {finding.kind for finding in alerting_findings(findings)}
    ]
    assert quiet == []
