"""The public format of metric windows: one service or project per JSON line. `docs/detection.md` documents it.

Units: vCPU, GB (10^9 bytes), milliseconds, seconds. Lists are oldest first and end at `end`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from workers import detection
from workers.errors import InvalidWindow
from workers.models import (
    Deployment,
    History,
    InstanceUsage,
    Moment,
    PlatformEvent,
    Point,
    Service,
    Summary,
    Survey,
    TrafficMinute,
    Volume,
    Window,
)

DEFAULT_WINDOW_MINUTES = 30  # length of a window without any series
MB_PER_GB = 1000.0
# Limits of one line, so that a mistake ends with an error and not with the memory of the process.
MAX_SAMPLES = 20_000  # per series
MAX_HISTORY_WINDOWS = 2_000  # per service: a month of half-hour windows is 1,440
MAX_SERVICES = 1_000  # per project
WHOLE_WINDOW_FIELDS = {
    "cpu",
    "memory",
    "http",
}  # an entry of `past` with one of these is a window, not a summary

Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Time = Annotated[Moment, Field(ge=datetime(1990, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))]
Series = Annotated[list[Amount | None], Field(max_length=MAX_SAMPLES)]
Counts = Annotated[list[Amount], Field(max_length=MAX_SAMPLES)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class HttpInput(_Input):
    """HTTP traffic at the public edge, one entry per step."""

    step_seconds: Annotated[int, Field(gt=0, le=86_400)] = 60
    requests: Counts | None = None
    ok: Counts | None = Field(default=None, alias="2xx")
    client_errors: Counts | None = Field(default=None, alias="4xx")
    server_errors: Counts | None = Field(default=None, alias="5xx")
    p95: Series | None = None

    @model_validator(mode="after")
    def _have_equal_lengths(self) -> HttpInput:
        lengths = {
            name: len(values)
            for name, values in (
                ("requests", self.requests), ("2xx", self.ok), ("4xx", self.client_errors),
                ("5xx", self.server_errors), ("p95", self.p95),
            )
            if values is not None
        }  # fmt: skip
        if len(set(lengths.values())) > 1:
            described = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise ValueError(f"lists of different length: {described}")
        return self

    @property
    def length(self) -> int:
        """The number of steps."""
        series = (self.requests, self.ok, self.client_errors, self.server_errors, self.p95)
        return max((len(values) for values in series if values is not None), default=0)

    def traffic(self, end: float) -> tuple[TrafficMinute, ...]:
        """The steps up to `end` (epoch seconds). A missing list of counts is derived from the others."""
        length = self.length
        zeros = [0.0] * length
        failed, rejected = self.server_errors or zeros, self.client_errors or zeros
        requests = self.requests or zeros
        ok = self.ok or [max(0.0, r - c - s) for r, c, s in zip(requests, rejected, failed, strict=True)]
        totals = [max(r, o + c + s) for r, o, c, s in zip(requests, ok, rejected, failed, strict=True)]
        p95 = self.p95 or [None] * length
        start = end - length * self.step_seconds
        return tuple(
            TrafficMinute(
                at=round(start + i * self.step_seconds), requests=round(totals[i]), ok=round(ok[i]),
                client_errors=round(rejected[i]), server_errors=round(failed[i]), p95_ms=p95[i],
            )
            for i in range(length)
        )  # fmt: skip


class ServiceInput(_Input):
    """One service in one window."""

    service: Annotated[str, Field(min_length=1, max_length=200)]
    end: Time
    step_seconds: Annotated[int, Field(gt=0, le=86_400)] = 60
    cpu: Series | None = None
    cpu_limit: Amount | None = None
    memory: Series | None = None
    memory_limit: Amount | None = None
    replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    disk: Series | None = None
    disk_limit: Amount | None = None
    egress: Series | None = None
    cron: Annotated[str, Field(max_length=200)] | None = None
    http: HttpInput | None = None
    events: Annotated[list[PlatformEvent], Field(max_length=MAX_SAMPLES)] = Field(default_factory=list)
    history: Annotated[list[dict[str, Any]], Field(max_length=MAX_HISTORY_WINDOWS, alias="past")] = Field(
        default_factory=list
    )

    @property
    def seconds(self) -> float:
        """The length of the window, which is that of its longest series."""
        lengths = [
            len(values or ()) * self.step_seconds
            for values in (self.cpu, self.memory, self.disk, self.egress)
        ]
        if self.http:
            lengths.append(self.http.length * self.http.step_seconds)
        return max(lengths) or DEFAULT_WINDOW_MINUTES * 60

    def to_service(self) -> Service:
        """The service as a survey would show it."""
        end, replicas = self.end.timestamp(), self.replicas or 1
        disk = _points(self.disk or [], end, self.step_seconds)
        return Service(
            id=self.service, name=self.service, replicas=replicas, public=self.http is not None,
            deployments=self._deployments(), volumes=self._volumes(disk), disk=disk,
            cron=self.cron or None, egress=_points(self.egress or [], end, self.step_seconds),
            cpu_limit=self.cpu_limit or None, memory_limit=self.memory_limit or None,
            usage=self._usage(end, replicas), traffic=self.http.traffic(end) if self.http else (),
            traffic_step_seconds=self.http.step_seconds if self.http else self.step_seconds,
            events=tuple(sorted(self.events, key=lambda event: event.at)),
        )  # fmt: skip

    def _deployments(self) -> tuple[Deployment, ...]:
        """A deployment per `deployed` event, newest first."""
        return tuple(
            Deployment(
                id=f"{self.service}@{event.at:%Y%m%dT%H%M%S}", service_id=self.service, status="SUCCESS",
                created_at=event.at,
            )
            for event in sorted(self.events, key=lambda event: event.at, reverse=True)
            if event.kind == "deployed"
        )  # fmt: skip

    def _volumes(self, disk: Sequence[Point]) -> tuple[Volume, ...]:
        if not disk or not self.disk_limit:
            return ()
        used, size = disk[-1][1] * MB_PER_GB, self.disk_limit * MB_PER_GB
        return (Volume(id="volume", name="volume", mount_path="/", used_mb=used, size_mb=size),)

    def _usage(self, end: float, replicas: int) -> tuple[InstanceUsage, ...]:
        """The usage of the mean replica: the series are sums over all replicas, as Railway returns them."""
        cpu, memory = (
            _points(values or [], end, self.step_seconds, replicas) for values in (self.cpu, self.memory)
        )
        return (InstanceUsage(instance_id="mean", cpu=cpu, memory=memory),) if cpu or memory else ()

    def summaries(self) -> tuple[Summary, ...]:
        """The earlier windows, oldest first.

        Raises:
            InvalidWindow: An entry of `past` is invalid; the message names it.
        """
        return tuple(self._summary(entry, number) for number, entry in enumerate(self.history))

    def _summary(self, entry: dict[str, Any], number: int) -> Summary:
        """The entry as a summary; a whole window is summarised."""
        try:
            if not WHOLE_WINDOW_FIELDS & entry.keys():
                return Summary.model_validate(entry)
            window = ServiceInput.model_validate({"service": self.service, **entry})
            return detection.summarise(window.to_service(), to_survey([window]))
        except ValidationError as error:
            raise InvalidWindow(f"past.{number}.{describe_problem(error)}") from error


class ProjectInput(_Input):
    """Several services, and which of them calls which, by name."""

    services: Annotated[list[ServiceInput], Field(min_length=1, max_length=MAX_SERVICES)]
    calls: list[tuple[str, str]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_valid_names(self) -> ProjectInput:
        names = [service.service for service in self.services]
        duplicate = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if duplicate is not None:
            raise ValueError(f"services: {duplicate!r} is there twice")
        unknown = next((name for pair in self.calls for name in pair if name not in names), None)
        if unknown is not None:
            raise ValueError(f"calls: no service {unknown!r}")
        return self


_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def parse_line(line: str) -> ServiceInput | ProjectInput:
    """One line of the format.

    Raises:
        InvalidWindow: The line is not of the format; the message names the field.
    """
    try:
        fields = _OBJECT.validate_json(line)
        return (ProjectInput if "services" in fields else ServiceInput).model_validate(fields)
    except ValidationError as error:
        raise InvalidWindow(describe_problem(error)) from error


def read_line(line: str) -> tuple[Survey, History]:
    """One line as the input of `detection.detect`.

    Raises:
        InvalidWindow: The line is not of the format; the message names the field.
    """
    return to_detection_input(parse_line(line))


def to_detection_input(parsed: ServiceInput | ProjectInput) -> tuple[Survey, History]:
    """The survey and the history of a parsed line.

    Raises:
        InvalidWindow: An entry of `past` is invalid; the message names it.
    """
    if isinstance(parsed, ServiceInput):
        return to_survey([parsed]), {parsed.service: parsed.summaries()}
    history = {}
    for number, service in enumerate(parsed.services):
        try:
            history[service.service] = service.summaries()
        except InvalidWindow as error:
            raise InvalidWindow(f"services.{number}.{error}") from error
    return to_survey(parsed.services, parsed.calls), history


def to_survey(services: Sequence[ServiceInput], calls: Sequence[tuple[str, str]] = ()) -> Survey:
    """A survey whose window spans the windows of all services."""
    end = max(service.end for service in services)
    start = min(service.end - timedelta(seconds=service.seconds) for service in services)
    return Survey(
        project_id="", project_name="", environment_id="", environment_name="",
        window=Window(start=start, end=end), step_seconds=min(service.step_seconds for service in services),
        services=tuple(service.to_service() for service in services), calls=tuple(calls),
    )  # fmt: skip


def _points(values: Sequence[float | None], end: float, step: int, replicas: int = 1) -> tuple[Point, ...]:
    """The samples of a series that ends at `end`, divided by the number of replicas; None is a missing sample."""
    start = end - len(values) * step
    return tuple(
        (round(start + i * step), value / replicas) for i, value in enumerate(values) if value is not None
    )


def describe_problem(error: ValidationError) -> str:
    """The first problem of a line as `field: what is wrong`."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message
