"""Recognises whose body this is, so that a body at the wrong endpoint is answered with the right one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from receiver.payload import InvalidPayload, Source, parse

ENDPOINTS: dict[Source, str] = {
    "railway": "/hooks/railway",
    "slack": "/hooks/slack",
    "alertmanager": "/hooks/alertmanager",
    "grafana": "/hooks/grafana",
    "sentry": "/hooks/sentry",
    "ping": "/ping",
}
"""The path of each webhook endpoint."""
TOOL_NAMES: dict[Source, str] = {
    "railway": "a webhook of Railway",
    "slack": "a message for Slack",
    "alertmanager": "a webhook of Alertmanager",
    "grafana": "a webhook of Grafana",
    "sentry": "a webhook of Sentry",
    "ping": "a ping of the clock",
}
DISCORD_HINT = "This looks like a message for Discord. Choose Slack's format in the tool that sends it"


def elsewhere(body: bytes, endpoint: Source) -> Source | None:
    """The source whose body this is, if it is another one than the endpoint's; None if it is not recognised."""
    if body.lstrip()[:8] == b"payload=":  # the form in which older tools send messages to Slack
        return "slack" if endpoint != "slack" else None
    try:
        message = parse(body)
    except InvalidPayload:
        return None
    source = recognise(message)
    return source if source != endpoint else None


def hint(source: Source) -> str:
    """The sentence that names the endpoint for a body."""
    return f"This looks like {TOOL_NAMES[source]}: send it to {ENDPOINTS[source]}"


def is_discord(body: bytes) -> bool:
    """True for a message in the format of Discord's webhooks."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and ("embeds" in message or isinstance(message.get("content"), str))


def recognise(body: Mapping[str, Any]) -> Source | None:
    """The source of a body by the fields that no other source has; None if there is no such field."""
    if _is_grafana(body):
        return "grafana"
    if _is_list(body, "alerts") and ("groupKey" in body or "groupLabels" in body):
        return "alertmanager"
    if _is_sentry(body):
        return "sentry"
    if _is_railway(body):
        return "railway"
    if isinstance(body.get("text"), str) or _is_list(body, "attachments") or _is_list(body, "blocks"):
        return "slack"
    return "ping" if body.keys() == {"at"} else None


def _is_list(body: Mapping[str, Any], name: str) -> bool:
    return isinstance(body.get(name), list)


def _is_grafana(body: Mapping[str, Any]) -> bool:
    is_legacy = "ruleName" in body or ("ruleId" in body and "evalMatches" in body)
    is_group = _is_list(body, "alerts") and ("orgId" in body or body.get("version") == "1")
    return is_legacy or is_group


def _is_sentry(body: Mapping[str, Any]) -> bool:
    is_platform = isinstance(body.get("action"), str) and isinstance(body.get("data"), dict)
    is_plugin = "culprit" in body and "event" in body
    is_service_hook = isinstance(body.get("group"), dict) and isinstance(body.get("event"), dict)
    return is_platform or is_plugin or is_service_hook


def _is_railway(body: Mapping[str, Any]) -> bool:
    sections = ("resource", "details", "project", "environment", "deployment", "service")
    return isinstance(body.get("type"), str) and any(isinstance(body.get(name), dict) for name in sections)
