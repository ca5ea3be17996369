"""The one door to what is measured: the public format, one JSON line in, one out."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

Line = dict[str, Any]
"""One service or project in the public format, and what is answered to it."""
SICK = ("warning", "critical")


@lru_cache(maxsize=1)
def _door() -> Callable[[str], str]:
    return cast("Callable[[str], str]", importlib.import_module("workers.cli.evaluation").evaluate_line)


@lru_cache(maxsize=4)
def _answered(text: str) -> str:
    return _door()(text)


def is_there() -> bool:
    """Whether there is anything to ask."""
    try:
        _door()
    except (ImportError, AttributeError):
        return False
    return True


def ask(line: Line) -> Line:
    """What the detector answers to one line; the last few answers are remembered."""
    return cast(Line, json.loads(_answered(json.dumps(line, allow_nan=False))))


def summary_of(line: Line) -> Line:
    """The window in the few numbers that later windows take as their past."""
    return cast(Line, ask(line)["summary"])


def kinds(answer: Line, *severities: str) -> set[str]:
    """The kinds found at these severities (warning and critical if none is named)."""
    wanted = severities or SICK
    return {one["kind"] for one in answer["findings"] if one["severity"] in wanted}


def said(answer: Line) -> str:
    """All findings on one line, worst first."""
    return (
        "; ".join(f"{one['severity']} {one['kind']}: {one['sentence']}" for one in answer["findings"])
        or "nothing"
    )
