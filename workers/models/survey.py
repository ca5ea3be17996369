"""A survey: what an environment is and did in a window, and which reads of it failed."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from workers.models.base import Model, Moment, Point
from workers.models.clean_text import Text


class Window(Model):
    """The time that a sweep checks."""

    start: Moment
    end: Moment

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    @property
    def minutes(self) -> float:
        return self.seconds / 60


class Environment(Model):
    """An environment of a Railway project, by its ids."""

    project_id: str
    environment_id: str


class Deployment(Model):
    """One deployment of one service."""

    id: str
    service_id: str
    status: str
    """Railway's DeploymentStatus. There is no status for out of memory: that is CRASHED."""
    created_at: Moment
    status_at: Moment | None = None
    """Time of the last change of the status."""
    skipped_reason: str | None = None
    """Why Railway skipped it (status SKIPPED): no changes to watched files, or a failed check. It is not retried."""
    stopped: bool = False
    """True if all instances have ended. With status SUCCESS: a finished job, or an outage of a web service."""
    repo: str | None = None
    branch: str | None = None
    commit: str | None = None
    commit_message: Text | None = None
    commit_author: str | None = None
    root_directory: str | None = None
    image: str | None = None
    replicas: int = 1
    """Over all regions."""
    instance_states: tuple[str, ...] = ()
    """Railway's state of each instance."""


class Sibling(Model):
    """Another service of the same environment, as the survey saw it."""

    id: str = ""
    name: str
    healthy: bool | None = None
    """None if it could not be read."""
    deployed_at: Moment | None = None
    """When its newest deployment went live."""


class Volume(Model):
    """A volume and its usage in MB."""

    id: str
    name: str
    mount_path: str
    used_mb: float
    size_mb: float


class InstanceUsage(Model):
    """CPU (vCPU) and memory (GB) of one replica over time, oldest first."""

    instance_id: str
    """Empty if Railway names no replica: then the values are those of the mean replica."""
    deployment_id: str | None = None
    cpu: tuple[Point, ...] = ()
    memory: tuple[Point, ...] = ()


class TrafficMinute(Model):
    """Requests at the public edge in one step, usually a minute. Private traffic is not counted."""

    at: int
    """Epoch seconds."""
    requests: int
    ok: int
    """Statuses below 400."""
    client_errors: int
    """Statuses 400 to 499."""
    server_errors: int
    """Statuses from 500."""
    p95_ms: float | None = None
    """95th percentile of the response time; None without requests."""


class ContainerStart(Model):
    """A start of a container, from the platform's log line."""

    at: Moment
    deployment_id: str


class PlatformEvent(Model):
    """An event of a deployment from Railway's activity feed."""

    kind: Literal["deployed", "crashed", "oom", "started", "failed"]
    at: Moment
    deployment_id: str | None = None


class PlatformReport(Model):
    """A problem found in Railway's feed or in a deployment's status, for which a webhook should have arrived."""

    kind: str
    """As in an alert: `deployment.crashed`, `deployment.failed`, `deployment.oomkilled`."""
    service_id: str
    deployment_id: str | None = None
    at: Moment


class Service(Model):
    """A service and its activity in the window. Limits are per replica; None means unknown or unlimited."""

    id: str
    name: str
    repo: str | None = None
    branch: str | None = None
    root_directory: str | None = None
    watch_patterns: tuple[str, ...] = ()
    """Watch paths, as in a .gitignore: a push that changes no such file is not deployed. Empty: every push is."""
    image: str | None = None
    start_command: str | None = None
    cron: str | None = None
    """Cron schedule; a service with one runs as a job and is not expected to be up."""
    sleeps: bool = False
    """True if Railway may stop the service while it has no traffic."""
    public: bool = False
    """True if the service has a domain or had requests at the public edge."""
    replicas: int = 1
    serving: Deployment | None = None
    """The deployment that answers requests, not necessarily the newest."""
    latest: Deployment | None = None
    deployments: tuple[Deployment, ...] = ()
    """The newest ones, newest first."""
    volumes: tuple[Volume, ...] = ()
    cpu_limit: float | None = None
    memory_limit: float | None = None
    usage: tuple[InstanceUsage, ...] = ()
    traffic: tuple[TrafficMinute, ...] = ()
    traffic_step_seconds: int = 60
    starts: tuple[ContainerStart, ...] = ()
    events: tuple[PlatformEvent, ...] = ()
    disk: tuple[Point, ...] = ()
    """GB on all volumes over time, oldest first."""
    egress: tuple[Point, ...] = ()
    """GB sent in each step, oldest first."""
    error_lines: tuple[Point, ...] = ()
    """Number of log lines of level error per step."""


class GapPart(StrEnum):
    """A part of a survey or of an incident's evidence that can fail to be read."""

    # Of a survey.
    ENVIRONMENT = "environment"
    PROJECT_NAME = "project_name"
    PLATFORM_STATUS = "platform_status"
    BRANCHES = "branches"
    VARIABLES = "variables"
    LOOKUPS = "lookups"
    DEPLOYMENTS = "deployments"
    VOLUMES = "volumes"
    EVENTS = "events"
    USAGE = "usage"
    DISK = "disk"
    LIMITS = "limits"
    TRAFFIC = "traffic"
    STARTS = "starts"
    ERROR_LINES = "error_lines"
    ANSWER = "answer"
    """A part that Railway's answer does not name."""

    # Of an incident's evidence.
    DEPLOYMENT_LOGS = "deployment_logs"
    ERROR_LOGS = "error_logs"
    BUILD_LOGS = "build_logs"
    FAILING_REQUESTS = "failing_requests"
    SLOW_REQUESTS = "slow_requests"
    REFUSED_REQUESTS = "refused_requests"
    CODE = "code"
    BASE_BRANCH = "base_branch"
    BRANCH_HEAD = "branch_head"
    DEPLOYED_COMMIT = "deployed_commit"
    COMMIT_CHANGES = "commit_changes"
    UPSTREAM_STATUS = "upstream_status"
    DNS_ANSWERS = "dns_answers"
    NETWORK_FLOWS = "network_flows"


NON_ESSENTIAL_PARTS = frozenset(
    {
        GapPart.PROJECT_NAME,
        GapPart.PLATFORM_STATUS,
        GapPart.BRANCHES,
        GapPart.VARIABLES,
        GapPart.LOOKUPS,
        GapPart.ERROR_LINES,
    }
)
"""Parts of a survey that no finding depends on: detection sees the same trouble without them."""

GAP_LABELS: dict[GapPart, str] = {
    GapPart.ENVIRONMENT: "environment",
    GapPart.PROJECT_NAME: "project name",
    GapPart.PLATFORM_STATUS: "Railway's own status",
    GapPart.BRANCHES: "deployment branches",
    GapPart.VARIABLES: "call graph (variables)",
    GapPart.LOOKUPS: "call graph (DNS lookups)",
    GapPart.DEPLOYMENTS: "deployments",
    GapPart.VOLUMES: "volumes",
    GapPart.EVENTS: "events",
    GapPart.USAGE: "CPU and memory",
    GapPart.DISK: "disk",
    GapPart.LIMITS: "limits",
    GapPart.TRAFFIC: "traffic",
    GapPart.STARTS: "container starts",
    GapPart.ERROR_LINES: "error lines",
    GapPart.ANSWER: "answer",
    GapPart.DEPLOYMENT_LOGS: "deployment logs",
    GapPart.ERROR_LOGS: "errors in the deployment logs",
    GapPart.BUILD_LOGS: "build logs",
    GapPart.FAILING_REQUESTS: "failing requests",
    GapPart.SLOW_REQUESTS: "slow requests",
    GapPart.REFUSED_REQUESTS: "refused requests",
    GapPart.CODE: "code",
    GapPart.BASE_BRANCH: "base branch",
    GapPart.BRANCH_HEAD: "branch head",
    GapPart.DEPLOYED_COMMIT: "deployed commit",
    GapPart.COMMIT_CHANGES: "changes",
    GapPart.UPSTREAM_STATUS: "status",
    GapPart.DNS_ANSWERS: "DNS answers",
    GapPart.NETWORK_FLOWS: "network flows",
}
"""The part's name in a sentence for people. No code decides anything by these texts."""


class Gap(Model):
    """A read that failed. Missing data never counts as healthy data."""

    part: GapPart
    subject: str | None = None
    """Name of the service, repository, commit or upstream host; None if the whole environment is concerned."""
    reason: str
    """The error or the piece that is missing, for people only."""


def describe_gap(gap: Gap) -> str:
    """The gap as a sentence for people: `traffic of shop: Railway answered 503`."""
    subject = f" of {gap.subject}" if gap.subject else ""
    return f"{GAP_LABELS[gap.part]}{subject}: {gap.reason}"


class Survey(Model):
    """An environment and its activity in the window."""

    project_id: str
    project_name: str
    environment_id: str
    environment_name: str
    window: Window
    step_seconds: int
    services: tuple[Service, ...] = ()
    calls: tuple[tuple[str, str], ...] = ()
    """Pairs of service ids (caller, callee). A pair that is missing is unknown, not excluded."""
    platform_incident: str | None = None
    """Railway's description of its own incident; None while Railway reports itself stable."""
    failed_reads: tuple[Gap, ...] = ()
    """Reads that failed: missing data does not count as healthy."""
    feed: tuple[PlatformReport, ...] = ()
    """Problems of the last two days that Railway reports, oldest first, also from before the window."""
    feed_read: bool = False
    """False if the feed could not be read: then `feed` holds deployment statuses only."""

    def gaps_for(self, service: str) -> tuple[Gap, ...]:
        """The failed reads that may hide a finding of the service.

        Args:
            service: name of the service.
        """
        return tuple(
            gap
            for gap in self.failed_reads
            if gap.part not in NON_ESSENTIAL_PARTS and gap.subject in (None, service)
        )
