"""During a run the clone holds no file that steers agents and no link that leaves it; afterwards both are back."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from workers.agent.set_aside import unsafe_entries_set_aside
from workers.clients.git.tree_entries import link_text
from workers.errors import Refused


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

    with unsafe_entries_set_aside(tmp_path / "clone", tmp_path / "stash"):
        assert not file.exists()

    assert file.read_text() == "steer the agent"
    assert not (tmp_path / "stash").exists()


@pytest.mark.parametrize(
    "path", ["app/share.py", ".env.example", "src/agents/router.py", ".github/workflows/a.yml"]
)
def test_other_files_stay_during_the_run(tmp_path: Path, path: str) -> None:
    file = write(tmp_path / "clone", path)

    with unsafe_entries_set_aside(tmp_path / "clone", tmp_path / "stash"):
        assert file.exists()


def test_a_file_that_the_agent_put_in_place_of_a_removed_one_is_gone_afterwards(tmp_path: Path) -> None:
    file = write(tmp_path / "clone", "AGENTS.md", "the repository's")

    with unsafe_entries_set_aside(tmp_path / "clone", tmp_path / "stash"):
        write(tmp_path / "clone", "AGENTS.md", "the agent's")
        write(tmp_path / "clone", ".opencode/plugin/new.js")

    assert file.read_text() == "the repository's"
    assert not (tmp_path / "clone" / ".opencode").exists()


def test_a_stash_of_an_interrupted_run_is_restored_first(tmp_path: Path) -> None:
    file = write(tmp_path / "clone", "app/AGENTS.md", "the repository's")
    interrupted = unsafe_entries_set_aside(tmp_path / "clone", tmp_path / "stash")
    interrupted.__enter__()
    write(tmp_path / "clone", "app/AGENTS.md", "the agent's")

    with unsafe_entries_set_aside(tmp_path / "clone", tmp_path / "stash"):
        assert not file.exists()

    assert file.read_text() == "the repository's"


def test_a_worker_that_crashes_while_it_moves_files_loses_none(tmp_path: Path) -> None:
    files = [write(tmp_path / "clone", f"{name}/AGENTS.md", name) for name in "abc"]
    (tmp_path / "stash").mkdir()
    (tmp_path / "stash" / "paths.json").write_text('["a/AGENTS.md", "b/AGENTS.md", "c/AGENTS.md"]')
    files[0].rename(tmp_path / "stash" / "0")

    with unsafe_entries_set_aside(tmp_path / "clone", tmp_path / "stash"):
        assert not any(file.exists() for file in files)

    assert [file.read_text() for file in files] == ["a", "b", "c"]


def test_a_link_with_the_name_of_an_agents_folder_is_moved_and_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", "kept.md")
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / ".claude").symlink_to(outside.parent)

    with unsafe_entries_set_aside(tmp_path / "clone", tmp_path / "stash"):
        assert not (tmp_path / "clone" / ".claude").is_symlink()

    assert (tmp_path / "clone" / ".claude").readlink() == outside.parent
    assert outside.exists()


# ---- links and names ---------------------------------------------------------------------------

LEAVING = {
    "an absolute link": {"x": "/etc/passwd"},
    "an absolute link to the clone itself": {"x": "{clone}/app/share.py"},
    "a link to the root": {"x": "/"},
    "a link upwards": {"x": "../outside"},
    "a link to the folder above, with a slash": {"app/x": "../../"},
    "a link out and in again": {"x": "../clone/app/share.py"},
    "a link to the processes": {"x": "/proc/self/environ"},
    "the second of two links that leave only together": {"a/b/d": "../..", "a/b/e": "d/../../../outside"},
    "a chain of three": {"x": "y", "y": "z", "z": "../outside"},
    "a link through a folder that is a link": {"up": "..", "x": "up/outside"},
    "a link with many dots": {"x": "app/.././app/../../outside"},
    "a link into the git folder": {"x": ".git/config"},
    "a link through the git folder": {"x": ".git/../app/share.py"},
    "a link to the git folder by another": {"dot": ".", "x": "dot/.git"},
    "a link to itself": {"x": "x"},
    "two links in a circle": {"x": "y", "y": "x"},
    "a link that leads nowhere": {"x": "missing"},
    "a link that would leave once a folder exists": {"x": "missing/../../outside"},
    "a link through a file": {"x": "app/share.py/../../.."},
    "a link to a file that is set aside": {"x": "AGENTS.md"},
    "a link below a folder that is set aside": {"x": ".claude/settings.json"},
    "a link of forty others": {f"l{n}": f"l{n + 1}" for n in range(50)} | {"l50": "app"},
    "a link with a control character in its text": {"x": "\x1b[2J"},
    "a link that is not text": {"x": "\udcff"},
}
"""Links by their path. The last one leaves the clone, or leads to no file that the agent may see."""


def read_links(clone: Path) -> dict[str, str]:
    return {str(path.relative_to(clone)): link_text(path) for path in clone.rglob("*") if path.is_symlink()}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone beside a file that is none of the agent's business."""
    folder = tmp_path / "clone"
    for path in (".git/config", "app/share.py", "AGENTS.md", ".claude/settings.json", "a/b/file"):
        write(folder, path)
    (tmp_path / "outside").write_text("outside")
    return folder


@pytest.mark.parametrize("kind", LEAVING)
def test_a_link_that_leaves_the_clone_is_absent_during_the_run_and_unchanged_afterwards(
    clone: Path, kind: str
) -> None:
    links = {path: text.replace("{clone}", str(clone)) for path, text in LEAVING[kind].items()}
    for path, text in links.items():
        (clone / path).symlink_to(text)

    with unsafe_entries_set_aside(clone, clone.parent / "stash"):
        remaining = read_links(clone)
        assert not any(leads_outside(clone, path) for path in remaining)
        assert list(links)[-1] not in remaining or kind == "a link of forty others"

    assert read_links(clone) == links


def leads_outside(clone: Path, path: str) -> bool:
    """The kernel's own answer: where an opened link is, by /proc."""
    try:
        descriptor = os.open(clone / path, os.O_PATH)
    except OSError:
        return True
    reached = Path(f"/proc/self/fd/{descriptor}").readlink()
    os.close(descriptor)
    return not reached.is_relative_to(clone) or reached.is_relative_to(clone / ".git")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("x", "app/share.py"), ("app/x", "../a"), ("x", "app/"), ("x", "app/../a/./b/"), ("a/b/up", "../.."),
        ("a/x", "../app/share.py"), ("x", "."),
    ],
)  # fmt: skip
def test_a_link_inside_the_clone_stays_during_the_run(clone: Path, path: str, text: str) -> None:
    (clone / path).symlink_to(text)

    with unsafe_entries_set_aside(clone, clone.parent / "stash"):
        assert link_text(clone / path) == text


@pytest.mark.parametrize(
    "name", ["a\nb", "a\x1b[2Jb", "a\x7fb", "a\u202eb", "a\u200bb", "\udcff.py", "a\u2028b", ".g\u200cit"]
)
def test_a_name_that_nobody_can_read_is_absent_during_the_run_and_back_afterwards(
    clone: Path, name: str
) -> None:
    folder, file = clone / f"{name}-folder", clone / "app" / name
    folder.mkdir()
    (folder / "file").write_text("inside")
    file.write_text("of the repository")

    with unsafe_entries_set_aside(clone, clone.parent / "stash"):
        assert not folder.exists()
        assert not file.exists()

    assert (folder / "file").read_text() == "inside"
    assert file.read_text() == "of the repository"


UNSTORABLE: dict[str, Callable[[Path], object]] = {
    "a pipe": lambda clone: os.mkfifo(clone / "x"),
    "a socket": lambda clone: os.mknod(clone / "x", stat.S_IFSOCK | 0o600),
    "a hard link": lambda clone: (clone / "x").hardlink_to(clone.parent / "outside"),
    "a git file in a folder": lambda clone: (clone / "app" / ".git").write_text("gitdir: /etc"),
    "a git folder in another case": lambda clone: (clone / "app" / ".GIT").mkdir(),
    "folders without end": lambda clone: (clone / "/".join("d" * 80)).mkdir(parents=True),
}


@pytest.mark.parametrize("kind", UNSTORABLE)
def test_what_git_cannot_store_is_refused_before_the_run(clone: Path, kind: str) -> None:
    UNSTORABLE[kind](clone)

    with pytest.raises(Refused), unsafe_entries_set_aside(clone, clone.parent / "stash"):
        pytest.fail("the agent started")

    assert (clone / "AGENTS.md").exists()


def test_a_link_that_the_agent_put_in_place_of_a_folder_is_not_followed(clone: Path) -> None:
    outside = clone.parent / "elsewhere"
    outside.mkdir()
    write(clone, "b/AGENTS.md", "the repository's")

    with unsafe_entries_set_aside(clone, clone.parent / "stash"):
        (clone / "b").rmdir()
        (clone / "b").symlink_to(outside)

    assert (clone / "b" / "AGENTS.md").read_text() == "the repository's"
    assert list(outside.iterdir()) == []
