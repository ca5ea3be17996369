"""What a look back found, as one JSON object and as lines for a person. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any

from workers.cli.lookback import Backtest
from workers.cli.lookback.simulation import SimulatedIncident

WIDEST = 160


def report(looked: Backtest, service: str | None = None) -> dict[str, Any]:
    """Everything that is said, of one service where it is named: as its cause or as one who suffered."""
    days, allowed = looked.window.seconds / 86_400, looked.railway.rate_limit
    spells = [one for one in looked.simulation.incidents if service in (None, one.subject, *one.symptoms)]
    kinds = Counter((one.subject, kind) for one in spells for kind in one.kinds)
    return {
        "environment": f"{looked.survey.project_name}/{looked.survey.environment_name}",
        "services": len(looked.survey.services),
        "from": looked.window.start.isoformat(timespec="minutes"),
        "to": looked.window.end.isoformat(timespec="minutes"),
        "days": round(days, 2),
        "sweeps": looked.simulation.sweeps,
        "requests": {
            "used": looked.railway.requests_sent,
            "left": allowed.remaining if allowed else None,
            "limit": allowed.limit if allowed else None,
        },
        "incidents": [_spell(one) for one in spells],
        "per_week": round(len(spells) * 7 / days, 1) if days else 0.0,
        "kinds": [{"service": name, "kind": kind, "incidents": n} for (name, kind), n in kinds.most_common()],
        "usual": [
            {"service": one.service, "kind": one.kind, "sweeps": one.sweeps, "sentence": one.sentence}
            for one in looked.simulation.baseline_findings.values()
            if service in (None, one.service)
        ],
        "failed_reads": looked.remarks,
    }


def _spell(one: SimulatedIncident) -> dict[str, Any]:
    return {
        "service": one.subject,
        "severity": one.severity.value,
        "since": one.since.isoformat(timespec="seconds"),
        "opened": one.opened.isoformat(timespec="seconds"),
        "last": one.last.isoformat(timespec="seconds"),
        "minutes": round((one.last - min(one.since, one.opened)).total_seconds() / 60),
        "over": one.is_resolved,
        "kinds": list(one.kinds),
        "sentence": one.sentence,
        "symptoms": list(one.symptoms),
    }


def render(said: dict[str, Any]) -> list[str]:
    """The report for a person."""
    asked = said["requests"]
    left = "" if asked["left"] is None else f", {asked['left']} of {asked['limit']} left this hour"
    span = f"{said['from'][:16]} to {said['to'][:16]} UTC"
    head = f"{said['environment']}: {said['services']} services, {span}, {said['sweeps']} sweeps"
    shown = [f"{head}, {asked['used']} requests{left}"]
    shown += [_line(one) for one in said["incidents"]]
    count = len(said["incidents"])
    days = f"{said['days']:g} day{'' if said['days'] == 1 else 's'}"
    shown.append(f"  {count} incident{'' if count == 1 else 's'} in {days} = {said['per_week']:g} a week")
    shown += [f"    {one['incidents']} × {one['service']}: {one['kind']}" for one in said["kinds"]]
    shown += [
        f"  usual here, not told: {one['sentence']} ({one['sweeps']} sweeps)"[:WIDEST]
        for one in said["usual"]
    ]
    return [*shown, *(f"  not seen: {one}" for one in said["failed_reads"])]


def _line(one: dict[str, Any]) -> str:
    minutes = one["minutes"]
    long = f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
    going = "" if one["over"] else ", still open"
    suffers = f"; {', '.join(one['symptoms'])} suffered" if one["symptoms"] else ""
    when = one["opened"][:16].replace("T", " ")
    return f"  {when}  {long + going:>8}  {one['severity']:8}  {one['service']}: {one['sentence']}{suffers}"
