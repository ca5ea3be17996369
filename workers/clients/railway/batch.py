"""Reads several parts of the schema in one request, and isolates the parts that Railway refuses.

Almost every root field of the schema is non-null, so one part that fails nulls the whole answer. The failed part is
left out and the others are requested again. If Railway does not name the failed part, the required part is requested
by itself and, if nothing is required, every part is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from workers.clients.railway import documents
from workers.clients.railway.api_errors import (
    FieldsRefused,
    FieldsUnavailable,
    GraphQLError,
    InvalidToken,
    ServerError,
    Unauthorized,
    unexpected_shape,
)
from workers.clients.railway.api_model import Page
from workers.clients.railway.transport import GraphQLAnswer, Transport
from workers.errors import RailwayBusy, RailwayRefused
from workers.models import Gap, GapPart
from workers.runtime.text import plural

T = TypeVar("T")
N = TypeVar("N")
Failure = RailwayBusy | RailwayRefused

MAX_ATTEMPTS = 3
"""Requests of one batch before its parts are requested separately."""
PAGE_SIZE = 100
"""Nodes per page. Railway documents no default, so every query names the size."""
MAX_PAGES = 50
"""5,000 services, volumes or deployments. No environment has more, so the cursors form a loop."""

GAP_PARTS = {
    "environment": GapPart.ENVIRONMENT,
    "volumes": GapPart.VOLUMES,
    "triggers": GapPart.BRANCHES,
    "variables": GapPart.VARIABLES,
    "project": GapPart.PROJECT_NAME,
    "platform": GapPart.PLATFORM_STATUS,
    "deployments": GapPart.DEPLOYMENTS,
    "events": GapPart.EVENTS,
    "usage": GapPart.USAGE,
    "disk": GapPart.DISK,
    "starts": GapPart.STARTS,
    "errors": GapPart.ERROR_LINES,
    "lookups": GapPart.LOOKUPS,
}
"""Alias of a part in the documents → the part of a survey that it reads."""


class Connection(NamedTuple, Generic[N]):
    """A part that is a paginated list."""

    alias: str
    page: type[Page[N]]
    field: str = ""
    """Field inside the part that holds the list; "" if the part is the list."""
    max_nodes: int = PAGE_SIZE * MAX_PAGES
    truncation: str = ""
    """Reason of the gap that is recorded if the list holds more than `max_nodes`; "" records none."""


@dataclass
class BatchResult:
    """The parts of an answer by alias.

    Attributes:
        values: parts that arrived, not validated.
        failed: the error of each part that failed.
        missing: pieces inside the other parts that were null or invalid.
    """

    values: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, Failure] = field(default_factory=dict)
    missing: list[Gap] = field(default_factory=list)

    def part(self, alias: str, shape: type[T]) -> T:
        """The part, validated as `shape`. Raises RailwayBusy or RailwayRefused if it failed or does not fit."""
        return self._validate(alias, shape, self._value(alias))

    def page(self, connection: Connection[N]) -> Page[N]:
        """The page of a connection. Raises as `part`."""
        value = self._value(connection.alias)
        if connection.field:
            value = value.get(connection.field) if isinstance(value, dict) else None
        return self._validate(connection.alias, connection.page, value)

    def _value(self, alias: str) -> Any:
        if alias in self.failed:
            raise self.failed[alias]
        return self.values.get(alias)

    def _validate(self, alias: str, shape: type[T], value: Any) -> T:
        invalid_counts: list[int] = []
        try:
            part: T = _adapter(shape).validate_python(value, context=invalid_counts)  # type: ignore[arg-type]
        except ValidationError as error:
            raise unexpected_shape(error, alias) from error
        if invalid_counts:
            self.missing.append(
                gap(alias, f"{plural(sum(invalid_counts), 'entry', 'entries')} could not be read")
            )
        return part

    def add(self, answer: GraphQLAnswer) -> None:
        """Add the parts of an answer. A part that is null and has an error counts as failed."""
        data = answer.data
        messages = {error.alias: error.message for error in answer.errors if data.get(error.alias) is None}
        self.failed |= {
            alias: FieldsRefused(f"Railway: {message}", {})
            for alias, message in messages.items()
            if alias in data
        }
        self.values |= {alias: value for alias, value in data.items() if alias not in self.failed}
        self.missing += dict.fromkeys(
            _null_piece(error) for error in answer.errors if error.alias not in messages
        )


def read_or_default(failed: dict[GapPart, Failure], part: GapPart, read: Callable[[], T], default: T) -> T:
    """The result of `read`; if it raises RailwayBusy or RailwayRefused, `default`, with the error in `failed`."""
    try:
        return read()
    except (RailwayBusy, RailwayRefused) as error:
        failed[part] = error
        return default


def gap(alias: str, reason: str) -> Gap:
    """The gap for the part with this alias."""
    return Gap(part=GAP_PARTS.get(alias, GapPart.ANSWER), reason=reason)


def fetch(
    transport: Transport,
    name: str,
    parts: Mapping[str, str],
    variables: Mapping[str, object],
    required: str = "",
) -> BatchResult:
    """Read the parts, in one request if Railway answers all of them.

    Args:
        name: operation name of the document.
        parts: text of each part by alias.
        variables: variables for all parts; the ones that no part uses are not sent.
        required: alias of the part without which the others are useless.

    Raises:
        RailwayBusy, RailwayRefused: no part, or not the required part, could be read.
    """
    environment = variables.get("environmentId")
    refusals = {
        alias: transport.state.refusal(alias, environment) if len(parts) > 1 else None for alias in parts
    }
    result = BatchResult(failed={alias: error for alias, error in refusals.items() if error})
    remaining = {alias: text for alias, text in parts.items() if alias not in result.failed}
    _fetch_together(transport, name, result, remaining, variables, required)
    for alias, error in result.failed.items():
        # A token that sees other parts is valid: then this part is forbidden and need not be requested again.
        if isinstance(error, Unauthorized) and result.values and not refusals.get(alias):
            transport.state.remember_refusal(alias, environment, error)
    return result


def _fetch_together(
    transport: Transport, name: str, result: BatchResult, remaining: dict[str, str],
    variables: Mapping[str, object], required: str,
) -> None:  # fmt: skip
    for _ in range(MAX_ATTEMPTS):
        if not remaining:
            return
        only_part = len(remaining) == 1 and not result.failed
        try:
            result.add(_send(transport, name, remaining, variables))
            return
        except (FieldsRefused, FieldsUnavailable) as error:
            culprits = [alias for alias in error.messages if alias in remaining]
            if only_part or required in culprits:
                raise
            if not culprits:
                break
            result.failed |= dict.fromkeys(culprits, error)
            remaining = {alias: text for alias, text in remaining.items() if alias not in culprits}
        except (RailwayRefused, ServerError) as error:
            # A 5xx may mean that the query is too large. Without a required part a retry is not worth the requests.
            unavailable = isinstance(error, ServerError) and not required
            if only_part or unavailable or isinstance(error, InvalidToken):
                raise
            break
    _fetch_separately(transport, name, result, remaining, variables, required)


def _fetch_separately(
    transport: Transport, name: str, result: BatchResult, remaining: dict[str, str],
    variables: Mapping[str, object], required: str,
) -> None:  # fmt: skip
    """Request the required part by itself and the others together; without a required part, each by itself."""
    if required in remaining and len(remaining) > 1:
        result.add(_send(transport, required.title(), {required: remaining[required]}, variables))
        others = {alias: text for alias, text in remaining.items() if alias != required}
        try:
            _fetch_together(transport, name, result, others, variables, "")
        except (RailwayBusy, RailwayRefused) as error:
            result.failed |= {alias: error for alias in others if alias not in result.values}
        return
    for alias, text in remaining.items():
        try:
            result.add(_send(transport, alias.title(), {alias: text}, variables))
        except (RailwayBusy, RailwayRefused) as error:
            if alias == required:
                raise
            result.failed[alias] = error


def fetch_nodes(
    transport: Transport, parts: Mapping[str, str], connection: Connection[N],
    variables: Mapping[str, object], first: BatchResult | None = None,
) -> tuple[list[N], list[Gap]]:  # fmt: skip
    """All nodes of a connection, at most `connection.max_nodes`, and the gaps of its later pages.

    Args:
        first: a result that holds the first page already; None requests it. Its own gaps are not repeated.

    Raises:
        RailwayBusy, RailwayRefused: a page could not be read, or the cursors form a loop.
    """
    part = {connection.alias: parts[connection.alias]}
    result = first or fetch(transport, connection.alias.title(), part, variables)
    nodes: list[N] = []
    missing: list[Gap] = []
    cursors = {""}
    while True:
        page = result.page(connection)
        nodes += page.nodes
        missing += [] if result is first else result.missing
        cursor = page.page_info.end_cursor or ""
        if not page.page_info.has_next_page:
            return nodes[: connection.max_nodes], missing
        if len(nodes) >= connection.max_nodes:
            truncated = [gap(connection.alias, connection.truncation)] if connection.truncation else []
            return nodes[: connection.max_nodes], [*missing, *truncated]
        if cursor in cursors or len(cursors) > MAX_PAGES:
            raise RailwayRefused("Railway's page cursors form a loop: the list is incomplete")
        cursors.add(cursor)
        result = fetch(transport, connection.alias.title(), part, {**variables, "after": cursor})


def _send(
    transport: Transport, name: str, parts: Mapping[str, str], variables: Mapping[str, object]
) -> GraphQLAnswer:
    names = documents.variable_names(parts.values())
    used = {variable: variables[variable] for variable in names if variable in variables}
    return transport.query(documents.build_document(name, parts), used)


def _null_piece(error: GraphQLError) -> Gap:
    """The gap for a field inside a part that Railway answered with null."""
    inner = error.path.removeprefix(error.alias).lstrip(".")
    return gap(error.alias, f"{inner}: {error.message}" if inner else error.message)


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)
