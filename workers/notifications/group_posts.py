"""The messages of an incident group, rendered from its members: one first message and one outcome for all. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from workers.clients.slack_controls import Control, menu_value
from workers.clients.slack_text import escape, link
from workers.incidents.grouping import GroupMember
from workers.models import Suspect
from workers.notifications.buttons import MAX_BUTTONS
from workers.notifications.cause_texts import author_of, describe_commit
from workers.notifications.follow_up_texts import format_follow_up
from workers.notifications.incident_state import HEALTHY_MARK, SEVERITY_MARKS
from workers.notifications.presentation import Presentation
from workers.notifications.progress_texts import LOOKING
from workers.notifications.slack_post import Button, MenuItem, SlackPost
from workers.notifications.trouble_texts import describe, ranked, trouble
from workers.runtime.text import join_names, safe_line

MAX_LINES = 15  # members that a message lists, worst first: Slack cuts long messages
MAX_LINE_CHARACTERS = 200
MAX_NAME = 60
MAX_HEADLINE_NAMES = 3
MAX_COMMITS = 3  # skipped commits that the first line names
SAME_COMMIT_MIN = 2  # members with the same suspect commit that make it the likely cause of all


def group_post(members: Sequence[GroupMember], look: Presentation) -> SlackPost:
    """Every member with its state, worst first, what they have in common, and what waits for a person."""
    lines = [_member_line(member, look) for member in members[:MAX_LINES]]
    more = len(members) - MAX_LINES
    lines += [f"and {more} more"] if more > 0 else []
    lines += _common_commit(members, look)
    lines += _approval_lines(members, look)
    return SlackPost(
        headline=_headline(members, look),
        lines=tuple(lines),
        buttons=_buttons(members, look),
        menu=_menu(members, look),
        footer=(_place(members),),
    )


def _headline(members: Sequence[GroupMember], look: Presentation) -> str:
    """`🔴 4 services failing in acme/production since 03:47: checkout 96 % of requests fail, …`."""
    place = _place(members)
    skipped = _skipped_deployments(members)
    if skipped:
        commits = ", ".join(_clean(text) for text in skipped)
        return f"{_mark(members)} {len(members)} deployments skipped in {place}: {commits}. Railway does not retry them"
    onset = min(finding.since for member in members for finding in member.incident.findings)
    since = look.clock.at(onset, members[0].incident.opened_at)
    if all(member.is_ended for member in members):
        return f"{_mark(members)} {len(members)} incidents in {place} have ended"
    worst = ", ".join(_short_trouble(member) for member in members[:MAX_HEADLINE_NAMES])
    return f"{_mark(members)} {len(members)} services failing in {place} since {since}: {worst}"


def _short_trouble(member: GroupMember) -> str:
    finding = ranked(member.incident.findings)[0]
    words = describe(finding) or finding.sentence
    return f"{_name(member)} {_clean(words)}"


def _mark(members: Sequence[GroupMember]) -> str:
    if all(member.is_ended for member in members):
        return HEALTHY_MARK
    return SEVERITY_MARKS[members[0].incident.severity]


def _place(members: Sequence[GroupMember]) -> str:
    incident = members[0].incident
    return escape(safe_line(f"{incident.project_name}/{incident.environment_name}", MAX_NAME))


def _name(member: GroupMember) -> str:
    return escape(safe_line(member.incident.subject.name, MAX_NAME))


def _member_line(member: GroupMember, look: Presentation) -> str:
    incident = member.incident
    page = look.incident_url(member.id)
    name = link(page, safe_line(incident.subject.name, MAX_NAME)) if page else _name(member)
    mark = HEALTHY_MARK if member.is_ended else SEVERITY_MARKS[incident.severity]
    words = _clean(trouble(ranked(incident.findings)[0], incident.window, look.clock))
    return f"{mark} *{name}*: {words}. {_format_state(member)}"


def _skipped_deployments(members: Sequence[GroupMember]) -> list[str]:
    """`commit abc1234 (CI check suite failed)` of each commit, if every member is a deployment that was skipped."""
    labels = [member.incident.findings[0].labels for member in members]
    if not all("reason" in item and "deployment" in item for item in labels):
        return []
    return list(dict.fromkeys(f"{item['deployment']} ({item['reason']})" for item in labels))[:MAX_COMMITS]


def _format_state(member: GroupMember) -> str:
    if member.follow_up is not None:
        return _clean(format_follow_up(member.follow_up))
    if member.outcome is not None:
        reference = f" {link(member.outcome.link)}" if member.outcome.link else ""
        return _clean(member.outcome.headline) + reference
    if member.is_suppressed:
        return "A symptom of another incident."
    return f"Waiting: {_clean(member.reason)}" if member.reason else LOOKING


# ---- what they have in common ----------------------------------------------------------------


def _common_commit(members: Sequence[GroupMember], look: Presentation) -> list[str]:
    """The deployment before the trouble of several members, which is likely to be the cause of all."""
    by_commit: dict[str, list[GroupMember]] = {}
    for member in members:
        suspect = _suspect(member)
        if suspect is not None and suspect.commit:
            by_commit.setdefault(suspect.commit, []).append(member)
    shared = max(by_commit.values(), key=len, default=[])
    suspect = _suspect(shared[0]) if len(shared) >= SAME_COMMIT_MIN else None
    if suspect is None:
        return []
    author = author_of(suspect, look)
    count = "All of them" if len(shared) == len(members) else f"{len(shared)} of them"
    commit = describe_commit(suspect, shared[0].evidence, look)
    by = f" by {author}" if author else ""
    return [f"{count} run {commit}{by}: *rolling it back* is likely to end all of it."]


def _suspect(member: GroupMember) -> Suspect | None:
    return member.evidence.suspect if member.evidence else None


# ---- what a person can do --------------------------------------------------------------------


def waiting_members(members: Sequence[GroupMember]) -> list[GroupMember]:
    """The members whose fix waits for a person."""
    return [
        member
        for member in members
        if member.outcome is not None and member.outcome.kind == "waiting" and not member.is_ended
    ]


def _approval_lines(members: Sequence[GroupMember], look: Presentation) -> list[str]:
    waiting = waiting_members(members)
    if not waiting:
        return []
    names = join_names([member.incident.subject.name for member in waiting], MAX_HEADLINE_NAMES)
    text = f"Automatic fixes wait for you: {_clean(names)}."
    if look.has_buttons or look.page_url:
        return [text]
    return [f"{text} `trackwalker fix {waiting[0].id}` (or `trackwalker fix all`)"]


def _buttons(members: Sequence[GroupMember], look: Presentation) -> tuple[Button, ...]:
    """Fix the worst, the page, and the acknowledgement of the whole group."""
    page = look.page_url
    buttons = []
    waiting = waiting_members(members)
    if waiting and look.has_buttons:
        label = f"Fix {safe_line(waiting[0].incident.subject.name, MAX_NAME)}"
        buttons.append(Button(label, Control.FIX.value, value=waiting[0].id, style="primary"))
    elif waiting and (address := look.incident_url(waiting[0].id)):
        buttons.append(Button("Fix…", "open_fix", url=address, style="primary"))
    if page:
        buttons.append(Button("Details", "open_details", url=page))
    open_members = [member for member in members if not member.is_ended]
    if open_members and look.has_buttons:
        target = ",".join(member.id for member in open_members[:MAX_LINES])
        buttons.append(Button("Acknowledge all", Control.ACKNOWLEDGE.value, value=target))
    return tuple(buttons[:MAX_BUTTONS])


def _menu(members: Sequence[GroupMember], look: Presentation) -> tuple[MenuItem, ...]:
    """The fix of each further member that waits for a person."""
    if not look.has_buttons:
        return ()
    return tuple(
        MenuItem(
            f"Fix {safe_line(member.incident.subject.name, MAX_NAME)}", menu_value(Control.FIX, member.id)
        )
        for member in waiting_members(members)[1:]
    )


def _clean(text: str) -> str:
    return escape(safe_line(text, MAX_LINE_CHARACTERS))
