"""Takes the end of an agent's log into an error message, without the secrets of the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

LOG_TAIL_BYTES = 4_000
"""Bytes read from the end of the log for an error message."""
LOG_TAIL_CHARS = 1_500
"""Characters of the log in an error message: the last error with its context."""
MAX_ERROR_CHARS = 600
"""Characters of an error text of the agent or the model in our own error message."""
MIN_SECRET_CHARS = 6
"""Shorter values are not redacted: they would also match ordinary text."""


def log_tail(log: Path, secret_values: Sequence[str]) -> str:
    """The end of the log, without the secrets."""
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - LOG_TAIL_BYTES))
        text = file.read(LOG_TAIL_BYTES).decode(errors="replace")
    return redact_secrets(text, secret_values).strip()[-LOG_TAIL_CHARS:] or "its log is empty"


def redact_secrets(text: str, secret_values: Sequence[str]) -> str:
    """The text with each secret replaced by an ellipsis."""
    for value in secret_values:
        text = text.replace(value, "…") if len(value) >= MIN_SECRET_CHARS else text
    return text
