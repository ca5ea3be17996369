"""Makes Slack's Block Kit of a `SlackPost`, within every limit of Slack, for any input.

Limits: https://docs.slack.dev/reference/block-kit/blocks and …/block-elements. A text that is too long is cut where no
entity and no link is split.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from workers.notifications.slack_post import Button, MenuItem, SlackPost

MAX_HEADER = 150  # characters of a header
MAX_SECTION = 2900  # of a section's text: Slack refuses 3,001
MAX_BLOCKS = 45  # of a message: Slack refuses 51
MAX_LABEL = 75  # characters of a button or an entry of a menu
MAX_BUTTON_VALUE = 2000
MAX_OPTION_VALUE = 150
MAX_URL = 3000
MAX_MENU = 5  # entries of an overflow menu
MAX_FOOTER = 10  # elements of a context block
MENU_ID = "menu"  # action_id of the overflow menu; its entries say what to do

PARTIAL_MARKUP = re.compile(r"(?:&[a-z]{0,4}|<[^<>]*)\Z")
"""The beginning of an entity or of a link at the end of a text that was cut."""
PLAIN_FORM = str.maketrans({"<": "‹", ">": "›", "&": "＆"})
ENTITIES = (("&lt;", "‹"), ("&gt;", "›"), ("&amp;", "＆"))


def blocks_of(post: SlackPost) -> list[dict[str, Any]]:
    """The message's blocks, as JSON values. Loads `slack_sdk`, which costs 17 MB, at the first message."""
    from slack_sdk.models import blocks as kit

    parts: list[Any] = []
    lines: Iterable[str] = post.lines
    if post.has_header:
        header = cut_plain(post.headline, MAX_HEADER)
        parts.append(kit.HeaderBlock(text=kit.PlainTextObject(text=header, emoji=False)))
    else:
        lines = (post.headline, *post.lines)
    parts += [
        kit.SectionBlock(text=kit.MarkdownTextObject(text=text, verbatim=True)) for text in paragraphs(lines)
    ]
    elements: list[Any] = [_button(kit, button) for button in post.buttons]
    if len(post.menu) > 1:
        options = [_option(kit, item) for item in post.menu[:MAX_MENU]]
        elements.append(kit.OverflowMenuElement(action_id=MENU_ID, options=options))
    if elements:
        parts.append(kit.ActionsBlock(elements=elements))
    if post.footer:
        texts = [cut_markup(text, MAX_SECTION) for text in post.footer[:MAX_FOOTER] if text]
        parts.append(
            kit.ContextBlock(elements=[kit.MarkdownTextObject(text=text, verbatim=True) for text in texts])
        )
    return [part.to_dict() for part in parts[:MAX_BLOCKS]]


def _button(kit: Any, button: Button) -> Any:
    return kit.ButtonElement(
        text=kit.PlainTextObject(text=cut_plain(button.label, MAX_LABEL), emoji=False),
        action_id=button.action_id,
        value=button.value[:MAX_BUTTON_VALUE] or None,
        url=_address(button.url),
        style=button.style or None,
    )


def _option(kit: Any, item: MenuItem) -> Any:
    return kit.Option(
        text=kit.PlainTextObject(text=cut_plain(item.label, MAX_LABEL), emoji=False),
        value=item.value[:MAX_OPTION_VALUE] or "open",
        url=_address(item.url),
    )


def _address(url: str) -> str | None:
    """None for an address that is too long: half an address leads elsewhere."""
    return url if 0 < len(url) <= MAX_URL else None


def paragraphs(lines: Iterable[str]) -> list[str]:
    """The lines in as few texts as fit into sections."""
    texts: list[str] = []
    for line in lines:
        line = cut_markup(line, MAX_SECTION)
        if not line:
            continue
        if texts and length(texts[-1]) + length(line) < MAX_SECTION:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return texts


def length(text: str) -> int:
    """Characters as JavaScript counts them: an emoji is two. It is never less than any other way to count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut_markup(text: str, limit: int) -> str:
    """Escaped text in at most `limit` characters, with no entity and no link cut in half."""
    if length(text) <= limit:
        return text
    return PARTIAL_MARKUP.sub("", _beginning(text, limit - 1)).rstrip() + "…"


def cut_plain(text: str, limit: int) -> str:
    """Escaped text for a `plain_text` object, which shows entities as they are written."""
    for entity, character in ENTITIES:
        text = text.replace(entity, character)
    text = " ".join(text.translate(PLAIN_FORM).split())
    return (text if length(text) <= limit else _beginning(text, limit - 1).rstrip() + "…") or "–"


def _beginning(text: str, limit: int) -> str:
    """As much of the text as fits into `limit` UTF-16 units."""
    kept = text[:limit].encode("utf-16-le", "surrogatepass")[: 2 * limit]
    return kept.decode("utf-16-le", "ignore")
