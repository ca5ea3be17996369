"""Chooses what to examine: the deployment whose logs are read, the suspect deployment, the log window. Pure."""

from __future__ import annotations

from datetime import timedelta

from workers.investigation.onset import onset_of
from workers.models import NEVER_LIVE, Deployment, Incident, Service, Suspect, Window
from workers.runtime.redaction import redact

BEFORE_ONSET = timedelta(minutes=10)  # logs are read from before the onset: they often show what led to it
MAX_LOG_SPAN = timedelta(days=1)  # longer spans exceed the number of log lines that Railway returns
LAST_HOUR = timedelta(hours=1)  # log span before the end of a deployment that crashed or failed earlier
# Metrics are averaged, so a failure may seem to start this much before its deployment.
MIN_SUSPECT_SLACK = timedelta(minutes=2)
SUSPECT_SLACK_SHARE = 0.1  # the same slack as a share of the window, whose samples are longer in long windows
MAX_SUSPECT_SLACK_SHARE = 0.5  # in short windows, a deployment in their second half cannot be the cause
MAX_MESSAGE_CHARS = 500  # commit message of the suspect
NEVER_LIVE_KINDS = frozenset(
    {"failed_deployment", "stuck_deployment"}
)  # findings about a deployment not yet live
ENDED_KINDS = frozenset({"crashed", "restart_loop", "stopped", "oom_killed"})
"""Kinds whose finding names the failing deployment itself, even if another one serves by now."""


def deployment_never_live(incident: Incident, service: Service) -> Deployment | None:
    """The newest deployment, if a finding says that it failed or does not finish."""
    concerned = any(finding.kind in NEVER_LIVE_KINDS for finding in incident.findings)
    return service.latest if concerned else None


def examined_deployment(incident: Incident, service: Service) -> Deployment | None:
    """The deployment whose logs and commit are read.

    It is the crashed or restarting one, else the serving one, else the newest. A deployment that was never live is
    examined only if there is no other finding, or if nothing serves beside it.
    """
    deployments = (*service.deployments, service.latest, service.serving)
    by_id = {deployment.id: deployment for deployment in deployments if deployment}
    for finding in incident.findings:
        if finding.kind in ENDED_KINDS and finding.deployment_id in by_id:
            return by_id[finding.deployment_id]
    never_live = deployment_never_live(incident, service)
    others = [finding for finding in incident.opening_findings if finding.kind not in NEVER_LIVE_KINDS]
    if never_live is not None and (not others or service.serving is None):
        return never_live
    return service.serving or service.latest


def find_suspect(incident: Incident, service: Service) -> Suspect | None:
    """The newest deployment that was live at the onset or shortly after it; one that was never live suspects itself."""
    never_live = deployment_never_live(incident, service)
    findings = incident.opening_findings
    if never_live is not None and all(finding.kind in NEVER_LIVE_KINDS for finding in findings):
        return _suspect(never_live)
    window = incident.window.end - incident.window.start
    slack = min(max(MIN_SUSPECT_SLACK, SUSPECT_SLACK_SHARE * window), MAX_SUSPECT_SLACK_SHARE * window)
    latest_creation = onset_of(incident) + slack
    deployments = {
        deployment.id: deployment for deployment in (*service.deployments, service.serving) if deployment
    }
    live = [
        deployment
        for deployment in deployments.values()
        if deployment.status not in NEVER_LIVE and deployment.created_at <= latest_creation
    ]
    newest = max(live, key=lambda deployment: deployment.created_at, default=None)
    return _suspect(newest) if newest else None


def _suspect(deployment: Deployment) -> Suspect:
    return Suspect(
        deployment_id=deployment.id,
        commit=deployment.commit,
        at=deployment.created_at,
        author=redact(deployment.commit_author or "") or None,
        message=redact(deployment.commit_message or "")[:MAX_MESSAGE_CHARS] or None,
    )


def log_window(incident: Incident, examined: Deployment | None = None) -> Window:
    """From shortly before the onset to the end of the sweep's window, at most a day.

    Args:
        examined: a deployment that crashed or failed earlier extends the window back to its last hour: its last lines
            tell why.
    """
    end = incident.window.end
    start = max(min(incident.window.start, onset_of(incident) - BEFORE_ONSET), end - MAX_LOG_SPAN)
    if examined is not None and examined.status in ("FAILED", "CRASHED"):
        ended = examined.status_at or examined.created_at
        start = min(start, max(examined.created_at, ended - LAST_HOUR))
    return Window(start=start, end=end)
