"""Whether a service answers its requests as it did before the onset. Without requests nothing shows it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from workers.detection.statistics import wilson_low
from workers.incidents.wellness_case import HALVED, TAIL_SHARE, Case, Wellness
from workers.models import GapPart, Summary, TrafficMinute

MIN_TRAFFIC_SHARE = 0.1  # of the quietest window before the onset: fewer requests show nothing
RETURNED_SHARE = 0.5  # of the quietest window before the onset: from here on the traffic is back
RETURNED_MEDIAN_SHARE = 0.25  # the same of the usual rate, for a service whose quietest window is unknown
WELL_FAILED_SHARE = 0.01  # of the requests: from here on a service counts as failing
WELL_REJECTED_SHARE = 0.125  # of the requests, answered with 4xx: half of what the detector reports
SHARE_FACTOR = 1.5  # multiple of the share before the onset
FALLEN_SHARE = 0.1  # of the trouble's share, where the time before the onset is unknown
LATENCY_FACTOR = 1.5  # multiple of the latency before the onset
LATENCY_SLACK_MS = 100.0  # below this a longer response is no trouble


def tail_traffic(case: Case) -> tuple[TrafficMinute, ...]:
    """The traffic at the end of the window."""
    return tuple(minute for minute in case.service.traffic if minute.at >= case.tail_start)


def requests_show_something(case: Case) -> bool:
    """Whether the window has enough requests to show how they are answered."""
    requests = sum(minute.requests for minute in case.service.traffic)
    rates = case.earlier(_requests_per_minute)
    expected = min(rates, default=0.0) * case.survey.window.minutes
    return requests >= max(1.0, MIN_TRAFFIC_SHARE * expected)


def _requests_per_minute(window: Summary) -> float | None:
    return None if window.requests is None or not window.minutes else window.requests / window.minutes


def _share(part: Callable[[Summary], float | None]) -> Callable[[Summary], float | None]:
    def share(window: Summary) -> float | None:
        count = part(window)
        return None if not window.requests or count is None else count / window.requests

    return share


def _rejected(window: Summary) -> float | None:
    if window.requests is None or window.ok is None:
        return None
    return max(0.0, window.requests - window.ok - (window.server_errors or 0.0))


def _assess_share(case: Case, count: int, earlier: list[float], floor: float, trouble: float) -> Wellness:
    """Whether the share of bad answers in the window is that of the time before the onset."""
    if not requests_show_something(case):
        return Wellness.UNKNOWN
    requests = sum(minute.requests for minute in case.service.traffic)
    usual = SHARE_FACTOR * median(earlier) if earlier else FALLEN_SHARE * trouble
    return Wellness.WELL if wilson_low(count, requests) <= max(floor, usual) else Wellness.SICK


def assess_server_errors(case: Case) -> Wellness:
    """The share of failed requests is that of the time before the onset."""
    failed = sum(minute.server_errors for minute in case.service.traffic)
    earlier = case.earlier(_share(lambda window: window.server_errors))
    return _assess_share(
        case, failed, earlier, WELL_FAILED_SHARE, (case.worst("failed_percent") or 0.0) / 100
    )


def assess_client_errors(case: Case) -> Wellness:
    """The share of rejected requests is that of the time before the onset."""
    rejected = sum(minute.client_errors for minute in case.service.traffic)
    earlier = case.earlier(_share(_rejected))
    return _assess_share(
        case, rejected, earlier, WELL_REJECTED_SHARE, (case.worst("refused_percent") or 0.0) / 100
    )


def assess_latency(case: Case) -> Wellness:
    """The median of the 95th percentiles is near that of the time before the onset."""
    values = [minute.p95_ms for minute in tail_traffic(case) if minute.p95_ms is not None and minute.requests]
    if not values or not requests_show_something(case):
        return Wellness.UNKNOWN
    usual = case.worst("baseline_ms") or max(case.earlier(lambda window: window.p95_median), default=0.0)
    trouble = case.worst("p95_ms") or 0.0
    allowed = LATENCY_FACTOR * usual + LATENCY_SLACK_MS if usual else HALVED * trouble
    # A baseline that the trouble hardly exceeds leaves no room between the two.
    return Wellness.WELL if median(values) <= allowed else Wellness.SICK


def assess_traffic_lost(case: Case) -> Wellness:
    """About as many requests arrive as in the quietest window before the onset."""
    if any(gap.part is GapPart.TRAFFIC for gap in case.survey.gaps_for(case.service.name)):
        return Wellness.UNKNOWN
    requests = sum(minute.requests for minute in tail_traffic(case))
    rate = requests / (case.survey.window.minutes * TAIL_SHARE)
    quietest = min(case.earlier(_requests_per_minute), default=0.0)
    needed = RETURNED_SHARE * quietest or RETURNED_MEDIAN_SHARE * (case.worst("baseline_per_minute") or 0.0)
    return Wellness.WELL if requests and rate >= needed else Wellness.SICK
