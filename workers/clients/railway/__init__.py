"""Client for Railway's public GraphQL API: the structure of an environment, its metrics and its logs.

All of it reads, but for the notification rules (`Railway.rules`), which `install` registers, and for rollbacks
(`Railway.deployment_actions`), which a person asks for.

Railway's own limits and the shape of its answers: https://docs.railway.com/integrations/api and the published schema.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar

import httpx
from pydantic import Field, SecretStr

from workers.clients.railway import (
    activity,
    batch,
    deployment_actions,
    documents,
    graphql_types,
    http_metrics,
    log_lines,
    network_logs,
    notification_rules,
    projects,
    structure,
)
from workers.clients.railway.activity import LogActivity, UsageResult
from workers.clients.railway.deployment_actions import DeploymentActions, DeploymentState, VariableChange
from workers.clients.railway.documents import MAX_SERVICES_PER_REQUEST, STRUCTURE, ServiceQuery
from workers.clients.railway.http_metrics import HttpMetrics, Limits
from workers.clients.railway.log_lines import HttpLine
from workers.clients.railway.notification_rules import NotificationRules
from workers.clients.railway.projects import VisibleEnvironment
from workers.clients.railway.quota import RateLimit
from workers.clients.railway.series import ServiceUsage
from workers.clients.railway.service_calls import find_calls
from workers.clients.railway.structure import EnvironmentStructure, ServiceEvent
from workers.clients.railway.transport import Transport
from workers.models import Deployment, DnsAnswer, Environment, Flow, LogLine, Model, TrafficMinute, Window

__all__ = [
    "DOCUMENTS",
    "MAX_SERVICES_PER_REQUEST",
    "DeploymentActions",
    "DeploymentState",
    "EnvironmentStructure",
    "HttpLine",
    "HttpMetrics",
    "Limits",
    "LogActivity",
    "NotificationRules",
    "Railway",
    "ServiceEvent",
    "ServiceQuery",
    "ServiceUsage",
    "Traffic",
    "UsageResult",
    "VariableChange",
    "VisibleEnvironment",
    "batches",
    "find_calls",
]  # fmt: skip

DOCUMENTS = (
    documents.DOCUMENTS | deployment_actions.DOCUMENTS | notification_rules.DOCUMENTS | projects.DOCUMENTS
)
"""Every document that the client can send, by operation name."""
MAX_LINES = 5000
"""Lines per answer. Railway refuses a higher limit, and its log queries have no pages."""


class Traffic(Model):
    """Requests at the public edge, by service id. A service without requests has an empty series."""

    by_service: dict[str, tuple[TrafficMinute, ...]]
    errors: dict[str, str] = Field(default_factory=dict)
    """Railway's message, by the id of each service whose traffic it refused."""


class Railway:
    """The environments that the tokens can see; safe to use from several threads.

    Every method raises RailwayBusy if Railway cannot answer now, and RailwayRefused if Railway refuses the request.

    Args:
        url: address of the GraphQL API.
        token: account or workspace token. Used for every read if given.
        project_token: token of one environment. With `token` it only tells which environment that is.
        http: HTTP client to use; tests pass one with a mock transport.
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
        self._has_account_token, self._has_project_token = token is not None, project_token is not None

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def with_own_count(self, seconds: float = math.inf) -> Railway:
        """The same client with a request count that starts at 0.

        Args:
            seconds: after this time every method raises RailwayBusy.
        """
        client = copy.copy(self)
        client._transport = self._transport.with_own_count(seconds)
        return client

    @property
    def requests_sent(self) -> int:
        """Requests sent, repeated ones included."""
        return self._transport.requests_sent

    @property
    def rate_limit(self) -> RateLimit | None:
        """The newest rate limit that Railway reported; None before the first answer."""
        return self._transport.state.rate_limit

    def environments(self) -> list[Environment]:
        """The environment of the project token; empty without one, because an account token names none."""
        if not self._has_project_token:
            return []
        answer = self._transport.query_as(
            graphql_types.ProjectToken, documents.OWN_ENVIRONMENT, {}, as_project=True
        )
        ids = answer.project_token
        return [Environment(project_id=ids.project_id, environment_id=ids.environment_id)]

    def visible_environments(self) -> list[VisibleEnvironment]:
        """The environments that the token can see, by name; those of pull requests are left out."""
        if self._has_account_token:
            return projects.read_environments(self._transport)
        return [projects.read_own_environment(self._transport)]

    @property
    def deployment_actions(self) -> DeploymentActions:
        """Rollbacks and their end."""
        return DeploymentActions(self._transport)

    @property
    def rules(self) -> NotificationRules:
        """The notification rules; they need an account or workspace token."""
        return NotificationRules(self._transport)

    # ---- a whole environment -----------------------------------------------------------------

    def fetch_structure(
        self, environment: Environment, max_deployments: int, window: Window
    ) -> EnvironmentStructure:
        """Services, volumes, variables, deployments and events: one request for up to 100 services.

        Args:
            max_deployments: how many of the environment's newest deployments to read.
            window: the time for which events are returned.
        """
        return structure.read_structure(self._transport, environment, max_deployments, window)

    def fetch_usage(self, environment: Environment, window: Window, step_seconds: int) -> UsageResult:
        """CPU, memory and disk of all services, one sample per step: one request."""
        return activity.read_usage(self._transport, environment, window, step_seconds)

    def fetch_logs(self, environment: Environment, window: Window, step_seconds: int) -> LogActivity:
        """Container starts, error lines and internal DNS lookups of all services: one request."""
        return activity.read_logs(self._transport, environment, window, step_seconds)

    def fetch_http_metrics(
        self, environment: Environment, queries: Sequence[ServiceQuery], window: Window, step_seconds: int
    ) -> HttpMetrics:
        """Traffic and limits of up to MAX_SERVICES_PER_REQUEST services: one request."""
        return http_metrics.read_http_metrics(
            self._transport, environment.environment_id, queries, window, step_seconds
        )

    def traffic(
        self, environment: Environment, service_ids: Sequence[str], window: Window, step_seconds: int
    ) -> Traffic:
        """Requests at the public edge per step: one request for every MAX_SERVICES_PER_REQUEST services."""
        by_service: dict[str, tuple[TrafficMinute, ...]] = {}
        errors: dict[str, str] = {}
        for queries in batches([ServiceQuery(service_id) for service_id in service_ids]):
            metrics = self.fetch_http_metrics(environment, queries, window, step_seconds)
            by_service |= metrics.traffic
            errors |= metrics.traffic_errors
        return Traffic(by_service=by_service, errors=errors)

    def deployments(
        self, environment: Environment, service_id: str | None = None, first: int = 20
    ) -> list[Deployment]:
        """The newest `first` deployments, newest first.

        Args:
            service_id: None reads the deployments of all services together.
        """
        variables = structure.request_variables(environment, service_id or "", first)
        pages = structure.DEPLOYMENTS._replace(max_nodes=first)
        nodes, _ = batch.fetch_nodes(self._transport, STRUCTURE, pages, variables)
        return structure.newest_first(nodes, service_id or "")

    # ---- logs of one deployment --------------------------------------------------------------

    def deployment_logs(
        self,
        deployment_id: str,
        window: Window | None = None,
        filter: str = "",  # noqa: A002  (Railway's name of the argument)
        limit: int = 500,
    ) -> list[LogLine]:
        """The last lines that the deployment printed, oldest first.

        Args:
            window: None reads up to now.
            filter: in Railway's syntax, such as `@level:error`; "" returns every line.
            limit: number of lines, at most MAX_LINES.
        """
        limit = _bounded(limit)
        variables: dict[str, object] = {"deploymentId": deployment_id, "limit": limit}
        variables |= (_span(window) if window else {}) | ({"filter": filter} if filter else {})
        answer = self._transport.query_as(log_lines.DeploymentLogs, documents.DEPLOYMENT_LOGS, variables)
        return _oldest_first(log.to_model(deployment_id) for log in answer.deployment_logs)[-limit:]

    def build_logs(self, deployment_id: str, created_at: datetime, limit: int = 500) -> list[LogLine]:
        """The last lines of the build and of the health check, oldest first.

        Args:
            created_at: when the deployment was created. A build may be older than any window.
            limit: number of lines, at most MAX_LINES.
        """
        limit = _bounded(limit)
        variables: dict[str, object] = {
            "deploymentId": deployment_id,
            "limit": limit,
            "start": created_at.isoformat(),
        }
        answer = self._transport.query_as(log_lines.BuildLogs, documents.BUILD_LOGS, variables)
        return _oldest_first(log.to_model(deployment_id) for log in answer.build_logs)[-limit:]

    def http_logs(
        self,
        deployment_id: str,
        window: Window,
        filter: str = "",  # noqa: A002  (Railway's name of the argument)
        limit: int = 500,
    ) -> list[HttpLine]:
        """The last requests of the window at the public edge, oldest first.

        Args:
            filter: in Railway's syntax: `@httpStatus:>=500`, `@totalDuration:>5000`; "" returns every request.
            limit: number of requests, at most MAX_LINES.
        """
        limit = _bounded(limit)
        variables: dict[str, object] = {"deploymentId": deployment_id, "limit": limit} | _span(window)
        variables |= {"filter": filter} if filter else {}
        answer = self._transport.query_as(log_lines.HttpLogs, documents.HTTP_LOGS, variables)
        lines = (log.to_model() for log in answer.http_logs)
        # Railway reads backwards from the window's end and may return requests from before its start.
        return _oldest_first(line for line in lines if window.start <= line.timestamp <= window.end)[-limit:]

    # ---- network of one service --------------------------------------------------------------

    def dns_answers(self, environment_id: str, service_id: str, window: Window) -> tuple[DnsAnswer, ...]:
        """The answers of the name service to a service in the window, counted, failed ones first: one request."""
        return network_logs.read_dns_answers(self._transport, environment_id, service_id, window)

    def network_flows(
        self, environment_id: str, service_id: str, window: Window, names: Mapping[str, str]
    ) -> tuple[Flow, ...]:
        """The connections that a service opened in the window, by peer, dropped ones first: one request.

        Args:
            names: name of each service of the environment, by its id.
        """
        return network_logs.read_flows(self._transport, environment_id, service_id, window, names)


Line = TypeVar("Line", LogLine, HttpLine)


def batches(queries: Sequence[ServiceQuery]) -> Iterator[tuple[ServiceQuery, ...]]:
    """The queries in groups of MAX_SERVICES_PER_REQUEST."""
    rest = iter(queries)
    while group := tuple(islice(rest, MAX_SERVICES_PER_REQUEST)):
        yield group


def _oldest_first(lines: Iterable[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: line.timestamp)


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_LINES))


def _span(window: Window) -> dict[str, object]:
    return {"start": window.start.isoformat(), "end": window.end.isoformat()}
