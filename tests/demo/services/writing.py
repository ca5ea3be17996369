"""Writes a drawn service as a git repository: a healthy first commit, a second one that brings the bug."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.demo.services.drawing import Sickness

TEMPLATES = Path(__file__).parent / "templates"
AT_THE_TOP = ".trackwalker.toml"
"""Counts only at the top of a repository, wherever the service stands."""
AUTHOR = ("Robin Weaver", "robin@example.com")


@dataclass(frozen=True)
class Commits:
    """A repository and its two commits."""

    folder: Path
    healthy: str
    sick: str


def write(sickness: Sickness, folder: Path, *, now: datetime | None = None) -> Commits:
    """Makes the repository, with the service under its root in it; committed 3 days and an hour before `now`."""
    now = now or datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    if sickness.language == "python":
        _fill(sickness, TEMPLATES / "python", folder)
    healthy = _commit(sickness, "healthy", folder, sickness.messages[0], now - timedelta(days=3))
    sick = _commit(sickness, "sick", folder, sickness.messages[1], now - timedelta(hours=1))
    return Commits(folder, healthy, sick)


def git(folder: Path, *arguments: str, when: datetime | None = None) -> str:
    """What git prints, without this machine's configuration."""
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
    done = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def _commit(sickness: Sickness, state: str, folder: Path, message: str, when: datetime) -> str:
    _fill(sickness, TEMPLATES / sickness.template / state, folder)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message, when=when)
    return git(folder, "rev-parse", "HEAD")


def _fill(sickness: Sickness, templates: Path, folder: Path) -> None:
    for template in sorted(templates.rglob("*.tmpl")):
        name = _worded(str(template.relative_to(templates)).removesuffix(".tmpl"), sickness)
        target = folder / name if name == AT_THE_TOP else folder / sickness.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_worded(template.read_text(), sickness))


def _worded(text: str, sickness: Sickness) -> str:
    for word, value in sickness.words.items():
        text = text.replace("{{" + word + "}}", value)
    return text
