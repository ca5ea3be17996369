"""What stands in the environment and `.env`, and how what cannot be read is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.errors import SettingsError
from workers.runtime import embedded
from workers.runtime.settings import read


def refusal(**values: str) -> str:
    with pytest.raises(SettingsError) as refused:
        read(values, dotenv=None)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TRACKWALKER_ENVIRONMENTS", "foo", "must read project-id/environment-id"),
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
        ("TRACKWALKER_MODEL_PRICE", "3", "must read in/out"),
        ("TRACKWALKER_MODEL_PRICE", "nan/1", "must read in/out"),
        ("TRACKWALKER_PING_MINUTES", "inf", "must be"),
        ("TRACKWALKER_PING_MINUTES", "1e300", "must be"),
        ("TRACKWALKER_MAX_COST_PER_INCIDENT_USD", "inf", "must be"),
    ],
)
def test_a_value_that_cannot_be_read_is_named(name: str, value: str, said: str) -> None:
    assert f"{name}: {said}" in refusal(**{name: value})


def test_all_of_them_are_named_at_once_and_none_is_quoted() -> None:
    said = refusal(PORT="sekret-1", SLACK_WEBHOOK_URL="sekret-2", RAILWAY_API_URL="http://a:sekret/3@host")

    assert all(name in said for name in ("PORT", "SLACK_WEBHOOK_URL", "RAILWAY_API_URL"))
    assert "sekret" not in said


def test_a_price_is_two_numbers() -> None:
    assert read({"TRACKWALKER_MODEL_PRICE": "3/15"}, dotenv=None).model_price == (3, 15)


def test_env_is_read_with_and_without_quotes_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\nexport RAILWAY_API_TOKEN=\"a token\"\nSLACK_CHANNEL=#on-call  # why\nPORT='8001'\n"
    )

    seen = read({"PORT": "8002"}, dotenv=file)

    assert seen.railway_api_token is not None
    assert seen.railway_api_token.get_secret_value() == "a token"
    assert (seen.slack_channel, seen.port) == ("#on-call", 8002)


def test_an_env_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"A=\xff\xfe\n")

    with pytest.raises(SettingsError, match=r"\.env cannot be read: it is not UTF-8"):
        read({}, dotenv=file)


def test_the_state_folder_may_stand_in_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRACKWALKER_DATA_DIR", raising=False)
    (tmp_path / ".env").write_text("TRACKWALKER_DATA_DIR=elsewhere\n")

    assert embedded.state_folder() == tmp_path / "elsewhere"
