"""Opens incidents for a sweep's findings, one per cause and set-if-absent, and answers the sweep's alerts.

No other module opens an incident.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime

from workers.detection import CauseGroup, group_by_cause
from workers.detection.causes import SYMPTOM_KINDS
from workers.engine import counters, records, scripts
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import (
    OPEN,
    alert_notification_key,
    journal_id,
    journal_key,
    notification_key,
)
from workers.history import summary_store
from workers.incidents import decisions, first_check, grouping
from workers.incidents.answers import answer_from_survey, answer_requests
from workers.incidents.before_onset import windows_before_onset
from workers.incidents.dismissals import dismiss, exceptions, without
from workers.incidents.ended_trouble import (
    MIN_QUIET,
    end_in_window,
    ended_by,
    survey_since,
    trouble_end,
    with_onset,
)
from workers.incidents.incident_of_cause import is_residual, make_incident, split_chronic
from workers.incidents.intake import RECHECK_SUFFIX, RESOLVED, is_problem_alert
from workers.incidents.recovery import CLEAN_SWEEPS, Recovery, assess_recovery, measure_service
from workers.incidents.relapses import is_reported_failure, with_relapse
from workers.incidents.requested_answers import is_requested
from workers.incidents.service_names import named_services
from workers.incidents.siblings import with_siblings
from workers.models import (
    Alert,
    Decision,
    DismissedFinding,
    Finding,
    Incident,
    Severity,
    Summary,
    Survey,
    alerting_findings,
    digest,
)

MAX_ALERTS_PER_SWEEP = 200  # different alerts: a claim reads them all, so the rest waits for the next sweep
log = logging.getLogger("trackwalker.incidents")

REFRESHED_FIELDS = ("findings", "symptoms", "service", "siblings", "window", "failed_reads")
"""Fields that an unsuppressed incident without evidence takes from the latest sweep."""


def open_incidents(
    sweep: Claim, store: JournalStore, survey: Survey, findings: list[Finding], *,
    opened_at: datetime, ack_seconds: float, min_duration_minutes: float,
) -> list[str]:  # fmt: skip
    """Open or update an incident per cause, count the sweep as clean for the others, and answer the alerts.

    A symptom gets no incident; if it had one, that is suppressed by the incident of its cause. Running twice is
    harmless: every change is set-if-absent or counted once per sweep.

    Args:
        ack_seconds: delay of the acknowledgement after the alert; a critical incident is acknowledged at once.
        min_duration_minutes: as the findings were detected with.

    Returns:
        Ids of the incidents that hold the sweep's trouble.
    """
    everything = alerts_of(sweep)
    requested = [alert for alert in everything if is_requested(alert)]
    alerts = [alert for alert in everything if not is_requested(alert)]
    active = decisions.active(store, opened_at)
    dismissed = _dismiss(sweep, survey, findings, active)
    causes = split_chronic(store, survey, group_by_cause(without(findings, dismissed), survey))
    alert_ids = tuple(alert.id for alert in alerts if alert.kind != RESOLVED)
    pairs = [(cause, make_incident(store, survey, cause, opened_at, alert_ids)) for cause in causes]
    pairs = [(cause, incident) for cause, incident in pairs if not is_residual(store, incident)]
    pairs = [(cause, incident) for cause, incident in pairs if not _is_over(store, incident)]
    pairs = [(cause, with_siblings(incident, survey, findings)) for cause, incident in pairs]
    pairs = [(cause, _with_relapse(store, incident, survey)) for cause, incident in pairs]
    pairs = [(cause, _in_spite_of(incident, active)) for cause, incident in pairs]
    incidents = [incident for _, incident in pairs]
    # Assigned before the first incident is open, because its acknowledgement may be due at once.
    incident_group = grouping.assign_group(store, incidents, opened_at) if incidents else ""
    cause_keys = {cause.subject.key for cause in causes}
    incident_ids: list[str] = []
    answered: set[str] = set()
    for cause, incident in pairs:
        matching = [
            alert
            for alert in _matching_alerts(alerts, cause, survey, is_likeliest=cause is causes[0])
            if alert.id not in answered and not _is_old_news(store, incident)
        ]
        incident_id = _open(sweep, store, incident, survey, matching, ack_seconds, incident_group)
        pure_symptoms = [finding for finding in cause.symptoms if finding.service_id not in cause_keys]
        _update_symptoms(store, incident, incident_id, pure_symptoms)
        incident_ids.append(incident_id)
        answered |= {alert.id for alert in matching}
    _update_recovery(sweep, store, survey, findings, incident_ids, causes, min_duration_minutes)
    for alert in alerts:
        if alert.id not in answered:
            answer_from_survey(store, survey, findings, alert, dedup_scope(alert), dismissed)
    answer_requests(store, survey, findings, requested, dismissed)
    return incident_ids


def _is_over(store: JournalStore, incident: Incident) -> bool:
    """True for trouble of an open incident that ended within the window: the check counts as one without it.

    Trouble that a check has not seen yet counts as found, so that bursts between two checks keep the incident open.
    """
    end = trouble_end(incident.findings)
    if end is None or incident.window.end - end < MIN_QUIET:
        return False
    holder = store.command("hget", OPEN, incident.fingerprint)
    found_at = store.command("hget", holder.decode(), "found_at") if holder else None
    return found_at is not None and _milliseconds(end) <= int(found_at)


def _with_relapse(store: JournalStore, incident: Incident, survey: Survey) -> Incident:
    is_open = store.command("hexists", OPEN, incident.fingerprint)
    return incident if is_open else with_relapse(store, incident, survey)


def _dismiss(
    sweep: Claim, survey: Survey, findings: list[Finding], active: Sequence[Decision]
) -> list[DismissedFinding]:
    """The findings that people decided are no problem, recorded on the sweep, which explains what it did not report."""
    recorded = sweep.get(records.DISMISSED)
    if recorded is not None:
        return recorded
    dismissed = dismiss(findings, survey, active)
    return sweep.record(records.DISMISSED, dismissed) if dismissed else []


def _in_spite_of(incident: Incident, active: Sequence[Decision]) -> Incident:
    """The incident with the decisions that do not cover it although they are about its kind of findings."""
    despite = exceptions(incident.findings, incident.subject, active)
    return incident.model_copy(update={"despite": despite}) if despite else incident


def _is_old_news(store: JournalStore, incident: Incident) -> bool:
    """True for chronic trouble that was reported before: its post is old, so an alert about it gets its own answer."""
    if not incident.is_chronic:
        return False
    holder = store.command("hget", OPEN, incident.fingerprint)
    return holder is not None and holder.decode() != journal_key(incident.id)


def dedup_scope(alert: Alert) -> str:
    """Alerts of one sweep with the same scope ask the same question and share one answer.

    A recheck answers exactly the alert that it repeats. An alert without a service may be about anything, so only
    the same text has the same scope.
    """
    if alert.id.endswith(RECHECK_SUFFIX) or is_requested(alert):
        return alert.id
    text = "" if alert.service_id or alert.service_name or alert.names else alert.message
    trouble = "trouble" if is_problem_alert(alert) else ""
    return digest(alert.source, trouble, alert.service_id or "", alert.service_name or "", *alert.names, text)


def alerts_of(sweep: Claim) -> list[Alert]:
    """The alerts for which a sweep was started."""
    stored = [
        sweep.unpack(value, records.ALERT) for name, value in sweep.fields.items() if name.startswith("a:")
    ]
    return [alert for alert in stored if alert is not None]


def _matching_alerts(
    alerts: list[Alert], cause: CauseGroup, survey: Survey, *, is_likeliest: bool
) -> list[Alert]:
    """The alerts that the incident of a cause answers."""
    affected = [*cause.findings, *cause.symptoms]
    # Good news is no alert: an incident neither answers it nor is acknowledged by it. The likeliest cause answers an
    # alert without a service (a volume alert).
    return [
        alert
        for alert in alerts
        if alert.kind != RESOLVED
        and (_is_about(alert, affected, survey) or (is_likeliest and _names_no_service(alert, survey)))
    ]


def _is_about(alert: Alert, affected: Sequence[Finding], survey: Survey) -> bool:
    if alert.service_id or alert.service_name:
        return any(
            alert.service_id == finding.service_id or alert.service_name == finding.service
            for finding in affected
        )
    named = {service.id for service in named_services(alert, survey.services)}
    return any(finding.service_id in named for finding in affected)


def _names_no_service(alert: Alert, survey: Survey) -> bool:
    if alert.service_id or alert.service_name or alert.source in ("slack", "ping", "command", "person"):
        return False
    return not named_services(alert, survey.services)


def _open(
    sweep: Claim, store: JournalStore, incident: Incident, survey: Survey, alerts: list[Alert],
    ack_seconds: float, incident_group: str,
) -> str:  # fmt: skip
    """Open the incident unless one of its cause is open. Returns the id of the incident that holds the trouble."""
    waited = max(((incident.opened_at - alert.received_at).total_seconds() for alert in alerts), default=0.0)
    delay = 0.0 if incident.severity is Severity.CRITICAL else max(0.0, ack_seconds - waited)
    before = _windows_before(store, incident)
    holder_key: bytes = store.run(
        scripts.OPEN_INCIDENT,
        more=[alert_notification_key(alert.id.removesuffix(RECHECK_SUFFIX)) for alert in alerts],
        journal=journal_key(incident.id),
        notification=notification_key(incident.id),
        fingerprint=incident.fingerprint,
        incident_record=records.INCIDENT.pack(incident),
        ack_after_ms=int(delay * 1000),
        findings_record=records.LATEST_FINDINGS.pack(_newest_findings(store, incident, survey)),
        # People have read the forwarded message in Slack already: it takes the place of the acknowledgement.
        forwarded=int(any(alert.source == "slack" for alert in alerts) or _is_announced(store, incident)),
        sweep=sweep.key,
        group=incident_group,
        before_record=records.BEFORE.pack(before) if before else "",
        seen_at=_milliseconds(incident.window.end),
        counts=counters.of_incident(incident),
    )
    holder_id = journal_id(holder_key.decode())
    if holder_id == incident.id:
        facts = {
            "journal": incident.id,
            "service": incident.subject.name,
            "severity": incident.severity.value,
        }
        log.info(
            "incident opened", extra=facts | {"kinds": sorted({item.kind for item in incident.findings})}
        )
    return holder_id


def _is_announced(store: JournalStore, incident: Incident) -> bool:
    """True if another message speaks for the first one: that the fix before failed, or the first check's report."""
    if is_reported_failure(incident):
        return True
    return incident.is_chronic and first_check.is_first(store, incident.environment_id)


def _newest_findings(store: JournalStore, incident: Incident, survey: Survey) -> list[Finding]:
    """The findings of this sweep, with the onsets of the open incident that they belong to."""
    holder = store.command("hget", OPEN, incident.fingerprint)
    opening = store.read_record(holder.decode(), records.INCIDENT) if holder else None
    return with_onset(incident.findings, opening, survey) if opening else list(incident.findings)


def _windows_before(store: JournalStore, incident: Incident) -> list[Summary]:
    """The windows from before the onset, for an incident that is opened now."""
    if store.command("hexists", OPEN, incident.fingerprint):
        return []
    history = summary_store.read(store, incident.environment_id, incident.window.end)
    return windows_before_onset(incident, history)


def _update_symptoms(
    store: JournalStore, incident: Incident, incident_id: str, symptoms: list[Finding]
) -> None:
    """Keep the newest symptoms, suppress their incidents, and unsuppress this incident, which is a cause now."""
    key, notification = journal_key(incident_id), notification_key(incident_id)
    if incident.symptoms or store.command("hexists", key, records.SYMPTOMS.field):
        newest = records.SYMPTOMS.pack(list(incident.symptoms))
        store.run(scripts.UPDATE_SYMPTOMS, journal=key, notification=notification, symptoms_record=newest)
    for service in dict.fromkeys(finding.service_id for finding in symptoms):
        store.run(scripts.SUPPRESS, cause=key, fingerprint=digest(incident.environment_id, service))
    # Runs after the suppression: if two incidents are each other's symptom, the present cause continues.
    if store.command("hexists", key, "suppressed_by"):
        recorded = store.read_record(key, records.INCIDENT) or incident
        refreshed = {name: getattr(incident, name) for name in REFRESHED_FIELDS}
        record = records.INCIDENT.pack(recorded.model_copy(update=refreshed))
        # A service with trouble that no callee explains need not wait for its presumed cause to recover.
        own_trouble = any(
            finding.kind not in SYMPTOM_KINDS for finding in alerting_findings(incident.findings)
        )
        sweeps = 0 if own_trouble else CLEAN_SWEEPS
        store.run(
            scripts.UNSUPPRESS, journal=key, notification=notification, incident_record=record,
            min_clean_sweeps=sweeps,
        )  # fmt: skip


def _update_recovery(
    sweep: Claim, store: JournalStore, survey: Survey, findings: list[Finding], reported_ids: Collection[str],
    causes: Sequence[CauseGroup], min_duration_minutes: float,
) -> None:  # fmt: skip
    """Record how this sweep saw every open incident of the environment that it did not find."""
    elsewhere = _found_elsewhere(causes)
    for raw in store.command("hvals", OPEN):
        key = raw.decode()
        if journal_id(key) in reported_ids:
            continue
        fields = store.fields(key)
        incident = records.INCIDENT.read(fields)
        if incident is None or incident.environment_id != survey.environment_id:
            continue
        newest = records.LATEST_FINDINGS.read(fields) or []
        end = end_in_window(incident, newest, survey, findings)
        view = survey_since(survey, end) if end else survey
        recovery = assess_recovery(
            incident, newest, view, [item for item in findings if not ended_by(item, end)],
            before=records.BEFORE.read(fields) or (), min_duration_minutes=min_duration_minutes,
        )  # fmt: skip
        if incident.subject.key in elsewhere:
            recovery = Recovery.STILL_SICK
        if recovery:
            store.run(
                scripts.UPDATE_RECOVERY, journal=key, sweep=sweep.key, recovery=recovery.value,
                seen_at=_milliseconds(survey.window.end),
                measured_record=records.MEASURED.pack(measure_service(incident, view)),
                trouble_end=_milliseconds(end) if end else 0,
            )  # fmt: skip


def _found_elsewhere(causes: Sequence[CauseGroup]) -> set[str]:
    """The services whose trouble counts as that of another cause: their own cannot be told apart meanwhile."""
    return {
        finding.service_id
        for cause in causes
        for finding in (*alerting_findings(cause.findings), *cause.symptoms)
        if finding.service_id != cause.subject.key
    }


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
