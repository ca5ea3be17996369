"""Models clean and redact every text that they are built from."""

from __future__ import annotations

import typing

import pytest
from pydantic import Field, ValidationError

from workers import models
from workers.models import Exact, LogPattern, Model, Plan, PlanCause, Text

HOSTILE = "a\n\x1b[31mb\x1b[0m\u202e password=hunter2Q"
LINE = "a b password=[redacted]"


class _Inner(Model):
    name: str


class _Outer(Model):
    line: str
    maybe: str | None = None
    lines: tuple[str, ...] = ()
    pairs: tuple[tuple[str, int], ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    either: int | str = 0
    inner: tuple[_Inner, ...] = ()
    text: Text = ""
    exact: Exact = ""


def test_every_text_of_a_model_is_cleaned_at_any_depth() -> None:
    value = _Outer.model_validate({
        "line": HOSTILE, "maybe": HOSTILE, "lines": [HOSTILE], "pairs": [[HOSTILE, 1]], "labels": {HOSTILE: HOSTILE},
        "either": HOSTILE, "inner": [{"name": HOSTILE}], "text": HOSTILE, "exact": HOSTILE,
    })  # fmt: skip

    assert value == _Outer.model_construct(
        line=LINE, maybe=LINE, lines=(LINE,), pairs=((LINE, 1),), labels={LINE: LINE}, either=LINE,
        inner=(_Inner.model_construct(name=LINE),), text="a\nb password=[redacted]", exact=HOSTILE,
    )  # fmt: skip


def test_the_nested_texts_of_a_plan_are_cleaned() -> None:
    plan = Plan.model_validate({
        "verdict": "code", "cause": {"summary": HOSTILE, "line": 1},
        "reproduction": {"kind": "test", "why": HOSTILE}, "change": [HOSTILE],
    })  # fmt: skip

    assert (plan.cause.summary, plan.reproduction.why, plan.change) == (LINE, LINE, (LINE,))


@pytest.mark.parametrize("path", ["a\x07.py", "t\u2060.py", "a\nb.py", "a\u202eyp.py", "a\u00a0b.py"])
def test_a_plan_cannot_name_a_path_with_hidden_characters(path: str) -> None:
    with pytest.raises(ValidationError, match="not allowed in a path"):
        PlanCause(summary="x", file=path)


def test_a_log_sample_keeps_its_lines() -> None:
    pattern = LogPattern.model_validate({
        "template": "x", "count": 1, "level": "error", "first": 0, "last": 0, "sample": "a\r\n\tb\x00",
    })  # fmt: skip

    assert pattern.sample == "a\n\tb"


@pytest.mark.parametrize(
    "model",
    [value for value in vars(models).values() if isinstance(value, type) and issubclass(value, Model)],
)
def test_no_field_of_a_model_has_a_type_that_escapes_the_cleaning(model: type[Model]) -> None:
    hints = typing.get_type_hints(model)

    assert not {name for name, hint in hints.items() if hint in (typing.Any, object, bytes)}
