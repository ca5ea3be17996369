"""Deployments that crashed, failed, are stuck, stopped, or were removed, by Railway's statuses."""

from __future__ import annotations

from datetime import datetime, timedelta

from workers.detection.service_window import ServiceWindow
from workers.models import Deployment, Finding, Severity

# A failed deployment of this age without a retry, while an older deployment serves, is known and only a notice.
KNOWN_FAILURE_AGE = timedelta(days=7)
# Builds and health checks time out sooner, so a deployment of this age is stuck.
STUCK_AGE = timedelta(minutes=30)
# While an older deployment serves there is more time: a stuck one is a notice up to this age.
STUCK_ALERT_AGE = timedelta(minutes=90)
# Earlier windows in which a missing service must have worked: three hours of half-hour windows.
RECENT_WINDOWS = 6
# Failed deployments this long before the newest one are counted as its retries.
FAILURE_DAY = timedelta(days=1)

# Railway's DeploymentStatus and instance states.
REMOVED_STATUSES = {"REMOVED", "REMOVING", "SKIPPED"}
IN_PROGRESS_STATUSES = {"BUILDING", "DEPLOYING", "INITIALIZING", "QUEUED", "WAITING"}
# "Wait for CI" ends in a skipped deployment after two hours (docs.railway.com/deployments/github-autodeploys).
WAITING_AGE = timedelta(minutes=130)
CHECK_REASON = "check"  # part of the reason of a deployment that was skipped because a check failed


def detect_deployments(window: ServiceWindow) -> list[Finding]:
    """At most one finding each about crashed, failed, stuck, stopped and missing deployments."""
    crashed = _crashed(window)
    findings = [
        crashed, _failed(window) or _failed_by_event(window), _stuck(window),
        None if crashed else _stopped(window), _missing(window),
    ]  # fmt: skip
    return [finding for finding in findings if finding is not None]


def _status_time(deployment: Deployment) -> datetime:
    return deployment.status_at or deployment.created_at


def _label(deployment: Deployment) -> str:
    return f"commit {deployment.commit[:7]}" if deployment.commit else f"deployment {deployment.id[:8]}"


def _labels(deployment: Deployment, serving: Deployment | None, **more: str) -> dict[str, str]:
    """The names that the sentence mentions: of the affected deployment and of the one that serves instead."""
    labels = {"deployment": _label(deployment), **more}
    return labels | {"serving": _label(serving)} if serving else labels


def _older_serving(window: ServiceWindow) -> Deployment | None:
    """The older deployment that serves in place of the newest one, if there is one and it is healthy."""
    serving, newest = window.service.serving, window.service.latest
    if serving is None or (newest is not None and serving.id == newest.id):
        return None
    return serving if serving.status in ("SUCCESS", "SLEEPING") and not serving.stopped else None


def _instance_states(deployment: Deployment) -> list[str]:
    return [state for state in deployment.instance_states if state not in REMOVED_STATUSES]


def _has_crashed(deployment: Deployment) -> bool:
    # Railway keeps the status SUCCESS for a while after all instances have crashed.
    states = _instance_states(deployment)
    all_crashed = bool(states) and all(state == "CRASHED" for state in states)
    return deployment.status == "CRASHED" or (all_crashed and deployment.status == "SUCCESS")


def _crashed(window: ServiceWindow) -> Finding | None:
    """The serving or the newest deployment crashed."""
    service = window.service
    crashed = next(
        (
            deployment
            for deployment in (service.serving, service.latest)
            if deployment is not None and _has_crashed(deployment)
        ),
        None,
    )
    if crashed is None:
        return None
    states = _instance_states(crashed)
    running = sum(state == "RUNNING" for state in states)
    other = service.serving if service.serving and service.serving.id != crashed.id else None
    is_other_up = other is not None and other.status == "SUCCESS" and not other.stopped
    is_up = running > 0 or is_other_up
    return window.make_finding(
        "crashed", Severity.WARNING if is_up or service.cron else Severity.CRITICAL, _status_time(crashed),
        numbers={"running_replicas": float(running), "replicas": float(len(states))},
        labels=_labels(crashed, other if is_other_up else None), deployment_id=crashed.id,
        chronic=window.is_as_old_as_history(_status_time(crashed)),
    )  # fmt: skip


def _failed(window: ServiceWindow) -> Finding | None:
    newest = window.service.latest
    if newest is None or newest.status != "FAILED":
        return None
    older, at = _older_serving(window), _status_time(newest)
    severity = Severity.WARNING if older else Severity.CRITICAL
    if older and window.survey.window.end - at > KNOWN_FAILURE_AGE:
        severity = Severity.NOTICE
    failures = sum(
        deployment.status == "FAILED" and deployment.created_at >= at - FAILURE_DAY
        for deployment in window.service.deployments
    )
    numbers = {"failed_deployments": float(max(1, failures)), "older_serves": float(older is not None)}
    return window.make_finding(
        "failed_deployment", severity, at,
        numbers=numbers, labels=_labels(newest, older), deployment_id=newest.id,
        chronic=window.is_as_old_as_history(at),
    )  # fmt: skip


def _failed_by_event(window: ServiceWindow) -> Finding | None:
    """A failure that only the event feed reports; a later deployment that went live resolves it."""
    if window.service.latest is not None:
        return None
    outcomes = [event for event in window.service.events if event.kind in ("failed", "deployed")]
    failures = [event for event in outcomes if event.kind == "failed"]
    if not failures:
        return None
    last, ongoing = failures[-1], outcomes[-1].kind == "failed"
    return window.make_finding(
        "failed_deployment", Severity.WARNING if ongoing else Severity.NOTICE, last.at, ongoing=ongoing,
        numbers={"failed_deployments": float(len(failures))}, deployment_id=last.deployment_id,
    )  # fmt: skip


def _stuck(window: ServiceWindow) -> Finding | None:
    """A deployment in progress for longer than any build or health check may take, or skipped for a failed check.

    Railway does not retry a skipped one. One that was skipped because it changes no watched file is as it should be.
    """
    newest = window.service.latest
    if newest is None:
        return None
    age, older = window.survey.window.end - newest.created_at, _older_serving(window)
    skipped = newest.status == "SKIPPED" and CHECK_REASON in (newest.skipped_reason or "").lower()
    if not skipped and newest.status not in IN_PROGRESS_STATUSES:
        return None
    if age < (WAITING_AGE if newest.status == "WAITING" else STUCK_AGE):
        return None
    is_alert = older is None or age >= STUCK_ALERT_AGE
    if skipped and (older is None or age > KNOWN_FAILURE_AGE):
        is_alert = False  # without a serving deployment the service counts as missing; an old one is known
    reason = {"reason": newest.skipped_reason or ""} if skipped else {}
    return window.make_finding(
        "stuck_deployment", Severity.WARNING if is_alert else Severity.NOTICE, newest.created_at,
        numbers={"minutes": round(age.total_seconds() / 60, 1)},
        labels=_labels(newest, older, status=newest.status.lower(), **reason), deployment_id=newest.id,
        chronic=window.is_as_old_as_history(newest.created_at),
    )  # fmt: skip


def _stopped(window: ServiceWindow) -> Finding | None:
    """A serving deployment that ended; scheduled jobs and sleeping services end by design."""
    service, serving = window.service, window.service.serving
    if serving is None or service.cron or service.sleeps or serving.status != "SUCCESS":
        return None
    states = _instance_states(serving)
    has_ended = bool(states) and all(state in ("EXITED", "STOPPED") for state in states)
    if not (serving.stopped or has_ended):
        return None
    return window.make_finding(
        "stopped", Severity.CRITICAL if service.public else Severity.WARNING, _status_time(serving),
        numbers={"replicas": float(len(states))}, labels=_labels(serving, None), deployment_id=serving.id,
        chronic=window.is_as_old_as_history(_status_time(serving)),
    )  # fmt: skip


def _missing(window: ServiceWindow) -> Finding | None:
    """A service that worked in the last windows and has no deployment any more."""
    service = window.service
    is_removed = (
        service.latest is not None and service.latest.status in REMOVED_STATUSES and service.serving is None
    )
    if not is_removed or service.cron or window.survey.gaps_for(service.name):
        return None
    failing = window.baseline.failing("missing")
    healthy = [summary for flag, summary in zip(failing, window.baseline.windows, strict=True) if not flag]
    recent = healthy[-RECENT_WINDOWS:]
    if not any((summary.cpu_mean or 0.0) > 0 or (summary.requests or 0) > 0 for summary in recent):
        return None
    return window.make_finding("missing", Severity.WARNING, window.survey.window.end, confidence=0.7)
