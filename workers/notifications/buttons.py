"""The buttons and the menu below an incident's message: only those that do something now. Pure.

With a signing secret they act in Slack; without one they open the incident's page; without a public address only the
pull request can be opened. The local command is named where neither exists.
"""

from __future__ import annotations

from workers.clients.slack_controls import MORNING_HOUR, Control, menu_value
from workers.clients.slack_text import is_link
from workers.notifications.incident_state import ENDED_PHASES, IncidentState, Phase
from workers.notifications.presentation import Presentation
from workers.notifications.slack_post import Button, MenuItem

MAX_BUTTONS = 3  # beside the menu: more do not fit into a line of a telephone
MAX_MENU = 5  # entries that Slack takes
SNOOZES = (
    ("Snooze 1 h", Control.SNOOZE_ONE),
    ("Snooze 4 h", Control.SNOOZE_FOUR),
    (f"Snooze until {MORNING_HOUR}:00", Control.SNOOZE_MORNING),
)


def buttons_of(state: IncidentState, look: Presentation) -> tuple[Button, ...]:
    """At most three buttons: what moves the incident on, its page, and the acknowledgement."""
    page = look.incident_url(state.incident.id)
    buttons = [*_first_button(state, look)]
    if page:
        buttons.append(Button("Details", "open_details", url=page))
    if state.phase not in ENDED_PHASES and state.acknowledged is None:
        buttons += _act(look, "Acknowledge", Control.ACKNOWLEDGE, state.incident.id, page)
    return tuple(buttons)


def _first_button(state: IncidentState, look: Presentation) -> list[Button]:
    incident_id, page = state.incident.id, look.incident_url(state.incident.id)
    if is_link(state.pull_url):
        number = f" #{state.pull.number}" if state.pull else ""
        style = "primary" if state.phase is Phase.PULL_REQUEST else ""
        return [
            Button(
                f"Open{number}" if number else "Open pull request",
                "open_pull_request",
                url=state.pull_url,
                style=style,  # type: ignore[arg-type]
            )
        ]
    if state.phase is Phase.APPROVAL:
        return _act(look, "Fix it", Control.FIX, incident_id, page, is_primary=True)
    if state.phase in (Phase.NOT_DELIVERED, Phase.BLOCKED):
        return _act(look, "Try again", Control.RETRY, incident_id, page, is_primary=True)
    if state.phase is Phase.NOT_A_PROBLEM and state.decision is not None:
        return _act(look, "Undo", Control.UNDO, state.decision.id, page)
    return []


def _act(
    look: Presentation, label: str, control: Control, target: str, page: str, *, is_primary: bool = False
) -> list[Button]:
    """The button as an action, else as a link to the page where the same can be done, else no button."""
    style = "primary" if is_primary else ""
    if look.has_buttons:
        return [Button(label, control.value, value=target, style=style)]  # type: ignore[arg-type]
    return [Button(label, f"open_{control.value}", url=page, style=style)] if page else []  # type: ignore[arg-type]


def menu_of(state: IncidentState, look: Presentation) -> tuple[MenuItem, ...]:
    """The entries of the overflow menu; () once the incident has ended."""
    if state.phase in ENDED_PHASES or not (look.has_buttons or look.page_url):
        return ()
    incident_id, page = state.incident.id, look.incident_url(state.incident.id)
    snoozes = [_item(look, label, control, incident_id, page) for label, control in SNOOZES]
    rest = [
        _item(look, "Not a problem…", Control.NOT_A_PROBLEM, incident_id, page),
        _item(look, "Check again", Control.CHECK, incident_id, page),
    ]
    if can_roll_back(state) and (confirm := look.rollback_url(incident_id)):
        rest.append(MenuItem("Roll back…", "open_rollback", url=confirm))
    rest = [item for item in rest if item]
    if len(snoozes) + len(rest) > MAX_MENU:
        snoozes = [_item(look, "Snooze…", Control.SNOOZE_ASK, incident_id, page)]
    return tuple(item for item in (*snoozes, *rest) if item)


def _item(look: Presentation, label: str, control: Control, target: str, page: str) -> MenuItem | None:
    is_modal = control in (Control.NOT_A_PROBLEM, Control.SNOOZE_ASK)
    if look.has_buttons and (look.has_modals or not is_modal):
        return MenuItem(label, menu_value(control, target))
    return MenuItem(label, f"open_{control.value}", url=page) if page else None


def can_roll_back(state: IncidentState) -> bool:
    """True if the deployment before the onset was healthy and can be restored, and nothing is merged yet."""
    option = state.evidence.rollback if state.evidence else None
    merged = (Phase.WATCHING, Phase.NOT_LIVE, Phase.FIX_FAILED, Phase.UNMEASURED)
    return option is not None and not state.is_rolled_back and state.phase not in (*merged, *ENDED_PHASES)


def command_hint(state: IncidentState, look: Presentation) -> str:
    """The local command for an action that waits for a person, where no button or page offers it; "" otherwise."""
    if look.has_buttons or look.page_url:
        return ""
    commands = {Phase.APPROVAL: "fix", Phase.NOT_DELIVERED: "retry", Phase.BLOCKED: "retry"}
    command = commands.get(state.phase)
    return f"`trackwalker {command} {state.incident.id}`" if command else ""
