"""Untrusted text and our own links in a Slack message. Pure."""

from __future__ import annotations

import re

from workers.runtime.text import safe_line

HAIR_SPACE = "\u200a"  # visible and narrow: it separates what Slack would read as one word
# Slack's markup has no escape but for `&`, `<` and `>`, so its other marks become characters that look like them.
LOOKALIKES = str.maketrans({"*": "∗", "~": "∼", "`": "'"})
UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""Begins or ends emphasis; inside a word, as in `TRACKWALKER_MODE`, it does neither."""
EMOJI = re.compile(r":(?=[a-z0-9_+'-]{0,100}[a-z][a-z0-9_+'-]{0,100}:|(?:100|1234):)", re.IGNORECASE)
ADDRESS = re.compile(
    r"(?<=[A-Za-z0-9]):(?=//)|\b(?<=mailto):|\b(?<=www)\.(?=\w)|(?<=\S)@(?=\w)", re.IGNORECASE
)
"""Places where an address is split. `parse: none` already keeps Slack from linking it; a client may still link it."""
MENTION = re.compile(r"@(?=\w)")
USER_ID = re.compile(r"[UW][A-Z0-9]{2,20}")
LINK = re.compile(r"https?://[^\s<>|\"'`\\]{1,2000}")


def escape(text: str) -> str:
    """Untrusted text for a message: one line, redacted, that nothing in it can format, link, mention or end.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    line = safe_line(text).translate(LOOKALIKES)
    line = UNDERSCORE.sub("ˍ", line)
    line = EMOJI.sub("꞉", line)
    line = ADDRESS.sub(lambda match: HAIR_SPACE + match[0], line)
    line = MENTION.sub(f"@{HAIR_SPACE}", line)
    if line.startswith(">"):  # at the start of a line the entity begins a quotation as well
        line = f"›{line[1:]}"
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def is_link(address: str) -> bool:
    """True for an address that may stand in a link or behind a button."""
    return LINK.fullmatch(address) is not None


def link(address: str, label: str = "") -> str:
    """One of our own links. It has to be marked as one, because `parse: none` links no address by itself.

    Args:
        label: the text that is shown, unescaped; "" shows the address. Without a valid address only the label is shown.
    """
    if not is_link(address):
        return escape(label or address)
    target = address.replace("&", "&amp;")
    # A bar would end the address, and the label may hold one.
    return f"<{target}|{escape(label).replace('|', '¦')}>" if label else f"<{target}>"


def code(text: str, limit: int | None = None) -> str:
    """Untrusted text in the font of code. Nothing in it is formatted, and nothing ends it but our own mark."""
    return f"`{escape(safe_line(text, limit))}`" if text.strip() else ""


def mention(user_id: str) -> str:
    """A mention of a person, which notifies them; "" for anything that is no id of a user."""
    return f"<@{user_id}>" if USER_ID.fullmatch(user_id) else ""
