"""The report of a backtest, as a JSON object and as lines for a person. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any

from workers.cli.lookback import Backtest
from workers.cli.lookback.simulation import SimulatedIncident
from workers.runtime.text import format_duration, join_names, plural, truncate

MAX_LINE_LENGTH = 160  # characters of a line about a condition that matches the baseline


def report(backtest: Backtest, service: str | None = None) -> dict[str, Any]:
    """The report as a JSON object.

    Args:
        service: Name of a service: only incidents that it caused or had symptoms of are reported.
    """
    simulation, window, limit = backtest.simulation, backtest.window, backtest.railway.rate_limit
    incidents = [
        incident
        for incident in simulation.incidents
        if service in (None, incident.subject, *incident.symptoms)
    ]
    kinds = Counter((incident.subject, kind) for incident in incidents for kind in incident.kinds)
    days = window.seconds / 86_400
    return {
        "environment": f"{backtest.survey.project_name}/{backtest.survey.environment_name}",
        "services": len(backtest.survey.services),
        "from": window.start.isoformat(timespec="minutes"),
        "to": window.end.isoformat(timespec="minutes"),
        "days": round(days, 2),
        "sweeps": simulation.sweeps,
        "requests": {
            "used": backtest.railway.requests_sent,
            "left": limit.remaining if limit else None,
            "limit": limit.limit if limit else None,
        },
        "incidents": [_incident(incident) for incident in incidents],
        "per_week": round(len(incidents) * 7 / days, 1) if days else 0.0,
        "kinds": [
            {"service": name, "kind": kind, "incidents": count}
            for (name, kind), count in kinds.most_common()
        ],
        "baseline": [
            {
                "service": condition.service, "kind": condition.kind, "sweeps": condition.sweeps,
                "sentence": condition.sentence,
            }
            for condition in simulation.baseline_findings.values()
            if service in (None, condition.service)
        ],
        "failed_reads": backtest.remarks,
    }  # fmt: skip


def _incident(incident: SimulatedIncident) -> dict[str, Any]:
    duration = incident.last - min(incident.since, incident.opened)
    return {
        "service": incident.subject,
        "severity": incident.severity.value,
        "since": incident.since.isoformat(timespec="seconds"),
        "opened": incident.opened.isoformat(timespec="seconds"),
        "last": incident.last.isoformat(timespec="seconds"),
        "minutes": round(duration.total_seconds() / 60),
        "resolved": incident.is_resolved,
        "kinds": list(incident.kinds),
        "sentence": incident.sentence,
        "symptoms": list(incident.symptoms),
    }


def render(result: dict[str, Any]) -> list[str]:
    """The report as lines for a person."""
    incidents, requests = result["incidents"], result["requests"]
    head = (
        f"{result['environment']}: {plural(result['services'], 'service')}, "
        f"{result['from'][:16]} to {result['to'][:16]} UTC, "
        f"{plural(result['sweeps'], 'sweep')}, {plural(requests['used'], 'request')}"
    )
    if requests["left"] is not None:
        head += f", {requests['left']:,} of {requests['limit']:,} left this hour"
    days = f"{result['days']:g} day{'' if result['days'] == 1 else 's'}"
    return [
        head,
        *(_incident_line(incident) for incident in incidents),
        f"  {plural(len(incidents), 'incident')} in {days} ({result['per_week']:g} per week)",
        *(f"    {row['incidents']} × {row['service']}: {row['kind']}" for row in result["kinds"]),
        *(_baseline_line(row) for row in result["baseline"]),
        *(f"  not available: {remark}" for remark in result["failed_reads"]),
    ]


def _incident_line(incident: dict[str, Any]) -> str:
    duration = format_duration(60 * incident["minutes"])
    state = duration if incident["resolved"] else f"{duration}, still open"
    symptoms = f"; also affected: {join_names(incident['symptoms'])}" if incident["symptoms"] else ""
    opened = incident["opened"][:16].replace("T", " ")
    text = f"{incident['service']}: {incident['sentence']}{symptoms}"
    return f"  {opened}  {state:>8}  {incident['severity']:8}  {text}"


def _baseline_line(row: dict[str, Any]) -> str:
    sweeps = plural(row["sweeps"], "sweep")
    line = f"  baseline, not notified: {row['service']}: {row['sentence']} ({sweeps})"
    return truncate(line, MAX_LINE_LENGTH)
