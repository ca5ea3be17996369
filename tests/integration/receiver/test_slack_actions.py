"""`POST /slack/actions` over a socket: signed by the stand-in, done once, answered to the person who pressed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import redis

from receiver.main import compose
from tests.support import builders
from tests.support.fakes.serving import Running, free_port, serve
from tests.support.fakes.slack import FakeSlack, Message
from tests.support.fakes.slack_interactions import FORM, SlackUser, form, signed
from tests.support.journals import open_incident
from tests.support.polling import wait_until
from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_key
from workers.incidents.audit import entries
from workers.models import DecisionKind, Incident, Outcome
from workers.notifications.block_kit import blocks_of
from workers.notifications.incident_posts import first_post
from workers.notifications.incident_state import IncidentState
from workers.notifications.presentation import Presentation
from workers.runtime.settings import read

SECRET = "e6b19c573432dcc6b075501d51b51bb8"
LOOK = Presentation(page_url="https://tw.acme.dev", has_buttons=True, has_modals=True)


@dataclass
class World:
    """A receiver with one open incident, its message in the stand-in of Slack, and the people who press."""

    receiver: Running
    slack: FakeSlack
    journal: JournalStore
    incident: Incident
    message: Message
    dana: SlackUser
    lea: SlackUser
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=10))

    def send(
        self, payload: object, *, secret: str = SECRET, age: float = 0, **headers: str
    ) -> httpx.Response:
        body = payload if isinstance(payload, bytes) else form(payload)
        head = signed(body, secret, time.time() - age) | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        head = {name: value for name, value in head.items() if value}
        return self.http.post(f"{self.receiver.url}/slack/actions", content=body, headers=head)

    def press(self, label: str, user: SlackUser | None = None) -> str:
        """Press a button and return the reply that the person reads."""
        before = len(self.slack.replies)
        assert self.send((user or self.dana).press(self.message, label)).status_code == 200
        wait_until(lambda: len(self.slack.replies) > before, seconds=10, what="the reply")
        return str(self.slack.replies[-1]["text"])

    def fields(self) -> dict[str, bytes]:
        return self.journal.fields(journal_key(self.incident.id))

    def show(self, state: IncidentState) -> None:
        post = first_post(state, LOOK, builders.END)
        self.message = self.slack.say(post.text, blocks=tuple(blocks_of(post)))


@pytest.fixture
def world(store: redis.Redis, store_url: str) -> Iterator[World]:
    slack = FakeSlack()
    with serve(slack.app, slack.faults) as api:
        environ = {
            "REDIS_URL": store_url, "TRACKWALKER_SECRET": "s3cret", "SLACK_SIGNING_SECRET": f"new one, {SECRET}",
            "SLACK_BOT_TOKEN": slack.token, "SLACK_CHANNEL": slack.channel, "SLACK_API_URL": f"{api.url}/api/",
            "TRACKWALKER_TIMEZONE": "Europe/Berlin",
        }  # fmt: skip
        with serve(compose(read(environ, dotenv=None))) as receiver:
            journal, incident = JournalStore(store), builders.incident(name="checkout")
            open_incident(
                journal, journal_key(incident.id), fingerprint=incident.fingerprint,
                incident_record=records.INCIDENT.pack(incident),
                findings_record=records.LATEST_FINDINGS.pack(list(incident.findings)),
            )  # fmt: skip
            address = f"{api.url}/actions/T1/1/x"
            dana, lea = SlackUser(response_url=address), SlackUser("lea", "U0LEA", address)
            world = World(receiver, slack, journal, incident, slack.say(""), dana, lea)
            world.show(IncidentState(incident))
            yield world
            world.http.close()


# ---- one press, one effect -------------------------------------------------------------------


def test_an_acknowledgement_is_recorded_with_the_person_and_answered_to_them(world: World) -> None:
    text = world.press("Acknowledge")

    owner = records.ACKNOWLEDGED.read(world.fields())
    assert owner is not None
    assert (owner.person.name, owner.person.slack_id) == ("dana", "U0DANA")
    assert text == "dana has checkout now."
    assert world.slack.replies[-1]["response_type"] == "ephemeral"


def test_a_press_that_slack_delivers_three_times_has_one_effect(world: World) -> None:
    payload = world.dana.press(world.message, "Snooze 1 h")
    answers = [world.send(payload).status_code for _ in range(3)]
    wait_until(lambda: len(world.slack.replies) == 3, seconds=10, what="the replies")

    assert answers == [200, 200, 200]
    assert len({reply["text"] for reply in world.slack.replies}) == 1
    assert len(entries(world.journal, limit=10)) == 1


def test_the_second_person_reads_who_has_it(world: World) -> None:
    world.press("Acknowledge")

    assert world.press("Acknowledge", world.lea).startswith("dana has it since ")


def test_a_press_after_the_end_says_that_it_is_too_late(world: World) -> None:
    key = journal_key(world.incident.id)
    merged = records.PULL.pack(builders.pull_request(state="merged"))
    ended = {"ended": str(int(time.time() * 1000)), "outcome": "fix verified", "r:pull": merged}
    world.journal.command("hset", key, None, None, ended)

    text = world.press("Acknowledge")

    assert text.startswith("Too late: ")
    assert "#41 is merged" in text
    assert not records.ACKNOWLEDGED.is_in(world.fields())


def test_a_snooze_ends_at_local_nine_in_the_morning(world: World) -> None:
    assert "until" in world.press("Snooze until 9:00")
    decision = records.DECISION.read(world.fields())
    assert decision is not None and decision.until is not None
    assert decision.until.astimezone(ZoneInfo("Europe/Berlin")).hour == 9


def test_a_fix_that_waits_is_approved(world: World) -> None:
    waiting = Outcome(kind="waiting", headline="Bug in the code")
    world.journal.command(
        "hset", journal_key(world.incident.id), None, None,
        {"stage": "watch", "r:outcome": records.OUTCOME.pack(waiting)},
    )  # fmt: skip
    world.show(IncidentState(world.incident, outcome=waiting))

    text = world.press("Fix it")

    assert "fix approved" in text
    assert world.fields()["stage"] == b"plan"


# ---- modals ----------------------------------------------------------------------------------


def submit(world: World, **values: str) -> dict[str, Any]:
    assert world.send(world.dana.press(world.message, "Not a problem…")).status_code == 200
    wait_until(lambda: world.slack.views, seconds=10, what="the modal")
    answer = world.send(world.dana.submit(world.slack.views[-1], values))
    assert answer.status_code == 200
    return dict(answer.json())


def test_a_modal_without_a_reason_shows_the_error_beside_the_field(world: World) -> None:
    answer = submit(world, reason="  ", end="7")

    assert answer["response_action"] == "errors"
    assert list(answer["errors"]) == ["reason"]
    assert world.slack.refusals == []


def test_not_a_problem_is_decided_with_reason_and_end(world: World) -> None:
    answer = submit(world, reason="load test", end="7")

    wait_until(lambda: world.slack.replies, seconds=10, what="the reply")
    decision = records.DECISION.read(world.fields())
    assert answer == {"response_action": "clear"}
    assert decision is not None and decision.until is not None
    assert (decision.kind, decision.reason, decision.person.name) == (
        DecisionKind.NOT_A_PROBLEM,
        "load test",
        "dana",
    )
    assert (decision.until - decision.at).days == 7
    assert world.slack.replies[-1]["text"].startswith("Not a problem: ")
    assert "ended" in world.fields()


def test_a_second_submission_after_the_end_is_too_late(world: World) -> None:
    submit(world, reason="load test", end="7")
    world.slack.views.clear()

    answer = submit(world, reason="again", end="7")

    assert answer["response_action"] == "errors"
    assert "Too late" in str(answer["errors"])


def test_a_group_is_acknowledged_incident_by_incident(world: World) -> None:
    gone = "incident:0000000000000000:20261120T1200"
    action = {"action_id": "acknowledge", "value": f"{world.incident.id},{gone}"}

    assert world.send(world.dana.press(None, "", action=action)).status_code == 200
    wait_until(lambda: world.slack.replies, seconds=10, what="the reply")

    first, second = world.slack.replies[0]["text"].splitlines()
    assert first == "dana has checkout now."
    assert "no longer exists" in second


def test_a_modal_that_slack_does_not_open_is_said_to_the_person(world: World) -> None:
    world.slack.errors.append("expired_trigger_id")

    assert "Slack did not open the form" in world.press("Not a problem…")


# ---- who may press ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"secret": "wrong"}, 401),
        ({"secret": "new one"}, 200),
        ({"age": 302}, 401),
        ({"age": -310}, 401),
        ({"age": 200}, 200),
        ({"X_Slack_Signature": ""}, 401),
        ({"X_Slack_Request_Timestamp": ""}, 401),
        ({"X_Slack_Request_Timestamp": "1e9"}, 401),
        ({"Content_Type": "application/json"}, 415),
        ({"Content_Type": f"{FORM}; charset=utf-8"}, 200),
    ],
)
def test_only_requests_that_slack_signed_lately_have_an_effect(
    world: World, changes: dict[str, Any], status: int
) -> None:
    payload = world.dana.press(world.message, "Acknowledge")

    answer = world.send(payload, **changes)

    assert answer.status_code == status
    if status != 200:
        time.sleep(0.05)
        assert not records.ACKNOWLEDGED.is_in(world.fields())
        assert world.slack.replies == []


def test_a_body_that_is_too_large_is_refused_unread(world: World) -> None:
    assert world.send(b"payload=" + b"x" * 300_000).status_code == 413


def test_interactions_that_are_not_ours_are_acknowledged(world: World) -> None:
    user = {"id": "U1", "username": "x"}
    for payload in (
        {"type": "shortcut", "user": user},
        {"type": "view_closed", "user": user},
        {"type": "dialog_v9"},
    ):
        assert world.send(payload).status_code == 200
    assert world.send(b"payload=nonsense").status_code == 422


def test_a_reply_goes_nowhere_but_to_slack(world: World) -> None:
    with serve(world.slack.app) as elsewhere:
        world.dana.response_url = f"{elsewhere.url}/actions/x"
        assert world.send(world.dana.press(world.message, "Acknowledge")).status_code == 200
        wait_until(lambda: records.ACKNOWLEDGED.is_in(world.fields()), seconds=10)
        time.sleep(0.2)

    assert world.slack.replies == []


def test_without_a_signing_secret_the_endpoint_is_closed(store_url: str) -> None:
    with serve(compose(read({"REDIS_URL": store_url}, dotenv=None))) as receiver:
        body = form({"type": "block_actions"})
        answer = httpx.post(
            f"{receiver.url}/slack/actions", content=body, headers=signed(body, "", time.time())
        )

    assert answer.status_code == 401


def test_slack_is_answered_in_time_while_redis_is_away() -> None:
    slack = FakeSlack()
    with serve(slack.app) as api:
        environ = {
            "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0", "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_BOT_TOKEN": slack.token, "SLACK_CHANNEL": slack.channel, "SLACK_API_URL": f"{api.url}/api/",
        }  # fmt: skip
        with serve(compose(read(environ, dotenv=None))) as receiver:
            user = SlackUser(response_url=f"{api.url}/actions/x")
            action = {"action_id": "acknowledge", "value": builders.incident().id}
            body = form(user.press(None, "", action=action))
            began = time.monotonic()
            answer = httpx.post(
                f"{receiver.url}/slack/actions", content=body, headers=signed(body, SECRET, time.time())
            )
            seconds = time.monotonic() - began
            wait_until(lambda: slack.replies, seconds=20, what="the reply")

    assert (answer.status_code, seconds < 1) == (200, True)
    assert "Nothing was done: Redis" in slack.replies[0]["text"]
