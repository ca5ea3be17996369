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
            {"id": service.id, "name": service.name, "projectId": world.project_id, "createdAt": moment(0)}
            for service in world.services
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
            "serviceInstances": self._pages([self._instance(service) for service in world.services]),
            "volumeInstances": self._pages(
                [volume for service in world.services for volume in self._volumes(service)]
            ),
            "variables": self._pages(self._variables()),
            "deploymentTriggers": self._pages(
                [self._trigger(service) for service in world.services if service.repo]
            ),
            "deployments": self._pages([self._deployment(service) for service in deployments]),
        }

    def _instance(self, service: WorldService) -> Json:
        deployments = {item.id: item for item in service.deployments}
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
            "activeDeployments": [
                self._deployment(deployments[item]) for item in service.active if item in deployments
            ],
        }

    def _volumes(self, service: WorldService) -> list[Json]:
        return [
            {
                "id": f"instance-{volume.id}",
                "volumeId": volume.id,
                "serviceId": service.id if service.volumes_attached else None,
                "environmentId": self.world.environment_id,
                "mountPath": volume.mount_path,
                "currentSizeMB": volume.used_mb,
                "sizeMB": volume.size_mb,
                "state": "READY",
                "isPendingDeletion": volume.pending_deletion,
                "volume": {"id": volume.id, "name": volume.name, "projectId": self.world.project_id},
            }
            for volume in service.volumes
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
        owners += [(service.id, service.variables) for service in self.world.services]
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
        action_filter = asked.pop("filter", None) or {}
        rows = [
            {
                "id": f"event-{number}",
                "object": event.object,
                "action": event.action,
                "severity": event.severity,
                "createdAt": moment(event.at),
                "environmentId": self.world.environment_id,
                "projectId": self.world.project_id,
                "activityPayload": event.payload,
                "payload": event.payload,
            }
            for number, event in enumerate(sorted(self.world.events, key=lambda event: -event.at))
            if _listed(action_filter.get("object"), event.object)
            and _listed(action_filter.get("action"), event.action)
        ]
        return self._pages(rows)(info, **asked)

    # ---- deployments -------------------------------------------------------------------------

    def deployments(self, info: Any, input: Json, **page: Any) -> Json:
        self._let_in(project=input.get("projectId"), environment=input.get("environmentId"))
        services = [item for item in self.world.services if input.get("serviceId") in (None, item.id)]
        status = input.get("status") or {}
        statuses, unwanted = status.get("in"), status.get("notIn") or []
        found = [
            self._deployment(item)
            for item in self._newest_first(services)
            if (statuses is None or item.status in statuses) and item.status not in unwanted
        ]
        return self._pages(found)(info, **page)

    def deployment(self, _info: Any, id: str) -> Json:
        return self._deployment(self._find(id))

    def _newest_first(self, services: Iterable[WorldService]) -> list[WorldDeployment]:
        return sorted(
            (item for service in services for item in service.deployments), key=lambda item: -item.created_at
        )

    def _deployment(self, item: WorldDeployment) -> Json:
        return {
            "id": item.id,
            "status": item.status,
            "createdAt": moment(item.created_at),
            "updatedAt": moment(item.status_at or item.created_at),
            "statusUpdatedAt": None if item.status_at is None else moment(item.status_at),
            "serviceId": item.service_id,
            "environmentId": self.world.environment_id,
            "projectId": self.world.project_id,
            "deploymentStopped": item.stopped,
            "canRedeploy": True,
            "canRollback": False,
            "staticUrl": None,
            "url": None,
            "meta": item.meta,
            "instances": [{"id": name, "status": status} for name, status in item.instances],
        }

    def _find(self, deployment_id: str) -> WorldDeployment:
        if self.holder == "stranger":
            raise GraphQLError(NOT_AUTHORIZED)
        for service in self.world.services:
            for item in service.deployments:
                if item.id == deployment_id:
                    return item
        raise GraphQLError("Deployment not found")

    # ---- logs --------------------------------------------------------------------------------

    def deploymentLogs(self, _info: Any, deploymentId: str, **asked: Any) -> list[Json]:
        deployment = self._find(deploymentId)
        return self._ranged([(deployment, row) for row in deployment.logs], asked)

    def buildLogs(self, _info: Any, deploymentId: str, **asked: Any) -> list[Json]:
        deployment = self._find(deploymentId)
        return self._ranged([(deployment, row) for row in deployment.build_logs], asked)

    def environmentLogs(self, _info: Any, environmentId: str, **asked: Any) -> list[Json]:
        self._let_in(environment=environmentId)
        every = [
            (item, row)
            for service in self.world.services
            for item in service.deployments
            for row in item.logs
        ]
        chosen = anchored(self._filtered(every, asked), lambda pair: pair[1].at, asked)
        return [self._line(item, row) for item, row in chosen]

    def dnsQueryLogs(self, _info: Any, environmentId: str, **asked: Any) -> list[Json]:
        self._let_in(environment=environmentId)
        means = matcher(asked)
        every = [
            (service, lookup_)
            for service in self.world.services
            for lookup_ in service.lookups
            if asked.get("serviceId") in (None, service.id)
        ]
        matching = [
            (service, lookup_)
            for service, lookup_ in every
            if means(lookup_.qname, {"qname": lookup_.qname, "zone": lookup_.zone, "rcode": lookup_.rcode})
        ]
        return [
            lookup(service, lookup_)
            for service, lookup_ in anchored(matching, lambda pair: pair[1].at, asked)
        ]

    def httpLogs(self, _info: Any, deploymentId: str, **asked: Any) -> list[Json]:
        self._find(deploymentId)
        means = matcher(asked)
        every = [request for service in self.world.services for request in service.requests]
        ours = [
            item
            for item in every
            if item.deployment_id == deploymentId and means(f"{item.method} {item.path}", http_facts(item))
        ]
        return [http_line(item) for item in anchored(ours, lambda item: item.at, asked)]

    def _ranged(self, pairs: list[tuple[WorldDeployment, LogRow]], asked: Json) -> list[Json]:
        start, end = date(asked.get("startDate"), 0), date(asked.get("endDate"), float("inf"))
        chosen = sorted(
            (pair for pair in self._filtered(pairs, asked) if start <= pair[1].at <= end),
            key=lambda pair: pair[1].at,
        )
        # Production answers one line more than was asked for.
        return [self._line(item, row) for item, row in chosen[-limit(asked.get("limit")) - 1 :]]

    def _filtered(
        self, pairs: list[tuple[WorldDeployment, LogRow]], asked: Json
    ) -> list[tuple[WorldDeployment, LogRow]]:
        means = matcher(asked)
        return [
            (item, row)
            for item, row in pairs
            if means(
                row.message, {"level": row.severity or "info", "service": item.service_id} | row.attributes
            )
        ]

    def _line(self, item: WorldDeployment, row: LogRow) -> Json:
        level = {"level": row.severity} if row.severity else {}
        tags = {
            "projectId": self.world.project_id,
            "environmentId": self.world.environment_id,
            "serviceId": item.service_id,
            "deploymentId": item.id,
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
        services = [item for item in self.world.services if asked.get("serviceId") in (None, item.id)]
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
                "samples": railway_series.counts((item for item in ours if item.status == code), step),
            }
            for code in sorted({item.status for item in ours})
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
            item
            for item in service.requests
            if start <= item.at <= end
            and all(value in (None, getattr(item, name)) for name, value in wants.items())
        ]

    # ---- shared ------------------------------------------------------------------------------

    def _service(self, environment_id: str, service_id: str) -> WorldService:
        self._let_in(environment=environment_id)
        found = next((item for item in self.world.services if item.id == service_id), None)
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


def lookup(service: WorldService, item: Lookup) -> Json:
    return {
        "queriedAt": nanoseconds(item.at),
        "qname": item.qname,
        "qtype": "AAAA",
        "rcode": item.rcode,
        "queryZone": item.zone,
        "answers": ["fd12::1"] if item.rcode == "NOERROR" else [],
        "cnameChain": [],
        "serviceId": service.id,
        "deploymentId": item.deployment_id,
        "deploymentInstanceId": item.instance_id,
    }


def http_facts(item: Request) -> dict[str, str | float]:
    return {
        "method": item.method,
        "path": item.path,
        "host": item.host,
        "httpStatus": float(item.status),
        "totalDuration": float(item.ms),
        "responseTime": float(item.ms),
        "responseDetails": item.response_details,
        "upstreamAddress": item.upstream_address,
        "deploymentId": item.deployment_id,
        "deploymentInstanceId": item.instance_id,
    }


def http_line(item: Request) -> Json:
    return {
        "timestamp": nanoseconds(item.at),
        "requestId": f"r{item.at}",
        "method": item.method,
        "path": item.path,
        "host": item.host,
        "httpStatus": item.status,
        "totalDuration": round(item.ms),
        "upstreamRqDuration": round(item.ms),
        "responseDetails": item.response_details,
        "upstreamErrors": item.upstream_errors,
        "upstreamAddress": item.upstream_address,
        "upstreamProto": "HTTP/1.1",
        "downstreamProto": "HTTP/2.0",
        "clientUa": "curl/8",
        "srcIp": "203.0.113.9",
        "edgeRegion": "europe-west4",
        "txBytes": 100,
        "rxBytes": 100,
        "deploymentId": item.deployment_id,
        "deploymentInstanceId": item.instance_id,
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
