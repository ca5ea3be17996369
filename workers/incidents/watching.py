"""Follows an incident until its trouble is gone.

A pull request is followed to the deployment of its merge, and the same signature is measured again. An incident
without one ends after consecutive clean sweeps. A pull request that a person closes is an answer, too.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from workers import detection
from workers.clients.github import GitHub
from workers.clients.railway import Railway, snapshot
from workers.engine import records, reservations
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import EndedAs
from workers.errors import RailwayBusy
from workers.history import summary_store
from workers.incidents import merges, rejections
from workers.incidents.recovery import Recovery, required_quiet_ms, required_sweeps
from workers.models import (
    Environment,
    Finding,
    FollowUp,
    FollowUpResult,
    Gap,
    History,
    Incident,
    PullRequest,
    Severity,
    Summary,
    Survey,
    Window,
    affected_services,
    alerting_findings,
    describe_gap,
)
from workers.runtime.settings import Settings

RECHECK_SECONDS = 600.0  # a sweep that changes the incident wakes it earlier
MIN_POLL_SECONDS = 5.0  # shortest interval between two reads of a pull request
MAX_POLL_SECONDS = 300.0  # longest interval between them
POLLS_PER_AGE = 20  # an incident of age A reads its pull request every A / 20: fresh ones are merged soonest
# Age up to which a merge is polled at the shortest interval, because Railway builds it within minutes.
FRESH_MERGE = timedelta(minutes=5)
DEPLOY_TIMEOUT = timedelta(days=1)  # a merge that is not live by then is not followed any longer
MAX_WAIT_FOR_REQUESTS = timedelta(days=1)  # a fix that no request has reached by then cannot be verified
MAX_MEASUREMENTS = 5  # attempts, within about a minute, to measure a window that Railway cannot deliver now
MAX_DEPLOYMENTS = 10  # newest deployments of a service among which the merge is looked up
MAX_STILL_AFFECTED = 4  # names of symptom services in a follow-up
MAX_NAME_CHARACTERS = 60

log = logging.getLogger("trackwalker.watching")


def follow_up(
    claim: Claim, railway: Railway, github: GitHub, settings: Settings, store: JournalStore, now: datetime, *,
    notify: str,
) -> None:  # fmt: skip
    """Check the incident once, then release the claim: until the next check, or with the incident's end.

    Args:
        notify: key of the incident's notification journal, woken when there is something to report.
    """
    incident, pull = claim.need(records.INCIDENT), claim.get(records.PULL)
    if not claim.text("suppressed_by") and pull is None and not claim.has(records.OUTCOME):
        # A sweep that no longer counts the incident as a symptom clears `suppressed_by`; its stages then continue.
        claim.advance(_next_stage(claim), notify=notify)
        return
    if pull is None or pull.state == "closed":
        _await_recovery(claim, notify)
        return
    if pull.state == "open":
        pull = _refresh_pull(claim, github, store, pull)
    if pull.state == "open":
        claim.advance("watch", after=_poll_seconds(claim, now))
        return
    if pull.state == "closed":
        closed = FollowUp(result=FollowUpResult.CLOSED, pull_number=pull.number)
        claim.record(records.FOLLOW_UP, closed)
        claim.advance("watch", after=RECHECK_SECONDS, notify=notify)
        return
    _verify_merge(claim, railway, settings, store, incident, pull, now, notify)


def _next_stage(claim: Claim) -> str:
    """The first stage without a record. `plan` comes last, as it reserves again what the suppression released."""
    stages = ((records.EVIDENCE, "enrich"), (records.VERDICT, "diagnose"))
    return next((stage for record, stage in stages if not claim.has(record)), "plan")


def _await_recovery(claim: Claim, notify: str) -> None:
    recovery = claim.text("recovery")
    checks = required_sweeps(recovery)
    if int(claim.text("clean_sweeps", "0")) < checks or _is_too_soon(claim):
        claim.advance("watch", after=RECHECK_SECONDS)
        return
    if claim.get(records.FOLLOW_UP) is None:
        removed = recovery == Recovery.REMOVED
        result = FollowUpResult.REMOVED if removed else FollowUpResult.RESOLVED
        measured = claim.get(records.MEASURED) or FollowUp(result=result)
        claim.record(records.FOLLOW_UP, measured.model_copy(update={"result": result, "checks": checks}))
    # A sweep that found the trouble again in the meantime has raised the wake-up counter, and `end` refuses.
    if not claim.end(EndedAs.RESOLVED, "resolved", notify=notify, final=False):
        claim.advance("watch")


def _is_too_soon(claim: Claim) -> bool:
    """True while the trouble has stayed away for less time than its kind, or its relapses, call for."""
    if claim.text("recovery") == Recovery.REMOVED:
        return False
    trouble = alerting_findings(
        (*claim.need(records.INCIDENT).findings, *(claim.get(records.LATEST_FINDINGS) or ()))
    )
    needed = required_quiet_ms(trouble, int(float(claim.text("relapse_ms", "0"))))
    return int(float(claim.text("quiet_ms", "0"))) < needed


def _poll_seconds(claim: Claim, now: datetime) -> float:
    age = now.timestamp() - int(claim.text("opened", "0")) / 1000
    return min(MAX_POLL_SECONDS, max(MIN_POLL_SECONDS, age / POLLS_PER_AGE))


def _refresh_pull(claim: Claim, github: GitHub, store: JournalStore, pull: PullRequest) -> PullRequest:
    """The pull request as GitHub shows it now. One that has ended is recorded, and its reservations are released."""
    fresh = github.pull(claim.text("repository"), pull.number)
    if fresh.state == "open":
        return fresh
    reservations.release(claim)
    if fresh.state == "closed":
        rejections.record_rejection(store, reservations.reserved_keys(claim), f"#{fresh.number}")
    log.info("pull request ended", extra={"journal": claim.id, "state": fresh.state})
    return claim.record(records.PULL, fresh)


def _verify_merge(
    claim: Claim, railway: Railway, settings: Settings, store: JournalStore, incident: Incident,
    pull: PullRequest, now: datetime, notify: str,
) -> None:  # fmt: skip
    """Wait for the deployment of the merge and then measure a window that lies wholly after it."""
    merged_at = claim.step(records.MERGED_AT, lambda: now)
    environment = Environment(project_id=incident.project_id, environment_id=incident.environment_id)
    deployments = railway.deployments(environment, incident.subject.key, MAX_DEPLOYMENTS)
    live = merges.live_deployment(deployments, pull, merged_at)
    if live is None:
        _await_deployment(
            claim, merges.assess_deployment(deployments, pull, merged_at), merged_at, now, notify
        )
        return
    start = live.status_at or live.created_at
    ready = start + timedelta(minutes=settings.verify_minutes)
    if now < ready:
        claim.advance("watch", after=max(1.0, (ready - now).total_seconds()))
        return
    longest = max(settings.window_minutes, settings.verify_minutes)
    window = Window(start=max(start, now - timedelta(minutes=longest)), end=now)

    def measure() -> Survey:
        survey = snapshot.take_survey(railway, environment, window, settings.sample_seconds)
        if (gaps := _new_gaps(incident, survey)) and claim.attempts < MAX_MEASUREMENTS:
            raise RailwayBusy(f"cannot be measured again now: {'; '.join(map(describe_gap, gaps))}")
        return survey

    survey = claim.get(records.SURVEY_AFTER_MERGE) or measure()
    before = claim.get(records.BEFORE) or []
    if merges.shows_nothing(incident, survey, before) and now - start < MAX_WAIT_FOR_REQUESTS:
        claim.advance("watch", after=RECHECK_SECONDS, reason="no requests since the deployment")
        return
    survey = claim.step(records.SURVEY_AFTER_MERGE, lambda: survey)
    history: History = {incident.subject.key: before}
    if not before:
        stored = summary_store.read(store, incident.environment_id, start)
        history = summary_store.baseline_windows(stored, start)
    findings = detection.detect(survey, min_duration_minutes=settings.min_duration_minutes, history=history)
    _finish(claim, compare(incident, survey, findings, before), notify)


def _await_deployment(
    claim: Claim, missing: FollowUp, merged_at: datetime, now: datetime, notify: str
) -> None:
    """Say once why the merge is not live, and look again until a day has passed."""
    age = now - merged_at
    if age > DEPLOY_TIMEOUT:
        _finish(claim, missing, notify)
        return
    reported = claim.get(records.FOLLOW_UP)
    if age >= merges.patience(missing.deployment_status) and reported != missing:
        _replace_follow_up(claim, missing)
        claim.advance("watch", after=_poll_seconds(claim, now), notify=notify)
        return
    claim.advance("watch", after=MIN_POLL_SECONDS if age <= FRESH_MERGE else _poll_seconds(claim, now))


def _replace_follow_up(claim: Claim, follow_up: FollowUp) -> None:
    """Record a follow-up; one that says something else than the one before is a reply of its own."""
    if claim.get(records.FOLLOW_UP) in (None, follow_up):
        claim.record(records.FOLLOW_UP, follow_up)
        return
    count = int(claim.text("rewatch_count", "0")) + 1
    claim.record(records.FOLLOW_UP, follow_up, rewatch_count=str(count))


def compare(
    incident: Incident, survey: Survey, findings: list[Finding], before: Sequence[Summary] = ()
) -> FollowUp:
    """Whether the signature of the incident is gone in a survey of the time after the deployment. Pure.

    A notice of the same kind that goes on is the trouble in a milder form, and what was not measured is not gone. A
    notice that accompanied the trouble was not part of it and may stay.

    Args:
        findings: what was found against the windows `before` the onset, if they are known.
    """
    kinds = {finding.kind for finding in incident.opening_findings}
    own = [
        finding
        for finding in findings
        if finding.service_id == incident.subject.key and finding.kind in kinds
    ]
    remaining = [
        finding
        for finding in own
        # What matches the time before the onset is as it was.
        if not (finding.is_baseline and before)
        and (finding.is_baseline or finding.ongoing or finding.severity is not Severity.NOTICE)
    ]
    service = next((service for service in survey.services if service.id == incident.subject.key), None)
    traffic = service.traffic if service else ()
    measured = FollowUp(
        result=FollowUpResult.FAILED if remaining else FollowUpResult.VERIFIED,
        minutes=survey.window.minutes,
        requests=sum(minute.requests for minute in traffic),
        failed_requests=sum(minute.server_errors for minute in traffic),
        remaining=remaining[0] if remaining else None,
        still_affected=() if remaining else _still_affected(incident, findings),
    )
    gaps = _new_gaps(incident, survey)
    if not remaining and (service is None or gaps):
        return FollowUp(result=FollowUpResult.UNMEASURED, gaps=tuple(gaps))
    if not remaining and merges.shows_nothing(incident, survey, before):
        return FollowUp(result=FollowUpResult.UNMEASURED, reason=merges.NO_REQUESTS)
    return measured


def _new_gaps(incident: Incident, survey: Survey) -> list[Gap]:
    """Failed reads that may hide the trouble; a read that failed at detection, too, hides nothing of it."""
    return [gap for gap in survey.gaps_for(incident.subject.name) if gap not in incident.failed_reads]


def _still_affected(incident: Incident, findings: list[Finding]) -> tuple[str, ...]:
    """Symptom services that are unhealthy still: their trouble has another cause, at least in part."""
    affected = affected_services(findings)
    names = dict.fromkeys(
        symptom.service[:MAX_NAME_CHARACTERS]
        for symptom in incident.symptoms
        if symptom.service_id in affected
    )
    return tuple(names)[:MAX_STILL_AFFECTED]


def _finish(claim: Claim, result: FollowUp, notify: str) -> None:
    _replace_follow_up(claim, result)
    ended_as = EndedAs.FIX_VERIFIED if result.is_recovered else EndedAs.FIX_FAILED
    claim.end(ended_as, "fix verified" if result.is_recovered else "fix not verified", notify=notify)
    log.debug("follow-up ended", extra={"journal": claim.id, "result": result.result.value})
