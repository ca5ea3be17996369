"""The command that runs a test file or a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.files import write_files
from workers.remediation.project import Project
from workers.remediation.runner_commands import reproduction_command, runner_hint


@pytest.mark.parametrize(
    ("path", "kind", "node_runner", "command"),
    [
        ("tests/test_a.py", "test", "", ("python3", "-m", "unittest", "tests/test_a.py")),
        (
            "my-tests/test_a.py",
            "test",
            "",
            ("python3", "-m", "unittest", "discover", "-s", "my-tests", "-p", "test_a.py"),
        ),
        ("a.test.js", "test", "", ("node", "--test", "a.test.js")),
        ("a.test.ts", "test", "vitest", ("npx", "--no-install", "vitest", "run", "a.test.ts")),
        ("a.test.js", "test", "jest", ("npx", "--no-install", "jest", "a.test.js")),
        ("repro.py", "script", "", ("python3", "repro.py")),
        ("repro.mjs", "script", "", ("node", "repro.mjs")),
        ("a_test.go", "test", "", None),
        ("repro.sh", "script", "", None),
    ],
)
def test_the_host_chooses_the_command_for_a_file(
    tmp_path: Path, path: str, kind: str, node_runner: str, command: tuple[str, ...] | None
) -> None:
    assert reproduction_command(Project(node_runner=node_runner), tmp_path, path, kind) == command


def test_the_repository_can_name_the_command_for_a_test_file(tmp_path: Path) -> None:
    project = Project(test_command=("go", "test", "./{path}"))

    assert reproduction_command(project, tmp_path, "a_test.go", "test") == ("go", "test", "./a_test.go")


def test_the_hint_for_the_writer_names_the_runner(tmp_path: Path) -> None:
    assert "unittest" in runner_hint(write_files(tmp_path / "py", {"app.py": ""}), "")
    assert "node --test <path>" in runner_hint(write_files(tmp_path / "js", {"package.json": "{}"}), "")
    assert "-m pytest" in runner_hint(write_files(tmp_path / "pt", {"pytest.ini": ""}), "")
