"""Slack's blocks of a message: within every limit, for any input."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.block_kit_limits import block_problems, message_problems, size, view_problems
from tests.support.generated_incidents import problems, text_problems
from workers.clients.slack_text import escape, link, mention
from workers.notifications.block_kit import blocks_of, cut_markup, cut_plain
from workers.notifications.slack_post import Button, MenuItem, SlackPost

FULL = SlackPost(
    "🔴 api: 94 %", ("line",), (Button("Open", "open_pull_request", url="https://x.dev", style="primary"),),
    (MenuItem("a", "check x"), MenuItem("b", "fix x")), ("footer",),
)  # fmt: skip


LONG_LABEL = {"type": "plain_text", "text": "x" * 76}


def test_a_message_has_headline_lines_controls_and_footer() -> None:
    assert [block["type"] for block in blocks_of(FULL)] == ["header", "section", "actions", "context"]
    assert FULL.text == "🔴 api: 94 %\nline"


@pytest.mark.parametrize("length", [1, 150, 151, 3001, 20_000])
def test_texts_of_any_length_are_valid(length: int) -> None:
    for letter in ("x", "🔥", "&"):
        text = escape(letter * length)
        post = SlackPost(text, (text,) * 5, (Button(text, "fix", value="v" * length),), footer=(text,) * 12)
        assert message_problems({"text": "x", "blocks": blocks_of(post)}) == []


def test_a_cut_splits_neither_an_entity_nor_a_link() -> None:
    for limit in range(2, 60):
        text = cut_markup(escape("<&>" * 40), limit)
        linked = cut_markup("see " + link("https://github.com/acme/shop/pull/41", "#41") + " now" * 20, limit)
        assert size(text) <= limit and size(linked) <= limit
        assert text.rstrip("…").count("&") == text.count(";")
        assert linked.count("<") == linked.count(">")


def test_a_header_shows_characters_instead_of_entities() -> None:
    assert cut_plain(escape("<b> & c"), 150) == "‹b› ＆ c"


def test_a_link_leads_only_to_a_web_address() -> None:
    assert link("javascript:alert(1)", "open") == "open"
    assert link("https://x.dev/?a=1&b=2", "a|b>") == "<https://x.dev/?a=1&amp;b=2|a¦b&gt;>"
    assert mention("U0ADA") == "<@U0ADA>"
    assert [mention(name) for name in ("", "!channel", "u0ada", "U0ADA>", "S0GROUP")] == [""] * 5


@pytest.mark.parametrize(
    "block",
    [
        {"type": "header", "text": {"type": "mrkdwn", "text": "x"}},
        {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}},
        {"type": "section", "text": {"type": "mrkdwn", "text": ""}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}},
        {"type": "section"},
        {"type": "actions", "elements": []},
        {"type": "actions", "elements": [{"type": "button", "action_id": "a", "text": LONG_LABEL}]},
        {"type": "actions", "elements": [{"type": "overflow", "action_id": "a", "options": []}]},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11},
        {"type": "banner"},
        {"type": "divider", "colour": "red"},
    ],
)  # fmt: skip
def test_the_judge_refuses_what_slack_refuses(block: dict[str, Any]) -> None:
    assert block_problems([block])


def test_the_judge_refuses_messages_and_modals_that_slack_refuses() -> None:
    assert message_problems({"text": "x" * 40_001})
    assert message_problems({"text": "", "blocks": []})
    assert message_problems({"text": "x", "blocks": [{"type": "divider"}] * 51})
    assert message_problems({"text": "x", "metadata": {"event_type": "a"}})
    assert view_problems({"type": "modal", "title": {"type": "plain_text", "text": "x" * 25}, "blocks": []})


@pytest.mark.parametrize(
    "text",
    [
        "<!channel>",
        "<@U024BE7LH>",
        "@here",
        "https://evil.zz",
        "<https://evil.zz|bank>",
        ":tada:",
        "~x~",
        "a\u202eb",
    ],
)
def test_the_judge_sees_outside_text_that_is_not_escaped(text: str) -> None:
    assert text_problems(text)
    assert not text_problems(escape(text))


@pytest.mark.parametrize("seed", range(1, 6))
def test_generated_incidents_give_valid_messages_that_mention_nobody(seed: int) -> None:
    assert problems(seed) == []
