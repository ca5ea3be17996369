"""Replies to a person who pressed a button, through the address that Slack sent with the press.

The address comes from outside. Slack signs it, and we still send to Slack's own hosts only: a stolen signing secret
must not turn the receiver into a tool that reaches other hosts.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

import httpx

from workers.clients import deadline
from workers.clients.slack_text import escape
from workers.errors import SlackBusy, SlackRefused

SLACK_HOST = (
    "hooks.slack.com"  # of every response_url: https://docs.slack.dev/interactivity/handling-user-interaction
)
TIMEOUT = httpx.Timeout(3.0)  # seconds for connecting and for reading
TOTAL_SECONDS = 6.0  # of one reply
MAX_ADDRESS = 2000  # characters
MAX_REPLY = 2900  # characters of a reply before it is escaped


def is_slack_address(address: str, api_url: str) -> bool:
    """True for an address at Slack: https at hooks.slack.com, or the configured address of the Web API.

    Args:
        api_url: SLACK_API_URL. A stand-in of Slack is reached by its scheme, host and port.
    """
    if not 0 < len(address) <= MAX_ADDRESS or not address.isascii() or not address.isprintable():
        return False
    # Browsers and libraries disagree about these: the host that is checked must be the host that is called.
    if any(character in address for character in " \\@#\"'<>"):
        return False
    try:
        parts, api = urlsplit(address), urlsplit(api_url)
        return _origin(parts) in (("https", SLACK_HOST, 443), _origin(api))
    except ValueError:
        return False


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    default = 443 if parts.scheme == "https" else 80
    return (parts.scheme, parts.hostname or "", parts.port or default)


def reply(address: str, text: str, api_url: str) -> None:
    """Show a text to the person who pressed the button, and to nobody else.

    Args:
        address: the `response_url` of the press.
        text: untrusted text; it is escaped here.

    Raises:
        SlackRefused: the address is not Slack's, or Slack refuses the reply.
        SlackBusy: Slack cannot be reached.
    """
    if not is_slack_address(address, api_url):
        raise SlackRefused("the address for the reply is not Slack's")
    lines = "\n".join(escape(line) for line in text[:MAX_REPLY].splitlines())
    body = {"response_type": "ephemeral", "replace_original": False, "text": lines}
    try:
        with deadline.client() as http, deadline.within(TOTAL_SECONDS):
            response = http.post(address, json=body, timeout=TIMEOUT, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SlackBusy(f"Slack cannot be reached ({type(error).__name__})") from None
    if not response.is_success:
        raise SlackRefused(f"Slack answered {response.status_code} to a reply")
