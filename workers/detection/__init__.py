"""Analysis: from the survey and each service's past to findings, and from findings to causes. Pure.

Every rule needs minutes, never one sample, and compares a service with itself where its past is known.
`statistics` holds the arithmetic, `usual` what the past says, `case` what a rule is given, `words` how it is said;
`saturation`, `growth`, `leaks`, `volumes`, `traffic` (`errors`, `latency`), `restarts`, `deployments` are the rules,
`causes` which of the sick services is the cause, `summaries` what is kept of a window.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.detection.baseline import Baseline
from workers.detection.causes import SEVERITIES, CauseGroup, group_by_cause, rank_suspects
from workers.detection.deployments import judge_deployments
from workers.detection.error_logs import judge_logs
from workers.detection.growth import judge_growth, restarted_at_limit
from workers.detection.restarts import judge_restarts
from workers.detection.saturation import judge_saturation
from workers.detection.service_window import ServiceWindow
from workers.detection.summaries import summarise
from workers.detection.traffic import judge_traffic
from workers.detection.volumes import judge_volumes
from workers.models import Finding, History, Service, Summary, Survey

__all__ = ["CauseGroup", "detect", "detect_service", "group_by_cause", "rank_suspects", "summarise"]


def detect(survey: Survey, *, min_duration_minutes: float, history: History | None = None) -> list[Finding]:
    """What is sick in the window, worst first. A condition counts when it held for `persist_minutes`, or was told.

    `past` holds earlier, non-overlapping windows by service id, oldest first; without it a service is compared with
    its limits and with the beginning of the window only. Absent data gives no finding: what could not be read stands
    in `survey.not_seen`.
    """
    persist, known = max(0.0, min_duration_minutes) * 60, history or {}
    found = [
        finding
        for service in survey.services
        for finding in detect_service(service, survey, persist, known.get(service.id, ()))
    ]
    return sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.since, one.service, one.kind))


def detect_service(
    service: Service, survey: Survey, persist: float, past: Sequence[Summary] = ()
) -> list[Finding]:
    """The findings of one service, in no order; `persist` in seconds."""
    case = ServiceWindow(service, survey, Baseline(past, survey.window.start, survey.window.minutes), persist)
    restarts, at_limit = judge_restarts(case), restarted_at_limit(case)
    saturation, growth = judge_saturation(case), judge_growth(case)
    if at_limit is not None:
        saturation = [one for one in saturation if one.kind != "memory"]
    resources = [*saturation, *(one for one in (at_limit, growth) if one is not None)]
    return [
        *judge_deployments(case), *restarts, *resources,
        *judge_volumes(case), *judge_traffic(case), *judge_logs(case),
    ]  # fmt: skip
