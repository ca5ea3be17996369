"""Links, modes, binaries, renames and copies in real patches of git."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fakes.githttp import git
from workers.models import Category
from workers.remediation.patch_policy import PolicyResult, check_patch

Change = Callable[[Path], None]


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., PolicyResult]:
    """Judges the patch that a function makes."""

    def check_change(change: Change, *options: str) -> PolicyResult:
        before, after = tmp_path / "before", tmp_path / "after"
        for tree in (before, after):
            (tree / "app").mkdir(parents=True)
            (tree / "app" / "main.py").write_text("".join(f"A{number} = {number}\n" for number in range(30)))
            (tree / "link.cfg").symlink_to("app/main.py")
        git(after, "init", "-q")
        git(after, "add", "-A")
        git(after, "commit", "-q", "-m", "before")
        change(after)
        git(after, "add", "-A", "-f")
        patch = git(after, "diff", "--cached", "--binary", "--full-index", *(options or ("--no-renames",)))
        arguments = {"root": "", "culprit": "app/main.py", "reproduction": None}
        return check_patch(f"{patch}\n", before, after, category=Category.CODE, **arguments)  # type: ignore[arg-type]

    return check_change


def new_link(tree: Path) -> None:
    (tree / "app" / "more.py").symlink_to("/etc/passwd")


def other_target(tree: Path) -> None:
    (tree / "link.cfg").unlink()
    (tree / "link.cfg").symlink_to("../../etc/passwd")


def file_to_link(tree: Path) -> None:
    (tree / "app" / "main.py").unlink()
    (tree / "app" / "main.py").symlink_to("../link.cfg")


def link_to_file(tree: Path) -> None:
    (tree / "link.cfg").unlink()
    (tree / "link.cfg").write_text("x = 1\n")


def executable(tree: Path) -> None:
    (tree / "app" / "main.py").chmod(0o755)


def new_executable(tree: Path) -> None:
    (tree / "app" / "more.py").write_text("x = 1\n")
    (tree / "app" / "more.py").chmod(0o755)


def binary(tree: Path) -> None:
    (tree / "app" / "more.py").write_bytes(bytes(range(256)))


def submodule(tree: Path) -> None:
    (tree / "app" / "lib").mkdir()
    git(tree / "app" / "lib", "init", "-q")
    git(tree / "app" / "lib", "commit", "-q", "--allow-empty", "-m", "x")


def renamed(tree: Path) -> None:
    (tree / "app" / "main.py").rename(tree / "app" / "other.py")


def copied(tree: Path) -> None:
    (tree / "sitecustomize.py").write_text((tree / "app" / "main.py").read_text())


@pytest.mark.parametrize(
    "change",
    [
        new_link,
        other_target,
        file_to_link,
        link_to_file,
        executable,
        new_executable,
        binary,
        submodule,
        renamed,
        copied,
    ],
)
def test_a_change_of_what_a_file_is_is_refused(check: Callable[..., PolicyResult], change: Change) -> None:
    assert check(change).refusals


@pytest.mark.parametrize("change", [renamed, copied])
def test_both_sides_of_renames_and_copies_are_judged(
    check: Callable[..., PolicyResult], change: Change
) -> None:
    result = check(change, "-M", "-C", "--find-copies-harder")

    assert result.refusals


def test_a_patch_whose_hunks_swallow_a_header_is_refused(tmp_path: Path) -> None:
    patch = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,9 +1,9 @@\n-x\n+y\ndiff --git a/.env b/.env\n"
    (tmp_path / "a.py").write_text("x\n")

    result = check_patch(
        patch, tmp_path, tmp_path, category=Category.CODE, root="", culprit=None, reproduction=None
    )

    assert "malformed" in result.refusals[0]
