"""All settings, validated, from the environment or `.env`; the environment wins.

`read` connects to nothing. `missing` lists the settings that an installation still needs, `unknown_names` the
misspelt ones.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from workers.errors import SettingsError
from workers.models import Environment
from workers.runtime.environment import DATA_DIR, variables

WEEK_MINUTES = 10_080  # upper bound of the intervals; a longer one is a typing error
PREFIX = "TRACKWALKER_"  # of the settings that are ours alone

log = logging.getLogger("trackwalker.settings")


class Settings(BaseModel):
    """All settings, validated. A field is named like its variable, in lower case and without `TRACKWALKER_`."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    redis_url: SecretStr | None = Field(None, validation_alias="REDIS_URL")
    railway_api_token: SecretStr | None = Field(None, validation_alias="RAILWAY_API_TOKEN")
    railway_token: SecretStr | None = Field(None, validation_alias="RAILWAY_TOKEN")
    railway_api_url: str = Field(
        "https://backboard.railway.com/graphql/v2", validation_alias="RAILWAY_API_URL"
    )
    railway_project_id: str | None = Field(None, validation_alias="RAILWAY_PROJECT_ID")
    railway_environment_id: str | None = Field(None, validation_alias="RAILWAY_ENVIRONMENT_ID")
    railway_service_id: str | None = Field(None, validation_alias="RAILWAY_SERVICE_ID")
    railway_public_domain: str | None = Field(None, validation_alias="RAILWAY_PUBLIC_DOMAIN")
    environments_setting: tuple[Environment, ...] = Field((), validation_alias="TRACKWALKER_ENVIRONMENTS")
    secret: SecretStr | None = Field(None, validation_alias="TRACKWALKER_SECRET")
    public_url: str | None = Field(None, validation_alias="TRACKWALKER_PUBLIC_URL")
    port: int = Field(8000, ge=1, le=65535, validation_alias="PORT")
    mode: Literal["shadow", "report", "draft", "full"] = Field("full", validation_alias="TRACKWALKER_MODE")
    window_minutes: float = Field(30, gt=0, le=1440, validation_alias="TRACKWALKER_WINDOW_MINUTES")
    ping_minutes: float = Field(10, gt=0, le=WEEK_MINUTES, validation_alias="TRACKWALKER_PING_MINUTES")
    min_duration_minutes: float = Field(
        4, gt=0, le=WEEK_MINUTES, validation_alias="TRACKWALKER_MIN_DURATION_MINUTES"
    )
    sample_seconds: int = Field(60, ge=1, le=3600, validation_alias="TRACKWALKER_SAMPLE_SECONDS")
    verify_minutes: float = Field(30, gt=0, le=WEEK_MINUTES, validation_alias="TRACKWALKER_VERIFY_MINUTES")
    github_token: SecretStr | None = Field(None, validation_alias="GITHUB_TOKEN")
    github_app_id: str | None = Field(None, validation_alias="GITHUB_APP_ID")
    github_app_private_key: SecretStr | None = Field(None, validation_alias="GITHUB_APP_PRIVATE_KEY")
    github_api_url: str = Field("https://api.github.com", validation_alias="GITHUB_API_URL")
    github_server_url: str = Field("https://github.com", validation_alias="GITHUB_SERVER_URL")
    slack_bot_token: SecretStr | None = Field(None, validation_alias="SLACK_BOT_TOKEN")
    slack_channel: str | None = Field(None, validation_alias="SLACK_CHANNEL")
    slack_webhook_url: SecretStr | None = Field(None, validation_alias="SLACK_WEBHOOK_URL")
    slack_api_url: str = Field("https://slack.com/api/", validation_alias="SLACK_API_URL")
    model: str | None = Field(None, validation_alias="TRACKWALKER_MODEL")
    opencode_config: Path | None = Field(None, validation_alias="OPENCODE_CONFIG")
    opencode_bin: Path | None = Field(None, validation_alias="OPENCODE_BIN")
    status_pages: dict[str, str] = Field(default_factory=dict, validation_alias="TRACKWALKER_STATUS_PAGES")
    max_concurrent_fixes: int = Field(1, ge=1, le=4, validation_alias="TRACKWALKER_MAX_CONCURRENT_FIXES")
    max_open_prs: int = Field(3, ge=0, validation_alias="TRACKWALKER_MAX_OPEN_PRS")
    max_agent_runs_per_day: int = Field(20, ge=0, validation_alias="TRACKWALKER_MAX_AGENT_RUNS_PER_DAY")
    max_cost_per_incident_usd: float = Field(
        2, gt=0, validation_alias="TRACKWALKER_MAX_COST_PER_INCIDENT_USD"
    )
    max_cost_per_day_usd: float = Field(20, gt=0, validation_alias="TRACKWALKER_MAX_COST_PER_DAY_USD")
    model_price: tuple[float, float] | None = Field(None, validation_alias="TRACKWALKER_MODEL_PRICE")
    """USD per million input and output tokens, for a model whose provider names no price."""
    ack_seconds: float = Field(60, ge=0, le=86_400, validation_alias="TRACKWALKER_ACK_SECONDS")
    heartbeat_url: SecretStr | None = Field(None, validation_alias="TRACKWALKER_HEARTBEAT_URL")
    allow_unsandboxed: bool = Field(False, validation_alias="TRACKWALKER_ALLOW_UNSANDBOXED")
    provider_keys: dict[str, SecretStr] = Field(default_factory=dict)
    """The variables that look like the API key of a model provider, by name."""

    @field_validator("environments_setting", mode="before")
    @classmethod
    def _parse_environments(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.strip().split("/") for part in value.split(",") if part.strip()]
        if any(len(pair) != 2 or not all(pair) for pair in pairs):
            raise ValueError("must be project-id/environment-id, or several of them separated by commas")
        return tuple(Environment(project_id=pair[0], environment_id=pair[1]) for pair in pairs)

    @field_validator("status_pages", mode="before")
    @classmethod
    def _parse_pages(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            pages = json.loads(value)
        except ValueError:
            pages = None
        if not isinstance(pages, dict) or not all(isinstance(page, str) for page in pages.values()):
            raise ValueError('must be a JSON object: {"api.host": "https://status.host"}')
        return pages

    @field_validator("model_price", mode="before")
    @classmethod
    def _parse_price(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            price = tuple(float(part) for part in value.split("/"))
        except ValueError:
            price = ()
        if len(price) != 2 or not all(0 <= part < float("inf") for part in price):
            raise ValueError("must be two prices, input/output, for example 3/15")
        return price

    @field_validator("railway_api_url", "github_api_url", "github_server_url", "slack_api_url", "public_url")
    @classmethod
    def _check_plain_address(cls, value: str | None) -> str | None:
        if value is not None:
            _check_address(value, "http", "https")
        return value.rstrip("/") if value else value

    @field_validator("slack_webhook_url", "heartbeat_url")
    @classmethod
    def _check_secret_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check_address(value.get_secret_value(), "http", "https")
        return value

    @field_validator("model")
    @classmethod
    def _check_model(cls, value: str | None) -> str | None:
        if value is not None and not all(value.partition("/")):
            raise ValueError("must be provider/model")
        return value

    @property
    def secrets(self) -> tuple[str, ...]:
        """The webhook secrets; more than one during a rotation."""
        text = self.secret.get_secret_value() if self.secret else ""
        return tuple(part.strip() for part in text.split(",") if part.strip())

    @property
    def url(self) -> str:
        """The public address of the receiver, without a trailing slash."""
        if self.public_url:
            return self.public_url
        domain = self.railway_public_domain
        return f"https://{domain}" if domain else f"http://127.0.0.1:{self.port}"

    @property
    def environments(self) -> tuple[Environment, ...]:
        """The watched environments as the settings name them; empty if the project token names its only one."""
        if self.environments_setting or not (self.railway_project_id and self.railway_environment_id):
            return self.environments_setting
        if self.railway_token:
            return ()
        return (Environment(project_id=self.railway_project_id, environment_id=self.railway_environment_id),)

    @property
    def can_notify(self) -> bool:
        return bool(self.slack_webhook_url or (self.slack_bot_token and self.slack_channel))

    @property
    def can_fix(self) -> bool:
        return bool(
            self.model and (self.github_token or (self.github_app_id and self.github_app_private_key))
        )


def _check_address(value: str, *schemes: str) -> None:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        # Without the value: it may hold a password, and this message reaches logs.
        raise ValueError(f"must be an {' or '.join(schemes)} address")


def read(environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> Settings:
    """The settings of the environment and of `.env`.

    Args:
        environ: the environment; None takes that of the process.
        dotenv: the file that is read besides; None reads no file.

    Raises:
        SettingsError: at least one value is malformed; the error names all of them.
    """
    present = variables(environ, dotenv)
    keys = {name: value for name, value in present.items() if name.endswith(("_API_KEY", "_AUTH_TOKEN"))}
    try:
        return Settings.model_validate(present | {"provider_keys": keys})
    except ValidationError as error:
        # `from None`: pydantic's error quotes the values, and some of them are secrets.
        raise SettingsError(
            *((str(item["loc"][0]), _reason(item["msg"])) for item in error.errors())
        ) from None


def _reason(message: str) -> str:
    """Pydantic's message without the parts that are addressed to a programmer."""
    return (
        message.removeprefix("Value error, ")
        .replace("Input should be", "must be")
        .partition(", unable to")[0]
    )


# ---- settings that are missing or misspelt ---------------------------------------------------


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
