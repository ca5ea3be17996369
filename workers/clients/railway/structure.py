"""What an environment is, in one request: services and all that stands beside them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple, TypeVar

from workers.clients.railway import batch, graphql_types
from workers.clients.railway.batch import BatchResult, Connection, Failure
from workers.clients.railway.documents import STRUCTURE
from workers.clients.railway.events import Event, platform_reports
from workers.clients.railway.transport import Transport
from workers.errors import RailwayBusy, RailwayRefused
from workers.models import (
    Deployment,
    Environment,
    Gap,
    GapPart,
    Model,
    PlatformEvent,
    PlatformReport,
    Service,
    Volume,
    Window,
)

N = TypeVar("N")
T = TypeVar("T")

SERVICES = Connection("environment", graphql_types.Page[graphql_types.ServiceInstance], "serviceInstances")
VOLUMES = Connection("volumes", graphql_types.Page[graphql_types.VolumeInstance], "volumeInstances")
TRIGGERS = Connection("triggers", graphql_types.Page[graphql_types.Trigger], "deploymentTriggers")
VARIABLES = Connection(
    "variables", graphql_types.Page[graphql_types.Variable], "variables", max_nodes=1500,
    truncation="only the first 1500 variables were read",
)  # fmt: skip
DEPLOYMENTS = Connection("deployments", graphql_types.Page[graphql_types.Deployment])
EVENTS = Connection("events", graphql_types.Page[Event], max_nodes=100)

FEED_DAYS = 2
"""Trouble that is told of later than this is no news; what webhooks told is remembered for as long."""

OPTIONAL_PARTS = 7
"""Parts of the request beside the services: each of them may fail by itself."""


class Architecture(Model):
    """The services of an environment, with their serving and latest deployment; no series, no volumes."""

    environment_name: str
    services: tuple[Service, ...]
    gaps: tuple[Gap, ...] = ()


class ServiceEvent(NamedTuple):
    """An event of a service; without `service_id` the deployment says which."""

    service_id: str | None
    event: PlatformEvent


class EnvironmentStructure(NamedTuple):
    """An environment. A part that could not be read is empty, and `failed` holds its error."""

    architecture: Architecture
    project_name: str | None
    platform_incident: str | None
    volumes: dict[str | None, tuple[Volume, ...]]
    branches: dict[str, str]
    variables: tuple[graphql_types.Variable, ...]
    history: list[Deployment]
    events: tuple[ServiceEvent, ...]
    feed: tuple[PlatformReport, ...]
    """Trouble of the last two days, also from outside the window."""
    failed: dict[GapPart, Failure]
    asked: int
    """How many parts there are beside the services."""


def read_structure(
    transport: Transport, environment: Environment, history_at_most: int, window: Window
) -> EnvironmentStructure:
    """Everything, with so many of the last deployments and the events of the window.

    Raises RailwayBusy or RailwayRefused only where the services themselves cannot be read.
    """
    asked = request_variables(environment)
    got = batch.fetch(transport, "Structure", STRUCTURE, asked, needed=SERVICES.alias)
    failed: dict[GapPart, Failure] = {}
    missing: list[Gap] = []

    def part(name: GapPart, take: Callable[[], T], absent: T) -> T:
        try:
            return take()
        except (RailwayBusy, RailwayRefused) as error:
            failed[name] = error
            return absent

    def every(one: Connection[N]) -> list[N]:
        found, more = batch.fetch_nodes(transport, STRUCTURE, one, asked, got)
        missing.extend(more)
        return found

    services = every(SERVICES)
    no_history: list[Deployment] = []
    history = part(
        GapPart.DEPLOYMENTS,
        lambda: newest_deployments(every(DEPLOYMENTS._replace(max_nodes=history_at_most))),
        no_history,
    )
    no_events: list[Event] = []
    events = part(GapPart.EVENTS, lambda: every(EVENTS), no_events)
    oldest = window.end - timedelta(days=FEED_DAYS)
    shape = EnvironmentStructure(
        architecture=build_architecture(got, services, []),
        project_name=part(GapPart.PROJECT_NAME, lambda: got.part("project", graphql_types.Named).name, None),
        platform_incident=part(GapPart.PLATFORM_STATUS, lambda: platform_incident(got), None),
        volumes=part(GapPart.VOLUMES, lambda: volumes_by_service(every(VOLUMES)), {}),
        branches=part(GapPart.BRANCHES, lambda: branches_by_service(every(TRIGGERS)), {}),
        variables=part(GapPart.VARIABLES, lambda: tuple(every(VARIABLES)), ()),
        history=history,
        events=service_events(events, window, missing),
        feed=tuple(one for one in platform_reports(events, history) if one.at >= oldest),
        failed=failed,
        asked=OPTIONAL_PARTS,
    )
    # Only now is it known what was missing of all the parts.
    return shape._replace(architecture=build_architecture(got, services, [*got.missing, *missing]))


def request_variables(
    environment: Environment, service_id: str = "", first: int = batch.PAGE_SIZE
) -> dict[str, object]:
    """What the parts of a shape ask with."""
    ids: dict[str, object] = {
        "projectId": environment.project_id,
        "environmentId": environment.environment_id,
    }
    meant = ids | ({"serviceId": service_id} if service_id else {})
    return ids | {"input": meant, "first": min(first, batch.PAGE_SIZE)}


def build_architecture(
    got: BatchResult, services: list[graphql_types.ServiceInstance], missing: list[Gap]
) -> Architecture:
    return Architecture(
        environment_name=got.part("environment", graphql_types.Named).name,
        services=tuple(one.to_model() for one in services),
        gaps=tuple(dict.fromkeys(missing)),
    )


def platform_incident(got: BatchResult) -> str | None:
    """What Railway says of its own trouble; None while it says that all is well."""
    status = got.part("platform", graphql_types.PlatformStatus)
    if status.is_stable:
        return None
    said = status.incident
    return f"{said.message} ({said.status.lower()})" if said and said.message else "Railway is not stable"


def volumes_by_service(found: list[graphql_types.VolumeInstance]) -> dict[str | None, tuple[Volume, ...]]:
    by_service: dict[str | None, tuple[Volume, ...]] = {}
    for one in found:
        if not one.is_pending_deletion:
            by_service[one.service_id] = (*by_service.get(one.service_id, ()), one.to_model())
    return by_service


def branches_by_service(found: list[graphql_types.Trigger]) -> dict[str, str]:
    return {one.service_id: one.branch for one in found if one.service_id}


def newest_deployments(found: list[graphql_types.Deployment], service_id: str = "") -> list[Deployment]:
    known = [one.to_model(service_id) for one in found if one.service_id or service_id]
    return sorted(known, key=lambda one: one.created_at, reverse=True)


def service_events(found: list[Event], window: Window, missing: list[Gap]) -> tuple[ServiceEvent, ...]:
    """What is an event of ours, oldest first; `missing` hears of a feed not read back to the window's start."""
    if len(found) >= EVENTS.max_nodes and min(one.created_at for one in found) > window.start:
        missing.append(batch.gap("events", f"only the newest {EVENTS.max_nodes} of the window were read"))
    known = [ServiceEvent(one.subject_id("service"), event) for one in found if (event := one.to_model())]
    known = [one for one in known if window.start <= one.event.at <= window.end]
    return tuple(sorted(known, key=lambda one: one.event.at))
