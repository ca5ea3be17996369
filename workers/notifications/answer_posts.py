"""The messages of an alert, and reports about Trackwalker itself. Pure.

Only `AnswerKind.NO_PROBLEM` says that there is no problem, and only with everything read.
"""

from __future__ import annotations

from workers.clients.slack_controls import Control
from workers.clients.slack_text import escape, link
from workers.incidents.answers import RECHECK_SECONDS
from workers.incidents.intake import MISSED_PINGS_LIMIT
from workers.models import Alert, Answer, AnswerKind, DropReason, Finding
from workers.notifications.follow_up_texts import format_gaps, format_minutes
from workers.notifications.presentation import Presentation
from workers.notifications.progress_texts import LOOKING
from workers.notifications.slack_post import Button, SlackPost
from workers.notifications.trouble_texts import ranked, trouble
from workers.runtime.text import format_duration, plural, safe_line

MAX_ALERT = 300  # characters of the sender's text that an alert's message repeats
MAX_TROUBLE = 300  # of a finding
MAX_NAME = 60
MAX_REASON = 600

SENDERS = {
    "railway": "Railway's alert", "alertmanager": "Alertmanager's alert", "grafana": "Grafana's alert",
    "sentry": "Sentry's alert", "slack": "The forwarded alert",
}  # fmt: skip
DROP_TEXTS = {
    DropReason.NOT_WATCHED: "This environment is not in TRACKWALKER_ENVIRONMENTS: not checked.",
    DropReason.ANSWERED_RECENTLY: "Same answer as to the same alert a few minutes ago.",
    DropReason.KNOWN_INCIDENT: "Covered by an incident that is already open.",
}
OWN_NAME = "Trackwalker"


def looking_post(alert: Alert | None, waiting: str = "") -> SlackPost:
    """The acknowledgement of an alert that has no answer yet.

    Args:
        waiting: why there is none, escaped.
    """
    return SlackPost(_alert_headline(alert, "🔎"), (f"{LOOKING}{waiting}",), has_header=False)


def dropped_post(alert: Alert | None, reason: DropReason, incident_id: str, look: Presentation) -> SlackPost:
    """Why an alert gets no answer of its own, in place of its acknowledgement.

    Args:
        incident_id: the incident that covers the alert; "" for none.
    """
    text = DROP_TEXTS[reason]
    if incident_id:
        text = f"{text} See {_reference(incident_id, look)}."
    return SlackPost(_alert_headline(alert, "⚪"), (text,), has_header=False)


def answer_post(alert: Alert | None, answer: Answer, look: Presentation) -> SlackPost:
    """The answer to an alert, or a report about Trackwalker itself."""
    mark, news, lines = _words(alert, answer, look)
    details = look.incident_url(answer.incident_id) if answer.incident_id else ""
    buttons = [Button("Details", "open_details", url=details)] if details else []
    if answer.kind is AnswerKind.CHRONIC and answer.incident_id and look.has_modals:
        buttons.append(Button("Not a problem…", Control.NOT_A_PROBLEM.value, value=answer.incident_id))
    reads = [f"{escape(format_gaps(answer.failed_reads))}."] if answer.failed_reads else []
    reads += [_unknown_names(answer)] if answer.unknown_names else []
    platform = safe_line(answer.platform_incident, MAX_REASON)
    reads += [f"Railway reports an incident of its own: {escape(platform)}."] if platform else []
    quote = [f"Alert: {escape(safe_line(alert.message, MAX_ALERT))}"] if alert and alert.message else []
    return SlackPost(f"{mark} {news}", (*lines, *reads, *quote), tuple(buttons))


def format_blind(since: str) -> str:
    """That Railway cannot be read, and what this means for the services."""
    return f"Trackwalker sees nothing since {since}; your services may be fine."


def _words(alert: Alert | None, answer: Answer, look: Presentation) -> tuple[str, str, list[str]]:
    """The mark, the headline and the lines of an answer."""
    if answer.kind in _OWN_REPORTS:
        return _own_report(answer, look)
    name, sender = _name(alert, answer), SENDERS.get(alert.source if alert else "", "The alert")
    span = f"the last {format_minutes(answer.minutes)}"
    findings = [_finding(finding, look) for finding in ranked(answer.findings)]
    worst, others = (findings[0] if findings else ""), findings[1:]
    reference = [f"See {_reference(answer.incident_id, look)}."] if answer.incident_id else []
    traffic = _traffic(answer)
    again = f"Checking again in {format_duration(RECHECK_SECONDS)}."
    match answer.kind:
        case AnswerKind.CHRONIC:
            real = f"{sender} is real, but not new: it has been so for as far back as the data goes."
            return "🟠", f"{name}: {worst}", [real, *others, *reference]
        case AnswerKind.OPEN_INCIDENT:
            now_seen = f"This check saw {worst or traffic or 'no new finding'}."
            return "🟠", f"{name}: an incident is still open", [now_seen, *others, *reference]
        case AnswerKind.SEEN:
            return (
                "⚪",
                f"{name}: {worst}",
                ["Below the level of an incident, or over already.", *others, again],
            )
        case AnswerKind.NOT_A_PROBLEM:
            return "⚪", f"{name}: {worst}", [_decided(answer, look), *others]
        case AnswerKind.UNCLEAR:
            seen = [f"What could be read: {traffic}."] if traffic else []
            unclear = f"{sender}: checked {span}, but not everything could be read, so this is no all-clear."
            return "🟠", f"{name}: cannot tell", [unclear, *seen]
        case AnswerKind.NOT_RUNNING:
            return "🟠", f"{name}: no deployment is running", [f"Checked {span}."]
        case AnswerKind.NO_DATA:
            return (
                "🟠",
                f"{name}: no requests and no measurements in {span}",
                ["This is no all-clear.", again],
            )
        case AnswerKind.UNKNOWN_SERVICE:
            place = escape(safe_line(answer.reason, MAX_NAME))
            return "🟠", f"{name}: no such service in {place}", ["It does not exist there or is not watched."]
        case _:
            figures = f": {traffic}" if traffic else ""
            healthy = f"Checked {span}: no problem found{figures}."
            return "✅", f"{name} looks healthy: {_lower(sender)} is not confirmed", [healthy, again]


def _unknown_names(answer: Answer) -> str:
    """`The alert names node, which is no service here. If …`: how the next alert finds its service."""
    names = [safe_line(name, MAX_NAME) for name in answer.unknown_names]
    return escape(
        f"The alert names {', '.join(names)}, and no service here has that name. "
        f"If it means one, set TRACKWALKER_SERVICE_MAP={names[0]}=<service>."
    )


def _decided(answer: Answer, look: Presentation) -> str:
    """`dana says that this is not a problem until 27 Nov 13:20: load test`."""
    decision = answer.decision
    if decision is None:
        return "Somebody says that this is not a problem."
    until = f" until {look.clock.at(decision.until, decision.at)}" if decision.until else ""
    reason = f": {escape(safe_line(decision.reason, MAX_REASON))}" if decision.reason else ""
    return f"{escape(decision.person.name)} says that this is not a problem{until}{reason}"


def _lower(sender: str) -> str:
    return sender if sender.partition("'")[1] else sender[0].lower() + sender[1:]


def _finding(finding: Finding, look: Presentation) -> str:
    return escape(safe_line(trouble(finding, None, look.clock), MAX_TROUBLE))


def _name(alert: Alert | None, answer: Answer) -> str:
    """The service that the alert names, else the one that was found, escaped."""
    name = (alert.service_name or alert.service_id) if alert else ""
    name = name or (answer.findings[0].service if answer.findings else "") or "The environment"
    return escape(safe_line(name, MAX_NAME))


def _traffic(answer: Answer) -> str:
    """`0 of 1,230 requests failed`; "" if the alert names no service or the traffic is unknown."""
    if answer.requests is None:
        return ""
    if not answer.requests:
        return "no requests"
    return f"{answer.failed_requests:,} of {plural(answer.requests, 'request')} failed"


def _alert_headline(alert: Alert | None, mark: str) -> str:
    """The service and the kind of the alert; without an alert the message is about Trackwalker itself."""
    if alert is None:
        return f"{mark} {OWN_NAME}"
    name = alert.service_name or alert.service_id
    text = safe_line(alert.message, MAX_ALERT) or alert.kind
    return f"{mark} {f'{escape(safe_line(name, MAX_NAME))}: ' if name else ''}{escape(text)}"


def _reference(incident_id: str, look: Presentation) -> str:
    """The incident's id, which people copy into a command: it is our own and not escaped."""
    page = look.incident_url(incident_id)
    return link(page, incident_id) if page else f"`{incident_id}`"


# ---- Trackwalker itself ----------------------------------------------------------------------

_OWN_REPORTS = (
    AnswerKind.CHECK_FAILED, AnswerKind.CANCELLED, AnswerKind.WEBHOOKS_MISSING, AnswerKind.PINGS_MISSING,
    AnswerKind.PINGS_RESUMED, AnswerKind.OPERATIONAL_ERROR, AnswerKind.FIRST_CHECK,
)  # fmt: skip


def _own_report(answer: Answer, look: Presentation) -> tuple[str, str, list[str]]:
    """The mark, the headline and the lines of a report about a check or about Trackwalker itself."""
    at = look.clock.at(answer.at) if answer.at else "the start"
    reason = escape(safe_line(answer.reason, MAX_REASON))
    match answer.kind:
        case AnswerKind.CHECK_FAILED:
            blind = [format_blind(at)] if answer.at else []
            return "🟠", f"Trackwalker: check failed: {reason}", blind
        case AnswerKind.CANCELLED:
            return "⚪", "Trackwalker: check cancelled by a person", []
        case AnswerKind.WEBHOOKS_MISSING:
            return (
                "🟠",
                f"Trackwalker: none of Railway's webhooks arrived from {reason}",
                [
                    "Railway's event feed reports problems there. Periodic checks find them later than webhooks would.",
                    "*To do:* add /hooks/railway to the project's webhooks in Railway, or run `trackwalker install`.",
                ],
            )
        case AnswerKind.PINGS_MISSING:
            return (
                "🟠",
                f"Trackwalker: no scheduled check since {at}",
                [
                    f"{MISSED_PINGS_LIMIT} pings are missing.",
                    "Is the clock process running, and does TRACKWALKER_PUBLIC_URL reach this receiver?",
                ],
            )
        case AnswerKind.PINGS_RESUMED:
            return (
                "✅",
                "Trackwalker: scheduled checks run again",
                [f"The last one before the gap was at {at}."],
            )
        case AnswerKind.FIRST_CHECK:
            return _first_check(answer, look, reason)
        case _:
            return "🟠", f"Trackwalker itself has a problem: {reason}", []


def _first_check(answer: Answer, look: Presentation, place: str) -> tuple[str, str, list[str]]:
    """The report of the first check: the watched services, and the trouble that exists already."""
    failing = [
        f"{escape(safe_line(finding.service, MAX_NAME))}: {_finding(finding, look)}"
        for finding in ranked(answer.findings)
    ]
    references = [f"See {_reference(incident, look)}." for incident in answer.incident_ids]
    services = plural(answer.services, "service")
    headline = f"Trackwalker now watches {place}: {answer.healthy_services} of {services} healthy"
    return ("🟠" if failing else "✅"), headline, [*failing, *references]
