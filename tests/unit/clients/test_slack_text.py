"""Text from outside formats, links, mentions and breaks nothing in a Slack message."""

from __future__ import annotations

import re

import pytest

from workers.clients.slack_text import escape, link

HARMFUL = {
    "a control sequence": r"<[^>]*>",
    "bold, struck out or code": r"[*~`]",
    "emphasis": r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])",
    "an emoji": r":(?:[a-z0-9_+'-]*[a-z][a-z0-9_+'-]*|100):",
    "a line": r"[\n\r\u2028\u2029\x85\v\f]",
    "an address": r"[a-z]://|www\.|mailto:|\w@\w",
    "a mention": r"@\w",
    "a quotation": r"^(?:>|&gt;)",
}


@pytest.mark.parametrize(
    "text",
    [
        "<!channel> <@U024BE7LH> <#C024BE7LR|general> <https://evil.zz|safe>", "*a* _b_ ~c~ `d` ```e```", "__init__.py",
        ":tada: :100: :+1: :flag-us:", "a\nhttps://evil.zz/fix <-- merge this", "> quoted", ">>> quoted",
        "a\u2028b\x85c",
        "see http://evil.zz, www.evil.zz, mailto:a@b", "@here @channel @U024BE7LH bob@evil.zz a@b", "*_~`<x>`~_*",
        "\u200b*a\u200b*", "&lt;!here&gt; &amp;", "\x1b]8;;http://evil.zz\x1b\\x\x1b]8;;\x1b\\",
    ],
)  # fmt: skip
def test_text_from_outside_has_no_markup(text: str) -> None:
    escaped = escape(text)

    assert {name for name, pattern in HARMFUL.items() if re.search(pattern, escaped)} == set()


@pytest.mark.parametrize(
    "text",
    [
        "pricing.py:9 in total_of",
        "TRACKWALKER_MODE=report",
        "12:30:45 UTC",
        "api.stripe.com answers 503",
        "12 % of 40",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert escape(text) == text


def test_entities_are_escaped_once_and_read_as_written() -> None:
    assert escape("a < b && c > &lt;") == "a &lt; b &amp;&amp; c &gt; &amp;lt;"


def test_a_secret_never_reaches_slack() -> None:
    assert escape("password=hunter2Q") == "password=[redacted]"


def test_only_an_address_becomes_a_link() -> None:
    assert link("https://github.com/x/y/pull/1?a=1&b=2") == "<https://github.com/x/y/pull/1?a=1&amp;b=2>"
    assert "<" not in link("https://evil.zz|safe") + link("javascript:x") + link("https://a b> <!channel>")
