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


def link(address: str) -> str:
    """One of our own links. It has to be marked as one, because `parse: none` links no address by itself."""
    return f"<{address.replace('&', '&amp;')}>" if LINK.fullmatch(address) else escape(address)
