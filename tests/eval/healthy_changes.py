"""Healthy classes with a change in the window, or with a history that differs from it."""

from __future__ import annotations

from dataclasses import replace

from tests.eval.canvas import Canvas
from tests.eval.scenario import healthy


@healthy()
def deploy_blip(canvas: Canvas) -> None:
    """A deployment fails some requests for one or two minutes, then warms up."""
    at, lasts = canvas.random.randrange(canvas.minutes - 1), canvas.random.randint(1, 2)
    canvas.add_event("deployed", at)
    slower = canvas.random.uniform(3, 10)
    canvas.set_levels(
        at, at + lasts, failed_share=canvas.random.uniform(0.2, 0.9), cpu=canvas.random.uniform(0.4, 1.0)
    )
    canvas.change(at, at + lasts, lambda _, level: replace(level, latency=level.latency * slower))
    canvas.change(
        at, at + 6, lambda minute, level: replace(level, memory=level.memory * (0.5 + 0.08 * (minute - at)))
    )


@healthy()
def cold_start(canvas: Canvas) -> None:
    """The first two minutes after a deployment are slow while caches fill."""
    at, slower = canvas.random.randrange(canvas.minutes - 2), canvas.random.uniform(5, 10)
    canvas.add_event("deployed", at)
    canvas.add_event("started", at + 0.5)
    canvas.change(
        at,
        at + 2,
        lambda _, level: replace(level, latency=level.latency * slower, cpu=min(1.0, level.cpu * 3)),
    )


@healthy()
def failed_then_fixed(canvas: Canvas) -> None:
    """A deployment failed, and the next one went live minutes later."""
    at = canvas.random.randrange(2, canvas.minutes - 8)
    canvas.add_event("failed", at)
    canvas.add_event("deployed", at + canvas.random.randint(3, 7))


@healthy()
def many_redeploys(canvas: Canvas) -> None:
    """Three deployments in half an hour, each of which starts its container once."""
    for at in (canvas.random.randint(first, first + 4) for first in (1, 11, 21)):
        canvas.add_event("deployed", at)
        canvas.add_event("started", at + 0.3)
        canvas.set_levels(
            at, at + 1, failed_share=canvas.random.uniform(0, 0.1), memory=canvas.baseline.memory * 0.7
        )


@healthy()
def sleeping(canvas: Canvas) -> None:
    """A sleeping service without samples that wakes for some minutes, slowly at first, and sleeps again."""
    wakes, awake = canvas.random.randrange(3, 20), canvas.random.randint(5, 9)
    canvas.reset(replace(canvas.baseline, requests_per_minute=0.0, cpu=0.01))
    canvas.missing_minutes = {
        minute for minute in range(canvas.minutes) if not wakes <= minute < wakes + awake
    }
    canvas.add_event("started", wakes)
    canvas.set_levels(wakes, wakes + 3, requests_per_minute=canvas.random.uniform(0.5, 3), latency=1500.0)
    canvas.earlier = lambda age, baseline: replace(baseline, restarted=age % 3 == 0, requests_per_minute=0.1)


@healthy()
def no_past_worth_the_name(canvas: Canvas) -> None:
    """A normal window whose history is one window or none."""
    canvas.history_windows, canvas.has_whole_windows = canvas.random.randint(0, 1), False


@healthy()
def past_with_holes(canvas: Canvas) -> None:
    """A normal window in whose history most numbers are missing."""
    canvas.has_whole_windows, canvas.missing_share = False, canvas.random.uniform(0.5, 1.0)


@healthy()
def well_again(canvas: Canvas) -> None:
    """A normal window of a service that failed badly for some hours yesterday."""
    began, lasted = canvas.random.randint(12, 40), canvas.random.randint(2, 8)
    canvas.history_windows = 48
    canvas.earlier = lambda age, baseline: (
        replace(baseline, failed_share=0.5, latency=10 * baseline.latency, cpu=0.9, cpu_high_minutes=25.0)
        if began - lasted < age <= began
        else baseline
    )


@healthy()
def moved_once(canvas: Canvas) -> None:
    """The platform moves the service to another host: one start, and memory begins at a lower level."""
    at, fresh = canvas.random.randrange(canvas.minutes - 6), canvas.random.uniform(0.4, 0.8)
    canvas.add_event("started", at)
    canvas.change(at, canvas.minutes, lambda _, level: replace(level, memory=level.memory * fresh))


@healthy()
def rollout_overlap(canvas: Canvas) -> None:
    """During a rollout the old and the new container are summed for some minutes."""
    at, both = canvas.random.randrange(canvas.minutes - 4), canvas.random.randint(1, 3)
    memory = canvas.random.uniform(0.5, 0.65)
    canvas.reset(replace(canvas.baseline, memory=memory, cpu=canvas.random.uniform(0.2, 0.4)))
    canvas.add_event("started", at + 0.5 * canvas.random.random())
    canvas.add_event("deployed", at + both - 0.4)
    canvas.change(
        at, at + both, lambda _, level: replace(level, cpu=level.cpu * 2.2, memory=level.memory * 1.75)
    )


@healthy()
def leak_cut_by_deploy(canvas: Canvas) -> None:
    """Memory grew for a day until the deployment in this window; it has been flat since."""
    high, low = canvas.random.uniform(0.7, 0.85), canvas.random.uniform(0.25, 0.35)
    grows, at = canvas.random.uniform(0.008, 0.012), canvas.random.randrange(3, 12)
    canvas.reset(replace(canvas.baseline, memory=high))
    canvas.add_event("deployed", at)
    canvas.set_levels(at, canvas.minutes, memory=low)
    canvas.earlier = lambda age, baseline: replace(
        baseline, memory=max(low, high - grows * age), restarted=age == 40
    )


@healthy()
def memory_freed_by_deploy(canvas: Canvas) -> None:
    """Memory was at 80 to 88 % for days until a deployment freed it."""
    at = canvas.random.randrange(5, canvas.minutes - 5)
    canvas.reset(replace(canvas.baseline, memory=canvas.random.uniform(0.8, 0.88)))
    canvas.add_event("deployed", at)
    canvas.set_levels(at, canvas.minutes, memory=canvas.random.uniform(0.3, 0.45))
