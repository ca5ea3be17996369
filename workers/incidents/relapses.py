"""Trouble that comes back: the occurrence that it continues, and the time from which it counts.

The window of a check reaches back before the end of the previous occurrence. What was over by then is no part of the
new trouble, so its traffic is left out: otherwise the onset would be that of the trouble before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import EndedAs, journal_id, last_end_key
from workers.incidents.ended_trouble import traffic_since, with_onset
from workers.incidents.incident_of_cause import fingerprint_of
from workers.models import Incident, Relapse, Survey, alerting_findings

RELAPSE_HOURS = 24.0  # after its end, in which trouble of the same cause counts as the same trouble again
FAILURE_MINUTES = 30.0  # after the message that a fix failed, in which it speaks for the next occurrence
RESULTS: dict[str, Literal["fix_failed", "fix_verified", "resolved"]] = {
    EndedAs.FIX_FAILED.value: "fix_failed",
    EndedAs.FIX_VERIFIED.value: "fix_verified",
    EndedAs.RESOLVED.value: "resolved",
}
RECOVERED = frozenset({EndedAs.FIX_VERIFIED.value, EndedAs.RESOLVED.value})


class LastEnd(NamedTuple):
    """The end of a cause's last occurrence; `key` is that of its journal."""

    at: datetime
    ended_as: str
    key: str


def read_last_end(store: JournalStore, fingerprint: str) -> LastEnd | None:
    """When and as what the cause's last occurrence ended; None if none ended. Raises NotAvailable."""
    raw = store.command("get", last_end_key(fingerprint))
    if raw is None:
        return None
    ended_at, ended_as, key = (*raw.decode().split(" "), "", "")[:3]
    return LastEnd(datetime.fromtimestamp(int(ended_at) / 1000, UTC), ended_as, key)


def without_ended_trouble(store: JournalStore, survey: Survey) -> Survey:
    """The survey without the traffic from before the recovery of an occurrence that ended in its window."""
    since = {}
    for service in survey.services:
        last_end = read_last_end(store, fingerprint_of(survey.environment_id, service.id))
        if (
            last_end
            and last_end.ended_as in RECOVERED
            and survey.window.start < last_end.at < survey.window.end
        ):
            since[service.id] = min(last_end.at, _healthy_from(store, last_end))
    return traffic_since(survey, since) if since else survey


def _healthy_from(store: JournalStore, last_end: LastEnd) -> datetime:
    """The time from which the ended occurrence's service was healthy."""
    fields = store.fields(last_end.key)
    follow_up = records.FOLLOW_UP.read(fields)
    if follow_up is not None and follow_up.deployed_at is not None:
        return follow_up.deployed_at
    found_at = int(fields.get("found_at", b"0"))
    return datetime.fromtimestamp(found_at / 1000, UTC) if found_at else last_end.at


def with_relapse(store: JournalStore, incident: Incident, survey: Survey) -> Incident:
    """The incident with the occurrence that it continues, if that ended within a day.

    Trouble that its merged fix did not end has the onset of that occurrence, because it never stopped.
    """
    last_end = read_last_end(store, incident.fingerprint)
    if last_end is None or incident.opened_at - last_end.at > timedelta(hours=RELAPSE_HOURS):
        return incident
    fields = store.fields(last_end.key)
    result = RESULTS.get(last_end.ended_as)
    follow_up, earlier = records.FOLLOW_UP.read(fields), records.INCIDENT.read(fields)
    if result is None or (result == "fix_failed" and not (follow_up and follow_up.is_alarming)):
        return incident
    findings = incident.findings
    if result == "fix_failed" and earlier is not None:
        findings = tuple(with_onset(findings, earlier, survey))
    onset = min((finding.since for finding in alerting_findings(findings)), default=incident.opened_at)
    pull = records.PULL.read(fields)
    merged = pull if pull is not None and pull.state == "merged" else None
    relapse = Relapse(
        incident_id=journal_id(last_end.key), result=result, ended_at=last_end.at,
        pull_number=merged.number if merged else None, pull_url=merged.url if merged else "",
        healthy_minutes=round(max(0.0, (onset - last_end.at).total_seconds() / 60), 1),
    )  # fmt: skip
    return incident.model_copy(update={"relapse": relapse, "findings": findings})


def is_reported_failure(incident: Incident) -> bool:
    """True if the message about the failed fix has just called people: the next occurrence needs no first message."""
    relapse = incident.relapse
    if relapse is None or relapse.result != "fix_failed":
        return False
    return incident.opened_at - relapse.ended_at <= timedelta(minutes=FAILURE_MINUTES)
