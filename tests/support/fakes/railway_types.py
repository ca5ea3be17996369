"""The state of the fake Railway. Every change is made under `World.lock`."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any


@dataclass
class LogRow:
    """One log line. `at` is in epoch seconds; `attributes` hold plain values, which the fake encodes."""

    at: float
    message: str
    severity: str | None = "info"
    attributes: dict[str, str] = field(default_factory=dict)
    instance_id: str = ""


@dataclass
class Sample:
    """CPU (vCPU) and memory (GB) of one replica at one time."""

    at: float
    instance_id: str
    deployment_id: str
    cpu: float
    memory_gb: float


@dataclass
class Request:
    """One request at the edge. `upstream_errors` is Railway's text: a JSON list, or empty."""

    at: float
    method: str
    path: str
    status: int
    ms: float
    deployment_id: str
    instance_id: str = ""
    upstream_address: str = "http://[fd12::1]:8080"
    response_details: str = ""
    upstream_errors: str = ""
    host: str = "shop.up.railway.app"


@dataclass
class Lookup:
    """A DNS lookup of a service. `shop.railway.internal` is in the internal zone."""

    at: float
    qname: str
    rcode: str = "NOERROR"
    deployment_id: str = ""
    instance_id: str = ""

    @property
    def zone(self) -> str:
        return "internal" if self.qname.lower().rstrip(".").endswith(".railway.internal") else "external"


@dataclass
class NetworkFlow:
    """A flow of a service. `peer_id` is the id of the service at the other end, empty for a peer outside."""

    at: float
    address: str
    port: int = 443
    peer_kind: str = "internet"
    peer_id: str = ""
    direction: str = "egress"
    drop_cause: str = ""
    latency_ms: float = 1.5
    packets: int = 10
    bytes: int = 4_000


@dataclass
class WorldEvent:
    """An entry of the feed. `payload` is the value of `activityPayload` and `payload`."""

    at: float
    object: str
    action: str
    payload: Any = None
    severity: str = "INFO"


@dataclass
class WorldDeployment:
    """A deployment; `instances` are pairs of id and DeploymentInstanceStatus."""

    id: str
    service_id: str
    status: str
    created_at: float
    status_at: float | None
    meta: dict[str, Any]
    stopped: bool = False
    instances: list[tuple[str, str]] = field(default_factory=list)
    logs: list[LogRow] = field(default_factory=list)
    build_logs: list[LogRow] = field(default_factory=list)
    image_kept: bool = True
    """False once the plan's retention is over: it cannot be rolled back to."""


@dataclass
class WorldVolume:
    id: str
    name: str
    mount_path: str
    used_mb: float
    size_mb: int
    pending_deletion: bool = False


@dataclass
class WorldService:
    """A service. `deployments` are newest first, `active` holds their ids; limits are vCPU and GB per replica."""

    id: str
    name: str
    repo: str | None = None
    branch: str = "main"
    image: str | None = None
    root_directory: str | None = None
    start_command: str | None = None
    cron: str | None = None
    domains: list[str] = field(default_factory=list)
    replicas: int = 1
    cpu_limit: float | None = 8.0
    memory_limit: float | None = 8.0
    deployments: list[WorldDeployment] = field(default_factory=list)
    active: list[str] = field(default_factory=list)
    volumes: list[WorldVolume] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    sleeps: bool = False
    volumes_attached: bool = True
    """If False, the volumes name no service."""
    variables: dict[str, list[str]] = field(default_factory=dict)
    """References of each variable, by its name."""
    lookups: list[Lookup] = field(default_factory=list)
    flows: list[NetworkFlow] = field(default_factory=list)
    disk: list[tuple[float, float]] = field(default_factory=list)
    """GB on all volumes: (epoch seconds, value)."""


@dataclass
class Neighbour:
    """A project of the same account with one environment, of which only the names can be read."""

    project_id: str
    project_name: str
    environment_id: str
    environment_name: str
    is_ephemeral: bool = False


@dataclass
class World:
    """One project with one environment."""

    project_id: str
    project_name: str
    environment_id: str
    environment_name: str
    services: list[WorldService] = field(default_factory=list)
    workspace_id: str = "workspace-1"
    platform_incident: str | None = None
    shared_variables: dict[str, list[str]] = field(default_factory=dict)
    events: list[WorldEvent] = field(default_factory=list)
    redeployments: list[str] = field(default_factory=list)
    """Each rollback and redeployment that was performed: `rollback:<id>`, `redeploy:<id>`."""
    status_of_new: str = "SUCCESS"
    """The status of a deployment that a rollback or a redeployment makes."""
    neighbours: list[Neighbour] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
