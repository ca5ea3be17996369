"""The baseline of a service: levels, spreads and recurring conditions in its earlier windows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

from workers.detection.statistics import quantile
from workers.models import Summary

MIN_WINDOWS = 3  # windows: fewer are no baseline, because a failure may fill all of them
MIN_P95_REQUESTS = 10  # requests per window: below it, the 95th percentile is the slowest request
MIN_SHARE_REQUESTS = 20  # requests per window: below it, the share of failed requests is noise
SAME_HOUR_SECONDS = 3600.0  # a window of an earlier day counts as "the same hour" within this distance
DAY_SECONDS = 86_400.0

# Windows with known error shares that are needed before a recurring failure counts as part of the baseline.
BASELINE_MIN_WINDOWS = 12
# Share of the earlier windows that must fail at half the high error share before the failure is recurring.
BASELINE_WINDOW_SHARE = 0.4
# Failing windows before the current failure belong to the baseline from this share of all windows on.
COMMON_SHARE = 0.2
# A failure that has lasted for this share of all known windows belongs to the baseline: about a day of two.
LONG_LASTING_SHARE = 0.6
# A failing condition is new if fewer than this share of the windows before it failed in the same way.
NEW_SHARE = 0.1
# Windows that stand for the level just before this window: three hours of half-hour windows.
RECENT_WINDOWS = 6
FAILING_WINDOW_SHARE = 0.01  # share of failed requests from which an earlier window counts as failing
RECURRING_FAILURE_SHARE = 0.005  # the same for failures that recur, for example every hour
# Share of the window for which CPU must be high before an earlier window counts as one of the current CPU condition.
HIGH_CPU_WINDOW_SHARE = 0.5


Metric = Literal[
    "cpu_mean", "cpu_peak", "cpu_high_minutes", "memory_mean", "memory_high", "disk", "requests",
    "p95_median", "p95_high", "error_lines", "failed_share", "rejected_share", "requests_per_second", "ok_per_second",
]  # fmt: skip
"""A field of a Summary, or a share or rate that is derived from its fields."""


@dataclass(frozen=True)
class Baseline:
    """The earlier windows of one service, oldest first. Without windows every level is None.

    Args:
        windows: Summaries of windows that do not overlap, oldest first.
        start: The start of the window under evaluation; all `windows` end before it.
        minutes: The length of that window, assumed for summaries without a length.
    """

    windows: Sequence[Summary]
    start: datetime
    minutes: float
    _values: dict[tuple[str, str], list[float]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_known(self) -> bool:
        return len(self.windows) >= MIN_WINDOWS

    @cached_property
    def ages(self) -> list[float]:
        """Seconds from the end of each window to the start of this window.

        Summaries without a time are taken to follow each other up to this window.
        """
        length = self.minutes * 60
        count = len(self.windows)
        return [
            max(0.0, (self.start - window.at).total_seconds()) if window.at else (count - 1 - i) * length
            for i, window in enumerate(self.windows)
        ]

    def value(self, metric: Metric, window: Summary) -> float | None:
        """The metric in one earlier window; None if it is unknown or rests on too few requests."""
        if metric in ("failed_share", "rejected_share"):
            return _share(metric, window)
        if metric in ("requests_per_second", "ok_per_second"):
            count = window.requests if metric == "requests_per_second" else window.ok
            return None if count is None else count / (60 * (window.minutes or self.minutes))
        too_few = window.requests is not None and window.requests < MIN_P95_REQUESTS
        if metric in ("p95_median", "p95_high") and too_few:
            return None
        if metric == "memory_high" and window.memory_high is None:
            # Memory that rises evenly ends as far above its mean as it began below it.
            if window.memory_mean is None or window.memory_low is None:
                return window.memory_mean
            return 2 * window.memory_mean - window.memory_low
        value: float | None = getattr(window, metric)
        return value

    def values(self, metric: Metric, without: str = "") -> list[float]:
        """The known values of the metric, oldest first.

        Args:
            without: A kind of finding. Windows that had such a finding are left out, unless they are so common that
                they are the baseline.
        """
        values = self._values.get((metric, without))
        if values is None:
            marked = [
                (without in window.alerting_kinds, value)
                for window in self.windows
                if (value := self.value(metric, window)) is not None
            ]
            if not _is_common([failing for failing, _ in marked]):
                marked = [(failing, value) for failing, value in marked if not failing]
            values = [value for _, value in marked]
            self._values[(metric, without)] = values
        return values

    def level(self, metric: Metric, part: float = 0.5, without: str = "") -> float | None:
        """The `part` quantile of the metric over the earlier windows; None with fewer than MIN_WINDOWS values."""
        values = self.values(metric, without)
        return quantile(values, part) if len(values) >= MIN_WINDOWS else None

    def recent(self, metric: Metric) -> float | None:
        """The median of the metric over the last RECENT_WINDOWS windows."""
        values = [
            value
            for window in self.windows[-RECENT_WINDOWS:]
            if (value := self.value(metric, window)) is not None
        ]
        return quantile(values, 0.5) if len(values) >= MIN_WINDOWS else None

    @cached_property
    def _earlier_days(self) -> list[Summary]:
        windows = []
        for age, window in zip(self.ages, self.windows, strict=True):
            days = max(1, round(age / DAY_SECONDS))
            if abs(age - days * DAY_SECONDS) <= SAME_HOUR_SECONDS:
                windows.append(window)
        return windows

    @cached_property
    def _last_week(self) -> list[Summary]:
        return [
            window
            for age, window in zip(self.ages, self.windows, strict=True)
            if abs(age - 7 * DAY_SECONDS) <= SAME_HOUR_SECONDS
        ]

    def same_hour(self, metric: Metric) -> list[float]:
        """The metric in the windows of earlier days at this time of day (± SAME_HOUR_SECONDS)."""
        return [value for window in self._earlier_days if (value := self.value(metric, window)) is not None]

    @cached_property
    def error_share(self) -> float | None:
        """The median share of failed requests per window, 0.0 to 1.0."""
        return self.level("failed_share", without="server_errors")

    @cached_property
    def failing_window_share(self) -> float:
        """The share of earlier windows in which at least FAILING_WINDOW_SHARE of the requests failed."""
        values = _without_current(self.values("failed_share"), FAILING_WINDOW_SHARE)
        failing = sum(value >= FAILING_WINDOW_SHARE for value in values)
        return failing / len(values) if len(values) >= MIN_WINDOWS else 0.0

    @cached_property
    def recurring_error_share(self) -> float:
        """The high (75th percentile) share of failed requests, if many windows fail; otherwise 0.0."""
        values = _without_current(self.values("failed_share"), RECURRING_FAILURE_SHARE)
        high = quantile(values, 0.75) if len(values) >= BASELINE_MIN_WINDOWS else 0.0
        is_recurring = high > 0 and sum(value >= high / 2 for value in values) >= BASELINE_WINDOW_SHARE * len(
            values
        )
        return high if is_recurring else 0.0

    @cached_property
    def high_cpu_minutes(self) -> float:
        """The time in minutes for which CPU is normally high: in most windows, at this hour, or a week ago."""
        values = _without_current(self.values("cpu_high_minutes"), HIGH_CPU_WINDOW_SHARE * self.minutes)
        typical = quantile(values, 0.75) if len(values) >= MIN_WINDOWS else 0.0
        same_hour = sorted(value for value in self.same_hour("cpu_high_minutes") if value > 0)
        weekly = [window.cpu_high_minutes or 0.0 for window in self._last_week]
        days = max(1, round(max(self.ages, default=0.0) / DAY_SECONDS))
        # A nightly job may be missing on some days, but not on more than half of them.
        daily = same_hour[-1] if len(same_hour) >= max(1, days / 2) else 0.0
        return max([typical, daily, *weekly])


def _share(metric: Metric, window: Summary) -> float | None:
    """The share of failed (5xx) or rejected (4xx) requests; None with fewer than MIN_SHARE_REQUESTS requests."""
    if not window.requests or window.requests < MIN_SHARE_REQUESTS:
        return None
    if metric == "failed_share":
        return None if window.server_errors is None else window.server_errors / window.requests
    if window.ok is None:
        return None
    return max(0.0, window.requests - window.ok - (window.server_errors or 0.0)) / window.requests


def _is_common(failing: Sequence[bool]) -> bool:
    """Whether failing windows are part of the baseline.

    They are if few healthy windows are left, if they were common before the current failure, or if the current
    failure has lasted for most of the known time.
    """
    healthy = len(failing) - sum(failing)
    if healthy < MIN_WINDOWS:
        return True
    current = _trailing(failing)
    return sum(failing) - current >= COMMON_SHARE * len(failing) or current > LONG_LASTING_SHARE * len(
        failing
    )


def _without_current(values: Sequence[float], threshold: float) -> list[float]:
    """The values without the trailing ones at or above the threshold, if those are one new failure.

    Without this, a failure would become its own baseline while it lasts.
    """
    current = _trailing([value >= threshold for value in values])
    before = list(values[: len(values) - current])
    is_new = sum(value >= threshold for value in before) < NEW_SHARE * len(before)
    is_short = current <= LONG_LASTING_SHARE * len(values)
    return before if is_new and len(before) >= MIN_WINDOWS and is_short else list(values)


def _trailing(flags: Sequence[bool]) -> int:
    """The number of consecutive true flags at the end."""
    count = 0
    while count < len(flags) and flags[len(flags) - 1 - count]:
        count += 1
    return count
