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

ANSWERS_REQUESTS = ("SUCCESS", "CRASHED", "SLEEPING")
"""Statuses of a deployment that is the service's present state; a FAILED one never got that far."""

NAME = 200
"""Characters of a name that we keep."""
MESSAGE = 2000
"""Characters of a commit message that we keep: nobody reads more, and it comes from outside."""


Name = Annotated[str, AfterValidator(lambda said: one_line(said)[:NAME])]
"""What somebody called a thing: it is shown in Slack, in logs and on terminals."""


class Wire(BaseModel):
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


Sound = Annotated[list[T], WrapValidator(_sound)]
"""The entries that can be read; how many cannot is added to the validation's context, where that is a list."""


# ---- envelope --------------------------------------------------------------------------------


class Complaint(Wire):
    """One of `errors`."""

    message: str = ""
    path: list[str | int] | None = None


class Envelope(Wire):
    data: dict[str, Any] | None = None
    errors: list[Complaint] = Field(default_factory=list)

    @field_validator("errors", mode="before")
    @classmethod
    def _may_be_null(cls, value: object) -> object:
        return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []

    @property
    def empty(self) -> bool:
        """Nothing was answered: no data, or null for all that was asked."""
        return not self.data or all(value is None for value in self.data.values())


class PageInfo(Wire):
    has_next_page: bool = False
    end_cursor: str | None = None


class Edge(Wire, Generic[T]):
    node: T


class Page(Wire, Generic[T]):
    edges: Sound[Edge[T]]
    page_info: PageInfo = PageInfo()

    @property
    def nodes(self) -> list[T]:
        return [edge.node for edge in self.edges]


# ---- shape -----------------------------------------------------------------------------------


class Ids(Wire):
    project_id: str
    environment_id: str


class ProjectToken(Wire):
    project_token: Ids


class Named(Wire):
    name: Name


class Incident(Wire):
    status: str = ""
    message: str = ""
    url: str | None = None


class PlatformStatus(Wire):
    is_stable: bool
    incident: Incident | None = None


class Instance(Wire):
    id: str
    status: str


class Deployment(Wire):
    id: str
    status: str
    created_at: Moment
    status_updated_at: Moment | None = None
    service_id: str | None = None
    deployment_stopped: bool | None = None
    meta: Any = None
    instances: list[Instance] | None = None

    def noun(self, service_id: str) -> models.Deployment:
        """Our Deployment; `service_id` holds where Railway names none."""
        meta = parsed(self.meta)
        return models.Deployment(
            id=self.id,
            service_id=self.service_id or service_id,
            status=self.status,
            created_at=self.created_at,
            status_at=self.status_updated_at,
            stopped=bool(self.deployment_stopped),
            repo=repository_name(text(meta, "repo")),
            branch=text(meta, "branch"),
            commit=text(meta, "commitHash"),
            commit_message=(text(meta, "commitMessage") or "")[:MESSAGE] or None,
            commit_author=text(meta, "commitAuthor"),
            root_directory=text(meta, "rootDirectory"),
            image=text(meta, "image"),
            replicas=replicas(meta) or 1,
            instance_states=tuple(one.status for one in self.instances or []),
        )


class Domain(Wire):
    domain: str


class Domains(Wire):
    service_domains: list[Domain] | None = None
    custom_domains: list[Domain] | None = None


class Source(Wire):
    repo: str | None = None
    image: str | None = None


class ServiceInstance(Wire):
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

    def noun(self) -> models.Service:
        """Our Service, with what stands in the environment: no series, no volumes yet."""
        latest, serves = self.latest_deployment, self.serving()
        meta = parsed(serves.meta if serves else latest.meta if latest else None)
        deploy = branch(branch(meta, "serviceManifest"), "deploy")
        source, domains = self.source or Source(), self.domains or Domains()
        return models.Service(
            id=self.service_id,
            name=self.service_name or self.service_id,
            repo=repository_name(source.repo or text(meta, "repo")),
            branch=text(meta, "branch"),
            root_directory=self.root_directory or text(meta, "rootDirectory"),
            image=source.image or text(meta, "image"),
            start_command=self.start_command or text(deploy, "startCommand"),
            cron=self.cron_schedule or text(deploy, "cronSchedule"),
            sleeps=bool(self.sleep_application),
            public=bool(domains.service_domains or domains.custom_domains),
            replicas=replicas(meta) or self.num_replicas or 1,
            serving=serves.noun(self.service_id) if serves else None,
            latest=latest.noun(self.service_id) if latest else None,
        )

    def serving(self) -> Deployment | None:
        """The deployment that answers requests: an active one, else the latest if it came so far."""
        latest = [self.latest_deployment] if self.latest_deployment else []
        candidates = [*(self.active_deployments or []), *latest]
        return next((one for one in candidates if one.status in ANSWERS_REQUESTS), None)


class VolumeInstance(Wire):
    volume_id: str
    service_id: str | None = None
    mount_path: str = ""
    used_mb: float = Field(alias="currentSizeMB")
    size_mb: float = Field(alias="sizeMB")
    is_pending_deletion: bool | None = None
    volume: Named | None = None

    def noun(self) -> models.Volume:
        return models.Volume(
            id=self.volume_id,
            name=self.volume.name if self.volume else self.volume_id,
            mount_path=self.mount_path,
            used_mb=self.used_mb,
            size_mb=self.size_mb,
        )


class Trigger(Wire):
    service_id: str | None = None
    branch: str
    repository: str


class Variable(Wire):
    """A variable's name and what it refers to: its value is never asked for. Without a service it is shared."""

    name: str
    service_id: str | None = None
    references: Sound[str] = Field(default_factory=list)


# ---- series ----------------------------------------------------------------------------------


class Value(Wire):
    ts: int
    value: FiniteFloat


class Tags(Wire):
    service_id: str | None = None
    deployment_id: str | None = None
    deployment_instance_id: str | None = None


class Series(Wire):
    measurement: str
    tags: Tags = Tags()
    values: Sound[Value]

    @field_validator("tags", mode="before")
    @classmethod
    def _may_be_null(cls, value: object) -> object:
        return value or {}


class Statuses(Wire):
    status_code: int
    samples: Sound[Value]


class Percentiles(Wire):
    ts: int
    p95: FiniteFloat


class Durations(Wire):
    samples: Sound[Percentiles]


def containers(value: object) -> tuple[float | None, float | None]:
    """vCPU and GB of an opaque ServiceInstanceLimit: `{"containers": {"cpu", "memoryBytes"}}`."""
    limits = parsed(value)
    inner = branch(limits, "containers") or limits
    cpu, memory = _number(inner.get("cpu")), _number(inner.get("memoryBytes"))
    return cpu, memory / 1e9 if memory else None


# ---- opaque scalars --------------------------------------------------------------------------


def parsed(value: object) -> Mapping[str, Any]:
    """An opaque JSON scalar as a mapping; empty if it is none. Some servers send it as text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def branch(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def text(value: Mapping[str, Any], key: str) -> str | None:
    """A non-empty string under the key, else None: opaque data may hold anything."""
    found = value.get(key)
    return found if isinstance(found, str) and found else None


def replicas(meta: Mapping[str, Any]) -> int | None:
    """Replicas over all regions: the instance's own `numReplicas` says 1 for a service in several."""
    deploy = branch(branch(meta, "serviceManifest"), "deploy")
    regions: Iterable[object] = branch(deploy, "multiRegionConfig").values()
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
