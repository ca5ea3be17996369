"""Names the settings that an installation still needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from workers.runtime.settings import Settings


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
        """True if `trackwalker up` does not start without it."""
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
            "Create one at https://railway.com/account/tokens, or in the project: Settings → Tokens",
        )  # fmt: skip
    elif settings.railway_api_token and not settings.environments:
        yield MissingSetting(
            ("TRACKWALKER_ENVIRONMENTS",), "TRACKWALKER_ENVIRONMENTS", Need.SWEEPS,
            "names the environments to check, because RAILWAY_API_TOKEN can read several",
            "`trackwalker doctor` prints the lines for .env",
        )  # fmt: skip


def _missing_for_repositories(settings: Settings) -> Iterable[MissingSetting]:
    if not (settings.github_token or settings.github_app_id):
        yield MissingSetting(
            ("GITHUB_TOKEN", "GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY"),
            "GITHUB_TOKEN, or GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY", Need.REPOSITORIES,
            "reads code and opens pull requests",
            "Create one at https://github.com/settings/personal-access-tokens that may write both",
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
