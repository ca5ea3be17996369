"""Each start of an agent finds only the session's database of the start before it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workers.agent.agent_home import MAX_SESSION_BYTES, prepare_home
from workers.agent.config import write_configuration

PLANTED = (
    "data/opencode/auth.json", "data/opencode/mcp-auth.json", "data/opencode/bin/rg", "data/opencode/opencode.db-shm",
    "data/opencode/opencode.db.js", "data/opencode/plugin/evil.js", "data/opencode/storage/session/x.json",
    "data/opencode/tool-output/x", "data/opencode/snapshot/config", "data/opencode/log/x", "data/other/opencode.db",
    "data/opencode.db", "fixed/config/opencode/opencode.json", "fixed/config/opencode/plugin/evil.js",
    "fixed/.opencode/tool/evil.js", "fixed/.gitconfig", "scratch/cache/opencode/bin/rg", "scratch/tmp/x",
    "scratch/state/opencode/model.json", "kept/opencode/opencode.db",
)  # fmt: skip
"""Files that a resumed agent would read or run."""


def write(folder: Path, name: str, text: str = "planted") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def files(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("name", PLANTED)
def test_a_file_that_a_run_leaves_is_absent_in_the_next_run(tmp_path: Path, name: str) -> None:
    write_configuration(prepare_home(tmp_path))
    before = files(tmp_path)
    write(tmp_path, name)

    write_configuration(prepare_home(tmp_path))

    assert files(tmp_path) == before
    assert not any("planted" in (tmp_path / path).read_text() for path in before)


def test_the_database_and_its_log_stay(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    write(tmp_path, "data/opencode/opencode.db", "database")
    write(tmp_path, "data/opencode/opencode.db-wal", "log")

    home = prepare_home(tmp_path)

    assert (home.data / "opencode" / "opencode.db").read_text() == "database"
    assert (home.data / "opencode" / "opencode.db-wal").read_text() == "log"


def test_a_database_that_is_a_link_a_pipe_a_hard_link_or_too_large_is_dropped(tmp_path: Path) -> None:
    secret = write(tmp_path, "secret")

    def sparse(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(MAX_SESSION_BYTES + 1)

    for make in (
        lambda path: path.symlink_to(secret),
        os.mkfifo,
        lambda path: path.hardlink_to(secret),
        sparse,
    ):
        prepare_home(tmp_path)
        (tmp_path / "data" / "opencode").mkdir()
        make(tmp_path / "data" / "opencode" / "opencode.db")

        home = prepare_home(tmp_path)

        assert list(home.data.iterdir()) == []
    assert secret.read_text() == "planted"


def test_a_data_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/opencode/opencode.db")
    home = prepare_home(tmp_path)
    home.data.rmdir()
    home.data.symlink_to(tmp_path / "elsewhere")

    home = prepare_home(tmp_path)

    assert list(home.data.iterdir()) == []
    assert (tmp_path / "elsewhere/opencode/opencode.db").exists()


def test_nothing_writable_is_above_the_configuration(tmp_path: Path) -> None:
    home = prepare_home(tmp_path)

    for writable in (home.data, home.scratch):
        assert not home.fixed.is_relative_to(writable)
        assert not writable.is_relative_to(home.fixed)
    for name in ("HOME", "XDG_CONFIG_HOME"):
        assert Path(home.variables[name]).is_relative_to(home.fixed)
