"""All settings, validated, from the environment or `.env`; the environment wins.

`read` connects to nothing. `settings_check` names the settings that are missing or misspelt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from workers.errors import SettingsError
from workers.models import Environment
from workers.runtime.environment import variables
from workers.runtime.own_secrets import own_secrets
from workers.runtime.redaction import remember_secrets

WEEK_MINUTES = 10_080  # upper bound of the intervals; a longer one is a typing error


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
    slack_signing_secret: SecretStr | None = Field(None, validation_alias="SLACK_SIGNING_SECRET")
    slack_users: dict[str, str] = Field(default_factory=dict, validation_alias="TRACKWALKER_SLACK_USERS")
    """Slack's user id by the name or login of a commit's author: who may be mentioned."""
    timezone: str = Field("UTC", validation_alias="TRACKWALKER_TIMEZONE")
    """IANA name of the zone in which messages and pages show times."""
    remind_minutes: float = Field(60, gt=0, le=WEEK_MINUTES, validation_alias="TRACKWALKER_REMIND_MINUTES")
    service_map: dict[str, str] = Field(default_factory=dict, validation_alias="TRACKWALKER_SERVICE_MAP")
    """The service, by name or id, for a name that another tool's alerts use."""
    page_password: SecretStr | None = Field(None, validation_alias="TRACKWALKER_PAGE_PASSWORD")
    trusted_user_header: str | None = Field(None, validation_alias="TRACKWALKER_TRUSTED_USER_HEADER")
    """The header in which an authenticating proxy names the user."""
    trusted_proxies: tuple[str, ...] = Field((), validation_alias="TRACKWALKER_TRUSTED_PROXIES")
    """Addresses or networks of that proxy: from any other peer the header is ignored."""
    model: str | None = Field(None, validation_alias="TRACKWALKER_MODEL")
    opencode_config: Path | None = Field(None, validation_alias="OPENCODE_CONFIG")
    agent: Literal["opencode", "opencode-acp", "claude-code", "codex"] = Field(
        "opencode", validation_alias="TRACKWALKER_AGENT"
    )
    opencode_bin: Path | None = Field(None, validation_alias="OPENCODE_BIN")
    claude_code_acp_bin: Path | None = Field(None, validation_alias="CLAUDE_CODE_ACP_BIN")
    codex_acp_bin: Path | None = Field(None, validation_alias="CODEX_ACP_BIN")
    status_pages: dict[str, str] = Field(default_factory=dict, validation_alias="TRACKWALKER_STATUS_PAGES")
    max_concurrent_fixes: int = Field(1, ge=1, le=4, validation_alias="TRACKWALKER_MAX_CONCURRENT_FIXES")
    max_open_prs: int = Field(3, ge=0, validation_alias="TRACKWALKER_MAX_OPEN_PRS")
    max_agent_runs_per_day: int = Field(20, ge=0, validation_alias="TRACKWALKER_MAX_AGENT_RUNS_PER_DAY")
    max_cost_per_incident_usd: float = Field(
        2, gt=0, validation_alias="TRACKWALKER_MAX_COST_PER_INCIDENT_USD"
    )
    max_cost_per_day_usd: float = Field(20, gt=0, validation_alias="TRACKWALKER_MAX_COST_PER_DAY_USD")
    model_price: tuple[float, float] | None = Field(None, validation_alias="TRACKWALKER_MODEL_PRICE")
    """USD per million input and output tokens. It comes before the prices in OPENCODE_CONFIG and the list prices."""
    ack_seconds: float = Field(60, ge=0, le=86_400, validation_alias="TRACKWALKER_ACK_SECONDS")
    log_level: Literal["info", "debug"] = Field("info", validation_alias="TRACKWALKER_LOG_LEVEL")
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

    @field_validator("slack_users", "service_map", mode="before")
    @classmethod
    def _parse_names(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if any(not (name.strip() and target.strip()) for name, _, target in pairs):
            raise ValueError("must be name=value, or several of them separated by commas")
        return {name.strip(): target.strip() for name, _, target in pairs}

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be the IANA name of a time zone, for example Europe/Berlin") from None
        return value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _parse_proxies(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        networks = tuple(part.strip() for part in value.split(",") if part.strip())
        try:
            for network in networks:
                ip_network(network)
        except ValueError:
            raise ValueError("must be IP addresses or networks, separated by commas") from None
        return networks

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
    def slack_signing_secrets(self) -> tuple[str, ...]:
        """The signing secrets of the Slack app; more than one, separated by commas, during a rotation."""
        text = self.slack_signing_secret.get_secret_value() if self.slack_signing_secret else ""
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


def read(environ: Mapping[str, str] | None = None, dotenv: Path | None = None) -> Settings:
    """The settings of the environment and of `.env`. From then on no text of this process shows their secrets.

    Args:
        environ: the environment; None takes that of the process, and the `.env` of the project folder.
        dotenv: the file that is read besides.

    Raises:
        SettingsError: at least one value is malformed; the error names all of them.
    """
    settings, problems = read_valid(variables(environ, dotenv))
    if problems:
        raise SettingsError(*problems)
    return settings


def read_valid(present: Mapping[str, str]) -> tuple[Settings, tuple[tuple[str, str], ...]]:
    """The settings without the malformed ones, and those: pairs of a setting and what is wrong with it.

    Args:
        present: the variables that are set.
    """
    keys = {name: value for name, value in present.items() if name.endswith(("_API_KEY", "_AUTH_TOKEN"))}
    problems: tuple[tuple[str, str], ...] = ()
    try:
        settings = Settings.model_validate({**present, "provider_keys": keys})
    except ValidationError as error:
        # pydantic's error quotes the values, and some of them are secrets.
        problems = tuple((str(item["loc"][0]), _reason(item["msg"])) for item in error.errors())
        malformed = dict(problems)
        valid = {name: value for name, value in present.items() if name not in malformed}
        settings = Settings.model_validate({**valid, "provider_keys": keys})
    remember_secrets(own_secrets(settings, present, settings.opencode_config))
    return settings, problems


def _reason(message: str) -> str:
    """Pydantic's message without the parts that are addressed to a programmer."""
    return (
        message.removeprefix("Value error, ")
        .replace("Input should be", "must be")
        .partition(", unable to")[0]
    )
