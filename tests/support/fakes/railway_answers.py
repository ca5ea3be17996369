"""Resolvers of the fake Railway, one per root field. The caller holds the world's lock."""

# ruff: noqa: N803  (methods and arguments bear the names of the schema)

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from graphql import GraphQLError

from tests.support.fakes import log_filter, railway_series
from tests.support.fakes.railway_types import LogRow, Lookup, Request, World, WorldDeployment, WorldService

DEFAULT_LINES = 100  # lines of a log query without a limit
MAX_LINES = 5000  # the most that Railway returns
DEFAULT_PAGE = 20  # nodes of a page without `first`
NOT_AUTHORIZED = "Not Authorized"
Json = dict[str, Any]
T = TypeVar("T")


class Answers:
    """The root value of a query: one method per root field, with the name of the field.

    `holder` is the kind of token: `account`, `project` (sees its own environment only) or `stranger` (sees nothing).
    """

    def __init__(
        self, world: World, holder: str, page_limit: int | None, silent: set[str], untagged: set[str]
    ) -> None:
        self.world, self.holder, self.page_limit = world, holder, page_limit
        self.silent, self.untagged = silent, untagged

    # ---- tokens and shape --------------------------------------------------------------------

    def apiToken(self, _info: Any) -> Json:
        if self.holder != "account":
            raise GraphQLError(NOT_AUTHORIZED)
        return {"workspaces": [{"id": self.world.workspace_id, "name": "workspace"}]}

    def projectToken(self, _info: Any) -> Json:
        if self.holder != "project":
            raise GraphQLError("Project Token not found" if self.holder == "account" else NOT_AUTHORIZED)
        ids = {"projectId": self.world.project_id, "environmentId": self.world.environment_id}
        return ids | {
            "id": "token-1",
            "name": "trackwalker",
            "createdAt": moment(0),
            "project": self._project(),
            "environment": self._environment(),
        }

    def platformStatus(self, _info: Any) -> Json:
        says = self.world.platform_incident
        incident = {
            "id": "1",
            "status": "INVESTIGATING",
            "message": says,
            "url": "https://status.railway.com",
            "createdAt": None,
        }
        return {"isStable": says is None, "incident": incident if says else None}

    def project(self, _info: Any, id: str) -> Json:
        self._let_in(project=id)
        return self._project()

    def environments(self, info: Any, projectId: str, **page: Any) -> Json:
        self._let_in(project=projectId)
        return self._pages([self._environment()])(info, **page)

    def environment(self, _info: Any, id: str, projectId: str | None = None) -> Json:
        self._let_in(project=projectId, environment=id)
        return self._environment()

    def _project(self) -> Json:
        world = self.world
        services = [
            {"id": one.id, "name": one.name, "projectId": world.project_id, "createdAt": moment(0)}
            for one in world.services
        ]
        return {
            "id": world.project_id,
            "name": world.project_name,
            "workspaceId": world.workspace_id,
            "createdAt": moment(0),
            "environments": lambda info, **page: self.environments(info, world.project_id, **page),
            "services": self._pages(services),
        }

    def _environment(self) -> Json:
        world = self.world
        deployments = self._newest_first(world.services)
        return {
            "id": world.environment_id,
            "name": world.environment_name,
            "isEphemeral": False,
            "projectId": world.project_id,
            "canAccess": True,
            "createdAt": moment(0),
            "serviceInstances": self._pages([self._instance(one) for one in world.services]),
            "volumeInstances": self._pages(
                [volume for one in world.services for volume in self._volumes(one)]
            ),
            "variables": self._pages(self._variables()),
            "deploymentTriggers": self._pages([self._trigger(one) for one in world.services if one.repo]),
            "deployments": self._pages([self._deployment(one) for one in deployments]),
        }

    def _instance(self, service: WorldService) -> Json:
        known = {one.id: one for one in service.deployments}
        domain = {"serviceId": service.id, "environmentId": self.world.environment_id, "targetPort": None}
        return {
            "id": f"instance-{service.id}",
            "serviceId": service.id,
            "serviceName": service.name,
            "environmentId": self.world.environment_id,
            "region": None,
            "numReplicas": 1,  # the legacy field says 1 whatever the regions hold, as production does
            "rootDirectory": service.root_directory,
            "startCommand": service.start_command,
            "cronSchedule": service.cron,
            "sleepApplication": service.sleeps,
            "healthcheckPath": None,
            "restartPolicyType": "ON_FAILURE",
            "restartPolicyMaxRetries": 10,
            "source": {"repo": service.repo, "image": service.image},
            "domains": {
                "serviceDomains": [domain | {"id": name, "domain": name} for name in service.domains],
                "customDomains": [],
            },
            "latestDeployment": self._deployment(service.deployments[0]) if service.deployments else None,
            "activeDeployments": [self._deployment(known[one]) for one in service.active if one in known],
        }

    def _volumes(self, service: WorldService) -> list[Json]:
        return [
            {
                "id": f"instance-{one.id}",
                "volumeId": one.id,
                "serviceId": service.id if service.volumes_attached else None,
                "environmentId": self.world.environment_id,
                "mountPath": one.mount_path,
                "currentSizeMB": one.used_mb,
                "sizeMB": one.size_mb,
                "state": "READY",
                "isPendingDeletion": one.pending_deletion,
                "volume": {"id": one.id, "name": one.name, "projectId": self.world.project_id},
            }
            for one in service.volumes
        ]

    def _trigger(self, service: WorldService) -> Json:
        return {
            "id": f"trigger-{service.id}",
            "branch": service.branch,
            "repository": service.repo,
            "serviceId": service.id,
            "environmentId": self.world.environment_id,
            "projectId": self.world.project_id,
            "provider": "github",
            "checkSuites": False,
        }

    def _variables(self) -> list[Json]:
        owners: list[tuple[str | None, dict[str, list[str]]]] = [(None, self.world.shared_variables)]
        owners += [(one.id, one.variables) for one in self.world.services]
        return [
            {
                "id": f"variable-{owner}-{name}",
                "name": name,
                "references": references,
                "serviceId": owner,
                "environmentId": self.world.environment_id,
                "isSealed": False,
                "createdAt": moment(0),
                "updatedAt": moment(0),
            }
            for owner, variables in owners
            for name, references in variables.items()
        ]

    def events(self, info: Any, projectId: str, environmentId: str | None = None, **asked: Any) -> Json:
        self._let_in(project=projectId, environment=environmentId)
        wanted = asked.pop("filter", None) or {}
        found = [
            {
                "id": f"event-{number}",
                "object": one.object,
                "action": one.action,
                "severity": one.severity,
                "createdAt": moment(one.at),
                "environmentId": self.world.environment_id,
                "projectId": self.world.project_id,
                "activityPayload": one.payload,
                "payload": one.payload,
            }
            for number, one in enumerate(sorted(self.world.events, key=lambda one: -one.at))
            if _listed(wanted.get("object"), one.object) and _listed(wanted.get("action"), one.action)
        ]
        return self._pages(found)(info, **asked)

    # ---- deployments -------------------------------------------------------------------------

    def deployments(self, info: Any, input: Json, **page: Any) -> Json:
        self._let_in(project=input.get("projectId"), environment=input.get("environmentId"))
        services = [one for one in self.world.services if input.get("serviceId") in (None, one.id)]
        status = input.get("status") or {}
        wanted, unwanted = status.get("in"), status.get("notIn") or []
        found = [
            self._deployment(one)
            for one in self._newest_first(services)
            if (wanted is None or one.status in wanted) and one.status not in unwanted
        ]
        return self._pages(found)(info, **page)

    def deployment(self, _info: Any, id: str) -> Json:
        return self._deployment(self._find(id))

    def _newest_first(self, services: Iterable[WorldService]) -> list[WorldDeployment]:
        return sorted(
            (one for service in services for one in service.deployments), key=lambda one: -one.created_at
        )

    def _deployment(self, one: WorldDeployment) -> Json:
        return {
            "id": one.id,
            "status": one.status,
            "createdAt": moment(one.created_at),
            "updatedAt": moment(one.status_at or one.created_at),
            "statusUpdatedAt": None if one.status_at is None else moment(one.status_at),
            "serviceId": one.service_id,
            "environmentId": self.world.environment_id,
            "projectId": self.world.project_id,
            "deploymentStopped": one.stopped,
            "canRedeploy": True,
            "canRollback": False,
            "staticUrl": None,
            "url": None,
            "meta": one.meta,
            "instances": [{"id": name, "status": status} for name, status in one.instances],
        }

    def _find(self, deployment_id: str) -> WorldDeployment:
        if self.holder == "stranger":
            raise GraphQLError(NOT_AUTHORIZED)
        for service in self.world.services:
            for one in service.deployments:
                if one.id == deployment_id:
                    return one
        raise GraphQLError("Deployment not found")

    # ---- logs --------------------------------------------------------------------------------

    def deploymentLogs(self, _info: Any, deploymentId: str, **asked: Any) -> list[Json]:
        one = self._find(deploymentId)
        return self._ranged([(one, row) for row in one.logs], asked)

    def buildLogs(self, _info: Any, deploymentId: str, **asked: Any) -> list[Json]:
        one = self._find(deploymentId)
        return self._ranged([(one, row) for row in one.build_logs], asked)

    def environmentLogs(self, _info: Any, environmentId: str, **asked: Any) -> list[Json]:
        self._let_in(environment=environmentId)
        every = [
            (one, row) for service in self.world.services for one in service.deployments for row in one.logs
        ]
        chosen = anchored(self._filtered(every, asked), lambda pair: pair[1].at, asked)
        return [self._line(one, row) for one, row in chosen]

    def dnsQueryLogs(self, _info: Any, environmentId: str, **asked: Any) -> list[Json]:
        self._let_in(environment=environmentId)
        means = matcher(asked)
        every = [
            (service, one)
            for service in self.world.services
            for one in service.lookups
            if asked.get("serviceId") in (None, service.id)
        ]
        meant = [
            (service, one)
            for service, one in every
            if means(one.qname, {"qname": one.qname, "zone": one.zone, "rcode": one.rcode})
        ]
        return [lookup(service, one) for service, one in anchored(meant, lambda pair: pair[1].at, asked)]

    def httpLogs(self, _info: Any, deploymentId: str, **asked: Any) -> list[Json]:
        self._find(deploymentId)
        means = matcher(asked)
        every = [request for service in self.world.services for request in service.requests]
        ours = [
            one
            for one in every
            if one.deployment_id == deploymentId and means(f"{one.method} {one.path}", http_facts(one))
        ]
        return [http_line(one) for one in anchored(ours, lambda one: one.at, asked)]

    def _ranged(self, pairs: list[tuple[WorldDeployment, LogRow]], asked: Json) -> list[Json]:
        start, end = date(asked.get("startDate"), 0), date(asked.get("endDate"), float("inf"))
        chosen = sorted(
            (pair for pair in self._filtered(pairs, asked) if start <= pair[1].at <= end),
            key=lambda pair: pair[1].at,
        )
        # Production answers one line more than was asked for.
        return [self._line(one, row) for one, row in chosen[-limit(asked.get("limit")) - 1 :]]

    def _filtered(
        self, pairs: list[tuple[WorldDeployment, LogRow]], asked: Json
    ) -> list[tuple[WorldDeployment, LogRow]]:
        means = matcher(asked)
        return [
            (one, row)
            for one, row in pairs
            if means(
                row.message, {"level": row.severity or "info", "service": one.service_id} | row.attributes
            )
        ]

    def _line(self, one: WorldDeployment, row: LogRow) -> Json:
        level = {"level": row.severity} if row.severity else {}
        tags = {
            "projectId": self.world.project_id,
            "environmentId": self.world.environment_id,
            "serviceId": one.service_id,
            "deploymentId": one.id,
            "deploymentInstanceId": row.instance_id or None,
        }
        return {
            "timestamp": nanoseconds(row.at),
            "message": row.message,
            "severity": row.severity,
            "attributes": [
                {"key": key, "value": json.dumps(value)} for key, value in (level | row.attributes).items()
            ],
            "tags": tags,
        }

    # ---- metrics -----------------------------------------------------------------------------

    def metrics(self, _info: Any, startDate: str, measurements: list[str], **asked: Any) -> list[Json]:
        self._let_in(project=asked.get("projectId"), environment=asked.get("environmentId"))
        start, end = date(startDate, 0), date(asked.get("endDate"), float("inf"))
        step = asked.get("sampleRateSeconds") or railway_series.DEFAULT_STEP
        services = [one for one in self.world.services if asked.get("serviceId") in (None, one.id)]
        group = [tag for tag in asked.get("groupBy") or [] if tag not in self.untagged]
        return [
            series
            for measure in measurements
            if measure not in self.silent
            for series in railway_series.usage(self.world, services, measure, start, end, step, group)
        ]

    def httpMetricsGroupedByStatus(self, _info: Any, **asked: Any) -> list[Json]:
        ours = self._requests(asked)
        step = asked.get("stepSeconds") or railway_series.DEFAULT_STEP
        return [
            {
                "statusCode": code,
                "samples": railway_series.counts((one for one in ours if one.status == code), step),
            }
            for code in sorted({one.status for one in ours})
        ]

    def httpMetrics(self, _info: Any, **asked: Any) -> Json:
        return {
            "samples": railway_series.counts(
                self._requests(asked), asked.get("stepSeconds") or railway_series.DEFAULT_STEP
            )
        }

    def httpDurationMetrics(self, _info: Any, **asked: Any) -> Json:
        samples = railway_series.durations(
            self._requests(asked), asked.get("stepSeconds"), date(asked["startDate"], 0)
        )
        return {"samples": samples}

    def serviceInstanceLimits(self, _info: Any, environmentId: str, serviceId: str) -> Json:
        service = self._service(environmentId, serviceId)
        memory = None if service.memory_limit is None else int(service.memory_limit * 1e9)
        return {"containers": {"cpu": service.cpu_limit, "memoryBytes": memory, "pidLimit": 1000}}

    def _requests(self, asked: Json) -> list[Request]:
        service = self._service(asked["environmentId"], asked["serviceId"])
        start, end = date(asked["startDate"], 0), date(asked["endDate"], 0)
        wants = {name: asked.get(name) for name in ("method", "path")} | {"status": asked.get("statusCode")}
        return [
            one
            for one in service.requests
            if start <= one.at <= end
            and all(value in (None, getattr(one, name)) for name, value in wants.items())
        ]

    # ---- shared ------------------------------------------------------------------------------

    def _service(self, environment_id: str, service_id: str) -> WorldService:
        self._let_in(environment=environment_id)
        found = next((one for one in self.world.services if one.id == service_id), None)
        if found is None:
            raise GraphQLError("Service not found")
        return found

    def _let_in(self, *, project: str | None = None, environment: str | None = None) -> None:
        if self.holder == "stranger":
            raise GraphQLError(NOT_AUTHORIZED)
        here = project in (None, self.world.project_id) and environment in (None, self.world.environment_id)
        if not here and self.holder == "project":
            raise GraphQLError(NOT_AUTHORIZED)
        if not here:
            raise GraphQLError(
                "Project not found"
                if project not in (None, self.world.project_id)
                else "Environment not found"
            )

    def _pages(self, nodes: list[Json]) -> Callable[..., Json]:
        """A page of a connection. A cursor is an index in the list."""

        def page(_info: Any, first: int | None = None, after: str | None = None, **_backwards: Any) -> Json:
            begin = int(after.removeprefix("c")) + 1 if after else 0
            size = min(first or DEFAULT_PAGE, self.page_limit or 1000)
            edges = [{"cursor": f"c{at}", "node": node} for at, node in enumerate(nodes)][
                begin : begin + size
            ]
            return {
                "edges": edges,
                "pageInfo": {
                    "hasNextPage": begin + size < len(nodes),
                    "hasPreviousPage": begin > 0,
                    "startCursor": edges[0]["cursor"] if edges else None,
                    "endCursor": edges[-1]["cursor"] if edges else None,
                },
            }

        return page


def anchored(rows: list[T], at: Callable[[T], float], asked: Json) -> list[T]:
    """Lines from `beforeDate` up to the anchor, and lines after the anchor until `afterDate`."""
    rows = sorted(rows, key=at)
    anchor = date(asked.get("anchorDate"), float("inf"))
    oldest, youngest = date(asked.get("beforeDate"), 0), date(asked.get("afterDate"), float("inf"))
    before = [row for row in rows if oldest <= at(row) <= anchor]
    after = [row for row in rows if anchor < at(row) <= youngest]
    most = asked.get("beforeLimit") if asked.get("beforeLimit") is not None else asked.get("limit")
    count = limit(most)
    tail = limit(asked["afterLimit"]) if asked.get("afterLimit") else 0
    return (before[-count:] if count else []) + after[:tail]


def limit(asked: int | None) -> int:
    if asked is not None and not 0 <= asked <= MAX_LINES:
        raise GraphQLError(f"limit must be between 0 and {MAX_LINES}")
    return DEFAULT_LINES if asked is None else asked


def matcher(asked: Json) -> log_filter.Matches:
    try:
        return log_filter.parse(asked.get("filter") or "")
    except ValueError as error:
        raise GraphQLError(f"Invalid filter: {error}") from error


def _listed(wanted: Json | None, value: str) -> bool:
    allowed = (wanted or {}).get("in")
    return (allowed is None or value in allowed) and value not in ((wanted or {}).get("notIn") or [])


def lookup(service: WorldService, one: Lookup) -> Json:
    return {
        "queriedAt": nanoseconds(one.at),
        "qname": one.qname,
        "qtype": "AAAA",
        "rcode": one.rcode,
        "queryZone": one.zone,
        "answers": ["fd12::1"] if one.rcode == "NOERROR" else [],
        "cnameChain": [],
        "serviceId": service.id,
        "deploymentId": one.deployment_id,
        "deploymentInstanceId": one.instance_id,
    }


def http_facts(one: Request) -> dict[str, str | float]:
    return {
        "method": one.method,
        "path": one.path,
        "host": one.host,
        "httpStatus": float(one.status),
        "totalDuration": float(one.ms),
        "responseTime": float(one.ms),
        "responseDetails": one.response_details,
        "upstreamAddress": one.upstream_address,
        "deploymentId": one.deployment_id,
        "deploymentInstanceId": one.instance_id,
    }


def http_line(one: Request) -> Json:
    return {
        "timestamp": nanoseconds(one.at),
        "requestId": f"r{one.at}",
        "method": one.method,
        "path": one.path,
        "host": one.host,
        "httpStatus": one.status,
        "totalDuration": round(one.ms),
        "upstreamRqDuration": round(one.ms),
        "responseDetails": one.response_details,
        "upstreamErrors": one.upstream_errors,
        "upstreamAddress": one.upstream_address,
        "upstreamProto": "HTTP/1.1",
        "downstreamProto": "HTTP/2.0",
        "clientUa": "curl/8",
        "srcIp": "203.0.113.9",
        "edgeRegion": "europe-west4",
        "txBytes": 100,
        "rxBytes": 100,
        "deploymentId": one.deployment_id,
        "deploymentInstanceId": one.instance_id,
    }


def date(text: str | None, absent: float) -> float:
    """Epoch seconds of a DateTime argument."""
    if text is None:
        return absent
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise GraphQLError("Invalid date") from error


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def nanoseconds(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "001Z"
