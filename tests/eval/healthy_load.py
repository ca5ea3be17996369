"""Healthy classes that resemble a failure of CPU, memory or a volume."""

from __future__ import annotations

import math
from dataclasses import replace

from tests.eval.canvas import PLANS, Canvas
from tests.eval.scenario import healthy


@healthy()
def flat(canvas: Canvas) -> None:
    """A normal window."""


@healthy()
def idle(canvas: Canvas) -> None:
    """Hardly any request and hardly any CPU."""
    canvas.reset(
        replace(
            canvas.baseline,
            cpu=canvas.random.uniform(0.0005, 0.004),
            requests_per_minute=canvas.random.uniform(0, 0.05),
        )
    )


@healthy()
def cpu_spikes(canvas: Canvas) -> None:
    """One to three CPU spikes of at most two minutes, which slow no request down."""
    first = canvas.random.randrange(canvas.minutes // 3)
    for spike in range(canvas.random.randint(1, 3)):
        at = first + spike * canvas.random.randint(7, 9)
        canvas.set_levels(at, at + canvas.random.randint(1, 2), cpu=canvas.random.uniform(0.75, 1.0))


@healthy()
def mem_spike(canvas: Canvas) -> None:
    """Memory is high for one or two minutes and falls back."""
    at = canvas.random.randrange(canvas.minutes)
    canvas.set_levels(at, at + canvas.random.randint(1, 2), memory=canvas.random.uniform(0.75, 0.97))


@healthy()
def gc_sawtooth(canvas: Canvas) -> None:
    """A garbage collector frees the memory again and again."""
    low, high = canvas.random.uniform(0.28, 0.5), canvas.random.uniform(0.65, 0.86)
    _saw(canvas, low, high, canvas.random.randint(3, 10))


@healthy()
def gc_near_limit(canvas: Canvas) -> None:
    """A garbage collector that starts close to the limit and frees memory each time, as in the whole history."""
    _saw(
        canvas,
        canvas.random.uniform(0.45, 0.6),
        canvas.random.uniform(0.88, 0.94),
        canvas.random.randint(4, 8),
    )


def _saw(canvas: Canvas, low: float, high: float, period: int) -> None:
    phase = canvas.random.randrange(period)
    canvas.is_worker = canvas.random.random() < 0.3
    canvas.reset(replace(canvas.baseline, memory=(low + high) / 2))
    canvas.change(0, canvas.minutes, lambda minute, level: replace(
        level, memory=low + (high - low) * ((minute + phase) % period) / max(1, period - 1)))  # fmt: skip


@healthy()
def high_stable_memory(canvas: Canvas) -> None:
    """A cache that is sized close to the limit and has been stable for days."""
    canvas.reset(replace(canvas.baseline, memory=canvas.random.uniform(0.72, 0.89)))


@healthy()
def warm_cache(canvas: Canvas) -> None:
    """Memory fills after a deployment, fast at first and then ever more slowly: a cache and not a leak."""
    at, top = canvas.random.randrange(canvas.minutes // 4), canvas.random.uniform(0.5, 0.68)
    takes = canvas.random.uniform(4, 9)
    canvas.reset(replace(canvas.baseline, memory=top))
    canvas.add_event("deployed", at)
    canvas.change(at, canvas.minutes, lambda minute, level: replace(
        level, memory=top - (top - 0.14) * math.exp(-(minute - at) / takes)))  # fmt: skip


@healthy()
def staircase_cache(canvas: Canvas) -> None:
    """Memory grows in steps when new content is loaded, and stays well below the limit."""
    level, step = canvas.random.uniform(0.3, 0.45), canvas.random.uniform(0.02, 0.05)
    steps = sorted(canvas.random.sample(range(canvas.minutes), canvas.random.randint(1, 2)))
    canvas.reset(replace(canvas.baseline, memory=level))
    for at in steps:
        canvas.change(at, canvas.minutes, lambda _, level: replace(level, memory=level.memory + step))
    canvas.earlier = lambda age, baseline: replace(baseline, memory=level - step * (age // 12))


@healthy()
def cron_batch(canvas: Canvas) -> None:
    """A job uses the CPU for some minutes in every window, as in the whole history."""
    every, lasts = canvas.random.choice((10, 15, 30)), canvas.random.randint(2, 6)
    first = canvas.random.randrange(every)
    canvas.reset(replace(canvas.baseline, cpu_high_minutes=float(lasts)))
    for at in range(first - every, canvas.minutes, every):
        canvas.set_levels(at, at + lasts, cpu=canvas.random.uniform(0.85, 1.0))


@healthy()
def hourly_job(canvas: Canvas) -> None:
    """A job uses the CPU for 5 to 12 minutes per hour, so in every other window."""
    lasts = canvas.random.randint(5, 12)
    at = canvas.random.randrange(canvas.minutes - lasts)
    canvas.set_levels(at, at + lasts, cpu=canvas.random.uniform(0.85, 1.0))
    canvas.earlier = lambda age, baseline: replace(
        baseline, cpu_high_minutes=float(lasts) if age % 2 == 0 else 0.0
    )


@healthy()
def nightly_job(canvas: Canvas) -> None:
    """A job at the same time of each night, which the windows of the last two nights show."""
    lasts = canvas.random.randint(12, 25)
    at = canvas.random.randrange(canvas.minutes - lasts)
    canvas.history_windows, canvas.has_whole_windows = 144, False
    canvas.set_levels(at, at + lasts, cpu=canvas.random.uniform(0.85, 1.0))
    canvas.earlier = lambda age, baseline: replace(
        baseline, cpu_high_minutes=float(lasts) if age % 48 == 0 else 0.0
    )


@healthy()
def busy_by_nature(canvas: Canvas) -> None:
    """A worker that computes all day at 82 to 95 % CPU."""
    canvas.is_worker, canvas.noise = True, (0.02, 0.005)
    busy = canvas.random.uniform(0.82, 0.95)
    canvas.reset(
        replace(canvas.baseline, cpu=busy, requests_per_minute=0.0, cpu_high_minutes=float(canvas.minutes))
    )
    canvas.earlier = lambda age, baseline: baseline


@healthy()
def replicas_above_one_limit(canvas: Canvas) -> None:
    """Three to six replicas at 35 to 60 %, whose sum is far above the limit of one."""
    canvas.replicas, canvas.plan = canvas.random.randint(3, 6), canvas.random.choice(PLANS)
    canvas.reset(
        replace(
            canvas.baseline, cpu=canvas.random.uniform(0.35, 0.6), memory=canvas.random.uniform(0.35, 0.65)
        )
    )
    canvas.earlier = lambda age, baseline: baseline


@healthy()
def log_rotation(canvas: Canvas) -> None:
    """Log rotation empties a volume several times a day."""
    low, high, period = (
        canvas.random.uniform(0.3, 0.45),
        canvas.random.uniform(0.6, 0.8),
        canvas.random.randint(3, 9),
    )
    phase = canvas.random.random() * period

    def disk(windows: float) -> float:
        return low + (high - low) * ((windows + phase) % period) / period

    canvas.reset(replace(canvas.baseline, disk=disk(0)))
    canvas.change(
        0, canvas.minutes, lambda minute, level: replace(level, disk=disk((minute + 1) / canvas.minutes - 1))
    )
    canvas.earlier = lambda age, baseline: replace(baseline, disk=disk(-age))


@healthy()
def volume_full_but_stable(canvas: Canvas) -> None:
    """A volume that has been at 78 to 84 % for days."""
    canvas.reset(replace(canvas.baseline, disk=canvas.random.uniform(0.78, 0.84)))


@healthy()
def half_minute_spikes(canvas: Canvas) -> None:
    """Samples every 30 seconds with spikes of one minute."""
    canvas.step = 30
    for _ in range(canvas.random.randint(1, 4)):
        at = canvas.random.randrange(canvas.minutes)
        canvas.set_levels(
            at, at + 1, cpu=canvas.random.uniform(0.8, 1.0), memory=canvas.random.uniform(0.6, 0.85)
        )


@healthy(minutes=10)
def ten_minutes_with_a_spike(canvas: Canvas) -> None:
    """A spike of two minutes in a window of ten, where it is a fifth of the window."""
    at = canvas.random.randrange(canvas.minutes)
    canvas.set_levels(at, at + 2, cpu=canvas.random.uniform(0.85, 1.0), latency=canvas.baseline.latency * 5)


@healthy()
def gaps_in_the_samples(canvas: Canvas) -> None:
    """Half of the samples are missing; the others are normal."""
    canvas.missing_minutes = {
        minute for minute in range(canvas.minutes) if canvas.random.random() < canvas.random.uniform(0.2, 0.6)
    }
