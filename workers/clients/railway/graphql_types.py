"""The parts of Railway's schema that the client reads, and their conversion to our models."""

from __future__ import annotations

from typing import Any

from pydantic import Field, FiniteFloat, field_validator

from workers import models
from workers.clients.railway.api_model import ApiModel, Name, ValidItems
from workers.clients.railway.opaque_json import (
    child,
    parse_json,
    replica_count,
    repository_name,
    text_field,
    text_list,
)
from workers.models import Moment

# Railway's CLI takes the first active deployment with one of these statuses for the serving one, else the
# latest. A FAILED deployment never started, so an older one still serves.
SERVING_STATUSES = ("SUCCESS", "CRASHED", "SLEEPING")

MAX_WATCH_PATTERNS = 50  # of a service: more are not compared with a patch
MAX_REASON_CHARS = 200  # Railway's reasons for a skipped deployment are a few words
MAX_COMMIT_MESSAGE_CHARS = 2000
"""A commit message comes from outside and has no limit of its own; messages and prompts show less than this."""


# ---- structure -------------------------------------------------------------------------------


class Ids(ApiModel):
    project_id: str
    environment_id: str


class ProjectToken(ApiModel):
    project_token: Ids


class Named(ApiModel):
    name: Name


class Incident(ApiModel):
    status: str = ""
    message: str = ""


class PlatformStatus(ApiModel):
    is_stable: bool
    incident: Incident | None = None


class Instance(ApiModel):
    id: str
    status: str


class Deployment(ApiModel):
    id: str
    status: str
    created_at: Moment
    status_updated_at: Moment | None = None
    service_id: str | None = None
    deployment_stopped: bool | None = None
    meta: Any = None
    instances: list[Instance] | None = None

    def to_model(self, service_id: str) -> models.Deployment:
        """The deployment as our model.

        Args:
            service_id: the service, if Railway names none.
        """
        meta = parse_json(self.meta)
        return models.Deployment(
            id=self.id,
            service_id=self.service_id or service_id,
            status=self.status,
            created_at=self.created_at,
            status_at=self.status_updated_at,
            skipped_reason=(text_field(meta, "skippedReason") or "")[:MAX_REASON_CHARS] or None,
            stopped=bool(self.deployment_stopped),
            repo=repository_name(text_field(meta, "repo")),
            branch=text_field(meta, "branch"),
            commit=text_field(meta, "commitHash"),
            commit_message=(text_field(meta, "commitMessage") or "")[:MAX_COMMIT_MESSAGE_CHARS] or None,
            commit_author=text_field(meta, "commitAuthor"),
            root_directory=text_field(meta, "rootDirectory"),
            image=text_field(meta, "image"),
            replicas=replica_count(meta) or 1,
            instance_states=tuple(instance.status for instance in self.instances or []),
        )


class Domain(ApiModel):
    domain: str


class Domains(ApiModel):
    service_domains: list[Domain] | None = None
    custom_domains: list[Domain] | None = None


class Source(ApiModel):
    repo: str | None = None
    image: str | None = None


class ServiceInstance(ApiModel):
    """A service in one environment."""

    service_id: str
    service_name: Name
    num_replicas: int | None = None
    root_directory: str | None = None
    start_command: str | None = None
    cron_schedule: str | None = None
    sleep_application: bool | None = None
    source: Source | None = None
    domains: Domains | None = None
    latest_deployment: Deployment | None = None
    active_deployments: list[Deployment] | None = None

    def to_model(self) -> models.Service:
        """The service as our model, without series and volumes."""
        latest, serving = self.latest_deployment, self.serving()
        meta = parse_json(serving.meta if serving else latest.meta if latest else None)
        manifest = child(meta, "serviceManifest")
        deploy = child(manifest, "deploy")
        source, domains = self.source or Source(), self.domains or Domains()
        return models.Service(
            id=self.service_id,
            name=self.service_name or self.service_id,
            repo=repository_name(source.repo or text_field(meta, "repo")),
            branch=text_field(meta, "branch"),
            root_directory=self.root_directory or text_field(meta, "rootDirectory"),
            watch_patterns=text_list(child(manifest, "build"), "watchPatterns")[:MAX_WATCH_PATTERNS],
            image=source.image or text_field(meta, "image"),
            start_command=self.start_command or text_field(deploy, "startCommand"),
            cron=self.cron_schedule or text_field(deploy, "cronSchedule"),
            sleeps=bool(self.sleep_application),
            public=bool(domains.service_domains or domains.custom_domains),
            replicas=replica_count(meta) or self.num_replicas or 1,
            serving=serving.to_model(self.service_id) if serving else None,
            latest=latest.to_model(self.service_id) if latest else None,
        )

    def serving(self) -> Deployment | None:
        """The deployment that answers requests; None if there is none."""
        latest = [self.latest_deployment] if self.latest_deployment else []
        candidates = [*(self.active_deployments or []), *latest]
        return next((item for item in candidates if item.status in SERVING_STATUSES), None)


class VolumeInstance(ApiModel):
    volume_id: str
    service_id: str | None = None
    mount_path: str = ""
    used_mb: float = Field(alias="currentSizeMB")
    size_mb: float = Field(alias="sizeMB")
    is_pending_deletion: bool | None = None
    volume: Named | None = None

    def to_model(self) -> models.Volume:
        return models.Volume(
            id=self.volume_id,
            name=self.volume.name if self.volume else self.volume_id,
            mount_path=self.mount_path,
            used_mb=self.used_mb,
            size_mb=self.size_mb,
        )


class Trigger(ApiModel):
    """A push to `branch` deploys the service. Railway has no branch on the service instance itself."""

    service_id: str | None = None
    branch: str
    repository: str


class Variable(ApiModel):
    """A variable's name and its references; the client never requests a value. A shared one names no service."""

    name: str
    service_id: str | None = None
    references: ValidItems[str] = Field(default_factory=list)


# ---- series ----------------------------------------------------------------------------------


class Value(ApiModel):
    ts: int
    value: FiniteFloat


class Tags(ApiModel):
    service_id: str | None = None
    deployment_id: str | None = None
    deployment_instance_id: str | None = None


class Series(ApiModel):
    """One metric of one group. Railway sets only the tags that the query groups by."""

    measurement: str
    tags: Tags = Tags()
    values: ValidItems[Value]

    @field_validator("tags", mode="before")
    @classmethod
    def _default_tags(cls, value: object) -> object:
        return value or {}


class Statuses(ApiModel):
    """Requests per step that were answered with one status code."""

    status_code: int
    samples: ValidItems[Value]


class Percentiles(ApiModel):
    ts: int
    p95: FiniteFloat


class Durations(ApiModel):
    """Response times per step, in milliseconds."""

    samples: ValidItems[Percentiles]
