"""Makes untrusted text inert: in a prompt it cannot pose as structure, in a message it cannot hide anything. Pure."""

from __future__ import annotations

import re

from workers.runtime.characters import visible
from workers.runtime.text import one_line

MAX_LINE_CHARS = 1_000
"""Characters of one line. A longer one is data and not a sentence."""


def inert(text: str) -> str:
    """The text without invisible characters, with its code fences replaced by `'''`."""
    # A fence in a log line would end the fenced block that the prompt or the pull request put around it.
    return re.sub(r"`{3,}|~{3,}", "'''", visible(text))


def inert_line(text: str) -> str:
    """The text as one inert line of at most `MAX_LINE_CHARS` characters."""
    return one_line(inert(text), MAX_LINE_CHARS)
