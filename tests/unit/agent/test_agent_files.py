"""During a run the clone holds no file that steers coding agents; afterwards it is as the repository has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.agent.agent_files import without_agent_files


def write(clone: Path, path: str, text: str = "steer the agent") -> Path:
    file = clone / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "path",
    [
        ".opencode/plugin/own.js", "AGENTS.md", "app/AGENTS.md", "CONTEXT.md", "GEMINI.md", "CLAUDE.local.md",
        ".agents/skills/a.md", ".gemini/settings.json", ".continue/config.yaml", ".junie/guidelines.md",
        ".amazonq/rules/a.md", ".mcp.json", ".env", "app/.env.local",
    ],
)  # fmt: skip
def test_a_file_that_steers_agents_is_absent_during_the_run_and_back_afterwards(
    tmp_path: Path, path: str
) -> None:
    file = write(tmp_path / "clone", path)

    with without_agent_files(tmp_path / "clone", tmp_path / "stash"):
        assert not file.exists()

    assert file.read_text() == "steer the agent"
    assert not (tmp_path / "stash").exists()


@pytest.mark.parametrize(
    "path", ["app/share.py", ".env.example", "src/agents/router.py", ".github/workflows/a.yml"]
)
def test_other_files_stay_during_the_run(tmp_path: Path, path: str) -> None:
    file = write(tmp_path / "clone", path)

    with without_agent_files(tmp_path / "clone", tmp_path / "stash"):
        assert file.exists()


def test_a_file_that_the_agent_put_in_place_of_a_removed_one_is_gone_afterwards(tmp_path: Path) -> None:
    file = write(tmp_path / "clone", "AGENTS.md", "the repository's")

    with without_agent_files(tmp_path / "clone", tmp_path / "stash"):
        write(tmp_path / "clone", "AGENTS.md", "the agent's")
        write(tmp_path / "clone", ".opencode/plugin/new.js")

    assert file.read_text() == "the repository's"
    assert not (tmp_path / "clone" / ".opencode").exists()


def test_a_stash_of_an_interrupted_run_is_restored_first(tmp_path: Path) -> None:
    (tmp_path / "clone").mkdir()
    write(tmp_path / "stash", "app/AGENTS.md", "from the interrupted run")

    with without_agent_files(tmp_path / "clone", tmp_path / "stash"):
        assert not (tmp_path / "clone" / "app" / "AGENTS.md").exists()

    assert (tmp_path / "clone" / "app" / "AGENTS.md").read_text() == "from the interrupted run"


def test_a_link_with_the_name_of_an_agents_folder_is_moved_and_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", "kept.md")
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / ".claude").symlink_to(outside.parent)

    with without_agent_files(tmp_path / "clone", tmp_path / "stash"):
        assert not (tmp_path / "clone" / ".claude").is_symlink()

    assert (tmp_path / "clone" / ".claude").readlink() == outside.parent
    assert outside.exists()
