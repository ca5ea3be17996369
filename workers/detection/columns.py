"""The metrics of the earlier windows of a service as columns, with one value per window, oldest first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from workers.models import Summary

MIN_P95_REQUESTS = 10  # requests per window: below it, the 95th percentile is the slowest request
# Requests: with fewer, the share of failed requests is noise, so the requests of thin windows are pooled.
MIN_SHARE_REQUESTS = 20
MAX_POOLED_WINDOWS = 24  # windows that are pooled at most: half a day of half-hour windows

Metric = Literal[
    "cpu_mean", "cpu_peak", "cpu_high_minutes", "memory_mean", "memory_high", "disk", "requests",
    "p95_median", "p95_high", "error_lines", "failed_share", "rejected_share", "requests_per_second", "ok_per_second",
    "egress_per_hour",
]  # fmt: skip
"""A field of a Summary, or a share or rate that is derived from its fields."""


def column(metric: Metric, windows: Sequence[Summary], minutes: float) -> list[float | None]:
    """The metric in each window; None where it is unknown or rests on too few requests.

    Args:
        minutes: The length of a window, for summaries without one.
    """
    if metric in ("failed_share", "rejected_share"):
        return _shares(metric, windows)
    return [_value(metric, window, minutes) for window in windows]


def _value(metric: Metric, window: Summary, minutes: float) -> float | None:
    if metric in ("requests_per_second", "ok_per_second"):
        count = window.requests if metric == "requests_per_second" else window.ok
        return None if count is None else count / (60 * (window.minutes or minutes))
    if metric == "egress_per_hour":
        return None if window.egress is None else window.egress * 60 / (window.minutes or minutes)
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


def _shares(metric: Metric, windows: Sequence[Summary]) -> list[float | None]:
    """The share of failed (5xx) or rejected (4xx) requests in each window.

    Thin windows that follow each other are pooled until they have MIN_SHARE_REQUESTS requests, and share the result.
    """
    shares: list[float | None] = [None] * len(windows)
    pool: list[int] = []
    for i, window in enumerate(windows):
        hits = _hits(metric, window)
        if not window.requests or hits is None:
            continue
        if window.requests >= MIN_SHARE_REQUESTS:
            shares[i] = hits / window.requests
            continue
        pool = [*pool[1 - MAX_POOLED_WINDOWS :], i]
        requests = sum(windows[each].requests or 0.0 for each in pool)
        if requests >= MIN_SHARE_REQUESTS:
            share = sum(_hits(metric, windows[each]) or 0.0 for each in pool) / requests
            for each in pool:
                shares[each] = share
            pool = []
    return shares


def _hits(metric: Metric, window: Summary) -> float | None:
    """The failed or rejected requests of the window; None if they are unknown."""
    if metric == "failed_share":
        return window.server_errors
    if window.ok is None or window.requests is None:
        return None
    return max(0.0, window.requests - window.ok - (window.server_errors or 0.0))
