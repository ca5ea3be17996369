"""The error tree. The class of an error decides what follows: `Refused` ends the attempt, `NotAvailable` is retried.

Errors outside the tree are bugs; they count as a crash of the stage.
"""

from __future__ import annotations


class TrackwalkerError(Exception):
    """An error that the product raises on purpose. Its text is written for people and holds no secret."""


class Refused(TrackwalkerError):
    """Trying again would fail in the same way. It ends the attempt and is reported."""


class NotAvailable(TrackwalkerError):
    """A service, or Redis, does not answer now. The stage is retried with backoff.

    Args:
        retry_after: seconds that the service asks to wait; None if it does not say.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Newer(NotAvailable):
    """A worker of a newer version wrote the record. That worker continues the journal."""


class Superseded(TrackwalkerError):
    """The claim is lost: the stage stops at once, records nothing and changes nothing outside."""


class OnHold(TrackwalkerError):
    """Trackwalker is paused, or the service is muted.

    Args:
        until: epoch seconds at which the journal looks again.
    """

    def __init__(self, message: str, until: float) -> None:
        super().__init__(message)
        self.until = until


class SettingsError(TrackwalkerError):
    """Settings are missing or malformed. `problems` names all of them: pairs of a setting and what is wrong with it."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        lines = [f"{setting}: {reason}" for setting, reason in problems]
        super().__init__(lines[0] if len(lines) == 1 else "\n  ".join(["invalid settings:", *lines]))
        self.problems = problems


class InvalidArgument(TrackwalkerError):
    """An argument of a command names something that does not exist or cannot be used."""


class InvalidWindow(TrackwalkerError):
    """A window for `evaluate` does not have the public format; the text names the field."""


class InvalidCase(TrackwalkerError):
    """A case for `diagnose` does not have the public format; the text names the field."""


class RailwayBusy(NotAvailable):
    """Railway is unreachable, limits our rate, or answered 5xx."""


class RailwayRefused(Refused):
    """Railway rejected a request: token, permission, unknown id, or an unknown query."""


class GitHubBusy(NotAvailable):
    """GitHub (REST or git) is unreachable, limits our rate, or answered 5xx."""


class GitHubRefused(Refused):
    """GitHub rejected a request: token, permission, unknown repository, or invalid input.

    Args:
        is_access: True if another token, or another permission of it, would be let in.
    """

    def __init__(self, message: str, *, is_access: bool = False) -> None:
        super().__init__(message)
        self.is_access = is_access


class SlackBusy(NotAvailable):
    """Slack is unreachable, limits our rate, or answered 5xx."""


class SlackRefused(Refused):
    """Slack rejected a request: token, channel, or the message itself."""


class AgentBusy(NotAvailable):
    """The agent or its model is unreachable, or the run broke off: another run may succeed."""


class AgentRefused(Refused):
    """The agent may not run (no sandbox, no key), used up its budget, or gave no usable answer."""
