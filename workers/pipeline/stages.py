"""The stages of the pipeline, in order, one function each.

intake → survey → analyse → (per cause) enrich → diagnose → plan → fix → propose → watch.
The stages notify and pings run beside them, and roll_back when a person asks for it.

A stage reads the records of earlier stages, computes and records its own, then advances or ends its journal. It may
run again after a crash. An error that it raises is handled in `failures`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from workers import detection
from workers.clients import heartbeat
from workers.clients.railway import snapshot
from workers.engine import records, scripts, stage_table
from workers.engine.claim import TTL_SECONDS, Claim
from workers.engine.schema import EndedAs, alert_notification_key, slot_key, sweep_prefix
from workers.engine.stage_table import DEFAULT_DEADLINE_SECONDS, Stage
from workers.errors import NotAvailable, SlackRefused
from workers.history import backfill, summary_store
from workers.incidents import (
    controls,
    extra_checks,
    first_check,
    good_news,
    grouping,
    missed_webhooks,
    opening,
    ping_watchdog,
    relapses,
    request_quota,
    rollbacks,
    watching,
)
from workers.incidents.intake import RESOLVED
from workers.investigation import diagnosis
from workers.investigation.evidence import read_evidence
from workers.models import (
    Alert,
    DropReason,
    Environment,
    Evidence,
    Finding,
    Outcome,
    Survey,
    Verdict,
    Window,
    affected_services,
)
from workers.notifications import messages
from workers.notifications.notify import update_messages
from workers.notifications.presentation import presentation
from workers.pipeline import delays
from workers.pipeline.failures import report_once_a_day
from workers.pipeline.outcomes import conclude, notification_of, stop_if_suppressed
from workers.pipeline.services import Services
from workers.pull_requests.propose import propose_fix
from workers.remediation import attempt, fix_requirements
from workers.runtime.text import plural

SLACK_REFUSED_RETRY_SECONDS = 300.0  # a person has to repair a token or channel that Slack refuses
# Time for which a ping's sweep without incidents is kept: there are 144 a day, with a survey of 20 KB each.
QUIET_TTL_SECONDS = 2 * 86_400
QUIET_SOURCES = {"ping", "follow-up"}  # of alerts that are owed no answer, and come by the hundred
COMPLETE_EVIDENCE_ATTEMPTS = 5  # about a minute: after these attempts missing evidence becomes a gap
FULL_SWEEP_RETRY_SECONDS = 5.0  # delay before an alert is put on the next sweep, when the queued one is full
FIELDS_PER_ALERT = 2  # an alert on a sweep takes the fields `a:<id>` and `same:<scope>`

Handler = Callable[[Services, Claim], None]
HANDLERS: dict[str, Handler] = {}
"""The function of each stage, by the stage's name."""

log = logging.getLogger("trackwalker.pipeline")


def handles(stage: Stage) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of a stage."""

    def register(handler: Handler) -> Handler:
        HANDLERS[stage.name] = handler
        return handler

    return register


# ---- alert ----


@handles(stage_table.INTAKE)
def intake(services: Services, claim: Claim) -> None:
    """Put an alert on the queued sweep of each environment that it can mean."""
    alert = claim.need(records.ALERT)
    watched = services.settings.environments or tuple(services.railway.environments())
    environments = [environment for environment in watched if _may_mean(alert, environment)]
    if alert.kind == RESOLVED:
        concerned = good_news.environments_to_check(services.store, alert)
        environments = [item for item in environments if item.environment_id in concerned]
        if not environments:
            claim.end(EndedAs.DROPPED, "good news, and no open incident that it concerns")
            return
    # An alert of several environments shares its answer with no other alert, which might be on the sweep of only one
    # of them.
    spans_environments = alert.source == "railway" and len(environments) > 1
    scope = alert.id if spans_environments else opening.dedup_scope(alert)
    enqueued = [_enqueue_on_sweep(claim, environment, scope) for environment in environments]
    if not all(enqueued):
        claim.advance("intake", after=FULL_SWEEP_RETRY_SECONDS, reason="the next sweep is full")
        return
    if environments:
        claim.end(EndedAs.ASSIGNED, "assigned to a sweep")
        log.debug(
            "alert assigned to sweep",
            extra={"journal": claim.id, "kind": alert.kind, "sweeps": len(environments)},
        )
    else:
        services.store.wake(alert_notification_key(alert.id), drop_reason=DropReason.NOT_WATCHED.value)
        claim.end(EndedAs.NOT_WATCHED, "not watched")
        log.info("alert not watched", extra={"journal": claim.id, "kind": alert.kind})


def _may_mean(alert: Alert, environment: Environment) -> bool:
    """False if the alert names another project or environment."""
    is_environment = alert.environment_id in (None, environment.environment_id)
    return is_environment and alert.project_id in (None, environment.project_id)


def _enqueue_on_sweep(claim: Claim, environment: Environment, scope: str) -> bool:
    """Put the claimed alert on the environment's queued sweep; False if that sweep is full."""
    name, alert = environment.environment_id, claim.need(records.ALERT)
    # After a crash the alert may be on a sweep that runs already. Another sweep would answer it twice.
    if claim.text(f"on:{sweep_prefix(name)}"):
        return True
    sweep = claim.store.run(
        scripts.ENQUEUE_ON_SWEEP, slot=slot_key(name), alert=claim.key,
        notification=alert_notification_key(alert.id), sweep_prefix=sweep_prefix(name), alert_id=alert.id,
        environment_record=records.ENVIRONMENT.pack(environment), alert_record=records.ALERT.pack(alert),
        slot_ttl_ms=TTL_SECONDS * 1000, scope=scope,
        max_fields=FIELDS_PER_ALERT * opening.MAX_ALERTS_PER_SWEEP,
    )  # fmt: skip
    return bool(sweep)


# ---- sweep ----


@handles(stage_table.SURVEY)
def survey(services: Services, claim: Claim) -> None:
    """Record what the environment is, and what it did in the window that ends now."""
    environment = claim.need(records.ENVIRONMENT)
    survey = claim.step(records.SURVEY, lambda: _take_survey(services, environment))
    log.debug("survey taken", extra={"journal": claim.id, "services": len(survey.services)})
    claim.advance("analyse")


def _take_survey(services: Services, environment: Environment) -> Survey:
    settings, end = services.settings, services.now()
    window = Window(start=end - timedelta(minutes=settings.window_minutes), end=end)
    railway, survey = services.railway.with_own_count(DEFAULT_DEADLINE_SECONDS), None
    try:
        survey = snapshot.take_survey(railway, environment, window, settings.sample_seconds)
        return survey
    finally:
        # A survey that failed half-way tells nothing about the cost of a sweep (0), but the rate limit is still known.
        cost = railway.requests_sent if survey else 0
        request_quota.store_sweep_cost(
            services.store, environment.environment_id, railway.rate_limit, cost, services.now()
        )


@handles(stage_table.ANALYSE)
def analyse(services: Services, claim: Claim) -> None:
    """Find unhealthy services, open an incident per cause, and answer every alert."""
    settings, store, survey = services.settings, services.store, claim.need(records.SURVEY)
    findings = claim.step(records.FINDINGS, lambda: _detect(services, survey))
    summary_store.add_sweep(store, survey, findings)
    opened_at = claim.step(records.OPENED_AT, services.now)
    incidents = opening.open_incidents(
        claim, store, survey, findings, opened_at=opened_at, ack_seconds=settings.ack_seconds,
        min_duration_minutes=settings.min_duration_minutes,
    )  # fmt: skip
    first_check.report(store, survey, findings, incidents)
    extra_checks.schedule_next(store, survey, opened_at)
    affected = affected_services(findings)
    missed_webhooks.ingest_missed(
        store, survey, affected, at=opened_at, own_service=settings.railway_service_id,
        ack_seconds=settings.ack_seconds,
    )  # fmt: skip
    facts = {"journal": claim.id, "findings": len(findings), "incidents": incidents}
    log.debug("sweep analysed", extra=facts)
    sources = {alert.source for alert in opening.alerts_of(claim)}
    claim.end(
        EndedAs.FINDINGS if findings else EndedAs.NO_FINDINGS,
        _describe_sweep(survey, findings),
        keep_seconds=TTL_SECONDS if incidents or sources - QUIET_SOURCES else QUIET_TTL_SECONDS,
    )
    # After the end: only a sweep that ran to its end may satisfy the dead-man's switch.
    if "ping" in sources and settings.heartbeat_url:
        heartbeat.ping(settings.heartbeat_url)


def _describe_sweep(survey: Survey, findings: list[Finding]) -> str:
    """The outcome of a sweep for people. What could not be read is no all-clear."""
    if findings:
        return plural(len(findings), "finding")
    gaps = len(survey.failed_reads)
    return f"no finding, but {plural(gaps, 'read')} failed" if gaps else "no problem found"


def _detect(services: Services, survey: Survey) -> list[Finding]:
    min_duration = services.settings.min_duration_minutes
    railway = services.railway.with_own_count(backfill.TIMEOUT_SECONDS)
    history = backfill.load_history(railway, services.store, survey, min_duration_minutes=min_duration)
    if cost := railway.requests_sent:
        request_quota.store_history_cost(
            services.store, survey.environment_id, railway.rate_limit, cost, services.now()
        )
    baseline = summary_store.baseline_windows(history, survey.window.start)
    acute = relapses.without_ended_trouble(services.store, survey)
    return detection.detect(acute, min_duration_minutes=min_duration, history=baseline)


# ---- incident ----


@handles(stage_table.ENRICH)
def enrich(services: Services, claim: Claim) -> None:
    """Gather the facts about an incident."""
    if stop_if_suppressed(claim):
        return
    incident = claim.need(records.INCIDENT)
    symptoms = claim.get(records.SYMPTOMS)
    if symptoms is not None:
        incident = incident.model_copy(update={"symptoms": tuple(symptoms)})

    def read() -> Evidence:
        return read_evidence(
            incident, railway=services.railway, github=services.github,
            repositories=services.repositories, status_pages=services.settings.status_pages,
            require_all=claim.attempts < COMPLETE_EVIDENCE_ATTEMPTS,
        )  # fmt: skip

    evidence = claim.step(records.EVIDENCE, read)
    log.debug("evidence gathered", extra={"journal": claim.id, "facts": len(evidence.facts)})
    claim.advance("diagnose", notify=notification_of(claim))


@handles(stage_table.DIAGNOSE)
def diagnose(services: Services, claim: Claim) -> None:
    """Decide the category; a verdict that calls for no fix, or whose fix lacks a requirement, is reported."""
    if stop_if_suppressed(claim):
        return
    incident, evidence = claim.need(records.INCIDENT), claim.need(records.EVIDENCE)
    verdict = claim.step(records.VERDICT, lambda: diagnosis.diagnose(incident, evidence))
    claim.set_fields(verdict_at=f"{services.now().timestamp():.3f}")
    log.info("incident diagnosed", extra={"journal": claim.id, "category": verdict.category.value})
    outcome = _outcome_without_fix(services, verdict, evidence)
    if outcome is None:
        claim.advance("plan", notify=notification_of(claim))
    else:
        conclude(claim, outcome)


def _outcome_without_fix(services: Services, verdict: Verdict, evidence: Evidence) -> Outcome | None:
    """The outcome of an incident that is reported without a fix; None if a fix is planned."""
    if not verdict.calls_for_a_fix:
        return messages.summarise_verdict(verdict)
    missing = fix_requirements.missing_requirement(services.settings, evidence)
    if missing is None:
        return None
    reported = messages.summarise_verdict(verdict)
    requirement = fix_requirements.describe_requirement(missing, services.settings)
    return reported.model_copy(update={"lines": (*reported.lines, requirement)})


@handles(stage_table.PLAN)
def plan(services: Services, claim: Claim) -> None:
    """Let the reading agent plan a fix, and reserve the fault location."""
    if stop_if_suppressed(claim):
        return
    if grouping.needs_approval(claim) and not claim.has(records.PLAN):
        conclude(claim, _awaiting_approval(claim))
        return
    _check_controls(services, claim)
    with delays.reported_if_silent(claim, "reader", services.settings.ack_seconds):
        outcome = attempt.plan(claim, services.remediation)
    _conclude_or_advance(claim, outcome, "fix")


def _awaiting_approval(claim: Claim) -> Outcome:
    reported = messages.summarise_verdict(claim.need(records.VERDICT))
    return reported.model_copy(update={"kind": "waiting"})


@handles(stage_table.FIX)
def fix(services: Services, claim: Claim) -> None:
    """Let the writing agent make the patch, and verify it."""
    if stop_if_suppressed(claim):
        return
    _check_controls(services, claim)
    with delays.reported_if_silent(claim, "writer", services.settings.ack_seconds):
        outcome = attempt.fix(claim, services.remediation)
    _conclude_or_advance(claim, outcome, "propose")


def _conclude_or_advance(claim: Claim, outcome: Outcome | None, stage: str) -> None:
    if outcome is None:
        claim.advance(stage, notify=notification_of(claim))
    else:
        conclude(claim, outcome)


@handles(stage_table.PROPOSE)
def propose(services: Services, claim: Claim) -> None:
    """Open the pull request."""
    if stop_if_suppressed(claim):
        return
    claim.check_allowed = lambda: _check_controls(services, claim)
    claim.check_allowed()
    outcome = propose_fix(
        claim, services.github, services.repositories, mode=services.settings.mode,
        link=services.settings.url, max_open=services.settings.max_open_prs,
        model=services.settings.model or "",
    )  # fmt: skip
    log.debug("fix proposed", extra={"journal": claim.id, "kind": outcome.kind, "link": outcome.link})
    conclude(claim, outcome)


def _check_controls(services: Services, claim: Claim) -> None:
    """Raises OnHold while Trackwalker is paused, or the incident's service is muted."""
    subject = claim.need(records.INCIDENT).subject
    controls.check(services.store, (subject.key, subject.name), services.now().timestamp())


@handles(stage_table.WATCH)
def watch(services: Services, claim: Claim) -> None:
    """Follow up an incident until its trouble is gone: pull request, deployment, measured effect, clean sweeps."""
    watching.follow_up(
        claim, services.railway, services.github, services.settings, services.store, services.now(),
        notify=notification_of(claim),
    )  # fmt: skip


# ---- a rollback ----


@handles(stage_table.ROLL_BACK)
def roll_back(services: Services, claim: Claim) -> None:
    """Perform the rollback, or the end of one, that a person asked for."""
    rollbacks.perform(claim, services.railway, services.store, services.now())


# ---- notifications and the ping watchdog ----


@handles(stage_table.NOTIFY)
def notify(services: Services, claim: Claim) -> None:
    """Update Slack from the journals. In shadow mode, or without Slack, the messages are only recorded."""
    slack = None if services.settings.mode == "shadow" else services.slack
    try:
        look = presentation(services.settings)
        update_messages(claim, services.store, slack, look, now=services.now())
    except SlackRefused as error:
        # A person has to repair the token or the channel, so the messages wait instead of ending the journal.
        raise NotAvailable(str(error), retry_after=SLACK_REFUSED_RETRY_SECONDS) from error


@handles(stage_table.PINGS)
def pings(services: Services, claim: Claim) -> None:
    """Report that pings are missing, or that they have resumed."""
    now, interval = services.now(), services.settings.ping_minutes * 60
    if report := ping_watchdog.check(claim, interval, now):
        log.warning("ping watchdog report", extra={"kind": report.kind.value})
        report_once_a_day(services.store, report, now)
    ping_watchdog.reschedule(claim, interval, now)
