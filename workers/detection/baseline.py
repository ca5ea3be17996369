"""The baseline of a service: levels, spreads and recurring conditions in its earlier windows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from workers.detection.columns import Metric, column
from workers.detection.recurrence import (
    DAY_SECONDS,
    MIN_ALWAYS_WINDOWS,
    MIN_WINDOWS,
    OLDEST_WINDOWS,
    Age,
    bout_lengths,
    days_of,
    is_always,
    merge_runs,
    trailing,
)
from workers.detection.statistics import quantile
from workers.models import Summary

# Seconds between the begin of a window of an earlier day and the same time of this day. A daily job keeps its local
# time, so it moves by an hour when the clocks change.
SAME_HOUR_SECONDS = 5400.0
MIN_DAILY_SHARE = 0.5  # share of the known days on which a daily job must have run

# Windows with known error shares that are needed before a recurring failure counts as part of the baseline.
BASELINE_MIN_WINDOWS = 12
# Share of the earlier windows that must fail at half the high error share before the failure is recurring.
BASELINE_WINDOW_SHARE = 0.4
# Windows with alerts, and their share, from which on the history no longer shows the time before a failure.
LOST_MIN_WINDOWS = 12
LOST_SHARE = 0.9
# Windows that stand for the level just before this window: three hours of half-hour windows.
RECENT_WINDOWS = 6
FAILING_WINDOW_SHARE = 0.01  # share of failed requests from which an earlier window counts as failing
# Share of the window for which CPU must be high before an earlier window counts as one of the current CPU condition.
HIGH_CPU_WINDOW_SHARE = 0.5
# Such windows are new if fewer than this share of the windows before them were like it.
NEW_SHARE = 0.1


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
    _values: dict[tuple[str, ...], list[float]] = field(default_factory=dict, compare=False, repr=False)
    _columns: dict[Metric, list[float | None]] = field(default_factory=dict, compare=False, repr=False)
    _runs: dict[tuple[str, ...], list[bool]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_known(self) -> bool:
        return len(self.windows) >= MIN_WINDOWS

    @cached_property
    def ages(self) -> list[Age]:
        """The age of each window. Summaries without a time are taken to follow each other up to this window."""
        count = len(self.windows)
        ages = []
        for i, window in enumerate(self.windows):
            length = 60 * (window.minutes or self.minutes)
            end = (self.start - window.at).total_seconds() if window.at else (count - 1 - i) * length
            ages.append(Age(max(0.0, end) + length, max(0.0, end)))
        return ages

    def column(self, metric: Metric) -> list[float | None]:
        """The metric in each window; None where it is unknown or rests on too few requests."""
        values = self._columns.get(metric)
        if values is None:
            values = self._columns[metric] = column(metric, self.windows, self.minutes)
        return values

    # ---- failing windows ---------------------------------------------------------------------

    def failing(self, *kinds: str) -> list[bool]:
        """Whether each window had a finding of one of the kinds that its summary carries, or a short pause."""
        run = self._runs.get(kinds)
        if run is None:
            flags = [
                any(kind in window.alerting_kinds or kind in window.notice_kinds for kind in kinds)
                for window in self.windows
            ]
            run = self._runs[kinds] = merge_runs(flags, self.ages)
        return run

    def has_onset(self, *kinds: str) -> bool:
        """Whether enough windows without these kinds of findings are known to compare this window with them."""
        failing = self.failing(*kinds)
        return len(failing) - sum(failing) >= MIN_WINDOWS

    def always_alerts(self, *kinds: str) -> bool:
        """Whether the service has had these kinds of findings for as long as the history reaches."""
        return len(self.windows) >= MIN_ALWAYS_WINDOWS and not self.has_onset(*kinds)

    def has_lost_onset(self, kind: str) -> bool:
        """Whether the history is so full of alerts of this kind that the time before them is no longer known.

        A service that has always been so alerts in its first windows only, until its baseline is known.
        """
        alerts = sum(kind in window.alerting_kinds for window in self.windows)
        return len(self.windows) >= LOST_MIN_WINDOWS and alerts >= LOST_SHARE * len(self.windows)

    def may_last(self, *kinds: str) -> bool:
        """Whether the last windows had such a finding, so that this window may continue it."""
        return self.windows_so_far(*kinds) > 0

    def windows_so_far(self, *kinds: str) -> int:
        """The number of windows at the end of the history that belong to a failure that may still last."""
        return trailing(self.failing(*kinds))

    def _current_begin(self, kind: str) -> float:
        """The age of the begin of a failure that may still last; 0.0 without one."""
        count = self.windows_so_far(kind)
        return self.ages[len(self.ages) - count].begin if count else 0.0

    # ---- levels ------------------------------------------------------------------------------

    def values(self, metric: Metric, without: Sequence[str] = ()) -> list[float]:
        """The known values of the metric, oldest first.

        Args:
            without: Kinds of findings. Windows that had such a finding are left out, however many they are, so that a
                failure never becomes its own baseline. If the history shows no onset (`always_alerts`), none is.
        """
        key = (metric, *without)
        values = self._values.get(key)
        if values is None:
            failing = self.failing(*without)
            everything = not without or self.always_alerts(*without)
            values = self._values[key] = [
                value
                for is_failing, value in zip(failing, self.column(metric), strict=True)
                if value is not None and (everything or not is_failing)
            ]
        return values

    def level(self, metric: Metric, part: float = 0.5, without: Sequence[str] = ()) -> float | None:
        """The `part` quantile of the metric over the earlier windows; None with fewer than MIN_WINDOWS values."""
        values = self.values(metric, without)
        return quantile(values, part) if len(values) >= MIN_WINDOWS else None

    def recent(self, metric: Metric, without: Sequence[str] = ()) -> float | None:
        """The median of the metric over the last RECENT_WINDOWS windows that are not left out."""
        kept = [
            value
            for is_failing, value in zip(self.failing(*without), self.column(metric), strict=True)
            if not is_failing
        ]
        values = [value for value in kept[-RECENT_WINDOWS:] if value is not None]
        return quantile(values, 0.5) if len(values) >= MIN_WINDOWS else None

    # ---- the same hour -----------------------------------------------------------------------

    def same_hour(
        self, metric: Metric, without: Sequence[str] = (), within: float = SAME_HOUR_SECONDS
    ) -> list[float]:
        """The metric in the windows of earlier days at this time of day.

        Args:
            without: Kinds of findings; the windows of such a failure that may still last are left out.
            within: Seconds between the begins, up to which a window is at this time of day.
        """
        return [value for values in self._by_day(metric, without, within).values() for value in values]

    def daily_highs(
        self, metric: Metric, without: Sequence[str] = (), within: float = SAME_HOUR_SECONDS
    ) -> list[float]:
        """The highest value of each earlier day at this time of day; see `same_hour`."""
        return [max(values) for values in self._by_day(metric, without, within).values()]

    def daily_lows(
        self, metric: Metric, without: Sequence[str] = (), within: float = SAME_HOUR_SECONDS
    ) -> list[float]:
        """The lowest value of each earlier day at this time of day; see `same_hour`."""
        return [min(values) for values in self._by_day(metric, without, within).values()]

    def _by_day(self, metric: Metric, without: Sequence[str], within: float) -> dict[int, list[float]]:
        days: dict[int, list[float]] = {}
        earlier = len(self.windows) - (self.windows_so_far(*without) if without else 0)
        for age, value in zip(self.ages[:earlier], self.column(metric)[:earlier], strict=True):
            day = max(1, round(age.begin / DAY_SECONDS))
            if value is not None and abs(age.begin - day * DAY_SECONDS) <= within:
                days.setdefault(day, []).append(value)
        return days

    # ---- failed requests ---------------------------------------------------------------------

    @cached_property
    def error_share(self) -> float | None:
        """The median share of failed requests per window, 0.0 to 1.0."""
        return self.level("failed_share", without=("server_errors",))

    @cached_property
    def always_fails(self) -> bool:
        """Whether at least FAILING_WINDOW_SHARE of the requests have failed for as long as the history reaches."""
        return is_always(self.values("failed_share"), FAILING_WINDOW_SHARE)

    def share_so_far(self, metric: Metric, kind: str) -> float | None:
        """The median of a share over the windows of a failure that may still last; None without one."""
        count = self.windows_so_far(kind)
        values = [value for value in self.column(metric)[len(self.windows) - count :] if value is not None]
        return quantile(values, 0.5) if values else None

    @cached_property
    def recurring_error_share(self) -> float:
        """The high (75th percentile) share of failed requests, if many windows fail, also the oldest; otherwise 0.0."""
        values = self.values("failed_share")
        if len(values) < BASELINE_MIN_WINDOWS:
            return 0.0
        high = quantile(values, 0.75)
        failing = [high > 0 and value >= high / 2 for value in values]
        is_old = sum(failing[:OLDEST_WINDOWS]) >= BASELINE_WINDOW_SHARE * OLDEST_WINDOWS - 1
        return high if is_old and sum(failing) >= BASELINE_WINDOW_SHARE * len(values) else 0.0

    # ---- high CPU ----------------------------------------------------------------------------

    def high_cpu_minutes(self, least: float) -> float:
        """The time in minutes for which CPU is normally high: in most windows, at this hour, or in irregular bouts.

        Args:
            least: Minutes of high CPU from which a window is part of a bout.
        """
        values = self.values("cpu_high_minutes", without=("cpu",))
        typical = quantile(_before_current(values, self.minutes), 0.75) if len(values) >= MIN_WINDOWS else 0.0
        daily = sorted(value for value in self.daily_highs("cpu_high_minutes", without=("cpu",)) if value > 0)
        # A nightly job may be missing on some days, but not on more than half of them.
        nightly = daily[-1] if len(daily) >= MIN_DAILY_SHARE * days_of(self.ages) else 0.0
        measured = [
            (value, age)
            for value, age in zip(self.column("cpu_high_minutes"), self.ages, strict=True)
            if value is not None
        ]
        # A job may lie in several windows of the week before.
        weekly = sum(
            value for value, age in measured if abs(age.begin - 7 * DAY_SECONDS) <= SAME_HOUR_SECONDS
        )
        earlier = [pair for pair in measured if pair[1].begin > self._current_begin("cpu")]
        bouts = bout_lengths([value for value, _ in earlier], [age for _, age in earlier], least)
        return max(typical, nightly, weekly, quantile(bouts, 0.9))


def _before_current(values: Sequence[float], minutes: float) -> list[float]:
    """The values without trailing ones of high CPU, if those are new: summaries may carry no kinds of findings."""
    threshold = HIGH_CPU_WINDOW_SHARE * minutes
    before = list(values[: len(values) - trailing([value >= threshold for value in values])])
    is_new = sum(value >= threshold for value in before) < NEW_SHARE * len(before)
    return before if is_new and len(before) >= MIN_WINDOWS else list(values)
