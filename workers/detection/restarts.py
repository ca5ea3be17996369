"""Containers that restart: kills for running out of memory, repeated crashes, restart loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from workers.detection.recurrence import is_always
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import quantile
from workers.models import Finding, Severity

# ---- how many restarts are a loop
MIN_STARTS = 3
# Starts of one deployment beyond its replicas: a rollout, or a move to another host, starts each replica once.
STARTS_BEYOND_REPLICAS = 2
MIN_CRASHES = 2  # a single crash is a notice
MIN_STARTS_OF_SLEEPING = 8  # a service that sleeps is started by its visitors; so many starts are not theirs
SAME_RESTART_SECONDS = 45.0  # a crash and a start within this time are one restart
EVENT_MARGIN_SECONDS = 60.0  # the event feed reports events up to this long outside the window

# ---- starts that interrupted nothing: a sleeping service woke, or a container started beside the present one
ASLEEP_SECONDS = 240.0  # time before the start in which the service must have been asleep
ASLEEP_SHARE = 0.05  # share of the highest memory below which the service is asleep
BEFORE_SECONDS = 300.0  # memory from this long before the start ...
# ... to this long before it is compared with that around it. Samples come once a minute.
AROUND_SECONDS = 90.0
UNCHANGED_SHARE = 0.95  # share of the earlier memory: a new process begins with less
ROLLOUT_BEFORE_SECONDS = 30.0  # a start this long before a rollout ...
ROLLOUT_AFTER_SECONDS = 120.0  # ... to this long after it belongs to the rollout


def detect_restarts(window: ServiceWindow) -> list[Finding]:
    """Kills for memory, otherwise restarts: the same restarts appear in events and in log lines."""
    finding = _oom_kills(window) or _restart_loop(window)
    return [] if finding is None else [finding]


def _event_times(window: ServiceWindow, kind: Literal["oom", "crashed", "started"]) -> list[float]:
    """Epoch seconds of the platform events of this kind in the window, ascending."""
    times = sorted(event.at.timestamp() for event in window.service.events if event.kind == kind)
    first, last = window.start - EVENT_MARGIN_SECONDS, window.end + EVENT_MARGIN_SECONDS
    return [at for at in times if first <= at <= last]


def _oom_kills(window: ServiceWindow) -> Finding | None:
    times = _event_times(window, "oom")
    if not times:
        return None
    ongoing = window.end - times[-1] <= 0.5 * window.survey.window.seconds
    numbers = {"kills": float(len(times))}
    if window.service.memory_limit:
        numbers["limit_gb"] = window.service.memory_limit
    severity = Severity.CRITICAL if ongoing and len(times) > 1 else Severity.WARNING
    return window.make_finding(
        "oom_killed",
        severity,
        times[0],
        last_seen=times[-1],
        ongoing=ongoing,
        numbers=numbers,
        chronic=_always_restarts(window),
    )


def _restart_loop(window: ServiceWindow) -> Finding | None:
    # A job starts a container for each of its runs, so only its crashes count.
    by_log = None if window.service.cron else _loop_by_log(window)
    return by_log or _loop_by_events(window)


def _needed_starts(window: ServiceWindow, replicas: int) -> int:
    sleeping = MIN_STARTS_OF_SLEEPING if window.service.sleeps else 0
    return max(MIN_STARTS, replicas + STARTS_BEYOND_REPLICAS, sleeping)


def _loop_by_log(window: ServiceWindow) -> Finding | None:
    """A loop by the container starts that the platform logged, per deployment."""
    service = window.service
    counts = Counter(start.deployment_id for start in service.starts)
    deployments = {
        deployment.id: deployment
        for deployment in (*service.deployments, service.latest, service.serving)
        if deployment
    }
    for deployment_id, count in counts.most_common():
        deployment = deployments.get(deployment_id)
        replicas = max(1, service.replicas, deployment.replicas if deployment else 1)
        if count >= _needed_starts(window, replicas):
            times = sorted(
                start.at.timestamp() for start in service.starts if start.deployment_id == deployment_id
            )
            return _finding(window, "started", times, replicas, deployment_id=deployment_id)
    return None


def _loop_by_events(window: ServiceWindow) -> Finding | None:
    """A loop by the events of the platform's feed, which also reports crashes."""
    crashes, replicas = _event_times(window, "crashed"), max(1, window.service.replicas)
    if len(crashes) >= MIN_CRASHES:
        return _finding(window, "crashed", crashes, replicas)
    starts = [
        at
        for at in _event_times(window, "started")
        if not window.service.cron and not _is_rollout(window, at) and not _interrupted_nothing(window, at)
    ]
    if len(starts) + len(crashes) >= _needed_starts(window, replicas):
        return _finding(window, "started", _distinct([*starts, *crashes]), replicas)
    if crashes:
        return _finding(window, "crashed", crashes, replicas, severity=Severity.NOTICE)
    return None


def _is_rollout(window: ServiceWindow, at: float) -> bool:
    return any(
        -ROLLOUT_BEFORE_SECONDS <= at - rollout <= ROLLOUT_AFTER_SECONDS for rollout in window.rollouts
    )


def _interrupted_nothing(window: ServiceWindow, at: float) -> bool:
    """Whether nothing ran for some minutes before the start, or memory continued unchanged through it."""
    if len(window.memory) == 1 and window.service.replicas == 1 and _memory_continued(window, at):
        return True
    values = [value for points in window.memory for _, value in points]
    before = [
        value
        for points in window.memory
        for sample_at, value in points
        if at - ASLEEP_SECONDS <= sample_at < at - 60
    ]
    was_asleep = bool(values) and all(value <= ASLEEP_SHARE * max(values) for value in before)
    return was_asleep and at > window.start + ASLEEP_SECONDS


def _memory_continued(window: ServiceWindow, at: float) -> bool:
    """Whether memory did not fall at the start, so that the container started beside another one."""
    samples = window.memory[0]
    before = [value for when, value in samples if at - BEFORE_SECONDS <= when < at - AROUND_SECONDS]
    around = [value for when, value in samples if at - AROUND_SECONDS <= when < at + 2 * AROUND_SECONDS]
    return bool(before) and bool(around) and min(around) >= UNCHANGED_SHARE * quantile(before, 0.5)


def _distinct(times: Sequence[float]) -> list[float]:
    """The times in ascending order, those of one restart merged."""
    distinct: list[float] = []
    for at in sorted(times):
        if not distinct or at - distinct[-1] > SAME_RESTART_SECONDS:
            distinct.append(at)
    return distinct


def _finding(
    window: ServiceWindow, event: Literal["started", "crashed"], times: Sequence[float], replicas: int, *,
    deployment_id: str | None = None, severity: Severity | None = None,
) -> Finding:  # fmt: skip
    between = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
    # A loop with back-off restarts more and more rarely, so it is ongoing for three of its mean distances.
    ongoing = window.end - times[-1] <= max(3 * between, 0.1 * window.survey.window.seconds)
    numbers = {"starts": float(len(times)), "replicas": float(replicas), "seconds_between": round(between, 1)}
    return window.make_finding(
        "restart_loop", severity or (Severity.CRITICAL if ongoing else Severity.WARNING), times[0],
        last_seen=times[-1], ongoing=ongoing, numbers=numbers, labels={"event": event},
        deployment_id=deployment_id, chronic=_always_restarts(window), step=0,
    )  # fmt: skip


def _always_restarts(window: ServiceWindow) -> bool:
    """Whether the service has restarted in most windows for as long as the history reaches."""
    if window.service.cron:
        return window.baseline.always_alerts("restart_loop", "oom_killed")
    restarted = [summary.restarted for summary in window.baseline.windows if summary.restarted is not None]
    return is_always([float(each) for each in restarted], 1.0)
