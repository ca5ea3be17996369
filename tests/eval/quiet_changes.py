"""Healthy classes in which something was changed, or the past is not like the present."""

from __future__ import annotations

from dataclasses import replace

from tests.eval.canvas import Canvas
from tests.eval.scenario import quiet


@quiet()
def deploy_blip(canvas: Canvas) -> None:
    """A deployment fails some requests for a minute or two while it takes over, then warms up."""
    at, lasts = canvas.draw.randrange(canvas.minutes - 1), canvas.draw.randint(1, 2)
    canvas.happen("deployed", at)
    slower = canvas.draw.uniform(3, 10)
    canvas.put(at, at + lasts, failing=canvas.draw.uniform(0.2, 0.9), cpu=canvas.draw.uniform(0.4, 1.0))
    canvas.bend(at, at + lasts, lambda _, level: replace(level, latency=level.latency * slower))
    canvas.bend(
        at, at + 6, lambda minute, level: replace(level, memory=level.memory * (0.5 + 0.08 * (minute - at)))
    )


@quiet()
def cold_start(canvas: Canvas) -> None:
    """The first two minutes after a deployment are slow while caches fill."""
    at, slower = canvas.draw.randrange(canvas.minutes - 2), canvas.draw.uniform(5, 10)
    canvas.happen("deployed", at)
    canvas.happen("started", at + 0.5)
    canvas.bend(
        at, at + 2, lambda _, one: replace(one, latency=one.latency * slower, cpu=min(1.0, one.cpu * 3))
    )


@quiet()
def failed_then_fixed(canvas: Canvas) -> None:
    """A deployment failed, the next one minutes later serves."""
    at = canvas.draw.randrange(2, canvas.minutes - 8)
    canvas.happen("failed", at)
    canvas.happen("deployed", at + canvas.draw.randint(3, 7))


@quiet()
def many_redeploys(canvas: Canvas) -> None:
    """Somebody deploys three times in half an hour; each one starts its container once."""
    for at in (canvas.draw.randint(first, first + 4) for first in (1, 11, 21)):
        canvas.happen("deployed", at)
        canvas.happen("started", at + 0.3)
        canvas.put(at, at + 1, failing=canvas.draw.uniform(0, 0.1), memory=canvas.usual.memory * 0.7)


@quiet()
def sleeping(canvas: Canvas) -> None:
    """It sleeps when nobody asks: no samples, then it is started, slow at first, and sleeps again."""
    wakes, awake = canvas.draw.randrange(3, 20), canvas.draw.randint(5, 9)
    canvas.settle(replace(canvas.usual, per_minute=0.0, cpu=0.01))
    canvas.unseen = {minute for minute in range(canvas.minutes) if not wakes <= minute < wakes + awake}
    canvas.happen("started", wakes)
    canvas.put(wakes, wakes + 3, per_minute=canvas.draw.uniform(0.5, 3), latency=1500.0)
    canvas.earlier = lambda age, usual: replace(usual, restarted=age % 3 == 0, per_minute=0.1)


@quiet()
def no_past_worth_the_name(canvas: Canvas) -> None:
    """As usual, but what is known of the past is one window or none."""
    canvas.past_windows, canvas.whole_past = canvas.draw.randint(0, 1), False


@quiet()
def past_with_holes(canvas: Canvas) -> None:
    """As usual; most numbers of the past are missing."""
    canvas.whole_past, canvas.forgotten = False, canvas.draw.uniform(0.5, 1.0)


@quiet()
def well_again(canvas: Canvas) -> None:
    """It was very sick for some hours yesterday; today nothing is wrong."""
    began, lasted = canvas.draw.randint(12, 40), canvas.draw.randint(2, 8)
    canvas.past_windows = 48
    canvas.earlier = lambda age, usual: (
        replace(usual, failing=0.5, latency=10 * usual.latency, cpu=0.9, cpu_high_minutes=25.0)
        if began - lasted < age <= began
        else usual
    )


@quiet()
def moved_once(canvas: Canvas) -> None:
    """The platform moved it to another machine: one start, memory begins anew, nothing else."""
    at, fresh = canvas.draw.randrange(canvas.minutes - 6), canvas.draw.uniform(0.4, 0.8)
    canvas.happen("started", at)
    canvas.bend(at, canvas.minutes, lambda _, level: replace(level, memory=level.memory * fresh))


@quiet()
def rollout_overlap(canvas: Canvas) -> None:
    """While a deployment takes over, the old and the new one are summed for a few minutes."""
    at, both = canvas.draw.randrange(canvas.minutes - 4), canvas.draw.randint(1, 3)
    memory = canvas.draw.uniform(0.5, 0.65)
    canvas.settle(replace(canvas.usual, memory=memory, cpu=canvas.draw.uniform(0.2, 0.4)))
    canvas.happen("started", at + 0.5 * canvas.draw.random())
    canvas.happen("deployed", at + both - 0.4)
    canvas.bend(
        at, at + both, lambda _, level: replace(level, cpu=level.cpu * 2.2, memory=level.memory * 1.75)
    )


@quiet()
def leak_cut_by_deploy(canvas: Canvas) -> None:
    """Memory grew for a day; the deployment in this window began anew and it is flat since."""
    high, low = canvas.draw.uniform(0.7, 0.85), canvas.draw.uniform(0.25, 0.35)
    grows, at = canvas.draw.uniform(0.008, 0.012), canvas.draw.randrange(3, 12)
    canvas.settle(replace(canvas.usual, memory=high))
    canvas.happen("deployed", at)
    canvas.put(at, canvas.minutes, memory=low)
    canvas.earlier = lambda age, usual: replace(
        usual, memory=max(low, high - grows * age), restarted=age == 40
    )


@quiet()
def memory_freed_by_deploy(canvas: Canvas) -> None:
    """Memory stood at 80 to 88 %, as for days, until a deployment freed it."""
    at = canvas.draw.randrange(5, canvas.minutes - 5)
    canvas.settle(replace(canvas.usual, memory=canvas.draw.uniform(0.8, 0.88)))
    canvas.happen("deployed", at)
    canvas.put(at, canvas.minutes, memory=canvas.draw.uniform(0.3, 0.45))
