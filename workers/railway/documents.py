"""Every question we ask Railway, as GraphQL. Published schema, read-only: there is no mutation here."""

from __future__ import annotations

BATCH = 20
"""Services per request where a question must be put once per service: keeps queries well below any complexity limit."""

PAGE = "pageInfo { hasNextPage endCursor }"
ENVIRONMENT = "$environmentId: String!, $projectId: String!, $first: Int!, $after: String"
DEPLOYMENT = """
    id status createdAt statusUpdatedAt serviceId deploymentStopped meta instances { id status }
"""
LINE = "timestamp message severity attributes { key value } tags { deploymentId deploymentInstanceId }"

OWN_ENVIRONMENT = "query OwnEnvironment { projectToken { projectId environmentId } }"
PROJECT = "query Project($projectId: String!) { project(id: $projectId) { name } }"
PLATFORM = "query Platform { platformStatus { isStable incident { status message url } } }"

SERVICES = f"""
query Services({ENVIRONMENT}) {{
  environment(id: $environmentId, projectId: $projectId) {{
    name
    serviceInstances(first: $first, after: $after) {{
      edges {{ node {{
        serviceId serviceName numReplicas rootDirectory startCommand cronSchedule sleepApplication
        source {{ repo image }}
        domains {{ serviceDomains {{ domain }} customDomains {{ domain }} }}
        latestDeployment {{ {DEPLOYMENT} }}
        activeDeployments {{ {DEPLOYMENT} }}
      }} }}
      {PAGE}
    }}
  }}
}}
"""
VOLUMES = f"""
query Volumes({ENVIRONMENT}) {{
  environment(id: $environmentId, projectId: $projectId) {{
    volumeInstances(first: $first, after: $after) {{
      edges {{ node {{ volumeId serviceId mountPath currentSizeMB sizeMB isPendingDeletion volume {{ name }} }} }}
      {PAGE}
    }}
  }}
}}
"""
TRIGGERS = f"""
query Triggers({ENVIRONMENT}) {{
  environment(id: $environmentId, projectId: $projectId) {{
    deploymentTriggers(first: $first, after: $after) {{
      edges {{ node {{ serviceId branch repository }} }}
      {PAGE}
    }}
  }}
}}
"""
DEPLOYMENTS = f"""
query Deployments($input: DeploymentListInput!, $first: Int!, $after: String) {{
  deployments(input: $input, first: $first, after: $after) {{
    edges {{ node {{ {DEPLOYMENT} }} }}
    {PAGE}
  }}
}}
"""
USAGE = """
query Usage($projectId: String!, $environmentId: String!, $start: DateTime!, $end: DateTime!, $step: Int!) {
  metrics(
    projectId: $projectId, environmentId: $environmentId, startDate: $start, endDate: $end,
    measurements: [CPU_USAGE, CPU_LIMIT, MEMORY_USAGE_GB, MEMORY_LIMIT_GB], sampleRateSeconds: $step,
    groupBy: [SERVICE_ID, DEPLOYMENT_ID, DEPLOYMENT_INSTANCE_ID]
  ) {
    measurement
    tags { serviceId deploymentId deploymentInstanceId }
    values { ts value }
  }
}
"""
ENVIRONMENT_LOGS = f"""
query EnvironmentLogs(
  $environmentId: String!, $filter: String!, $limit: Int!, $start: String!, $end: String!, $after: Int!
) {{
  environmentLogs(
    environmentId: $environmentId, filter: $filter,
    beforeLimit: $limit, beforeDate: $start, anchorDate: $end, afterDate: $end, afterLimit: $after
  ) {{ {LINE} }}
}}
"""
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


def traffic(services: int) -> str:
    """Statuses and durations of so many services; their ids are the variables `s0`, `s1` …"""
    asked = "environmentId: $environmentId, startDate: $start, endDate: $end, stepSeconds: $step"
    fields = [
        f"  statuses{n}: httpMetricsGroupedByStatus(serviceId: $s{n}, {asked})"
        " { statusCode samples { ts value } }\n"
        f"  durations{n}: httpDurationMetrics(serviceId: $s{n}, {asked}) {{ samples {{ ts p95 }} }}"
        for n in range(services)
    ]
    head = "$environmentId: String!, $start: DateTime!, $end: DateTime!, $step: Int!"
    return _batch("Traffic", head, services, fields)


def limits(services: int) -> str:
    """Limits of so many services; their ids are the variables `s0`, `s1` …"""
    fields = [
        f"  limits{n}: serviceInstanceLimits(environmentId: $environmentId, serviceId: $s{n})"
        for n in range(services)
    ]
    return _batch("Limits", "$environmentId: String!", services, fields)


def _batch(name: str, head: str, services: int, fields: list[str]) -> str:
    ids = ", ".join(f"$s{n}: String!" for n in range(services))
    body = "\n".join(fields)
    return f"query {name}({head}, {ids}) {{\n{body}\n}}\n"


DOCUMENTS = {
    "OwnEnvironment": OWN_ENVIRONMENT,
    "Project": PROJECT,
    "Platform": PLATFORM,
    "Services": SERVICES,
    "Volumes": VOLUMES,
    "Triggers": TRIGGERS,
    "Deployments": DEPLOYMENTS,
    "Usage": USAGE,
    "EnvironmentLogs": ENVIRONMENT_LOGS,
    "DeploymentLogs": DEPLOYMENT_LOGS,
    "BuildLogs": BUILD_LOGS,
    "HttpLogs": HTTP_LOGS,
    "Traffic": traffic(BATCH),
    "Limits": limits(BATCH),
}
"""Everything the client can send, by operation name; the batches at their largest."""
