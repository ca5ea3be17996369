"""The cause of an incident in one or two lines: the error with its place, the deployment and its author. Pure."""

from __future__ import annotations

from datetime import datetime

from workers.clients.slack_text import code, escape, is_link, link, mention
from workers.models import Category, CodeLocation, Evidence, LogPattern, Suspect
from workers.notifications.incident_state import IncidentState
from workers.notifications.presentation import Presentation
from workers.runtime.text import format_duration, safe_line

NEAR_SECONDS = 3600.0  # between a deployment and the onset for which the one is said to have begun the other
MAX_ERROR = 160  # characters of an error's headline
MAX_PLACE = 120
MAX_SUBJECT = 80  # characters of a commit's subject
MAX_AUTHOR = 40
MAX_SUMMARY = 400
COMMIT_CHARACTERS = 7

CATEGORY_LABELS = {
    Category.CODE: "Bug in the code",
    Category.DEPLOYMENT: "Failed deployment",
    Category.RESOURCE_LIMIT: "Resource limit",
    Category.CONFIGURATION: "Configuration",
    Category.UPSTREAM: "Upstream",
    Category.PLATFORM: "Railway",
    Category.TRAFFIC: "Traffic",
    Category.TRANSIENT: "Transient",
    Category.INCONCLUSIVE: "Cause not found yet",
}


def cause_lines(state: IncidentState, look: Presentation) -> list[str]:
    """The error with its place, and the deployment before it; [] while nothing is known."""
    error, deployment, is_near = _error(state), _deployment(state, look), _is_near(state)
    if not is_near:
        return [line for line in (error, deployment) if line]
    if _own_pattern(state) is not None:
        return [f"{error}, since {deployment}"]
    # A verdict is a sentence of its own, and a cause outside the code is not that deployment's fault.
    return [line for line in (error, f"Deployed around that time: {deployment}") if line]


def _error(state: IncidentState) -> str:
    """`KeyError: 'gift'` in `shop/pricing.py:5`; else the verdict, with its category."""
    verdict, pattern = state.verdict, _own_pattern(state)
    if verdict is None:
        return ""
    if pattern is None:
        return f"{CATEGORY_LABELS[verdict.category]}: {escape(safe_line(verdict.summary, MAX_SUMMARY))}"
    place = place_of(state)
    return f"{code(pattern.headline or pattern.template, MAX_ERROR)}{f' in {code(place, MAX_PLACE)}' if place else ''}"


def _own_pattern(state: IncidentState) -> LogPattern | None:
    """The error that stands for the cause; None if the cause is not in the code or its deployment."""
    verdict, evidence = state.verdict, state.evidence
    if verdict is None or evidence is None or verdict.category not in (Category.CODE, Category.DEPLOYMENT):
        return None
    return error_pattern(evidence)


def error_pattern(evidence: Evidence) -> LogPattern | None:
    """The log record that shows the error: one with an exception, the most frequent first; None without one."""
    patterns = (*evidence.patterns, *evidence.build_patterns)
    return next((pattern for pattern in patterns if pattern.exception), None)


def place_of(state: IncidentState) -> str:
    """`shop/pricing.py:5`: the line that the plan blames, else the first one of a stack trace; "" if none is known."""
    cause = state.plan.cause if state.plan else None
    if cause is not None and cause.file:
        return f"{cause.file}:{cause.line}" if cause.line else cause.file
    location = _stack_location(state.evidence)
    return location.position if location else ""


def _stack_location(evidence: Evidence | None) -> CodeLocation | None:
    locations = evidence.locations if evidence else ()
    return next((item for item in locations if item.why in ("stack", "log", "build")), None)


def _deployment(state: IncidentState, look: Presentation) -> str:
    """`a1b2c3d "gift cards" (Ana, 14:00)`, or the last deployment with its age; "" if none is known."""
    suspect = _suspect(state)
    if suspect is None:
        return ""
    seconds = (onset_of(state) - suspect.at).total_seconds()
    name = describe_commit(suspect, state.evidence, look)
    when = look.clock.at(suspect.at, state.incident.window.end)
    author = author_of(suspect, look)
    if abs(seconds) <= NEAR_SECONDS:
        return f"{name} ({f'{author}, ' if author else ''}{when})"
    if seconds < 0:
        return ""
    by = f" by {author}" if author else ""
    return f"Last deployment: {name}{by}, {format_duration(seconds)} before"


def _suspect(state: IncidentState) -> Suspect | None:
    return state.evidence.suspect if state.evidence and state.incident.subject.kind == "service" else None


def _is_near(state: IncidentState) -> bool:
    suspect = _suspect(state)
    return suspect is not None and abs((onset_of(state) - suspect.at).total_seconds()) <= NEAR_SECONDS


def describe_commit(suspect: Suspect, evidence: Evidence | None, look: Presentation) -> str:
    """The commit's short name, as a link where its repository is known, and its subject in quotation marks."""
    if not suspect.commit:
        return "a deployment without a commit"
    short, repository = suspect.commit[:COMMIT_CHARACTERS], evidence.repository if evidence else None
    address = f"{look.github_url}/{repository.name}/commit/{suspect.commit}" if repository else ""
    name = link(address, short) if is_link(address) else code(short)
    subject = safe_line((suspect.message or "").partition("\n")[0], MAX_SUBJECT)
    return f'{name} "{escape(subject)}"' if subject else name


def author_of(suspect: Suspect, look: Presentation) -> str:
    """The author's name, with a mention if TRACKWALKER_SLACK_USERS maps it to a user of Slack."""
    author = safe_line(suspect.author or "", MAX_AUTHOR)
    user = mention(look.users.get(suspect.author or "", "")) if author else ""
    return " ".join(filter(None, (escape(author), user)))


def onset_of(state: IncidentState) -> datetime:
    """When the trouble began."""
    return min(finding.since for finding in state.incident.findings)
