"""Healthy classes that look like trouble with CPU, memory or a volume."""

from __future__ import annotations

import math
from dataclasses import replace

from tests.eval.canvas import PLANS, Canvas
from tests.eval.scenario import quiet


@quiet()
def flat(canvas: Canvas) -> None:
    """Nothing happens."""


@quiet()
def idle(canvas: Canvas) -> None:
    """Nobody uses it."""
    canvas.settle(
        replace(canvas.usual, cpu=canvas.draw.uniform(0.0005, 0.004), per_minute=canvas.draw.uniform(0, 0.05))
    )


@quiet()
def cpu_spikes(canvas: Canvas) -> None:
    """One to three spikes of at most two minutes: nobody feels them."""
    first = canvas.draw.randrange(canvas.minutes // 3)
    for spike in range(canvas.draw.randint(1, 3)):
        at = first + spike * canvas.draw.randint(7, 9)
        canvas.put(at, at + canvas.draw.randint(1, 2), cpu=canvas.draw.uniform(0.75, 1.0))


@quiet()
def mem_spike(canvas: Canvas) -> None:
    """Memory is high for a minute or two and given back."""
    at = canvas.draw.randrange(canvas.minutes)
    canvas.put(at, at + canvas.draw.randint(1, 2), memory=canvas.draw.uniform(0.75, 0.97))


@quiet()
def gc_sawtooth(canvas: Canvas) -> None:
    """A collector gives back what was taken, again and again."""
    low, high = canvas.draw.uniform(0.28, 0.5), canvas.draw.uniform(0.65, 0.86)
    _saw(canvas, low, high, canvas.draw.randint(3, 10))


@quiet()
def gc_near_limit(canvas: Canvas) -> None:
    """The collector only starts close to the limit, and each time it works; it always was so."""
    _saw(canvas, canvas.draw.uniform(0.45, 0.6), canvas.draw.uniform(0.88, 0.94), canvas.draw.randint(4, 8))


def _saw(canvas: Canvas, low: float, high: float, period: int) -> None:
    phase = canvas.draw.randrange(period)
    canvas.worker = canvas.draw.random() < 0.3
    canvas.settle(replace(canvas.usual, memory=(low + high) / 2))
    canvas.bend(0, canvas.minutes, lambda minute, level: replace(
        level, memory=low + (high - low) * ((minute + phase) % period) / max(1, period - 1)))  # fmt: skip


@quiet()
def high_stable_memory(canvas: Canvas) -> None:
    """A cache sized close to the limit stays where it is, for days."""
    canvas.settle(replace(canvas.usual, memory=canvas.draw.uniform(0.72, 0.89)))


@quiet()
def warm_cache(canvas: Canvas) -> None:
    """After a deployment memory fills quickly, then ever slower: a cache, not a leak."""
    at, top = canvas.draw.randrange(canvas.minutes // 4), canvas.draw.uniform(0.5, 0.68)
    takes = canvas.draw.uniform(4, 9)
    canvas.settle(replace(canvas.usual, memory=top))
    canvas.happen("deployed", at)
    canvas.bend(at, canvas.minutes, lambda minute, level: replace(
        level, memory=top - (top - 0.14) * math.exp(-(minute - at) / takes)))  # fmt: skip


@quiet()
def staircase_cache(canvas: Canvas) -> None:
    """Memory goes up in steps whenever something new is loaded, and stays well below the limit."""
    level, step = canvas.draw.uniform(0.3, 0.45), canvas.draw.uniform(0.02, 0.05)
    steps = sorted(canvas.draw.sample(range(canvas.minutes), canvas.draw.randint(1, 2)))
    canvas.settle(replace(canvas.usual, memory=level))
    for at in steps:
        canvas.bend(at, canvas.minutes, lambda _, one: replace(one, memory=one.memory + step))
    canvas.earlier = lambda age, usual: replace(usual, memory=level - step * (age // 12))


@quiet()
def cron_batch(canvas: Canvas) -> None:
    """A job takes the CPU for some minutes in every window, as it always did."""
    every, lasts = canvas.draw.choice((10, 15, 30)), canvas.draw.randint(2, 6)
    first = canvas.draw.randrange(every)
    canvas.settle(replace(canvas.usual, cpu_high_minutes=float(lasts)))
    for at in range(first - every, canvas.minutes, every):
        canvas.put(at, at + lasts, cpu=canvas.draw.uniform(0.85, 1.0))


@quiet()
def hourly_job(canvas: Canvas) -> None:
    """A job takes the CPU for 5 to 12 minutes of every hour, so in every other window."""
    lasts = canvas.draw.randint(5, 12)
    at = canvas.draw.randrange(canvas.minutes - lasts)
    canvas.put(at, at + lasts, cpu=canvas.draw.uniform(0.85, 1.0))
    canvas.earlier = lambda age, usual: replace(usual, cpu_high_minutes=float(lasts) if age % 2 == 0 else 0.0)


@quiet()
def nightly_job(canvas: Canvas) -> None:
    """The same job at the same time each night: yesterday's and the day before's windows show it."""
    lasts = canvas.draw.randint(12, 25)
    at = canvas.draw.randrange(canvas.minutes - lasts)
    canvas.past_windows, canvas.whole_past = 144, False
    canvas.put(at, at + lasts, cpu=canvas.draw.uniform(0.85, 1.0))
    canvas.earlier = lambda age, usual: replace(
        usual, cpu_high_minutes=float(lasts) if age % 48 == 0 else 0.0
    )


@quiet()
def busy_by_nature(canvas: Canvas) -> None:
    """A worker that computes all day: its CPU is always at 82 to 95 %."""
    canvas.worker, canvas.wobble = True, (0.02, 0.005)
    busy = canvas.draw.uniform(0.82, 0.95)
    canvas.settle(replace(canvas.usual, cpu=busy, per_minute=0.0, cpu_high_minutes=float(canvas.minutes)))
    canvas.earlier = lambda age, usual: usual


@quiet()
def replicas_above_one_limit(canvas: Canvas) -> None:
    """Three to six replicas at 35 to 60 %: their sum is far above what one of them may use."""
    canvas.replicas, canvas.plan = canvas.draw.randint(3, 6), canvas.draw.choice(PLANS)
    canvas.settle(
        replace(canvas.usual, cpu=canvas.draw.uniform(0.35, 0.6), memory=canvas.draw.uniform(0.35, 0.65))
    )
    canvas.earlier = lambda age, usual: usual


@quiet()
def log_rotation(canvas: Canvas) -> None:
    """A volume fills and is emptied again by rotation, several times a day."""
    low, high, period = (
        canvas.draw.uniform(0.3, 0.45),
        canvas.draw.uniform(0.6, 0.8),
        canvas.draw.randint(3, 9),
    )
    phase = canvas.draw.random() * period

    def disk(windows: float) -> float:
        return low + (high - low) * ((windows + phase) % period) / period

    canvas.settle(replace(canvas.usual, disk=disk(0)))
    canvas.bend(
        0, canvas.minutes, lambda minute, level: replace(level, disk=disk((minute + 1) / canvas.minutes - 1))
    )
    canvas.earlier = lambda age, usual: replace(usual, disk=disk(-age))


@quiet()
def volume_full_but_stable(canvas: Canvas) -> None:
    """A volume at 78 to 84 % that has not moved for days."""
    canvas.settle(replace(canvas.usual, disk=canvas.draw.uniform(0.78, 0.84)))


@quiet()
def half_minute_spikes(canvas: Canvas) -> None:
    """Samples every 30 seconds, with spikes of a minute."""
    canvas.step = 30
    for _ in range(canvas.draw.randint(1, 4)):
        at = canvas.draw.randrange(canvas.minutes)
        canvas.put(at, at + 1, cpu=canvas.draw.uniform(0.8, 1.0), memory=canvas.draw.uniform(0.6, 0.85))


@quiet(minutes=10)
def ten_minutes_with_a_spike(canvas: Canvas) -> None:
    """A short look: two minutes of spike are a fifth of it, and still nothing."""
    at = canvas.draw.randrange(canvas.minutes)
    canvas.put(at, at + 2, cpu=canvas.draw.uniform(0.85, 1.0), latency=canvas.usual.latency * 5)


@quiet()
def gaps_in_the_samples(canvas: Canvas) -> None:
    """Half the samples are missing; what is there is as usual."""
    canvas.unseen = {
        minute for minute in range(canvas.minutes) if canvas.draw.random() < canvas.draw.uniform(0.2, 0.6)
    }
