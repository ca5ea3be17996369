"""Failing classes that show in CPU, memory, volumes or platform events."""

from __future__ import annotations

from dataclasses import replace

from tests.eval.canvas import Canvas
from tests.eval.scenario import failing


@failing("memory_growth", "memory")
def leak_fast(canvas: Canvas) -> None:
    """Memory grows and reaches the limit within the window or soon after."""
    _leak(canvas, canvas.random.uniform(0.3, 0.55), canvas.random.uniform(0.7, 0.98))


@failing("memory_growth", "memory")
def leak_on_replicas(canvas: Canvas) -> None:
    """All three replicas leak, and only their sum is measured."""
    canvas.replicas = 3
    _leak(canvas, canvas.random.uniform(0.35, 0.5), canvas.random.uniform(0.75, 0.95))


def _leak(canvas: Canvas, low: float, high: float) -> None:
    teeth = canvas.random.uniform(0.02, 0.06) if canvas.random.random() < 0.4 else 0.0
    canvas.is_worker = canvas.random.random() < 0.3
    canvas.reset(replace(canvas.baseline, memory=low))
    canvas.onset = 0
    canvas.change(0, canvas.minutes, lambda minute, level: replace(
        level, memory=low + (high - low) * (minute + 1) / canvas.minutes + teeth * (minute % 5) / 5))  # fmt: skip
    canvas.earlier = lambda age, baseline: replace(baseline, memory=max(0.12, low - 0.004 * age))


@failing("memory_growth", "memory")
def leak_slow(canvas: Canvas) -> None:
    """Memory grows by about one per cent per half hour, which only the history shows."""
    grows, now = canvas.random.uniform(0.006, 0.02), canvas.random.uniform(0.5, 0.86)
    canvas.history_windows, canvas.is_worker = max(24, canvas.history_windows), canvas.random.random() < 0.3
    canvas.reset(replace(canvas.baseline, memory=now))
    canvas.change(
        0, canvas.minutes, lambda minute, level: replace(level, memory=now + grows * minute / canvas.minutes)
    )
    canvas.earlier = lambda age, baseline: replace(baseline, memory=max(0.1, now - grows * age))


@failing("memory")
def memory_at_limit(canvas: Canvas) -> None:
    """Memory jumped to 95 % or more and stays there: the next allocation kills the process."""
    first = canvas.start_failure(0.1, 0.6)
    canvas.set_levels(first, canvas.minutes, memory=canvas.random.uniform(0.955, 0.99))


@failing("cpu")
def cpu_saturated(canvas: Canvas) -> None:
    """CPU at its limit since the first half of the window, with slower requests."""
    _saturate(canvas, canvas.start_failure(0, 0.4), canvas.minutes)


@failing("cpu")
def cpu_saturated_recovered(canvas: Canvas) -> None:
    """CPU was at its limit for six to ten minutes, up to 20 minutes ago, with slower requests."""
    first = canvas.start_failure(0, 0.15)
    _saturate(canvas, first, first + canvas.random.randint(6, 10))


@failing("cpu")
def cpu_saturated_replicas(canvas: Canvas) -> None:
    """The CPU of all replicas is at its limit."""
    canvas.replicas = canvas.random.randint(2, 5)
    _saturate(canvas, canvas.start_failure(0, 0.5), canvas.minutes)


@failing("cpu")
def cpu_half_minute_samples(canvas: Canvas) -> None:
    """CPU at its limit, with a sample every 30 seconds."""
    canvas.step = 30
    _saturate(canvas, canvas.start_failure(0.1, 0.6), canvas.minutes)


def _saturate(canvas: Canvas, first: int, last: int) -> None:
    slower, share = canvas.random.uniform(1.5, 4), canvas.random.uniform(0.92, 1.0)
    canvas.noise = (0.03, canvas.noise[1])
    canvas.change(first, last, lambda _, level: replace(level, cpu=share, latency=level.latency * slower))


@failing("cpu")
def cpu_throttled(canvas: Canvas) -> None:
    """CPU is throttled at its limit for the whole window; it was at a third to a half before."""
    canvas.noise = (0.005, canvas.noise[1])
    canvas.reset(replace(canvas.baseline, cpu=canvas.random.uniform(0.3, 0.5)))
    canvas.set_levels(0, canvas.minutes, cpu=canvas.random.uniform(0.99, 1.0))


@failing("cpu")
def cpu_runaway(canvas: Canvas) -> None:
    """An endless loop uses one or two cores of many: far below the limit, far above the baseline."""
    canvas.plan, canvas.is_worker = canvas.random.choice(((8, 8), (24, 24))), canvas.random.random() < 0.3
    canvas.reset(replace(canvas.baseline, cpu=canvas.random.uniform(0.004, 0.03)))
    more = canvas.random.choice((1, 1, 2)) / canvas.plan[0]
    canvas.change(
        canvas.start_failure(0, 0.35), canvas.minutes, lambda _, level: replace(level, cpu=level.cpu + more)
    )


@failing("volume")
def volume_filling(canvas: Canvas) -> None:
    """A volume that has grown for hours and is full within one or two days."""
    grows, now = canvas.random.uniform(0.006, 0.03), canvas.random.uniform(0.75, 0.97)
    canvas.history_windows = max(12, canvas.history_windows)
    canvas.reset(replace(canvas.baseline, disk=now))
    canvas.change(0, canvas.minutes, lambda minute, level: replace(
        level, disk=now + grows * ((minute + 1) / canvas.minutes - 1)))  # fmt: skip
    canvas.earlier = lambda age, baseline: replace(baseline, disk=max(0.05, now - grows * age))


@failing("volume")
def volume_filling_fast(canvas: Canvas) -> None:
    """A process writes without end: a half-full volume is full within one to three hours."""
    start, grows = canvas.random.uniform(0.4, 0.6), canvas.random.uniform(0.004, 0.012)
    canvas.reset(replace(canvas.baseline, disk=start))
    canvas.onset = 0
    canvas.change(0, canvas.minutes, lambda minute, level: replace(level, disk=start + grows * (minute + 1)))


@failing("oom_killed", "memory", "memory_growth", "restart_loop")
def oom_restarts(canvas: Canvas) -> None:
    """Memory fills and the platform kills the process, again and again."""
    period = canvas.minutes // canvas.random.randint(2, 4)
    canvas.change(0, canvas.minutes, lambda minute, level: replace(
        level, memory=min(1.0, 0.3 + 0.72 * (minute % period) / (period - 1))))  # fmt: skip
    for at in range(period, canvas.minutes, period):
        canvas.add_event("oom", at)
        canvas.add_event("started", at + 0.4)
        canvas.set_levels(at, at + 1, failed_share=canvas.random.uniform(0.3, 0.9))


@failing("oom_killed", "memory", "memory_growth")
def oom_once(canvas: Canvas) -> None:
    """The platform killed the process for its memory once; it runs again until the next time."""
    at = canvas.start_failure(0.2, 0.9)
    at = min(at, canvas.minutes - 1)
    canvas.add_event("oom", at + 0.2)
    canvas.add_event("started", at + 0.6)
    canvas.set_levels(at - 1, at, memory=canvas.random.uniform(0.97, 1.0))
    canvas.set_levels(at, at + 1, memory=0.15, failed_share=canvas.random.uniform(0.2, 0.8))


@failing("restart_loop", "crashed")
def crash_loop(canvas: Canvas) -> None:
    """The process crashes again and again, and requests fail in between."""
    _crash(canvas)


@failing("restart_loop", "crashed")
def crash_loop_worker(canvas: Canvas) -> None:
    """A crash loop of a worker, which has no requests that could fail."""
    canvas.is_worker = True
    _crash(canvas)


def _crash(canvas: Canvas) -> None:
    for at in sorted(canvas.random.sample(range(canvas.minutes), canvas.random.randint(3, 8))):
        canvas.add_event("crashed", at)
        canvas.set_levels(
            at, at + 2, memory=canvas.baseline.memory * 0.3, failed_share=canvas.random.uniform(0.2, 0.9)
        )


@failing("restart_loop", "crashed")
def restart_loop_quiet(canvas: Canvas) -> None:
    """The container of one deployment starts every few minutes, without a reported crash."""
    every = canvas.random.randint(3, 6)
    canvas.is_worker = canvas.random.random() < 0.5
    for at in range(canvas.random.randrange(every), canvas.minutes, every):
        canvas.add_event("started", at + 0.2)
        canvas.set_levels(at, at + 1, memory=canvas.baseline.memory * 0.3)


@failing("crashed", "stopped", "traffic_lost", "server_errors", "missing")
def crashed_for_good(canvas: Canvas) -> None:
    """The process crashed, and no instance runs any more."""
    first = canvas.start_failure(0.2, 0.8)
    canvas.add_event("crashed", first)
    canvas.missing_minutes = set(range(first, canvas.minutes))
    canvas.set_levels(first, canvas.minutes, failed_share=1.0)


@failing("missing", "stopped", "traffic_lost")
def vanished(canvas: Canvas) -> None:
    """A service that never sleeps has no samples and no requests any more, without any event."""
    first = canvas.start_failure(0.2, 0.6)
    canvas.reset(
        replace(canvas.baseline, requests_per_minute=max(100.0, canvas.baseline.requests_per_minute))
    )
    canvas.missing_minutes = set(range(first, canvas.minutes))
    canvas.set_levels(first, canvas.minutes, requests_per_minute=0.0)


@failing("failed_deployment")
def failed_deployment(canvas: Canvas) -> None:
    """The newest deployment failed; the old one still serves."""
    canvas.add_event("failed", canvas.start_failure(0.05, 0.9))
