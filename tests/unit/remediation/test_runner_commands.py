"""The hint about test files in the prompt of the writing agent."""

from __future__ import annotations

from pathlib import Path

from tests.support.files import write_files
from workers.remediation.runner_commands import runner_hint


def test_the_hint_for_the_writer_names_the_runner(tmp_path: Path) -> None:
    assert "unittest" in runner_hint(write_files(tmp_path / "py", {"app.py": ""}), "")
    assert "node --test <path>" in runner_hint(write_files(tmp_path / "js", {"package.json": "{}"}), "")
    assert "-m pytest" in runner_hint(write_files(tmp_path / "pt", {"pytest.ini": ""}), "")
