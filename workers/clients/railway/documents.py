"""Every GraphQL document about an environment that the client sends to Railway; all of them are queries.

A part is one root field under its own alias; `build_document` combines parts into one request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

MAX_SERVICES_PER_REQUEST = 20
"""Services per request of fields that take one service id; keeps the query far below any complexity limit."""
MAX_ERROR_LINES = 2000
"""Error lines per request. They are only counted, and a flood of more is evident from this number."""
MAX_LOOKUPS = 1000
"""DNS queries per request: enough to see each pair of services once."""
MAX_NETWORK_ROWS = 500
"""DNS answers or flows of one service per part. They are counted by name and peer, of which a service has few."""
MAX_STARTS = 5000
"""Container starts per request: the most that Railway returns of any log. A start is a short line."""
VARIABLES_PER_PAGE = 500
"""Variable names per page; a service has about ten."""

TYPES = {
    "environmentId": "String!", "projectId": "String!", "input": "DeploymentListInput!",
    "first": "Int!", "after": "String", "start": "DateTime!", "end": "DateTime!", "step": "Int!",
    "since": "String!", "until": "String!",
}  # fmt: skip
"""GraphQL type of each variable; the service ids `s0`, `s1` … of a batch are `String!`."""

# Fragments of the documents below.
PAGE = "pageInfo { hasNextPage endCursor }"
DEPLOYMENT = "id status createdAt statusUpdatedAt serviceId deploymentStopped meta instances { id status }"
LINE = "timestamp message severity attributes { key value } tags { deploymentId deploymentInstanceId }"
ENVIRONMENT = "environment(id: $environmentId, projectId: $projectId)"
# The log queries take no time range: they read backwards from an anchor, here the end of the window.
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
    # Names and references only. A value is a secret, and this field of the schema does not return it.
    "variables": _connection("variables", "variables", "name references serviceId", str(VARIABLES_PER_PAGE)),
    "project": "project: project(id: $projectId) { name }",
    "platform": "platform: platformStatus { isStable incident { status message } }",
    "deployments": f"""deployments: deployments(input: $input, first: $first, after: $after) {{
    edges {{ node {{ {DEPLOYMENT} }} }} {PAGE}
  }}""",
    # Without `payload`: the payload of a changed variable may hold its value.
    "events": f"""events: events(projectId: $projectId, environmentId: $environmentId, first: $first, after: $after) {{
    edges {{ node {{ object action createdAt activityPayload }} }} {PAGE}
  }}""",
}
"""Parts that describe the environment, by alias; one request reads all of them."""


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
    "disk": _metrics("disk", "DISK_USAGE_GB, NETWORK_TX_GB", "SERVICE_ID"),
}  # fmt: skip
"""Parts with the resource usage of all services, by alias; one request reads both.

Grouped by deployment instance, because Railway adds up the replicas of a service otherwise.
"""


def _lines(alias: str, log_filter: str, limit: int, fields: str) -> str:
    return f"""{alias}: environmentLogs(
    environmentId: $environmentId, filter: "{log_filter}", beforeLimit: {limit}, {ANCHORED}
  ) {{ {fields} }}"""


LOGS = {
    "starts": _lines("starts", "Starting Container", MAX_STARTS, "timestamp message tags { deploymentId }"),
    # Without messages: the lines are only counted, so a flood of them stays a small answer.
    "errors": _lines("errors", "@level:error", MAX_ERROR_LINES, "timestamp tags { serviceId }"),
    "lookups": f"""lookups: dnsQueryLogs(
    environmentId: $environmentId, filter: "@zone:internal", beforeLimit: {MAX_LOOKUPS}, {ANCHORED}
  ) {{ qname serviceId queryZone }}""",
}
"""Parts with the logs and DNS lookups of all services, by alias; one request reads all of them."""


def _of_service(alias: str, field: str, log_filter: str, fields: str) -> str:
    return f"""{alias}: {field}(
    environmentId: $environmentId, serviceId: $serviceId, filter: "{log_filter}", beforeLimit: {MAX_NETWORK_ROWS},
    {ANCHORED}
  ) {{ {fields} }}"""


FLOW = "dstAddr dstPort peerKind peerServiceId dropCause l4LatencyMs packetCount byteCount"
DNS_ANSWERS = {
    "failed": _of_service("failed", "dnsQueryLogs", "@status:failed", "qname rcode"),
    "resolved": _of_service("resolved", "dnsQueryLogs", "@status:ok", "qname rcode"),
}
"""Parts with the DNS answers to one service, by alias; one request reads both. Failures would drown in the others."""
NETWORK_FLOWS = {
    "dropped": _of_service("dropped", "networkFlowLogs", "@direction:egress @status:dropped", FLOW),
    "passed": _of_service("passed", "networkFlowLogs", "@direction:egress @status:ok", FLOW),
}
"""Parts with the connections that one service opened, by alias; one request reads both."""

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
    timestamp method path httpStatus totalDuration responseDetails upstreamErrors
    upstreamAddress deploymentInstanceId
  }
}
"""


class ServiceQuery(NamedTuple):
    """The metrics to read of one service."""

    service_id: str
    traffic: bool = True
    limits: bool = False


def http_metrics_parts(queries: Sequence[ServiceQuery]) -> dict[str, str]:
    """Parts with status codes, durations and limits of the services; their ids are the variables `s0`, `s1` …"""
    window = "environmentId: $environmentId, startDate: $start, endDate: $end, stepSeconds: $step"
    parts: dict[str, str] = {}
    for n, query in enumerate(queries):
        if query.traffic:
            head = f"statuses{n}: httpMetricsGroupedByStatus(serviceId: $s{n}, {window})"
            parts[f"statuses{n}"] = f"{head} {{ statusCode samples {{ ts value }} }}"
            head = f"durations{n}: httpDurationMetrics(serviceId: $s{n}, {window})"
            parts[f"durations{n}"] = f"{head} {{ samples {{ ts p95 }} }}"
        if query.limits:
            limits = f"serviceInstanceLimits(environmentId: $environmentId, serviceId: $s{n})"
            parts[f"limits{n}"] = f"limits{n}: {limits}"
    return parts


def build_document(name: str, parts: Mapping[str, str]) -> str:
    """One query with all parts, which declares the variables that they use."""
    body = "\n".join(f"  {part}" for part in parts.values())
    head = ", ".join(
        f"${variable}: {TYPES.get(variable, 'String!')}" for variable in variable_names(parts.values())
    )
    return f"query {name}({head}) {{\n{body}\n}}\n" if head else f"query {name} {{\n{body}\n}}\n"


def variable_names(parts: Iterable[str]) -> list[str]:
    """Names of the variables that the parts use, each once."""
    return list(dict.fromkeys(re.findall(r"\$(\w+)", "\n".join(parts))))


def _one_document_each(parts: Mapping[str, str]) -> dict[str, str]:
    return {alias.title(): build_document(alias.title(), {alias: text}) for alias, text in parts.items()}


DOCUMENTS = {
    "OwnEnvironment": OWN_ENVIRONMENT,
    "Structure": build_document("Structure", STRUCTURE),
    "Metrics": build_document("Metrics", USAGE),
    "Logs": build_document("Logs", LOGS),
    **_one_document_each(STRUCTURE | USAGE | LOGS),
    "DnsAnswers": build_document("DnsAnswers", DNS_ANSWERS),
    "NetworkFlows": build_document("NetworkFlows", NETWORK_FLOWS),
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
"""Every document that the client can send, by operation name; per-service batches at their maximum size.

The contract check validates them against Railway's published schema.
"""
