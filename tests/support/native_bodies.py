"""Webhooks of other tools in their own format. The layouts are the tools'; names and figures are invented."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from receiver.payload import Source
from tests.support.webhooks import CRASHED_WEBHOOK

STARTED = "2026-11-23T03:01:00.000Z"
NEVER = "0001-01-01T00:00:00Z"


def alert(name: str = "HighErrorRate", status: str = "firing", **labels: str) -> dict[str, Any]:
    """One alert of a group, as Alertmanager and Grafana send it. Equal labels have the same fingerprint."""
    own = {"alertname": name, "severity": "critical", **labels}
    return {
        "status": status,
        "labels": own,
        "annotations": {"summary": f"{name}: 94 % of requests fail"},
        "startsAt": STARTED,
        "endsAt": NEVER if status == "firing" else "2026-11-23T03:31:00.000Z",
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up",
        "fingerprint": hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16],
    }


def alertmanager(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A webhook of Alertmanager; without alerts it holds one that fires for the service `ledger`."""
    items = list(alerts) or [alert(service="ledger")]
    is_firing = any(item["status"] == "firing" for item in items)
    return {
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "truncatedAlerts": 0,
        "status": "firing" if is_firing else "resolved",
        "receiver": "trackwalker",
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "alerts": items,
    } | changes


def grafana(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A webhook of Grafana Alerting; without alerts it holds one that fires for the service `ledger`."""
    extra = {
        "dashboardURL": "",
        "panelURL": "",
        "silenceURL": "https://grafana.example/s",
        "values": {"B": 4.2},
    }
    body = alertmanager(*alerts)
    own = {
        "version": "1",
        "orgId": 1,
        "title": "[FIRING:1] HighErrorRate",
        "state": "alerting",
        "message": "x",
    }
    return body | own | {"alerts": [item | extra for item in body["alerts"]]} | changes


def grafana_legacy(state: str = "alerting", **changes: Any) -> dict[str, Any]:
    """A webhook of Grafana's alerts before version 9."""
    return {
        "dashboardId": 1,
        "evalMatches": [{"value": 4.2, "metric": "p95", "tags": {"service": "ledger"}}],
        "message": "p95 is high",
        "orgId": 1,
        "panelId": 2,
        "ruleId": 7,
        "ruleName": "ledger latency",
        "ruleUrl": "https://grafana.example/d/9",
        "state": state,
        "tags": {},
        "title": f"[{state.title()}] ledger latency",
    } | changes


def sentry_event(**changes: Any) -> dict[str, Any]:
    """Sentry's webhook of an issue alert rule."""
    event = {
        "event_id": "e4874d664c3540c1a32eab185f12c5ab",
        "issue_id": "1170820242",
        "title": "KeyError: 'gift'",
        "culprit": "shop.pricing in total",
        "level": "error",
        "datetime": "2026-11-23T03:03:58.000000Z",
        "metadata": {"type": "KeyError", "value": "'gift'"},
        "tags": [["environment", "production"], ["service", "ledger"]],
        "url": "https://sentry.example/api/0/projects/acme/shop-backend/events/e487/",
        "web_url": "https://sentry.example/organizations/acme/issues/1170820242/events/e487/",
        "issue_url": "https://sentry.example/api/0/issues/1170820242/",
        "project": 1,
    } | changes
    return {
        "action": "triggered",
        "actor": {"id": "sentry", "name": "Sentry", "type": "application"},
        "data": {"event": event, "triggered_rule": "every error", "issue_alert": {"title": "every error"}},
        "installation": {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"},
    }


def sentry_metric(action: str = "critical", **changes: Any) -> dict[str, Any]:
    """Sentry's webhook of a metric alert rule."""
    incident = {
        "id": "12",
        "identifier": "3",
        "title": "Too many errors",
        "projects": ["ledger"],
        "date_started": "2026-11-23T03:01:00Z",
        "alert_rule": {"id": "7", "name": "Too many errors", "aggregate": "count()", "query": "level:error"},
    } | changes
    return {
        "action": action,
        "actor": {"id": "sentry", "name": "Sentry", "type": "application"},
        "data": {
            "metric_alert": incident,
            "description_text": "1000 events in the last 10 minutes\\nFilter: level:error",
            "description_title": f"{action.title()}: Too many errors",
            "web_url": "https://sentry.example/organizations/acme/alerts/rules/details/3/",
        },
        "installation": {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"},
    }


def sentry_issue(action: str = "created", **changes: Any) -> dict[str, Any]:
    """Sentry's webhook of an issue's state."""
    issue = {
        "id": "1170820242",
        "shortId": "LEDGER-1",
        "title": "KeyError: 'gift'",
        "culprit": "shop.pricing in total",
        "permalink": "https://sentry.example/issues/1170820242/",
        "web_url": "https://sentry.example/organizations/acme/issues/1170820242/",
        "url": "https://sentry.example/api/0/organizations/acme/issues/1170820242/",
        "level": "error",
        "status": "unresolved",
        "substatus": "new",
        "metadata": {"type": "KeyError", "value": "'gift'"},
        "project": {"id": "1", "name": "ledger", "slug": "ledger", "platform": "python"},
        "firstSeen": "2026-11-23T03:03:58.000000Z",
        "lastSeen": "2026-11-23T03:03:58.000000Z",
        "count": "1",
    } | changes
    return {
        "action": action,
        "data": {"issue": issue},
        "installation": {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"},
        "actor": {"type": "user", "id": 1, "name": "colleen"},
    }


def sentry_plugin(**changes: Any) -> dict[str, Any]:
    """The body of Sentry's WebHooks plugin; its test button sends the same with an example event."""
    return {
        "id": "27379932",
        "project": "ledger",
        "project_name": "Ledger",
        "project_slug": "ledger",
        "logger": None,
        "level": "error",
        "culprit": "raven.scripts.runner in main",
        "message": "This is an example Python exception",
        "url": "https://sentry.example/organizations/acme/issues/27379932/",
        "triggering_rules": ["every error"],
        "event": {
            "event_id": "e487",
            "level": "error",
            "tags": [["level", "error"]],
            "timestamp": 1795404238.0,
        },
    } | changes


def sentry_service_hook(**changes: Any) -> dict[str, Any]:
    """The body of one of Sentry's service hooks."""
    return {
        "project": {"slug": "ledger", "name": "Ledger"},
        "group": {
            "id": "27379932",
            "title": "KeyError: 'gift'",
            "url": "https://sentry.example/issues/27379932/",
        },
        "event": {
            "eventID": "e487",
            "title": "KeyError: 'gift'",
            "culprit": "shop.pricing in total",
            "tags": [{"key": "service", "value": "ledger"}],
            "url": "https://sentry.example/issues/27379932/events/e487/",
        },
    } | changes


BODIES: dict[Source, tuple[bytes, ...]] = {
    "railway": (CRASHED_WEBHOOK,),
    "slack": (b'{"text": "ledger answers 500"}', b'{"attachments": [{"title": "ledger is down"}]}'),
    "alertmanager": (json.dumps(alertmanager()).encode(),),
    "grafana": (json.dumps(grafana()).encode(), json.dumps(grafana_legacy()).encode()),
    "sentry": tuple(
        json.dumps(body).encode()
        for body in (
            sentry_event(), sentry_metric(), sentry_issue(), sentry_plugin(), sentry_service_hook(),
        )
    ),
    "ping": (b"", b'{"at": "2026-11-23T03:04:00Z"}'),
}  # fmt: skip
"""Bodies that report a problem, by the source whose endpoint takes them."""
