"""The state of `init`: the settings that are known so far, and what was tried and written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workers import doctor
from workers.cli.console import Console
from workers.doctor import report_lines
from workers.doctor.setting_checks import PresentSettings, read_present
from workers.models.check_results import CheckResult, CheckStatus
from workers.runtime.dotenv_writer import update_dotenv
from workers.runtime.environment import DOTENV, project_folder

Changes = dict[str, str | None]
"""Variables and their new values; None takes a variable away."""


@dataclass
class Session:
    """One run of `init`.

    Args:
        environ: the environment of the process, with the values of the command line.
        home: the folder of `.env`.
    """

    console: Console
    environ: dict[str, str]
    home: Path
    accepted: Changes = field(default_factory=dict)
    """The values that were written, or stood in `.env` already and were tried."""
    refused: list[str] = field(default_factory=list)
    """The areas that do not work."""
    skipped: list[str] = field(default_factory=list)
    """The areas for which nothing is set."""
    answers: int = 0
    """The number of questions that a person has answered with a value."""

    @property
    def path(self) -> Path:
        """The `.env` that is written."""
        return self.home / DOTENV

    @property
    def present(self) -> PresentSettings:
        """The settings as they would be read now."""
        return self.with_changes({})

    def value(self, name: str) -> str:
        """The present value of a variable, "" if it is not set."""
        return self.present.environ.get(name, "")

    def with_changes(self, changes: Changes) -> PresentSettings:
        """The settings as they would be with these changes. A variable that is set to nothing hides that of `.env`."""
        changed = {name: value or "" for name, value in changes.items()}
        return read_present(self.environ | changed, self.home)

    def check(self, area: str, changes: Changes) -> tuple[CheckResult, ...]:
        """The results of an area's check with these changes, shown to the person."""
        present = self.with_changes(changes)
        malformed = [
            CheckResult(area=area, status=CheckStatus.ERROR, what=f"{name} {reason}")
            for name, reason in present.malformed
            if name in changes
        ]
        results = tuple(malformed) or doctor.examine(present, areas={area.lower()}).results
        self.show(results)
        return results

    def show(self, results: tuple[CheckResult, ...]) -> None:
        """Print results as `doctor` does."""
        lines = report_lines.render_results(results)
        self.console.show(lines, report_lines.colour if self.console.is_interactive else None)

    def accept(self, changes: Changes) -> None:
        """Write the changes to `.env`, and note variables of the environment that would win over them."""
        update_dotenv(self.path, changes)
        self.accepted |= changes
        for name, value in changes.items():
            shadowed = os.environ.get(name)
            if shadowed and shadowed != value:
                self.console.show(
                    [f"{name} is also set in the environment, which wins over .env: unset it there"]
                )
            self.environ[name] = value or ""


def start(console: Console, command_line: Mapping[str, str]) -> Session:
    """A session with the values of the environment and of the command line.

    Args:
        command_line: variables of the command line; they win.
    """
    return Session(console, dict(os.environ) | dict(command_line), project_folder())


def has_errors(results: tuple[CheckResult, ...]) -> bool:
    """True if something does not work; a warning is no error."""
    return any(result.status is CheckStatus.ERROR for result in results)
