"""Findings become incidents: by set-if-absent, one per cause; nobody else opens one. Alerts get their answer."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from workers.detection import CauseGroup, group_by_cause
from workers.detection.causes import SYMPTOM_KINDS
from workers.engine import records, scripts
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import (
    OPEN,
    alert_key,
    alert_notification_key,
    journal_id,
    journal_key,
    last_end_key,
    no_problem_key,
    notification_key,
)
from workers.incidents import grouping
from workers.incidents.intake import is_problem_alert
from workers.incidents.watching import CLEAN_SWEEPS
from workers.models import Alert, Finding, GapPart, Incident, Severity, Survey, describe_gap, digest

RECHECK_SUFFIX = "-again"
RECHECK_SECONDS = 300.0
"""An alert whose service looks healthy is looked at once more after this."""
NEWEST = ("findings", "symptoms", "service", "window", "failed_reads")
"""What a round that has not begun takes over from a later sweep."""
MAX_ALERTS_PER_SWEEP = 200
"""Of different ones on one sweep, as a claim reads them all: more of them wait for the next sweep."""
MAX_SYMPTOMS = 20
"""Findings of others that an incident keeps; more of them say nothing new about its cause."""


def open_incidents(
    sweep: Claim, journal: JournalStore, survey: Survey, findings: list[Finding], *,
    opened_at: datetime, ack_seconds: float,
) -> list[str]:  # fmt: skip
    """Open or join an incident per cause, count the sweep as clean for the others, answer the alerts.

    What is a symptom here gets no incident; the one that it had is joined to its cause's. Returns the ids of the
    incidents that hold the trouble. May be done twice: everything in it is set-if-absent.
    """
    alerts, troubles = alerts_of(sweep), group_by_cause(findings, survey)
    held, answered = [], set()
    sources = {trouble.subject.key for trouble in troubles}
    ids = tuple(alert.id for alert in alerts)
    made = [(trouble, _incident(journal, survey, trouble, opened_at, ids)) for trouble in troubles]
    # Before the first of them is open: its first word may be due at once.
    real = [(trouble, incident) for trouble, incident in made if not _is_residual(journal, incident)]
    over = grouping.assign_group(journal, [incident for _, incident in real], opened_at) if real else ""
    for trouble, incident in real:
        sick = [*trouble.findings, *trouble.symptoms]
        # Trouble told without a service (a volume alert) is answered by the likeliest cause.
        likeliest = trouble is troubles[0]
        named = [one for one in alerts if _names(one, sick) or (likeliest and _names_nobody(one))]
        held.append(_open(sweep, journal, incident, named, ack_seconds, over))
        suffers = [one for one in trouble.symptoms if one.service_id not in sources]
        _update_symptoms(journal, incident, held[-1], suffers)
        answered |= {alert.id for alert in named}
    suffering = {one.service_id for trouble in troubles for one in trouble.symptoms}
    _update_recovery(sweep, journal, survey, findings, held, suffering)
    for alert in alerts:
        if alert.id not in answered:
            _answer_no_problem(journal, survey, alert)
    return held


def dedup_scope(alert: Alert) -> str:
    """What an alert tells: one answer is enough for all that tell the same and are looked for by the same sweep.

    A second look answers the one alert that it is for. Where no service is named, it may be about anything: only the
    very same words tell the same.
    """
    if alert.id.endswith(RECHECK_SUFFIX):
        return alert.id
    text = "" if alert.service_id or alert.service_name else alert.message
    trouble = "trouble" if is_problem_alert(alert) else ""
    return digest(alert.source, trouble, alert.service_id or "", alert.service_name or "", text)


def alerts_of(sweep: Claim) -> list[Alert]:
    """The alerts that a sweep looks for."""
    stored = [
        sweep.unpack(value, records.ALERT) for name, value in sweep.fields.items() if name.startswith("a:")
    ]
    return [alert for alert in stored if alert is not None]


def _names(alert: Alert, sick: list[Finding]) -> bool:
    """Whether the alert is about one of the sick services."""
    if alert.service_id or alert.service_name:
        return any(alert.service_id == one.service_id or alert.service_name == one.service for one in sick)
    return any(mentions(alert.message, one.service) for one in sick) if alert.source == "slack" else False


def _names_nobody(alert: Alert) -> bool:
    named = alert.service_id or alert.service_name
    return not named and alert.source == "railway" and is_problem_alert(alert)


def mentions(text: str, service: str) -> bool:
    """Whether a forwarded text names a service as a word of its own."""
    return re.search(rf"(?<![\w-]){re.escape(service)}(?![\w-])", text, re.IGNORECASE) is not None


def _incident(
    journal: JournalStore, survey: Survey, trouble: CauseGroup, at: datetime, alerts: tuple[str, ...]
) -> Incident:
    cause = trouble.subject
    fingerprint = digest(survey.environment_id, cause.key)
    while journal.command("hexists", journal_key(f"incident:{fingerprint}:{at:%Y%m%dT%H%M}"), "ended"):
        at += timedelta(minutes=1)  # an earlier round of this very minute has ended
    return Incident(
        fingerprint=fingerprint,
        occurrence=f"{at:%Y%m%dT%H%M}",
        project_id=survey.project_id,
        project_name=survey.project_name,
        environment_id=survey.environment_id,
        environment_name=survey.environment_name,
        subject=cause,
        service=next((one for one in survey.services if one.id == cause.key), None),
        findings=tuple(trouble.findings),
        symptoms=tuple(trouble.symptoms[:MAX_SYMPTOMS]),
        window=survey.window,
        opened_at=at,
        alert_ids=alerts,
        failed_reads=survey.failed_reads,
    )


def _is_residual(journal: JournalStore, incident: Incident) -> bool:
    """Whether the window still shows the end of trouble that an earlier round has seen to its end."""
    loud = [one for one in incident.findings if one.severity is not Severity.NOTICE]
    over = journal.command("get", last_end_key(incident.fingerprint))
    if over is None or journal.command("hexists", OPEN, incident.fingerprint):
        return False
    if incident.window.end.timestamp() * 1000 < int(over):
        return True  # the sweep looked before that end and was judged after it
    return not any(one.ongoing or one.since.timestamp() * 1000 >= int(over) for one in loud)


def _open(
    sweep: Claim, journal: JournalStore, incident: Incident, named: list[Alert], first_word_seconds: float,
    over: str,
) -> str:  # fmt: skip
    waited = (
        max((incident.opened_at - alert.received_at).total_seconds() for alert in named) if named else 0.0
    )
    delay = 0.0 if incident.severity is Severity.CRITICAL else max(0.0, first_word_seconds - waited)
    holder: bytes = journal.run(
        scripts.OPEN_INCIDENT,
        more=[alert_notification_key(alert.id.removesuffix(RECHECK_SUFFIX)) for alert in named],
        journal=journal_key(incident.id),
        notification=notification_key(incident.id),
        fingerprint=incident.fingerprint,
        incident_record=records.INCIDENT.pack(incident),
        ack_after_ms=int(delay * 1000),
        seen_record=records.SEEN.pack(list(incident.findings)),
        # A forwarded alert is visible in the channel already: it is its own acknowledgement.
        forwarded=int(any(alert.source == "slack" for alert in named)),
        sweep=sweep.key,
        group=over,
    )
    return journal_id(holder.decode())


def _update_symptoms(journal: JournalStore, incident: Incident, holder: str, symptoms: list[Finding]) -> None:
    """What others suffer is kept newest; who had an incident of his own for it is joined to this one.

    And the other way round: what an earlier sweep called a symptom, and is a cause here, stands for itself again.
    """
    key, notification = journal_key(holder), notification_key(holder)
    suffering = records.SYMPTOMS.pack(list(incident.symptoms))
    if incident.symptoms or journal.command("hexists", key, records.SYMPTOMS.field):
        journal.run(
            scripts.UPDATE_SYMPTOMS, journal=key, notification=notification, symptoms_record=suffering
        )
    for service in dict.fromkeys(one.service_id for one in symptoms):
        journal.run(scripts.SUPPRESS, cause=key, fingerprint=digest(incident.environment_id, service))
    # Only now: of two that were each other's symptom in turn, the one that is the cause here goes on.
    if journal.command("hexists", key, "suppressed_by"):
        before = journal.read_record(key, records.INCIDENT) or incident
        now = {name: getattr(incident, name) for name in NEWEST}
        record = records.INCIDENT.pack(before.model_copy(update=now))
        own = any(
            one.kind not in SYMPTOM_KINDS for one in incident.findings if one.severity is not Severity.NOTICE
        )
        journal.run(
            scripts.UNSUPPRESS, journal=key, notification=notification, incident_record=record,
            min_clean_sweeps=0 if own else CLEAN_SWEEPS,
        )  # fmt: skip


def _update_recovery(
    sweep: Claim,
    journal: JournalStore,
    survey: Survey,
    findings: list[Finding],
    held: list[str],
    suffering: set[str],
) -> None:
    """Open incidents of this environment that the sweep did not find again; a partial look proves nothing.

    A service whose trouble counts as the platform's now is not well either, nor is one that suffers from another:
    what it has of its own cannot be told then.
    """
    sick = {finding.service_id for finding in findings if finding.severity is not Severity.NOTICE} | suffering
    for raw in journal.command("hvals", OPEN):
        key = raw.decode()
        incident = journal.read_record(key, records.INCIDENT)
        if incident is None or incident.environment_id != survey.environment_id:
            continue
        if journal_id(key) in held:
            continue
        seen = journal.read_record(key, records.SEEN) or []
        how = (
            "still_sick"
            if incident.subject.key in sick
            else _recovery_state(incident, seen, survey, findings)
        )
        if how:
            journal.run(scripts.UPDATE_RECOVERY, journal=key, sweep=sweep.key, recovery=how)


def _recovery_state(incident: Incident, seen: list[Finding], survey: Survey, findings: list[Finding]) -> str:
    """What the sweep saw instead of the trouble: "healthy", "removed" or "still_sick"; "" if it could not see."""
    cause = incident.subject
    if cause.kind == "service" and all(one.id != cause.key for one in survey.services):
        return "" if any(gap.part is GapPart.ENVIRONMENT for gap in survey.failed_reads) else "removed"
    kinds = {one.kind for one in (*incident.findings, *seen) if one.severity is not Severity.NOTICE}
    own = [one for one in findings if one.service_id == cause.key]
    if any(one.kind == "missing" or (one.is_baseline and one.kind in kinds) for one in own):
        return "still_sick"
    # It was found all the same where the same was not seen: then that hides nothing of it.
    found = {one.kind for one in incident.findings}
    known = incident.failed_reads if kinds <= found else ()
    return "" if any(gap not in known for gap in survey.gaps_for(cause.name)) else "healthy"


def _answer_no_problem(journal: JournalStore, survey: Survey, alert: Alert) -> None:
    """Who told of trouble that we do not see hears so, and it is looked at once more.

    A forwarded text that names no service of ours may be about anything: it gets no answer.
    """
    if not is_problem_alert(alert) or alert.id.endswith(RECHECK_SUFFIX):
        return
    tell = alert_notification_key(alert.id)
    named = alert.source == "railway" or alert.service_id or alert.service_name
    if not (named or any(mentions(alert.message, one.name) for one in survey.services)):
        return
    text = f"looked over {survey.window.minutes:g} minutes: nothing above the line"
    if survey.failed_reads:
        text += f" (not seen: {'; '.join(describe_gap(gap) for gap in survey.failed_reads[:3])})"
    if _answered_lately(journal, survey, alert):
        journal.wake(tell, drop_reason="Nothing above the line, as answered a few minutes ago.")
    elif not journal.wake(tell, answer=text):
        journal.open_with(tell, "notify", {records.ALERT.field: records.ALERT.pack(alert), "answer": text})
    again = alert.model_copy(update={"id": alert.id + RECHECK_SUFFIX})
    fields = {records.ALERT.field: records.ALERT.pack(again)}
    journal.open_with(alert_key(again.id), "intake", fields, after=RECHECK_SECONDS)


def _answered_lately(journal: JournalStore, survey: Survey, alert: Alert) -> bool:
    """Whether another alert that tells the same heard already, since the last second look, that there is nothing."""
    key = no_problem_key(digest(survey.environment_id, dedup_scope(alert)))
    ours = journal.command("set", key, alert.id, int(RECHECK_SECONDS), None, True)
    return not ours and journal.command("get", key) != alert.id.encode()
