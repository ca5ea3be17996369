"""Renders the answer to an alert, and reports about Trackwalker itself. Pure.

Only `AnswerKind.NO_PROBLEM` says that there is no problem, and only with everything read.
"""

from __future__ import annotations

from workers.clients.slack_text import escape
from workers.incidents.intake import MISSED_PINGS_LIMIT
from workers.models import Alert, Answer, AnswerKind, DropReason
from workers.notifications.follow_up_texts import format_gaps, format_minutes
from workers.notifications.messages import format_name
from workers.runtime.text import plural, safe_line

MAX_ALERT_CHARACTERS = 300  # of the sender's text that an alert's message repeats
MAX_SENTENCE_CHARACTERS = 300  # of a finding that an answer repeats

DROP_TEXTS = {
    DropReason.NOT_WATCHED: "This environment is not in TRACKWALKER_ENVIRONMENTS: not checked.",
    DropReason.ANSWERED_RECENTLY: "Same answer as to the same alert a few minutes ago.",
    DropReason.KNOWN_INCIDENT: "Covered by an incident that is already open.",
}


def format_alert_headline(alert: Alert | None) -> str:
    """The service and the sender's text; without an alert the message is about the environment."""
    if alert is None:
        return "🔎 *Trackwalker*"
    name = alert.service_name or alert.service_id or "the environment"
    return f"🔎 *{format_name(name)}*: {escape(alert.message[:MAX_ALERT_CHARACTERS] or alert.kind)}"


def format_drop(reason: DropReason, incident_id: str = "") -> str:
    """Why an alert gets no answer of its own, in place of its acknowledgement.

    Args:
        incident_id: the incident that covers the alert.
    """
    return f"{DROP_TEXTS[reason]} See {incident_id}." if incident_id else DROP_TEXTS[reason]


def format_blind(since: str) -> str:
    """That Railway cannot be read, and what this means for the services."""
    return f"Trackwalker sees nothing since {since}; your services may be fine."


def format_answer(answer: Answer) -> str:
    """The answer as text without markup; the caller escapes it."""
    if text := _format_own_report(answer):
        return text
    lines = [_format_check(answer)]
    if answer.platform_incident:
        lines.append(f"Railway reports an incident of its own: {safe_line(answer.platform_incident)}.")
    if answer.failed_reads:
        lines.append(f"{format_gaps(answer.failed_reads)}.")
    return " ".join(lines)


def _format_check(answer: Answer) -> str:
    """The sentence about the check of the window."""
    checked = f"Checked the last {format_minutes(answer.minutes)}"
    sentences = "; ".join(
        safe_line(finding.named_sentence, MAX_SENTENCE_CHARACTERS) for finding in answer.findings
    )
    reference = f" See {answer.incident_id}." if answer.incident_id else ""
    match answer.kind:
        case AnswerKind.CHRONIC:
            return f"Known trouble that goes on: {sentences}.{reference}"
        case AnswerKind.OPEN_INCIDENT:
            now = (
                f"this check saw {sentences}"
                if sentences
                else f"this check saw {_format_traffic(answer) or 'no new finding'}"
            )
            return f"An incident is still open; {now}.{reference}"
        case AnswerKind.SEEN:
            return f"{checked}. Seen, but below the level of an incident or over already: {sentences}."
        case AnswerKind.UNCLEAR:
            rest = f" What could be read: {_format_traffic(answer)}." if answer.requests is not None else ""
            return f"{checked}, but not everything could be read, so this is no all-clear.{rest}"
        case AnswerKind.NOT_RUNNING:
            return f"{checked}: no deployment of the service is running."
        case AnswerKind.NO_DATA:
            return f"{checked}: the service had no request and no measurement, so this is no all-clear."
        case AnswerKind.UNKNOWN_SERVICE:
            return f"There is no service of this name in {answer.reason}: it does not exist there or is not watched."
        case _:
            traffic = _format_traffic(answer)
            return f"{checked}: no problem found{f' ({traffic})' if traffic else ''}."


def _format_traffic(answer: Answer) -> str:
    """`1,230 requests, none failed`; "" if the alert names no service or the traffic is unknown."""
    if answer.requests is None:
        return ""
    failed = f"{answer.failed_requests:,}" if answer.failed_requests else "none"
    return f"{plural(answer.requests, 'request')}, {failed} failed" if answer.requests else "no requests"


def _format_own_report(answer: Answer) -> str:
    """A report about a check or about Trackwalker itself; "" for the answer of a check."""
    at = f"{answer.at:%Y-%m-%d %H:%M} UTC" if answer.at else "the start"
    match answer.kind:
        case AnswerKind.CHECK_FAILED:
            blind = f" {format_blind(at)}" if answer.at else ""
            return f"Check failed: {answer.reason}.{blind}" if blind else f"Check failed: {answer.reason}"
        case AnswerKind.CANCELLED:
            return "Cancelled by a person."
        case AnswerKind.WEBHOOKS_MISSING:
            return (
                f"Railway's event feed reports problems in {answer.reason}, but none of its webhooks arrived. "
                "Periodic checks find problems later than webhooks would: add /hooks/railway to the project's "
                "webhooks in Railway."
            )
        case AnswerKind.PINGS_MISSING:
            return (
                f"No scheduled check since {at}: {MISSED_PINGS_LIMIT} pings are missing. Is the clock process "
                "running, and does TRACKWALKER_PUBLIC_URL reach this receiver?"
            )
        case AnswerKind.PINGS_RESUMED:
            return f"Scheduled checks run again. The last one before the gap was at {at}."
        case AnswerKind.OPERATIONAL_ERROR:
            return answer.reason
        case _:
            return ""
