"""The view of one incident: its story, its timeline, and everything that its records hold.

`read` collects the stored values, `build` makes the view of them. A record that is missing or unreadable leaves its
part out, and the view says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.engine import records
from workers.engine.codec import Record
from workers.engine.journal_store import JournalStore
from workers.engine.stage_times import read_times
from workers.models import Incident, Suspect, Usage
from workers.notifications.trouble_texts import describe
from workers.views.bounds import MAX_LABEL, first, line, lines
from workers.views.charts import MAX_CHARTS, charts
from workers.views.earlier import earlier_rows
from workers.views.fact_views import fact_views, gap_texts
from workers.views.fix_views import diff_view, plan_view, verification_view
from workers.views.follow_up_views import follow_up_view
from workers.views.incident_phase import possible_actions, state_of, waits_for
from workers.views.incident_reading import read_source
from workers.views.incident_rows import pull_link
from workers.views.incident_source import IncidentSource, unreadable, worst_first
from workers.views.post_views import folded_rows, post_views, waiting_reason, why_told
from workers.views.rollback_views import rollback_view
from workers.views.shapes import Cost, IncidentState, IncidentView, SuspectView
from workers.views.story import story
from workers.views.timeline import timeline
from workers.views.verdict_view import verdict_view

MAX_FILES = 30


def read(store: JournalStore, incident_id: str) -> IncidentView | None:
    """The incident, None if there is none of this id. Raises NotAvailable if Redis does not answer.

    Args:
        incident_id: the journal's whole id, `incident:<fingerprint>:<occurrence>`.
    """
    source = read_source(store, incident_id)
    return None if source is None else build(source)


def build(source: IncidentSource) -> IncidentView:
    """The view of an incident from its stored values."""
    incident = source.incident
    warnings = lines(_unreadable_records(source), 20)
    if incident is None:
        return IncidentView(
            id=source.id, service="unknown", project="", environment="",
            story=story(source, IncidentState.UNKNOWN), state=IncidentState.UNKNOWN, warnings=warnings,
            timeline=timeline(source)[0], opened_at=source.moment("opened"), until=source.moment("ended"),
        )  # fmt: skip
    return IncidentView(
        id=source.id, warnings=warnings,
        **_head(source, incident), **_course(source, incident), **_investigation(source, incident), **_fix(source),
    )  # fmt: skip


def _head(source: IncidentSource, incident: Incident) -> Mapping[str, Any]:
    state = state_of(source)
    findings = worst_first(incident.findings)
    return {
        "service": line(incident.subject.name, MAX_LABEL),
        "service_id": incident.subject.key,
        "project": line(incident.project_name, MAX_LABEL),
        "environment": line(incident.environment_name, MAX_LABEL),
        "project_id": incident.project_id,
        "environment_id": incident.environment_id,
        "story": story(source, state),
        "severity": incident.severity,
        "state": state,
        "stage": "" if source.is_ended else source.text("stage"),
        "running": source.is_running,
        "waits_for": waits_for(source),
        "since": None if incident.is_chronic else min(finding.since for finding in findings),
        "chronic": incident.is_chronic,
        "opened_at": source.moment("opened") or incident.opened_at,
        "until": source.moment("ended"),
        "headline": line(describe(findings[0]), MAX_LABEL),
        "trouble": lines(finding.named_sentence for finding in findings),
        "acknowledged": source.get(records.ACKNOWLEDGED),
        "decisions": source.decisions[:20],
        "cost": _cost(source.get(records.USAGE)),
        "actions": possible_actions(source),
    }


def _course(source: IncidentSource, incident: Incident) -> Mapping[str, Any]:
    rows, rows_left_out = timeline(source)
    folded, folded_left_out = folded_rows(source)
    findings = worst_first(incident.findings)
    since = min(finding.since for finding in findings)
    earlier, earlier_left_out = earlier_rows(source.id, source.moment("opened"), since, source.past)
    return {
        "timeline": rows,
        "timeline_left_out": rows_left_out,
        "posts": post_views(source),
        "notification_waits": waiting_reason(source),
        "why_told": why_told(source),
        "folded": folded,
        "folded_left_out": folded_left_out,
        "earlier": earlier,
        "earlier_left_out": earlier_left_out,
    }


def _investigation(source: IncidentSource, incident: Incident) -> Mapping[str, Any]:
    evidence, verdict = source.evidence, source.get(records.VERDICT)
    facts, facts_left_out = fact_views(evidence)
    surveys = [
        survey for survey in (source.survey, source.get(records.SURVEY_AFTER_MERGE)) if survey is not None
    ]
    before = source.get(records.BEFORE) or []
    drawn, charts_left_out = first(
        charts(worst_first(incident.findings), surveys, before, evidence), MAX_CHARTS
    )
    return {
        "suspect": _suspect(evidence.suspect) if evidence.suspect else None,
        "facts": facts,
        "facts_left_out": facts_left_out,
        "gaps": gap_texts(evidence),
        "charts": drawn,
        "charts_left_out": charts_left_out,
        "verdict": verdict_view(verdict, incident, evidence) if verdict else None,
    }


def _fix(source: IncidentSource) -> Mapping[str, Any]:
    plan, fix, verification = (
        source.get(records.PLAN),
        source.get(records.FIX),
        source.get(records.VERIFICATION),
    )
    pull, follow_up = source.get(records.PULL), source.get(records.FOLLOW_UP)
    outcome = source.get(records.CANCELLED) or source.get(records.OUTCOME) or source.get(records.INTERIM)
    return {
        "plan": plan_view(plan) if plan else None,
        "diff": diff_view(fix) if fix else None,
        "verification": verification_view(verification) if verification else None,
        "pull": pull_link(pull) if pull else None,
        "outcome": line(outcome.headline) if outcome else "",
        "outcome_lines": lines(outcome.lines) if outcome else (),
        "follow_up": follow_up_view(follow_up) if follow_up else None,
        "rollback": rollback_view(source),
    }


def _cost(usage: Usage | None) -> Cost:
    if usage is None:
        return Cost()
    return Cost(usd=usage.cost_usd, tokens=usage.tokens, calls=usage.calls, seconds=usage.seconds)


def _suspect(suspect: Suspect) -> SuspectView:
    return SuspectView(
        deployment_id=suspect.deployment_id,
        commit=(suspect.commit or "")[:40],
        author=line(suspect.author, MAX_LABEL),
        message=line((suspect.message or "").strip().partition("\n")[0], 200),
        at=suspect.at,
        files=lines(suspect.files, MAX_FILES),
    )


def _unreadable_records(source: IncidentSource) -> list[str]:
    """The records of the journal that cannot be read; those that no version of this product knows are left alone."""
    warnings = []
    for record in KNOWN_RECORDS:
        blob = source.fields.get(record.field)
        if not blob or record.unpack(blob) is not None:
            continue
        times = read_times(source.fields, record.name)
        made = f" of {times[1]:%Y-%m-%d %H:%M} UTC" if times else ""
        warnings.append(f"The record {record.name}{made} {unreadable(blob)}.")
    return warnings


KNOWN_RECORDS: tuple[Record[Any], ...] = (
    records.INCIDENT, records.LATEST_FINDINGS, records.SYMPTOMS, records.BEFORE, records.EVIDENCE, records.VERDICT,
    records.READER_CALLS, records.PLAN, records.WRITER_CALLS, records.FIX, records.VERIFICATION, records.INTERIM,
    records.OUTCOME, records.CANCELLED, records.PULL, records.USAGE, records.MERGED_AT, records.MERGE_PROGRESS,
    records.SURVEY_AFTER_MERGE, records.FOLLOW_UP, records.ACKNOWLEDGED, records.DECISION,
)  # fmt: skip
