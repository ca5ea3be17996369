"""CPU, memory and volumes of one service against its limits, which are per replica: each is judged by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Literal

from workers.analysis.statistics import Run, clean, floors, kendall_tau, runs, step_of, theil_sen
from workers.analysis.words import deployment_near, ending, moment, since, span
from workers.models import Finding, InstanceUsage, Point, Service, Severity, Survey

CPU_PERCENT = ((90.0, Severity.CRITICAL), (80.0, Severity.WARNING))
MEMORY_PERCENT = ((95.0, Severity.CRITICAL), (90.0, Severity.WARNING), (80.0, Severity.NOTICE))
"""Memory of 72 to 89 % that stays there is common and harmless (caches, collectors), so 80 % is only evidence."""
VOLUME_PERCENT = ((95.0, Severity.CRITICAL), (85.0, Severity.WARNING))
LIMIT_WITHIN_SECONDS = 3 * 3600.0
LIMIT_WITHIN_WINDOWS = 6.0
"""Growth is believed this far ahead: 3 h, and in a short look no further than six times what was seen."""
FEWEST_FITTED = 8
SHORTEST_FIT_WINDOWS = 0.4
"""Younger containers are still warming up."""
LEAST_RISE = 0.05
"""Of the limit, over what was seen: less is drift that sample noise can make."""
RISING_TAU = 0.7
STILL_RISING = 0.5
"""The later half must rise at least this much as fast as the earlier one; a cache that fills does not."""
ONE_STEP = 0.6
"""Of the rise within a sixth of the time: a step up, as after more load, is no growth."""
FALLEN_BACK = 0.5
"""A fall by this share of the whole rise without a restart: somebody collects."""
AT_LIMIT = 0.9
CUT_BY_RESTART = 0.7
"""Memory below this share of what it was just before a container start: it was this container."""


def judge_resources(service: Service, survey: Survey, persist: float) -> list[Finding]:
    """What is wrong with CPU, memory and volumes; `persist` in seconds."""
    found = [
        _near_limit(service, survey, persist, "cpu"),
        _restarted_at_limit(service, survey) or _near_limit(service, survey, persist, "memory"),
        _growth(service, survey, persist),
        *_volumes(service, survey),
    ]
    return [finding for finding in found if finding is not None]


def _near_limit(
    service: Service, survey: Survey, persist: float, kind: Literal["cpu", "memory"]
) -> Finding | None:
    limit = service.cpu_limit if kind == "cpu" else service.memory_limit
    if not limit or limit <= 0:
        return None
    for percent, severity in CPU_PERCENT if kind == "cpu" else MEMORY_PERCENT:
        held = []
        for usage in service.usage:
            points = clean(usage.cpu if kind == "cpu" else usage.memory)
            longest = _longest(points, percent / 100 * limit, persist, survey)
            if longest:
                held.append((longest, points))
        if held:
            best = max(held, key=lambda pair: (_is_last(pair[0], pair[1], survey), pair[0].seconds))
            return _say_near(service, survey, kind, severity, limit, best[0], best[1], len(held))
    return None


def _longest(points: Sequence[Point], line: float, persist: float, survey: Survey) -> Run | None:
    times = [float(at) for at, _ in points]
    step = step_of(times, survey.step_seconds)
    held = [
        run for run in runs(times, [value >= line for _, value in points], step) if run.seconds >= persist
    ]
    return max(held, key=lambda run: (_is_last(run, points, survey), run.seconds), default=None)


def _is_last(run: Run, points: Sequence[Point], survey: Survey) -> bool:
    """Whether it holds at the end of the window: no sample after it, and the samples did not end long before."""
    step = step_of([float(at) for at, _ in points], survey.step_seconds)
    fresh = survey.window.end.timestamp() - run.end <= max(3 * step, 0.1 * survey.window.seconds)
    return run.last >= len(points) - 2 and fresh


def _say_near(
    service: Service, survey: Survey, kind: Literal["cpu", "memory"], severity: Severity,
    limit: float, run: Run, points: Sequence[Point], replicas: int,
) -> Finding:  # fmt: skip
    values = [value for _, value in points[run.first : run.last + 1]]
    mean, ongoing = sum(values) / len(values), _is_last(run, points, survey)
    if not ongoing and severity is Severity.CRITICAL:
        severity = Severity.WARNING
    unit, name = ("vCPU", "CPU") if kind == "cpu" else ("GB", "memory")
    onset = moment(run.start)
    of_replicas = f" on {replicas} of {len(service.usage)} replicas" if len(service.usage) > 1 else ""
    sentence = (
        f"{service.name} used {mean:.3g} of {limit:g} {unit} of {name} ({100 * mean / limit:.0f} % of its limit)"
        f"{of_replicas} for {span(run.seconds)} {since(onset, survey.window, survey.step_seconds)}; "
        f"{ending(ongoing, moment(run.end), survey.window)}"
    )
    numbers = {
        "mean_percent": round(100 * mean / limit, 1), "peak_percent": round(100 * max(values) / limit, 1),
        "minutes": round(run.seconds / 60, 2), "replicas": float(replicas),
        f"limit_{unit.lower()}": limit, f"peak_{unit.lower()}": round(max(values), 4),
    }  # fmt: skip
    return Finding(
        service_id=service.id, service=service.name, kind=kind, severity=severity, since=onset,
        ongoing=ongoing, numbers=numbers, sentence=sentence,
        deployment_id=deployment_near(service, onset, timedelta(seconds=2 * survey.step_seconds)),
    )  # fmt: skip


def _starts_of(usage: InstanceUsage, service: Service) -> list[float]:
    same = [one for one in service.starts if usage.deployment_id in (None, one.deployment_id)]
    return sorted(one.at.timestamp() for one in same)


def _fell_at(points: Sequence[Point], start: float) -> tuple[float, float] | None:
    """Memory just before and after a container start, when this container is the one that was started."""
    before = [value for at, value in points if at < start]
    after = [value for at, value in points if at >= start]
    if not before or not after or min(after[:2]) >= CUT_BY_RESTART * max(before[-2:]):
        return None
    return max(before[-2:]), min(after[:2])


def _restarted_at_limit(service: Service, survey: Survey) -> Finding | None:
    limit = service.memory_limit
    if not limit or limit <= 0 or service.cron:
        return None
    hits: list[float] = []
    peak = 0.0
    for usage in service.usage:
        points = clean(usage.memory)
        for start in _starts_of(usage, service):
            fell = _fell_at(points, start)
            if fell and fell[0] >= AT_LIMIT * limit:
                hits.append(start)
                peak = max(peak, fell[0])
    if not hits:
        return None
    onset, last = moment(min(hits)), moment(max(hits))
    ongoing = (survey.window.end - last).total_seconds() <= 0.5 * survey.window.seconds
    sentence = (
        f"{service.name} reached {100 * peak / limit:.0f} % of its {limit:g} GB of memory and was started again "
        f"{len(hits)} time{'s' if len(hits) > 1 else ''} {since(onset, survey.window, survey.step_seconds)}"
    )
    numbers = {"peak_percent": round(100 * peak / limit, 1), "restarts": float(len(hits)), "limit_gb": limit}
    return Finding(
        service_id=service.id, service=service.name, kind="memory", since=onset, ongoing=ongoing,
        severity=Severity.CRITICAL if ongoing and len(hits) > 1 else Severity.WARNING,
        numbers=numbers, sentence=sentence,
        deployment_id=deployment_near(service, onset, timedelta(seconds=2 * survey.step_seconds)),
    )  # fmt: skip


def _growth(service: Service, survey: Survey, persist: float) -> Finding | None:
    limit = service.memory_limit
    if not limit or limit <= 0:
        return None
    fits = []
    for usage in service.usage:
        points = _since_restart(usage, service)
        ahead = _seconds_to_limit(points, limit, survey, persist)
        if ahead is not None:
            fits.append((ahead, points))
    if not fits:
        return None
    ahead, points = min(fits, key=lambda fit: fit[0])
    seen = points[-1][0] - points[0][0]
    rise = theil_sen(points) * seen
    soon = ahead <= max(persist, survey.window.seconds)
    onset = moment(points[0][0])
    sentence = (
        f"{service.name}'s memory grew by {rise:.3g} GB to {100 * points[-1][1] / limit:.0f} % of its {limit:g} GB "
        f"within {span(seen)} without falling back; at this rate it is at the limit in {span(ahead)}"
    )
    numbers = {
        "grown_gb": round(rise, 4), "now_percent": round(100 * points[-1][1] / limit, 1), "limit_gb": limit,
        "gb_per_hour": round(rise / seen * 3600, 4), "minutes_to_limit": round(ahead / 60, 2),
    }  # fmt: skip
    return Finding(
        service_id=service.id, service=service.name, kind="memory_growth", since=onset, ongoing=True,
        severity=Severity.CRITICAL if soon and points[-1][1] >= AT_LIMIT * limit else Severity.WARNING,
        numbers=numbers, sentence=sentence, confidence=0.8,
        deployment_id=deployment_near(service, onset, timedelta(seconds=2 * survey.step_seconds)),
    )  # fmt: skip


def _since_restart(usage: InstanceUsage, service: Service) -> list[Point]:
    """The samples since this container was started last, or since the newest deployment if it cannot be told apart."""
    points = clean(usage.memory)
    cuts = [
        start for start in _starts_of(usage, service) if len(service.usage) == 1 or _fell_at(points, start)
    ]
    if usage.deployment_id is None and service.serving is not None:
        cuts.append(service.serving.created_at.timestamp())
    return [point for point in points if point[0] >= max(cuts, default=0.0)]


def _seconds_to_limit(points: Sequence[Point], limit: float, survey: Survey, persist: float) -> float | None:
    """Seconds until the limit is reached at this rate; None where this is no steady growth towards it."""
    if len(points) < FEWEST_FITTED:
        return None
    seen = points[-1][0] - points[0][0]
    if seen < max(2 * persist, SHORTEST_FIT_WINDOWS * survey.window.seconds):
        return None
    if survey.window.end.timestamp() - points[-1][0] > 0.3 * survey.window.seconds:
        return None  # the container is gone: nothing grows any more
    slope = theil_sen(points)
    if slope * seen < LEAST_RISE * limit or not _steady(points, slope * seen):
        return None
    ahead = max(0.0, limit - points[-1][1]) / slope
    return ahead if ahead <= min(LIMIT_WITHIN_SECONDS, LIMIT_WITHIN_WINDOWS * survey.window.seconds) else None


def _steady(points: Sequence[Point], rise: float) -> bool:
    lowest = [value for _, value in floors(points, 6)]
    if kendall_tau(lowest) < RISING_TAU:
        return False
    if max(b - a for a, b in pairwise(lowest)) > ONE_STEP * (lowest[-1] - lowest[0]):
        return False
    top = fall = 0.0
    for _, value in points:
        top = max(top, value)
        fall = max(fall, top - value)
    half = len(points) // 2
    early, late = theil_sen(points[: half + 1]), theil_sen(points[half:])
    return fall < FALLEN_BACK * rise and late >= STILL_RISING * early


def _volumes(service: Service, survey: Survey) -> list[Finding]:
    found = []
    for volume in service.volumes:
        percent = 100 * volume.used_mb / volume.size_mb if volume.size_mb > 0 else 0.0
        severity = next((one for line, one in VOLUME_PERCENT if percent >= line), None)
        if severity is None:
            continue
        sentence = (
            f"the volume {volume.name} of {service.name} ({volume.mount_path}) is {percent:.0f} % full: "
            f"{volume.used_mb:.0f} of {volume.size_mb:.0f} MB"
        )
        numbers = {"used_percent": round(percent, 1), "used_mb": volume.used_mb, "size_mb": volume.size_mb}
        found.append(
            Finding(
                service_id=service.id,
                service=service.name,
                kind="volume",
                severity=severity,
                since=survey.window.end,
                ongoing=True,
                numbers=numbers,
                sentence=sentence,
            )
        )
    return found
