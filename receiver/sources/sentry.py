"""Sentry's webhooks → Alert or Ignored.

Four shapes: the integration platform's (issue alert, metric alert, issue, error), that of the WebHooks plugin, that of
a service hook, and Sentry's test bodies, which are one of these. The bodies are those of
https://docs.sentry.io/organization/integrations/integration-platform/webhooks/.

Sentry also signs its bodies. We do not check that: the secret in the address authenticates already, Sentry's client
secret would be one more value to set up, and the plugin and the service hooks have none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from receiver import payload
from receiver.payload import InvalidPayload, Parsed, clean_text, get_list, get_object, optional_text
from receiver.sources import service_labels
from workers.incidents.intake import RESOLVED, DedupWindow
from workers.models import Alert, Ignored

ISSUE_DEDUP_SECONDS = 3600  # a rule may fire for the same issue every five minutes: it is one problem
METRIC_DEDUP_SECONDS = 7 * 86_400  # a metric alert names the time of its start
RESOURCES = ("metric_alert", "issue_alert", "event", "error", "issue")
"""Objects of `data` that a report is about. `event` has an `issue_alert` beside it."""
HARMLESS_RESOURCES = ("installation", "comment", "comment_id", "preprod_artifact", "run_id", "seer")
GOOD_ACTIONS = ("resolved",)
HARMLESS_ACTIONS = ("assigned", "archived", "ignored", "deleted", "updated")
PROBLEM_ACTIONS = ("triggered", "created", "unresolved", "critical", "warning", "open")
MAX_TAGS = 100

# Sentry's API addresses name the project: `/api/0/projects/<organisation>/<project>/…`.
_PROJECT_IN_URL = re.compile(r"/projects/[\w.-]{1,100}/([\w.-]{1,100})(?:/|$)")


@dataclass(frozen=True)
class _Report:
    """The content of a body, whichever shape it has."""

    title: str
    details: tuple[str, ...]
    labels: Mapping[str, Any]
    projects: tuple[str, ...]
    reported_at: datetime | None
    identity: str


def parse(body: bytes | Mapping[str, Any], at: datetime, token: str) -> Parsed:
    """The alert in a webhook of Sentry; Ignored for what reports no problem.

    Args:
        at: when the body was received.
        token: makes the alert's id unique.

    Raises:
        InvalidPayload: names the field that is missing or has the wrong type.
    """
    hook = payload.parse(body)
    if "data" not in hook and ("event" in hook or "culprit" in hook or "group" in hook):
        return _problem(_hook_report(hook), at, token, ISSUE_DEDUP_SECONDS)
    action, data = optional_text(hook, "action").lower(), get_object(hook, "data")
    if "action" not in hook or "data" not in hook:
        raise InvalidPayload("data" if "data" not in hook else "action", "is missing")
    name = next((name for name in RESOURCES if data.get(name) is not None), None)
    if name is None:
        if any(name in data for name in HARMLESS_RESOURCES) or not data:
            return Ignored(reason=f"{clean_text(action, 40) or 'this'} reports no problem")
        raise InvalidPayload("data", "has no event, issue, error or metric_alert")
    if action in HARMLESS_ACTIONS:
        return Ignored(reason=f"{name} {action} reports no problem")
    if action not in (*GOOD_ACTIONS, *PROBLEM_ACTIONS):
        raise InvalidPayload("action", f"must be one of {', '.join((*PROBLEM_ACTIONS, *GOOD_ACTIONS))}")
    report = _metric_report(data, action) if name == "metric_alert" else _issue_report(data, name)
    if action in GOOD_ACTIONS:
        good_news = _alert(report, at, token, RESOLVED)
        return Ignored(reason=f"{name} {action} reports no problem", good_news=good_news)
    seconds = METRIC_DEDUP_SECONDS if name == "metric_alert" else ISSUE_DEDUP_SECONDS
    return _problem(report, at, token, seconds)


def _problem(report: _Report, at: datetime, token: str, dedup_seconds: int) -> Parsed:
    key = sha256(report.identity.encode()).hexdigest()
    return (
        (_alert(report, at, token, "firing"), DedupWindow(keys=(f"sentry:{key}",), seconds=dedup_seconds)),
    )


def _alert(report: _Report, at: datetime, token: str, kind: str) -> Alert:
    names = dict.fromkeys((*service_labels.names_of(report.labels), *report.projects))
    lines = (report.title or "Sentry alert", *report.details)
    return Alert(
        id=payload.alert_id(at, token),
        source="sentry",
        kind=kind,
        received_at=at,
        reported_at=report.reported_at,
        names=tuple(names)[: service_labels.MAX_NAMES],
        message=payload.redacted_message("\n".join(line for line in lines if line)),
        **service_labels.ids_of(report.labels),
    )


def _metric_report(data: Mapping[str, Any], action: str) -> _Report:
    incident = get_object(data, "metric_alert", "data.")
    rule = get_object(incident, "alert_rule", "data.metric_alert.")
    projects = get_list(incident, "projects", "data.metric_alert.")
    title = clean_text(optional_text(data, "description_title", "data."), 300)
    started = clean_text(optional_text(incident, "date_started", "data.metric_alert."), 60)
    identity = clean_text(incident.get("id"), 60) or clean_text(rule.get("name"), 200)
    return _Report(
        title=title or clean_text(incident.get("title"), 300) or clean_text(rule.get("name"), 300),
        details=(
            clean_text(optional_text(data, "description_text", "data.").replace("\\n", " "), 1000),
            clean_text(optional_text(data, "web_url", "data."), 500),
        ),
        labels={},
        projects=tuple(text for text in (clean_text(item, 100) for item in projects) if text),
        reported_at=payload.parse_time(started),
        # The same incident rings again when it becomes critical.
        identity=f"metric {identity} {action} {started}",
    )


def _issue_report(data: Mapping[str, Any], name: str) -> _Report:
    """An issue, or an event with its issue and the rule that it triggered."""
    holder = name if name != "issue_alert" else "event"
    item = get_object(data, holder, "data.")
    rule = clean_text(optional_text(data, "triggered_rule", "data."), 200)
    report = _event_report(item, f"data.{holder}.")
    if not item:
        title = clean_text(get_object(data, "issue_alert", "data.").get("title"), 200)
        report = _Report(title, (), {}, (), None, title)
    details = (f"rule: {rule}", *report.details) if rule else report.details
    return _Report(
        title=report.title,
        details=details,
        labels=report.labels,
        projects=report.projects,
        reported_at=report.reported_at,
        identity=f"{name} {report.identity} {rule}",
    )


def _hook_report(hook: Mapping[str, Any]) -> _Report:
    """The body of the WebHooks plugin, or of a service hook."""
    group = get_object(hook, "group")
    event = get_object(hook, "event")
    report = _event_report({**group, **event}, "event.")
    project = hook.get("project")
    names = (
        [project.get("slug"), project.get("name")]
        if isinstance(project, dict)
        else [hook.get("project_slug"), project, hook.get("project_name")]
    )
    rules = get_list(hook, "triggering_rules")
    issue = clean_text(group.get("id"), 60) or clean_text(hook.get("id"), 60) or report.identity
    link = clean_text(optional_text(hook, "url"), 500) or clean_text(group.get("url"), 500)
    return _Report(
        title=clean_text(optional_text(hook, "message"), 300) or report.title,
        details=(clean_text(optional_text(hook, "culprit"), 300), *report.details, link),
        labels=report.labels,
        projects=(*(text for text in (clean_text(name, 100) for name in names) if text), *report.projects),
        reported_at=report.reported_at,
        identity=f"hook {issue} {' '.join(clean_text(rule, 100) for rule in rules)}",
    )


def _event_report(item: Mapping[str, Any], path: str) -> _Report:
    """The fields that an event and an issue have in common."""
    metadata, project = get_object(item, "metadata", path), item.get("project")
    title = clean_text(item.get("title"), 300) or clean_text(item.get("message"), 300)
    slugs = (
        [clean_text(project.get(key), 100) for key in ("slug", "name")] if isinstance(project, dict) else []
    )
    links = (clean_text(item.get(key), 500) for key in ("url", "issue_url", "project_url"))
    slugs += [match[1] for match in map(_PROJECT_IN_URL.search, links) if match]
    times = (payload.parse_time(item.get(key)) for key in ("datetime", "timestamp", "lastSeen", "firstSeen"))
    link = clean_text(item.get("web_url"), 500) or clean_text(item.get("permalink"), 500)
    return _Report(
        title=title or clean_text(metadata.get("type"), 200),
        details=(
            clean_text(metadata.get("value"), 500),
            clean_text(optional_text(item, "culprit", path), 300),
            link,
        ),
        labels=_tags(item, path),
        projects=tuple(dict.fromkeys(slug for slug in slugs if slug)),
        reported_at=next((time for time in times if time), None),
        identity=clean_text(item.get("issue_id") or item.get("id") or item.get("event_id"), 60) or title,
    )


def _tags(item: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The tags, which are pairs in an event and objects in an issue; other values are left out."""
    tags = item.get("tags")
    if tags is None:
        return {}
    if isinstance(tags, dict):
        return tags
    if not isinstance(tags, list):
        raise InvalidPayload(f"{path}tags", "must be a list")
    result: dict[str, Any] = {}
    for tag in tags[:MAX_TAGS]:
        if isinstance(tag, list) and len(tag) == 2 and isinstance(tag[0], str):
            result[tag[0]] = tag[1]
        elif isinstance(tag, dict) and isinstance(tag.get("key"), str):
            result[tag["key"]] = tag.get("value")
    return result
