"""The settings that decide how messages look: local time, links, buttons, and who may be mentioned. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from workers.clients.slack_text import is_link
from workers.models import Incident
from workers.models.links import incident_path, rollback_path
from workers.runtime.local_clock import LocalClock
from workers.runtime.private_hosts import is_private_host
from workers.runtime.settings import Settings

RAILWAY_DASHBOARD = "https://railway.com"


@dataclass(frozen=True)
class Presentation:
    """How messages look.

    Args:
        page_url: the receiver's public address; "" if telephones cannot reach it.
        github_url: GitHub's address, for links to commits.
        has_buttons: Slack sends us the buttons that people press. Without it each button is a link to the page.
        has_modals: the bot may open a modal, for which it needs a token besides.
        users: id of a Slack user by the name or login of a commit's author.
        remind_minutes: after which an acknowledged critical incident is posted again.
        mode: TRACKWALKER_MODE.
    """

    clock: LocalClock = field(default_factory=LocalClock)
    page_url: str = ""
    github_url: str = "https://github.com"
    has_buttons: bool = False
    has_modals: bool = False
    users: Mapping[str, str] = field(default_factory=dict)
    remind_minutes: float = 60.0
    mode: str = "full"

    def incident_url(self, incident_id: str) -> str:
        """The incident's page; "" if there is none that a telephone can open."""
        return self._page(incident_path(incident_id))

    def rollback_url(self, incident_id: str) -> str:
        """The page that asks for confirmation of a rollback; "" likewise."""
        return self._page(rollback_path(incident_id))

    def _page(self, path: str) -> str:
        address = self.page_url + quote(path) if self.page_url else ""
        return address if is_link(address) else ""


def presentation(settings: Settings) -> Presentation:
    """The presentation that the settings call for."""
    is_signed = bool(settings.slack_signing_secrets)
    return Presentation(
        clock=LocalClock(settings.timezone),
        page_url=public_url(settings),
        github_url=settings.github_server_url,
        has_buttons=is_signed,
        has_modals=is_signed and bool(settings.slack_bot_token),
        users=settings.slack_users,
        remind_minutes=settings.remind_minutes,
        mode=settings.mode,
    )


def public_url(settings: Settings) -> str:
    """The receiver's address, "" if it is one of this machine or of a private network."""
    host = urlsplit(settings.url).hostname or ""
    return "" if is_private_host(host) else settings.url


def railway_url(incident: Incident) -> str:
    """The incident's service in Railway's dashboard, "" for an incident that is about no service."""
    if incident.subject.kind != "service":
        return ""
    service = f"/project/{quote(incident.project_id)}/service/{quote(incident.subject.key)}"
    return f"{RAILWAY_DASHBOARD}{service}?environmentId={quote(incident.environment_id)}"
