"""An alert: the request to check an environment."""

from __future__ import annotations

from typing import Literal

from workers.models.base import Model, Moment
from workers.models.clean_text import Exact, Text


class Alert(Model):
    """A request to check an environment: a webhook, a forwarded message, a ping or a command."""

    id: str
    source: Literal[
        "railway", "slack", "alertmanager", "grafana", "sentry", "ping", "command", "person", "follow-up"
    ]  # fmt: skip
    kind: str
    """`deployment.crashed`, `volumealert.triggered`, `message`, `ping` …: lower case, no `_` or `-`.
    `resolved` is good news: a reason to check the service's open incident, and owed no answer."""
    project_id: str | None = None
    environment_id: str | None = None
    service_id: str | None = None
    service_name: str | None = None
    names: tuple[str, ...] = ()
    """Names that may mean the service, likeliest first: values of the sender's labels, then what
    TRACKWALKER_SERVICE_MAP makes of them. The worker knows which of them are services."""
    deployment_id: str | None = None
    received_at: Moment
    """When the receiver stored the alert."""
    reported_at: Moment | None = None
    """The time that the sender names, None if it names none. The sender's clock may be wrong."""
    incident_id: Exact = ""
    """The incident to which the answer belongs (source `person`); "" for a check of the whole environment."""
    asked_by: str = ""
    """Name of the person who asked (source `person`)."""
    message: Text = ""
    """The sender's text, redacted, at most 4 KiB; never the raw body."""


class Ignored(Model):
    """A valid request that reports no problem."""

    reason: str
    probe: str | None = None
    """The number of our own test webhook, if the request is one."""
    good_news: Alert | None = None
    """An alert of kind `resolved`, if the request says that something is well again."""
