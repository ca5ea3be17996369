"""The measurements behind the findings as series, with limit, usual band, onset and deployments. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil, isfinite

from workers.models import Deployment, Evidence, Finding, Point, Service, Summary, Survey
from workers.views.bounds import MAX_LABEL, line
from workers.views.chart_measures import MEASURES, Measure, measure_of
from workers.views.shapes import Chart, ChartMark

MAX_POINTS = 200  # of a series: more than a phone has pixels for, and few enough for a small page
MAX_CHARTS = 8
MAX_MARKS = 6  # deployments of a chart
NO_SERIES = "No measurements of this are kept."
NO_SURVEY = "The measurements of this check have expired."


def charts(
    findings: Sequence[Finding], surveys: Sequence[Survey], before: Sequence[Summary], evidence: Evidence
) -> tuple[Chart, ...]:
    """One chart for each series that the findings are about; findings of one series share a chart.

    Args:
        findings: worst first.
        surveys: the check that found the trouble, then the one after the fix, as far as they are kept.
        before: the service's windows from before the onset.
    """
    made: dict[tuple[str, str], Chart] = {}
    for finding in findings:
        key = (finding.service_id, MEASURES[finding.kind].title if finding.kind in MEASURES else finding.kind)
        if key not in made:
            made[key] = _chart(finding, surveys, before, evidence)
    return tuple(made.values())


def _chart(
    finding: Finding, surveys: Sequence[Survey], before: Sequence[Summary], evidence: Evidence
) -> Chart:
    services = [
        service for survey in surveys for service in survey.services if service.id == finding.service_id
    ]
    measure = measure_of(finding, services)
    points = downsample(_merged(measure, services), keeps_peaks=measure.keeps_peaks)
    band = measure.band(before)
    start, end = _window(finding, surveys, points)
    facts = (
        fact.id for fact in evidence.facts if fact.finding is not None and fact.finding.kind == finding.kind
    )
    return Chart(
        title=measure.title,
        finding=line(finding.named_sentence),
        fact=next(facts, ""),
        unit=measure.unit,
        points=tuple(points),
        limit=next((limit for service in services if (limit := measure.limit(service))), None),
        usual_low=band.low,
        usual_high=band.high,
        onset=finding.since,
        start=start,
        end=end,
        deployments=_marks(services, start, end),
        note="" if points else NO_SERIES if surveys else NO_SURVEY,
    )


def _window(
    finding: Finding, surveys: Sequence[Survey], points: Sequence[Point]
) -> tuple[datetime, datetime]:
    starts = [survey.window.start for survey in surveys] or [finding.since]
    ends = [survey.window.end for survey in surveys] or [finding.last_seen or finding.since]
    times = [datetime.fromtimestamp(point[0], UTC) for point in (*points[:1], *points[-1:])]
    return min([*starts, *times]), max([*ends, *times])


def _merged(measure: Measure, services: Sequence[Service]) -> list[Point]:
    """The points of all surveys, each moment once."""
    points = {at: value for service in services for at, value in measure.series(service) if isfinite(value)}
    return sorted(points.items())


def downsample(points: Sequence[Point], limit: int = MAX_POINTS, *, keeps_peaks: bool = True) -> list[Point]:
    """At most so many points. Each stands for a group of neighbours: its highest value, or the mean."""
    if len(points) <= limit:
        return list(points)
    size = ceil(len(points) / limit)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    if keeps_peaks:
        return [max(group, key=lambda point: point[1]) for group in groups]
    return [(group[len(group) // 2][0], sum(value for _, value in group) / len(group)) for group in groups]


def _marks(services: Sequence[Service], start: datetime, end: datetime) -> tuple[ChartMark, ...]:
    deployments = {item.id: item for service in services for item in service.deployments}
    times = {
        event.deployment_id: event.at
        for service in services
        for event in service.events
        if event.kind == "deployed" and event.deployment_id
    }
    marks = [
        ChartMark(at=times.get(item.id, item.created_at), label=deployment_label(item))
        for item in deployments.values()
    ]
    inside = sorted((mark for mark in marks if start <= mark.at <= end), key=lambda mark: mark.at)
    return tuple(inside[-MAX_MARKS:])


def deployment_label(deployment: Deployment) -> str:
    """`a1b2c3d "gift cards" (Ana)`, as far as Railway names it."""
    return commit_label(deployment.commit, deployment.commit_message, deployment.commit_author) or line(
        deployment.image or deployment.id, MAX_LABEL
    )


def commit_label(commit: str | None, message: str | None, author: str | None) -> str:
    """`a1b2c3d "gift cards" (Ana)`; "" if nothing is known."""
    subject = line((message or "").strip().partition("\n")[0], 60)
    parts = [(commit or "")[:7], f'"{subject}"' if subject else "", f"({line(author, 40)})" if author else ""]
    return " ".join(part for part in parts if part)
