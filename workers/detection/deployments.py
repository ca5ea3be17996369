"""What Railway says of one service's deployments: crashed, failed, stuck, stopped, or gone."""

from __future__ import annotations

from datetime import datetime, timedelta

from workers.detection.sentences import clock, span
from workers.detection.service_window import ServiceWindow
from workers.models import Deployment, Finding, Severity

OLD_NEWS = timedelta(days=7)
"""A failed deployment that nobody repeated for so long, while an older one serves, is known."""
GONE = {"REMOVED", "REMOVING", "SKIPPED"}
UNDER_WAY = {"BUILDING", "DEPLOYING", "INITIALIZING", "QUEUED"}
STUCK, LONG_STUCK = timedelta(minutes=30), timedelta(minutes=90)
"""Builds and health checks end by themselves sooner; while an older one serves there is time."""


def judge_deployments(case: ServiceWindow) -> list[Finding]:
    """Crashed, failed, stuck, stopped or gone: at most one of each."""
    crashed = _crashed(case)
    found = [
        crashed, _failed(case) or _failed_by_event(case), _stuck(case),
        None if crashed else _stopped(case), _gone(case),
    ]  # fmt: skip
    return [finding for finding in found if finding is not None]


def _told_at(deployment: Deployment) -> datetime:
    return deployment.status_at or deployment.created_at


def _name(deployment: Deployment) -> str:
    return f"commit {deployment.commit[:7]}" if deployment.commit else f"deployment {deployment.id[:8]}"


def _older(case: ServiceWindow) -> Deployment | None:
    """The deployment that serves while the newest one does not, if it is alive."""
    serving, newest = case.service.serving, case.service.latest
    if serving is None or (newest is not None and serving.id == newest.id):
        return None
    return serving if serving.status in ("SUCCESS", "SLEEPING") and not serving.stopped else None


def _crashed(case: ServiceWindow) -> Finding | None:
    """The serving deployment crashed; one that never served and crashed is a failed one too."""
    service, window = case.service, case.survey.window
    for sick in (service.serving, service.latest):
        states = [state for state in sick.instance_states if state not in GONE] if sick else []
        all_crashed = bool(states) and all(state == "CRASHED" for state in states)
        if sick is None or not (sick.status == "CRASHED" or (all_crashed and sick.status == "SUCCESS")):
            continue
        running = sum(state == "RUNNING" for state in states)
        other = service.serving if service.serving and service.serving.id != sick.id else None
        alive = running > 0 or (other is not None and other.status == "SUCCESS" and not other.stopped)
        rest = f"; {running} of {len(states)} replicas still run" if running else "; nothing of it runs"
        if other is not None and alive and not running:
            rest = f"; {_name(other)} still answers"
        at = _told_at(sick)
        return case.found(
            "crashed", Severity.WARNING if alive or service.cron else Severity.CRITICAL, at,
            f"{service.name} crashed at {clock(at, window)} ({_name(sick)}){rest}",
            numbers={"running_replicas": float(running), "replicas": float(len(states))},
            deployment_id=sick.id,
        )  # fmt: skip
    return None


def _failed(case: ServiceWindow) -> Finding | None:
    service, window, newest = case.service, case.survey.window, case.service.latest
    if newest is None or newest.status != "FAILED":
        return None
    older, at = _older(case), _told_at(newest)
    what = f"{service.name}'s newest deployment ({_name(newest)}) failed at {clock(at, window)}"
    rest = f"an older one ({_name(older)}) still serves" if older else "no other one serves"
    severity = Severity.WARNING if older else Severity.CRITICAL
    if older and window.end - at > OLD_NEWS:
        severity = Severity.NOTICE
    tries = sum(
        one.status == "FAILED" and one.created_at >= at - timedelta(days=1) for one in service.deployments
    )
    numbers = {"failed_deployments": float(max(1, tries)), "older_serves": float(older is not None)}
    return case.found(
        "failed_deployment", severity, at, f"{what}; {rest}", numbers=numbers, deployment_id=newest.id
    )


def _failed_by_event(case: ServiceWindow) -> Finding | None:
    """The newest deployment failed as far as the feed alone tells; one that went live afterwards mends that."""
    if case.service.latest is not None:
        return None
    outcomes = [one for one in case.service.events if one.kind in ("failed", "deployed")]
    failed = [one for one in outcomes if one.kind == "failed"]
    if not failed:
        return None
    last, ongoing = failed[-1], outcomes[-1].kind == "failed"
    sentence = f"a deployment of {case.service.name} failed at {clock(last.at, case.survey.window)}"
    return case.found(
        "failed_deployment", Severity.WARNING if ongoing else Severity.NOTICE, last.at,
        sentence if ongoing else f"{sentence}; a later one went live", ongoing=ongoing,
        numbers={"failed_deployments": float(len(failed))}, deployment_id=last.deployment_id,
    )  # fmt: skip


def _stuck(case: ServiceWindow) -> Finding | None:
    """A deployment that has been under way for longer than any build or health check lasts."""
    newest = case.service.latest
    if newest is None or newest.status not in UNDER_WAY:
        return None
    waited, older = case.survey.window.end - newest.created_at, _older(case)
    if waited < STUCK:
        return None
    loud = older is None or waited >= LONG_STUCK
    sentence = (
        f"{case.service.name}'s newest deployment ({_name(newest)}) has been {newest.status.lower()} for "
        f"{span(waited.total_seconds())}; "
        + (f"an older one ({_name(older)}) still serves" if older else "no other one serves")
    )
    return case.found(
        "stuck_deployment", Severity.WARNING if loud else Severity.NOTICE, newest.created_at, sentence,
        numbers={"minutes": round(waited.total_seconds() / 60, 1)}, deployment_id=newest.id,
    )  # fmt: skip


def _stopped(case: ServiceWindow) -> Finding | None:
    """A serving deployment that ended by itself; jobs on a schedule and sleeping services do that."""
    service, serving = case.service, case.service.serving
    if serving is None or service.cron or service.sleeps or serving.status != "SUCCESS":
        return None
    states = [state for state in serving.instance_states if state not in GONE]
    ended = bool(states) and all(state in ("EXITED", "STOPPED") for state in states)
    if not (serving.stopped or ended):
        return None
    at = _told_at(serving)
    return case.found(
        "stopped", Severity.CRITICAL if service.public else Severity.WARNING, at,
        f"{service.name} has stopped ({_name(serving)} of {clock(at, case.survey.window)}): nothing of it runs",
        numbers={"replicas": float(len(states))}, deployment_id=serving.id,
    )  # fmt: skip


def _gone(case: ServiceWindow) -> Finding | None:
    """A service that worked in the windows before and has no deployment any more."""
    service = case.service
    removed = service.latest is not None and service.latest.status in GONE and service.serving is None
    if not removed or service.cron or case.survey.gaps_for(service.name):
        return None
    worked = any((one.cpu_mean or 0.0) > 0 or (one.requests or 0) > 0 for one in case.usual.windows[-6:])
    if not worked:
        return None
    sentence = f"{service.name} has no deployment any more: its last one was removed, and nothing replaced it"
    return case.found("missing", Severity.WARNING, case.survey.window.end, sentence, confidence=0.7)
