"""Incidents in one line each, for lists. Pure but for `read_rows`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_id
from workers.models import Incident, PullRequest
from workers.notifications.trouble_texts import describe
from workers.views.bounds import MAX_LABEL, line, web_url
from workers.views.incident_phase import state_of, waits_for
from workers.views.incident_source import DAMAGED, Fields, IncidentSource, worst_first
from workers.views.shapes import IncidentRow, IncidentState, PullLink

BATCH = 50  # journals of one round trip: their records are up to a megabyte each
ROW_FIELDS = (
    "stage", "lease", "reason", "attempts", "failing_since", "suppressed_by", "group", "clean_sweeps", "recovery",
    "found_at", "firings", "fix_requests", "opened", "ended", "ended_as", "outcome",
    *(record.field for record in (
        records.INCIDENT, records.LATEST_FINDINGS, records.VERDICT, records.PULL, records.OUTCOME, records.CANCELLED,
        records.FOLLOW_UP, records.MERGE_PROGRESS, records.ACKNOWLEDGED, records.DECISION, records.USAGE,
    )),
)  # fmt: skip
"""The fields from which a row is made."""


def read_rows(store: JournalStore, keys: Sequence[str], at: datetime) -> list[IncidentRow]:
    """A row for each incident that still exists, in the order of the keys. Raises NotAvailable."""
    columns = store.columns(list(keys), ROW_FIELDS, batch=BATCH)
    pairs = zip(keys, columns, strict=True)
    return [incident_row(journal_id(key), fields, at) for key, fields in pairs if "stage" in fields]


def incident_row(incident_id: str, fields: Fields, at: datetime) -> IncidentRow:
    """The row of an incident from the fields of its journal."""
    source = IncidentSource(id=incident_id, at=at, fields=fields)
    incident, verdict = source.incident, source.get(records.VERDICT)
    pull, usage = source.get(records.PULL), source.get(records.USAGE)
    opened, ended = source.moment("opened"), source.moment("ended")
    if incident is None:
        return IncidentRow(
            id=incident_id, service="unknown", environment="", state=IncidentState.UNKNOWN, readable=False,
            trouble=f"its record {DAMAGED}", opened_at=opened, ended_at=ended,
        )  # fmt: skip
    finding = worst_first(incident.findings)[0]
    return IncidentRow(
        id=incident_id,
        service=line(incident.subject.name, MAX_LABEL),
        service_id=incident.subject.key,
        environment=line(f"{incident.project_name}/{incident.environment_name}", MAX_LABEL),
        severity=incident.severity,
        state=state_of(source),
        headline=line(describe(finding), MAX_LABEL),
        trouble=line(finding.sentence, 240),
        since=None if incident.is_chronic else _onset(incident),
        chronic=incident.is_chronic,
        opened_at=opened or incident.opened_at,
        ended_at=ended,
        category=verdict.category if verdict else None,
        cause=line(verdict.summary, 240) if verdict else "",
        outcome=_outcome(source),
        waits_for=waits_for(source),
        acknowledged=source.get(records.ACKNOWLEDGED),
        pull=pull_link(pull) if pull else None,
        suppressed_by=journal_id(source.text("suppressed_by")),
        group=journal_id(source.text("group")),
        checks=source.number("firings"),
        cost_usd=usage.cost_usd if usage else 0.0,
    )


def _onset(incident: Incident) -> datetime:
    return min(finding.since for finding in worst_first(incident.findings)).astimezone(UTC)


def _outcome(source: IncidentSource) -> str:
    if source.is_ended:
        return line(source.text("outcome"), 240)
    outcome = source.get(records.CANCELLED) or source.get(records.OUTCOME)
    return line(outcome.headline, 240) if outcome else ""


def pull_link(pull: PullRequest) -> PullLink:
    """A pull request for people; only an http address is linked."""
    return PullLink(
        number=pull.number,
        url=web_url(pull.url),
        title=line(pull.title, 200),
        state=pull.state,
        draft=pull.draft,
        author=line(pull.author, MAX_LABEL),
    )
