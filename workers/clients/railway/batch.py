"""Several questions in one request, and what becomes of them where Railway refuses one.

Almost every root field of the schema must not be null, so one that fails takes the whole answer with it: it is left
out and the others are asked again. Where Railway does not say which one it was, what is needed most is asked by
itself, and if need be every part is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from workers.clients.railway import documents, graphql_types
from workers.clients.railway.transport import (  # fmt: skip
    FieldsRefused,
    FieldsUnavailable,
    GraphQLError,
    InvalidToken,
    ServerError,
    Transport,
    Unauthorized,
    unexpected_shape,
)
from workers.errors import RailwayBusy, RailwayRefused
from workers.models import Gap, GapPart

T = TypeVar("T")
N = TypeVar("N")
Failure = RailwayBusy | RailwayRefused

MAX_ATTEMPTS = 3
"""So often what fails is left out; then each part is asked by itself."""
PAGE_SIZE = 100
MAX_PAGES = 50
"""5000 services, volumes or deployments: beyond that something turns in a circle."""


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
"""The part of a survey that each alias of the documents reads."""


class Connection(NamedTuple, Generic[N]):
    """A part that is a list in pages: its alias, their shape, and the field inside the part that holds them."""

    alias: str
    page: type[graphql_types.Page[N]]
    field: str = ""
    max_nodes: int = PAGE_SIZE * MAX_PAGES
    truncation: str = ""
    """Reason of the gap that is recorded if the list holds more than `most` nodes; "" records none."""


@dataclass
class BatchResult:
    """The parts of an answer by alias, the errors of the parts that failed, and the pieces missing in the others."""

    values: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, Failure] = field(default_factory=dict)
    missing: list[Gap] = field(default_factory=list)

    def part(self, alias: str, shape: type[T]) -> T:
        """The part in its shape. Raises RailwayBusy or RailwayRefused when there is none."""
        return self._read(alias, shape, self._value(alias))

    def page(self, one: Connection[N]) -> graphql_types.Page[N]:
        """The page of a connection; raises as `take`."""
        value = self._value(one.alias)
        if one.field:
            value = value.get(one.field) if isinstance(value, dict) else None
        return self._read(one.alias, one.page, value)

    def _value(self, alias: str) -> Any:
        if alias in self.failed:
            raise self.failed[alias]
        return self.values.get(alias)

    def _read(self, alias: str, shape: type[T], value: Any) -> T:
        broken: list[int] = []
        try:
            answer: T = _adapter(shape).validate_python(value, context=broken)  # type: ignore[arg-type]
        except ValidationError as error:
            raise unexpected_shape(error, alias) from error
        if broken:
            self.missing.append(gap(alias, f"{sum(broken)} entries that cannot be read"))
        return answer

    def add(self, data: Mapping[str, Any], said: tuple[GraphQLError, ...]) -> None:
        """What an answer holds; a part that is null beside an error has failed."""
        words = {one.alias: one.message for one in said if data.get(one.alias) is None}
        self.failed |= {
            alias: FieldsRefused(f"Railway: {why}", {}) for alias, why in words.items() if alias in data
        }
        self.values |= {alias: value for alias, value in data.items() if alias not in self.failed}
        self.missing += dict.fromkeys(_null_piece(error) for error in said if error.alias not in words)


def gap(alias: str, reason: str) -> Gap:
    """The gap for the part with this alias."""
    return Gap(part=GAP_PARTS.get(alias, GapPart.ANSWER), reason=reason)


def _null_piece(error: GraphQLError) -> Gap:
    """The gap for a piece inside a part that Railway answered with null."""
    inner = error.path.removeprefix(error.alias).lstrip(".")
    return gap(error.alias, f"{inner}: {error.message}" if inner else error.message)


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def fetch(
    transport: Transport,
    name: str,
    parts: Mapping[str, str],
    variables: Mapping[str, object],
    needed: str = "",
) -> BatchResult:
    """The parts, in one request where Railway lets. Raises RailwayBusy or RailwayRefused where it answers nothing.

    Also where it does not give the part that is `needed`: without it the others are worth nothing.
    """
    place = variables.get("environmentId")
    known = {alias: transport.tally.refusal(alias, place) for alias in parts if len(parts) > 1}
    got = BatchResult(failed={alias: error for alias, error in known.items() if error})
    left = {alias: text for alias, text in parts.items() if alias not in got.failed}
    _ask(transport, name, got, left, variables, needed)
    for alias, error in got.failed.items():
        # Worth remembering only where the token does see other things.
        if isinstance(error, Unauthorized) and got.values and not known.get(alias):
            transport.tally.remember_refusal(alias, place, error)
    return got


def _ask(
    transport: Transport, name: str, got: BatchResult, left: dict[str, str], variables: Mapping[str, object],
    needed: str,
) -> None:  # fmt: skip
    for _ in range(MAX_ATTEMPTS):
        if not left:
            return
        last = len(left) == 1 and not got.failed
        try:
            got.add(*_send(transport, name, left, variables))
            return
        except (FieldsRefused, FieldsUnavailable) as error:
            culprits = [alias for alias in error.aliases if alias in left]
            if last or needed in culprits:
                raise
            if not culprits:
                break
            got.failed |= dict.fromkeys(culprits, error)
            left = {alias: text for alias, text in left.items() if alias not in culprits}
        except (RailwayRefused, ServerError) as error:
            if last or isinstance(error, InvalidToken) or (isinstance(error, ServerError) and not needed):
                raise
            break
    _apart(transport, name, got, left, variables, needed)


def _apart(
    transport: Transport, name: str, got: BatchResult, left: dict[str, str], variables: Mapping[str, object],
    needed: str,
) -> None:  # fmt: skip
    """What is needed by itself and the rest together; where nothing is needed, each part by itself."""
    if needed in left and len(left) > 1:
        got.add(*_send(transport, needed.title(), {needed: left[needed]}, variables))
        rest = {alias: text for alias, text in left.items() if alias != needed}
        try:
            _ask(transport, name, got, rest, variables, "")
        except (RailwayBusy, RailwayRefused) as error:
            got.failed |= {alias: error for alias in rest if alias not in got.values}
        return
    for alias, text in left.items():
        try:
            got.add(*_send(transport, alias.title(), {alias: text}, variables))
        except (RailwayBusy, RailwayRefused) as error:
            if alias == needed:
                raise
            got.failed[alias] = error


def _send(
    transport: Transport, name: str, parts: Mapping[str, str], variables: Mapping[str, object]
) -> tuple[Mapping[str, Any], tuple[GraphQLError, ...]]:
    wanted = documents.variable_names(parts.values())
    asked = {one: variables[one] for one in wanted if one in variables}
    return transport.query(documents.build_document(name, parts), asked)


def fetch_nodes(
    transport: Transport, parts: Mapping[str, str], one: Connection[N], variables: Mapping[str, object],
    first: BatchResult | None = None,
) -> tuple[list[N], list[Gap]]:  # fmt: skip
    """All nodes of a connection (at most `one.most`), following its cursors from `first` on; and what was missing."""
    part = {one.alias: parts[one.alias]}
    got = first or fetch(transport, one.alias.title(), part, variables)
    found: list[N] = []
    missing: list[Gap] = []
    seen = {""}
    while True:
        page = got.page(one)
        found += page.nodes
        missing += [] if got is first else got.missing
        cursor = page.page_info.end_cursor or ""
        if not page.page_info.has_next_page:
            return found[: one.max_nodes], missing
        if len(found) >= one.max_nodes:
            return found[: one.max_nodes], [
                *missing,
                *([gap(one.alias, one.truncation)] if one.truncation else []),
            ]
        if cursor in seen or len(seen) > MAX_PAGES:
            raise RailwayRefused("Railway's pages turn in a circle: the list is not complete")
        seen.add(cursor)
        got = fetch(transport, one.alias.title(), part, {**variables, "after": cursor})
