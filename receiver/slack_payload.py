"""Slack's requests for pressed buttons and submitted modals, as typed values. Pure.

https://docs.slack.dev/reference/interaction-payloads
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from workers.clients.slack_controls import LINK_PREFIX, MENU_ID, Control, read_control, read_menu_value
from workers.models import Person, digest
from workers.runtime.characters import without_half_pairs

MAX_FIELDS = 10  # of the form; Slack sends one
MAX_PRESSES = 5  # of one request; Slack sends one
MAX_NAME_CHARACTERS = 80
MAX_ID_CHARACTERS = 200
MAX_TARGET_CHARACTERS = 2000  # Slack's limit for the value of a button
MAX_TARGETS = 20  # of one press; our buttons name the incidents of one message


class InvalidRequest(Exception):
    """A body that is no interaction payload; the text says why."""


@dataclass(frozen=True)
class Press:
    """One press of one button or menu entry."""

    control: Control
    targets: tuple[str, ...]
    """Ids of journals or of a decision."""
    person: Person
    request_id: str
    response_url: str
    trigger_id: str


@dataclass(frozen=True)
class Submission:
    """A submitted modal."""

    callback_id: str
    target: str
    values: Mapping[str, str]
    """The text or chosen value of each block, by its block_id."""
    person: Person
    request_id: str
    response_url: str


def parse(body: bytes) -> list[Press] | Submission | None:
    """The presses or the submission in a request; None for one that needs no answer.

    Raises:
        InvalidRequest: the body is no form with a JSON object in its field `payload`.
    """
    payload = _payload(body)
    if payload is None:
        return None
    person = _person(payload)
    if payload.get("type") == "block_actions" and person:
        actions = payload.get("actions")
        found = [_press(payload, action, person) for action in (actions if isinstance(actions, list) else [])]
        return [press for press in found[:MAX_PRESSES] if press]
    if payload.get("type") == "view_submission" and person:
        return _submission(payload, person)
    return None


def _payload(body: bytes) -> dict[str, Any] | None:
    try:
        form = parse_qs(body.decode("utf-8"), max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise InvalidRequest("is not a form") from None
    if "payload" not in form:
        if "ssl_check" in form:  # Slack checks the certificate of the address
            return None
        raise InvalidRequest("has no field `payload`")
    try:
        payload = json.loads(without_half_pairs(form["payload"][0].encode("utf-8", "replace")))
    except (ValueError, RecursionError):
        raise InvalidRequest("payload: is not JSON") from None
    if not isinstance(payload, dict):
        raise InvalidRequest("payload: must be an object")
    return payload


def _person(payload: Mapping[str, Any]) -> Person | None:
    """The person by Slack's user name. Slack signs it, so it is as certain as their login."""
    user = payload.get("user")
    if not isinstance(user, dict) or not (identity := _text(user, "id", MAX_ID_CHARACTERS)):
        return None
    name = (
        _text(user, "username", MAX_NAME_CHARACTERS) or _text(user, "name", MAX_NAME_CHARACTERS) or identity
    )
    return Person(name=name, via="slack", slack_id=identity)


def _press(payload: Mapping[str, Any], action: Any, person: Person) -> Press | None:
    """None for a link, whose press Slack reports too, and for a button that is not ours."""
    if not isinstance(action, dict):
        return None
    action_id = _text(action, "action_id", MAX_ID_CHARACTERS)
    if action_id == MENU_ID:
        option = action.get("selected_option")
        value = _text(option, "value", MAX_TARGET_CHARACTERS) if isinstance(option, dict) else ""
        chosen = read_menu_value(value)
    else:
        control = None if action_id.startswith(LINK_PREFIX) else read_control(action_id)
        value = _text(action, "value", MAX_TARGET_CHARACTERS)
        chosen = (control, value) if control and value else None
    targets = tuple(dict.fromkeys(filter(None, chosen[1].split(",")))) if chosen else ()
    if chosen is None or not 0 < len(targets) <= MAX_TARGETS:
        return None
    trigger_id = _text(payload, "trigger_id", MAX_ID_CHARACTERS)
    # A press is the same however often Slack delivers it.
    press = _text(action, "action_ts", MAX_ID_CHARACTERS) or trigger_id
    return Press(
        control=chosen[0],
        targets=targets,
        person=person,
        request_id=f"slack:{digest(person.slack_id, press, action_id, value)}",
        response_url=_text(payload, "response_url", MAX_TARGET_CHARACTERS),
        trigger_id=trigger_id,
    )


def _submission(payload: Mapping[str, Any], person: Person) -> Submission | None:
    view = payload.get("view")
    if not isinstance(view, dict):
        return None
    try:
        private = json.loads(_text(view, "private_metadata", 3000) or "{}")
    except (ValueError, RecursionError):
        private = None
    if not isinstance(private, dict):
        return None
    # A corrected form is another submission: it has another trigger.
    submission = _text(payload, "trigger_id", MAX_ID_CHARACTERS) or _text(view, "hash", MAX_ID_CHARACTERS)
    return Submission(
        callback_id=_text(view, "callback_id", MAX_ID_CHARACTERS),
        target=_text(private, "target", MAX_TARGET_CHARACTERS),
        values=_values(view),
        person=person,
        request_id=f"slack:{digest(person.slack_id, _text(view, 'id', MAX_ID_CHARACTERS), submission)}",
        response_url=_text(private, "response_url", MAX_TARGET_CHARACTERS),
    )


def _values(view: Mapping[str, Any]) -> dict[str, str]:
    state = view.get("state")
    blocks = state.get("values") if isinstance(state, dict) else None
    values: dict[str, str] = {}
    for block_id, elements in (blocks if isinstance(blocks, dict) else {}).items():
        for element in elements.values() if isinstance(elements, dict) else ():
            if not isinstance(element, dict):
                continue
            option = element.get("selected_option")
            holder = option if isinstance(option, dict) else element
            values[str(block_id)] = _text(holder, "value", 3000)
    return values


def _text(holder: Mapping[str, Any], name: str, limit: int) -> str:
    value = holder.get(name)
    return value if isinstance(value, str) and len(value) <= limit else ""
