"""Requirement files that name an index of the worker's own settings are installed through the registry proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.gateway.registry_settings import Registry, RegistrySettings
from workers.remediation.requirement_files import drop_configured_indexes

SETTINGS = RegistrySettings(
    indexes=(Registry("https://index.example/simple"), Registry("https://other.example/team/simple")),
    links=(Registry("https://links.example/page.html"),),
)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("--index-url https://index.example/simple", False),
        ("-i https://INDEX.example/simple/  # made by a tool", False),
        ("--extra-index-url=https://me:pw@other.example/team/simple", False),
        ("-f https://links.example/page.html", False),
        ("--index-url https://evil.example/simple", True),
        ("--index-url https://index.example/other", True),
        ("--index-url http://index.example/simple", True),
        ("six==1.0 --hash=sha256:00 # --index-url https://index.example/simple", True),
        ("--require-hashes", True),
    ],
)
def test_only_lines_that_name_a_configured_index_are_dropped(tmp_path: Path, line: str, kept: bool) -> None:
    (tmp_path / "requirements.txt").write_text(f"{line}\nsix\n")

    drop_configured_indexes(tmp_path, ["requirements.txt"], SETTINGS)

    assert (tmp_path / "requirements.txt").read_text() == (f"{line}\nsix\n" if kept else "six\n")


def test_included_files_count_and_nothing_outside_is_touched(tmp_path: Path) -> None:
    line, folder = "--index-url https://index.example/simple\n", tmp_path / "service"
    (folder / "deps").mkdir(parents=True)
    (folder / "requirements.txt").write_text("-r deps/base.txt\n-r ../outside.txt\n-r requirements.txt\n")
    (folder / "deps" / "base.txt").write_text(line)
    (tmp_path / "outside.txt").write_text(line)
    (folder / "link.txt").symlink_to("../outside.txt")
    (folder / "alias.txt").symlink_to("deps/base.txt")

    drop_configured_indexes(folder, ["alias.txt", "requirements.txt", "link.txt", "no such file"], SETTINGS)

    assert (folder / "deps" / "base.txt").read_text() == "\n"
    assert (tmp_path / "outside.txt").read_text() == line
