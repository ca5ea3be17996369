"""Names the settings that an installation still needs, and the variables that look like misspelt settings."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from workers.runtime.environment import DATA_DIR
from workers.runtime.settings import Settings

PREFIX = "TRACKWALKER_"  # of the settings that are ours alone

log = logging.getLogger("trackwalker.settings")


class Need(StrEnum):
    """The part of the product that a missing setting disables."""

    WEBHOOKS = "webhooks"
    SWEEPS = "sweeps"
    REPOSITORIES = "repositories"
    NOTIFICATIONS = "notifications"
    FIXES = "fixes"


REQUIRED_TO_START = frozenset(
    {Need.WEBHOOKS, Need.SWEEPS}
)  # without either of them no alert is ever looked at


@dataclass(frozen=True)
class MissingSetting:
    """A setting that is not set, or a choice of settings of which one must be."""

    names: tuple[str, ...]
    label: str
    """The names as a person reads them: `A or B`, `A and B`."""
    need: Need
    purpose: str
    how: str
    """How to get a value."""

    @property
    def is_required(self) -> bool:
        """True if `python -m workers up` does not start without it."""
        return self.need in REQUIRED_TO_START

    def __str__(self) -> str:
        return f"{self.label}: {self.purpose}. {self.how}"


def missing(settings: Settings) -> list[MissingSetting]:
    """The settings that a complete installation needs and that are not set, the required ones first."""
    return [
        *_missing_for_webhooks(settings),
        *_missing_for_sweeps(settings),
        *_missing_for_repositories(settings),
        *_missing_for_notifications(settings),
        *_missing_for_fixes(settings),
    ]


def _missing_for_webhooks(settings: Settings) -> Iterable[MissingSetting]:
    if not settings.secrets:
        yield MissingSetting(
            ("TRACKWALKER_SECRET",), "TRACKWALKER_SECRET", Need.WEBHOOKS,
            "authenticates webhooks and pings", "`make setup` writes one to .env",
        )  # fmt: skip


def _missing_for_sweeps(settings: Settings) -> Iterable[MissingSetting]:
    if not (settings.railway_api_token or settings.railway_token):
        yield MissingSetting(
            ("RAILWAY_API_TOKEN", "RAILWAY_TOKEN"), "RAILWAY_API_TOKEN or RAILWAY_TOKEN", Need.SWEEPS,
            "reads the environments to check",
            "Create a token in Railway: Account Settings → Tokens, or Project Settings → Tokens",
        )  # fmt: skip
    elif settings.railway_api_token and not settings.environments:
        yield MissingSetting(
            ("TRACKWALKER_ENVIRONMENTS",), "TRACKWALKER_ENVIRONMENTS", Need.SWEEPS,
            "names the environments to check, because RAILWAY_API_TOKEN can read several",
            "Set project-id/environment-id; Railway's address of an environment holds both ids",
        )  # fmt: skip


def _missing_for_repositories(settings: Settings) -> Iterable[MissingSetting]:
    if not (settings.github_token or settings.github_app_id):
        yield MissingSetting(
            ("GITHUB_TOKEN", "GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY"),
            "GITHUB_TOKEN, or GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY", Need.REPOSITORIES,
            "reads code and opens pull requests",
            "Create a token that may write contents and pull requests of the repositories",
        )  # fmt: skip
    if settings.github_app_id and not settings.github_app_private_key:
        yield MissingSetting(
            ("GITHUB_APP_PRIVATE_KEY",), "GITHUB_APP_PRIVATE_KEY", Need.REPOSITORIES,
            "is required with GITHUB_APP_ID", "Generate a key on the settings page of the GitHub app",
        )  # fmt: skip


def _missing_for_notifications(settings: Settings) -> Iterable[MissingSetting]:
    if not settings.can_notify:
        yield MissingSetting(
            ("SLACK_BOT_TOKEN", "SLACK_CHANNEL", "SLACK_WEBHOOK_URL"),
            "SLACK_BOT_TOKEN and SLACK_CHANNEL, or SLACK_WEBHOOK_URL", Need.NOTIFICATIONS,
            "posts incidents to Slack", "Create an app at https://api.slack.com/apps",
        )  # fmt: skip


def _missing_for_fixes(settings: Settings) -> Iterable[MissingSetting]:
    if not settings.model:
        yield MissingSetting(
            ("TRACKWALKER_MODEL",), "TRACKWALKER_MODEL", Need.FIXES,
            "is the model that plans and writes fixes",
            "Set provider/model, for example anthropic/claude-sonnet-4-5",
        )  # fmt: skip
    elif not settings.provider_keys and not settings.opencode_config:
        yield MissingSetting(
            ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENCODE_CONFIG"),
            "ANTHROPIC_API_KEY, OPENAI_API_KEY … or OPENCODE_CONFIG", Need.FIXES,
            "gives access to TRACKWALKER_MODEL", "Create an API key in the console of the model's provider",
        )  # fmt: skip


@dataclass(frozen=True)
class UnknownSetting:
    """A variable that looks like a setting and is none; `closest` is the setting with the most similar name."""

    name: str
    closest: str | None


def unknown_names(names: Iterable[str]) -> list[UnknownSetting]:
    """The names that start with `TRACKWALKER_` and are no setting, in alphabetical order: most likely misspelt."""
    aliases = (str(field.validation_alias) for field in Settings.model_fields.values())
    settings = [DATA_DIR, *(alias for alias in aliases if alias.startswith(PREFIX))]
    unknown = sorted(name for name in names if name.startswith(PREFIX) and name not in settings)
    return [
        UnknownSetting(name, next(iter(get_close_matches(name, settings, n=1)), None)) for name in unknown
    ]


def warn_unknown(names: Iterable[str]) -> None:
    """Log each of these variables that looks like a setting and is none."""
    for unknown in unknown_names(names):
        closest = {"closest": unknown.closest} if unknown.closest else {}
        log.warning("unknown setting ignored", extra={"setting": unknown.name, **closest})
