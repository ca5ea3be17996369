"""Railway's answers as they come, and as our nouns. Whatever the schema lets be null may be null here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)
from pydantic.alias_generators import to_camel

from workers import models
from workers.models import Moment
from workers.runtime.text import one_line

T = TypeVar("T")

SERVING_STATUSES = ("SUCCESS", "CRASHED", "SLEEPING")
"""Statuses of a deployment that is the service's present state; a FAILED one never got that far."""

MAX_NAME_CHARS = 200
"""Characters of a name that we keep."""
MAX_COMMIT_MESSAGE_CHARS = 2000
"""Characters of a commit message that we keep: nobody reads more, and it comes from outside."""


Name = Annotated[str, AfterValidator(lambda said: one_line(said)[:MAX_NAME_CHARS])]
"""What somebody called a thing: it is shown in Slack, in logs and on terminals."""


class ApiModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


def _sound(value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    counted = info.context if isinstance(info.context, list) else []
    before = len(counted)
    try:
        return handler(value)
    except ValidationError as error:
        if not isinstance(value, list):
            raise
        broken = {one["loc"][0] for one in error.errors(include_url=False, include_input=False)}
        del counted[before:]  # the good entries are read again, and what is broken inside them counted again
        counted.append(len(broken))
        return handler([one for place, one in enumerate(value) if place not in broken])


ValidItems = Annotated[list[T], WrapValidator(_sound)]
"""The entries that can be read; how many cannot is added to the validation's context, where that is a list."""


# ---- envelope --------------------------------------------------------------------------------


class ErrorEntry(ApiModel):
    """One of `errors`."""

    message: str = ""
    path: list[str | int] | None = None


class Envelope(ApiModel):
    data: dict[str, Any] | None = None
    errors: list[ErrorEntry] = Field(default_factory=list)

    @field_validator("errors", mode="before")
    @classmethod
    def _may_be_null(cls, value: object) -> object:
        return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []

    @property
    def empty(self) -> bool:
        """Nothing was answered: no data, or null for all that was asked."""
        return not self.data or all(value is None for value in self.data.values())


class PageInfo(ApiModel):
    has_next_page: bool = False
    end_cursor: str | None = None


class Edge(ApiModel, Generic[T]):
    node: T


class Page(ApiModel, Generic[T]):
    edges: ValidItems[Edge[T]]
    page_info: PageInfo = PageInfo()

    @property
    def nodes(self) -> list[T]:
        return [edge.node for edge in self.edges]


# ---- shape -----------------------------------------------------------------------------------


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
    url: str | None = None


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
        """Our Deployment; `service_id` holds where Railway names none."""
        meta = parse_json(self.meta)
        return models.Deployment(
            id=self.id,
            service_id=self.service_id or service_id,
            status=self.status,
            created_at=self.created_at,
            status_at=self.status_updated_at,
            stopped=bool(self.deployment_stopped),
            repo=repository_name(text_field(meta, "repo")),
            branch=text_field(meta, "branch"),
            commit=text_field(meta, "commitHash"),
            commit_message=(text_field(meta, "commitMessage") or "")[:MAX_COMMIT_MESSAGE_CHARS] or None,
            commit_author=text_field(meta, "commitAuthor"),
            root_directory=text_field(meta, "rootDirectory"),
            image=text_field(meta, "image"),
            replicas=replica_count(meta) or 1,
            instance_states=tuple(one.status for one in self.instances or []),
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
        """Our Service, with what stands in the environment: no series, no volumes yet."""
        latest, serves = self.latest_deployment, self.serving()
        meta = parse_json(serves.meta if serves else latest.meta if latest else None)
        deploy = child(child(meta, "serviceManifest"), "deploy")
        source, domains = self.source or Source(), self.domains or Domains()
        return models.Service(
            id=self.service_id,
            name=self.service_name or self.service_id,
            repo=repository_name(source.repo or text_field(meta, "repo")),
            branch=text_field(meta, "branch"),
            root_directory=self.root_directory or text_field(meta, "rootDirectory"),
            image=source.image or text_field(meta, "image"),
            start_command=self.start_command or text_field(deploy, "startCommand"),
            cron=self.cron_schedule or text_field(deploy, "cronSchedule"),
            sleeps=bool(self.sleep_application),
            public=bool(domains.service_domains or domains.custom_domains),
            replicas=replica_count(meta) or self.num_replicas or 1,
            serving=serves.to_model(self.service_id) if serves else None,
            latest=latest.to_model(self.service_id) if latest else None,
        )

    def serving(self) -> Deployment | None:
        """The deployment that answers requests: an active one, else the latest if it came so far."""
        latest = [self.latest_deployment] if self.latest_deployment else []
        candidates = [*(self.active_deployments or []), *latest]
        return next((one for one in candidates if one.status in SERVING_STATUSES), None)


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
    service_id: str | None = None
    branch: str
    repository: str


class Variable(ApiModel):
    """A variable's name and what it refers to: its value is never asked for. Without a service it is shared."""

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
    measurement: str
    tags: Tags = Tags()
    values: ValidItems[Value]

    @field_validator("tags", mode="before")
    @classmethod
    def _may_be_null(cls, value: object) -> object:
        return value or {}


class Statuses(ApiModel):
    status_code: int
    samples: ValidItems[Value]


class Percentiles(ApiModel):
    ts: int
    p95: FiniteFloat


class Durations(ApiModel):
    samples: ValidItems[Percentiles]


def parse_limits(value: object) -> tuple[float | None, float | None]:
    """vCPU and GB of an opaque ServiceInstanceLimit: `{"containers": {"cpu", "memoryBytes"}}`."""
    limits = parse_json(value)
    inner = child(limits, "containers") or limits
    cpu, memory = _number(inner.get("cpu")), _number(inner.get("memoryBytes"))
    return cpu, memory / 1e9 if memory else None


# ---- opaque scalars --------------------------------------------------------------------------


def parse_json(value: object) -> Mapping[str, Any]:
    """An opaque JSON scalar as a mapping; empty if it is none. Some servers send it as text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def child(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def text_field(value: Mapping[str, Any], key: str) -> str | None:
    """A non-empty string under the key, else None: opaque data may hold anything."""
    found = value.get(key)
    return found if isinstance(found, str) and found else None


def replica_count(meta: Mapping[str, Any]) -> int | None:
    """Replicas over all regions: the instance's own `numReplicas` says 1 for a service in several."""
    deploy = child(child(meta, "serviceManifest"), "deploy")
    regions: Iterable[object] = child(deploy, "multiRegionConfig").values()
    counts = [_number(region.get("numReplicas")) for region in regions if isinstance(region, dict)]
    total = int(sum(count for count in counts if count)) or int(_number(deploy.get("numReplicas")) or 0)
    return total or None


def repository_name(said: str | None) -> str | None:
    """`owner/name`, whether Railway says just that or an address."""
    if not said:
        return None
    parts = said.removesuffix(".git").rstrip("/").replace(":", "/").split("/")
    return "/".join(parts[-2:])


def _number(value: object) -> float | None:
    """A positive number, else None: a limit of 0 is none."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return float(value) if good else None  # type: ignore[arg-type]
