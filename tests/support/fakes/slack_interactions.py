"""The requests that Slack sends to an app when people press buttons and submit modals, signed as the real one signs.

Written from https://docs.slack.dev/authentication/verifying-requests-from-slack, not from the product's code.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.support.fakes.slack import Message

FORM = "application/x-www-form-urlencoded"


def signed(body: bytes, secret: str, at: float) -> dict[str, str]:
    """The headers of a request that Slack signs at that time."""
    timestamp = str(int(at))
    mac = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256)
    return {
        "Content-Type": FORM, "X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={mac.hexdigest()}",
    }  # fmt: skip


def form(payload: object) -> bytes:
    """The body of an interaction."""
    return urlencode({"payload": json.dumps(payload)}).encode()


@dataclass
class SlackUser:
    """A person in the workspace, who presses buttons.

    Args:
        response_url: where replies to this person go.
    """

    name: str = "dana"
    identity: str = "U0DANA"
    response_url: str = "https://hooks.slack.com/actions/T1/1/x"
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def press(self, message: Message | None, label: str, **fields: Any) -> dict[str, Any]:
        """The payload of a press of the button or menu entry with that label; fails if the message has none."""
        action = _action_of(message, label) if message else {}
        number = next(self.numbers)
        action |= {"action_ts": f"1700000000.{number:06d}"} | fields.pop("action", {})
        return {
            "type": "block_actions", "team": {"id": "T1"}, "api_app_id": "A1", "user": self._user(),
            "trigger_id": f"{number}.{self.identity}.trigger", "response_url": self.response_url,
            "channel": {"id": "C0123456789"}, "container": {"type": "message"}, "actions": [action],
        } | fields  # fmt: skip

    def submit(self, view: dict[str, Any], values: dict[str, str], **fields: Any) -> dict[str, Any]:
        """The payload of a submitted modal, with a value for each block by its id."""
        number = next(self.numbers)
        state = {
            block["block_id"]: _state_of(block, values)
            for block in view["blocks"]
            if block["type"] == "input"
        }
        return {
            "type": "view_submission", "team": {"id": "T1"}, "user": self._user(),
            "trigger_id": f"{number}.{self.identity}.submit",
            "view": {**view, "id": "V1", "hash": "h1", "state": {"values": state}},
        } | fields  # fmt: skip

    def _user(self) -> dict[str, str]:
        return {"id": self.identity, "username": self.name, "name": self.name, "team_id": "T1"}


def labels(message: Message) -> list[str]:
    """The labels of the message's buttons and menu entries, in order."""
    return [text for text, _ in _controls(message)]


def _action_of(message: Message, label: str) -> dict[str, Any]:
    found = dict(_controls(message))
    assert label in found, f"no button {label!r}, only {list(found)}"
    return dict(found[label])


def _controls(message: Message) -> list[tuple[str, dict[str, Any]]]:
    controls: list[tuple[str, dict[str, Any]]] = []
    for block in message.blocks:
        for element in block.get("elements", []):
            if element["type"] == "button":
                pressed = {name: element[name] for name in ("type", "action_id", "value") if name in element}
                controls.append((element["text"]["text"], pressed))
            elif element["type"] == "overflow":
                for option in element["options"]:
                    pressed = {
                        "type": "overflow",
                        "action_id": element["action_id"],
                        "selected_option": option,
                    }
                    controls.append((option["text"]["text"], pressed))
    return controls


def _state_of(block: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    element, value = block["element"], values.get(block["block_id"])
    if element["type"] == "plain_text_input":
        return {element["action_id"]: {"type": element["type"], "value": value}}
    chosen = [option for option in element["options"] if option["value"] == value]
    return {element["action_id"]: {"type": element["type"], "selected_option": chosen[0] if chosen else None}}
