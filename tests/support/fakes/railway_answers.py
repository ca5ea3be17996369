"""Resolvers of the fake Railway, one per root field. The caller holds the world's lock."""

# ruff: noqa: N803  (methods and arguments bear the names of the schema)

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from graphql import GraphQLError

from tests.support.fakes import log_filter, railway_series, rollbacks
from tests.support.fakes.railway_rules import Rules
from tests.support.fakes.railway_types import (
    LogRow,
    Lookup,
    Neighbour,
    NetworkFlow,
    Request,
    World,
    WorldDeployment,
    WorldService,
)

DEFAULT_LINES = 100  # lines of a log query without a limit
MAX_LINES = 5000  # the most that Railway returns
DEFAULT_PAGE = 20  # nodes of a page without `first`
NOT_AUTHORIZED = "Not Authorized"
Json = dict[str, Any]
T = TypeVar("T")


class Answers:
    """The root value of a query: one method per root field, with the name of the field.

    `holder` is the kind of token: `account`, `workspace` (may not change rules), `project` (sees its own environment
    only) or `stranger` (sees nothing).
    """

    def __init__(
        self, world: World, holder: str, page_limit: int | None, silent: set[str], untagged: set[str],
        rules: Rules,
    ) -> None:  # fmt: skip
        self.world, self.holder, self.page_limit = world, holder, page_limit
        self.silent, self.untagged, self.rules = silent, untagged, rules

    # ---- tokens and shape --------------------------------------------------------------------

    def apiToken(self, _info: Any) -> Json:
        if self.holder not in ("account", "workspace"):
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

    def projects(self, info: Any, workspaceId: str | None = None, **page: Any) -> Json:
        self._let_in()
        if self.holder == "project" or (self.holder == "workspace" and workspaceId is None):
            raise GraphQLError(NOT_AUTHORIZED)
        if workspaceId not in (None, self.world.workspace_id):
            raise GraphQLError(NOT_AUTHORIZED)
        return self._pages([self._project(), *map(self._neighbour, self.world.neighbours)])(info, **page)

    def _neighbour(self, neighbour: Neighbour) -> Json:
        environment = {
            "id": neighbour.environment_id,
            "name": neighbour.environment_name,
            "projectId": neighbour.project_id,
            "isEphemeral": neighbour.is_ephemeral,
            "canAccess": True,
        }
        return {
            "id": neighbour.project_id,
            "name": neighbour.project_name,
            "workspaceId": self.world.workspace_id,
            "environments": self._pages([environment]),
        }

    # ---- notification rules ------------------------------------------------------------------

    def notificationRules(self, _info: Any, workspaceId: str, projectId: str | None = None) -> list[Json]:
        return self.rules.listed(self.holder, workspaceId, projectId)

    def notificationRuleCreate(self, _info: Any, input: Json) -> Json:
        return self.rules.create(self.holder, input)

    def notificationRuleUpdate(self, _info: Any, id: str, input: Json) -> Json:
        return self.rules.update(self.holder, id, input)

    def notificationRuleDelete(self, _info: Any, id: str) -> bool:
        return self.rules.delete(self.holder, id)

    def webhookTest(self, _info: Any, url: str, payload: str) -> int:
        return self.rules.test(self.holder, url, payload)

    # ---- the project -------------------------------------------------------------------------

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
        deployments = {deployment.id: deployment for deployment in service.deployments}
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
                self._deployment(deployments[name]) for name in service.active if name in deployments
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

    def events(self, info: Any, projectId: str, environmentId: str | None = None, **arguments: Any) -> Json:
        self._let_in(project=projectId, environment=environmentId)
        action_filter = arguments.pop("filter", None) or {}
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
        return self._pages(rows)(info, **arguments)

    # ---- deployments -------------------------------------------------------------------------

    def deployments(self, info: Any, input: Json, **page: Any) -> Json:
        self._let_in(project=input.get("projectId"), environment=input.get("environmentId"))
        services = [
            service for service in self.world.services if input.get("serviceId") in (None, service.id)
        ]
        status = input.get("status") or {}
        statuses, unwanted = status.get("in"), status.get("notIn") or []
        rows = [
            self._deployment(deployment)
            for deployment in self._newest_first(services)
            if (statuses is None or deployment.status in statuses) and deployment.status not in unwanted
        ]
        return self._pages(rows)(info, **page)

    def deployment(self, _info: Any, id: str) -> Json:
        return self._deployment(self._find(id))

    def deploymentRollback(self, _info: Any, id: str) -> bool:
        return rollbacks.roll_back(self.world, self._find(id))

    def deploymentRedeploy(self, _info: Any, id: str, usePreviousImageTag: bool | None = None) -> Json:
        return self._deployment(
            rollbacks.redeploy(self.world, self._find(id), keeps_image=bool(usePreviousImageTag))
        )

    def _newest_first(self, services: Iterable[WorldService]) -> list[WorldDeployment]:
        return sorted(
            (deployment for service in services for deployment in service.deployments),
            key=lambda deployment: -deployment.created_at,
        )

    def _deployment(self, deployment: WorldDeployment) -> Json:
        return {
            "id": deployment.id,
            "status": deployment.status,
            "createdAt": moment(deployment.created_at),
            "updatedAt": moment(deployment.status_at or deployment.created_at),
            "statusUpdatedAt": None if deployment.status_at is None else moment(deployment.status_at),
            "serviceId": deployment.service_id,
            "environmentId": self.world.environment_id,
            "projectId": self.world.project_id,
            "deploymentStopped": deployment.stopped,
            "canRedeploy": deployment.status not in ("SKIPPED", "NEEDS_APPROVAL"),
            "canRollback": rollbacks.can_roll_back(deployment),
            "staticUrl": None,
            "url": None,
            "meta": deployment.meta,
            "instances": [{"id": name, "status": status} for name, status in deployment.instances],
        }

    def _find(self, deployment_id: str) -> WorldDeployment:
        if self.holder == "stranger":
            raise GraphQLError(NOT_AUTHORIZED)
        for service in self.world.services:
            for deployment in service.deployments:
                if deployment.id == deployment_id:
                    return deployment
        raise GraphQLError("Deployment not found")

    # ---- logs --------------------------------------------------------------------------------

    def deploymentLogs(self, _info: Any, deploymentId: str, **arguments: Any) -> list[Json]:
        deployment = self._find(deploymentId)
        return self._ranged([(deployment, row) for row in deployment.logs], arguments)

    def buildLogs(self, _info: Any, deploymentId: str, **arguments: Any) -> list[Json]:
        deployment = self._find(deploymentId)
        return self._ranged([(deployment, row) for row in deployment.build_logs], arguments)

    def environmentLogs(self, _info: Any, environmentId: str, **arguments: Any) -> list[Json]:
        self._let_in(environment=environmentId)
        every = [
            (deployment, row)
            for service in self.world.services
            for deployment in service.deployments
            for row in deployment.logs
        ]
        chosen = anchored(self._filtered(every, arguments), lambda pair: pair[1].at, arguments)
        return [self._line(deployment, row) for deployment, row in chosen]

    def dnsQueryLogs(self, _info: Any, environmentId: str, **arguments: Any) -> list[Json]:
        self._let_in(environment=environmentId)
        means = matcher(arguments)
        every = [
            (service, entry)
            for service in self.world.services
            for entry in service.lookups
            if arguments.get("serviceId") in (None, service.id)
        ]
        matching = [(service, entry) for service, entry in every if means(entry.qname, dns_facts(entry))]
        return [
            lookup(service, entry)
            for service, entry in anchored(matching, lambda pair: pair[1].at, arguments)
        ]

    def networkFlowLogs(self, _info: Any, environmentId: str, **arguments: Any) -> list[Json]:
        self._let_in(environment=environmentId)
        means = matcher(arguments)
        matching = [
            (service, flow)
            for service in self.world.services
            for flow in service.flows
            if arguments.get("serviceId") in (None, service.id) and means(flow.address, flow_facts(flow))
        ]
        return [
            flow_row(service, flow, number)
            for number, (service, flow) in enumerate(anchored(matching, lambda pair: pair[1].at, arguments))
        ]

    def httpLogs(self, _info: Any, deploymentId: str, **arguments: Any) -> list[Json]:
        self._find(deploymentId)
        means = matcher(arguments)
        every = [request for service in self.world.services for request in service.requests]
        ours = [
            request
            for request in every
            if request.deployment_id == deploymentId
            and means(f"{request.method} {request.path}", http_facts(request))
        ]
        return [http_line(request) for request in anchored(ours, lambda request: request.at, arguments)]

    def _ranged(self, pairs: list[tuple[WorldDeployment, LogRow]], arguments: Json) -> list[Json]:
        start, end = date(arguments.get("startDate"), 0), date(arguments.get("endDate"), float("inf"))
        chosen = sorted(
            (pair for pair in self._filtered(pairs, arguments) if start <= pair[1].at <= end),
            key=lambda pair: pair[1].at,
        )
        # Production answers one line more than was asked for.
        return [
            self._line(deployment, row) for deployment, row in chosen[-limit(arguments.get("limit")) - 1 :]
        ]

    def _filtered(
        self, pairs: list[tuple[WorldDeployment, LogRow]], arguments: Json
    ) -> list[tuple[WorldDeployment, LogRow]]:
        means = matcher(arguments)
        return [
            (deployment, row)
            for deployment, row in pairs
            if means(
                row.message,
                {"level": row.severity or "info", "service": deployment.service_id} | row.attributes,
            )
        ]

    def _line(self, deployment: WorldDeployment, row: LogRow) -> Json:
        level = {"level": row.severity} if row.severity else {}
        tags = {
            "projectId": self.world.project_id,
            "environmentId": self.world.environment_id,
            "serviceId": deployment.service_id,
            "deploymentId": deployment.id,
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

    def metrics(self, _info: Any, startDate: str, measurements: list[str], **arguments: Any) -> list[Json]:
        self._let_in(project=arguments.get("projectId"), environment=arguments.get("environmentId"))
        start, end = date(startDate, 0), date(arguments.get("endDate"), float("inf"))
        step = arguments.get("sampleRateSeconds") or railway_series.DEFAULT_STEP
        services = [
            service for service in self.world.services if arguments.get("serviceId") in (None, service.id)
        ]
        group = [tag for tag in arguments.get("groupBy") or [] if tag not in self.untagged]
        return [
            series
            for measure in measurements
            if measure not in self.silent
            for series in railway_series.usage(self.world, services, measure, start, end, step, group)
        ]

    def httpMetricsGroupedByStatus(self, _info: Any, **arguments: Any) -> list[Json]:
        ours = self._requests(arguments)
        step = arguments.get("stepSeconds") or railway_series.DEFAULT_STEP
        return [
            {
                "statusCode": code,
                "samples": railway_series.counts(
                    (request for request in ours if request.status == code), step
                ),
            }
            for code in sorted({request.status for request in ours})
        ]

    def httpMetrics(self, _info: Any, **arguments: Any) -> Json:
        return {
            "samples": railway_series.counts(
                self._requests(arguments), arguments.get("stepSeconds") or railway_series.DEFAULT_STEP
            )
        }

    def httpDurationMetrics(self, _info: Any, **arguments: Any) -> Json:
        samples = railway_series.durations(
            self._requests(arguments), arguments.get("stepSeconds"), date(arguments["startDate"], 0)
        )
        return {"samples": samples}

    def serviceInstanceLimits(self, _info: Any, environmentId: str, serviceId: str) -> Json:
        service = self._service(environmentId, serviceId)
        memory = None if service.memory_limit is None else int(service.memory_limit * 1e9)
        return {"containers": {"cpu": service.cpu_limit, "memoryBytes": memory, "pidLimit": 1000}}

    def _requests(self, arguments: Json) -> list[Request]:
        service = self._service(arguments["environmentId"], arguments["serviceId"])
        start, end = date(arguments["startDate"], 0), date(arguments["endDate"], 0)
        wants = {name: arguments.get(name) for name in ("method", "path")} | {
            "status": arguments.get("statusCode")
        }
        return [
            request
            for request in service.requests
            if start <= request.at <= end
            and all(value in (None, getattr(request, name)) for name, value in wants.items())
        ]

    # ---- shared ------------------------------------------------------------------------------

    def _service(self, environment_id: str, service_id: str) -> WorldService:
        self._let_in(environment=environment_id)
        service = next((candidate for candidate in self.world.services if candidate.id == service_id), None)
        if service is None:
            raise GraphQLError("Service not found")
        return service

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


def anchored(rows: list[T], at: Callable[[T], float], arguments: Json) -> list[T]:
    """Lines from `beforeDate` up to the anchor, and lines after the anchor until `afterDate`."""
    rows = sorted(rows, key=at)
    anchor = date(arguments.get("anchorDate"), float("inf"))
    oldest, youngest = date(arguments.get("beforeDate"), 0), date(arguments.get("afterDate"), float("inf"))
    before = [row for row in rows if oldest <= at(row) <= anchor]
    after = [row for row in rows if anchor < at(row) <= youngest]
    most = (
        arguments.get("beforeLimit") if arguments.get("beforeLimit") is not None else arguments.get("limit")
    )
    count = limit(most)
    tail = limit(arguments["afterLimit"]) if arguments.get("afterLimit") else 0
    return (before[-count:] if count else []) + after[:tail]


def limit(lines: int | None) -> int:
    if lines is not None and not 0 <= lines <= MAX_LINES:
        raise GraphQLError(f"limit must be between 0 and {MAX_LINES}")
    return DEFAULT_LINES if lines is None else lines


def matcher(arguments: Json) -> log_filter.Matches:
    try:
        return log_filter.parse(arguments.get("filter") or "")
    except ValueError as error:
        raise GraphQLError(f"Invalid filter: {error}") from error


def _listed(choice: Json | None, value: str) -> bool:
    allowed = (choice or {}).get("in")
    return (allowed is None or value in allowed) and value not in ((choice or {}).get("notIn") or [])


def lookup(service: WorldService, entry: Lookup) -> Json:
    return {
        "queriedAt": nanoseconds(entry.at),
        "qname": entry.qname,
        "qtype": "AAAA",
        "rcode": entry.rcode,
        "queryZone": entry.zone,
        "answers": ["fd12::1"] if entry.rcode == "NOERROR" else [],
        "cnameChain": [],
        "serviceId": service.id,
        "deploymentId": entry.deployment_id,
        "deploymentInstanceId": entry.instance_id,
    }


def dns_facts(entry: Lookup) -> dict[str, str | float]:
    status = "ok" if entry.rcode == "NOERROR" else "failed"
    return {"qname": entry.qname, "zone": entry.zone, "rcode": entry.rcode, "status": status}


def flow_facts(flow: NetworkFlow) -> dict[str, str | float]:
    return {
        "direction": flow.direction,
        "status": "dropped" if flow.drop_cause else "ok",
        "dropped": "true" if flow.drop_cause else "false",
        "drop_cause": flow.drop_cause,
        "peer_kind": flow.peer_kind,
        "port": float(flow.port),
        "dst": flow.address,
        "protocol": "tcp",
    }


def flow_row(service: WorldService, flow: NetworkFlow, number: int) -> Json:
    return {
        "flowId": f"flow-{number}",
        "flowState": "complete",
        "captureStart": nanoseconds(flow.at),
        "captureEnd": nanoseconds(flow.at + 1),
        "direction": flow.direction,
        "srcAddr": "fd12::9",
        "srcPort": 40_000 + number,
        "dstAddr": flow.address,
        "dstPort": flow.port,
        "l4Protocol": "tcp",
        "l4LatencyMs": flow.latency_ms,
        "peerKind": flow.peer_kind,
        "peerServiceId": flow.peer_id or None,
        "dropCause": flow.drop_cause or None,
        "packetCount": flow.packets,
        "byteCount": flow.bytes,
        "serviceId": service.id,
        "deploymentId": "",
        "deploymentInstanceId": "",
    }


def http_facts(request: Request) -> dict[str, str | float]:
    return {
        "method": request.method,
        "path": request.path,
        "host": request.host,
        "httpStatus": float(request.status),
        "totalDuration": float(request.ms),
        "responseTime": float(request.ms),
        "responseDetails": request.response_details,
        "upstreamAddress": request.upstream_address,
        "deploymentId": request.deployment_id,
        "deploymentInstanceId": request.instance_id,
    }


def http_line(request: Request) -> Json:
    return {
        "timestamp": nanoseconds(request.at),
        "requestId": f"r{request.at}",
        "method": request.method,
        "path": request.path,
        "host": request.host,
        "httpStatus": request.status,
        "totalDuration": round(request.ms),
        "upstreamRqDuration": round(request.ms),
        "responseDetails": request.response_details,
        "upstreamErrors": request.upstream_errors,
        "upstreamAddress": request.upstream_address,
        "upstreamProto": "HTTP/1.1",
        "downstreamProto": "HTTP/2.0",
        "clientUa": "curl/8",
        "srcIp": "203.0.113.9",
        "edgeRegion": "europe-west4",
        "txBytes": 100,
        "rxBytes": 100,
        "deploymentId": request.deployment_id,
        "deploymentInstanceId": request.instance_id,
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
