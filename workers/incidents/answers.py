"""Answers that belong to no incident: what a sweep saw of the service that an alert names, and our own reports.

An all-clear needs everything: the service exists and runs, it was measured, nothing that concerns it could not be read,
no incident of it is open, and not even a notice is about it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from workers.engine import records
from workers.engine.codec import pack
from workers.engine.journal_store import JournalStore
from workers.engine.schema import (
    OPEN,
    alert_key,
    alert_notification_key,
    journal_id,
    no_problem_key,
    operational_notification_key,
)
from workers.incidents import requested_answers
from workers.incidents.intake import RECHECK_SUFFIX, is_problem_alert
from workers.incidents.service_names import named_services
from workers.incidents.wellness import is_running
from workers.models import (
    Alert,
    Answer,
    AnswerKind,
    Decision,
    DismissedFinding,
    DropReason,
    Finding,
    Gap,
    GapPart,
    Incident,
    Service,
    Severity,
    Survey,
    alerting_findings,
    digest,
)

# Delay of the second check of an alert whose service looks healthy, because metrics may lag behind.
RECHECK_SECONDS = 300.0
MAX_UNKNOWN_NAMES = 3  # names of no service that an answer lists, likeliest first
MAX_FINDINGS = 3  # findings that an answer lists, worst first


def answer_from_survey(
    store: JournalStore, survey: Survey, findings: Sequence[Finding], alert: Alert, scope: str,
    dismissed: Sequence[DismissedFinding] = (),
) -> None:  # fmt: skip
    """Answer an alert that no incident of this sweep covers with what was seen, and schedule one more check.

    An alert that names no service of any environment is answered for the environment that looks for it last.

    Args:
        findings: all findings of the sweep.
        scope: alerts with the same scope share one answer until the second check; of an alert that names no service
            the answer decides.
        dismissed: the findings that people decided are no problem.
    """
    if not is_problem_alert(alert) or alert.id.endswith(RECHECK_SUFFIX):
        return
    named = named_services(alert, survey.services)
    if not named and not _is_unknown_everywhere(store, survey, alert):
        return
    answer = make_answer(survey, findings, alert, named, _open_incidents(store, survey), dismissed)
    if len(named) == 1:
        # From here on the alert states its service: its messages name it, and a mute of the service holds for them.
        alert = alert.model_copy(update={"service_id": named[0].id, "service_name": named[0].name})
    _send(store, survey, alert, answer, scope if named else _unnamed_scope(alert, answer))
    recheck = alert.model_copy(update={"id": alert.id + RECHECK_SUFFIX})
    fields = {records.ALERT.field: records.ALERT.pack(recheck)}
    store.open_with(alert_key(recheck.id), "intake", fields, after=RECHECK_SECONDS)


def make_answer(
    survey: Survey, findings: Sequence[Finding], alert: Alert, named: Sequence[Service],
    incidents: Sequence[tuple[str, Incident]], dismissed: Sequence[DismissedFinding] = (),
) -> Answer:  # fmt: skip
    """The sweep's answer to the alert. Pure.

    Args:
        named: the services that the alert names; empty if it names none, or one that does not exist.
        incidents: the open incidents of the environment, with their ids.
        dismissed: the findings that people decided are no problem.
    """
    ids = {service.id for service in named}
    wants_service = bool(alert.service_id or alert.service_name)
    own = [
        finding
        for finding in _by_severity(findings)
        if finding.service_id in ids or not (ids or wants_service)
    ]
    covering = [item for item in incidents if not (ids or wants_service) or ids & _affected_ids(item[1])]
    gaps = _gaps(survey, named)
    kind = _choose_kind(survey, own, covering, named, has_gaps=bool(gaps), wants_service=wants_service)
    decision = None if covering else _decision_about(own, dismissed)
    traffic = [minute for service in named for minute in service.traffic]
    return Answer(
        kind=AnswerKind.NOT_A_PROBLEM if decision else kind,
        decision=decision,
        minutes=survey.window.minutes,
        failed_reads=gaps,
        findings=tuple(own[:MAX_FINDINGS]),
        incident_id=covering[0][0] if covering else "",
        requests=sum(minute.requests for minute in traffic) if traffic else None,
        failed_requests=sum(minute.server_errors for minute in traffic),
        platform_incident=survey.platform_incident or "",
        reason=f"{survey.project_name}/{survey.environment_name}",
        unknown_names=alert.names[:MAX_UNKNOWN_NAMES] if not (named or wants_service) else (),
    )


def _decision_about(own: Sequence[Finding], dismissed: Sequence[DismissedFinding]) -> Decision | None:
    """The decision that the trouble is no problem, if decisions cover all of it."""
    trouble = alerting_findings(own)
    covering = [item.decision for item in dismissed if item.finding in trouble]
    return covering[0] if trouble and len(covering) == len(trouble) else None


def answer_requests(
    store: JournalStore, survey: Survey, findings: Sequence[Finding], alerts: Sequence[Alert],
    dismissed: Sequence[DismissedFinding],
) -> None:  # fmt: skip
    """Answer the checks that people asked for. Nothing is posted to the channel for them.

    Args:
        alerts: those of people; an answer is recorded for each.
    """
    incidents = _open_incidents(store, survey) if alerts else []
    for alert in alerts:
        named = named_services(alert, survey.services)
        answer = make_answer(survey, findings, alert, named, incidents, dismissed)
        requested_answers.record_answer(store, alert, answer, survey.window.end)


def _choose_kind(
    survey: Survey, own: Sequence[Finding], covering: Sequence[object], named: Sequence[Service], *,
    has_gaps: bool, wants_service: bool,
) -> AnswerKind:  # fmt: skip
    """The first statement that holds, gravest first."""
    if wants_service and not named:
        incomplete = any(gap.part is GapPart.ENVIRONMENT for gap in survey.failed_reads)
        return AnswerKind.UNCLEAR if incomplete else AnswerKind.UNKNOWN_SERVICE
    statements = (
        (any(finding.chronic for finding in own), AnswerKind.CHRONIC),
        (bool(covering), AnswerKind.OPEN_INCIDENT),
        (bool(own), AnswerKind.SEEN),
        (has_gaps, AnswerKind.UNCLEAR),
        (any(not _is_up(service) for service in named), AnswerKind.NOT_RUNNING),
        (any(not _is_measured(service) for service in named), AnswerKind.NO_DATA),
    )
    return next((kind for holds, kind in statements if holds), AnswerKind.NO_PROBLEM)


def _is_up(service: Service) -> bool:
    return bool(service.cron or service.sleeps) or is_running(service)


def _is_measured(service: Service) -> bool:
    has_samples = any(usage.cpu or usage.memory for usage in service.usage)
    return has_samples or any(minute.requests for minute in service.traffic)


def _by_severity(findings: Sequence[Finding]) -> list[Finding]:
    order = list(Severity)
    return sorted(findings, key=lambda finding: -order.index(finding.severity))


def _gaps(survey: Survey, named: Sequence[Service]) -> tuple[Gap, ...]:
    """Everything that could not be read and is not about another service."""
    names = {service.name for service in named}
    return tuple(
        gap for gap in survey.failed_reads if not names or gap.subject is None or gap.subject in names
    )


def _affected_ids(incident: Incident) -> set[str]:
    return {
        incident.subject.key,
        *(finding.service_id for finding in (*incident.findings, *incident.symptoms)),
    }


def _open_incidents(store: JournalStore, survey: Survey) -> list[tuple[str, Incident]]:
    """The open incidents of the environment by id, oldest first, with the symptoms that sweeps have found since."""
    incidents = []
    for raw in store.command("hvals", OPEN):
        fields = store.fields(raw.decode())
        incident = records.INCIDENT.read(fields)
        if incident is None or incident.environment_id != survey.environment_id or "ended" in fields:
            continue
        symptoms = records.SYMPTOMS.read(fields)
        if symptoms is not None:
            incident = incident.model_copy(update={"symptoms": tuple(symptoms)})
        incidents.append((journal_id(raw.decode()), incident))
    return sorted(incidents, key=lambda item: (item[1].opened_at, item[0]))


def _is_unknown_everywhere(store: JournalStore, survey: Survey, alert: Alert) -> bool:
    """True once no environment that the alert can mean has its service: the last of their sweeps says so."""
    key = alert_key(alert.id)
    sweeps = sum(name.startswith("on:") for name in store.fields(key))
    if sweeps <= 1:
        return True
    store.command("hset", key, f"unknown:{survey.environment_id}", "1")
    return sum(name.startswith("unknown:") for name in store.fields(key)) >= sweeps


def _unnamed_scope(alert: Alert, answer: Answer) -> str:
    """The scope of an alert that names no service of the environment.

    A sender words the same trouble in many ways and with other numbers each time. While an incident is open the answer
    refers to it, whatever the text says.
    """
    text = "" if answer.incident_id else re.sub(r"\d+", "0", alert.message)
    return digest(alert.source, alert.service_id or "", alert.service_name or "", *alert.names, text)


def _send(store: JournalStore, survey: Survey, alert: Alert, answer: Answer, scope: str) -> None:
    key = alert_notification_key(alert.id)
    kinds = ",".join(f"{finding.kind}:{finding.severity.value}" for finding in answer.findings)
    gaps = ",".join(gap.part.value for gap in answer.failed_reads)
    same_answer = digest(scope, answer.kind.value, kinds, gaps)
    if _is_answered_recently(store, survey, alert, same_answer):
        store.wake(key, drop_reason=DropReason.ANSWERED_RECENTLY.value)
        return
    fields = {records.ALERT.field: records.ALERT.pack(alert), "answer": pack(answer, Answer)}
    if not store.wake(key, **fields):
        # No acknowledgement was scheduled for a forwarded alert, so it has no notification yet.
        store.open_with(key, "notify", fields)


def answer_alert(store: JournalStore, alert_id: str, answer: Answer) -> bool:
    """Store the answer in the alert's notification and wake it. False if the alert has no notification."""
    return store.wake(alert_notification_key(alert_id), answer=pack(answer, Answer))


def report(store: JournalStore, name: str, answer: Answer) -> None:
    """Notify people about something that concerns no alert; once per name while its notification is kept."""
    store.open_journal(operational_notification_key(name), "notify", answer=pack(answer, Answer))


def _is_answered_recently(store: JournalStore, survey: Survey, alert: Alert, scope: str) -> bool:
    """True if another alert got the same answer to the same question since the last recheck began."""
    key = no_problem_key(digest(survey.environment_id, scope))
    # SET NX: the first alert answers; the same alert asks again when its sweep is repeated after a crash.
    is_first = store.command("set", key, alert.id, int(RECHECK_SECONDS), None, True)
    return not is_first and store.command("get", key) != alert.id.encode()
