"""The Slack client against a Slack that is as strict as the real one."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from tests.support.fakes.serving import Running, serve
from tests.support.fakes.slack import HOOK, FakeSlack
from workers.clients.slack import MAX_TEXT_CHARS, Slack, escape, truncate_message
from workers.errors import SlackBusy, SlackRefused
from workers.models import SlackMessage, digest

KEY = "incident:0123:20261123T0304:first"


@pytest.fixture
def world() -> FakeSlack:
    return FakeSlack()


@pytest.fixture
def running(world: FakeSlack) -> Iterator[Running]:
    with serve(world.app, world.faults) as address:
        yield address


@pytest.fixture
def slack(world: FakeSlack, running: Running) -> Slack:
    return bot(world, running)


@pytest.fixture
def before() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=5)


def bot(world: FakeSlack, running: Running, channel: str | None = None) -> Slack:
    """A fresh process that knows only its settings."""
    return Slack(SecretStr(world.token), channel or world.channel, None, f"{running.url}/api/")


def hook(running: Running) -> Slack:
    return Slack(webhook_url=SecretStr(running.url + HOOK))


# ---- the bot ---------------------------------------------------------------------------------


def test_a_post_is_found_again_by_its_key_in_another_process(
    slack: Slack, world: FakeSlack, running: Running, before: datetime
) -> None:
    posted = slack.post("It is down", key=KEY)
    slack.post("Another thing", key="incident:4567:20261123T0304:first")
    world.say("a person talks")

    found = bot(world, running).find(KEY, oldest=before)

    assert [(one.ts, one.channel) for one in found] == [(posted.ts, world.channel)]
    assert posted.digest == digest("It is down")


def test_two_posts_of_one_key_come_oldest_first_however_many_pages_lie_between(
    slack: Slack, world: FakeSlack, before: datetime
) -> None:
    world.page = 3
    older = slack.post("once", key=KEY)
    for number in range(7):
        world.say(f"talk {number}")
    younger = slack.post("twice", key=KEY)

    found = slack.find(KEY, oldest=before)

    assert [one.ts for one in found] == [older.ts, younger.ts]


def test_what_was_said_before_the_oldest_moment_is_not_looked_at(slack: Slack) -> None:
    slack.post("long ago", key=KEY)

    assert slack.find(KEY, oldest=datetime.now(UTC) + timedelta(minutes=5)) == []


def test_a_reply_stays_in_its_thread_unless_it_is_broadcast(
    slack: Slack, world: FakeSlack, before: datetime
) -> None:
    parent = slack.post("It is down", key=KEY)

    quiet = slack.post("details", key="quiet", thread=parent)
    loud = slack.post("mended", key="loud", thread=parent, broadcast=True)

    assert [one.text for one in world.messages if one.rings] == ["It is down", "mended"]
    assert [one.ts for one in slack.find("quiet", oldest=before, thread=parent)] == [quiet.ts]
    assert [one.ts for one in slack.find("loud", oldest=before, thread=parent)] == [loud.ts]
    assert slack.find("quiet", oldest=before) == []


def test_an_edit_changes_the_text_and_keeps_the_key(slack: Slack, world: FakeSlack, before: datetime) -> None:
    posted = slack.post("It is down", key=KEY)

    edited = slack.update(posted, "It is up", KEY)

    assert [one.text for one in world.messages] == ["It is up"]
    assert slack.find(KEY, oldest=before)[0].ts == posted.ts
    assert (edited.ts, edited.digest) == (posted.ts, digest("It is up"))


def test_a_message_that_a_person_deleted_stops_nothing(
    slack: Slack, world: FakeSlack, before: datetime
) -> None:
    parent = slack.post("It is down", key=KEY)
    world.remove(parent.ts)

    slack.update(parent, "It is up", KEY)
    slack.delete(parent)
    slack.post("mended", key="outcome", thread=parent, broadcast=True)

    assert [(one.text, one.rings) for one in world.messages] == [("mended", True)]
    assert len(slack.find("outcome", oldest=before, thread=parent)) == 1


def test_deleting_takes_back_that_post_only(slack: Slack, world: FakeSlack) -> None:
    older, younger = slack.post("once", key=KEY), slack.post("twice", key=KEY)

    slack.delete(younger)

    assert [one.ts for one in world.messages] == [older.ts]


@pytest.mark.parametrize("scopes", [{"groups:read"}, set()])
def test_a_channel_given_by_name_can_be_looked_through_before_the_first_post(
    world: FakeSlack, running: Running, before: datetime, scopes: set[str]
) -> None:
    world.scopes |= scopes
    bot(world, running).post("It is down", key=KEY)

    found = bot(world, running, "#on-call").find(KEY, oldest=before)

    assert [one.channel for one in found] == [world.channel]


def test_after_a_post_the_channel_is_known_and_not_asked_for_again(
    world: FakeSlack, running: Running, before: datetime
) -> None:
    named = bot(world, running, "on-call")

    named.post("It is down", key=KEY)
    found = named.find(KEY, oldest=before)

    assert len(found) == 1
    assert "conversations.list" not in world.calls


def test_a_channel_that_is_learned_by_a_post_while_it_is_looked_up_is_found_all_the_same(
    before: datetime,
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("conversations.list"):
            named.post("From another thread", key=KEY)
            channels = [{"id": "C0LEARNED", "name": "on-call"}]
            return httpx.Response(200, json={"ok": True, "channels": channels})
        return httpx.Response(200, json={"ok": True, "ts": "1.1", "channel": "C0LEARNED"})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    named = Slack(SecretStr("xoxb-t"), "on-call", http=http)

    named.find(KEY, oldest=before)

    assert named.can_read_history


def test_a_bot_that_may_not_read_the_channel_says_so_once_and_posts_without_looking_back(
    slack: Slack, world: FakeSlack, before: datetime
) -> None:
    world.scopes = frozenset({"chat:write"})

    with pytest.raises(SlackBusy, match="channels:history"):
        slack.find(KEY, oldest=before)

    assert slack.can_read_history is False
    assert slack.post("It is down", key=KEY).ts


def test_a_channel_whose_name_cannot_be_looked_up_is_looked_through_once_a_post_has_told_its_id(
    world: FakeSlack, running: Running, before: datetime
) -> None:
    world.scopes = frozenset({"chat:write", "channels:history"})
    named = bot(world, running, "#on-call")

    with pytest.raises(SlackBusy, match="channels:read"):
        named.find(KEY, oldest=before)
    blind = named.can_read_history
    named.post("It is down", key=KEY)

    assert blind is False
    assert named.can_read_history
    assert len(named.find(KEY, oldest=before)) == 1


def test_a_token_that_is_not_taken_once_is_no_reason_to_look_back_no_more(
    slack: Slack, world: FakeSlack, before: datetime
) -> None:
    world.errors.append("invalid_auth")

    with pytest.raises(SlackRefused, match="SLACK_BOT_TOKEN"):
        slack.find(KEY, oldest=before)

    assert slack.can_read_history


@pytest.mark.parametrize(
    ("code", "setting"),
    [
        ("invalid_auth", "SLACK_BOT_TOKEN"),
        ("missing_scope", "SLACK_BOT_TOKEN"),
        ("not_in_channel", "SLACK_CHANNEL"),
        ("channel_not_found", "SLACK_CHANNEL"),
        ("is_archived", "SLACK_CHANNEL"),
        ("something_new", "something_new"),
    ],
)
def test_a_refusal_names_the_setting_to_look_at(
    slack: Slack, world: FakeSlack, code: str, setting: str
) -> None:
    world.errors.append(code)

    with pytest.raises(SlackRefused, match=setting) as refused:
        slack.post("It is down", key=KEY)

    assert world.token not in str(refused.value)


@pytest.mark.parametrize("code", ["ratelimited", "internal_error", "service_unavailable", "fatal_error"])
def test_an_answer_of_200_may_still_mean_later(slack: Slack, world: FakeSlack, code: str) -> None:
    world.errors.append(code)

    with pytest.raises(SlackBusy, match=code) as busy:
        slack.post("It is down", key=KEY)

    assert busy.value.retry_after


@pytest.mark.parametrize("fault", ["429", "503"])
def test_a_busy_slack_says_when_to_come_back(slack: Slack, world: FakeSlack, fault: str) -> None:
    world.faults.add(fault, retry_after="11")  # type: ignore[arg-type]  # one of the two above

    with pytest.raises(SlackBusy) as busy:
        slack.post("It is down", key=KEY)

    assert busy.value.retry_after == 11


def test_a_post_whose_answer_was_lost_is_found_by_looking(
    slack: Slack, world: FakeSlack, before: datetime
) -> None:
    world.faults.add("drop", path="chat.postMessage")

    with pytest.raises(SlackBusy):
        slack.post("It is down", key=KEY)

    assert len(slack.find(KEY, oldest=before)) == 1


# ---- the webhook -----------------------------------------------------------------------------


def test_a_webhook_posts_and_names_no_ts(world: FakeSlack, running: Running) -> None:
    slack = hook(running)

    posted = slack.post("It is down", key=KEY, thread=SlackMessage(ts="1.2"), broadcast=True)

    assert slack.can_read_history is False
    assert posted == SlackMessage(digest=digest("It is down"))
    assert [one.text for one in world.messages] == ["It is down"]


def test_a_webhook_can_neither_look_nor_edit(running: Running, before: datetime) -> None:
    with pytest.raises(SlackRefused, match="SLACK_BOT_TOKEN"):
        hook(running).update(SlackMessage(ts="1.2", channel="C1"), "new", KEY)


def test_the_address_of_a_webhook_is_in_no_error_and_no_log(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = Slack(webhook_url=SecretStr(f"{running.url}/services/T9/B9/very-secret"))
    away = Slack(webhook_url=SecretStr("http://127.0.0.1:9/services/T9/B9/very-secret"))

    with caplog.at_level(logging.DEBUG, "trackwalker"), pytest.raises(SlackRefused) as refused:
        wrong.post("It is down", key=KEY)
    with pytest.raises(SlackBusy) as busy:
        away.post("It is down", key=KEY)

    ours = [record.getMessage() for record in caplog.records if record.name.startswith("trackwalker")]
    assert "very-secret" not in f"{refused.value} {busy.value} {busy.value.__cause__} {ours}"
    assert "SLACK_WEBHOOK_URL" in str(refused.value)


def test_nobody_to_tell_says_what_to_set() -> None:
    with pytest.raises(SlackRefused, match="SLACK_BOT_TOKEN and SLACK_CHANNEL, or SLACK_WEBHOOK_URL"):
        Slack().post("It is down", key=KEY)


# ---- the raw line ----------------------------------------------------------------------------


def test_the_raw_line_goes_out_by_bot_and_by_webhook_and_rings_nobody_by_name(
    slack: Slack, world: FakeSlack, running: Running
) -> None:
    slack.post_line("boom <!channel> & more")
    hook(running).post_line("boom <!channel> & more")

    assert [one.text for one in world.messages] == ["boom &lt;!channel&gt; &amp; more"] * 2


def test_the_raw_line_gives_up_within_two_seconds(running: Running, world: FakeSlack) -> None:
    world.faults.add("hang")
    began = time.monotonic()

    with pytest.raises(SlackBusy):
        hook(running).post_line("boom")

    assert time.monotonic() - began < 2.0


# ---- text ------------------------------------------------------------------------------------


def test_foreign_text_can_neither_mention_nor_link() -> None:
    hostile = "<!channel> <@U1> <https://evil.example|your bank> &lt;"

    shown = escape(hostile)

    assert "<" not in shown
    assert ">" not in shown
    assert shown.endswith("&amp;lt;")


def test_a_text_that_is_too_long_keeps_its_beginning_and_the_link_at_its_end(world: FakeSlack) -> None:
    link = "https://github.example/acme/shop/pull/7"

    short = truncate_message("It is down\n" + "x" * 10_000 + "\n" + link)

    assert len(short) <= MAX_TEXT_CHARS
    assert short.startswith("It is down\n")
    assert short.endswith("…\n" + link)
    assert len(truncate_message("y" * 10_000)) == MAX_TEXT_CHARS


def test_a_page_that_is_no_json_is_busy_but_a_method_that_is_not_there_is_refused() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404 if "update" in request.url.path else 200, text="<html>")

    http = httpx.Client(transport=httpx.MockTransport(answer))
    slack = Slack(SecretStr("x"), "C1", None, "https://slack.example/api", http)

    with pytest.raises(SlackBusy, match="cannot be read"):
        slack.post("It is down", key=KEY)
    with pytest.raises(SlackRefused, match="404"):
        slack.update(SlackMessage(ts="1.2", channel="C1"), "new", KEY)
