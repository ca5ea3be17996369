"""Railway's public GraphQL API: what an environment is and did. Reads only.

One method, one question. `_ask` alone knows HTTP and turns it into RailwayBusy (tried again) or RailwayRefused (told).
Tokens travel in a header only: never in an address, a log or an error.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar

import httpx
from pydantic import BaseModel, Field, SecretStr

from workers.clients.railway import (
    activity,
    batch,
    documents,
    graphql_types,
    http_metrics,
    log_lines,
    structure,
)
from workers.clients.railway.activity import LogActivity, UsageResult
from workers.clients.railway.batch import Connection
from workers.clients.railway.documents import DOCUMENTS, MAX_SERVICES_PER_REQUEST, STRUCTURE, ServiceQuery
from workers.clients.railway.http_metrics import HttpMetrics, Limits
from workers.clients.railway.log_lines import HttpLine, LogLine
from workers.clients.railway.quota import RateLimit
from workers.clients.railway.series import ServiceUsage
from workers.clients.railway.service_calls import find_calls
from workers.clients.railway.structure import Architecture, EnvironmentStructure, ServiceEvent
from workers.clients.railway.transport import Transport
from workers.models import (
    ContainerStart,
    Deployment,
    Environment,
    Model,
    TrafficMinute,
    Volume,
    Window,
)  # fmt: skip

__all__ = [
    "DOCUMENTS",
    "MAX_SERVICES_PER_REQUEST",
    "Architecture",
    "EnvironmentStructure",
    "HttpLine",
    "HttpMetrics",
    "Limits",
    "LogActivity",
    "LogLine",
    "Railway",
    "ServiceEvent",
    "ServiceQuery",
    "ServiceUsage",
    "Traffic",
    "UsageResult",
    "batches",
    "find_calls",
]  # fmt: skip

M = TypeVar("M", bound=BaseModel)
N = TypeVar("N")

MAX_LINES = 5000
"""Railway refuses to give more in one answer."""


class Traffic(Model):
    """Requests at the edge by service id; a service of which Railway says nothing had none."""

    by_service: dict[str, tuple[TrafficMinute, ...]]
    errors: dict[str, str] = Field(default_factory=dict)
    """Services of which Railway will not tell, with its words."""


class Railway:
    """The environments that one token can see; safe to use from several threads.

    Every method raises RailwayBusy when Railway cannot answer now and RailwayRefused when it says no.
    With both tokens the wider one (`token`) reads and `project_token` only says which environment is meant.
    """

    def __init__(
        self,
        url: str,
        *,
        token: SecretStr | None = None,
        project_token: SecretStr | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._transport = Transport(url, token, project_token, http)
        self._has_project_token = project_token is not None

    def close(self) -> None:
        """Let the connections go."""
        self._transport.close()

    def with_own_count(self, seconds: float = math.inf) -> Railway:
        """The same client, with a count of requests of its own that begins at 0; after so long it is RailwayBusy."""
        apart = copy.copy(self)
        apart._transport = self._transport.with_own_count(seconds)
        return apart

    @property
    def requests_sent(self) -> int:
        """Requests that went out, repeated ones included."""
        return self._transport.requests_sent

    @property
    def rate_limit(self) -> RateLimit | None:
        """The newest word of Railway on how many requests are left."""
        return self._transport.tally.rate_limit

    # ---- a whole sweep -----------------------------------------------------------------------

    def fetch_structure(self, environment: Environment, history: int, window: Window) -> EnvironmentStructure:
        """Services and all that stands beside them, with the window's events: one request up to 100 services."""
        return structure.read_structure(self._transport, environment, history, window)

    def fetch_usage(self, environment: Environment, window: Window, step_seconds: int) -> UsageResult:
        """CPU, memory and disk of all services, one sample per step: one request."""
        return activity.read_usage(self._transport, environment, window, step_seconds)

    def fetch_logs(self, environment: Environment, window: Window, step_seconds: int) -> LogActivity:
        """Container starts, error lines and internal lookups of all services: one request."""
        return activity.read_logs(self._transport, environment, window, step_seconds)

    def fetch_http_metrics(
        self, environment: Environment, asks: Sequence[ServiceQuery], window: Window, step_seconds: int
    ) -> HttpMetrics:
        """Traffic and limits of up to BATCH services: one request."""
        return http_metrics.read_http_metrics(
            self._transport, environment.environment_id, asks, window, step_seconds
        )

    # ---- what there is -----------------------------------------------------------------------

    def environments(self) -> list[Environment]:
        """The one environment of a project token; an account token names none."""
        if not self._has_project_token:
            return []
        answer = self._transport.query_as(
            graphql_types.ProjectToken, documents.OWN_ENVIRONMENT, {}, as_project=True
        )
        ids = answer.project_token
        return [Environment(project_id=ids.project_id, environment_id=ids.environment_id)]

    def project_name(self, project_id: str) -> str:
        asked = {"projectId": project_id}
        return self._one("project", asked).part("project", graphql_types.Named).name

    def platform_incident(self) -> str | None:
        """What Railway says of its own trouble; None while it says that all is well."""
        return structure.platform_incident(self._one("platform", {}))

    def architecture(self, environment: Environment) -> Architecture:
        """The services of the environment; what came as null beside an error stands in `not_seen`."""
        first = self._one("environment", structure.request_variables(environment))
        found, missing = batch.fetch_nodes(
            self._transport, STRUCTURE, structure.SERVICES, structure.request_variables(environment), first
        )
        return structure.build_architecture(first, found, [*first.missing, *missing])

    def volumes(self, environment: Environment) -> dict[str | None, tuple[Volume, ...]]:
        """Volumes by service id; under None those that Railway ties to no service."""
        return structure.volumes_by_service(
            self._all(structure.VOLUMES, structure.request_variables(environment))
        )

    def branches(self, environment: Environment) -> dict[str, str]:
        """The branch whose pushes deploy a service, by service id."""
        return structure.branches_by_service(
            self._all(structure.TRIGGERS, structure.request_variables(environment))
        )

    def deployments(
        self, environment: Environment, service_id: str | None = None, first: int = 20
    ) -> list[Deployment]:
        """The last `first` deployments of a service, or of all services together, newest first."""
        asked = structure.request_variables(environment, service_id or "", first)
        return structure.newest_deployments(
            self._all(structure.DEPLOYMENTS._replace(max_nodes=first), asked), service_id or ""
        )

    # ---- what it did -------------------------------------------------------------------------

    def usage(self, environment: Environment, window: Window, step_seconds: int) -> dict[str, ServiceUsage]:
        """CPU, memory and disk by service id, one sample per step; a service without samples is absent."""
        return self.fetch_usage(environment, window, step_seconds).usage

    def traffic(
        self, environment: Environment, service_ids: Sequence[str], window: Window, step_seconds: int
    ) -> Traffic:
        """Requests at the public edge per step. What Railway will not tell of a service stands in `refused`."""
        found: dict[str, tuple[TrafficMinute, ...]] = {}
        refused: dict[str, str] = {}
        for some in batches([ServiceQuery(one) for one in service_ids]):
            seen = self.fetch_http_metrics(environment, some, window, step_seconds)
            found |= seen.traffic
            refused |= seen.traffic_errors
        return Traffic(by_service=found, errors=refused)

    def container_starts(self, environment: Environment, window: Window) -> tuple[ContainerStart, ...]:
        """Every start of a container in the environment that the platform logged, oldest first."""
        return activity.read_starts(self._transport, environment, window)

    # ---- lines -------------------------------------------------------------------------------

    def deployment_logs(
        self,
        deployment_id: str,
        window: Window | None = None,
        filter: str = "",  # noqa: A002  (Railway's word for it)
        limit: int = 500,
    ) -> list[LogLine]:
        """The last `limit` lines (at most 5000) that the deployment printed, oldest first."""
        limit = _bounded(limit)
        asked: dict[str, object] = {"deploymentId": deployment_id, "limit": limit} | (
            _span(window) if window else {}
        )
        asked |= {"filter": filter} if filter else {}
        answer = self._ask(log_lines.DeploymentLogs, documents.DEPLOYMENT_LOGS, asked)
        return _ordered(log.to_model(deployment_id) for log in answer.deployment_logs)[-limit:]

    def build_logs(self, deployment_id: str, created_at: datetime, limit: int = 500) -> list[LogLine]:
        """The last `limit` lines of the build, health check included, oldest first.

        They lie after `created_at`, that of the deployment, and usually long before any window.
        """
        limit = _bounded(limit)
        asked: dict[str, object] = {
            "deploymentId": deployment_id,
            "limit": limit,
            "start": created_at.isoformat(),
        }
        answer = self._ask(log_lines.BuildLogs, documents.BUILD_LOGS, asked)
        return _ordered(log.to_model(deployment_id) for log in answer.build_logs)[-limit:]

    def http_logs(
        self,
        deployment_id: str,
        window: Window,
        filter: str = "",  # noqa: A002  (Railway's word for it)
        limit: int = 500,
    ) -> list[HttpLine]:
        """The last `limit` requests (at most 5000) of the window at the edge, oldest first.

        `filter` as Railway writes it: `@httpStatus:>=500`, `@totalDuration:>5000`.
        """
        limit = _bounded(limit)
        asked: dict[str, object] = {"deploymentId": deployment_id, "limit": limit} | _span(window)
        asked |= {"filter": filter} if filter else {}
        answer = self._ask(log_lines.HttpLogs, documents.HTTP_LOGS, asked)
        return _ordered(_within(window, (log.to_model() for log in answer.http_logs)))[-limit:]

    # ---- asking ------------------------------------------------------------------------------

    def _ask(self, shape: type[M], document: str, variables: Mapping[str, object]) -> M:
        return self._transport.query_as(shape, document, variables)

    def _one(self, alias: str, variables: Mapping[str, object]) -> batch.BatchResult:
        """One part of a shape by itself."""
        return batch.fetch(self._transport, alias.title(), {alias: STRUCTURE[alias]}, variables)

    def _all(self, one: Connection[N], variables: Mapping[str, object]) -> list[N]:
        """All nodes of one part of a shape."""
        return batch.fetch_nodes(self._transport, STRUCTURE, one, variables)[0]


Line = TypeVar("Line", LogLine, HttpLine)


def _ordered(found: Iterable[Line]) -> list[Line]:
    return sorted(found, key=lambda line: line.timestamp)


def _within(window: Window, found: Iterable[Line]) -> list[Line]:
    return [line for line in found if window.start <= line.timestamp <= window.end]


def batches(asks: Sequence[ServiceQuery]) -> Iterator[tuple[ServiceQuery, ...]]:
    """So many services as one request may hold."""
    rest = iter(asks)
    while batch := tuple(islice(rest, MAX_SERVICES_PER_REQUEST)):
        yield batch


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_LINES))


def _span(window: Window) -> dict[str, object]:
    return {"start": window.start.isoformat(), "end": window.end.isoformat()}
