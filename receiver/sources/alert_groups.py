"""Groups of alerts, as Alertmanager and Grafana deliver them → one Alert for each service that fires.

A body may hold alerts of many services, and many alerts of one service. What fires for one service is one problem and
owed one answer, so it becomes one Alert. A group in which anything fires is an alert; one in which everything is
resolved is good news.

Alertmanager and Grafana repeat a group while it fires (`repeat_interval`, 4 h by default), and send all of it again
when one alert joins or leaves. A firing is an alert's fingerprint and the time of its start: it is checked once, and
again after a day if it still fires. One that joins the group is checked at once, one that leaves it is not. A day,
because the periodic checks look at every service anyway, and a firing that lasts so long deserves a new answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from receiver import payload
from receiver.payload import InvalidPayload, Parsed, clean_text, get_texts, optional_text
from receiver.sources import service_labels
from workers.incidents.intake import RESOLVED, DedupWindow
from workers.models import Alert, Ignored

FIRING_DEDUP_SECONDS = 86_400  # for which a firing that goes on is the same alert
MAX_ALERTS = 2000  # of a body that are read: a real one has 150 bytes at least, so no more fit into 256 KiB
MAX_SERVICES = 40  # alerts that one body makes; what fires for further services shares one more
MAX_FIRINGS = 200  # deduplication keys of one alert; further firings share one more
TITLE_ANNOTATIONS = ("summary", "title", "description", "message")
LINK_ANNOTATIONS = ("runbook_url", "runbook", "dashboard_url", "dashboard")
LINK_FIELDS = ("generatorURL", "dashboardURL", "panelURL")
MAX_READ_LABELS = 60  # of an alert, and of what a group has in common; Prometheus' default limits are near 30
MAX_TITLES = 60  # firings that an alert's message names; more do not fit into 4 KiB
MAX_LABELS = 12  # of an alert that its message names

Tool = Literal["alertmanager", "grafana"]


@dataclass(frozen=True)
class _Firing:
    """One alert of the body."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    item: Mapping[str, Any]
    is_resolved: bool
    started_at: datetime | None
    names: tuple[str, ...]
    ids: Mapping[str, str]

    @property
    def identity(self) -> str:
        """The same for every delivery of this firing."""
        fingerprint = clean_text(self.item.get("fingerprint"), 100)
        fingerprint = fingerprint or json.dumps(self.item.get("labels"), sort_keys=True)
        return sha256(f"{fingerprint}\n{clean_text(self.item.get('startsAt'), 100)}".encode()).hexdigest()


def parse_group(body: Mapping[str, Any], tool: Tool, at: datetime, token: str) -> Parsed:
    """The alerts in a group, or Ignored if nothing in it fires.

    Args:
        at: when the body was received.
        token: makes the alerts' ids unique.

    Raises:
        InvalidPayload: names the field that is missing or has the wrong type.
    """
    firings, truncated = _firings(body), _truncated(body)
    firing = [item for item in firings if not item.is_resolved]
    if not firing:
        good_news = _alert(firings, tool, at, token, kind=RESOLVED)
        return Ignored(reason="everything in the group is resolved", good_news=good_news)
    by_service: dict[tuple[object, ...], list[_Firing]] = {}
    for item in firing:
        key = (*item.names, *sorted(item.ids.items()))
        if key not in by_service and len(by_service) >= MAX_SERVICES:
            key = ("too many services",)
        by_service.setdefault(key, []).append(item)
    return tuple(
        (
            _alert(items, tool, at, f"{token}-{number}" if number else token, truncated=truncated),
            _dedup(items, tool),
        )
        for number, items in enumerate(by_service.values())
    )


def _truncated(body: Mapping[str, Any]) -> int:
    """The number of alerts that the sender left out (`max_alerts`), and that we do not read."""
    value = body.get("truncatedAlerts")
    unread = max(0, len(body["alerts"]) - MAX_ALERTS)
    if value is None:
        return unread
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidPayload("truncatedAlerts", "must be a number of alerts")
    return value + unread


def _firings(body: Mapping[str, Any]) -> list[_Firing]:
    items = body.get("alerts")
    if not isinstance(items, list):
        raise InvalidPayload("alerts", "is missing" if items is None else "must be a list")
    if not items:
        raise InvalidPayload("alerts", "is empty")
    status = _status(body.get("status"), "status") or "firing"
    for field in ("receiver", "groupKey", "externalURL", "title", "message", "state"):
        optional_text(body, field)
    common = _first({**get_texts(body, "groupLabels"), **get_texts(body, "commonLabels")})
    annotations = _first(get_texts(body, "commonAnnotations"))
    return [
        _firing(item, f"alerts.{n}", status, common, annotations) for n, item in enumerate(items[:MAX_ALERTS])
    ]


def _firing(
    item: object, path: str, status: str, labels: dict[str, str], annotations: dict[str, str]
) -> _Firing:
    if not isinstance(item, dict):
        raise InvalidPayload(path, "must be an object")
    own_status = _status(item.get("status"), f"{path}.status") or status
    for field in ("startsAt", "endsAt", "fingerprint", *LINK_FIELDS):
        optional_text(item, field, f"{path}.")
    labels = labels | _first(get_texts(item, "labels", f"{path}."))
    naming = service_labels.of_interest(labels)
    return _Firing(
        labels=labels,
        annotations=annotations | _first(get_texts(item, "annotations", f"{path}.")),
        item=item,
        is_resolved=own_status == "resolved",
        started_at=payload.parse_time(item.get("startsAt")),
        names=service_labels.names_of(naming),
        ids=service_labels.ids_of(naming),
    )


def _first(texts: dict[str, str]) -> dict[str, str]:
    """The labels or annotations that are read: those that name a service, and the first of the others."""
    if len(texts) <= MAX_READ_LABELS:
        return texts
    return dict(list(texts.items())[:MAX_READ_LABELS]) | service_labels.of_interest(texts)


def _status(value: object, path: str) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or value.lower() not in ("firing", "resolved"):
        raise InvalidPayload(path, 'must be "firing" or "resolved"')
    return value.lower()


def _alert(
    items: Sequence[_Firing], tool: Tool, at: datetime, token: str, kind: str = "", truncated: int = 0
) -> Alert:
    starts = [item.started_at for item in items if item.started_at]
    names: dict[str, None] = {}
    ids: dict[str, str] = {}
    for item in items:
        names |= dict.fromkeys(item.names)
        ids |= item.ids
    return Alert(
        id=payload.alert_id(at, token),
        source=tool,
        kind=kind or "firing",
        received_at=at,
        reported_at=min(starts) if starts else None,
        names=tuple(names)[: service_labels.MAX_NAMES],
        message=payload.redacted_message("\n".join(_lines(items, truncated))),
        **ids,
    )


def _dedup(items: Sequence[_Firing], tool: Tool) -> DedupWindow:
    keys = [f"{tool}:{item.identity}" for item in items]
    if len(keys) > MAX_FIRINGS:
        rest = sha256("".join(sorted(keys[MAX_FIRINGS:])).encode()).hexdigest()
        keys = [*keys[:MAX_FIRINGS], f"{tool}:{rest}"]
    return DedupWindow(keys=tuple(dict.fromkeys(keys)), seconds=FIRING_DEDUP_SECONDS)


def _lines(items: Sequence[_Firing], truncated: int) -> list[str]:
    """The text of an alert: a line for each firing, then labels and links that they share. Worst case first: names."""
    lines = list(dict.fromkeys(_title(item) for item in items[:MAX_TITLES]))
    if len(items) > MAX_TITLES:
        lines.append(f"and {len(items) - MAX_TITLES} more")
    if truncated:
        lines.append(f"the group has {truncated} more")
    labels: dict[str, None] = {}
    links: dict[str, None] = {}
    for item in items[:MAX_TITLES]:
        values = [(clean_text(name, 60), clean_text(value, 200)) for name, value in item.labels.items()]
        labels |= {f"{name}={value}": None for name, value in values if value and name != "alertname"}
        links |= dict.fromkeys(_links(item))
        if len(labels) >= MAX_LABELS:
            break
    return [*lines, " ".join(list(labels)[:MAX_LABELS]), *list(links)[:3]]


def _title(item: _Firing) -> str:
    name = clean_text(item.labels.get("alertname"), 200) or "alert without a name"
    texts = (clean_text(item.annotations.get(key), 500) for key in TITLE_ANNOTATIONS)
    text = next((text for text in texts if text), "")
    return f"{name}: {text}" if text else name


def _links(item: _Firing) -> list[str]:
    values = [item.annotations.get(name) for name in LINK_ANNOTATIONS]
    values += [item.item.get(name) for name in LINK_FIELDS]
    return [text for text in (clean_text(value, 500) for value in values) if text.startswith("http")]
