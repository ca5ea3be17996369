"""Recognises what a person pasted: which setting it is, and which model goes with a key. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workers.agent.providers import key_variables

QUOTES = "\"'“”‘’`"
ASSIGNMENT = re.compile(r"(?:export\s+)?[A-Z][A-Z0-9_]*\s*=\s*(.*)", re.DOTALL)
MODEL = re.compile(r"[a-z][a-z0-9-]{1,30}/[A-Za-z0-9][\w.:/-]{1,80}")
MODELS_BY_KEY = (
    ("sk-ant-", "anthropic/claude-sonnet-4-5"),
    ("sk-or-", "openrouter/anthropic/claude-sonnet-4.5"),
    ("sk-proj-", "openai/gpt-5"),
    ("sk-svcacct-", "openai/gpt-5"),
    ("AIza", "google/gemini-2.5-pro"),
    ("gsk_", "groq/openai/gpt-oss-120b"),
    ("xai-", "xai/grok-code-fast-1"),
)
"""How the keys of providers begin, and a model of each that writes code well."""
DEFAULT_MODEL = "anthropic/claude-sonnet-4-5"


def pasted(text: str) -> str:
    """The value in a pasted text: without spaces, quotes and a `NAME=` before it."""
    value = text.strip()
    assignment = ASSIGNMENT.fullmatch(value)
    # A token in base64 may contain `=`, but never after a name in capitals alone.
    value = assignment[1].strip() if assignment else value
    while len(value) > 1 and value[0] in QUOTES and value[-1] in QUOTES:
        value = value[1:-1].strip()
    return value


def model_for_key(key: str) -> str | None:
    """A model of the provider whose keys begin like this one; None if several providers' do."""
    return next((model for start, model in MODELS_BY_KEY if key.startswith(start)), None)


def is_model(text: str) -> bool:
    """Whether a text has the form provider/model."""
    return MODEL.fullmatch(text) is not None


def key_name(model: str) -> str:
    """The variable that holds the key for a model."""
    return key_variables(model.partition("/")[0])[0]


def chosen(answer: str, names: Sequence[str]) -> tuple[int, ...] | None:
    """The indexes that an answer chooses, by numbers from 1 or by names, comma-separated; None if it names another.

    Args:
        names: what a person may choose from, in order.
    """
    indexes: list[int] = []
    lowered = [name.lower() for name in names]
    for part in (piece.strip().lower() for piece in answer.split(",") if piece.strip()):
        if part.isdecimal() and 1 <= int(part) <= len(names):
            indexes.append(int(part) - 1)
        elif lowered.count(part) == 1:
            indexes.append(lowered.index(part))
        else:
            return None
    return tuple(dict.fromkeys(indexes)) or None
