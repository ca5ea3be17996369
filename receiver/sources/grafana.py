"""Grafana's webhook → Alerts: that of Grafana Alerting, and that of the legacy alerts before Grafana 9.

The bodies are those of
https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
and of https://grafana.com/docs/grafana/v8.5/alerting/old-alerting/notifications/#webhook.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from receiver import payload
from receiver.payload import InvalidPayload, Parsed, clean_text, get_object
from receiver.sources import service_labels
from receiver.sources.alert_groups import parse_group
from workers.incidents.intake import RESOLVED, DedupWindow
from workers.models import Alert, Ignored

VERSION = "1"  # of the body; Alertmanager's is "4"
LEGACY_DEDUP_SECONDS = (
    3600  # a legacy alert names no start: "Send reminders" repeats it, hourly at most by default
)
LEGACY_PROBLEMS = ("alerting", "no_data")
LEGACY_GOOD_STATE = "ok"
LEGACY_OTHER_STATES = ("paused", "pending")
MAX_MATCHES = 10  # of a legacy alert's series that its message names


def parse(body: bytes | Mapping[str, Any], at: datetime, token: str) -> Parsed:
    """The alerts in a webhook of Grafana, or Ignored if nothing in it fires.

    Args:
        at: when the body was received.
        token: makes the alerts' ids unique.

    Raises:
        InvalidPayload: names the field that is missing or has the wrong type.
    """
    event = payload.parse(body)
    if "alerts" not in event and ("ruleName" in event or "ruleId" in event):
        return _parse_legacy(event, at, token)
    # Alertmanager's body has the same fields but this one.
    if event.get("orgId") is None and event.get("version") != VERSION:
        raise InvalidPayload("orgId", "is missing")
    return parse_group(event, "grafana", at, token)


def _parse_legacy(event: Mapping[str, Any], at: datetime, token: str) -> Parsed:
    state = event.get("state")
    if not isinstance(state, str) or not state:
        raise InvalidPayload("state", "is missing" if state is None else "must be a non-empty string")
    if state.lower() in LEGACY_OTHER_STATES:
        return Ignored(reason=f"state {clean_text(state, 40)} reports no problem")
    if state.lower() == LEGACY_GOOD_STATE:
        return Ignored(
            reason="state ok reports no problem", good_news=_legacy_alert(event, at, token, RESOLVED)
        )
    if state.lower() not in LEGACY_PROBLEMS:
        raise InvalidPayload("state", "must be alerting, no_data, ok, paused or pending")
    rule = clean_text(event.get("ruleId"), 40) or clean_text(event.get("ruleName"), 200)
    key = sha256(f"{rule}\n{state.lower()}\n{clean_text(event.get('message'))}".encode()).hexdigest()
    dedup = DedupWindow(keys=(f"grafana:{key}",), seconds=LEGACY_DEDUP_SECONDS)
    return ((_legacy_alert(event, at, token, "firing"), dedup),)


def _legacy_alert(event: Mapping[str, Any], at: datetime, token: str, kind: str) -> Alert:
    matches = event.get("evalMatches")
    if not isinstance(matches, list | None):
        raise InvalidPayload("evalMatches", "must be a list")
    # Older versions send the tags as a list; labels of the series are tags of its match.
    tags = event.get("tags") if isinstance(event.get("tags"), dict) else {}
    series = [match for match in matches or [] if isinstance(match, dict)]
    labels: dict[str, Any] = {}
    for match in series:
        labels |= get_object(match, "tags", "evalMatches.")
    labels |= tags or {}
    title = clean_text(event.get("title"), 300) or clean_text(event.get("ruleName"), 300)
    values = [f"{clean_text(match.get('metric'), 200)}: {clean_text(match.get('value'))}" for match in series]
    lines = [title, clean_text(event.get("message"), 1000), *values[:MAX_MATCHES]]
    lines.append(clean_text(event.get("ruleUrl"), 500))
    alert = Alert(
        id=payload.alert_id(at, token),
        source="grafana",
        kind=kind,
        received_at=at,
        names=service_labels.names_of(labels),
        message=payload.redacted_message("\n".join(line for line in lines if line)),
    )
    return alert.model_copy(update=service_labels.ids_of(labels))
