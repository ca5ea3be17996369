"""One line of a log, as it was printed."""

from __future__ import annotations

from workers.models.base import Model, Moment
from workers.models.clean_text import Visible


class LogLine(Model):
    """One log line. `level` is debug, info, warn, error or an unknown level as the service spells it."""

    timestamp: Moment
    message: Visible
    """Not redacted: a log line never leaves the process. Signs are read from it, and patterns redact their text."""
    level: str = "info"
    deployment_id: str | None = None
    instance_id: str | None = None
