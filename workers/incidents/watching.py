"""Watching: until the trouble is gone. A pull request is followed to its deployment, and the same signature measured
again; what was only told is over after clean sweeps. One that a human closed is an answer."""

from __future__ import annotations

import logging
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
from workers.incidents import rejections
from workers.models import (
    Deployment,
    Environment,
    Finding,
    FollowUp,
    Gap,
    Incident,
    PullRequest,
    Severity,
    Survey,
    Window,
    describe_gap,
)
from workers.runtime.settings import Settings

CLEAN_SWEEPS = 2
"""So many sweeps without the trouble, one after the other, and it is over."""
GONE_SWEEPS = 3
"""So many without the service itself: it was taken away, and no failed read hides it."""
LOOK_AGAIN_SECONDS = 600.0
POLL_SECONDS = (5.0, 300.0)
"""A pull request is asked for at these shortest and longest intervals, a twentieth of its age between."""
DEPLOYED_WITHIN_SECONDS = 2 * 3600.0
MEASURE_TRIES = 5
"""So often, within about a minute, a measurement that Railway cannot give now is waited for."""

log = logging.getLogger("trackwalker.watching")


def follow_up(
    claim: Claim, railway: Railway, github: GitHub, settings: Settings, journal: JournalStore, now: datetime, *,
    notify: str,
) -> None:  # fmt: skip
    """Look once and let go of the claim: to look again later, or as the end of the round."""
    incident, pull = claim.need(records.INCIDENT), claim.get(records.PULL)
    if not claim.text("suppressed_by") and pull is None and not claim.has(records.OUTCOME):
        # It stood aside as a symptom of another incident, and is a cause of its own after all.
        claim.advance(_where_it_stopped(claim), notify=notify)
        return
    if pull is None or pull.state == "closed":
        _until_clean(claim, notify)
        return
    if pull.state == "open":
        pull = _ask(claim, github, journal, pull)
    if pull.state == "open":
        claim.advance("watch", after=_poll(claim, now))
        return
    if pull.state == "closed":
        sentence = f"#{pull.number} was closed unmerged: it is not proposed again without new evidence"
        claim.record(records.FOLLOW_UP, FollowUp(verified=False, sentence=sentence))
        claim.advance("watch", after=LOOK_AGAIN_SECONDS, notify=notify)
        return
    _after_merge(claim, railway, settings, journal, incident, pull, now, notify)


def _where_it_stopped(claim: Claim) -> str:
    """The stage from which a round goes on; `plan` reserves again what was given back."""
    made = ((records.EVIDENCE, "enrich"), (records.VERDICT, "diagnose"))
    return next((stage for record, stage in made if not claim.has(record)), "plan")


def _until_clean(claim: Claim, tell: str) -> None:
    gone = claim.text("recovery") == "removed"
    if int(claim.text("clean_sweeps", "0")) < (GONE_SWEEPS if gone else CLEAN_SWEEPS):
        claim.advance("watch", after=LOOK_AGAIN_SECONDS)
        return
    if claim.get(records.FOLLOW_UP) is None:
        sentence = f"over: {CLEAN_SWEEPS} sweeps in a row found nothing of it any more"
        if gone:
            sentence = f"over: the service is gone, {GONE_SWEEPS} sweeps in a row did not find it any more"
        claim.record(records.FOLLOW_UP, FollowUp(verified=True, sentence=sentence))
    if not claim.end(EndedAs.RESOLVED, "over", notify=tell, final=False):
        claim.advance("watch")


def _poll(claim: Claim, now: datetime) -> float:
    age = now.timestamp() - int(claim.text("opened", "0")) / 1000
    return min(POLL_SECONDS[1], max(POLL_SECONDS[0], age / 20))


def _ask(claim: Claim, github: GitHub, journal: JournalStore, pull: PullRequest) -> PullRequest:
    """The pull request as it stands now; its ending is recorded and its reservations are given back."""
    repository = claim.text("repository")
    fresh = github.pull(repository, pull.number)
    if fresh.state == "open":
        return fresh
    reservations.release(claim)
    if fresh.state == "closed":
        rejections.record_rejection(journal, reservations.reserved_keys(claim), f"#{fresh.number}")
    log.info("pull request ended", extra={"journal": claim.id, "state": fresh.state})
    return claim.record(records.PULL, fresh)


def _after_merge(
    claim: Claim, railway: Railway, settings: Settings, journal: JournalStore, incident: Incident,
    pull: PullRequest, now: datetime, tell: str,
) -> None:  # fmt: skip
    merged_at = claim.step(records.MERGED_AT, lambda: now)
    environment = Environment(project_id=incident.project_id, environment_id=incident.environment_id)
    live = _deployed(railway, environment, incident, pull, merged_at)
    if live is None:
        if (now - merged_at).total_seconds() > DEPLOYED_WITHIN_SECONDS:
            _finish(
                claim,
                FollowUp(verified=False, sentence=f"#{pull.number} is merged, but was not deployed"),
                tell,
            )
            return
        claim.advance("watch", after=_poll(claim, now) if now > merged_at + timedelta(minutes=5) else 5)
        return
    since = live.status_at or live.created_at
    ready = since + timedelta(minutes=settings.verify_minutes)
    if now < ready:
        claim.advance("watch", after=max(1.0, (ready - now).total_seconds()))
        return
    window = Window(start=since, end=now)

    def measure() -> Survey:
        made = snapshot.take_survey(railway, environment, window, settings.sample_seconds)
        if (gaps := _new_gaps(incident, made)) and claim.attempts < MEASURE_TRIES:
            raise RailwayBusy(f"cannot be measured again now: {'; '.join(map(describe_gap, gaps))}")
        return made

    seen = claim.step(records.AFTER, measure)
    known = summary_store.baseline_windows(summary_store.read(journal, incident.environment_id, since), since)
    findings = detection.detect(seen, min_duration_minutes=settings.min_duration_minutes, history=known)
    _finish(claim, compare(incident, seen, findings), tell)


def _deployed(
    railway: Railway, environment: Environment, incident: Incident, pull: PullRequest, merged_at: datetime
) -> Deployment | None:
    """The live deployment of the merge, or of something newer."""
    history = railway.deployments(environment, incident.subject.key, 10)
    live = [one for one in history if one.status == "SUCCESS" and not one.stopped]
    exact = [one for one in live if pull.merge_commit and one.commit == pull.merge_commit]
    newer = [one for one in live if one.commit and one.created_at > merged_at]
    return next(iter([*exact, *newer]), None)


def compare(incident: Incident, seen: Survey, findings: list[Finding]) -> FollowUp:
    """Whether the signature of the incident is gone in a window that lies wholly after the deployment.

    What is usual by now has not healed; a notice beside the trouble was none of it, and may stay.
    """
    loud = {one.kind for one in incident.findings if one.severity is not Severity.NOTICE}
    kinds = loud or {one.kind for one in incident.findings}
    own = [one for one in findings if one.service_id == incident.subject.key and one.kind in kinds]
    again = [one for one in own if one.is_baseline or one.severity is not Severity.NOTICE or not loud]
    service = next((one for one in seen.services if one.id == incident.subject.key), None)
    requests = sum(minute.requests for minute in service.traffic) if service else 0
    errors = sum(minute.server_errors for minute in service.traffic) if service else 0
    numbers = {"requests": float(requests), "server_errors": float(errors)}
    minutes = f"{seen.window.minutes:.1f} minutes"
    if again:
        return FollowUp(verified=False, sentence=f"it did not hold: {again[0].sentence}", numbers=numbers)
    gaps = _new_gaps(incident, seen)
    if service is None or gaps:
        why = "; ".join(map(describe_gap, gaps)) or "the service is not there any more"
        return FollowUp(verified=False, sentence=f"could not be measured again: {why}")
    traffic = f"{errors} of {requests} requests failed" if requests else "there was no traffic"
    sentence = f"it held: over {minutes} after the deployment {traffic}{_still_suffering(incident, findings)}"
    return FollowUp(verified=True, sentence=sentence, numbers=numbers)


def _new_gaps(incident: Incident, seen: Survey) -> list[Gap]:
    """What could not be seen; what was not seen when the trouble was found either hides nothing of it."""
    return [gap for gap in seen.gaps_for(incident.subject.name) if gap not in incident.failed_reads]


def _still_suffering(incident: Incident, findings: list[Finding]) -> str:
    """Who suffered from it and is sick all the same: then that was not, or not only, because of this service."""
    sick = {one.service_id for one in findings if one.severity is not Severity.NOTICE}
    names = dict.fromkeys(one.service[:60] for one in incident.symptoms if one.service_id in sick)
    return (
        f"; not well yet, though counted as suffering from it: {', '.join(list(names)[:4])}" if names else ""
    )


def _finish(claim: Claim, watched: FollowUp, tell: str) -> None:
    claim.record(records.FOLLOW_UP, watched)
    ended_as = EndedAs.FIX_VERIFIED if watched.verified else EndedAs.FIX_FAILED
    claim.end(ended_as, "held" if watched.verified else "did not hold", notify=tell)
    log.info("watched", extra={"journal": claim.id, "held": watched.verified})
