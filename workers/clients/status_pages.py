"""What an outside service says of itself: its public status page, in the format of Atlassian's Statuspage.

Only pages known to answer `/api/v2/summary.json` are listed; TRACKWALKER_STATUS_PAGES adds others.
https://metastatuspage.com/api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import httpx
from pydantic import ValidationError

from workers.clients import deadline
from workers.models import Model
from workers.runtime.text import one_line

State = Literal["operational", "degraded", "down", "unknown"]

SUMMARY = "/api/v2/summary.json"
TIMEOUT = httpx.Timeout(5.0)
"""Seconds for each part; a page that is slow is not known, and the sweep goes on."""
WHOLE_SECONDS = 15.0
"""For all of it, redirects included, however it trickles."""
MAX_PAGE_BYTES = 4 * 2**20
"""Bytes; a page with hundreds of components stays below one MiB."""
MAX_DESCRIPTION_CHARS = 300

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
"""Host, or the end of one, to the address above the summary. Slack's page has a format of its own: not here."""

STATES: Mapping[str, State] = {
    "none": "operational",
    "minor": "degraded",
    "maintenance": "degraded",
    "major": "down",
    "critical": "down",
}


class _Overall(Model):
    indicator: str
    description: str = ""


class _Trouble(Model):
    name: str
    status: str = ""
    impact: str = "none"


class _Summary(Model):
    status: _Overall
    incidents: tuple[_Trouble, ...] = ()


def find_page(host: str, extra: Mapping[str, str]) -> str | None:
    """The status page that speaks for a host (with or without port), the most particular one, `extra` first."""
    name = host.lower().rstrip(".")
    for table in (extra, PAGES):
        lowered = {key.lower(): address for key, address in table.items()}
        for candidate in (name, name.partition(":")[0]):
            fitting = [key for key in lowered if candidate == key or candidate.endswith(f".{key}")]
            if fitting:
                return lowered[max(fitting, key=len)].rstrip("/").removesuffix(SUMMARY)
    return None


def fetch_status(host: str, extra: Mapping[str, str], http: httpx.Client | None = None) -> tuple[State, str]:
    """The state of an outside host and its page's own words; ("unknown", why) where nothing can be known.

    Never raises: an upstream whose page is away is no reason to stop a sweep.
    """
    page = find_page(host, extra)
    if page is None:
        return "unknown", f"no status page is known for {host}"
    try:
        if http is not None:
            return parse_summary(_fetch(http, page))
        with deadline.client() as once:
            return parse_summary(_fetch(once, page))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return "unknown", f"its status page cannot be reached ({type(error).__name__})"
    except (ValidationError, ValueError):
        return "unknown", "its status page answers something else than a Statuspage summary"


def _fetch(http: httpx.Client, page: str) -> bytes:
    """The summary's bytes. Raises httpx.HTTPError, and ValueError where it is far too large."""
    with (
        deadline.within(WHOLE_SECONDS),
        http.stream("GET", page + SUMMARY, timeout=TIMEOUT, follow_redirects=True) as answer,
    ):
        answer.raise_for_status()
        content = bytearray()
        for chunk in answer.iter_bytes():
            content += chunk
            if len(content) > MAX_PAGE_BYTES:
                raise ValueError("too large")
        return bytes(content)


def parse_summary(content: bytes) -> tuple[State, str]:
    """A summary as state and words. Raises ValidationError when it is none."""
    summary = _Summary.model_validate_json(content)
    troubles = [one for one in summary.incidents if one.status not in ("resolved", "postmortem", "completed")]
    state = STATES.get(summary.status.indicator, "unknown")
    if state == "operational" and any(one.impact != "none" for one in troubles):
        state = "degraded"
    words = [summary.status.description, *(f"{one.name} ({one.status})" for one in troubles[:3])]
    return state, one_line("; ".join(word for word in words if word), MAX_DESCRIPTION_CHARS)
