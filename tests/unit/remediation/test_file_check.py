"""A path of a plan names a file only if it leads to one inside the clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.remediation.attempt import _file_check


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "app.py").write_text("x")
    (clone / "loop").symlink_to("loop")
    (clone / "out").symlink_to("/etc")
    (clone / "same").symlink_to("app.py")
    return clone


@pytest.mark.parametrize("path", ["app.py", "same"])
def test_a_file_inside_the_clone_exists(clone: Path, path: str) -> None:
    assert _file_check(clone)(path)


@pytest.mark.parametrize("path", ["loop", "loop/x", "out/passwd", "../clone", "a\0b", "x" * 300, "none"])
def test_every_other_path_names_no_file(clone: Path, path: str) -> None:
    assert not _file_check(clone)(path)
