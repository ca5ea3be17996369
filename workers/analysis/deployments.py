"""What Railway says of one service's deployments: crashed, failed, stopped, started again and again."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from workers.analysis.words import clock, since, span
from workers.models import Deployment, Finding, Service, Severity, Survey

FEWEST_STARTS = 3
MORE_THAN_REPLICAS = 2
"""Starts of one deployment beyond its replicas: a rollout starts each replica once, a host move too."""
WAKES_TO_DOUBT = 8
"""A service that sleeps is started by its visitors; so many starts are none of theirs."""
OLD_NEWS = timedelta(days=7)
"""A failed deployment that nobody repeated for so long, while an older one serves, is known."""
GONE = {"REMOVED", "REMOVING", "SKIPPED"}


def judge_deployments(service: Service, survey: Survey) -> list[Finding]:
    """Crashed, failed, stopped, restarting: at most one of each."""
    crashed = _crashed(service, survey)
    found = [
        crashed, _failed(service, survey), _restarts(service, survey),
        None if crashed else _stopped(service, survey),
    ]  # fmt: skip
    return [finding for finding in found if finding is not None]


def _told_at(deployment: Deployment) -> datetime:
    return deployment.status_at or deployment.created_at


def _name(deployment: Deployment) -> str:
    return f"commit {deployment.commit[:7]}" if deployment.commit else f"deployment {deployment.id[:8]}"


def _crashed(service: Service, survey: Survey) -> Finding | None:
    """The serving deployment crashed; one that never served and crashed is a failed one too."""
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
        sentence = f"{service.name} crashed at {clock(at, survey.window)} ({_name(sick)}){rest}"
        return Finding(
            service_id=service.id, service=service.name, kind="crashed", since=at, ongoing=True,
            severity=Severity.WARNING if alive or service.cron else Severity.CRITICAL,
            numbers={"running_replicas": float(running), "replicas": float(len(states))},
            sentence=sentence, deployment_id=sick.id,
        )  # fmt: skip
    return None


def _failed(service: Service, survey: Survey) -> Finding | None:
    newest = service.latest
    if newest is None or newest.status != "FAILED":
        return None
    serving = service.serving if service.serving and service.serving.id != newest.id else None
    alive = serving is not None and serving.status in ("SUCCESS", "SLEEPING") and not serving.stopped
    at = _told_at(newest)
    what = f"{service.name}'s newest deployment ({_name(newest)}) failed at {clock(at, survey.window)}"
    rest = f"an older one ({_name(serving)}) still serves" if alive and serving else "no other one serves"
    severity = Severity.WARNING if alive else Severity.CRITICAL
    if alive and survey.window.end - at > OLD_NEWS:
        severity = Severity.NOTICE
    tries = sum(
        1
        for one in service.deployments
        if one.status == "FAILED" and one.created_at >= at - timedelta(days=1)
    )
    return Finding(
        service_id=service.id, service=service.name, kind="failed_deployment", severity=severity, since=at,
        ongoing=True, numbers={"failed_deployments": float(max(1, tries)), "older_serves": float(alive)},
        sentence=f"{what}; {rest}", deployment_id=newest.id,
    )  # fmt: skip


def _restarts(service: Service, survey: Survey) -> Finding | None:
    if service.cron:
        return None
    counts = Counter(start.deployment_id for start in service.starts)
    known = {one.id: one for one in (*service.deployments, service.latest, service.serving) if one}
    for deployment_id, count in counts.most_common():
        deployment = known.get(deployment_id)
        replicas = max(1, service.replicas, deployment.replicas if deployment else 1)
        needed = max(FEWEST_STARTS, replicas + MORE_THAN_REPLICAS, WAKES_TO_DOUBT if service.sleeps else 0)
        if count >= needed:
            return _say_restarts(service, survey, deployment_id, count, replicas)
    return None


def _say_restarts(service: Service, survey: Survey, deployment_id: str, count: int, replicas: int) -> Finding:
    starts = sorted(start.at for start in service.starts if start.deployment_id == deployment_id)
    quiet = (survey.window.end - starts[-1]).total_seconds()
    usual = (starts[-1] - starts[0]).total_seconds() / (len(starts) - 1)
    ongoing = quiet <= max(3 * usual, 0.1 * survey.window.seconds)
    of_replicas = f" for {replicas} replicas" if replicas > 1 else ""
    sentence = (
        f"{service.name}'s container was started {count} times{of_replicas} within {span(survey.window.seconds)}, "
        f"{since(starts[0], survey.window, 0)}; the last time at {clock(starts[-1], survey.window)}"
    )
    return Finding(
        service_id=service.id, service=service.name, kind="restart_loop", since=starts[0], ongoing=ongoing,
        severity=Severity.CRITICAL if ongoing else Severity.WARNING,
        numbers={"starts": float(count), "replicas": float(replicas), "seconds_between": round(usual, 1)},
        sentence=sentence, deployment_id=deployment_id,
    )  # fmt: skip


def _stopped(service: Service, survey: Survey) -> Finding | None:
    """A serving deployment that ended by itself; jobs on a schedule and sleeping services do that."""
    serving = service.serving
    if serving is None or service.cron or service.sleeps or serving.status != "SUCCESS":
        return None
    states = [state for state in serving.instance_states if state not in GONE]
    ended = bool(states) and all(state in ("EXITED", "STOPPED") for state in states)
    if not (serving.stopped or ended):
        return None
    at = _told_at(serving)
    return Finding(
        service_id=service.id, service=service.name, kind="stopped", since=at, ongoing=True,
        severity=Severity.CRITICAL if service.public else Severity.WARNING, deployment_id=serving.id,
        numbers={"replicas": float(len(states))},
        sentence=f"{service.name} has stopped ({_name(serving)} of {clock(at, survey.window)}): nothing of it runs",
    )  # fmt: skip
