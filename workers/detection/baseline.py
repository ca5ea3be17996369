"""What earlier windows of a service say is usual for it: levels, spreads, habits of the hour. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

from workers.detection.statistics import quantile
from workers.models import Summary

FEWEST_WINDOWS = 3
"""Fewer earlier windows are no past: what was in them may be the trouble itself."""
FEWEST_SLOW = 10
"""The 95th percentile of fewer requests is that of the slowest one."""
FEWEST_REQUESTS = 20
"""A window with fewer requests says nothing about the share that fails."""
SAME_HOUR_SECONDS = 3600.0
DAY_SECONDS = 86_400.0
FEWEST_HABIT, HABIT_WINDOWS = 12, 0.4
"""Of so many known windows at least, so many as a share are bad: then it is a habit."""
COMMON, LONG_SINCE = 0.2, 0.6
"""Sick windows are usual where they are so large a share of the past, or where it has gone on for so much of it."""
RECENT = 6
"""Windows that stand for `just before`."""


Number = Literal[
    "cpu_mean", "cpu_peak", "cpu_high_minutes", "memory_mean", "memory_high", "disk", "requests",
    "p95_median", "p95_high", "error_lines", "failed_share", "refused_share", "requests_per_second", "ok_per_second",
]  # fmt: skip
"""What is known of an earlier window: a field of its summary, or one of the shares and rates below."""


@dataclass(frozen=True)
class Baseline:
    """The past of one service, oldest window first; an empty past answers None everywhere."""

    windows: Sequence[Summary]
    start: datetime
    """Where the window begins that is to be judged: the past lies before it."""
    minutes: float
    """Length of that window, taken for those of the past that name none."""
    _known: dict[tuple[str, str], list[float]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def known(self) -> bool:
        return len(self.windows) >= FEWEST_WINDOWS

    @cached_property
    def ages(self) -> list[float]:
        """Seconds from the end of each window to the start of this one; without times they follow each other."""
        length = self.minutes * 60
        count = len(self.windows)
        return [
            max(0.0, (self.start - one.at).total_seconds()) if one.at else (count - 1 - i) * length
            for i, one in enumerate(self.windows)
        ]

    def number(self, name: Number, one: Summary) -> float | None:
        """One number of one earlier window; None = not known."""
        if name == "failed_share":
            few = one.server_errors is None or not one.requests or one.requests < FEWEST_REQUESTS
            return None if few else (one.server_errors or 0.0) / (one.requests or 1.0)
        if name == "refused_share":
            few = one.ok is None or not one.requests or one.requests < FEWEST_REQUESTS
            rest = (one.requests or 0.0) - (one.ok or 0.0) - (one.server_errors or 0.0)
            return None if few else max(0.0, rest) / (one.requests or 1.0)
        if name in ("requests_per_second", "ok_per_second"):
            count = one.requests if name == "requests_per_second" else one.ok
            return None if count is None else count / (60 * (one.minutes or self.minutes))
        if name in ("p95_median", "p95_high") and one.requests is not None and one.requests < FEWEST_SLOW:
            return None
        if name == "memory_high" and one.memory_high is None:
            # What rises evenly is at its end as far above the mean as it was below it at first.
            known = one.memory_mean is not None and one.memory_low is not None
            return 2 * (one.memory_mean or 0.0) - (one.memory_low or 0.0) if known else one.memory_mean
        value: float | None = getattr(one, name)
        return value

    def values(self, name: Number, without: str = "") -> list[float]:
        """What is known of one number, oldest first; a rare trouble of kind `without`, or the present one, left out."""
        found = self._known.get((name, without))
        if found is None:
            known = [
                (without in one.alerting_kinds, value)
                for one in self.windows
                if (value := self.number(name, one)) is not None
            ]
            if not _is_common([sick for sick, _ in known]):
                known = [(sick, value) for sick, value in known if not sick]
            found = [value for _, value in known]
            self._known[(name, without)] = found
        return found

    def level(self, name: Number, part: float = 0.5, without: str = "") -> float | None:
        """The quantile `part` of one number over the past; None where too little is known."""
        found = self.values(name, without)
        return quantile(found, part) if len(found) >= FEWEST_WINDOWS else None

    def recent(self, name: Number) -> float | None:
        """The middle of one number over the windows just before."""
        found = [value for one in self.windows[-RECENT:] if (value := self.number(name, one)) is not None]
        return quantile(found, 0.5) if len(found) >= FEWEST_WINDOWS else None

    @cached_property
    def _days_before(self) -> list[Summary]:
        """The windows of earlier days at about this time of day."""
        found = []
        for age, one in zip(self.ages, self.windows, strict=True):
            days = max(1, round(age / DAY_SECONDS))
            if abs(age - days * DAY_SECONDS) <= SAME_HOUR_SECONDS:
                found.append(one)
        return found

    @cached_property
    def _week_before(self) -> list[Summary]:
        """The windows of a week ago at about this time."""
        return [
            one
            for age, one in zip(self.ages, self.windows, strict=True)
            if abs(age - 7 * DAY_SECONDS) <= SAME_HOUR_SECONDS
        ]

    def same_hour(self, name: Number) -> list[float]:
        """One number in the windows of earlier days at about this time of day."""
        return [value for one in self._days_before if (value := self.number(name, one)) is not None]

    @cached_property
    def error_share(self) -> float | None:
        """The share of requests that fails in the middle one of the windows, 0.0 to 1.0."""
        return self.level("failed_share", without="server_errors")

    @cached_property
    def often_failing(self) -> float:
        """The share of earlier windows in which at least one request of a hundred failed."""
        found = _before_this(self.values("failed_share"), 0.01)
        return sum(value >= 0.01 for value in found) / len(found) if len(found) >= FEWEST_WINDOWS else 0.0

    @cached_property
    def failing_habit(self) -> float:
        """The share of requests that fails in a bad one of the windows, where many are bad; else 0.0."""
        found = _before_this(self.values("failed_share"), 0.005)
        bad = quantile(found, 0.75) if len(found) >= FEWEST_HABIT else 0.0
        often = bad > 0 and sum(value >= bad / 2 for value in found) >= HABIT_WINDOWS * len(found)
        return bad if often else 0.0

    @cached_property
    def habit_minutes(self) -> float:
        """How long CPU is usually high: in most windows, or at this time of day."""
        runs = _before_this(self.values("cpu_high_minutes"), 0.5 * self.minutes)
        every = quantile(runs, 0.75) if len(runs) >= FEWEST_WINDOWS else 0.0
        ran = sorted(value for value in self.same_hour("cpu_high_minutes") if value > 0)
        weekly = [one.cpu_high_minutes or 0.0 for one in self._week_before]
        days = max(1, round(max(self.ages, default=0.0) / DAY_SECONDS))
        daily = ran[-1] if len(ran) >= max(1, days / 2) else 0.0
        return max([every, daily, *weekly])


def _is_common(sick: Sequence[bool]) -> bool:
    """Whether so many windows are sick, and not just the last ones, that it belongs to what is usual."""
    well = len(sick) - sum(sick)
    if well < FEWEST_WINDOWS:
        return True
    last = _trailing(sick)
    return sum(sick) - last >= COMMON * len(sick) or last > LONG_SINCE * len(sick)


def _before_this(values: Sequence[float], bad: float) -> list[float]:
    """Without the bad windows at the end, where it was never so before: one trouble that goes on is no habit yet."""
    last = _trailing([value >= bad for value in values])
    before = list(values[: len(values) - last])
    new = sum(value >= bad for value in before) < 0.1 * len(before)
    return (
        before if new and len(before) >= FEWEST_WINDOWS and last <= LONG_SINCE * len(values) else list(values)
    )


def _trailing(bad: Sequence[bool]) -> int:
    """How many at the end are bad without a break."""
    count = 0
    while count < len(bad) and bad[len(bad) - 1 - count]:
        count += 1
    return count
