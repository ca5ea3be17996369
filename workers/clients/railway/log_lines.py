"""Log lines and requests as Railway keeps them. All of their text comes from outside: hostile, not redacted."""

from __future__ import annotations

import json
from typing import Any

from workers.clients.railway.graphql_types import ApiModel, Tags
from workers.models import Model, Moment

LEVELS = {
    "err": "error", "fatal": "error", "critical": "error", "crit": "error", "emerg": "error", "alert": "error",
    "warning": "warn", "notice": "info", "trace": "debug",
    "10": "debug", "20": "debug", "30": "info", "40": "warn", "50": "error", "60": "error",
}  # fmt: skip
"""Other spellings of debug, info, warn and error; the numbers are those of Node's pino."""
TRACE_KEYS = frozenset(
    {"stack", "stacktrace", "stack_trace", "traceback", "exc_info", "exception", "err", "error"}
)
LEVEL_KEYS = ("level", "lvl", "severity")
NO_INSTANCE_ID = "00000000-0000-0000-0000-000000000000"
"""The instance that the edge names when there is no live one."""


class LogLine(Model):
    """One line. `level` is debug, info, warn, error or whatever else the service calls it."""

    timestamp: Moment
    message: str
    level: str = "info"
    deployment_id: str | None = None
    instance_id: str | None = None


class HttpLine(Model):
    """One request at the edge; durations in milliseconds, `upstream_errors` in the edge's words.

    `platform_answer`: the edge answered instead of the service (no live instance, connection refused).
    """

    timestamp: Moment
    method: str
    path: str
    status: int
    ms: float
    upstream_ms: float = 0.0
    platform_answer: bool = False
    response_details: str = ""
    upstream_errors: tuple[str, ...] = ()


class Attribute(ApiModel):
    key: str
    value: str | None = None


class Log(ApiModel):
    timestamp: Moment
    message: str = ""
    severity: str | None = None
    attributes: list[Attribute] | None = None
    tags: Tags | None = None

    def to_model(self, deployment_id: str | None = None) -> LogLine:
        tags = self.tags or Tags()
        return LogLine(
            timestamp=self.timestamp,
            message="\n".join([self.message, *self.stack_traces()]),
            level=self.level(),
            deployment_id=tags.deployment_id or deployment_id,
            instance_id=tags.deployment_instance_id,
        )

    def stack_traces(self) -> list[str]:
        """Railway opens a service's single-line JSON itself: its stack trace is an attribute then, not the message."""
        found = []
        for one in self.attributes or []:
            if one.key.lower().rpartition(".")[2] in TRACE_KEYS and one.value:
                text = _stack_of(_decoded(one.value))
                if text and text not in self.message:
                    found.append(text)
        return found

    def level(self) -> str:
        """`severity`, else an attribute that names a level; attribute values are JSON texts."""
        values = {one.key: one.value for one in self.attributes or []}
        said = [self.severity, *(values.get(key) for key in LEVEL_KEYS)]
        known = next((word.strip('"').lower() for word in said if word and word.strip('"')), "info")
        return LEVELS.get(known, known)


def _decoded(value: str) -> Any:
    """Attribute values are JSON texts; one that is none stands for itself."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _stack_of(value: Any) -> str:
    """The text of a trace: itself, or the `stack` (else `message`) of an error that was logged as an object."""
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
    upstream_rq_duration: float | None = None
    response_details: str | None = None
    upstream_errors: str | None = None
    upstream_address: str | None = None
    deployment_instance_id: str | None = None

    def to_model(self) -> HttpLine:
        errors = upstream_errors(self.upstream_errors)
        return HttpLine(
            timestamp=self.timestamp,
            method=self.method,
            path=self.path,
            status=self.http_status,
            ms=self.total_duration,
            upstream_ms=self.upstream_rq_duration or 0.0,
            platform_answer=self._by_the_edge(errors),
            response_details=self.response_details or "",
            upstream_errors=errors,
        )

    def _by_the_edge(self, errors: tuple[str, ...]) -> bool:
        """The edge's own 502, 503, 504 carry details; with an upstream address and none, the service said it."""
        if self.http_status < 500:
            return False
        if self.http_status in (502, 503, 504) and self.response_details:
            return True
        return not self.upstream_address and (bool(errors) or self.deployment_instance_id == NO_INSTANCE_ID)


class HttpLogs(ApiModel):
    http_logs: list[HttpLog]


def upstream_errors(said: str | None) -> tuple[str, ...]:
    """The errors in a text that holds a JSON list of `{"error": …}`; the text itself where it does not."""
    if not said:
        return ()
    try:
        items: Any = json.loads(said)
    except ValueError:
        return (said,)
    if not isinstance(items, list):
        return (said,)
    return tuple(str(item.get("error", "")) for item in items if isinstance(item, dict) and item.get("error"))
