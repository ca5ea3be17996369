"""Requests at the public edge and configured limits of up to 20 services, in one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from workers.clients.railway import documents, series
from workers.clients.railway.api_errors import FieldsRefused, unexpected_shape
from workers.clients.railway.api_model import ValidItems
from workers.clients.railway.documents import ServiceQuery
from workers.clients.railway.graphql_types import Durations, Statuses
from workers.clients.railway.opaque_json import parse_limits
from workers.clients.railway.transport import GraphQLAnswer, Transport
from workers.models import Gap, GapPart, TrafficMinute, Window
from workers.runtime.text import plural

T = TypeVar("T")
Limits = tuple[float | None, float | None]
"""vCPU and GB that one replica may use; None without a limit, or if the limit is unknown."""

MAX_ATTEMPTS = 5
"""Requests per batch. Each one leaves out the services that Railway refused in the one before."""


class HttpMetrics(NamedTuple):
    """Metrics by service id. A service is either in `traffic` or in `traffic_errors`; limits likewise."""

    traffic: dict[str, tuple[TrafficMinute, ...]]
    limits: dict[str, Limits]
    traffic_errors: dict[str, str]
    """Railway's message, by service id."""
    limit_errors: dict[str, str]
    gaps: list[Gap]
    """Pieces of the answer that were null or invalid."""


def read_http_metrics(
    transport: Transport, environment_id: str, queries: Sequence[ServiceQuery], window: Window,
    step_seconds: int,
) -> HttpMetrics:  # fmt: skip
    """The metrics of these services.

    Raises:
        RailwayBusy: Railway cannot answer now.
        RailwayRefused: Railway refuses the request and does not name the service that it refuses.
    """
    metrics = HttpMetrics({}, {}, {}, {}, [])
    remaining = [query for query in queries if query.traffic or query.limits]
    message = ""
    for _ in range(MAX_ATTEMPTS):
        if not remaining:
            return metrics
        try:
            answer = _send(transport, environment_id, remaining, window, step_seconds)
        except FieldsRefused as error:
            message = "; ".join(error.messages.values())
            if not _record_errors(metrics, remaining, error.messages):
                raise
            remaining = _without_refused(metrics, remaining)
            continue
        _record_errors(metrics, remaining, {error.alias: error.message for error in answer.errors})
        _collect(metrics, remaining, answer.data, window, step_seconds)
        return metrics
    metrics.traffic_errors.update({query.service_id: message for query in remaining if query.traffic})
    metrics.limit_errors.update({query.service_id: message for query in remaining if query.limits})
    return metrics


def _send(
    transport: Transport, environment_id: str, queries: Sequence[ServiceQuery], window: Window,
    step_seconds: int,
) -> GraphQLAnswer:  # fmt: skip
    parts = documents.http_metrics_parts(queries)
    values = {
        "environmentId": environment_id,
        "step": step_seconds,
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
    } | {f"s{n}": query.service_id for n, query in enumerate(queries)}
    variables = {name: values[name] for name in documents.variable_names(parts.values())}
    name = "HttpMetrics" if any(query.traffic for query in queries) else "Limits"
    return transport.query(documents.build_document(name, parts), variables)


def _record_errors(
    metrics: HttpMetrics, queries: Sequence[ServiceQuery], messages: Mapping[str, str]
) -> bool:
    """Assign the messages to the services of their parts. True if at least one belongs to a service."""
    assigned = False
    for n, query in enumerate(queries):
        traffic_message = messages.get(f"statuses{n}") or messages.get(f"durations{n}")
        if traffic_message is not None:
            metrics.traffic_errors[query.service_id] = traffic_message
        limit_message = messages.get(f"limits{n}")
        if limit_message is not None:
            # The permission is that of the token: it is refused the other limits too, at one request each.
            metrics.limit_errors.update(
                {other.service_id: limit_message for other in queries if other.limits}
            )
        assigned = assigned or traffic_message is not None or limit_message is not None
    return assigned


def _without_refused(metrics: HttpMetrics, queries: Sequence[ServiceQuery]) -> list[ServiceQuery]:
    remaining = [
        ServiceQuery(
            query.service_id,
            query.traffic and query.service_id not in metrics.traffic_errors,
            query.limits and query.service_id not in metrics.limit_errors,
        )
        for query in queries
    ]
    return [query for query in remaining if query.traffic or query.limits]


def _collect(
    metrics: HttpMetrics, queries: Sequence[ServiceQuery], data: Mapping[str, Any], window: Window,
    step_seconds: int,
) -> None:  # fmt: skip
    start = int(window.start.timestamp())
    for n, query in enumerate(queries):
        if query.traffic and query.service_id not in metrics.traffic_errors:
            statuses, durations = data.get(f"statuses{n}"), data.get(f"durations{n}")
            _collect_traffic(metrics, query.service_id, statuses, durations, start, step_seconds)
        if query.limits and query.service_id not in metrics.limit_errors:
            metrics.limits[query.service_id] = parse_limits(data.get(f"limits{n}"))


def _collect_traffic(
    metrics: HttpMetrics, service_id: str, statuses: object, durations: object, start: int, step_seconds: int
) -> None:
    invalid_counts: list[int] = []
    try:
        by_status = _validate(ValidItems[Statuses], statuses, invalid_counts)
        times = _validate(Durations, durations, invalid_counts)
    except ValidationError as error:
        metrics.traffic_errors[service_id] = str(unexpected_shape(error))
        return
    metrics.traffic[service_id] = series.traffic_steps(by_status, times, start, step_seconds)
    if invalid_counts:
        reason = f"{plural(sum(invalid_counts), 'sample')} of a service could not be read"
        metrics.gaps.append(Gap(part=GapPart.TRAFFIC, reason=reason))


def _validate(shape: type[T], value: object, invalid_counts: list[int]) -> T:
    result: T = _adapter(shape).validate_python(value, context=invalid_counts)  # type: ignore[arg-type]
    return result


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)
