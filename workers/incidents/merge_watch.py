"""Follows a merged pull request: its deployment, the first minutes of that, and the effect over the whole window.

A fix that does not help is known within minutes: its first requests fail as before. That it helps is known only after
the verification window. The record `merge_progress` shows each step in between.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from workers import detection
from workers.clients.railway import Railway, snapshot
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import EndedAs
from workers.errors import RailwayBusy
from workers.history import summary_store
from workers.incidents import effect, extra_checks, merges
from workers.models import (
    Deployment,
    Environment,
    Finding,
    FollowUp,
    History,
    Incident,
    MergeProgress,
    PullRequest,
    Summary,
    Survey,
    Window,
    describe_gap,
)
from workers.runtime.settings import Settings

RECHECK_SECONDS = 600.0  # a fix that no request has reached is measured again after this time
DEPLOYMENT_POLL_SECONDS = 5.0  # between two looks at the deployment of a fresh merge
MAX_DEPLOYMENT_POLL_SECONDS = 300.0  # between those of an old one
POLLS_PER_AGE = 20  # a merge of age A is looked at every A / 20
# Age up to which a merge is polled at the shortest interval, because Railway builds it within minutes.
FRESH_MERGE = timedelta(minutes=5)
DEPLOY_TIMEOUT = timedelta(days=1)  # a merge that is not live by then is not followed any longer
MAX_WAIT_FOR_REQUESTS = timedelta(days=1)  # a fix that no request has reached by then cannot be verified
MAX_MEASUREMENTS = 5  # attempts, within about a minute, to measure a window that Railway cannot deliver now
MAX_DEPLOYMENTS = 10  # newest deployments of a service among which the merge is looked up
# After the earliest proof of a failure: Railway's metrics arrive late.
METRICS_DELAY = timedelta(seconds=20)
SETTLED_SECONDS = 300.0  # between measurements once the first minutes are over

log = logging.getLogger("trackwalker.watching")


def follow_merge(
    claim: Claim, railway: Railway, settings: Settings, store: JournalStore, pull: PullRequest, now: datetime, *,
    notify: str,
) -> None:  # fmt: skip
    """Look at the merge once, then release the claim: until the next look, or with the incident's end.

    Args:
        notify: key of the incident's notification journal, woken when a step is recorded.

    Raises:
        RailwayBusy: the deployment cannot be read, or the whole window cannot be measured now.
    """
    incident = claim.need(records.INCIDENT)
    merged_at = claim.step(records.MERGED_AT, lambda: pull.merged_at or now)
    deployments = railway.deployments(_environment(incident), incident.subject.key, MAX_DEPLOYMENTS)
    live = merges.live_deployment(deployments, pull, merged_at)
    progress = MergeProgress(
        pull_number=pull.number, pull_url=pull.url, merged_at=merged_at, merged_by=pull.merged_by
    )
    if live is None:
        missing = merges.assess_deployment(deployments, pull, merged_at)
        progress = progress.model_copy(update={"deployment_status": missing.deployment_status})
        _await_deployment(claim, missing, progress, now, notify)
        return
    progress = _live_progress(claim, progress, live, settings)
    if progress.watching_until is not None and now < progress.watching_until:
        _measure_first_minutes(claim, railway, settings, store, progress, now, notify)
    else:
        _measure_window(claim, railway, settings, store, progress, now, notify)


def _live_progress(
    claim: Claim, progress: MergeProgress, live: Deployment, settings: Settings
) -> MergeProgress:
    """The step `deployed`, with the figures of the last measurement of the same deployment."""
    start = live.status_at or live.created_at
    recorded = claim.get(records.MERGE_PROGRESS)
    update: dict[str, object] = {
        "deployed_at": start, "deployment_id": live.id, "deployment_status": live.status,
        "watching_until": start + timedelta(minutes=settings.verify_minutes),
    }  # fmt: skip
    if recorded is not None and recorded.deployment_id == live.id:
        update |= {
            "measured_at": recorded.measured_at, "requests": recorded.requests,
            "failed_requests": recorded.failed_requests, "deployed_at": recorded.deployed_at or start,
        }  # fmt: skip
    return progress.model_copy(update=update)


def _show(claim: Claim, progress: MergeProgress, notify: str) -> str:
    """Record a step; the key of the notification to wake, "" if nothing has changed."""
    if claim.get(records.MERGE_PROGRESS) == progress:
        return ""
    claim.record(records.MERGE_PROGRESS, progress)
    return notify


# ---- the deployment ----


def _await_deployment(
    claim: Claim, missing: FollowUp, progress: MergeProgress, now: datetime, notify: str
) -> None:
    """Report once why the merge is not live, and look again until a day has passed."""
    age = now - progress.merged_at
    if age > DEPLOY_TIMEOUT:
        _finish(claim, missing, progress, notify)
        return
    wake = _show(claim, progress, notify)
    poll = min(MAX_DEPLOYMENT_POLL_SECONDS, max(DEPLOYMENT_POLL_SECONDS, age.total_seconds() / POLLS_PER_AGE))
    reported = claim.get(records.FOLLOW_UP)
    if age >= merges.patience(missing.deployment_status) and reported != missing:
        replace_follow_up(claim, missing)
        wake = notify
    claim.advance("watch", after=DEPLOYMENT_POLL_SECONDS if age <= FRESH_MERGE else poll, notify=wake)


def replace_follow_up(claim: Claim, follow_up: FollowUp) -> None:
    """Record a follow-up; one that says something else than the one before is a reply of its own."""
    if claim.get(records.FOLLOW_UP) in (None, follow_up):
        claim.record(records.FOLLOW_UP, follow_up)
        return
    count = int(claim.text("rewatch_count", "0")) + 1
    claim.record(records.FOLLOW_UP, follow_up, rewatch_count=str(count))


# ---- its effect ----


def _measure_first_minutes(
    claim: Claim, railway: Railway, settings: Settings, store: JournalStore, progress: MergeProgress,
    now: datetime, notify: str,
) -> None:  # fmt: skip
    """Measure what the new deployment did so far; a fix that fails as before is not waited for any longer."""
    start, until = progress.deployed_at or now, progress.watching_until or now
    wake = _show(claim, progress, notify)
    earliest = start + effect.EARLY_AFTER + METRICS_DELAY
    if now < earliest:
        first = min(earliest, until)
        claim.advance("watch", after=max(1.0, (first - now).total_seconds()), notify=wake)
        return
    interval = extra_checks.wait_seconds(store, now)
    if now - start > extra_checks.FRESH:
        interval = max(interval, SETTLED_SECONDS)
    after = max(1.0, min(interval, (until - now).total_seconds()))
    incident = claim.need(records.INCIDENT)
    try:
        survey = _take_survey(railway, settings, incident, start, now)
    except RailwayBusy as error:
        # The figures so far are a courtesy: the whole window is measured again, with retries.
        claim.advance("watch", after=after, reason=str(error), notify=wake)
        return
    before, findings = _detect(claim, store, settings, survey, effect.EARLY_DURATION_MINUTES)
    if failure := effect.early_failure(incident, survey, findings, before):
        claim.step(records.SURVEY_AFTER_MERGE, lambda: survey)
        _finish(claim, failure, progress, notify)
        extra_checks.request_check(store, _environment(incident), now)
        return
    figures = effect.compare(incident, survey, findings, before)
    requests, failed = effect.count_requests(incident, survey)
    update = {"measured_at": now, "requests": requests, "failed_requests": failed}
    wake = _show(claim, progress.model_copy(update=update), notify) or wake
    log.debug("first effect measured", extra={"journal": claim.id, "result": figures.result.value})
    claim.advance("watch", after=after, notify=wake)


def _measure_window(
    claim: Claim, railway: Railway, settings: Settings, store: JournalStore, progress: MergeProgress,
    now: datetime, notify: str,
) -> None:  # fmt: skip
    """Measure a window that lies wholly after the deployment, and end the incident with the result."""
    incident, start = claim.need(records.INCIDENT), progress.deployed_at or now

    def measure() -> Survey:
        survey = _take_survey(railway, settings, incident, start, now)
        gaps = effect.new_gaps(incident, survey)
        if gaps and claim.attempts < MAX_MEASUREMENTS:
            raise RailwayBusy(f"cannot be measured again now: {'; '.join(map(describe_gap, gaps))}")
        return survey

    survey = claim.get(records.SURVEY_AFTER_MERGE) or measure()
    before = claim.get(records.BEFORE) or []
    if merges.shows_nothing(incident, survey, before) and now - start < MAX_WAIT_FOR_REQUESTS:
        wake = _show(claim, progress, notify)
        claim.advance("watch", after=RECHECK_SECONDS, reason="no requests since the deployment", notify=wake)
        return
    survey = claim.step(records.SURVEY_AFTER_MERGE, lambda: survey)
    before, findings = _detect(claim, store, settings, survey, settings.min_duration_minutes)
    result = effect.compare(incident, survey, findings, before)
    _finish(claim, result, progress, notify)
    if result.is_alarming:
        extra_checks.request_check(store, _environment(incident), now)


def _take_survey(
    railway: Railway, settings: Settings, incident: Incident, start: datetime, now: datetime
) -> Survey:
    """The environment since the deployment, as far back as a window reaches."""
    longest = max(settings.window_minutes, settings.verify_minutes)
    window = Window(start=max(start, now - timedelta(minutes=longest)), end=now)
    return snapshot.take_survey(railway, _environment(incident), window, settings.sample_seconds)


def _environment(incident: Incident) -> Environment:
    return Environment(project_id=incident.project_id, environment_id=incident.environment_id)


def _detect(
    claim: Claim, store: JournalStore, settings: Settings, survey: Survey, min_duration_minutes: float
) -> tuple[list[Summary], list[Finding]]:
    """The windows before the onset, and the findings of the survey against them."""
    incident = claim.need(records.INCIDENT)
    before = claim.get(records.BEFORE) or []
    history: History = {incident.subject.key: before}
    if not before:
        stored = summary_store.read(store, incident.environment_id, survey.window.start)
        history = summary_store.baseline_windows(stored, survey.window.start)
    duration = min(min_duration_minutes, settings.min_duration_minutes)
    return before, detection.detect(survey, min_duration_minutes=duration, history=history)


def _finish(claim: Claim, result: FollowUp, progress: MergeProgress, notify: str) -> None:
    incident = claim.need(records.INCIDENT)
    failed, requests = effect.opening_requests(incident)
    follow_up = result.model_copy(
        update={
            "pull_number": progress.pull_number, "pull_url": progress.pull_url,
            "deployed_at": progress.deployed_at, "requests_before": requests, "failed_requests_before": failed,
        }
    )  # fmt: skip
    replace_follow_up(claim, follow_up)
    ended_as = EndedAs.FIX_VERIFIED if result.is_recovered else EndedAs.FIX_FAILED
    claim.end(ended_as, "fix verified" if result.is_recovered else "fix not verified", notify=notify)
    log.debug("follow-up ended", extra={"journal": claim.id, "result": result.result.value})
