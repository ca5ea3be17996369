"""Writes a drawn service as a git repository: a healthy first commit, and a second one that brings the bug."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.demo.services.drawing import Fault

TEMPLATES = Path(__file__).parent / "templates"
TOP_LEVEL_FILE = ".trackwalker.toml"  # belongs to the top of the repository, wherever the service is
AUTHOR = ("Robin Weaver", "robin@example.com")


@dataclass(frozen=True)
class Commits:
    """A repository and its two commits."""

    folder: Path
    healthy: str
    faulty: str


def write(fault: Fault, folder: Path, *, now: datetime | None = None) -> Commits:
    """Create the repository.

    Args:
        now: time of the demo; the commits are three days and one hour older. None is the current time.
    """
    now = now or datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    if fault.language == "python":
        _fill(fault, TEMPLATES / "python", folder)
    healthy = _commit(fault, "healthy", folder, fault.messages[0], now - timedelta(days=3))
    faulty = _commit(fault, "faulty", folder, fault.messages[1], now - timedelta(hours=1))
    return Commits(folder, healthy, faulty)


def git(folder: Path, *arguments: str, when: datetime | None = None) -> str:
    """The output of git, run without the configuration of this machine.

    Args:
        when: author and committer date; None is the current time.
    """
    date = (when or datetime.now(UTC)).isoformat()
    name, mail = AUTHOR
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": mail,
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": mail,
        "GIT_COMMITTER_DATE": date,
    }
    command = ["git", *arguments]
    result = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout.strip()


def _commit(fault: Fault, state: str, folder: Path, message: str, when: datetime) -> str:
    _fill(fault, TEMPLATES / fault.template / state, folder)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message, when=when)
    return git(folder, "rev-parse", "HEAD")


def _fill(fault: Fault, templates: Path, folder: Path) -> None:
    for template in sorted(templates.rglob("*.tmpl")):
        name = _fill_in(str(template.relative_to(templates)).removesuffix(".tmpl"), fault)
        target = folder / name if name == TOP_LEVEL_FILE else folder / fault.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_fill_in(template.read_text(), fault))


def _fill_in(text: str, fault: Fault) -> str:
    for word, value in fault.words.items():
        text = text.replace("{{" + word + "}}", value)
    return text
