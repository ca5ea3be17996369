"""The state of an outside service by its public status page, in the format of Atlassian's Statuspage.

The table lists pages that serve `/api/v2/summary.json`; TRACKWALKER_STATUS_PAGES adds others.
https://metastatuspage.com/api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import httpx
from pydantic import ValidationError

from workers.clients import deadline
from workers.models import Model
from workers.runtime.characters import without_half_pairs
from workers.runtime.text import one_line

State = Literal["operational", "degraded", "down", "unknown"]

SUMMARY = "/api/v2/summary.json"
TIMEOUT = httpx.Timeout(5.0)
"""Seconds for connecting and for each read. A slower page counts as unknown and does not hold up the diagnosis."""
TOTAL_SECONDS = 15.0
"""Upper bound of the whole request, redirects included."""
MAX_PAGE_BYTES = 4 * 2**20
"""Size up to which a page is read. A page with hundreds of components stays below one MiB."""
MAX_DESCRIPTION_CHARS = 300
"""Length of the description; it becomes part of one fact."""

PAGES = {
    "airtable.com": "https://status.airtable.com",
    "anthropic.com": "https://status.claude.com",
    "circleci.com": "https://status.circleci.com",
    "cloudflare.com": "https://www.cloudflarestatus.com",
    "datadoghq.com": "https://status.datadoghq.com",
    "digitalocean.com": "https://status.digitalocean.com",
    "digitaloceanspaces.com": "https://status.digitalocean.com",
    "discord.com": "https://discordstatus.com",
    "github.com": "https://www.githubstatus.com",
    "githubusercontent.com": "https://www.githubstatus.com",
    "hubapi.com": "https://status.hubspot.com",
    "intercom.io": "https://www.intercomstatus.com",
    "mailgun.net": "https://status.mailgun.com",
    "mongodb.net": "https://status.mongodb.com",
    "netlify.com": "https://www.netlifystatus.com",
    "npmjs.org": "https://status.npmjs.org",
    "openai.com": "https://status.openai.com",
    "plaid.com": "https://status.plaid.com",
    "pypi.org": "https://status.python.org",
    "r2.cloudflarestorage.com": "https://www.cloudflarestatus.com",
    "segment.io": "https://status.segment.com",
    "sendgrid.com": "https://status.sendgrid.com",
    "sendgrid.net": "https://status.sendgrid.com",
    "sentry.io": "https://status.sentry.io",
    "stripe.com": "https://www.stripestatus.com",
    "supabase.co": "https://status.supabase.com",
    "supabase.com": "https://status.supabase.com",
    "twilio.com": "https://status.twilio.com",
    "upstash.io": "https://status.upstash.com",
    "vercel.com": "https://www.vercel-status.com",
    "zoom.us": "https://status.zoom.us",
}
"""Host or domain → address of its status page. Slack is missing, because its page has another format."""

# Statuspage's indicators, worst component first: https://metastatuspage.com/api#status
STATES: Mapping[str, State] = {
    "none": "operational",
    "minor": "degraded",
    "maintenance": "degraded",
    "major": "down",
    "critical": "down",
}


CLOSED_STATUSES = ("resolved", "postmortem", "completed")
"""Statuses of incidents and maintenances that are over."""
MAX_INCIDENTS = 3
"""Open incidents that the description names."""


class _Overall(Model):
    indicator: str
    description: str = ""


class _Incident(Model):
    name: str
    status: str = ""
    impact: str = "none"


class _Summary(Model):
    status: _Overall
    incidents: tuple[_Incident, ...] = ()


def find_page(host: str, extra: Mapping[str, str]) -> str | None:
    """The address of the status page for a host; None if no page is known.

    The longest matching domain wins.

    Args:
        host: with or without a port.
        extra: pages from the settings; they take precedence over PAGES.
    """
    name = host.lower().rstrip(".")
    for table in (extra, PAGES):
        lowered = {key.lower(): address for key, address in table.items()}
        for candidate in (name, name.partition(":")[0]):
            matches = [key for key in lowered if candidate == key or candidate.endswith(f".{key}")]
            if matches:
                return lowered[max(matches, key=len)].rstrip("/").removesuffix(SUMMARY)
    return None


def fetch_status(host: str, extra: Mapping[str, str], http: httpx.Client | None = None) -> tuple[State, str]:
    """The state of an outside host and the description from its page; ("unknown", reason) if it cannot be read.

    Never raises: a status page that is down must not stop an investigation.

    Args:
        host: with or without a port.
        extra: pages from the settings; they take precedence over PAGES.
        http: HTTP client to use; None creates one for this call.
    """
    page = find_page(host, extra)
    if page is None:
        return "unknown", f"no status page is known for {host}"
    try:
        if http is not None:
            return parse_summary(_fetch(http, page))
        with deadline.client() as client:
            return parse_summary(_fetch(client, page))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return "unknown", f"its status page cannot be reached ({type(error).__name__})"
    except (ValidationError, ValueError):
        return "unknown", "its status page does not answer with a Statuspage summary"


def _fetch(http: httpx.Client, page: str) -> bytes:
    """The content of the summary. Raises httpx.HTTPError, or ValueError if it is larger than MAX_PAGE_BYTES."""
    with (
        deadline.within(TOTAL_SECONDS),
        http.stream("GET", page + SUMMARY, timeout=TIMEOUT, follow_redirects=True) as response,
    ):
        response.raise_for_status()
        content = bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > MAX_PAGE_BYTES:
                raise ValueError("too large")
        return bytes(content)


def parse_summary(content: bytes) -> tuple[State, str]:
    """State and description from a summary. Raises ValidationError for any other content."""
    summary = _Summary.model_validate_json(without_half_pairs(content))
    incidents = [incident for incident in summary.incidents if incident.status not in CLOSED_STATUSES]
    state = STATES.get(summary.status.indicator, "unknown")
    # An open incident counts even if the page marks no component as affected.
    if state == "operational" and any(incident.impact != "none" for incident in incidents):
        state = "degraded"
    named = [f"{incident.name} ({incident.status})" for incident in incidents[:MAX_INCIDENTS]]
    texts = [text for text in (summary.status.description, *named) if text]
    return state, one_line("; ".join(texts), MAX_DESCRIPTION_CHARS)
