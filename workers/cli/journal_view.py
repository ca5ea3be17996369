"""One journal in detail: its state, a few lines per record, its posts.

The text is untrusted: every line is cleaned and redacted, and JSON output is ASCII only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from workers.actions.lookup import find_journal
from workers.cli.transcript_view import summarise
from workers.engine import records
from workers.engine.codec import Record, json_text, unpack
from workers.engine.journal_store import JournalStore, field_text
from workers.engine.schema import PREFIX, SCHEDULE, journal_id, notification_key
from workers.models import (
    Alert,
    Answer,
    Environment,
    Evidence,
    Finding,
    Fix,
    FollowUp,
    Gap,
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
from workers.runtime.text import (
    format_duration,
    format_timestamp,
    plural,
    safe_line,
    safe_text,
    safe_value,
    truncate,
)

INTERNAL_FIELDS = (
    "token",
    "run",
    "fence",
    "signals_seen",
    "taken_over",
    "unknown",
    "claimed",
)  # hidden: of use to workers only
STATE_FIELDS = ("stage", "lease", "ended", "ended_as", "outcome")  # shown in the first line
TIME_FIELDS = ("opened", "ended", "lease", "not_before", "failing_since", "ack_due_at", "last")
COUNTERS = ("crashes", "attempts", "clean_sweeps")  # shown unless they are 0
LISTED_ELSEWHERE = (
    "r:",
    "a:",
    "m:",
    "same:",
    "began:",
    "on:",
    "merge_from:",
    "t:",
    "s:",
)  # prefixes of hash fields
UNREADABLE = "cannot be read (damaged, or written by another version)"
MAX_LINES = 12  # lines of one record after its first
MAX_WIDTH = 400  # characters of one line

Fields = dict[str, bytes]
Lines = Callable[[bytes], list[str] | None]
T = TypeVar("T")


def render_journal(store: JournalStore, name: str, now: datetime) -> list[str]:
    """A journal as lines of text.

    Raises:
        Refused: no journal matches the name, or several do.
    """
    key = find_journal(store, name)
    fields, notification = store.fields(key), _notification_fields(store, key)
    lines = [journal_id(key), *_state(store, key, fields, now)]
    lines += _alerts(fields)
    # The other records of a notification are its posts, which `_posts` renders.
    is_notification = ":notification:" in key
    for record in _in_order(fields):
        if not is_notification or record in ("incident", "alert"):
            lines += _record(record, fields[f"r:{record}"])
    lines += _posts(fields if is_notification else notification)
    if reason := field_text(notification, "reason"):
        lines.append(f"notification delayed: {reason}")
    return [clean_line(line) for line in lines]


def collect_journal(store: JournalStore, name: str) -> dict[str, Any]:
    """A journal as plain values for `show --json`: fields, records, alerts, and the same of its notification.

    Raises:
        Refused: no journal matches the name, or several do.
    """
    key = find_journal(store, name)
    return {
        "id": journal_id(key),
        **_plain_fields(store.fields(key)),
        "notification": _plain_fields(_notification_fields(store, key)),
    }


def clean_line(line: str) -> str:
    """The line, cleaned and truncated to MAX_WIDTH; its indentation stays."""
    indent = " " * (len(line) - len(line.lstrip(" ")))
    return indent + truncate(safe_line(line), MAX_WIDTH)


def _notification_fields(store: JournalStore, key: str) -> Fields:
    """The fields of the journal's notification, {} if it has none."""
    return {} if ":notification:" in key else store.fields(notification_key(journal_id(key)))


# ---- state -----------------------------------------------------------------------------------


def _state(store: JournalStore, key: str, fields: Fields, now: datetime) -> list[str]:
    lines = [f"  {_summary(store, key, fields, now)}"]
    for field in sorted(fields):
        if field.startswith(LISTED_ELSEWHERE) or field in (*INTERNAL_FIELDS, *STATE_FIELDS):
            continue
        if field == "answer":
            lines.append(f"  answer: {_answer(fields[field])}")
            continue
        value = field_text(fields, field)
        if value and not (field in COUNTERS and value == "0"):
            lines.append(f"  {field}: {_time(value) if field in TIME_FIELDS else value.replace(PREFIX, '')}")
    return lines


def _summary(store: JournalStore, key: str, fields: Fields, now: datetime) -> str:
    # A worker that crashed leaves its lease behind, so only a lease that has not expired means `running`.
    due, lease = store.command("zscore", SCHEDULE, key), int(fields.get("lease", 0)) / 1000
    stage = f"stage `{field_text(fields, 'stage')}`"
    if "ended" in fields:
        ended = format_timestamp(int(fields["ended"]) / 1000)
        return f"ended {ended}: {field_text(fields, 'outcome')}"
    if lease > now.timestamp():
        return f"running {stage} (lease until {format_timestamp(lease)})"
    if due is None:
        return f"waiting in {stage}, not scheduled"
    wait = due / 1000 - now.timestamp()
    return f"waiting in {stage}, due {f'in {format_duration(wait)}' if wait > 0 else 'now'}"


def _time(value: str) -> str:
    return format_timestamp(int(value) / 1000) if value.isdigit() else value


def _answer(blob: bytes) -> str:
    """The kind of an alert's answer, and its reason if there is one."""
    answer = unpack(blob, Answer)
    if answer is None:
        return UNREADABLE
    return ": ".join(filter(None, (answer.kind.value.replace("_", " "), answer.reason)))


def _alerts(fields: Fields) -> list[str]:
    alerts = [records.ALERT.unpack(value) for name, value in fields.items() if name.startswith("a:")]
    return [f"  alert {line}" for alert in alerts if alert for line in _alert(alert)]


def _posts(notification: Fields) -> list[str]:
    """The posts of a notification, and the ids of the notifications that were merged into it."""
    lines = []
    for field in sorted(notification):
        is_post = field.startswith("r:") and field not in ("r:incident", "r:alert")
        message = records.ACK.unpack(notification[field]) if is_post else None
        if message is not None:
            # Slack's incoming webhooks return neither channel nor timestamp.
            place = f"{message.channel} {message.ts}".strip() or "by incoming webhook"
            name, text = field.removeprefix("r:"), message.text.splitlines()
            lines.append(f"would be posted: {name}:" if text else f"posted: {name}: {place}")
            lines += [f"    {line}" for line in text]
        if field.startswith("merge_from:"):
            lines.append(f"merged from: {journal_id(field.removeprefix('merge_from:'))}")
    return lines


# ---- records ---------------------------------------------------------------------------------


def _record(name: str, blob: bytes) -> list[str]:
    render = RECORD_LINES.get(name)
    if render is None:
        # A record of a newer version, or one that is not worth a layout.
        raw = _json(blob)
        return [f"{name}: {json.dumps(raw, ensure_ascii=False)[:MAX_WIDTH]}"]
    lines = render(blob)
    if lines is None:
        return [f"{name}: {UNREADABLE}"]
    first, *others = lines or ["empty"]
    more = [f"    and {len(others) - MAX_LINES} more (--json shows all)"] if len(others) > MAX_LINES else []
    return [f"{name}: {first}", *(f"    {line}" for line in others[:MAX_LINES]), *more]


def _in_order(fields: Fields) -> list[str]:
    """The names of the records, in the order of the pipeline."""
    names = {name.removeprefix("r:") for name in fields if name.startswith("r:")}
    return [name for name in RECORD_LINES if name in names] + sorted(names - RECORD_LINES.keys())


def _alert(alert: Alert) -> list[str]:
    service = alert.service_name or alert.service_id or "no service"
    received = format_timestamp(alert.received_at.timestamp())
    return [f"{alert.id}: {alert.source} {alert.kind}, {service}, {received}: {alert.message[:200]}"]


def _survey(survey: Survey) -> list[str]:
    window = f"{survey.window.start:%H:%M} to {survey.window.end:%H:%M} UTC"
    where = f"{survey.project_name}/{survey.environment_name}"
    return [f"{where}, {plural(len(survey.services), 'service')}, {window}", *_gaps(survey.failed_reads)]


def _gaps(gaps: Sequence[Gap]) -> list[str]:
    return [f"could not read: {describe_gap(gap)}" for gap in gaps]


def _findings(findings: Sequence[Finding]) -> list[str]:
    return [
        plural(len(findings), "finding"),
        *(f"{finding.severity.value}: {finding.named_sentence}" for finding in findings),
    ]


def _incident(incident: Incident) -> list[str]:
    where = f"{incident.project_name}/{incident.environment_name}"
    symptoms = [f"also affected: {finding.named_sentence}" for finding in incident.symptoms]
    return [f"{incident.subject.name} in {where}", *_findings(incident.findings)[1:], *symptoms]


def _evidence(evidence: Evidence) -> list[str]:
    facts = [f"{fact.id}: {fact.text}" for fact in evidence.facts]
    return [plural(len(evidence.facts), "fact"), *_gaps(evidence.failed_reads), *facts]


def _verdict(verdict: Verdict) -> list[str]:
    lines = [f"{verdict.category.value}: {verdict.summary}"]
    lines += [f"evidence: {', '.join(verdict.supports)}"] if verdict.supports else []
    lines += [f"contradicting: {', '.join(verdict.contradicts)}"] if verdict.contradicts else []
    lines += [f"action: {verdict.action}"] if verdict.action else []
    return [*lines, *(f"next step: {check}" for check in verdict.next_checks)]


def _plan(plan: Plan) -> list[str]:
    location = f" ({plan.cause.file}:{plan.cause.line})" if plan.cause.file else ""
    lines = [
        f"{plan.verdict.value}: {plan.cause.summary}{location}",
        f"reproduction: {plan.reproduction.kind} {plan.reproduction.path or ''}".rstrip(),
        f"evidence: {', '.join(plan.evidence)}",
    ]
    return [*lines, *(f"change: {step}" for step in plan.change)]


def _fix(fix: Fix) -> list[str]:
    size = plural(len(fix.patch), "character")
    lines = [f"patch of {size} for {fix.base_commit[:10]}: {fix.summary or 'no summary'}"]
    lines += [f"file: {name}" for name in fix.files]
    return [*lines, *(f"not done: {item}" for item in fix.not_done)]


def _verification(verification: Verification) -> list[str]:
    runs = [
        ("on the deployed version", verification.reproduction_deployed),
        ("before the fix", verification.reproduction_before), ("after the fix", verification.reproduction_after),
    ]  # fmt: skip
    lines = [verification.decision, *(f"reproduction {when}: {_run(run)}" for when, run in runs if run)]
    lines += [f"check: {check.before.outcome} → {_run(check.after)}" for check in verification.checks]
    reasons = [f"reason: {reason.text}" for reason in verification.reasons]
    lines += [verification.sandbox] if verification.sandbox else []
    return [*lines, *reasons, *(f"note: {note}" for note in verification.notes)]


def _run(run: Run) -> str:
    return f"{run.outcome}: {run.command} ({run.seconds:.1f} s)"


def _pull(pull: PullRequest) -> list[str]:
    return [f"#{pull.number} {'draft, ' if pull.draft else ''}{pull.state}: {pull.url}"]


def _follow_up(follow_up: FollowUp) -> list[str]:
    lines = [follow_up.result.value.replace("_", " ")]
    if follow_up.minutes is not None:
        share = f"{follow_up.failed_requests:,} of {plural(follow_up.requests, 'request')} failed"
        lines.append(f"{share} in the {format_duration(60 * follow_up.minutes)} after deployment")
    lines += [f"consecutive checks: {follow_up.checks}"] if follow_up.checks else []
    lines += [f"remaining: {follow_up.remaining.named_sentence}"] if follow_up.remaining else []
    lines += _gaps(follow_up.gaps)
    lines += [f"still affected: {service}" for service in follow_up.still_affected]
    return [*lines, f"reason: {follow_up.reason}"] if follow_up.reason else lines


def _outcome(outcome: Outcome) -> list[str]:
    return [f"{outcome.kind}: {outcome.headline}", *outcome.lines, *([outcome.link] if outcome.link else [])]


def _usage(usage: Usage) -> list[str]:
    tokens, calls = plural(usage.tokens, "token"), plural(usage.calls, "call")
    return [f"{usage.cost_usd:.4f} USD, {tokens}, {calls}, {usage.seconds:.0f} s"]


def _environment(environment: Environment) -> list[str]:
    return [f"{environment.project_id}/{environment.environment_id}"]


def _lines(record: Record[T], render: Callable[[T], list[str]]) -> tuple[str, Lines]:
    """The record's name, and a function that renders its stored form; it returns None if the form is unreadable."""

    def lines(blob: bytes) -> list[str] | None:
        value = record.unpack(blob)
        return None if value is None else render(value)

    return record.name, lines


RECORD_LINES: dict[str, Lines] = dict((
    _lines(records.ALERT, _alert),
    _lines(records.ENVIRONMENT, _environment),
    _lines(records.SURVEY, _survey),
    _lines(records.FINDINGS, _findings),
    _lines(records.OPENED_AT, lambda at: [format_timestamp(at.timestamp())]),
    _lines(records.INCIDENT, _incident),
    _lines(records.LATEST_FINDINGS, _findings),
    _lines(records.SYMPTOMS, _findings),
    _lines(records.EVIDENCE, _evidence),
    _lines(records.VERDICT, _verdict),
    _lines(records.READER_CALLS, summarise),
    _lines(records.PLAN, _plan),
    _lines(records.BASE, lambda sha: [sha]),
    _lines(records.RUNNER_HINT, lambda hint: [hint]),
    _lines(records.WRITER_CALLS, summarise),
    _lines(records.FIX, _fix),
    _lines(records.VERIFICATION, _verification),
    _lines(records.REMOTE, lambda remote: [remote.name]),
    _lines(records.WOULD_PROPOSE, lambda text: text.splitlines()),
    _lines(records.BRANCH, lambda sha: [f"pushed: {sha}"]),
    _lines(records.PULL, _pull),
    _lines(records.OUTCOME, _outcome),
    _lines(records.CANCELLED, _outcome),
    _lines(records.MERGED_AT, lambda at: [format_timestamp(at.timestamp())]),
    _lines(records.SURVEY_AFTER_MERGE, _survey),
    _lines(records.FOLLOW_UP, _follow_up),
    _lines(records.USAGE, _usage),
))  # fmt: skip
"""A function per record name, in the order of the pipeline."""


# ---- JSON ------------------------------------------------------------------------------------


def _plain_fields(fields: Fields) -> dict[str, Any]:
    plain: dict[str, Any] = {
        name: safe_text(field_text(fields, name))
        for name in fields
        if name[:2] not in ("r:", "a:") and name not in ("token", "run")
    }
    # The only plain field that holds a packed value, which may be compressed.
    plain |= {"answer": _json(fields["answer"])} if "answer" in fields else {}
    return {
        "fields": plain,
        "records": {name[2:]: _json(blob) for name, blob in fields.items() if name.startswith("r:")},
        "alerts": {name[2:]: _json(blob) for name, blob in fields.items() if name.startswith("a:")},
    }


def _json(blob: bytes) -> Any:
    """A record as plain values; None if it is unreadable."""
    try:
        return safe_value(json.loads(json_text(blob) or b""))
    except ValueError:
        return None
