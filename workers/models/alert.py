"""An alert: the request to check an environment."""

from __future__ import annotations

from typing import Literal

from workers.models.base import Model, Moment
from workers.models.clean_text import Text


class Alert(Model):
    """A request to check an environment: a webhook, a forwarded message, a ping or a command."""

    id: str
    source: Literal["railway", "slack", "ping", "command", "person"]
    kind: str
    """`deployment.crashed`, `volumealert.triggered`, `message`, `ping` …: lower case, no `_` or `-`."""
    project_id: str | None = None
    environment_id: str | None = None
    service_id: str | None = None
    service_name: str | None = None
    deployment_id: str | None = None
    received_at: Moment
    """When the receiver stored the alert."""
    reported_at: Moment | None = None
    """The time that the sender names, None if it names none. The sender's clock may be wrong."""
    message: Text = ""
    """The sender's text, redacted, at most 4 KiB; never the raw body."""


class Ignored(Model):
    """A valid request that needs no check."""

    reason: str
    probe: str | None = None
    """The number of our own test webhook, if the request is one."""
