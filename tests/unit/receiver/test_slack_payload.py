"""Interaction payloads as Slack sends them, and everything else that a signed body may hold."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_from_bytes

import pytest

from receiver.slack_modals import chosen_end, modal, snooze_end
from receiver.slack_payload import InvalidRequest, Press, Submission, parse
from tests.support import builders
from tests.support.block_kit_limits import view_problems
from tests.support.fakes.slack import Message
from tests.support.fakes.slack_interactions import SlackUser, form
from workers.clients.slack_controls import Control
from workers.notifications.block_kit import blocks_of
from workers.notifications.incident_posts import first_post
from workers.notifications.incident_state import IncidentState
from workers.notifications.presentation import Presentation
from workers.runtime.local_clock import LocalClock

LOOK = Presentation(page_url="https://tw.acme.dev", has_buttons=True, has_modals=True)
INCIDENT = builders.incident()
POST = first_post(IncidentState(INCIDENT), LOOK, builders.END)
MESSAGE = Message("1.0", "C1", POST.text, blocks=tuple(blocks_of(POST)))


def pressed(label: str, **fields: Any) -> Press:
    parsed = parse(form(SlackUser().press(MESSAGE, label, **fields)))
    assert isinstance(parsed, list)
    [press] = parsed
    return press


@pytest.mark.parametrize(
    ("label", "control"),
    [
        ("Acknowledge", Control.ACKNOWLEDGE),
        ("Snooze 1 h", Control.SNOOZE_ONE),
        ("Snooze 4 h", Control.SNOOZE_FOUR),
        ("Snooze until 9:00", Control.SNOOZE_MORNING),
        ("Not a problem…", Control.NOT_A_PROBLEM),
        ("Check again", Control.CHECK),
    ],
)
def test_every_control_of_a_message_is_read_back(label: str, control: Control) -> None:
    press = pressed(label)

    assert (press.control, press.targets) == (control, (INCIDENT.id,))
    assert (press.person.name, press.person.via, press.person.slack_id) == ("dana", "slack", "U0DANA")


def test_a_link_and_a_foreign_button_are_no_press() -> None:
    user = SlackUser()

    assert parse(form(user.press(MESSAGE, "Details"))) == []
    assert parse(form(user.press(None, "", action={"action_id": "delete_all", "value": INCIDENT.id}))) == []
    assert parse(form(user.press(None, "", action={"action_id": "menu", "selected_option": None}))) == []
    assert parse(form(user.press(None, "", action={"action_id": "fix", "value": 7}))) == []


@pytest.mark.parametrize("control", ["check", "not_a_problem"])
@pytest.mark.parametrize("value", [",", ",,,", ",".join(f"incident:{n}:1" for n in range(100))])
def test_a_button_for_nothing_or_for_more_than_a_message_holds_is_not_ours(control: str, value: str) -> None:
    action = {"action_id": control, "value": value}

    assert parse(form(SlackUser().press(None, "", action=action))) == []


def test_a_target_that_is_named_twice_is_acted_on_once() -> None:
    action = {"action_id": "check", "value": "a:1,b:2,a:1"}

    parsed = parse(form(SlackUser().press(None, "", action=action)))

    assert isinstance(parsed, list)
    assert [press.targets for press in parsed] == [("a:1", "b:2")]


def test_a_press_has_one_name_however_often_it_is_delivered() -> None:
    payload = SlackUser().press(MESSAGE, "Acknowledge")
    first, again = parse(form(payload)), parse(form(payload | {"trigger_id": "another"}))
    other_press, other_person = (
        pressed("Check again"),
        SlackUser("lea", "U0LEA").press(MESSAGE, "Acknowledge"),
    )
    other = parse(form(other_person))

    assert isinstance(first, list) and isinstance(again, list) and isinstance(other, list)
    assert first[0].request_id == again[0].request_id
    assert len({first[0].request_id, other_press.request_id, other[0].request_id}) == 3


@pytest.mark.parametrize(
    "body",
    [b"", b"a=b", b"payload=", b"payload=%7B", b"payload=[]", b"\xff\xfe", b"payload=" + b"[" * 100_000],
)
def test_a_body_that_is_no_interaction_is_named_so(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse(body)


@pytest.mark.parametrize(
    "payload",
    [
        {}, {"type": "shortcut"}, {"type": "view_closed", "user": {"id": "U1"}}, {"type": "block_actions"},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": "x"}, {"type": ["block_actions"]},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": [None, 3, []]},
        {"type": "view_submission", "user": {"id": "U1"}, "view": {"private_metadata": "["}},
        {"type": "view_submission", "user": {"id": "U1"}, "view": []}, {"type": "message_action", "user": None},
    ],
)  # fmt: skip
def test_other_interactions_are_passed_over_politely(payload: dict[str, Any]) -> None:
    assert not parse(form(payload))


def test_half_a_surrogate_pair_in_a_name_is_no_error() -> None:
    raw = (
        b'{"type": "block_actions", "user": {"id": "U1", "username": "\\ud83d"}, '
        b'"actions": [{"action_id": "fix", "value": "x"}]}'
    )

    parsed = parse(b"payload=" + quote_from_bytes(raw).encode())

    assert isinstance(parsed, list) and parsed[0].control is Control.FIX


def test_slacks_check_of_the_certificate_is_answered() -> None:
    assert parse(b"ssl_check=1&token=x") is None


# ---- modals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("control", [Control.NOT_A_PROBLEM, Control.SNOOZE_ASK])
def test_a_modal_is_valid_and_its_submission_is_read_back(control: Control) -> None:
    view = modal(control, INCIDENT.id, "https://hooks.slack.com/actions/T1/1/x")

    submission = parse(form(SlackUser().submit(view, {"reason": "load test", "end": "7"})))

    assert view_problems(view) == []
    assert isinstance(submission, Submission)
    assert submission.callback_id == control.value
    assert submission.target == INCIDENT.id
    assert submission.response_url.startswith("https://hooks.slack.com/")
    if control is Control.NOT_A_PROBLEM:
        assert submission.values == {"reason": "load test", "end": "7"}


def test_a_modal_of_a_hostile_target_stays_within_slacks_limits() -> None:
    assert (
        view_problems(modal(Control.NOT_A_PROBLEM, "x" * 300, "https://hooks.slack.com/" + "y" * 9000)) == []
    )


def test_nine_in_the_morning_is_local_and_survives_a_change_of_the_clocks() -> None:
    clock, evening = LocalClock("Europe/Berlin"), builders.END.replace(month=10, day=24, hour=20)

    end = snooze_end(Control.SNOOZE_MORNING, evening, clock)

    assert end is not None
    assert clock.at(end) == "09:00"
    assert (end - evening).total_seconds() == 12 * 3600  # 22:00 summer time to 9:00 winter time
    assert chosen_end("forever", evening) == (True, None)
    assert chosen_end("999", evening) == (False, None)
