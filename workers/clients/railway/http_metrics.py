"""Requests at the public edge and configured limits of up to twenty services, in one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from workers.clients.railway import documents, graphql_types, series
from workers.clients.railway.documents import ServiceQuery
from workers.clients.railway.transport import Answer, FieldsRefused, Transport, unexpected_shape
from workers.models import Gap, GapPart, TrafficMinute, Window

T = TypeVar("T")
Limits = tuple[float | None, float | None]
"""vCPU and GB that a replica may use; None where there is no limit or none is known."""

MAX_ATTEMPTS = 5
"""So often services that Railway refuses are left out and the rest is asked again."""


class HttpMetrics(NamedTuple):
    """By service id: requests per step, limits, and why Railway will not tell the one or the other."""

    traffic: dict[str, tuple[TrafficMinute, ...]]
    limits: dict[str, Limits]
    traffic_errors: dict[str, str]
    limit_errors: dict[str, str]
    gaps: list[Gap]
    """Pieces that could not be read."""


def read_http_metrics(
    transport: Transport, environment_id: str, asks: Sequence[ServiceQuery], window: Window, step_seconds: int
) -> HttpMetrics:
    """What Railway tells of these services. Raises RailwayBusy, and RailwayRefused where it names no culprit."""
    edge = HttpMetrics({}, {}, {}, {}, [])
    left = [one for one in asks if one.traffic or one.limits]
    words = ""
    for _ in range(MAX_ATTEMPTS):
        if not left:
            return edge
        try:
            answer = _ask(transport, environment_id, left, window, step_seconds)
        except FieldsRefused as error:
            words = "; ".join(error.aliases.values())
            if not _note(edge, left, error.aliases):
                raise
            left = _without(edge, left)
            continue
        _note(edge, left, {one.alias: one.message for one in answer.errors})
        _collect(edge, left, answer.data, window, step_seconds)
        return edge
    edge.traffic_errors.update({one.service_id: words for one in left if one.traffic})
    edge.limit_errors.update({one.service_id: words for one in left if one.limits})
    return edge


def _ask(
    transport: Transport, environment_id: str, asks: Sequence[ServiceQuery], window: Window, step_seconds: int
) -> Answer:
    parts = documents.http_metrics_parts(asks)
    known = {
        "environmentId": environment_id,
        "step": step_seconds,
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
    } | {f"s{n}": one.service_id for n, one in enumerate(asks)}
    variables = {one: known[one] for one in documents.variable_names(parts.values())}
    name = "HttpMetrics" if any(one.traffic for one in asks) else "Limits"
    return transport.query(documents.build_document(name, parts), variables)


def _note(edge: HttpMetrics, asks: Sequence[ServiceQuery], words: Mapping[str, str]) -> bool:
    """Whose parts these words are about; whether they are about any."""
    met = False
    for n, one in enumerate(asks):
        refused = words.get(f"statuses{n}") or words.get(f"durations{n}")
        if refused is not None:
            edge.traffic_errors[one.service_id] = refused
        if f"limits{n}" in words:
            # Who may not see one limit may see none of them: the others are not tried one after the other.
            edge.limit_errors.update({ask.service_id: words[f"limits{n}"] for ask in asks if ask.limits})
        met = met or refused is not None or f"limits{n}" in words
    return met


def _without(edge: HttpMetrics, asks: Sequence[ServiceQuery]) -> list[ServiceQuery]:
    left = [
        ServiceQuery(
            one.service_id,
            one.traffic and one.service_id not in edge.traffic_errors,
            one.limits and one.service_id not in edge.limit_errors,
        )
        for one in asks
    ]
    return [one for one in left if one.traffic or one.limits]


def _collect(
    edge: HttpMetrics,
    asks: Sequence[ServiceQuery],
    data: Mapping[str, Any],
    window: Window,
    step_seconds: int,
) -> None:
    start = int(window.start.timestamp())
    for n, one in enumerate(asks):
        if one.traffic and one.service_id not in edge.traffic_errors:
            broken: list[int] = []
            try:
                statuses = _shaped(
                    graphql_types.ValidItems[graphql_types.Statuses], data.get(f"statuses{n}"), broken
                )
                durations = _shaped(graphql_types.Durations, data.get(f"durations{n}"), broken)
            except ValidationError as error:
                edge.traffic_errors[one.service_id] = str(unexpected_shape(error))
            else:
                edge.traffic[one.service_id] = series.traffic_steps(statuses, durations, start, step_seconds)
                if broken:
                    edge.gaps.append(
                        Gap(
                            part=GapPart.TRAFFIC,
                            reason=f"{sum(broken)} samples of a service that cannot be read",
                        )
                    )
        if one.limits and one.service_id not in edge.limit_errors:
            edge.limits[one.service_id] = graphql_types.parse_limits(data.get(f"limits{n}"))


def _shaped(shape: type[T], value: object, broken: list[int]) -> T:
    found: T = _adapter(shape).validate_python(value, context=broken)  # type: ignore[arg-type]
    return found


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)
