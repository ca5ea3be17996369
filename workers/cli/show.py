"""One journal for a person: where it stands, what each stage recorded in a few lines, what was said of it.

Everything in it may have been written by others: each line is cleaned, and `--json` escapes what is no plain letter.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from workers.cli.listing import field_text
from workers.cli.lookup import find_journal
from workers.engine import records
from workers.engine.codec import Record, json_text, unpack
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX, SCHEDULE
from workers.models import (
    Alert,
    Answer,
    Environment,
    Evidence,
    Finding,
    Fix,
    FollowUp,
    Incident,
    Outcome,
    Plan,
    PullRequest,
    Run,
    Survey,
    Usage,
    Verdict,
    Verification,
    describe_gap,
)
from workers.runtime.redaction import redact
from workers.runtime.text import format_duration, format_timestamp, plural, safe_line

INTERNAL_FIELDS = ("token", "run", "fence", "signals_seen", "taken_over", "unknown")
"""Fields that only workers need."""
TIME_FIELDS = ("opened", "ended", "lease", "not_before", "failing_since", "ack_due_at", "last")
MAX_LINES = 12
MAX_WIDTH = 400

Fields = dict[str, bytes]
Lines = Callable[[bytes], list[str] | None]
T = TypeVar("T")


def render_journal(journal: JournalStore, name: str, now: datetime) -> list[str]:
    """A journal as a person reads it. Raises Refused where the name means none, or more than one."""
    key = find_journal(journal, name)
    fields, tell = journal.fields(key), _notification_fields(journal, key)
    lines = [key.removeprefix(PREFIX), *_state(journal, key, fields, now)]
    lines += _alerts(fields)
    # Of words the records are posts, but for whose they are.
    words = ":notification:" in key
    for record in _in_order(fields):
        if not words or record in ("incident", "alert"):
            lines += _record(record, fields[f"r:{record}"])
    lines += _posts(fields if words else tell)
    if reason := field_text(tell, "reason"):
        lines.append(f"words wait: {reason}")
    return [clean_line(line) for line in lines]


def collect_journal(journal: JournalStore, name: str) -> dict[str, Any]:
    """The same for machines, whole: fields, records and alerts, and those of the words that are told of it."""
    key = find_journal(journal, name)
    return {
        "id": key.removeprefix(PREFIX),
        **_plain_fields(journal.fields(key)),
        "told": _plain_fields(_notification_fields(journal, key)),
    }


def clean_line(line: str) -> str:
    """The line, cleaned and truncated, with its indentation."""
    indent = " " * (len(line) - len(line.lstrip(" ")))
    return indent + safe_line(line, MAX_WIDTH)


def _notification_fields(journal: JournalStore, key: str) -> Fields:
    """The journal of the words that are told of it, {} where there is none."""
    return {} if ":notification:" in key else journal.fields(key.replace(PREFIX, f"{PREFIX}notification:", 1))


# ---- where it stands -------------------------------------------------------------------------


def _state(journal: JournalStore, key: str, fields: Fields, now: datetime) -> list[str]:
    due, lease = journal.command("zscore", SCHEDULE, key), int(fields.get("lease", 0)) / 1000
    if "ended" in fields:
        stands = f"ended {format_timestamp(int(fields['ended']) / 1000)}: {field_text(fields, 'outcome')}"
    elif lease > now.timestamp():
        stands = f"in work at {field_text(fields, 'stage')}, by a lease until {format_timestamp(lease)}"
    elif due is None:
        stands = f"stands at {field_text(fields, 'stage')}, and is not due"
    else:
        wait = due / 1000 - now.timestamp()
        stands = f"stands at {field_text(fields, 'stage')}, due {f'in {format_duration(wait)}' if wait > 0 else 'now'}"
    lines = [f"  {stands}"]
    for field in sorted(fields):
        if field.startswith(("r:", "a:", "m:", "same:", "began:", "on:", "merge_from:")) or field in (
            *INTERNAL_FIELDS,
            "stage",
            "lease",
            "ended",
            "outcome",
        ):
            continue
        if field == "answer":
            lines.append(f"  answer: {_answer(fields[field])}")
            continue
        value = field_text(fields, field)
        if value and not (field in ("crashes", "attempts", "clean_sweeps") and value == "0"):
            lines.append(
                f"  {field}: {_moment(value) if field in TIME_FIELDS else value.replace(PREFIX, '')}"
            )
    return lines


def _moment(value: str) -> str:
    return format_timestamp(int(value) / 1000) if value.isdigit() else value


def _answer(blob: bytes) -> str:
    """What an alert's notification reports: its kind, and the reason if there is one."""
    answer = unpack(blob, Answer)
    if answer is None:
        return "cannot be read: of another version, or damaged"
    return ": ".join(filter(None, (answer.kind.value.replace("_", " "), answer.reason)))


def _alerts(fields: Fields) -> list[str]:
    asked = [records.ALERT.unpack(value) for name, value in fields.items() if name.startswith("a:")]
    return [f"  asked by {line}" for one in asked if one for line in _alert(one)]


def _posts(tell: Fields) -> list[str]:
    """What stands in Slack of it, and whose first words it took over."""
    lines = []
    for field in sorted(tell):
        ours = field.startswith("r:") and field not in ("r:incident", "r:alert")
        posted = records.ACK.unpack(tell[field]) if ours else None
        if posted is not None:
            where = f"{posted.channel} {posted.ts}".strip() or "(no place is known of it)"
            name, words = field.removeprefix("r:"), posted.text.splitlines()
            lines.append(f"would be said: {name}:" if words else f"said: {name}: {where}")
            lines += [f"    {line}" for line in words]
        if field.startswith("merge_from:"):
            lines.append(f"took over: {field.removeprefix('merge_from:').removeprefix(PREFIX)}")
    return lines


# ---- what was recorded -----------------------------------------------------------------------


def _record(name: str, blob: bytes) -> list[str]:
    render = RECORD_LINES.get(name)
    if render is None:
        raw = _json(blob)
        return [f"{name}: {json.dumps(raw, ensure_ascii=False)[:MAX_WIDTH]}"]
    lines = render(blob)
    if lines is None:
        return [f"{name}: cannot be read: of another version, or damaged"]
    first, *others = lines or ["nothing"]
    more = [f"    and {len(others) - MAX_LINES} more: --json"] if len(others) > MAX_LINES else []
    return [f"{name}: {first}", *(f"    {line}" for line in others[:MAX_LINES]), *more]


def _in_order(fields: Fields) -> list[str]:
    there = {name.removeprefix("r:") for name in fields if name.startswith("r:")}
    return [name for name in RECORD_LINES if name in there] + sorted(there - RECORD_LINES.keys())


def _alert(one: Alert) -> list[str]:
    who = one.service_name or one.service_id or "no service named"
    return [
        f"{one.id}: {one.source} {one.kind}, {who}, {one.received_at:%Y-%m-%d %H:%M:%S} UTC: {one.message[:200]}"
    ]


def _survey(one: Survey) -> list[str]:
    window = f"{one.window.start:%H:%M} to {one.window.end:%H:%M} UTC"
    head = f"{one.project_name}/{one.environment_name}, {len(one.services)} services, {window}"
    return [head, *(f"not seen: {describe_gap(gap)}" for gap in one.failed_reads)]


def _findings(found: list[Finding]) -> list[str]:
    return [str(len(found)), *(f"{one.severity.value}: {one.named_sentence}" for one in found)]


def _incident(one: Incident) -> list[str]:
    where = f"{one.project_name}/{one.environment_name}"
    suffers = [f"suffers from it: {sick.named_sentence}" for sick in one.symptoms]
    return [f"{one.subject.name} in {where}", *_findings(list(one.findings))[1:], *suffers]


def _evidence(one: Evidence) -> list[str]:
    facts = [f"{fact.id}: {fact.text}" for fact in one.facts]
    return [
        f"{len(one.facts)} facts",
        *(f"not seen: {describe_gap(gap)}" for gap in one.failed_reads),
        *facts,
    ]


def _verdict(one: Verdict) -> list[str]:
    lines = [f"{one.category.value}: {one.summary}"]
    lines += [f"for: {', '.join(one.supports)}"] if one.supports else []
    lines += [f"against: {', '.join(one.contradicts)}"] if one.contradicts else []
    lines += [f"would end it: {one.action}"] if one.action else []
    return [*lines, *(f"next: {check}" for check in one.next_checks)]


def _plan(one: Plan) -> list[str]:
    place = f" ({one.cause.file}:{one.cause.line})" if one.cause.file else ""
    proof = f"proof: {one.reproduction.kind} {one.reproduction.path or ''}".rstrip()
    lines = [
        f"{one.verdict.value}: {one.cause.summary}{place}",
        proof,
        f"rests on: {', '.join(one.evidence)}",
    ]
    return [*lines, *(f"change: {step}" for step in one.change)]


def _fix(one: Fix) -> list[str]:
    lines = [f"{len(one.patch)} characters on {one.base_commit[:10]}: {one.summary or 'no summary'}"]
    lines += [f"file: {name}" for name in one.files]
    return [*lines, *(f"not done: {what}" for what in one.not_done)]


def _verification(one: Verification) -> list[str]:
    runs = [
        ("deployed", one.reproduction_deployed), ("before", one.reproduction_before),
        ("after", one.reproduction_after),
    ]  # fmt: skip
    lines = [one.decision, *(f"reproduction {name}: {_run(run)}" for name, run in runs if run)]
    lines += [f"check: {check.before.outcome} → {_run(check.after)}" for check in one.checks]
    return [
        *lines,
        *(f"because: {reason.text}" for reason in one.reasons),
        *(f"note: {one}" for one in one.notes),
    ]


def _run(one: Run) -> str:
    return f"{one.outcome}: {one.command} ({one.seconds:.1f} s)"


def _pull(one: PullRequest) -> list[str]:
    return [f"#{one.number} {'draft, ' if one.draft else ''}{one.state}: {one.url}"]


def _follow_up(result: FollowUp) -> list[str]:
    lines = [result.result.value.replace("_", " ")]
    if result.minutes is not None:
        lines.append(f"{result.failed_requests} of {plural(result.requests, 'request')} failed")
    lines += [result.remaining.sentence] if result.remaining else []
    lines += [describe_gap(gap) for gap in result.gaps]
    lines += [f"still affected: {service}" for service in result.still_affected]
    return lines + ([result.reason] if result.reason else [])


def _outcome(one: Outcome) -> list[str]:
    return [f"{one.kind}: {one.headline}", *one.lines, *([one.link] if one.link else [])]


def _usage(one: Usage) -> list[str]:
    return [f"{one.cost_usd:.4f} USD, {one.tokens} tokens, {one.calls} calls, {one.seconds:.0f} s"]


def _environment(one: Environment) -> list[str]:
    return [f"{one.project_id}/{one.environment_id}"]


def _lines(record: Record[T], render: Callable[[T], list[str]]) -> tuple[str, Lines]:
    """A record's name, and the function that renders its stored form: None if it cannot be read."""

    def lines(blob: bytes) -> list[str] | None:
        value = record.unpack(blob)
        return None if value is None else render(value)

    return record.name, lines


RECORD_LINES: dict[str, Lines] = dict((
    _lines(records.ALERT, _alert),
    _lines(records.ENVIRONMENT, _environment),
    _lines(records.SURVEY, _survey),
    _lines(records.FINDINGS, _findings),
    _lines(records.OPENED_AT, lambda at: [f"{at:%Y-%m-%d %H:%M:%S} UTC"]),
    _lines(records.INCIDENT, _incident),
    _lines(records.SEEN, _findings),
    _lines(records.SYMPTOMS, _findings),
    _lines(records.EVIDENCE, _evidence),
    _lines(records.VERDICT, _verdict),
    _lines(records.PLAN, _plan),
    _lines(records.BASE, lambda sha: [sha]),
    _lines(records.FIX, _fix),
    _lines(records.VERIFICATION, _verification),
    _lines(records.REMOTE, lambda remote: [remote.name]),
    _lines(records.WOULD_PROPOSE, lambda text: text.splitlines()),
    _lines(records.BRANCH, lambda sha: [f"pushed: {sha}"]),
    _lines(records.PULL, _pull),
    _lines(records.OUTCOME, _outcome),
    _lines(records.CANCELLED, _outcome),
    _lines(records.MERGED_AT, lambda at: [f"{at:%Y-%m-%d %H:%M:%S} UTC"]),
    _lines(records.AFTER, _survey),
    _lines(records.FOLLOW_UP, _follow_up),
    _lines(records.USAGE, _usage),
))  # fmt: skip
"""Record name → its lines, in the order of the pipeline."""


# ---- for machines ----------------------------------------------------------------------------


def _plain_fields(fields: Fields) -> dict[str, Any]:
    said = {name: redact(field_text(fields, name)) for name in fields if name[:2] not in ("r:", "a:")}
    return {
        "fields": {name: value for name, value in said.items() if name not in ("token", "run")},
        "records": {name[2:]: _json(blob) for name, blob in fields.items() if name.startswith("r:")},
        "alerts": {name[2:]: _json(blob) for name, blob in fields.items() if name.startswith("a:")},
    }


def _json(blob: bytes) -> Any:
    """A record as plain values, None where it cannot be read."""
    try:
        return _redacted(json.loads(json_text(blob) or b""))
    except ValueError:
        return None


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_redacted(one) for one in value]
    if isinstance(value, dict):
        return {name: _redacted(one) for name, one in value.items()}
    return value
