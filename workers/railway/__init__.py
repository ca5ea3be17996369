"""Railway's public GraphQL API: what an environment is and did. Reads only.

One method, one question. `_ask` alone knows HTTP and turns it into RailwayBusy (tried again) or RailwayRefused (told).
Tokens travel in a header only: never in an address, a log or an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

import httpx
from pydantic import BaseModel, Field, SecretStr

from workers.errors import RailwayRefused
from workers.models import (
    ContainerStart,
    Deployment,
    Environment,
    Noun,
    Service,
    TrafficMinute,
    Volume,
    Window,
)
from workers.railway import documents, lines, series, wire
from workers.railway.documents import BATCH, DOCUMENTS
from workers.railway.lines import HttpLine, LogLine
from workers.railway.series import ServiceUsage
from workers.railway.transport import Denied, Transport

__all__ = [
    "BATCH", "DOCUMENTS", "Architecture", "HttpLine", "LogLine", "Railway", "ServiceUsage", "Traffic"
]  # fmt: skip

M = TypeVar("M", bound=BaseModel)
N = TypeVar("N")

PAGE = 100
PAGES_AT_MOST = 50
"""5000 services, volumes or deployments: beyond that something turns in a circle."""
LINES_AT_MOST = 5000
"""Railway refuses to give more in one answer."""
STARTING = "Starting Container"
"""What the platform writes into a deployment's log whenever it starts one of its containers."""


class Architecture(Noun):
    """The services of an environment, with their serving and latest deployment; no series, no volumes."""

    environment_name: str
    services: tuple[Service, ...]
    not_seen: tuple[str, ...] = ()


class Traffic(Noun):
    """Requests at the edge by service id; a service of which Railway says nothing had none."""

    by_service: dict[str, tuple[TrafficMinute, ...]]
    refused: dict[str, str] = Field(default_factory=dict)
    """Services of which Railway will not tell, with its words."""


class _Pages(NamedTuple, Generic[M, N]):
    """All nodes of a connection, the first answer as a whole, and what came as null beside an error."""

    nodes: tuple[N, ...]
    first: M
    missing: tuple[str, ...]


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

    # ---- what there is -----------------------------------------------------------------------

    def environments(self) -> list[Environment]:
        """The one environment of a project token; an account token names none."""
        if not self._has_project_token:
            return []
        answer, _ = self._transport.ask(wire.ProjectToken, documents.OWN_ENVIRONMENT, {}, as_project=True)
        ids = answer.project_token
        return [Environment(project_id=ids.project_id, environment_id=ids.environment_id)]

    def project_name(self, project_id: str) -> str:
        answer, _ = self._ask(wire.Project, documents.PROJECT, {"projectId": project_id})
        return answer.project.name

    def platform_incident(self) -> str | None:
        """What Railway says of its own trouble; None while it says that all is well."""
        status = self._ask(wire.Platform, documents.PLATFORM, {})[0].platform_status
        if status.is_stable:
            return None
        said = status.incident
        return f"{said.message} ({said.status.lower()})" if said and said.message else "Railway is not stable"

    def architecture(self, environment: Environment) -> Architecture:
        """The services of the environment; what came as null beside an error stands in `not_seen`."""
        pages = self._pages(
            wire.Services,
            documents.SERVICES,
            lambda answer: answer.environment.service_instances,
            _ids(environment),
        )
        return Architecture(
            environment_name=pages.first.environment.name,
            services=tuple(node.noun() for node in pages.nodes),
            not_seen=pages.missing,
        )

    def volumes(self, environment: Environment) -> dict[str | None, tuple[Volume, ...]]:
        """Volumes by service id; under None those that Railway ties to no service."""
        pages = self._pages(
            wire.Volumes,
            documents.VOLUMES,
            lambda answer: answer.environment.volume_instances,
            _ids(environment),
        )
        found: dict[str | None, tuple[Volume, ...]] = {}
        for node in pages.nodes:
            if not node.is_pending_deletion:
                found[node.service_id] = (*found.get(node.service_id, ()), node.noun())
        return found

    def branches(self, environment: Environment) -> dict[str, str]:
        """The branch whose pushes deploy a service, by service id."""
        pages = self._pages(
            wire.Triggers,
            documents.TRIGGERS,
            lambda answer: answer.environment.deployment_triggers,
            _ids(environment),
        )
        return {node.service_id: node.branch for node in pages.nodes if node.service_id}

    def deployments(
        self, environment: Environment, service_id: str | None = None, first: int = 20
    ) -> list[Deployment]:
        """The last `first` deployments of a service, or of all services together, newest first."""
        ids = {"projectId": environment.project_id, "environmentId": environment.environment_id}
        asked = ids | ({"serviceId": service_id} if service_id else {})
        pages = self._pages(
            wire.Deployments,
            documents.DEPLOYMENTS,
            lambda answer: answer.deployments,
            {"input": asked},
            first,
        )
        known = [node.noun(service_id or "") for node in pages.nodes if node.service_id or service_id]
        return sorted(known, key=lambda one: one.created_at, reverse=True)

    # ---- what it did -------------------------------------------------------------------------

    def usage(self, environment: Environment, window: Window, step_seconds: int) -> dict[str, ServiceUsage]:
        """CPU and memory by service id, one sample per step; a service without samples is absent."""
        asked = _ids(environment) | _span(window) | {"step": step_seconds}
        answer, _ = self._ask(wire.Usage, documents.USAGE, asked)
        return series.usage(answer.metrics)

    def limits(
        self, environment: Environment, service_ids: Sequence[str]
    ) -> dict[str, tuple[float | None, float | None]]:
        """vCPU and GB that a replica may use, by service id; None where there is no limit or none is known."""
        found: dict[str, tuple[float | None, float | None]] = {}
        for ids in _batches(service_ids):
            asked: dict[str, object] = {"environmentId": environment.environment_id}
            asked |= {f"s{n}": one for n, one in enumerate(ids)}
            answer, _ = self._ask(wire.Limits, documents.limits(len(ids)), asked)
            found |= {one: wire.containers(answer.root.get(f"limits{n}")) for n, one in enumerate(ids)}
        return found

    def traffic(
        self, environment: Environment, service_ids: Sequence[str], window: Window, step_seconds: int
    ) -> Traffic:
        """Requests at the public edge per step. What Railway will not tell of a service stands in `refused`."""
        found: dict[str, tuple[TrafficMinute, ...]] = {}
        refused: dict[str, str] = {}
        for ids in _batches(service_ids):
            asked = list(ids)
            while asked:
                try:
                    found |= self._traffic(environment, asked, window, step_seconds)
                    break
                except Denied as error:
                    culprits = {asked[n]: error.words for n in error.places if n < len(asked)}
                    if not culprits:
                        raise
                    refused |= culprits
                    asked = [one for one in asked if one not in refused]
        return Traffic(by_service=found, refused=refused)

    def _traffic(
        self, environment: Environment, ids: Sequence[str], window: Window, step_seconds: int
    ) -> dict[str, tuple[TrafficMinute, ...]]:
        asked: dict[str, object] = {
            "environmentId": environment.environment_id,
            "step": step_seconds,
        } | _span(window)
        asked |= {f"s{n}": one for n, one in enumerate(ids)}
        answer, _ = self._ask(wire.Traffic, documents.traffic(len(ids)), asked)
        start = int(window.start.timestamp())
        return {one: series.minutes(*answer.of(n), start, step_seconds) for n, one in enumerate(ids)}

    def container_starts(self, environment: Environment, window: Window) -> tuple[ContainerStart, ...]:
        """Every start of a container in the environment that the platform logged, oldest first."""
        asked: dict[str, object] = {
            "environmentId": environment.environment_id,
            "filter": STARTING,
        } | _span(window)
        asked |= {"limit": LINES_AT_MOST, "after": 0}
        answer, _ = self._ask(lines.EnvironmentLogs, documents.ENVIRONMENT_LOGS, asked)
        found = [
            ContainerStart(at=line.timestamp, deployment_id=line.deployment_id)
            for line in _within(window, (log.noun() for log in answer.environment_logs))
            # A service may well print these words inside a line of its own.
            if line.deployment_id and line.message.strip() == STARTING
        ]
        return tuple(sorted(found, key=lambda one: one.at))

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
        answer, _ = self._ask(lines.DeploymentLogs, documents.DEPLOYMENT_LOGS, asked)
        return _ordered(log.noun(deployment_id) for log in answer.deployment_logs)[-limit:]

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
        answer, _ = self._ask(lines.BuildLogs, documents.BUILD_LOGS, asked)
        return _ordered(log.noun(deployment_id) for log in answer.build_logs)[-limit:]

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
        answer, _ = self._ask(lines.HttpLogs, documents.HTTP_LOGS, asked)
        return _ordered(_within(window, (log.noun() for log in answer.http_logs)))[-limit:]

    # ---- asking ------------------------------------------------------------------------------

    def _ask(
        self, shape: type[M], document: str, variables: Mapping[str, object]
    ) -> tuple[M, tuple[str, ...]]:
        """The answer, and a sentence for each part that came as null beside an error."""
        return self._transport.ask(shape, document, variables)

    def _pages(
        self,
        shape: type[M],
        document: str,
        pick: Callable[[M], wire.Page[N]],
        variables: Mapping[str, object],
        most: int = PAGE * PAGES_AT_MOST,
    ) -> _Pages[M, N]:
        """Up to `most` nodes of a connection, following its cursors."""
        nodes: list[N] = []
        size = min(PAGE, most)
        first, missing = self._ask(shape, document, {**variables, "first": size})
        answer, seen = first, {""}
        while True:
            page = pick(answer)
            nodes += page.nodes
            cursor = page.page_info.end_cursor or ""
            if not page.page_info.has_next_page or len(nodes) >= most:
                break
            if cursor in seen or len(seen) > PAGES_AT_MOST:
                raise RailwayRefused("Railway's pages turn in a circle: the list is not complete")
            seen.add(cursor)
            answer, more = self._ask(shape, document, {**variables, "first": size, "after": cursor})
            missing += more
        return _Pages(tuple(nodes[:most]), first, tuple(dict.fromkeys(missing)))


Line = TypeVar("Line", LogLine, HttpLine)


def _ordered(found: Iterable[Line]) -> list[Line]:
    return sorted(found, key=lambda line: line.timestamp)


def _within(window: Window, found: Iterable[Line]) -> list[Line]:
    return [line for line in found if window.start <= line.timestamp <= window.end]


def _batches(ids: Sequence[str]) -> Iterator[tuple[str, ...]]:
    rest = iter(ids)
    while batch := tuple(islice(rest, BATCH)):
        yield batch


def _bounded(limit: int) -> int:
    return max(1, min(limit, LINES_AT_MOST))


def _ids(environment: Environment) -> dict[str, object]:
    return {"projectId": environment.project_id, "environmentId": environment.environment_id}


def _span(window: Window) -> dict[str, object]:
    return {"start": window.start.isoformat(), "end": window.end.isoformat()}
