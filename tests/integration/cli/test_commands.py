"""The commands as an operator runs them: their answers when a setting is missing or Redis is unreachable."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import redis

from tests.support.command_line import UNREACHABLE_REDIS, run_command

REQUIRED_SETTINGS = {
    "TRACKWALKER_SECRET": "s",
    "RAILWAY_TOKEN": "t",
}  # the settings without which `up` does not start


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["show", "x"],
        ["pause"],
        ["resume"],
        ["mute", "shop"],
        ["fix", "all"],
        ["cancel", "x"],
        ["retry", "x"],
        ["replay", "x"],
    ],
)
def test_a_command_that_cannot_reach_redis_names_the_setting(tmp_path: Path, command: list[str]) -> None:
    process = run_command(tmp_path, *command, REDIS_URL=UNREACHABLE_REDIS)

    assert process.returncode == (2 if command[0] == "replay" else 1)
    assert "check REDIS_URL" in process.stderr
    assert "sekret" not in process.stderr
    assert "Traceback" not in process.stderr


def test_a_command_without_any_store_says_in_one_line_how_to_start_one(tmp_path: Path) -> None:
    process = run_command(tmp_path, "list")

    assert process.returncode == 1
    assert process.stderr == (
        "trackwalker: REDIS_URL: not set, and no embedded Valkey is running. "
        "Set it, or start `trackwalker up`\n"
    )


def test_a_command_names_the_process_that_runs_the_embedded_store(tmp_path: Path) -> None:
    (tmp_path / ".trackwalker").mkdir()
    (tmp_path / ".trackwalker" / "store.url").write_text(UNREACHABLE_REDIS)

    process = run_command(tmp_path, "list")

    assert process.returncode == 1
    assert "`trackwalker up`" in process.stderr


@pytest.mark.parametrize(
    "url", ["foo", "redis://:sekret@host:abc", "redis://:sekret@host/0?no_such_option=1"]
)
@pytest.mark.parametrize("command", [["list"], ["up", "--procfile", "Procfile"]])
def test_a_malformed_redis_url_is_refused_at_once(tmp_path: Path, command: list[str], url: str) -> None:
    (tmp_path / "Procfile").write_text("one: touch started\n")

    process = run_command(tmp_path, *command, REDIS_URL=url, **REQUIRED_SETTINGS)

    assert process.returncode == (2 if command[0] == "up" else 1)
    assert "REDIS_URL" in process.stderr
    assert "must be redis://" in process.stderr
    assert "sekret" not in process.stderr
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("command", [["list"], ["up", "--procfile", "Procfile"]])
def test_an_unusable_data_folder_is_named(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "Procfile").write_text("one: touch started\n")

    process = run_command(
        tmp_path, *command, TRACKWALKER_DATA_DIR=str(tmp_path / "file"), **REQUIRED_SETTINGS
    )

    assert process.returncode == 1
    assert "trackwalker: TRACKWALKER_DATA_DIR: cannot be used" in process.stderr
    assert "Traceback" not in process.stderr


def test_a_sweep_without_a_token_names_the_setting(tmp_path: Path) -> None:
    process = run_command(tmp_path, "sweep")

    assert process.returncode == 1
    assert "RAILWAY_API_TOKEN or RAILWAY_TOKEN" in process.stderr


def test_a_sweep_without_environments_names_the_setting(tmp_path: Path) -> None:
    process = run_command(tmp_path, "sweep", RAILWAY_API_TOKEN="t")

    assert process.returncode == 1
    assert "TRACKWALKER_ENVIRONMENTS" in process.stderr


def test_a_start_without_required_settings_names_those_that_only_fixes_need_as_warnings(
    tmp_path: Path,
) -> None:
    process = run_command(tmp_path, "up")

    lines = process.stderr.splitlines()
    assert process.returncode == 2
    assert any("✗ TRACKWALKER_SECRET: not set" in line for line in lines)
    assert any("! GITHUB_TOKEN, or GITHUB_APP_ID" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TRACKWALKER_MODES", "report", "TRACKWALKER_MODES is not a setting; did you mean TRACKWALKER_MODE?"),
        ("TRACKWALKER_MODE", "dry", "must be 'shadow', 'report', 'draft' or 'full'"),
    ],
)
def test_a_misspelt_or_unreadable_setting_stops_the_start(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    (tmp_path / "Procfile").write_text("one: touch started\n")

    process = run_command(tmp_path, "up", "--procfile", "Procfile", **REQUIRED_SETTINGS, **{name: value})

    assert process.returncode == 2
    assert words in " ".join(process.stderr.split())
    assert not (tmp_path / "started").exists()


def test_a_mute_of_zero_seconds_ends_the_mute(tmp_path: Path, store: redis.Redis, store_url: str) -> None:
    run_command(tmp_path, "mute", "shop", REDIS_URL=store_url)
    assert "mute shop" in run_command(tmp_path, "list", REDIS_URL=store_url).stdout

    process = run_command(tmp_path, "mute", "shop", "--for", "0s", REDIS_URL=store_url)

    assert process.stdout == "shop is not muted now.\n"
    assert "mute shop" not in run_command(tmp_path, "list", REDIS_URL=store_url).stdout


def test_a_redis_that_never_answers_times_out_within_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = run_command(tmp_path, "list", REDIS_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}")

    assert process.returncode == 1
    assert "no answer in time (check REDIS_URL)" in process.stderr
