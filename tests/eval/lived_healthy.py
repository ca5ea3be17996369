"""Healthy lives: none of them may alert in the hours that count."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from tests.eval.canvas import Level
from tests.eval.chance import log_uniform
from tests.eval.lived import DAY, Expected, Life, lived


def daily(life: Life, swing: float | None = None) -> Callable[[int], Level]:
    """The level over the day: traffic and CPU follow a wave."""
    base, peak = life.base, life.random.uniform(0, 24)
    swing = life.random.uniform(0.1, 0.5) if swing is None else swing

    def level(minute: int) -> Level:
        factor = 1 + swing * math.cos(2 * math.pi * (life.hour_of_day(minute) - peak) / 24)
        return replace(
            base, requests_per_minute=base.requests_per_minute * factor, cpu=min(0.7, base.cpu * factor)
        )

    return level


def within(minute: int, first: float, length: float) -> bool:
    return first <= minute < first + length


@lived(Expected.NO_ALERT)
def ordinary(life: Life) -> None:
    """A web service with a daily wave."""
    life.level = daily(life)


@lived(Expected.NO_ALERT)
def autoscaling_swing(life: Life) -> None:
    """The number of replicas follows the traffic, which changes fourfold over the day."""
    life.canvas.reset(replace(life.base, cpu=life.random.uniform(0.3, 0.5)))
    level = daily(life, 0.6)
    life.level = lambda minute: replace(level(minute), cpu=life.base.cpu)
    life.replicas = lambda minute: max(
        1, round(3 * level(minute).requests_per_minute / life.base.requests_per_minute)
    )


@lived(Expected.NO_ALERT, days=8)
def weekly_batch(life: Life) -> None:
    """A job uses all of the CPU for 30 to 60 minutes once a week."""
    life.canvas.is_worker = life.random.random() < 0.5
    life.detected_days = 2
    first, length = life.random.randint(20, 120), life.random.randint(30, 60)
    level = daily(life)
    life.level = lambda minute: (
        replace(level(minute), cpu=0.97) if within((minute - first) % (7 * DAY), 0, length) else level(minute)
    )


@lived(Expected.NO_ALERT)
def plateau_after_deploy(life: Life) -> None:
    """The new version needs half as much again of CPU and memory, and stays there."""
    at = life.random.randint(5, 90)
    life.canvas.reset(replace(life.base, memory=life.random.uniform(0.25, 0.5)))
    level, more = daily(life), life.random.uniform(1.25, 1.5)
    life.events = [("deployed", at)]
    life.level = lambda minute: (
        replace(
            level(minute), cpu=level(minute).cpu * more,
            memory=life.base.memory * (1 + (more - 1) * min(1.0, (minute - at) / 5)),
        )
        if minute >= at else level(minute)
    )  # fmt: skip


@lived(Expected.NO_ALERT)
def thin_bimodal(life: Life) -> None:
    """One to three requests per minute, a third of which are reports that take seconds."""
    life.canvas.slow_ms = life.random.uniform(1500, 5000)
    life.canvas.reset(
        replace(life.base, requests_per_minute=life.random.uniform(1, 3), slow_share=0.3, failed_share=0.0)
    )


@lived(Expected.NO_ALERT)
def samples_missing(life: Life) -> None:
    """A third to a half of the samples of CPU and memory are missing, now and always."""
    life.level, share = daily(life), life.random.uniform(0.33, 0.5)
    life.is_missing = lambda _: life.random.random() < share


@lived(Expected.NO_ALERT)
def counter_reset(life: Life) -> None:
    """The platform's counters restart: three minutes without requests, and all of them in the next."""
    level, at = daily(life), life.random.randint(5, 100)

    def counted(minute: int) -> Level:
        now = level(minute)
        if within(minute, at, 3):
            return replace(now, requests_per_minute=0.0)
        return replace(now, requests_per_minute=4 * now.requests_per_minute) if minute == at + 3 else now

    life.level = counted


@lived(Expected.NO_ALERT)
def deploy_told_late(life: Life) -> None:
    """A deployment fails some requests for one or two minutes; the platform reports it three minutes late."""
    level, at = daily(life), life.random.randint(5, 100)
    length, share = life.random.randint(1, 2), life.random.uniform(0.1, 0.6)
    life.events = [("deployed", at + 3)]
    life.level = lambda minute: (
        replace(level(minute), failed_share=share, latency=3 * level(minute).latency)
        if within(minute, at, length)
        else level(minute)
    )


@lived(Expected.NO_ALERT)
def monday_morning(life: Life) -> None:
    """After two quiet days the traffic rises to five times within an hour, and the service handles it."""
    rise = life.random.uniform(3, 6)
    life.canvas.reset(replace(life.base, cpu=min(life.base.cpu, 0.1)))
    base = life.base

    def level(minute: int) -> Level:
        factor = 1 + (rise - 1) * min(1.0, max(0.0, minute - 10) / 60)
        return replace(base, requests_per_minute=base.requests_per_minute * factor, cpu=base.cpu * factor)

    life.level = level


@lived(Expected.NO_ALERT, days=5)
def nightly_backup(life: Life) -> None:
    """Each night requests take 2.5 to 3.5 times as long for half an hour, while a backup runs."""
    life.canvas.reset(replace(life.base, latency=life.random.uniform(60, 200)))
    level, slower = daily(life), life.random.uniform(2.5, 3.5)
    first, length = life.random.randint(10, 150), life.random.randint(25, 35)
    life.level = lambda minute: (
        replace(level(minute), latency=slower * life.base.latency)
        if within((minute - first) % DAY, 0, length)
        else level(minute)
    )


@lived(Expected.NO_ALERT, days=5)
def clocks_changed(life: Life) -> None:
    """A nightly job that uses all of the CPU comes an hour earlier or later than before."""
    life.canvas.is_worker = life.random.random() < 0.5
    level, shift = daily(life), life.random.choice((-60, 60))
    first, length = life.random.randint(80, 150), life.random.randint(15, 40)

    def job(minute: int) -> Level:
        begins = first + shift if minute >= 0 else first
        return (
            replace(level(minute), cpu=0.97) if within((minute - begins) % DAY, 0, length) else level(minute)
        )

    life.level = job


@lived(Expected.NO_ALERT, days=5, hours=6)
def irregular_job(life: Life) -> None:
    """A queue worker has five to nine bouts of full CPU a day, at no fixed hour."""
    life.canvas.is_worker = True
    bouts: list[tuple[int, int]] = []
    for day in range(-5, 1):
        bouts += [
            (day * DAY + life.random.randrange(DAY), life.random.randint(8, 25))
            for _ in range(life.random.randint(5, 9))
        ]
    bouts.append((life.random.randint(10, 300), life.random.randint(8, 25)))
    level = daily(life)
    life.level = lambda minute: (
        replace(level(minute), cpu=0.96)
        if any(within(minute, first, length) for first, length in bouts)
        else level(minute)
    )


@lived(Expected.NO_ALERT, days=0.6, hours=6)
def memory_wave_first_day(life: Life) -> None:
    """The memory of a worker rises and falls by some points over the day, and less than a day is known."""
    life.canvas.is_worker = True
    life.days = life.random.uniform(0.2, 0.75)
    middle, swing = life.random.uniform(0.45, 0.65), life.random.uniform(0.05, 0.1)
    peak = life.random.uniform(0, 24)
    life.level = lambda minute: replace(
        life.base,
        memory=middle + swing * math.cos(2 * math.pi * (life.hour_of_day(minute) - peak) / 24),
    )


@lived(Expected.NO_ALERT)
def mildly_failing_all_the_time(life: Life) -> None:
    """2 to 4 % of the requests fail, now and always."""
    life.canvas.reset(
        replace(
            life.base, failed_share=life.random.uniform(0.02, 0.04),
            requests_per_minute=log_uniform(life.random, 20, 500),
        )
    )  # fmt: skip
    life.level = daily(life)
