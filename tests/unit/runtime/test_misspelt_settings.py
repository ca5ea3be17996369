"""Names that look like settings and are none, and values that were copied wrongly."""

from __future__ import annotations

import pytest

from workers.errors import SettingsError
from workers.runtime.misspelt_settings import refuse_unknown, similar_names, unknown_names, wrongly_copied


@pytest.mark.parametrize(
    ("name", "closest"),
    [
        ("TRACKWALKER_MODES", "TRACKWALKER_MODE"),
        ("TRACKWALKER_MOD", "TRACKWALKER_MODE"),
        ("trackwalker_mode", "TRACKWALKER_MODE"),
        ("Trackwalker_Mode", "TRACKWALKER_MODE"),
        ("TRACKWALKER-MODE", "TRACKWALKER_MODE"),
        ("TRACKWALKERMODE", "TRACKWALKER_MODE"),
        ("TRACK_WALKER_MODE", "TRACKWALKER_MODE"),
        ("TRACKWALKR_MODE", "TRACKWALKER_MODE"),
        ("TRAKWALKER_PING_MINUTE", "TRACKWALKER_PING_MINUTES"),
        ("TRACKWALKER_ENVIROMENTS", "TRACKWALKER_ENVIRONMENTS"),
        ("TRACKWALKER_SECRETS", "TRACKWALKER_SECRET"),
        ("TRACKWALKER_ZZZZZZZZZZZZZZZZ", None),
    ],
)
def test_a_misspelt_setting_comes_with_the_closest_name(name: str, closest: str | None) -> None:
    [unknown] = unknown_names([name, "TRACKWALKER_DATA_DIR", "TRACKWALKER_SECRET", "PATH"])

    assert (unknown.name, unknown.closest) == (name, closest)


@pytest.mark.parametrize(
    "name", ["TRACKER_URL", "TRACK_ID", "TRACKING", "WALKER_MODE", "RAILWAY_SERVICE_TRACKWALKER_URL", "TRACE"]
)
def test_a_variable_of_somebody_else_is_no_misspelt_setting(name: str) -> None:
    assert unknown_names([name]) == []


def test_the_variables_that_kubernetes_sets_for_a_service_are_no_settings() -> None:
    names = ["TRACKWALKER_SERVICE_HOST", "TRACKWALKER_PORT", "TRACKWALKER_PORT_8000_TCP_ADDR"]

    assert unknown_names(names) == []
    assert [setting.closest for setting in unknown_names(["TRACKWALKER_PORT"])] != []


def test_a_start_with_a_misspelt_setting_is_refused_with_the_closest_name() -> None:
    with pytest.raises(
        SettingsError, match="TRACKWALKER_MODES: is not a setting; did you mean TRACKWALKER_MODE"
    ):
        refuse_unknown(["TRACKWALKER_MODES"])


@pytest.mark.parametrize(
    ("name", "closest"),
    [
        ("SLACK_TOKEN", "SLACK_BOT_TOKEN"), ("SLACK_CHANEL", "SLACK_CHANNEL"), ("GITHUB_TOKN", "GITHUB_TOKEN"),
        ("RAILWAY_APITOKEN", "RAILWAY_API_TOKEN"), ("REDIS_URI", "REDIS_URL"), ("OPENCODE_BINARY", "OPENCODE_BIN"),
        ("slack_bot_token", "SLACK_BOT_TOKEN"),
    ],
)  # fmt: skip
def test_a_name_without_our_prefix_that_is_almost_a_setting_is_named(name: str, closest: str) -> None:
    [similar] = similar_names([name])

    assert (similar.name, similar.closest) == (name, closest)


@pytest.mark.parametrize(
    "name",
    ["RAILWAY_PROJECT_NAME", "RAILWAY_PRIVATE_DOMAIN", "GITHUB_REPOSITORY", "GITHUB_ACTIONS", "PORTS", "REDISHOST",
     "OPENAI_API_KEY", "SLACK_BOT_TOKEN", "HOME"],
)  # fmt: skip
def test_a_variable_that_others_set_is_not_taken_for_a_setting(name: str) -> None:
    assert similar_names([name]) == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('"xoxb-1"', "quotes"), ("'xoxb-1'", "quotes"), ("“xoxb-1”", "quotes"), ("<token>", "placeholder"),
        ("xoxb-...", "placeholder"), ("your-token-here", "placeholder"), ("changeme", "placeholder"),
        ("${SLACK_BOT_TOKEN}", "placeholder"), ("xxxx", "placeholder"),
    ],
)  # fmt: skip
def test_a_value_that_was_copied_wrongly_is_named_without_the_value(value: str, reason: str) -> None:
    [(name, text)] = wrongly_copied({"SLACK_BOT_TOKEN": value})

    assert name == "SLACK_BOT_TOKEN"
    assert reason in text
    assert value not in text


@pytest.mark.parametrize("value", ["xoxb-12345", "#on-call", "ghp_abcdefgh", "acme/shop", "a-b-c", "p1/e1"])
def test_an_ordinary_value_is_not_taken_for_a_placeholder(value: str) -> None:
    assert wrongly_copied({"SLACK_BOT_TOKEN": value}) == []
