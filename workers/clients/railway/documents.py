"""Every question we ask Railway, as GraphQL. Published schema, read-only: there is no mutation here.

A part is one root field under an alias of its own; `document` puts parts together into one request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

MAX_SERVICES_PER_REQUEST = 20
"""Services per request where a question must be put once per service: keeps queries well below any complexity limit."""
MAX_ERROR_LINES, MAX_LOOKUPS, MAX_STARTS = 2000, 1000, 5000
"""Lines of one answer; 5000 is what Railway gives at most, and a start is short."""
VARIABLES_PER_PAGE = 500
"""Names of variables a page: a service has about ten."""

TYPES = {
    "environmentId": "String!", "projectId": "String!", "input": "DeploymentListInput!",
    "first": "Int!", "after": "String", "start": "DateTime!", "end": "DateTime!", "step": "Int!",
    "since": "String!", "until": "String!",
}  # fmt: skip
"""Of every variable; the ids of a batch are `s0`, `s1` …"""

PAGE = "pageInfo { hasNextPage endCursor }"
DEPLOYMENT = "id status createdAt statusUpdatedAt serviceId deploymentStopped meta instances { id status }"
LINE = "timestamp message severity attributes { key value } tags { deploymentId deploymentInstanceId }"
ENVIRONMENT = "environment(id: $environmentId, projectId: $projectId)"
ANCHORED = "beforeDate: $since, anchorDate: $until, afterDate: $until, afterLimit: 0"


def _connection(alias: str, field: str, node: str, first: str = "$first", beside: str = "") -> str:
    page = f"{field}(first: {first}, after: $after) {{ edges {{ node {{ {node} }} }} {PAGE} }}"
    return f"{alias}: {ENVIRONMENT} {{ {beside}{page} }}"


OWN_ENVIRONMENT = "query OwnEnvironment { projectToken { projectId environmentId } }"
SERVICE = f"""
    serviceId serviceName numReplicas rootDirectory startCommand cronSchedule sleepApplication
    source {{ repo image }}
    domains {{ serviceDomains {{ domain }} customDomains {{ domain }} }}
    latestDeployment {{ {DEPLOYMENT} }}
    activeDeployments {{ {DEPLOYMENT} }}
"""
VOLUME = "volumeId serviceId mountPath currentSizeMB sizeMB isPendingDeletion volume { name }"

STRUCTURE = {
    "environment": _connection("environment", "serviceInstances", SERVICE, beside="name "),
    "volumes": _connection("volumes", "volumeInstances", VOLUME),
    "triggers": _connection("triggers", "deploymentTriggers", "serviceId branch repository"),
    # Names and what they refer to: the schema gives no value here, and none is to be asked for.
    "variables": _connection("variables", "variables", "name references serviceId", str(VARIABLES_PER_PAGE)),
    "project": "project: project(id: $projectId) { name }",
    "platform": "platform: platformStatus { isStable incident { status message url } }",
    "deployments": f"""deployments: deployments(input: $input, first: $first, after: $after) {{
    edges {{ node {{ {DEPLOYMENT} }} }} {PAGE}
  }}""",
    # Without `payload`: that of a changed variable might hold its value.
    "events": f"""events: events(projectId: $projectId, environmentId: $environmentId, first: $first, after: $after) {{
    edges {{ node {{ object action createdAt activityPayload }} }} {PAGE}
  }}""",
}
"""What the environment is, by alias: the parts of one request."""


def _metrics(alias: str, measurements: str, group: str) -> str:
    return f"""{alias}: metrics(
    projectId: $projectId, environmentId: $environmentId, startDate: $start, endDate: $end,
    measurements: [{measurements}], sampleRateSeconds: $step, groupBy: [{group}]
  ) {{ measurement tags {{ serviceId deploymentId deploymentInstanceId }} values {{ ts value }} }}"""


USAGE = {
    "usage": _metrics(
        "usage", "CPU_USAGE, CPU_LIMIT, MEMORY_USAGE_GB, MEMORY_LIMIT_GB",
        "SERVICE_ID, DEPLOYMENT_ID, DEPLOYMENT_INSTANCE_ID",
    ),
    "disk": _metrics("disk", "DISK_USAGE_GB", "SERVICE_ID"),
}  # fmt: skip
"""What the services used, by alias: the parts of one request."""


def _lines(alias: str, means: str, most: int, fields: str) -> str:
    return f"""{alias}: environmentLogs(
    environmentId: $environmentId, filter: "{means}", beforeLimit: {most}, {ANCHORED}
  ) {{ {fields} }}"""


LOGS = {
    "starts": _lines("starts", "Starting Container", MAX_STARTS, "timestamp message tags { deploymentId }"),
    # They are counted only: no message, so that a flood of them is a small answer.
    "errors": _lines("errors", "@level:error", MAX_ERROR_LINES, "timestamp tags { serviceId }"),
    "lookups": f"""lookups: dnsQueryLogs(
    environmentId: $environmentId, filter: "@zone:internal", beforeLimit: {MAX_LOOKUPS}, {ANCHORED}
  ) {{ qname serviceId queryZone }}""",
}
"""What the services logged and looked up, by alias: the parts of one request."""

DEPLOYMENT_LOGS = f"""
query DeploymentLogs(
  $deploymentId: String!, $filter: String, $limit: Int!, $start: DateTime, $end: DateTime
) {{
  deploymentLogs(
    deploymentId: $deploymentId, filter: $filter, limit: $limit, startDate: $start, endDate: $end
  ) {{ {LINE} }}
}}
"""
BUILD_LOGS = f"""
query BuildLogs($deploymentId: String!, $limit: Int!, $start: DateTime!) {{
  buildLogs(deploymentId: $deploymentId, limit: $limit, startDate: $start) {{ {LINE} }}
}}
"""
HTTP_LOGS = """
query HttpLogs($deploymentId: String!, $filter: String, $limit: Int!, $start: String!, $end: String!) {
  httpLogs(
    deploymentId: $deploymentId, filter: $filter, beforeLimit: $limit, beforeDate: $start, anchorDate: $end
  ) {
    timestamp method path httpStatus totalDuration upstreamRqDuration responseDetails upstreamErrors
    upstreamAddress deploymentInstanceId
  }
}
"""


class ServiceQuery(NamedTuple):
    """What is asked about one service of a batch."""

    service_id: str
    traffic: bool = True
    limits: bool = False


def http_metrics_parts(asks: Sequence[ServiceQuery]) -> dict[str, str]:
    """Statuses, durations and limits of so many services; their ids are the variables `s0`, `s1` …"""
    asked = "environmentId: $environmentId, startDate: $start, endDate: $end, stepSeconds: $step"
    parts: dict[str, str] = {}
    for n, ask in enumerate(asks):
        if ask.traffic:
            head = f"statuses{n}: httpMetricsGroupedByStatus(serviceId: $s{n}, {asked})"
            parts[f"statuses{n}"] = f"{head} {{ statusCode samples {{ ts value }} }}"
            head = f"durations{n}: httpDurationMetrics(serviceId: $s{n}, {asked})"
            parts[f"durations{n}"] = f"{head} {{ samples {{ ts p95 }} }}"
        if ask.limits:
            known = f"serviceInstanceLimits(environmentId: $environmentId, serviceId: $s{n})"
            parts[f"limits{n}"] = f"limits{n}: {known}"
    return parts


def build_document(name: str, parts: Mapping[str, str]) -> str:
    """The parts as one query, which declares the variables that they use."""
    body = "\n".join(f"  {part}" for part in parts.values())
    head = ", ".join(f"${one}: {TYPES.get(one, 'String!')}" for one in variable_names(parts.values()))
    return f"query {name}({head}) {{\n{body}\n}}\n" if head else f"query {name} {{\n{body}\n}}\n"


def variable_names(parts: Iterable[str]) -> list[str]:
    """The variables of some parts."""
    return list(dict.fromkeys(re.findall(r"\$(\w+)", "\n".join(parts))))


def _alone(parts: Mapping[str, str]) -> dict[str, str]:
    return {alias.title(): build_document(alias.title(), {alias: text}) for alias, text in parts.items()}


DOCUMENTS = {
    "OwnEnvironment": OWN_ENVIRONMENT,
    "Structure": build_document("Structure", STRUCTURE),
    "Metrics": build_document("Metrics", USAGE),
    "Logs": build_document("Logs", LOGS),
    **_alone(STRUCTURE | USAGE | LOGS),
    "DeploymentLogs": DEPLOYMENT_LOGS,
    "BuildLogs": BUILD_LOGS,
    "HttpLogs": HTTP_LOGS,
    "HttpMetrics": build_document(
        "HttpMetrics", http_metrics_parts([ServiceQuery("", limits=True)] * MAX_SERVICES_PER_REQUEST)
    ),
    "Limits": build_document(
        "Limits",
        http_metrics_parts([ServiceQuery("", traffic=False, limits=True)] * MAX_SERVICES_PER_REQUEST),
    ),
}
"""Everything the client can send, by operation name, together and part by part; the batches at their largest."""
