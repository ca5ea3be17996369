"""The flow, top to bottom: claim, do one stage, hand on. The only file that knows queues and stages at once.

intake → survey → analyse → (per cause) enrich → diagnose → plan → mend → propose → watch;  tell beside it
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from workers import detection
from workers.clients import deadline, heartbeat
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.clients.railway import Railway, snapshot
from workers.clients.slack import Slack
from workers.engine import records, scripts
from workers.engine.claim import MAX_CRASHES, TTL_SECONDS, Claim
from workers.engine.schema import PREFIX, EndedAs, alert_notification_key, slot_key, sweep_prefix
from workers.engine.stage_table import DEFAULT_DEADLINE_SECONDS, STAGES
from workers.engine.worker_store import WorkerStore
from workers.errors import NotAvailable, SlackRefused, Superseded, TrackwalkerError
from workers.history import backfill, summary_store
from workers.incidents import (
    controls,
    grouping,
    missed_webhooks,
    opening,
    ping_watchdog,
    request_quota,
    watching,
)
from workers.investigation import diagnosis
from workers.investigation.evidence import read_evidence
from workers.models import (
    Alert,
    Environment,
    Evidence,
    Finding,
    Outcome,
    Severity,
    Survey,
    Window,
)
from workers.notifications import notify
from workers.pipeline.failures import (
    abandon,
    conclude,
    give_up,
    handle_error,
    is_suppressed,
    notification_key,
    report_operational_error,
)
from workers.pull_requests import propose as pull_requests
from workers.remediation import attempt, fix_requirements
from workers.remediation.resources import Remediation
from workers.runtime.settings import Settings

SLACK_REFUSED_RETRY_SECONDS = 300.0
"""So often it is looked whether a person has mended what Slack refused."""
QUIET_TTL_SECONDS = 2 * 86_400
"""How long a ping's sweep is kept that found nothing to open: a survey is some 20 KB, and there are 144 a day."""
NON_NOTIFICATION_THREADS = 6
"""Of a worker's eight threads (Procfile): two are left for words, whatever the others hang on."""
COMPLETE_EVIDENCE_ATTEMPTS = 5
"""So often, within about a minute, facts that cannot be read now are waited for: a round goes by what it has read."""
NO_SLOT_RETRY_SECONDS = 2.0
"""So soon a journal is woken again that found no place."""
FULL_SWEEP_RETRY_SECONDS = 5.0
"""So soon an alert asks again for whom the next sweep had no room."""

log = logging.getLogger("trackwalker.line")


@dataclass(frozen=True)
class Services:
    """What the stages use; built once by `main`."""

    settings: Settings
    store: WorkerStore
    railway: Railway
    github: GitHub
    slack: Slack | None
    repositories: Repositories
    remediation: Remediation
    now: Callable[[], datetime]


def declare(broker: RedisBroker, services: Services) -> None:
    """Declare one actor per stage on the broker. Whatever may hang leaves threads for the words in Slack."""
    mends, all_but_words = (
        threading.Semaphore(services.settings.max_concurrent_fixes),
        threading.Semaphore(NON_NOTIFICATION_THREADS),
    )
    places = {"fixes": (mends, all_but_words), "sweeps": (all_but_words,), "incidents": (all_but_words,)}
    for stage in STAGES.values():
        act = _acting(services, stage.name, places.get(stage.queue, ()))
        dramatiq.actor(broker=broker, actor_name=stage.name, queue_name=stage.queue)(act)


def _acting(services: Services, stage: str, places: Sequence[threading.Semaphore]) -> Callable[[str], None]:
    """What the actor of a stage does with a journal's name: its work, where there is a place for it."""

    def act(key: str) -> None:
        with ExitStack() as taken:
            for place in places:
                if not place.acquire(blocking=False):
                    _wake_soon(services.store, key)
                    return
                taken.callback(place.release)
            work(services, stage, key)

    return act


def _wake_soon(journal: WorkerStore, key: str) -> None:
    """The message is dropped, the journal is woken again before the mover would by itself."""
    with suppress(NotAvailable):
        journal.run(scripts.BRING_FORWARD, journal=key, within_ms=int(NO_SLOT_RETRY_SECONDS * 1000))


# ---- one stage each --------------------------------------------------------------------------


def intake(services: Services, claim: Claim) -> None:
    """An alert ends by standing on a sweep of each environment it can mean, or by one that tells the same."""
    alert = claim.need(records.ALERT)
    watched = services.settings.environments or tuple(services.railway.environments())
    meant = [one for one in watched if alert.environment_id in (None, one.environment_id)]
    meant = [one for one in meant if alert.project_id in (None, one.project_id)]
    # Who is owed an answer by several environments has no like: it might stand on the sweep of one of them only.
    told = alert.id if alert.source == "railway" and len(meant) > 1 else opening.dedup_scope(alert)
    attached = [_enqueue_on_sweep(services.store, claim, alert, one, told) for one in meant]
    if not all(attached):
        claim.advance("intake", after=FULL_SWEEP_RETRY_SECONDS, reason="the next sweep is full")
        return
    if not meant:
        services.store.wake(alert_notification_key(alert.id), drop_reason="not watched")
    if meant:
        claim.end(EndedAs.ASSIGNED, "handed to a sweep")
    else:
        claim.end(EndedAs.NOT_WATCHED, "not watched")
    log.info("alert taken", extra={"journal": claim.id, "kind": alert.kind, "sweeps": len(meant)})


def _enqueue_on_sweep(
    journal: WorkerStore, claim: Claim, alert: Alert, environment: Environment, told: str
) -> bool:
    """Put the alert on the environment's next sweep; False when that is full."""
    name = environment.environment_id
    if claim.text(f"on:{sweep_prefix(name)}"):
        return True  # by somebody who died right after; that sweep may be under way by now
    return bool(
        journal.run(
            scripts.ENQUEUE_ON_SWEEP, slot=slot_key(name), alert=claim.key,
            notification=alert_notification_key(alert.id), sweep_prefix=sweep_prefix(name), alert_id=alert.id,
            environment_record=records.ENVIRONMENT.pack(environment), alert_record=records.ALERT.pack(alert),
            slot_ttl_ms=TTL_SECONDS * 1000, scope=told,
            # Each alert that is on a sweep for itself takes two fields of it.
            max_fields=2 * opening.MAX_ALERTS_PER_SWEEP,
        )
    )  # fmt: skip


def survey(services: Services, claim: Claim) -> None:
    """What the environment is and did in the window."""
    settings, environment = services.settings, claim.need(records.ENVIRONMENT)

    def look() -> Survey:
        end = services.now()
        start = datetime.fromtimestamp(end.timestamp() - settings.window_minutes * 60, UTC)
        window = Window(start=start, end=end)
        railway, made = services.railway.with_own_count(DEFAULT_DEADLINE_SECONDS), None
        try:
            made = snapshot.take_survey(railway, environment, window, settings.sample_seconds)
            return made
        finally:
            # A sweep that was refused half-way says nothing of what one costs, but what is left is worth knowing.
            cost, name = railway.requests_sent if made else 0, environment.environment_id
            request_quota.store_sweep_cost(services.store, name, railway.rate_limit, cost, services.now())

    seen = claim.step(records.SURVEY, look)
    log.info("surveyed", extra={"journal": claim.id, "services": len(seen.services)})
    claim.advance("analyse")


def analyse(services: Services, claim: Claim) -> None:
    """Findings; an incident per cause; an answer to every alert."""
    seen = claim.need(records.SURVEY)
    persist = services.settings.min_duration_minutes

    def compare() -> list[Finding]:
        railway = services.railway.with_own_count(backfill.TIMEOUT_SECONDS)
        known = backfill.load_history(railway, services.store, seen, min_duration_minutes=persist)
        if cost := railway.requests_sent:
            name, left = seen.environment_id, railway.rate_limit
            request_quota.store_history_cost(services.store, name, left, cost, services.now())
        usual = summary_store.baseline_windows(known, seen.window.start)
        return detection.detect(seen, min_duration_minutes=persist, history=usual)

    findings = claim.step(records.FINDINGS, compare)
    summary_store.add_sweep(services.store, seen, findings)
    opened_at = claim.step(records.OPENED_AT, services.now)
    held = opening.open_incidents(
        claim, services.store, seen, findings,
        opened_at=opened_at, ack_seconds=services.settings.ack_seconds,
    )  # fmt: skip
    sick = {one.service_id for one in findings if one.severity is not Severity.NOTICE}
    missed_webhooks.ingest_missed(
        services.store, seen, sick, at=opened_at, own_service=services.settings.railway_service_id,
        ack_seconds=services.settings.ack_seconds,
    )  # fmt: skip
    log.info("judged", extra={"journal": claim.id, "findings": len(findings), "incidents": held})
    asked = {alert.source for alert in opening.alerts_of(claim)}
    claim.end(
        EndedAs.FINDINGS if findings else EndedAs.NO_FINDINGS,
        f"{len(findings)} findings" if findings else "nothing above the line",
        keep_seconds=TTL_SECONDS if held or asked != {"ping"} else QUIET_TTL_SECONDS,
    )
    if "ping" in asked and services.settings.heartbeat_url:
        heartbeat.ping(services.settings.heartbeat_url)


def enrich(services: Services, claim: Claim) -> None:
    """The facts of the sick service."""
    if is_suppressed(claim):
        return
    incident = claim.need(records.INCIDENT)
    newest = claim.get(records.SYMPTOMS)
    if newest is not None:
        incident = incident.model_copy(update={"symptoms": tuple(newest)})

    def read() -> Evidence:
        return read_evidence(
            incident, railway=services.railway, github=services.github,
            repositories=services.repositories, status_pages=services.settings.status_pages,
            require_all=claim.attempts < COMPLETE_EVIDENCE_ATTEMPTS,
        )  # fmt: skip

    evidence = claim.step(records.EVIDENCE, read)
    log.info("evidence", extra={"journal": claim.id, "facts": len(evidence.facts)})
    claim.advance("diagnose", notify=notification_key(claim))


def diagnose(services: Services, claim: Claim) -> None:
    """The lane; what is not for the code, or names what else would end it, is told and waited for."""
    if is_suppressed(claim):
        return
    incident, evidence = claim.need(records.INCIDENT), claim.need(records.EVIDENCE)
    verdict = claim.step(records.VERDICT, lambda: diagnosis.diagnose(incident, evidence))
    log.info("verdict", extra={"journal": claim.id, "lane": verdict.category.value})
    mends = verdict.calls_for_a_fix
    missing = fix_requirements.missing_requirement(services.settings, evidence) if mends else None
    if mends and missing is None:
        claim.advance("plan", notify=notification_key(claim))
        return
    outcome = notify.inconclusive(verdict, evidence)
    if missing is not None:
        line = fix_requirements.describe_requirement(missing, services.settings)
        outcome = outcome.model_copy(update={"lines": (*outcome.lines, line)})
    conclude(claim, outcome)


def plan(services: Services, claim: Claim) -> None:
    """The reading agent's plan."""
    if is_suppressed(claim):
        return
    if grouping.needs_approval(claim) and not claim.has(records.PLAN):
        conclude(claim, awaiting_approval(claim))
        return
    check_controls(services, claim)
    outcome = attempt.plan(claim, services.remediation)
    if outcome is not None:
        conclude(claim, outcome)
        return
    claim.advance("fix", notify=notification_key(claim))


def fix(services: Services, claim: Claim) -> None:
    """The writing agent's patch, and what the host proved of it."""
    if is_suppressed(claim):
        return
    check_controls(services, claim)
    outcome = attempt.fix(claim, services.remediation)
    if outcome is not None:
        conclude(claim, outcome)
        return
    claim.advance("propose", notify=notification_key(claim))


def propose(services: Services, claim: Claim) -> None:
    """One pull request."""
    if is_suppressed(claim):
        return
    claim.check_allowed = lambda: check_controls(services, claim)
    claim.check_allowed()
    outcome = pull_requests.propose(
        claim, services.github, services.repositories, mode=services.settings.mode,
        link=services.settings.url, max_open=services.settings.max_open_prs,
    )  # fmt: skip
    log.info("proposed", extra={"journal": claim.id, "link": outcome.link})
    conclude(claim, outcome)


def watch(services: Services, claim: Claim) -> None:
    """Until the trouble is gone: the pull request's fate, the deployment of the merge, clean sweeps."""
    watching.follow_up(
        claim, services.railway, services.github, services.settings, services.store, services.now(),
        notify=notification_key(claim),
    )  # fmt: skip


def notify_people(services: Services, claim: Claim) -> None:
    """Slack shows what the journal says; in shadow, or where none is set up, only the journal does."""
    slack = None if services.settings.mode == "shadow" else services.slack
    try:
        notify.notify(claim, services.store, slack, now=services.now())
    except SlackRefused as error:
        # A wrong token or channel is mended by a person; what was to be said is kept for hours.
        raise NotAvailable(str(error), retry_after=SLACK_REFUSED_RETRY_SECONDS) from error


def pings(services: Services, claim: Claim) -> None:
    """Pings are due; whoever set this up hears when they stay away, and when they come again."""
    now, usual = services.now(), services.settings.ping_minutes * 60
    if note := ping_watchdog.check(claim, usual, now):
        log.warning("pings", extra={"what": note})
        report_operational_error(services.store, note, now)
    ping_watchdog.reschedule(claim, usual, now)


STAGE_HANDLERS: dict[str, Callable[[Services, Claim], None]] = {
    "intake": intake,
    "survey": survey,
    "analyse": analyse,
    "enrich": enrich,
    "diagnose": diagnose,
    "plan": plan,
    "fix": fix,
    "propose": propose,
    "watch": watch,
    "notify": notify_people,
    "pings": pings,
}


# ---- what every stage shares -----------------------------------------------------------------


def awaiting_approval(claim: Claim) -> Outcome:
    """What is told of an incident under an umbrella that would be mended."""
    told = notify.inconclusive(claim.need(records.VERDICT), claim.need(records.EVIDENCE))
    ask = f"mending waits for a person: python -m workers fix {claim.id}"
    return told.model_copy(update={"kind": "waiting", "lines": (*told.lines, ask)})


def check_controls(services: Services, claim: Claim) -> None:
    """Raises Held while paused, or while the sick service is muted."""
    incident = claim.need(records.INCIDENT)
    names = (incident.subject.key, incident.subject.name)
    controls.check(services.store, names, services.now().timestamp())


def work(services: Services, stage: str, key: str) -> None:
    """One stage of one journal under a claim, and what follows when it fails."""
    journal = services.store
    if journal.stopping.is_set():
        return
    try:
        seconds = STAGES[stage].deadline_seconds
        with journal.claimed(key, stage, deadline_seconds=seconds) as claim, deadline.within(seconds):
            if claim is not None:
                _attempt(services, claim)
    except (Superseded, NotAvailable) as error:
        log.warning("let go", extra={"journal": key.removeprefix(PREFIX), "why": str(error)})


def _attempt(services: Services, claim: Claim) -> None:
    try:
        if claim.crash_count > MAX_CRASHES:
            give_up(claim, f"the worker died {claim.crash_count} times during {claim.stage}", services.now())
        else:
            STAGE_HANDLERS[claim.stage](services, claim)
    except TrackwalkerError as error:
        if services.store.stopping.is_set():
            # Whatever went wrong now may come of our own killing.
            claim.release()
            return
        handle_error(claim, error, services.now())
    except Exception as error:
        # A bug counts as a death: the lease runs out, another attempt follows, a few deaths end the round.
        log.exception("a stage broke", extra={"journal": claim.id, "stage": claim.stage})
        if services.store.stopping.is_set():
            claim.release()
        elif claim.crash_count > 2 * MAX_CRASHES:
            abandon(claim, error, services.now())
