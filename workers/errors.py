"""Who may try again: `Refused` never, `NotAvailable` later, `Superseded` somebody else already does."""

from __future__ import annotations


class TrackwalkerError(Exception):
    """Whatever we raise on purpose; its text is fit for a person to read and holds no secret."""


class Refused(TrackwalkerError):
    """No sense in trying again: ends the round and is told."""


class NotAvailable(TrackwalkerError):
    """Tried again with backoff; `retry_after` (seconds) is what the other side asked for, if it did."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Newer(NotAvailable):
    """A newer version of ours made this record: its worker goes on with it."""


class Superseded(TrackwalkerError):
    """The claim is not ours any more: stop at once, record nothing, touch nothing outside."""


class OnHold(TrackwalkerError):
    """Paused, muted or not allowed by the mode: the journal waits until `until` (epoch seconds)."""

    def __init__(self, message: str, until: float) -> None:
        super().__init__(message)
        self.until = until


class SettingsError(TrackwalkerError):
    """Settings are missing or malformed. `problems` names all of them: pairs of a setting and what is wrong with it."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        lines = [f"{setting}: {reason}" for setting, reason in problems]
        super().__init__(lines[0] if len(lines) == 1 else "\n  ".join(["invalid settings:", *lines]))
        self.problems = problems


class InvalidWindow(TrackwalkerError):
    """A window that somebody asks about is not of the public format; names the field."""


class RailwayBusy(NotAvailable):
    """Railway is unreachable, asks for patience, or answered 5xx."""


class RailwayRefused(Refused):
    """Railway said no: token, permission, unknown id, or a query it does not know."""


class GitHubBusy(NotAvailable):
    """GitHub (REST or git) is unreachable, asks for patience, or answered 5xx."""


class GitHubRefused(Refused):
    """GitHub said no: token, permission, unknown repository or an invalid request."""


class SlackBusy(NotAvailable):
    """Slack is unreachable, asks for patience, or answered 5xx."""


class SlackRefused(Refused):
    """Slack said no: token, channel, or the message itself."""


class AgentBusy(NotAvailable):
    """The agent or its model cannot be reached or gave up on its own: worth another run later."""


class AgentRefused(Refused):
    """The agent may not run (no wall, no key) or spent what it was allowed to spend."""
