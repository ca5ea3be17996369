"""Log lines and HTTP requests from Railway's log queries. Their text comes from outside and is not redacted."""

from __future__ import annotations

import json
from typing import Any

from workers.clients.railway.api_model import ApiModel
from workers.clients.railway.graphql_types import Tags
from workers.models import Exact, LogLine, Model, Moment

LEVELS = {
    "err": "error", "fatal": "error", "critical": "error", "crit": "error", "emerg": "error", "alert": "error",
    "warning": "warn", "notice": "info", "trace": "debug",
    "10": "debug", "20": "debug", "30": "info", "40": "warn", "50": "error", "60": "error",
}  # fmt: skip
"""Spelling of a level → debug, info, warn or error. The numbers are the levels of Node's pino logger."""
LEVEL_KEYS = ("level", "lvl", "severity")
"""Attributes that loggers use for the level."""
TRACE_KEYS = frozenset(
    {"stack", "stacktrace", "stack_trace", "traceback", "exc_info", "exception", "err", "error"}
)
"""Attributes that loggers use for a stack trace."""
# The edge names the zero UUID as the instance if a request reached no live instance.
NO_INSTANCE_ID = "00000000-0000-0000-0000-000000000000"
EDGE_STATUSES = (502, 503, 504)
"""Statuses with which the edge answers for a service that it cannot reach."""


class HttpLine(Model):
    """One request at the public edge; durations in milliseconds."""

    timestamp: Moment
    method: str
    path: str
    status: int
    ms: float
    platform_answer: bool = False
    """True if the edge answered because it could not reach the service."""


class Attribute(ApiModel):
    key: str
    value: Exact | None = None
    """JSON, which `to_model` opens."""


class Log(ApiModel):
    """A line as Railway returns it: a single-line JSON log arrives split into message and attributes."""

    timestamp: Moment
    message: Exact = ""
    """For `to_model`, whose result is cleaned."""
    severity: str | None = None
    attributes: list[Attribute] | None = None
    tags: Tags | None = None

    def to_model(self, deployment_id: str | None = None) -> LogLine:
        """The line as our model.

        Args:
            deployment_id: the deployment, if the line's tags name none.
        """
        tags = self.tags or Tags()
        return LogLine(
            timestamp=self.timestamp,
            message="\n".join([self.message, *self.stack_traces()]),
            level=self.level(),
            deployment_id=tags.deployment_id or deployment_id,
            instance_id=tags.deployment_instance_id,
        )

    def stack_traces(self) -> list[str]:
        """Stack traces that Railway moved from a JSON log into attributes."""
        traces = []
        for attribute in self.attributes or []:
            if attribute.key.lower().rpartition(".")[2] in TRACE_KEYS and attribute.value:
                trace = _trace_text(_decoded(attribute.value))
                if trace and trace not in self.message:
                    traces.append(trace)
        return traces

    def level(self) -> str:
        """The severity, or the level from an attribute. Attribute values are JSON, so a string has quotes."""
        values = {attribute.key: attribute.value for attribute in self.attributes or []}
        candidates = [self.severity, *(values.get(key) for key in LEVEL_KEYS)]
        level = next((text.strip('"').lower() for text in candidates if text and text.strip('"')), "info")
        return LEVELS.get(level, level)


def _decoded(value: str) -> Any:
    """The value of an attribute, which is JSON text; text that is no JSON stands for itself."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _trace_text(value: Any) -> str:
    """A trace from a string, or from an error object with a `stack`, a `traceback` or at least a `message`."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("stack", "traceback", "message") if value.get(key)), "")
    return value if isinstance(value, str) else ""


class DeploymentLogs(ApiModel):
    deployment_logs: list[Log]


class BuildLogs(ApiModel):
    build_logs: list[Log]


class HttpLog(ApiModel):
    timestamp: Moment
    method: str
    path: str
    http_status: int
    total_duration: float = 0.0
    response_details: str | None = None
    upstream_errors: str | None = None
    upstream_address: str | None = None
    deployment_instance_id: str | None = None

    def to_model(self) -> HttpLine:
        return HttpLine(
            timestamp=self.timestamp,
            method=self.method,
            path=self.path,
            status=self.http_status,
            ms=self.total_duration,
            platform_answer=self._answered_by_edge(),
        )

    def _answered_by_edge(self) -> bool:
        # Railway has no field for this. The edge adds details to its own 502, 503 and 504; a service's 5xx has an
        # upstream address and no details.
        if self.http_status < 500:
            return False
        if self.http_status in EDGE_STATUSES and self.response_details:
            return True
        return not self.upstream_address and (
            bool(parse_upstream_errors(self.upstream_errors)) or self.deployment_instance_id == NO_INSTANCE_ID
        )


class HttpLogs(ApiModel):
    http_logs: list[HttpLog]


def parse_upstream_errors(text: str | None) -> tuple[str, ...]:
    """The errors of a JSON list `[{"error": …}]`; text of any other form counts as one error."""
    if not text:
        return ()
    try:
        items: Any = json.loads(text)
    except ValueError:
        return (text,)
    if not isinstance(items, list):
        return (text,)
    return tuple(str(item.get("error", "")) for item in items if isinstance(item, dict) and item.get("error"))
