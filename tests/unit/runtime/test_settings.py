"""Settings: reading them, and naming those that are malformed, missing or misspelt."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.errors import SettingsError
from workers.runtime import environment
from workers.runtime.settings import read
from workers.runtime.settings_check import Need, missing


def error_text(**values: str) -> str:
    with pytest.raises(SettingsError) as refused:
        read(values, dotenv=None)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("TRACKWALKER_ENVIRONMENTS", "foo", "must be project-id/environment-id"),
        ("PORT", "abc", "must be a valid integer"),
        ("TRACKWALKER_MODE", "fast", "must be 'shadow', 'report', 'draft' or 'full'"),
        ("SLACK_API_URL", "foo", "must be an http or https address"),
        ("RAILWAY_API_URL", "http://host:abc/", "must be an http or https address"),
        ("TRACKWALKER_PUBLIC_URL", "http://[", "must be an http or https address"),
        ("SLACK_WEBHOOK_URL", "foo", "must be an http or https address"),
        ("TRACKWALKER_HEARTBEAT_URL", "foo", "must be an http or https address"),
        ("TRACKWALKER_STATUS_PAGES", "{", "must be a JSON object"),
        ("TRACKWALKER_STATUS_PAGES", '["a"]', "must be a JSON object"),
        ("TRACKWALKER_STATUS_PAGES", '{"a": 1}', "must be a JSON object"),
        ("TRACKWALKER_MODEL_PRICE", "3", "must be two prices, input/output"),
        ("TRACKWALKER_MODEL_PRICE", "nan/1", "must be two prices, input/output"),
        ("TRACKWALKER_PING_MINUTES", "inf", "must be"),
        ("TRACKWALKER_PING_MINUTES", "1e300", "must be"),
        ("TRACKWALKER_MAX_COST_PER_INCIDENT_USD", "inf", "must be"),
    ],
)
def test_a_malformed_value_is_named_with_the_reason(name: str, value: str, reason: str) -> None:
    assert f"{name}: {reason}" in error_text(**{name: value})


def test_all_malformed_settings_are_named_at_once_and_no_value_is_quoted() -> None:
    text = error_text(PORT="sekret-1", SLACK_WEBHOOK_URL="sekret-2", RAILWAY_API_URL="http://a:sekret/3@host")

    assert all(name in text for name in ("PORT", "SLACK_WEBHOOK_URL", "RAILWAY_API_URL"))
    assert "sekret" not in text


def test_a_price_is_two_numbers() -> None:
    assert read({"TRACKWALKER_MODEL_PRICE": "3/15"}, dotenv=None).model_price == (3, 15)


def test_the_env_file_is_read_with_and_without_quotes_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\nexport RAILWAY_API_TOKEN=\"a token\"\nSLACK_CHANNEL=#on-call  # why\nPORT='8001'\n"
    )

    settings = read({"PORT": "8002"}, dotenv=file)

    assert settings.railway_api_token is not None
    assert settings.railway_api_token.get_secret_value() == "a token"
    assert (settings.slack_channel, settings.port) == ("#on-call", 8002)


def test_an_env_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"A=\xff\xfe\n")

    with pytest.raises(SettingsError, match=r"\.env line 1: is not UTF-8"):
        read({}, dotenv=file)


def test_the_data_folder_can_be_set_in_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRACKWALKER_DATA_DIR", raising=False)
    (tmp_path / ".env").write_text("TRACKWALKER_DATA_DIR=elsewhere\n")

    assert environment.data_dir() == tmp_path / "elsewhere"


def test_every_malformed_setting_is_a_pair_of_name_and_reason() -> None:
    with pytest.raises(SettingsError) as refused:
        read({"PORT": "0", "TRACKWALKER_MODEL": "gpt"}, dotenv=None)

    assert dict(refused.value.problems)["TRACKWALKER_MODEL"] == "must be provider/model"
    assert {name for name, _ in refused.value.problems} == {"PORT", "TRACKWALKER_MODEL"}


# ---- missing and misspelt settings -----------------------------------------------------------

COMPLETE = {
    "TRACKWALKER_SECRET": "s",
    "RAILWAY_TOKEN": "t",
    "GITHUB_TOKEN": "t",
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/x",
    "TRACKWALKER_MODEL": "anthropic/claude",
    "ANTHROPIC_API_KEY": "k",
}


def test_a_complete_installation_misses_nothing() -> None:
    assert missing(read(COMPLETE, dotenv=None)) == []


@pytest.mark.parametrize(
    ("name", "need", "required"),
    [
        ("TRACKWALKER_SECRET", Need.WEBHOOKS, True),
        ("RAILWAY_TOKEN", Need.SWEEPS, True),
        ("GITHUB_TOKEN", Need.REPOSITORIES, False),
        ("SLACK_WEBHOOK_URL", Need.NOTIFICATIONS, False),
        ("TRACKWALKER_MODEL", Need.FIXES, False),
        ("ANTHROPIC_API_KEY", Need.FIXES, False),
    ],
)
def test_a_missing_setting_names_its_purpose_and_whether_the_start_needs_it(
    name: str, need: Need, required: bool
) -> None:
    settings = read({key: value for key, value in COMPLETE.items() if key != name}, dotenv=None)

    [setting] = missing(settings)

    assert name in setting.names
    assert (setting.need, setting.is_required) == (need, required)


def test_an_account_token_needs_the_names_of_the_environments() -> None:
    settings = read(COMPLETE | {"RAILWAY_TOKEN": "", "RAILWAY_API_TOKEN": "t"}, dotenv=None)

    [setting] = missing(settings)

    assert setting.names == ("TRACKWALKER_ENVIRONMENTS",)
    assert setting.is_required
