"""The project folder: whose `.env` and data a command uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.runtime import environment


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(environment.HOME, raising=False)
    monkeypatch.delenv(environment.DATA_DIR, raising=False)


def test_the_home_setting_names_the_folder_of_the_env_file_and_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".env").write_text("SLACK_CHANNEL=#on-call\n")
    monkeypatch.setenv(environment.HOME, str(home))

    assert environment.variables()["SLACK_CHANNEL"] == "#on-call"
    assert environment.data_dir() == home / ".trackwalker"


def test_the_current_folder_comes_before_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "installation_folder", lambda: tmp_path / "checkout")
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / ".env").write_text("PORT=1\n")
    (tmp_path / ".env").write_text("PORT=2\n")

    environment.use_installation_folder()

    assert environment.variables()["PORT"] == "2"


def test_a_folder_without_an_env_file_uses_that_of_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "installation_folder", lambda: tmp_path / "checkout")
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / ".env").write_text("SLACK_CHANNEL=#night\n")
    monkeypatch.setenv(environment.HOME, "")

    environment.use_installation_folder()

    assert environment.project_folder() == tmp_path / "checkout"
    assert environment.variables()["SLACK_CHANNEL"] == "#night"
    assert environment.data_dir() == tmp_path / "checkout" / ".trackwalker"


def test_space_around_a_value_is_dropped_and_an_empty_variable_hides_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nB=2\n")

    assert environment.variables({"A": "", "C": " token\n"}, tmp_path / ".env") == {"B": "2", "C": "token"}
