"""Which incident a cause belongs to: its acute or its chronic one, and the occurrence of it.

Chronic trouble has an incident of its own, so that acute trouble of the same service is still reported, and so that the
chronic one is reported once. Trouble that an open incident is about stays in it, whatever the detector calls it by now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from workers.detection import CauseGroup
from workers.engine import records
from workers.engine.claim import TTL_SECONDS
from workers.engine.journal_store import JournalStore
from workers.engine.schema import OPEN, EndedAs, journal_key, last_end_key
from workers.models import Finding, Incident, Survey, alerting_findings, digest

CHRONIC = "chronic"  # part of the fingerprint of a chronic incident
MAX_SYMPTOMS = 20  # symptom findings that an incident keeps: more say nothing new about its cause
UNFINISHED = frozenset({EndedAs.CANCELLED.value, EndedAs.FAILED.value})
"""Ends after which chronic trouble is still the trouble that was reported."""


def fingerprint_of(environment_id: str, key: str, *, chronic: bool = False) -> str:
    """The fingerprint of a cause's acute or chronic incident."""
    return digest(environment_id, key, CHRONIC) if chronic else digest(environment_id, key)


def split_chronic(store: JournalStore, survey: Survey, causes: Sequence[CauseGroup]) -> list[CauseGroup]:
    """The causes, each parted into its acute and its chronic trouble; notices and symptoms go with the acute part."""
    return [part for cause in causes for part in _split(store, survey, cause)]


def is_chronic(cause: CauseGroup) -> bool:
    """True if `split_chronic` made it the chronic part of a cause."""
    return all(finding.chronic for finding in alerting_findings(cause.findings))


def _split(store: JournalStore, survey: Survey, cause: CauseGroup) -> list[CauseGroup]:
    if cause.subject.kind != "service":
        return [cause]
    acute_kinds, chronic_kinds = (
        _open_kinds(store, fingerprint_of(survey.environment_id, cause.subject.key, chronic=chronic))
        for chronic in (False, True)
    )
    chronic = [
        finding
        for finding in alerting_findings(cause.findings)
        if (finding.chronic or finding.kind in chronic_kinds) and finding.kind not in acute_kinds
    ]
    acute = [finding for finding in cause.findings if finding not in chronic]
    chronic_part = CauseGroup(cause.subject, [_mark(finding, chronic=True) for finding in chronic], [])
    if not chronic:
        return [cause._replace(findings=[_mark(finding, chronic=False) for finding in acute])]
    if not alerting_findings(acute):
        findings = [_mark(finding, chronic=finding in chronic) for finding in cause.findings]
        return [cause._replace(findings=findings)]
    return [cause._replace(findings=[_mark(finding, chronic=False) for finding in acute]), chronic_part]


def _mark(finding: Finding, *, chronic: bool) -> Finding:
    return finding if finding.chronic == chronic else finding.model_copy(update={"chronic": chronic})


def _open_kinds(store: JournalStore, fingerprint: str) -> set[str]:
    """The kinds of trouble that the open incident of this fingerprint is about; empty if none is open."""
    raw = store.command("hget", OPEN, fingerprint)
    if raw is None:
        return set()
    fields = store.fields(raw.decode())
    incident = records.INCIDENT.read(fields)
    newest = records.LATEST_FINDINGS.read(fields) or []
    if incident is None or "ended" in fields:
        return set()
    return {finding.kind for finding in alerting_findings((*incident.findings, *newest))}


def make_incident(
    store: JournalStore, survey: Survey, cause: CauseGroup, at: datetime, alert_ids: tuple[str, ...]
) -> Incident:
    """The incident of a cause as it would be opened now."""
    subject = cause.subject
    fingerprint = fingerprint_of(survey.environment_id, subject.key, chronic=is_chronic(cause))
    # An occurrence that was opened in this minute may have ended in it: each has a minute of its own.
    while store.command("hexists", journal_key(f"incident:{fingerprint}:{at:%Y%m%dT%H%M}"), "ended"):
        at += timedelta(minutes=1)
    return Incident(
        fingerprint=fingerprint,
        occurrence=f"{at:%Y%m%dT%H%M}",
        project_id=survey.project_id,
        project_name=survey.project_name,
        environment_id=survey.environment_id,
        environment_name=survey.environment_name,
        subject=subject,
        service=next((service for service in survey.services if service.id == subject.key), None),
        findings=tuple(cause.findings),
        symptoms=tuple(cause.symptoms[:MAX_SYMPTOMS]),
        window=survey.window,
        opened_at=at,
        alert_ids=alert_ids,
        failed_reads=survey.failed_reads,
    )


def is_residual(store: JournalStore, incident: Incident) -> bool:
    """True if the findings belong to the incident's previous occurrence, which has ended.

    They all predate its end, or the trouble is chronic, and that occurrence ended without its recovery.
    """
    key = last_end_key(incident.fingerprint)
    last_end = store.command("get", key)
    if last_end is None or store.command("hexists", OPEN, incident.fingerprint):
        return False
    ended_at, ended_as, *_ = last_end.decode().split(" ")
    if incident.is_chronic and ended_as in UNFINISHED:
        # Kept for as long as the trouble lasts, so that it is not reported again.
        store.command("expire", key, TTL_SECONDS)
        return True
    # Race: the survey was taken before that end, and this stage runs after it.
    if incident.window.end.timestamp() * 1000 < int(ended_at):
        return True
    return not any(
        finding.ongoing or finding.since.timestamp() * 1000 >= int(ended_at)
        for finding in alerting_findings(incident.findings)
    )
