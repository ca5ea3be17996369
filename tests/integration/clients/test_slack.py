"""The Slack client against a fake Slack that validates requests as the real one does."""

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
from workers.clients.slack import MAX_TEXT_CHARS, Slack, truncate_message
from workers.clients.slack_text import escape
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
    """A client as a new process creates it, with nothing but the settings."""
    return Slack(SecretStr(world.token), channel or world.channel, None, f"{running.url}/api/")


def hook(running: Running) -> Slack:
    return Slack(webhook_url=SecretStr(running.url + HOOK))


# ---- the bot ---------------------------------------------------------------------------------


def test_another_process_finds_a_post_by_its_key(
    slack: Slack, world: FakeSlack, running: Running, before: datetime
) -> None:
    posted = slack.post("It is down", key=KEY)
    slack.post("Another thing", key="incident:4567:20261123T0304:first")
    world.say("a person talks")

    posts = bot(world, running).find(KEY, oldest=before)

    assert [(post.ts, post.channel) for post in posts] == [(posted.ts, world.channel)]
    assert posted.digest == digest("It is down")


def test_find_reads_every_page_and_returns_the_oldest_post_first(
    slack: Slack, world: FakeSlack, before: datetime
) -> None:
    world.page = 3
    older = slack.post("once", key=KEY)
    for number in range(7):
        world.say(f"talk {number}")
    younger = slack.post("twice", key=KEY)

    posts = slack.find(KEY, oldest=before)

    assert [post.ts for post in posts] == [older.ts, younger.ts]


def test_find_ignores_posts_before_the_oldest_time(slack: Slack) -> None:
    slack.post("long ago", key=KEY)

    assert slack.find(KEY, oldest=datetime.now(UTC) + timedelta(minutes=5)) == []


def test_a_reply_stays_in_its_thread_unless_it_is_broadcast(
    slack: Slack, world: FakeSlack, before: datetime
) -> None:
    parent = slack.post("It is down", key=KEY)

    quiet = slack.post("details", key="quiet", thread=parent)
    loud = slack.post("fixed", key="loud", thread=parent, broadcast=True)

    assert [message.text for message in world.messages if message.rings] == ["It is down", "fixed"]
    assert [post.ts for post in slack.find("quiet", oldest=before, thread=parent)] == [quiet.ts]
    assert [post.ts for post in slack.find("loud", oldest=before, thread=parent)] == [loud.ts]
    assert slack.find("quiet", oldest=before) == []


def test_an_edit_changes_the_text_and_keeps_the_key(slack: Slack, world: FakeSlack, before: datetime) -> None:
    posted = slack.post("It is down", key=KEY)

    edited = slack.update(posted, "It is up", KEY)

    assert [message.text for message in world.messages] == ["It is up"]
    assert slack.find(KEY, oldest=before)[0].ts == posted.ts
    assert (edited.ts, edited.digest) == (posted.ts, digest("It is up"))


def test_a_message_that_a_person_deleted_causes_no_error(
    slack: Slack, world: FakeSlack, before: datetime
) -> None:
    parent = slack.post("It is down", key=KEY)
    world.remove(parent.ts)

    slack.update(parent, "It is up", KEY)
    slack.delete(parent)
    slack.post("fixed", key="outcome", thread=parent, broadcast=True)

    assert [(message.text, message.rings) for message in world.messages] == [("fixed", True)]
    assert len(slack.find("outcome", oldest=before, thread=parent)) == 1


def test_delete_removes_only_the_given_post(slack: Slack, world: FakeSlack) -> None:
    older, younger = slack.post("once", key=KEY), slack.post("twice", key=KEY)

    slack.delete(younger)

    assert [message.ts for message in world.messages] == [older.ts]


@pytest.mark.parametrize("scopes", [{"groups:read"}, set()])
def test_a_channel_given_by_name_can_be_searched_before_the_first_post(
    world: FakeSlack, running: Running, before: datetime, scopes: set[str]
) -> None:
    world.scopes |= scopes
    bot(world, running).post("It is down", key=KEY)

    posts = bot(world, running, "#on-call").find(KEY, oldest=before)

    assert [post.channel for post in posts] == [world.channel]


def test_the_channel_id_of_a_post_is_reused_without_a_lookup(
    world: FakeSlack, running: Running, before: datetime
) -> None:
    named = bot(world, running, "on-call")

    named.post("It is down", key=KEY)
    posts = named.find(KEY, oldest=before)

    assert len(posts) == 1
    assert "conversations.list" not in world.calls


def test_a_post_from_another_thread_during_the_channel_lookup_does_not_break_it(
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


def test_a_bot_without_access_to_the_history_reports_it_once_and_can_still_post(
    slack: Slack, world: FakeSlack, before: datetime
) -> None:
    world.scopes = frozenset({"chat:write"})

    with pytest.raises(SlackBusy, match="channels:history"):
        slack.find(KEY, oldest=before)

    assert slack.can_read_history is False
    assert slack.post("It is down", key=KEY).ts


def test_a_channel_that_cannot_be_looked_up_can_be_searched_after_the_first_post(
    world: FakeSlack, running: Running, before: datetime
) -> None:
    world.scopes = frozenset({"chat:write", "channels:history"})
    named = bot(world, running, "#on-call")

    with pytest.raises(SlackBusy, match="channels:read"):
        named.find(KEY, oldest=before)
    searchable = named.can_read_history
    named.post("It is down", key=KEY)

    assert searchable is False
    assert named.can_read_history
    assert len(named.find(KEY, oldest=before)) == 1


def test_a_rejected_token_does_not_disable_the_search(
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
def test_a_refusal_names_the_setting_that_is_wrong(
    slack: Slack, world: FakeSlack, code: str, setting: str
) -> None:
    world.errors.append(code)

    with pytest.raises(SlackRefused, match=setting) as refused:
        slack.post("It is down", key=KEY)

    assert world.token not in str(refused.value)


@pytest.mark.parametrize("code", ["ratelimited", "internal_error", "service_unavailable", "fatal_error"])
def test_a_transient_error_code_in_a_200_answer_raises_slack_busy(
    slack: Slack, world: FakeSlack, code: str
) -> None:
    world.errors.append(code)

    with pytest.raises(SlackBusy, match=code) as busy:
        slack.post("It is down", key=KEY)

    assert busy.value.retry_after


@pytest.mark.parametrize("fault", ["429", "503"])
def test_slack_busy_carries_the_wait_from_retry_after(slack: Slack, world: FakeSlack, fault: str) -> None:
    world.faults.add(fault, retry_after="11")  # type: ignore[arg-type]  # one of the two above

    with pytest.raises(SlackBusy) as busy:
        slack.post("It is down", key=KEY)

    assert busy.value.retry_after == 11


def test_a_post_whose_answer_was_lost_is_found_by_its_key(
    slack: Slack, world: FakeSlack, before: datetime
) -> None:
    world.faults.add("drop", path="chat.postMessage")

    with pytest.raises(SlackBusy):
        slack.post("It is down", key=KEY)

    assert len(slack.find(KEY, oldest=before)) == 1


# ---- the webhook -----------------------------------------------------------------------------


def test_a_webhook_post_has_no_ts(world: FakeSlack, running: Running) -> None:
    slack = hook(running)

    posted = slack.post("It is down", key=KEY, thread=SlackMessage(ts="1.2"), broadcast=True)

    assert slack.can_read_history is False
    assert posted == SlackMessage(digest=digest("It is down"))
    assert [message.text for message in world.messages] == ["It is down"]


def test_a_webhook_cannot_edit(running: Running, before: datetime) -> None:
    with pytest.raises(SlackRefused, match="SLACK_BOT_TOKEN"):
        hook(running).update(SlackMessage(ts="1.2", channel="C1"), "new", KEY)


def test_no_error_and_no_log_contains_the_address_of_a_webhook(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = Slack(webhook_url=SecretStr(f"{running.url}/services/T9/B9/very-secret"))
    unreachable = Slack(webhook_url=SecretStr("http://127.0.0.1:9/services/T9/B9/very-secret"))

    with caplog.at_level(logging.DEBUG, "trackwalker"), pytest.raises(SlackRefused) as refused:
        wrong.post("It is down", key=KEY)
    with pytest.raises(SlackBusy) as busy:
        unreachable.post("It is down", key=KEY)

    ours = [record.getMessage() for record in caplog.records if record.name.startswith("trackwalker")]
    assert "very-secret" not in f"{refused.value} {busy.value} {busy.value.__cause__} {ours}"
    assert "SLACK_WEBHOOK_URL" in str(refused.value)


def test_without_any_credential_the_refusal_names_the_settings() -> None:
    with pytest.raises(SlackRefused, match="SLACK_BOT_TOKEN and SLACK_CHANNEL, or SLACK_WEBHOOK_URL"):
        Slack().post("It is down", key=KEY)


# ---- post_line ----------------------------------------------------------------------------


def test_post_line_works_with_bot_and_webhook_and_mentions_nobody(
    slack: Slack, world: FakeSlack, running: Running
) -> None:
    slack.post_line("boom <!channel> & more")
    hook(running).post_line("boom <!channel> & more")

    assert [message.text for message in world.messages] == ["boom &lt;!channel&gt; &amp; more"] * 2


def test_post_line_gives_up_within_two_seconds(running: Running, world: FakeSlack) -> None:
    world.faults.add("hang")
    started = time.monotonic()

    with pytest.raises(SlackBusy):
        hook(running).post_line("boom")

    assert time.monotonic() - started < 2.0


# ---- text ------------------------------------------------------------------------------------


def test_escaped_text_contains_no_mention_and_no_link() -> None:
    hostile = "<!channel> <@U1> <https://evil.example|your bank> &lt;"

    escaped = escape(hostile)

    assert "<" not in escaped
    assert ">" not in escaped
    assert escaped.endswith("&amp;lt;")


def test_a_truncated_message_keeps_its_beginning_and_its_last_line(world: FakeSlack) -> None:
    link = "https://github.example/acme/shop/pull/7"

    short = truncate_message("It is down\n" + "x" * 10_000 + "\n" + link)

    assert len(short) <= MAX_TEXT_CHARS
    assert short.startswith("It is down\n")
    assert short.endswith("…\n" + link)
    assert len(truncate_message("y" * 10_000)) == MAX_TEXT_CHARS


def test_a_200_without_json_raises_slack_busy_and_a_404_is_refused() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404 if "update" in request.url.path else 200, text="<html>")

    http = httpx.Client(transport=httpx.MockTransport(answer))
    slack = Slack(SecretStr("x"), "C1", None, "https://slack.example/api", http)

    with pytest.raises(SlackBusy, match="cannot be read"):
        slack.post("It is down", key=KEY)
    with pytest.raises(SlackRefused, match="404"):
        slack.update(SlackMessage(ts="1.2", channel="C1"), "new", KEY)


def test_slack_links_nothing_by_itself_in_a_message(world: FakeSlack, slack: Slack) -> None:
    posted = slack.post("see http://a.example", key=KEY)
    slack.update(posted, "see www.a.example", KEY)
    slack.post_line("see b.example")

    fields = [{name: body.get(name) for name in ("parse", "link_names")} for body in world.bodies]

    assert fields == [{"parse": "none", "link_names": False}] * 3
    assert [body.get("unfurl_links") for body in world.bodies] == [False, None, False]


# ---- blocks ----------------------------------------------------------------------------------

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "It is *down*"}}


def test_an_edit_replaces_the_blocks_and_keeps_the_key(
    slack: Slack, world: FakeSlack, before: datetime
) -> None:
    posted = slack.post("It is down", key=KEY, blocks=[SECTION])

    slack.update(posted, "It is up", KEY, [{"type": "divider"}])

    assert world.messages[0].blocks == ({"type": "divider"},)
    assert slack.find(KEY, oldest=before)[0].ts == posted.ts


def test_a_message_whose_blocks_slack_refuses_arrives_as_plain_text(
    slack: Slack, world: FakeSlack, running: Running
) -> None:
    posted = slack.post("It is down", key=KEY, blocks=[{"type": "banner"}])
    slack.update(posted, "It is up", KEY, [{"type": "banner"}])
    hook(running).post("It rings", key=KEY, blocks=[{"type": "banner"}])

    assert [(message.text, message.blocks) for message in world.messages] == [
        ("It is up", ()),
        ("It rings", ()),
    ]
    assert len(world.refusals) == 3


@pytest.mark.parametrize("path", ["chat.update", "chat.postMessage"])
def test_retry_after_is_honoured_for_posts_and_edits(slack: Slack, world: FakeSlack, path: str) -> None:
    posted = slack.post("It is down", key=KEY)
    world.faults.add("429", path=path, retry_after="17")

    with pytest.raises(SlackBusy) as busy:
        slack.update(posted, "It is up", KEY) if path == "chat.update" else slack.post("x", key=KEY)

    assert busy.value.retry_after == 17
