"""Pasted values, and the settings that follow from a key."""

from __future__ import annotations

import pytest

from workers.cli import setup_values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (" token \n", "token"),
        ("'token'", "token"),
        ("“token”", "token"),
        ("RAILWAY_API_TOKEN=token", "token"),
        ('export GITHUB_TOKEN = "token"', "token"),
        ("abc=def==", "abc=def=="),
        ("xoxb-1-2", "xoxb-1-2"),
        ("", ""),
    ],
)
def test_a_pasted_text_is_reduced_to_its_value(text: str, value: str) -> None:
    assert setup_values.pasted(text) == value


@pytest.mark.parametrize(
    ("key", "model", "name"),
    [
        ("sk-ant-api03-x", "anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY"),
        ("sk-proj-x", "openai/gpt-5", "OPENAI_API_KEY"),
        ("AIzaSyX", "google/gemini-2.5-pro", "GEMINI_API_KEY"),
        ("sk-or-v1-x", "openrouter/anthropic/claude-sonnet-4.5", "OPENROUTER_API_KEY"),
    ],
)
def test_a_key_tells_its_provider(key: str, model: str, name: str) -> None:
    assert setup_values.model_for_key(key) == model
    assert setup_values.key_name(model) == name


def test_a_key_of_several_providers_tells_nothing() -> None:
    assert setup_values.model_for_key("0123456789abcdef") is None


@pytest.mark.parametrize(
    ("answer", "indexes"),
    [
        ("1", (0,)),
        ("2, 1,2", (1, 0)),
        ("ACME/staging", (1,)),
        ("0", None),
        ("3", None),
        ("1;2", None),
        ("acme", None),
        (",", None),
    ],
)
def test_a_choice_is_a_number_or_a_whole_name(answer: str, indexes: tuple[int, ...] | None) -> None:
    assert setup_values.chosen(answer, ["acme/production", "acme/staging"]) == indexes
