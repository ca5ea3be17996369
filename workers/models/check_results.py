"""Results of the checks that `doctor` makes of an installation, and that `up` makes at start."""

from __future__ import annotations

from enum import StrEnum

from workers.models.base import Model, Moment
from workers.models.clean_text import Exact


class CheckStatus(StrEnum):
    """The result of a check for its subject."""

    OK = "ok"
    WARNING = "warning"
    """It works with less than the whole product, or could not be checked now."""
    ERROR = "error"
    """It is configured, or required, and does not work."""
    SKIPPED = "skipped"
    """It is not configured, or another check has to pass first."""


class CheckResult(Model):
    """One finding of a check."""

    area: str
    """The subject of the check in one or two words: `Slack`, `Railway`."""
    status: CheckStatus
    what: str
    """The result for people."""
    repair: str = ""
    """The step that repairs it; "" where nothing has to be done."""
    lines: tuple[Exact, ...] = ()
    """Lines to copy, such as settings with ids. Exact: redaction would take an id for a token."""

    @property
    def sentence(self) -> str:
        """The result on one line: `Slack: the bot is not in it → /invite @trackwalker`."""
        return f"{self.area}: {self.what}" + (f" → {self.repair}" if self.repair else "")


class CheckReport(Model):
    """The results of one run of the checks."""

    results: tuple[CheckResult, ...]
    at: Moment
    seconds: float = 0.0
    watched: tuple[str, ...] = ()
    """The watched environments that could be read: `acme / production`."""

    @property
    def exit_code(self) -> int:
        """0 if everything works, 1 with warnings, 2 with errors."""
        statuses = {result.status for result in self.results}
        return 2 if CheckStatus.ERROR in statuses else 1 if CheckStatus.WARNING in statuses else 0

    @property
    def problems(self) -> tuple[CheckResult, ...]:
        """The errors, then the warnings."""
        order = (CheckStatus.ERROR, CheckStatus.WARNING)
        return tuple(result for status in order for result in self.results if result.status is status)
