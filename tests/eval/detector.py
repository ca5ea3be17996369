"""The detector under test, through the public format: one JSON line in, one out."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

Line = dict[str, Any]
"""A service or project in the public format, or the answer to it."""
ALERTING = ("warning", "critical")


@lru_cache(maxsize=1)
def _evaluate_line() -> Callable[[str], str]:
    return cast("Callable[[str], str]", importlib.import_module("workers.cli.evaluation").evaluate_line)


@lru_cache(maxsize=4)
def _cached_answer(text: str) -> str:
    return _evaluate_line()(text)


def is_available() -> bool:
    """Whether the detector can be imported."""
    try:
        _evaluate_line()
    except (ImportError, AttributeError):
        return False
    return True


def evaluate(line: Line) -> Line:
    """The detector's answer to one line; the last answers are cached."""
    return cast(Line, json.loads(_cached_answer(json.dumps(line, allow_nan=False))))


def summary_of(line: Line) -> Line:
    """The summary of the window, which later windows take as history."""
    return cast(Line, evaluate(line)["summary"])


def kinds(answer: Line, *severities: str) -> set[str]:
    """The kinds of the findings with these severities (default: those that alert)."""
    accepted = severities or ALERTING
    return {finding["kind"] for finding in answer["findings"] if finding["severity"] in accepted}


def describe(answer: Line) -> str:
    """All findings on one line, most severe first."""
    return (
        "; ".join(
            f"{finding['severity']} {finding['kind']}: {finding['sentence']}"
            for finding in answer["findings"]
        )
        or "nothing"
    )
