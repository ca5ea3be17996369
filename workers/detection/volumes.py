"""Volumes: how full, and when they will be."""

from __future__ import annotations

from collections.abc import Sequence

from workers.detection.sentences import span
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import clean, floors, kendall_tau, theil_sen
from workers.models import Finding, Point, Severity, Volume

FULL, NEARLY_FULL, FILLING = 0.95, 0.85, 0.6
FULL_WITHIN_SECONDS = 48 * 3600.0
FULL_SOON_SECONDS = 6 * 3600.0
UNKNOWN_PAST_FILLING, UNKNOWN_PAST_SECONDS = 0.8, 12 * 3600.0
"""Without a past a window shows too little for more than half a day ahead: logs are cleared up, too."""
FLOORS = 6
"""Parts of the past of which the lowest level is compared."""
RUSHING_FROM, RUSHING_RISE, RUSHING_SECONDS = 0.3, 0.02, 4 * 3600.0
"""Of the size; whatever the past says, so much within the window fills it within hours."""
RISING_TAU = 0.8
FEWEST = 6
LEAST_RISE = 0.002
"""Of the size, over what was seen."""
EMPTIED = 0.05
"""Of the size: a fall of this much between two looks is somebody who clears up."""
STEADY = 0.03
"""Of the size: this close to the lowest of the past nothing is filling."""
MB_PER_GB = 1000.0


def judge_volumes(case: ServiceWindow) -> list[Finding]:
    """A finding per volume that is full, or will be at this rate."""
    found = [_judge(case, one) for one in case.service.volumes if one.size_mb > 0]
    return [one for one in found if one is not None]


def _judge(case: ServiceWindow, volume: Volume) -> Finding | None:
    share, size = volume.used_mb / volume.size_mb, volume.size_mb / MB_PER_GB
    # The series of a service is about all of its volumes together.
    levels, cleared = _levels(case) if len(case.service.volumes) == 1 else ([], False)
    ahead = _seconds_to_full(case, levels, share, size)
    if ahead is None:
        ahead = _rising_floors(case, share, size) if cleared else _rushing(case, share, size)
        cleared = cleared and ahead is None
    if ahead is not None and not (cleared and share < NEARLY_FULL):
        soon = ahead <= FULL_SOON_SECONDS and share >= NEARLY_FULL
        return _say(case, volume, Severity.CRITICAL if soon or share >= FULL else Severity.WARNING, ahead)
    if share >= FULL:
        return _say(case, volume, Severity.CRITICAL, None)
    if share < NEARLY_FULL:
        return None
    past = case.usual.values("disk")
    steady = len(past) >= FEWEST and share - min(past) / size < STEADY
    return _say(case, volume, Severity.WARNING, None, usual=steady or cleared)


def _levels(case: ServiceWindow) -> tuple[list[Point], bool]:
    """How full it was, oldest first, since it was last cleared up; and whether it ever was."""
    size = case.service.volumes[0].size_mb / MB_PER_GB
    found: list[Point] = []
    cleared = False
    before = [
        (int(case.start - age), one.disk)
        for age, one in zip(case.usual.ages, case.usual.windows, strict=True)
        if one.disk is not None
    ]
    for point in (*before, *clean(case.service.disk)):
        if found and point[1] < found[-1][1] - EMPTIED * size:
            found, cleared = [], True
        found.append(point)
    return found, cleared


def _seconds_to_full(case: ServiceWindow, levels: Sequence[Point], share: float, size: float) -> float | None:
    known = case.usual.known and len(case.usual.values("disk")) >= FEWEST
    if len(levels) < FEWEST or share < (FILLING if known else UNKNOWN_PAST_FILLING):
        return None
    seen, rise = levels[-1][0] - levels[0][0], levels[-1][1] - levels[0][1]
    if rise < LEAST_RISE * size or seen <= 0:
        return None
    thin = levels[:: max(1, len(levels) // 60)]
    slope = theil_sen(thin)
    if slope <= 0 or kendall_tau([value for _, value in thin]) < RISING_TAU:
        return None
    half = len(thin) // 2
    if theil_sen(thin[half:]) < 0.3 * slope:
        return None
    ahead = max(0.0, 1 - share) * size / slope
    return ahead if ahead <= (FULL_WITHIN_SECONDS if known else UNKNOWN_PAST_SECONDS) else None


def _rising_floors(case: ServiceWindow, share: float, size: float) -> float | None:
    """Seconds until it is full where it is cleared up now and then, but never back to where it was."""
    known = [
        (case.start - age, one.disk)
        for age, one in zip(case.usual.ages, case.usual.windows, strict=True)
        if one.disk is not None
    ]
    points = [(int(at), value) for at, value in known] + clean(case.service.disk)
    if len(known) < 2 * FLOORS or share < FILLING:
        return None
    lowest = floors(points, FLOORS)
    slope = theil_sen(lowest)
    if slope * (lowest[-1][0] - lowest[0][0]) < EMPTIED * size:
        return None
    if kendall_tau([value for _, value in lowest]) < RISING_TAU:
        return None
    ahead = max(0.0, 1 - share) * size / slope
    return ahead if ahead <= FULL_WITHIN_SECONDS else None


def _rushing(case: ServiceWindow, share: float, size: float) -> float | None:
    """Seconds until it is full where the window alone shows that it will be within hours."""
    levels = clean(case.service.disk) if len(case.service.volumes) == 1 else []
    if len(levels) < FEWEST or share < RUSHING_FROM:
        return None
    if levels[-1][1] - levels[0][1] < RUSHING_RISE * size:
        return None
    thin = levels[:: max(1, len(levels) // 60)]
    slope = theil_sen(thin)
    if slope <= 0 or kendall_tau([value for _, value in thin]) < RISING_TAU:
        return None
    ahead = max(0.0, 1 - share) * size / slope
    return ahead if ahead <= RUSHING_SECONDS else None


def _say(
    case: ServiceWindow, volume: Volume, severity: Severity, ahead: float | None, *, usual: bool = False
) -> Finding:
    percent = 100 * volume.used_mb / volume.size_mb
    rest = f"; at this rate it is full in {span(ahead)}" if ahead is not None else ""
    sentence = (
        f"the volume {volume.name} of {case.service.name} ({volume.mount_path}) is {percent:.0f} % full: "
        f"{volume.used_mb:.0f} of {volume.size_mb:.0f} MB{rest}"
    )
    numbers = {"used_percent": round(percent, 1), "used_mb": volume.used_mb, "size_mb": volume.size_mb}
    if ahead is not None:
        numbers["minutes_to_full"] = round(ahead / 60, 1)
    return case.found(
        "volume", severity, case.survey.window.end, sentence,
        numbers=numbers, harm_in_seconds=None if ahead is None else round(ahead, 1), usual=usual,
    )  # fmt: skip
