"""Makes untrusted text inert: in a prompt it cannot pose as structure, in a message it cannot hide anything. Pure."""

from __future__ import annotations

import re

from workers.runtime.text import one_line, safe_text

MARK = re.compile(r"\b(DATA)[-\u2010-\u2015](\w{8,})", re.IGNORECASE)
"""Text that looks like a mark of our prompts. `inert` breaks it up: only the real mark may stand in one."""
CHAT_TOKEN = re.compile(
    r"<\|[\w ]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>", re.IGNORECASE
)
"""Tokens that end a turn in the chat formats of open models; a server that does not escape them would obey."""
MAX_LINE_CHARS = 1_000
"""Characters of one line. A longer one is data and not a sentence."""


def inert(text: str) -> str:
    """The text without secrets, hidden characters, code fences, data marks and the special tokens of chat formats."""
    # A fence in a log line would end the fenced block that the prompt or the pull request put around it.
    text = re.sub(r"`{3,}|~{3,}", "'''", safe_text(text))
    return CHAT_TOKEN.sub("", MARK.sub(r"\1 \2", text))


def inert_line(text: str) -> str:
    """The text as one inert line of at most `MAX_LINE_CHARS` characters."""
    return one_line(inert(text), MAX_LINE_CHARS)
