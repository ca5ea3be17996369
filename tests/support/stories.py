"""Stories: a service that lives window by window and is compared with its own summaries, as in production."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from tests.eval.chance import binomial
from tests.support.builders import START, service_id, survey
from tests.support.metrics import MIN_DURATION_MINUTES, live_service
from workers.detection import detect
from workers.history.summary_store import baseline_windows, summarise_survey
from workers.models import (
    ContainerStart,
    Finding,
    InstanceUsage,
    PlatformEvent,
    Summary,
    Survey,
    TrafficMinute,
    Volume,
    Window,
)

WINDOW = timedelta(minutes=30)
DAY_MINUTES = 1440


@dataclass(frozen=True)
class Minute:
    """One minute of the service: vCPU of 2, GB of 1, requests and their milliseconds, shares, GB of 10."""

    cpu: float = 0.4
    memory: float = 0.5
    requests: float = 60.0
    p95: float = 150.0
    failed: float = 0.0
    rejected: float = 0.02
    disk: float = 5.0
    starts: bool = False
    out_of_memory: bool = False
    deploys: bool = False


Story = Callable[[int, Minute], Minute]
"""Changes the healthy minute, which is numbered from the beginning of the story."""


def healthy(minute: int, at: datetime) -> Minute:
    """A day's course: at four in the morning a third of the requests of the afternoon."""
    hour = at.hour + at.minute / 60
    wave = 1 + 0.5 * math.cos(2 * math.pi * (hour - 16) / 24)
    return Minute(cpu=0.1 + 0.3 * wave, requests=60 * wave)


def window_of(minutes: Sequence[Minute], end: datetime, dice: Random, *, worker: bool = False) -> Survey:
    """The survey of one service in the window that ends at `end`."""
    start = end - timedelta(minutes=len(minutes))
    times = [int(start.timestamp()) + 60 * i for i in range(len(minutes))]
    usage = InstanceUsage(
        instance_id="i1", deployment_id="live",
        cpu=tuple((at, each.cpu * dice.uniform(0.9, 1.05)) for at, each in zip(times, minutes, strict=True)),
        memory=tuple((at, each.memory * dice.uniform(0.99, 1.0)) for at, each in zip(times, minutes, strict=True)),
    )  # fmt: skip
    moments = [datetime.fromtimestamp(at + 20, start.tzinfo) for at in times]
    service = live_service(
        usage=(usage,), public=not worker,
        traffic=() if worker else tuple(_traffic(at, each, dice) for at, each in zip(times, minutes, strict=True)),
        disk=tuple((at, each.disk) for at, each in zip(times, minutes, strict=True)),
        volumes=(Volume(id="v", name="data", mount_path="/data", used_mb=1000 * minutes[-1].disk, size_mb=10_000),),
        starts=tuple(
            ContainerStart(at=at, deployment_id="live")
            for at, each in zip(moments, minutes, strict=True)
            if each.starts
        ),
        events=tuple(
            PlatformEvent(kind="oom" if each.out_of_memory else "deployed", at=at)
            for at, each in zip(moments, minutes, strict=True) if each.out_of_memory or each.deploys
        ),
    )  # fmt: skip
    return survey(service, window=Window(start=start, end=end))


def _traffic(at: int, minute: Minute, dice: Random) -> TrafficMinute:
    requests = max(0, round(dice.gauss(minute.requests, math.sqrt(minute.requests + 0.01))))
    failed = binomial(dice, requests, minute.failed)
    rejected = binomial(dice, requests - failed, minute.rejected)
    return TrafficMinute(
        at=at, requests=requests, ok=requests - failed - rejected, client_errors=rejected, server_errors=failed,
        p95_ms=minute.p95 * dice.uniform(0.85, 1.15) if requests else None,
    )  # fmt: skip


def live(
    story: Story,
    windows: int,
    past: Sequence[Summary] = (),
    *,
    seed: int = 0,
    worker: bool = False,
    start: datetime = START,
) -> Iterator[list[Finding]]:
    """The findings of each window of the story, which follows the `past` and ends its own windows into it."""
    dice, known, key = Random(f"story {seed}"), list(past), service_id("api")
    for number in range(windows):
        begin = start + number * WINDOW
        minutes = [
            story(30 * number + i, healthy(30 * number + i, begin + timedelta(minutes=i))) for i in range(30)
        ]
        current = window_of(minutes, begin + WINDOW, dice, worker=worker)
        findings = detect(
            current,
            min_duration_minutes=MIN_DURATION_MINUTES,
            history=baseline_windows({key: known}, begin),
        )
        known += summarise_survey(current, findings).values()
        yield findings


def healthy_past(days: float, *, worker: bool = False, start: datetime = START) -> list[Summary]:
    """The summaries of the healthy days before the story."""
    dice = Random("healthy past")
    summaries: list[Summary] = []
    for age in range(round(48 * days), 0, -1):
        begin = start - age * WINDOW
        minutes = [healthy(0, begin + timedelta(minutes=i)) for i in range(30)]
        summaries += summarise_survey(window_of(minutes, begin + WINDOW, dice, worker=worker), []).values()
    return summaries


def changed(**values: object) -> Story:
    """Every minute of the story with these values."""
    return lambda _, minute: replace(minute, **values)  # type: ignore[arg-type]
