"""Data sent by a service far above its baseline: a cost, and a sign of a loop, an export, or a proxied database."""

from __future__ import annotations

from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import clean, quantile
from workers.models import Finding, GapPart, Severity

MIN_WINDOWS = 24  # earlier windows: half a day of half-hour windows
EGRESS_FACTOR = 3.0  # multiple of the busiest windows of the baseline
CONTINUED_FACTOR = 2.0  # the same while the growth goes on
# GB per month more than in the baseline: 100 GB cost about five dollars (Railway's price per GB of egress is $0.05).
MIN_EXTRA_GB_PER_MONTH = 100.0
HOURS_PER_MONTH = 730.0
BURST_SHARE = 0.5  # share of the data in the busiest tenth of the samples: more is a single upload
# Windows for which it must have lasted before it alerts: a backup or an export takes an hour or two.
ALERT_WINDOWS = 5
WITHOUT = ("egress",)


def detect_egress(window: ServiceWindow) -> Finding | None:
    """A notice while much more data than usual leaves the service, and an alert once that has lasted for hours."""
    points = clean(window.service.egress)
    baseline = window.baseline
    rates = baseline.values("egress_per_hour", without=WITHOUT)
    goes_on = baseline.may_last("egress")
    needed = 3 if goes_on else MIN_WINDOWS
    is_unread = any(gap.part is GapPart.DISK for gap in window.survey.gaps_for(window.service.name))
    if not points or is_unread or len(rates) < needed:
        return None
    amounts = sorted((value for _, value in points), reverse=True)
    rate = sum(amounts) / (window.survey.window.seconds / 3600)
    usual = quantile(rates, 0.5)
    busiest = max([quantile(rates, 0.95), *baseline.daily_highs("egress_per_hour", WITHOUT)])
    extra = (rate - usual) * HOURS_PER_MONTH
    factor = CONTINUED_FACTOR if goes_on else EGRESS_FACTOR
    if rate < factor * busiest or extra < MIN_EXTRA_GB_PER_MONTH:
        return None
    burst = sum(amounts[: max(1, len(amounts) // 10)])
    if burst > BURST_SHARE * sum(amounts):
        return None
    numbers = {
        "gb_per_hour": round(rate, 4), "baseline_gb_per_hour": round(usual, 4),
        "gb_per_month": round(rate * HOURS_PER_MONTH, 1),
        "baseline_gb_per_month": round(usual * HOURS_PER_MONTH, 1),
    }  # fmt: skip
    lasts = baseline.windows_so_far("egress") >= ALERT_WINDOWS - 1
    severity = Severity.WARNING if lasts else Severity.NOTICE
    return window.make_finding("egress", severity, window.start, numbers=numbers, confidence=0.7)
