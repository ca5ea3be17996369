"""Findings become incidents: by set-if-absent, one per cause; nobody else opens one. Alerts get their answer."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from workers import scripts
from workers.analysis import causes
from workers.intake import tells_trouble
from workers.journal import DUE, OPEN, PREFIX, Claim, Journal, pack, unpack
from workers.models import Alert, Cause, Finding, Incident, Severity, Survey, digest

AGAIN = "-again"
LOOK_AGAIN_SECONDS = 300.0
"""An alert whose service looks healthy is looked at once more after this."""


def open_incidents(
    sweep: Claim, journal: Journal, survey: Survey, findings: list[Finding], *,
    opened_at: datetime, first_word_seconds: float,
) -> list[str]:  # fmt: skip
    """Open or join an incident per cause, count the sweep as clean for the others, answer the alerts.

    Returns the ids of the incidents that hold the trouble. May be done twice: everything in it is set-if-absent.
    """
    alerts = alerts_of(sweep)
    held, answered = [], set()
    for place, (cause, sick, _symptoms) in enumerate(causes(findings, survey)):
        # Trouble told without a service (a volume alert) is answered by the likeliest cause.
        named = [one for one in alerts if _names(one, sick) or (place == 0 and _names_nobody(one))]
        incident = _incident(journal, survey, cause, sick, opened_at, tuple(alert.id for alert in alerts))
        if _is_what_remains(journal, incident):
            continue
        held.append(_open(journal, incident, named, first_word_seconds))
        answered |= {alert.id for alert in named}
    _count_clean(sweep, journal, survey, findings, held)
    for alert in alerts:
        if alert.id not in answered:
            _nothing(journal, survey, alert)
    return held


def alerts_of(sweep: Claim) -> list[Alert]:
    """The alerts that a sweep looks for."""
    stored = [unpack(value, Alert) for name, value in sweep.fields.items() if name.startswith("a:")]
    return [alert for alert in stored if alert is not None]


def _names(alert: Alert, sick: list[Finding]) -> bool:
    """Whether the alert is about one of the sick services."""
    if alert.service_id or alert.service_name:
        return any(alert.service_id == one.service_id or alert.service_name == one.service for one in sick)
    return any(mentions(alert.said, one.service) for one in sick) if alert.source == "slack" else False


def _names_nobody(alert: Alert) -> bool:
    named = alert.service_id or alert.service_name
    return not named and alert.source == "railway" and tells_trouble(alert)


def mentions(text: str, service: str) -> bool:
    """Whether a forwarded text names a service as a word of its own."""
    return re.search(rf"(?<![\w-]){re.escape(service)}(?![\w-])", text, re.IGNORECASE) is not None


def _incident(
    journal: Journal, survey: Survey, cause: Cause, sick: list[Finding], at: datetime, alerts: tuple[str, ...]
) -> Incident:
    fingerprint = digest(survey.environment_id, cause.key)
    while journal.ask("hexists", f"{PREFIX}incident:{fingerprint}:{at:%Y%m%dT%H%M}", "ended"):
        at += timedelta(minutes=1)  # an earlier round of this very minute has ended
    return Incident(
        fingerprint=fingerprint,
        round=f"{at:%Y%m%dT%H%M}",
        project_id=survey.project_id,
        project_name=survey.project_name,
        environment_id=survey.environment_id,
        environment_name=survey.environment_name,
        cause=cause,
        service=next((one for one in survey.services if one.id == cause.key), None),
        findings=tuple(sick),
        window=survey.window,
        opened_at=at,
        alert_ids=alerts,
        not_seen=survey.not_seen,
    )


def _is_what_remains(journal: Journal, incident: Incident) -> bool:
    """Whether the window still shows the end of trouble that an earlier round has seen to its end."""
    loud = [one for one in incident.findings if one.severity is not Severity.NOTICE]
    if any(one.ongoing for one in loud) or journal.ask("hexists", OPEN, incident.fingerprint):
        return False
    over = journal.ask("get", f"{OPEN}:over:{incident.fingerprint}")
    return over is not None and all(one.since.timestamp() * 1000 < int(over) for one in loud)


def _open(journal: Journal, incident: Incident, named: list[Alert], first_word_seconds: float) -> str:
    waited = max((incident.opened_at - alert.at).total_seconds() for alert in named) if named else 0.0
    delay = 0.0 if incident.severity is Severity.CRITICAL else max(0.0, first_word_seconds - waited)
    keys = [OPEN, DUE, PREFIX + incident.id, f"{PREFIX}tell:{incident.id}"]
    tells = [f"{PREFIX}tell:alert:{alert.id.removesuffix(AGAIN)}" for alert in named]
    record = pack(incident, Incident)
    seen = pack(list(incident.findings), list[Finding])
    # A forwarded alert itself was the first word.
    forwarded = int(any(alert.source == "slack" for alert in named))
    arguments = [incident.fingerprint, record, int(delay * 1000), seen, forwarded, *tells]
    holder: bytes = journal.script(scripts.OPEN_INCIDENT, keys, *arguments)
    return holder.decode().removeprefix(PREFIX)


def _count_clean(
    sweep: Claim, journal: Journal, survey: Survey, findings: list[Finding], held: list[str]
) -> None:
    """Open incidents of this environment that the sweep did not find again; a partial look proves nothing.

    A service whose trouble counts as the platform's now is not well either.
    """
    sick = {finding.service_id for finding in findings if finding.severity is not Severity.NOTICE}
    for raw in journal.ask("hvals", OPEN):
        key = raw.decode()
        if key.removeprefix(PREFIX) in held:
            continue
        incident = journal.record_of(key, "incident", Incident)
        if incident is None or incident.environment_id != survey.environment_id:
            continue
        if incident.cause.key not in sick and not survey.gaps(incident.cause.name):
            journal.script(scripts.CLEAN, [key, DUE], sweep.key)


def _nothing(journal: Journal, survey: Survey, alert: Alert) -> None:
    """Who told of trouble that we do not see hears so, and it is looked at once more.

    A forwarded text that names no service of ours may be about anything: it gets no answer.
    """
    if not tells_trouble(alert) or alert.id.endswith(AGAIN):
        return
    tell = f"{PREFIX}tell:alert:{alert.id}"
    named = alert.source == "railway" or alert.service_id or alert.service_name
    if not (named or any(mentions(alert.said, one.name) for one in survey.services)):
        return
    text = f"looked over {survey.window.minutes:g} minutes: nothing above the line"
    if survey.not_seen:
        text += f" (not seen: {'; '.join(survey.not_seen[:3])})"
    if not journal.raise_wanted(tell, note=text):
        fields = ["stage", "tell", "r:alert", pack(alert, Alert), "note", text]
        journal.script(scripts.OPEN, [tell, DUE], 0, *fields)
    again = alert.model_copy(update={"id": alert.id + AGAIN})
    fields = ["stage", "intake", "r:alert", pack(again, Alert)]
    key = f"{PREFIX}alert:{again.id}"
    journal.script(scripts.OPEN, [key, DUE], int(LOOK_AGAIN_SECONDS * 1000), *fields)
