"""Sick classes that show in CPU, memory, volumes, or in what the platform says happened."""

from __future__ import annotations

from dataclasses import replace

from tests.eval.canvas import Canvas
from tests.eval.scenario import sick


@sick("memory_growth", "memory")
def leak_fast(canvas: Canvas) -> None:
    """Memory grows towards the limit within the window or soon after."""
    _leak(canvas, canvas.draw.uniform(0.3, 0.55), canvas.draw.uniform(0.7, 0.98))


@sick("memory_growth", "memory")
def leak_on_replicas(canvas: Canvas) -> None:
    """Every one of three replicas leaks; only their sum is seen."""
    canvas.replicas = 3
    _leak(canvas, canvas.draw.uniform(0.35, 0.5), canvas.draw.uniform(0.75, 0.95))


def _leak(canvas: Canvas, low: float, high: float) -> None:
    teeth = canvas.draw.uniform(0.02, 0.06) if canvas.draw.random() < 0.4 else 0.0
    canvas.worker = canvas.draw.random() < 0.3
    canvas.settle(replace(canvas.usual, memory=low))
    canvas.onset = 0
    canvas.bend(0, canvas.minutes, lambda minute, level: replace(
        level, memory=low + (high - low) * (minute + 1) / canvas.minutes + teeth * (minute % 5) / 5))  # fmt: skip
    canvas.earlier = lambda age, usual: replace(usual, memory=max(0.12, low - 0.004 * age))


@sick("memory_growth", "memory")
def leak_slow(canvas: Canvas) -> None:
    """A per cent or so each half hour: nothing to be seen in the window, all in the windows before."""
    grows, now = canvas.draw.uniform(0.006, 0.02), canvas.draw.uniform(0.5, 0.86)
    canvas.past_windows, canvas.worker = max(24, canvas.past_windows), canvas.draw.random() < 0.3
    canvas.settle(replace(canvas.usual, memory=now))
    canvas.bend(
        0, canvas.minutes, lambda minute, level: replace(level, memory=now + grows * minute / canvas.minutes)
    )
    canvas.earlier = lambda age, usual: replace(usual, memory=max(0.1, now - grows * age))


@sick("memory")
def memory_at_limit(canvas: Canvas) -> None:
    """Memory jumped to 95 % and more and stays: the next allocation kills it."""
    first = canvas.begin(0.1, 0.6)
    canvas.put(first, canvas.minutes, memory=canvas.draw.uniform(0.955, 0.99))


@sick("cpu")
def cpu_saturated(canvas: Canvas) -> None:
    """At its CPU limit since some time in the first half, and slower for it."""
    _saturate(canvas, canvas.begin(0, 0.4), canvas.minutes)


@sick("cpu")
def cpu_saturated_recovered(canvas: Canvas) -> None:
    """It was at its limit for six to ten minutes, up to 20 minutes ago: that happened and is worth a look."""
    first = canvas.begin(0, 0.15)
    _saturate(canvas, first, first + canvas.draw.randint(6, 10))


@sick("cpu")
def cpu_saturated_replicas(canvas: Canvas) -> None:
    """All replicas are at their limit."""
    canvas.replicas = canvas.draw.randint(2, 5)
    _saturate(canvas, canvas.begin(0, 0.5), canvas.minutes)


@sick("cpu")
def cpu_half_minute_samples(canvas: Canvas) -> None:
    """The same, seen every 30 seconds."""
    canvas.step = 30
    _saturate(canvas, canvas.begin(0.1, 0.6), canvas.minutes)


def _saturate(canvas: Canvas, first: int, last: int) -> None:
    slower, share = canvas.draw.uniform(1.5, 4), canvas.draw.uniform(0.92, 1.0)
    canvas.wobble = (0.03, canvas.wobble[1])
    canvas.bend(first, last, lambda _, level: replace(level, cpu=share, latency=level.latency * slower))


@sick("cpu")
def cpu_throttled(canvas: Canvas) -> None:
    """Held at exactly its limit for the whole window; before it used a third to a half."""
    canvas.wobble = (0.005, canvas.wobble[1])
    canvas.settle(replace(canvas.usual, cpu=canvas.draw.uniform(0.3, 0.5)))
    canvas.put(0, canvas.minutes, cpu=canvas.draw.uniform(0.99, 1.0))


@sick("cpu")
def cpu_runaway(canvas: Canvas) -> None:
    """A loop that never ends takes a core or two of many: far below the limit, far above what is usual."""
    canvas.plan, canvas.worker = canvas.draw.choice(((8, 8), (24, 24))), canvas.draw.random() < 0.3
    canvas.settle(replace(canvas.usual, cpu=canvas.draw.uniform(0.004, 0.03)))
    more = canvas.draw.choice((1, 1, 2)) / canvas.plan[0]
    canvas.bend(canvas.begin(0, 0.35), canvas.minutes, lambda _, level: replace(level, cpu=level.cpu + more))


@sick("volume")
def volume_filling(canvas: Canvas) -> None:
    """A volume that has grown for hours and is full within a day or two."""
    grows, now = canvas.draw.uniform(0.006, 0.03), canvas.draw.uniform(0.75, 0.97)
    canvas.past_windows = max(12, canvas.past_windows)
    canvas.settle(replace(canvas.usual, disk=now))
    canvas.bend(0, canvas.minutes, lambda minute, level: replace(
        level, disk=now + grows * ((minute + 1) / canvas.minutes - 1)))  # fmt: skip
    canvas.earlier = lambda age, usual: replace(usual, disk=max(0.05, now - grows * age))


@sick("volume")
def volume_filling_fast(canvas: Canvas) -> None:
    """Something writes without end: from half full it is full within one to three hours."""
    start, grows = canvas.draw.uniform(0.4, 0.6), canvas.draw.uniform(0.004, 0.012)
    canvas.settle(replace(canvas.usual, disk=start))
    canvas.onset = 0
    canvas.bend(0, canvas.minutes, lambda minute, level: replace(level, disk=start + grows * (minute + 1)))


@sick("oom_killed", "memory", "memory_growth", "restart_loop")
def oom_restarts(canvas: Canvas) -> None:
    """Memory fills, the platform kills it, and again."""
    period = canvas.minutes // canvas.draw.randint(2, 4)
    canvas.bend(0, canvas.minutes, lambda minute, level: replace(
        level, memory=min(1.0, 0.3 + 0.72 * (minute % period) / (period - 1))))  # fmt: skip
    for at in range(period, canvas.minutes, period):
        canvas.happen("oom", at)
        canvas.happen("started", at + 0.4)
        canvas.put(at, at + 1, failing=canvas.draw.uniform(0.3, 0.9))


@sick("oom_killed", "memory", "memory_growth")
def oom_once(canvas: Canvas) -> None:
    """Killed once for its memory; it runs again, until the next time."""
    at = canvas.begin(0.2, 0.9)
    at = min(at, canvas.minutes - 1)
    canvas.happen("oom", at + 0.2)
    canvas.happen("started", at + 0.6)
    canvas.put(at - 1, at, memory=canvas.draw.uniform(0.97, 1.0))
    canvas.put(at, at + 1, memory=0.15, failing=canvas.draw.uniform(0.2, 0.8))


@sick("restart_loop", "crashed")
def crash_loop(canvas: Canvas) -> None:
    """It crashes again and again, and requests fail in between."""
    _crash(canvas)


@sick("restart_loop", "crashed")
def crash_loop_worker(canvas: Canvas) -> None:
    """The same without any request that could fail."""
    canvas.worker = True
    _crash(canvas)


def _crash(canvas: Canvas) -> None:
    for at in sorted(canvas.draw.sample(range(canvas.minutes), canvas.draw.randint(3, 8))):
        canvas.happen("crashed", at)
        canvas.put(at, at + 2, memory=canvas.usual.memory * 0.3, failing=canvas.draw.uniform(0.2, 0.9))


@sick("restart_loop", "crashed")
def restart_loop_quiet(canvas: Canvas) -> None:
    """Nobody says crashed, but the same deployment is started every few minutes."""
    every = canvas.draw.randint(3, 6)
    canvas.worker = canvas.draw.random() < 0.5
    for at in range(canvas.draw.randrange(every), canvas.minutes, every):
        canvas.happen("started", at + 0.2)
        canvas.put(at, at + 1, memory=canvas.usual.memory * 0.3)


@sick("crashed", "stopped", "traffic_lost", "server_errors", "missing")
def crashed_for_good(canvas: Canvas) -> None:
    """It crashed and nothing of it runs any more."""
    first = canvas.begin(0.2, 0.8)
    canvas.happen("crashed", first)
    canvas.unseen = set(range(first, canvas.minutes))
    canvas.put(first, canvas.minutes, failing=1.0)


@sick("missing", "stopped", "traffic_lost")
def vanished(canvas: Canvas) -> None:
    """A service that never sleeps gives no sample and gets no request any more; nobody said why."""
    first = canvas.begin(0.2, 0.6)
    canvas.settle(replace(canvas.usual, per_minute=max(100.0, canvas.usual.per_minute)))
    canvas.unseen = set(range(first, canvas.minutes))
    canvas.put(first, canvas.minutes, per_minute=0.0)


@sick("failed_deployment")
def failed_deployment(canvas: Canvas) -> None:
    """The newest deployment failed; the old one serves, so what was to be delivered is not."""
    canvas.happen("failed", canvas.begin(0.05, 0.9))
