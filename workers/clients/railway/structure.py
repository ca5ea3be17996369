"""The structure of an environment: its services, volumes, variables, deployments and events, in one request."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple, TypeVar

from workers.clients.railway import batch
from workers.clients.railway.api_model import Page
from workers.clients.railway.batch import BatchResult, Connection, Failure, read_or_default
from workers.clients.railway.documents import STRUCTURE
from workers.clients.railway.events import Event, platform_reports
from workers.clients.railway.graphql_types import (
    Deployment,
    Named,
    PlatformStatus,
    ServiceInstance,
    Trigger,
    Variable,
    VolumeInstance,
)
from workers.clients.railway.transport import Transport
from workers.models import (
    Deployment as DeploymentModel,
)
from workers.models import (
    Environment,
    Gap,
    GapPart,
    PlatformEvent,
    PlatformReport,
    Service,
    Volume,
    Window,
)

N = TypeVar("N")

SERVICES = Connection("environment", Page[ServiceInstance], "serviceInstances")
VOLUMES = Connection("volumes", Page[VolumeInstance], "volumeInstances")
TRIGGERS = Connection("triggers", Page[Trigger], "deploymentTriggers")
VARIABLES = Connection(
    "variables", Page[Variable], "variables", max_nodes=1500,
    truncation="only the first 1500 variables were read",
)  # fmt: skip
DEPLOYMENTS = Connection("deployments", Page[Deployment])
EVENTS = Connection("events", Page[Event], max_nodes=100)

REPORT_DAYS = 2
"""Age up to which the feed's reports are compared with the webhooks that arrived; those are remembered as long."""
OPTIONAL_PARTS = 7
"""Parts of the request beside the services. Each of them may fail without the others."""


class ServiceEvent(NamedTuple):
    """A platform event. If `service_id` is None, the event's deployment identifies the service."""

    service_id: str | None
    event: PlatformEvent


class EnvironmentStructure(NamedTuple):
    """An environment. A part that could not be read is empty, with its error in `failed`."""

    environment_name: str
    services: tuple[Service, ...]
    """With their serving and latest deployment, without series and volumes."""
    project_name: str | None
    platform_incident: str | None
    """Railway's description of its own incident; None while Railway reports itself stable."""
    volumes: dict[str | None, tuple[Volume, ...]]
    """By service id; under None the volumes that Railway assigns to no service."""
    branches: dict[str, str]
    """The branch whose pushes deploy the service, by service id."""
    variables: tuple[Variable, ...]
    deployments: list[DeploymentModel]
    """The newest deployments of the whole environment, newest first."""
    events: tuple[ServiceEvent, ...]
    """Events within the window, oldest first."""
    feed: tuple[PlatformReport, ...]
    """Reports of the last REPORT_DAYS, oldest first, also from before the window."""
    failed: dict[GapPart, Failure]
    gaps: tuple[Gap, ...]
    """Pieces of the answer that were null or invalid."""


def read_structure(
    transport: Transport, environment: Environment, max_deployments: int, window: Window
) -> EnvironmentStructure:
    """The structure, in one request for up to 100 services.

    Args:
        max_deployments: how many of the environment's newest deployments to read.
        window: the time for which events are returned.

    Raises:
        RailwayBusy, RailwayRefused: the services themselves cannot be read.
    """
    variables = request_variables(environment)
    result = batch.fetch(transport, "Structure", STRUCTURE, variables, required=SERVICES.alias)
    failed: dict[GapPart, Failure] = {}
    gaps: list[Gap] = []

    def nodes(connection: Connection[N]) -> list[N]:
        items, missing = batch.fetch_nodes(transport, STRUCTURE, connection, variables, result)
        gaps.extend(missing)
        return items

    services = nodes(SERVICES)
    deployment_pages = DEPLOYMENTS._replace(max_nodes=max_deployments)
    no_deployments: list[DeploymentModel] = []
    deployments = read_or_default(
        failed, GapPart.DEPLOYMENTS, lambda: newest_first(nodes(deployment_pages)), no_deployments
    )
    no_events: list[Event] = []
    events = read_or_default(failed, GapPart.EVENTS, lambda: nodes(EVENTS), no_events)
    oldest_report = window.end - timedelta(days=REPORT_DAYS)
    structure = EnvironmentStructure(
        environment_name=result.part("environment", Named).name,
        services=tuple(service.to_model() for service in services),
        project_name=read_or_default(
            failed, GapPart.PROJECT_NAME, lambda: result.part("project", Named).name, None
        ),
        platform_incident=read_or_default(
            failed, GapPart.PLATFORM_STATUS, lambda: _platform_incident(result), None
        ),
        volumes=read_or_default(failed, GapPart.VOLUMES, lambda: _volumes_by_service(nodes(VOLUMES)), {}),
        branches=read_or_default(failed, GapPart.BRANCHES, lambda: _branches(nodes(TRIGGERS)), {}),
        variables=read_or_default(failed, GapPart.VARIABLES, lambda: tuple(nodes(VARIABLES)), ()),
        deployments=deployments,
        events=_service_events(events, window, gaps),
        feed=tuple(report for report in platform_reports(events, deployments) if report.at >= oldest_report),
        failed=failed,
        gaps=(),
    )
    # Reading the parts above adds to result.missing and gaps, so both are complete only now.
    return structure._replace(gaps=tuple(dict.fromkeys([*result.missing, *gaps])))


def request_variables(
    environment: Environment, service_id: str = "", first: int = batch.PAGE_SIZE
) -> dict[str, object]:
    """Variables for every part of the structure.

    Args:
        service_id: restricts the deployments to one service; "" reads those of the environment.
        first: nodes per page, at most PAGE_SIZE.
    """
    ids: dict[str, object] = {
        "projectId": environment.project_id,
        "environmentId": environment.environment_id,
    }
    # Railway reads an explicit null as a value, so a missing service id is left out.
    deployment_input = ids | ({"serviceId": service_id} if service_id else {})
    return ids | {"input": deployment_input, "first": min(first, batch.PAGE_SIZE)}


def newest_first(deployments: list[Deployment], service_id: str = "") -> list[DeploymentModel]:
    """The deployments as models, newest first; those of no service are left out.

    Args:
        service_id: the service of a deployment for which Railway names none.
    """
    models = [item.to_model(service_id) for item in deployments if item.service_id or service_id]
    return sorted(models, key=lambda deployment: deployment.created_at, reverse=True)


def _platform_incident(result: BatchResult) -> str | None:
    status = result.part("platform", PlatformStatus)
    if status.is_stable:
        return None
    incident = status.incident
    if incident is None or not incident.message:
        return "Railway is not stable"
    return f"{incident.message} ({incident.status.lower()})"


def _volumes_by_service(volumes: list[VolumeInstance]) -> dict[str | None, tuple[Volume, ...]]:
    by_service: dict[str | None, tuple[Volume, ...]] = {}
    for volume in volumes:
        if not volume.is_pending_deletion:
            by_service[volume.service_id] = (*by_service.get(volume.service_id, ()), volume.to_model())
    return by_service


def _branches(triggers: list[Trigger]) -> dict[str, str]:
    return {trigger.service_id: trigger.branch for trigger in triggers if trigger.service_id}


def _service_events(events: list[Event], window: Window, gaps: list[Gap]) -> tuple[ServiceEvent, ...]:
    """The events of the window; adds a gap if the feed was not read back to the window's start."""
    if len(events) >= EVENTS.max_nodes and min(event.created_at for event in events) > window.start:
        gaps.append(batch.gap("events", f"only the newest {EVENTS.max_nodes} of the window were read"))
    converted = [
        ServiceEvent(event.subject_id("service"), model) for event in events if (model := event.to_model())
    ]
    within = [item for item in converted if window.start <= item.event.at <= window.end]
    return tuple(sorted(within, key=lambda item: item.event.at))
