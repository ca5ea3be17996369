"""The modals that ask for the details of an action. Pure.

They are written as JSON values: the library of Slack's models would cost the web process 17 MB.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from workers.clients.slack_controls import MORNING_HOUR, SNOOZE_HOURS, Control
from workers.runtime.local_clock import LocalClock

REASON_BLOCK = "reason"
END_BLOCK = "end"
MAX_ADDRESS = 2000  # Slack keeps 3,000 characters for a modal
MAX_REASON = 500  # characters that a person can enter
FOREVER = "forever"
ENDS = (("1 day", "1"), ("7 days", "7"), ("30 days", "30"), ("Until somebody undoes it", FOREVER))
"""Label and value, days, of the choices for how long something is not a problem."""
DEFAULT_END = 1  # index of the choice that is selected at first


def modal(control: Control, target: str, response_url: str) -> dict[str, Any]:
    """The modal of a control, which carries what its submission needs."""
    private = json.dumps({"target": target, "response_url": response_url[:MAX_ADDRESS]})
    is_snooze = control is Control.SNOOZE_ASK
    return {
        "type": "modal",
        "callback_id": control.value,
        "private_metadata": private,
        "title": _plain("Snooze" if is_snooze else "Not a problem"),
        "submit": _plain("Snooze" if is_snooze else "Save"),
        "close": _plain("Cancel"),
        "blocks": [_snooze_choices()] if is_snooze else [_reason(), _end_choices()],
    }


def snooze_end(control: Control, now: datetime, clock: LocalClock) -> datetime | None:
    """The end of a snooze that the menu offers; None for any other control."""
    hours = dict(zip((Control.SNOOZE_ONE, Control.SNOOZE_FOUR), SNOOZE_HOURS, strict=True))
    if control in hours:
        return now + timedelta(hours=hours[control])
    return clock.next_at(MORNING_HOUR, now) if control is Control.SNOOZE_MORNING else None


def chosen_end(value: str, now: datetime) -> tuple[bool, datetime | None]:
    """Whether the value is one of the choices, and the end that it stands for; None lasts until it is undone."""
    if value not in {choice for _, choice in ENDS}:
        return False, None
    return True, None if value == FOREVER else now + timedelta(days=int(value))


def _reason() -> dict[str, Any]:
    return {
        "type": "input",
        "block_id": REASON_BLOCK,
        "label": _plain("Why is this not a problem?"),
        "hint": _plain("Your colleagues read this wherever the finding is left out."),
        "element": {
            "type": "plain_text_input",
            "action_id": REASON_BLOCK,
            "max_length": MAX_REASON,
            "placeholder": _plain("For example: load test until Friday"),
        },
    }


def _end_choices() -> dict[str, Any]:
    options = [_option(label, value) for label, value in ENDS]
    return _choices("For how long?", options, options[DEFAULT_END])


def _snooze_choices() -> dict[str, Any]:
    options = [
        _option(f"{SNOOZE_HOURS[0]} h", Control.SNOOZE_ONE.value),
        _option(f"{SNOOZE_HOURS[1]} h", Control.SNOOZE_FOUR.value),
        _option(f"Until {MORNING_HOUR}:00", Control.SNOOZE_MORNING.value),
    ]
    return _choices("Post nothing about this incident for", options, options[0])


def _choices(label: str, options: list[dict[str, Any]], first: dict[str, Any]) -> dict[str, Any]:
    element = {"type": "radio_buttons", "action_id": END_BLOCK, "options": options, "initial_option": first}
    return {"type": "input", "block_id": END_BLOCK, "label": _plain(label), "element": element}


def _option(label: str, value: str) -> dict[str, Any]:
    return {"text": _plain(label), "value": value}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
