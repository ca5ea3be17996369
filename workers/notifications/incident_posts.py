"""The messages of an incident, rendered from its state: first message, outcome, details, follow-up. Pure.

The first message and the outcome have the same layout: trouble, what was done, cause, what to do now. The first one is
edited to the present state; the outcome stays as it was posted.
"""

from __future__ import annotations

from datetime import datetime

from workers.clients.slack_text import escape, link
from workers.notifications.buttons import buttons_of, command_hint, menu_of
from workers.notifications.cause_texts import cause_lines, onset_of
from workers.notifications.follow_up_texts import format_follow_up
from workers.notifications.incident_state import (
    ENDED_PHASES,
    IncidentState,
    Phase,
    worst_symptoms,
)
from workers.notifications.presentation import Presentation, railway_url
from workers.notifications.progress_texts import progress_lines
from workers.notifications.remedy_texts import remedy_lines
from workers.notifications.slack_post import SlackPost
from workers.notifications.trouble_texts import describe, describe_past, ranked, trouble
from workers.runtime.text import format_duration, plural, safe_line

UNDONE = "Undone: the next check that finds it opens an incident."
MAX_NAME = 60  # characters of a service's name: Railway limits none
MAX_ENVIRONMENT = 30
MAX_TROUBLE = 200  # of the trouble in the headline
MAX_OTHERS = 4  # findings beside the first that a message lists
SHORT_ID = 8  # characters of a fingerprint that tell incidents apart
MAX_SYMPTOM_NAMES = 4  # more do not help to find the cause


def first_post(state: IncidentState, look: Presentation, now: datetime) -> SlackPost:
    """The first message as it has to read now."""
    is_over = state.phase in ENDED_PHASES
    lines = [
        *progress_lines(state, look),
        *_owner_lines(state, look, now),
        *cause_lines(state, look),
        *([] if is_over else remedy_lines(state, look)),
        *([] if is_over else _extent_lines(state)),
    ]
    hint = command_hint(state, look)
    return SlackPost(
        headline=headline(state, look),
        lines=tuple(line for line in (*lines, hint) if line),
        buttons=buttons_of(state, look),
        menu=menu_of(state, look),
        footer=footer(state, look),
    )


def reminder_post(state: IncidentState, look: Presentation, now: datetime) -> SlackPost:
    """The message about a critical incident that somebody has, and that is not better after a while."""
    post = first_post(state, look, now)
    owner = state.acknowledged
    if owner is None:
        return post
    since = look.clock.at(owner.at, now)
    line = f"Still not better. {escape(owner.person.name)} has it since {since}."
    return SlackPost(post.headline, (line, *post.lines), post.buttons, post.menu, post.footer)


def follow_up_post(state: IncidentState, look: Presentation) -> SlackPost:
    """How the incident went on after its outcome: a reply in the thread, or a post if people have to act."""
    if state.follow_up is None:
        return SlackPost(headline(state, look))
    line = escape(format_follow_up(state.follow_up))
    needs_action = state.phase not in ENDED_PHASES
    return SlackPost(
        headline=headline(state, look),
        lines=(line, *(remedy_lines(state, look) if needs_action else ())),
        buttons=buttons_of(state, look) if needs_action else (),
        has_header=needs_action,
    )


def symptom_post(state: IncidentState) -> SlackPost:
    """That the incident looks like a symptom of another one."""
    return SlackPost(f"{service_name(state)}: this looks like a symptom of {state.cause}", has_header=False)


# ---- the headline ----------------------------------------------------------------------------


def service_name(state: IncidentState) -> str:
    """The name of the incident's subject, escaped."""
    return escape(safe_line(state.incident.subject.name, MAX_NAME))


def headline(state: IncidentState, look: Presentation) -> str:
    """`🔴 checkout · production: 94 % of requests fail since 14:02`."""
    environment = escape(safe_line(state.incident.environment_name, MAX_ENVIRONMENT))
    return f"{state.mark} {service_name(state)} · {environment}: {_news(state, look)}"


def _news(state: IncidentState, look: Presentation) -> str:
    number = f"#{state.pull.number}" if state.pull else "the fix"
    now = main_trouble(state, look)
    match state.phase:
        case Phase.FIXED:
            return f"fixed by {number}. {_measured(state)}"
        case Phase.RESOLVED:
            return f"resolved. {_capitalised(_past_trouble(state, look))}"
        case Phase.WATCHING:
            return f"{number} {_merge_step(state)}. {_trouble_of_merge(state, look)}"
        case Phase.RECOVERING:
            since = state.recovery.healthy_since if state.recovery else None
            when = f" since {look.clock.at(since, state.incident.opened_at)}" if since else ""
            return f"looks healthy{when}, still checking. {_trouble_before(state, look)}"
        case Phase.ROLLED_BACK:
            return f"rolled back, watching. {_trouble_before(state, look)}"
        case Phase.BLOCKED:
            words = safe_line(state.outcome.headline, MAX_TROUBLE) if state.outcome else "a tested fix waits"
            return f"{escape(words[:1].lower() + words[1:])}. {_capitalised(now)}"
        case Phase.FIX_FAILED:
            remaining = state.follow_up.remaining if state.follow_up else None
            words = escape((describe(remaining) or remaining.sentence) if remaining else "") or now
            return f"{number} did not help: {words}"
        case Phase.NOT_LIVE:
            return f"{number} is merged but not live, {now}"
        case Phase.NOT_A_PROBLEM:
            return f"not a problem. {_capitalised(now)}"
        case Phase.CANCELLED:
            return f"cancelled. {_capitalised(now)}"
        case _:
            return f"{_relapse(state)}{now}"


def _relapse(state: IncidentState) -> str:
    """`again: ` before trouble that came back."""
    return "again: " if state.incident.relapse else ""


def main_trouble(state: IncidentState, look: Presentation) -> str:
    """The finding that matters most, escaped: `94 % of requests fail since 14:02`."""
    incident = state.incident
    finding = ranked(incident.findings)[0]
    words = safe_line(trouble(finding, incident.window, look.clock), MAX_TROUBLE)
    prefix = "" if finding.service == incident.subject.name else f"{safe_line(finding.service, MAX_NAME)}: "
    return escape(f"{prefix}{words}")


def _past_trouble(state: IncidentState, look: Presentation, *, is_over: bool = True) -> str:
    """`94 % of requests failed, 14:02–14:31 (29 min)`."""
    finding = ranked(state.incident.findings)[0]
    words = escape(safe_line(describe_past(finding) or finding.sentence, MAX_TROUBLE))
    start, end = onset_of(state), state.trouble_until
    if not describe(finding) or end is None or end <= start:
        return words
    if not is_over:
        return f"{words} since {look.clock.at(start, end)}"
    return f"{words}, {look.clock.span(start, end)}"


def _trouble_before(state: IncidentState, look: Presentation) -> str:
    """`Before: 94 % of requests failed since 14:02`."""
    return f"Before: {_past_trouble(state, look, is_over=False)}"


def _trouble_of_merge(state: IncidentState, look: Presentation) -> str:
    """The trouble as it is until the merge is deployed, and as it was afterwards."""
    is_live = state.merge is not None and state.merge.deployed_at is not None
    return _trouble_before(state, look) if is_live else _capitalised(main_trouble(state, look))


def _capitalised(words: str) -> str:
    """The words as a sentence of their own; `p95` stays as it is."""
    return words if words.startswith("p95") else words[:1].upper() + words[1:]


def _merge_step(state: IncidentState) -> str:
    """`is merged and deployed: 0 of 120 requests failed so far`."""
    merge = state.merge
    if merge is None or merge.deployed_at is None:
        return "is merged, waiting for its deployment"
    if not merge.requests:
        return "is merged and deployed, watching"
    return f"is deployed: {merge.failed_requests:,} of {plural(merge.requests, 'request')} failed so far"


def _measured(state: IncidentState) -> str:
    follow_up = state.follow_up
    if follow_up is None or not follow_up.requests:
        return "The trouble is gone"
    minutes = format_duration(60 * (follow_up.minutes or 0.0))
    counts = f"{follow_up.failed_requests:,} of {plural(follow_up.requests, 'request')}"
    return f"{counts} failed in the {minutes} since its deployment"


# ---- lines -----------------------------------------------------------------------------------


def _owner_lines(state: IncidentState, look: Presentation, now: datetime) -> list[str]:
    """`dana has it since 03:12`, and until when nothing more is posted."""
    lines = []
    decision, reference = state.decision, state.incident.opened_at
    if (owner := state.acknowledged) and state.phase not in ENDED_PHASES:
        lines.append(f"{escape(owner.person.name)} has it since {look.clock.at(owner.at, reference)}")
    if decision is None:
        return [*lines, UNDONE] if state.phase is Phase.NOT_A_PROBLEM else lines
    until = f" until {look.clock.at(decision.until, reference)}" if decision.until else ""
    reason = f": {escape(safe_line(decision.reason, MAX_TROUBLE))}" if decision.reason else ""
    person = escape(decision.person.name)
    if state.phase is Phase.NOT_A_PROBLEM:
        lines.append(f"{person} says that this is not a problem{until}{reason}")
    elif state.is_snoozed(now) and state.phase not in ENDED_PHASES:
        lines.append(f"Snoozed{until} by {person}{reason}")
    return lines


def _extent_lines(state: IncidentState) -> list[str]:
    """The other findings, the requests that fail, and the services that suffer."""
    incident = state.incident
    lines = []
    others = [
        f"{'' if finding.service == incident.subject.name else f'{safe_line(finding.service, MAX_NAME)}: '}"
        f"{safe_line(describe(finding) or finding.sentence, MAX_TROUBLE)}"
        for finding in ranked(incident.findings)[1 : 1 + MAX_OTHERS]
    ]
    if others:
        lines.append(f"Also: {'; '.join(escape(text) for text in dict.fromkeys(others))}")
    if affected := _affected_requests(state):
        lines.append(affected)
    symptoms = worst_symptoms(incident)
    if symptoms:
        names = ", ".join(escape(safe_line(name, MAX_NAME)) for name in list(symptoms)[:MAX_SYMPTOM_NAMES])
        more = len(symptoms) - MAX_SYMPTOM_NAMES
        figures = dict.fromkeys(
            escape(describe(finding) or finding.kind.replace("_", " "))
            for finding in list(symptoms.values())[:MAX_SYMPTOM_NAMES]
        )
        rest = f" and {more} more" if more > 0 else ""
        lines.append(f"Also affected: {names}{rest} ({', '.join(figures)})")
    return lines


def _affected_requests(state: IncidentState) -> str:
    """`Affected: 562 of 598 requests, most of them POST /orders`; "" if the traffic is not part of the trouble."""
    finding = next((item for item in state.incident.findings if item.kind == "server_errors"), None)
    numbers = finding.numbers if finding else {}
    if "requests" not in numbers or "failed" not in numbers:
        return ""
    failing = [item for item in (state.evidence.requests if state.evidence else ()) if item.status >= 500]
    routes = list(dict.fromkeys(f"{item.method} {item.route}" for item in failing))[:2]
    where = f": {escape(safe_line(', '.join(routes), MAX_TROUBLE))}" if routes else ""
    return f"Affected: {numbers['failed']:,.0f} of {plural(round(numbers['requests']), 'request')}{where}"


# ---- the footer ------------------------------------------------------------------------------


def footer(state: IncidentState, look: Presentation) -> tuple[str, ...]:
    """`seen 14:03 · told 14:03 · fix 14:09 · 38k tokens, $0.21`, then where it is and its id."""
    incident, at = state.incident, look.clock.at
    reference = incident.opened_at
    parts = [f"seen {at(incident.opened_at, reference)}"]
    if state.posted_at is not None:
        parts.append(f"told {at(state.posted_at, reference)}")
    if state.fix is not None:
        parts.append(f"fix {at(state.fix.committed_at, reference)}")
    if state.merge is not None:
        parts.append(f"merged {at(state.merge.merged_at, reference)}")
    if state.firings > 1:
        parts.append(plural(state.firings, "check"))
    if state.usage is not None and state.usage.tokens:
        parts.append(format_cost(state.usage.tokens, state.usage.cost_usd))
    where = escape(safe_line(f"{incident.project_name}/{incident.environment_name}", MAX_NAME))
    service = link(railway_url(incident), "open in Railway") if railway_url(incident) else ""
    name = f"incident {escape(incident.fingerprint[:SHORT_ID])}"
    place = " · ".join(filter(None, (where, name, service)))
    return (" · ".join(parts), place)


def format_cost(tokens: int, cost_usd: float) -> str:
    """`38k tokens, $0.21`."""
    amount = f"{tokens / 1000:.0f}k tokens" if tokens >= 1000 else plural(tokens, "token")
    return f"{amount}, ${cost_usd:.2f}" if cost_usd else amount
