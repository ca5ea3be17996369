"""Which earlier windows are one failure, whether a condition has always been there, and whether it recurs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from workers.detection.statistics import quantile

MIN_WINDOWS = 3  # windows: fewer are no baseline, because a failure may fill all of them
# Windows that are needed before a condition can have been there for as long as the history reaches: four hours of
# half-hour windows.
MIN_ALWAYS_WINDOWS = 8
OLDEST_WINDOWS = 6  # windows at the beginning of the history that must show the condition as well
# A failure that pauses for up to two hours, or for one and a half windows where those are longer, is the same failure.
PAUSE_SECONDS = 7200.0
PAUSE_WINDOWS = 1.5
DAY_SECONDS = 86_400.0

# ---- irregular jobs
MIN_BOUTS = 4  # separate bouts: fewer do not recur
MIN_BOUTS_PER_DAY = 2.0
MIN_BOUTS_SECONDS = 20 * 3600.0  # age of the first bout: a failure that flaps is no job within hours


class Age(NamedTuple):
    """Seconds from the begin and the end of an earlier window to the start of the window under evaluation."""

    begin: float
    end: float

    @property
    def pause(self) -> float:
        return max(PAUSE_SECONDS, PAUSE_WINDOWS * (self.begin - self.end))


def merge_runs(flags: Sequence[bool], ages: Sequence[Age]) -> list[bool]:
    """The flags, oldest first, with the windows of short pauses flagged too, also of a pause that lasts until now."""
    merged = list(flags)
    last: int | None = None
    for i, flag in enumerate(flags):
        if not flag:
            continue
        if last is not None and ages[last].end - ages[i].begin <= ages[i].pause:
            merged[last + 1 : i] = [True] * (i - last - 1)
        last = i
    if last is not None and ages[last].end <= ages[last].pause:
        merged[last + 1 :] = [True] * (len(flags) - last - 1)
    return merged


def trailing(flags: Sequence[bool]) -> int:
    """The number of consecutive true flags at the end."""
    count = 0
    while count < len(flags) and flags[len(flags) - 1 - count]:
        count += 1
    return count


def is_always(values: Sequence[float], threshold: float) -> bool:
    """Whether most windows reach the threshold, and the oldest ones half of it, so that the history shows no onset.

    Args:
        values: The metric per window, oldest first.
    """
    if len(values) < MIN_ALWAYS_WINDOWS:
        return False
    oldest = quantile(values[:OLDEST_WINDOWS], 0.5)
    return quantile(values, 0.5) >= threshold and oldest >= 0.5 * threshold


def days_of(ages: Sequence[Age]) -> int:
    """The number of days that the history covers, at least 1."""
    return max(1, round(max((age.begin for age in ages), default=0.0) / DAY_SECONDS))


def bout_lengths(values: Sequence[float], ages: Sequence[Age], least: float) -> list[float]:
    """The lengths of the separate bouts in which the values (minutes) reach `least`, if they recur; otherwise [].

    Consecutive windows are one bout; a bout that lasts until now is left out.
    """
    flags = [value >= least for value in values]
    count = len(flags) - trailing(flags)
    bouts: list[float] = []
    first = 0.0
    for i in range(count):
        if not flags[i]:
            continue
        continues = i > 0 and flags[i - 1]
        bouts = [*bouts[:-1], bouts[-1] + values[i]] if continues else [*bouts, values[i]]
        first = max(first, ages[i].begin)
    known_days = max((age.begin for age in ages), default=0.0) / DAY_SECONDS
    recurs = len(bouts) >= max(MIN_BOUTS, MIN_BOUTS_PER_DAY * known_days) and first >= MIN_BOUTS_SECONDS
    return bouts if recurs else []
