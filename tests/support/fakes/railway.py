"""A fake Railway: the part of its published schema that we use, executed on a `World`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graphql import GraphQLError, build_schema, execute_sync, parse, validate
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.fakes.railway_answers import Answers
from tests.support.fakes.railway_rules import Rules
from tests.support.fakes.railway_types import (  # fmt: skip
    LogRow,
    Lookup,
    Neighbour,
    NetworkFlow,
    Request,
    Sample,
    World,
    WorldDeployment,
    WorldEvent,
    WorldService,
    WorldVolume,
)
from tests.support.fakes.serving import Faults

__all__ = [
    "Budget",
    "FakeRailway",
    "LogRow",
    "Lookup",
    "Neighbour",
    "NetworkFlow",
    "Request",
    "Sample",
    "World",
    "WorldDeployment",
    "WorldEvent",
    "WorldService",
    "WorldVolume",
]  # fmt: skip
SDL = (Path(__file__).parent / "railway.graphql").read_text()
SCHEMA = build_schema(SDL)


@dataclass
class Budget:
    """The rate limit per hour. `resets_at` is in epoch seconds; unset, it is the next full hour."""

    limit: int = 100_000
    """More than any test run needs."""
    spent: int = 0
    resets_at: float | None = None
    hour: int = 0

    def spend(self, now: float) -> tuple[bool, dict[str, str]]:
        """Count one request. Returns whether it is within the limit, and the rate limit headers."""
        hour = int(now // 3600)
        if self.resets_at is None and hour != self.hour:
            self.hour, self.spent = hour, 0
        granted = self.spent < self.limit
        self.spent += granted
        resets = self.resets_at or (hour + 1) * 3600
        limit_headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.limit - self.spent),
            "X-RateLimit-Reset": datetime.fromtimestamp(resets, UTC).isoformat().replace("+00:00", "Z"),
            "RateLimit-Policy": f"{self.limit};w=3600",
        }
        return granted, limit_headers if granted else limit_headers | {
            "Retry-After": str(max(1, int(resets - now)))
        }


class FakeRailway:
    """`app` answers at any path. `operations` holds the root fields of each request, separated by commas.

    `page_limit` limits the size of pages.
    """

    def __init__(self, world: World, token: str = "railway-token", project_token: str | None = None) -> None:  # noqa: S107  (made up)
        self.world, self.token, self.project_token = world, token, project_token
        self.workspace_token: str | None = None
        """A token that may create notification rules, but neither change nor delete them."""
        self.faults, self.budget = Faults(), Budget()
        self.rules = Rules(world.workspace_id, [world.project_id])
        self.operations: list[str] = []
        self.page_limit: int | None = None
        self.broken: dict[str, str] = {}
        """Field → the message with which it fails. A nullable field is null beside the error."""
        self.silent: set[str] = set()
        """Measurements without series."""
        self.untagged: set[str] = set()
        """Tags that queries cannot group by."""
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["POST"])])

    async def _answer(self, request: HttpRequest) -> Response:
        granted, headers = self.budget.spend(time.time())
        if not granted:
            return Response(status_code=429, headers=headers)
        status, body = await run_in_threadpool(self.ask, await request.json(), self._holder(request))
        return JSONResponse(body, status, headers=headers)

    def _holder(self, request: HttpRequest) -> str:
        if request.headers.get("authorization") == f"Bearer {self.token}":
            return "account"
        if self.workspace_token and request.headers.get("authorization") == f"Bearer {self.workspace_token}":
            return "workspace"
        sent_token = request.headers.get("project-access-token")
        return "project" if self.project_token and sent_token == self.project_token else "stranger"

    def ask(self, body: dict[str, Any], holder: str = "account") -> tuple[int, dict[str, Any]]:
        """Status and body for one GraphQL request."""
        try:
            document = parse(body.get("query") or "")
        except GraphQLError as error:
            return 400, {"errors": [_item(error, "GRAPHQL_PARSE_FAILED")]}
        complaints = validate(SCHEMA, document)
        if complaints:
            return 400, {"errors": [_item(error, "GRAPHQL_VALIDATION_FAILED") for error in complaints]}
        self.operations.append(_asked(document))
        with self.world.lock:
            root = Answers(self.world, holder, self.page_limit, self.silent, self.untagged, self.rules)
            result = execute_sync(
                SCHEMA,
                document,
                root,
                variable_values=body.get("variables") or {},
                field_resolver=self._resolve,
            )
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [_item(error, "INTERNAL_SERVER_ERROR") for error in result.errors]
        return 200, answer

    def _resolve(self, source: Any, info: Any, **arguments: Any) -> Any:
        name = info.field_name
        if name in self.broken:
            raise GraphQLError(self.broken[name])
        value = source.get(name) if isinstance(source, dict) else getattr(source, name)
        return value(info, **arguments) if callable(value) else value


def _asked(document: Any) -> str:
    names = [
        field.name.value
        for definition in document.definitions
        if definition.kind == "operation_definition"
        for field in definition.selection_set.selections
    ]
    return ",".join(dict.fromkeys(names))


def _item(error: GraphQLError, code: str) -> dict[str, Any]:
    return {**error.formatted, "extensions": {"code": code}, "traceId": "7850594425975341941"}
