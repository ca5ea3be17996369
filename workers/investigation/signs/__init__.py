"""Signs: what the text of a log record shows about its cause, before it is redacted. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from workers.models import Sign


def read_signs(text: str, code: Sequence[str] = ()) -> tuple[Sign, ...]:  # noqa: ARG001
    """The signs in one log record, the strongest first.

    Args:
        text: the whole record as it was logged, not redacted.
        code: the lines of own code that the innermost frame of its trace names, with the lines around it.
    """
    return ()
