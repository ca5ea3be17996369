"""The names of the buttons below our messages, which notifications write and the receiver reads. Pure."""

from __future__ import annotations

from enum import StrEnum

MENU_ID = "menu"  # action_id of the overflow menu; the value of its entry says what to do
LINK_PREFIX = "open_"  # of the action_id of a button that only opens a page: Slack reports its press as well
SNOOZE_HOURS = (1, 4)  # that the menu offers
MORNING_HOUR = 9  # local hour of the third choice
MAX_VALUE_CHARACTERS = 150  # of a menu entry's value, by Slack


class Control(StrEnum):
    """The request of a press: an action, or the modal that asks for its details."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE_ONE = "snooze_1h"
    SNOOZE_FOUR = "snooze_4h"
    SNOOZE_MORNING = "snooze_morning"
    SNOOZE_ASK = "snooze"
    """Opens a modal with the three choices."""
    NOT_A_PROBLEM = "not_a_problem"
    """Opens a modal that asks for a reason and an end."""
    FIX = "fix"
    CHECK = "check"
    RETRY = "retry"
    UNDO = "undo"


MODAL_CONTROLS = (Control.SNOOZE_ASK, Control.NOT_A_PROBLEM)


def menu_value(control: Control, target: str) -> str:
    """The value of a menu entry."""
    return f"{control.value} {target}"


def read_menu_value(value: str) -> tuple[Control, str] | None:
    """The control and its target, a journal's or a decision's id; None for a value that is not ours."""
    name, _, target = value.partition(" ")
    control = read_control(name)
    return (control, target) if control and target else None


def read_control(name: str) -> Control | None:
    """The control of that name, None for any other name."""
    return next((control for control in Control if control.value == name), None)
