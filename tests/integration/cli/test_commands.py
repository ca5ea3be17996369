"""The commands as a person runs them: what they say when something is missing or away."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import redis

from tests.support.command_line import UNREACHABLE_REDIS, run_command

ROOT = Path(__file__).parents[3]


def test_a_store_that_is_away_is_told_with_the_settings_name(tmp_path: Path) -> None:
    for command in (
        ["list"],
        ["show", "x"],
        ["pause"],
        ["resume"],
        ["mute", "shop"],
        ["fix", "all"],
        ["cancel", "x"],
        ["retry", "x"],
        ["replay", "x"],
    ):
        ended = run_command(tmp_path, *command, REDIS_URL=UNREACHABLE_REDIS)

        assert ended.returncode == (2 if command[0] == "replay" else 1)
        assert "check REDIS_URL" in ended.stderr
        assert "sekret" not in ended.stderr
        assert "Traceback" not in ended.stderr


def test_an_embedded_store_that_does_not_run_is_told_with_what_runs_it(tmp_path: Path) -> None:
    (tmp_path / ".trackwalker").mkdir()
    (tmp_path / ".trackwalker" / "store.url").write_text(UNREACHABLE_REDIS)

    ended = run_command(tmp_path, "list")

    assert ended.returncode == 1
    assert "`python -m workers up`" in ended.stderr


@pytest.mark.parametrize(
    "url", ["foo", "redis://:sekret@host:abc", "redis://:sekret@host/0?no_such_option=1"]
)
@pytest.mark.parametrize("command", [["list"], ["up", "--procfile", "Procfile"]])
def test_an_address_of_no_store_is_refused_at_once(tmp_path: Path, command: list[str], url: str) -> None:
    watching = {"TRACKWALKER_SECRET": "s", "RAILWAY_TOKEN": "t"}
    (tmp_path / "Procfile").write_text("one: touch started\n")

    ended = run_command(tmp_path, *command, REDIS_URL=url, **watching)

    assert ended.returncode == 1
    assert "trackwalker: REDIS_URL: must be redis://" in ended.stderr
    assert "sekret" not in ended.stderr
    assert not (tmp_path / "started").exists()


def test_a_state_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "Procfile").write_text("one: touch started\n")
    state = {"TRACKWALKER_DATA_DIR": str(tmp_path / "file"), "TRACKWALKER_SECRET": "s", "RAILWAY_TOKEN": "t"}

    for command in (["list"], ["up", "--procfile", "Procfile"]):
        ended = run_command(tmp_path, *command, **state)

        assert ended.returncode == 1
        assert "trackwalker: TRACKWALKER_DATA_DIR: cannot be used" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_sweep_that_has_nothing_to_look_at_says_what_is_missing(tmp_path: Path) -> None:
    assert "RAILWAY_API_TOKEN or RAILWAY_TOKEN" in run_command(tmp_path, "sweep").stderr

    ended = run_command(tmp_path, "sweep", RAILWAY_API_TOKEN="t")

    assert ended.returncode == 1
    assert "TRACKWALKER_ENVIRONMENTS" in ended.stderr


def test_what_only_mends_is_not_said_to_keep_us_from_looking(tmp_path: Path) -> None:
    said = run_command(tmp_path, "up").stderr

    needed, _, others = said.partition("optional settings that are not set:")
    assert "TRACKWALKER_SECRET" in needed
    assert "GITHUB_TOKEN" not in needed
    assert said.count("GITHUB_TOKEN") == others.count("GITHUB_TOKEN") == 1


def test_a_mute_of_no_time_ends_it(tmp_path: Path, store: redis.Redis, store_url: str) -> None:
    run_command(tmp_path, "mute", "shop", REDIS_URL=store_url)
    assert "muted: shop" in run_command(tmp_path, "list", REDIS_URL=store_url).stdout

    ended = run_command(tmp_path, "mute", "shop", "--for", "0s", REDIS_URL=store_url)

    assert ended.stdout == "shop is not muted\n"
    assert "muted" not in run_command(tmp_path, "list", REDIS_URL=store_url).stdout


def test_a_store_that_never_answers_costs_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ended = run_command(tmp_path, "list", REDIS_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}")

    assert ended.returncode == 1
    assert "TimeoutError (check REDIS_URL)" in ended.stderr
