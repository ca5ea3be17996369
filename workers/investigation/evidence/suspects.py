"""What the incident already says: when it began, whose logs to read, which deployment to suspect. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from workers.models import Deployment, Finding, Incident, Service, Severity, Suspect, Window
from workers.runtime.redaction import redact

BEFORE_ONSET = timedelta(minutes=10)
"""Logs are read from so long before the trouble: what led to it stands there."""
LONGEST_LOOK = timedelta(days=1)
LAST_WORDS = timedelta(hours=1)
"""Before its end, of a deployment that crashed or failed."""
UNBORN = ("failed_deployment", "stuck_deployment")
ENDED = ("crashed", "restart_loop", "stopped", "oom_killed")
"""Kinds whose finding names the deployment that is sick, whatever serves now."""
NEVER_LIVE = {
    "FAILED", "SKIPPED", "WAITING", "QUEUED", "BUILDING", "INITIALIZING", "NEEDS_APPROVAL", "DEPLOYING",
}  # fmt: skip


def alarms(incident: Incident) -> list[Finding]:
    """The findings that opened the incident; only notices where there is nothing else."""
    loud = [one for one in incident.findings if one.severity is not Severity.NOTICE]
    return loud or list(incident.findings)


def onset(incident: Incident) -> datetime:
    """When the trouble began: the oldest finding that is more than a notice."""
    return min((one.since for one in alarms(incident)), default=incident.window.start)


def unborn_deployment(incident: Incident, service: Service) -> Deployment | None:
    """The newest deployment, if the incident says that it failed, or gets no further."""
    return service.latest if any(one.kind in UNBORN for one in incident.findings) else None


def sick_deployment(incident: Incident, service: Service) -> Deployment | None:
    """Whose logs and commit are read: the crashed or restarting one, else the serving one, else the newest.

    One that never lived only when there is no other trouble, or when nothing serves beside it.
    """
    known = {one.id: one for one in (*service.deployments, service.latest, service.serving) if one}
    for finding in incident.findings:
        if finding.kind in ENDED and finding.deployment_id in known:
            return known[finding.deployment_id]
    unborn = unborn_deployment(incident, service)
    others = [one for one in alarms(incident) if one.kind not in UNBORN]
    if unborn is not None and (not others or service.serving is None):
        return unborn
    return service.serving or service.latest


def find_suspect(incident: Incident, service: Service) -> Suspect | None:
    """The newest deployment that was live at the onset or shortly after; one that never lived suspects itself."""
    unborn = unborn_deployment(incident, service)
    if unborn is not None and all(one.kind in UNBORN for one in alarms(incident)):
        return _suspect(unborn)
    whole = incident.window.end - incident.window.start
    slack = min(max(timedelta(minutes=2), 0.1 * whole), 0.5 * whole)
    known = {one.id: one for one in (*service.deployments, service.serving) if one is not None}
    reach = onset(incident) + slack
    live = [one for one in known.values() if one.status not in NEVER_LIVE and one.created_at <= reach]
    newest = max(live, key=lambda one: one.created_at, default=None)
    return _suspect(newest) if newest else None


def _suspect(deployment: Deployment) -> Suspect:
    return Suspect(
        deployment_id=deployment.id, commit=deployment.commit, at=deployment.created_at,
        author=redact(deployment.commit_author or "") or None,
        message=redact(deployment.commit_message or "")[:500] or None,
    )  # fmt: skip


def log_window(incident: Incident, sick: Deployment | None = None) -> Window:
    """From shortly before the onset to the end of the sweep's window, a day at most.

    Of a deployment that crashed or failed earlier, from its last hour on: its last words stand there.
    """
    end = incident.window.end
    start = max(min(incident.window.start, onset(incident) - BEFORE_ONSET), end - LONGEST_LOOK)
    if sick is not None and sick.status in ("FAILED", "CRASHED"):
        last = sick.status_at or sick.created_at
        start = min(start, max(sick.created_at, last - LAST_WORDS))
    return Window(start=start, end=end)
