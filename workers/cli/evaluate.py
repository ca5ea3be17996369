"""The public format of a window: one JSON line in, one JSON line out, so that anybody can ask what would be said.

In, one service: `service` and `end` must be there, all else may be missing; lists are oldest first and end at `end`.
In, a project: `{"services": [one each], "calls": [[caller, callee]…]}`. Units: vCPU, GB, milliseconds, seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from workers import detection
from workers.errors import InvalidWindow
from workers.models import (
    Deployment,
    Finding,
    History,
    InstanceUsage,
    Moment,
    PlatformEvent,
    Point,
    Service,
    Severity,
    Summary,
    Survey,
    TrafficMinute,
    Volume,
    Window,
)

OUTPUT_FIELDS = {"kind", "severity", "since", "ongoing", "numbers", "sentence", "confidence"}
DEFAULT_WINDOW_MINUTES = 30
"""Of a window in which there is no series."""
MB_PER_GB = 1000.0
MAX_SAMPLES = 20_000
MAX_HISTORY_WINDOWS = 2_000
MAX_SERVICES = 1_000

Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
When = Annotated[Moment, Field(ge=datetime(1990, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))]
Series = Annotated[list[Amount | None], Field(max_length=MAX_SAMPLES)]
Counts = Annotated[list[Amount], Field(max_length=MAX_SAMPLES)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class HttpInput(_Input):
    """Requests at the edge per step; a missing status list is taken from the others."""

    step_seconds: Annotated[int, Field(gt=0, le=86_400)] = 60
    requests: Counts | None = None
    ok: Counts | None = Field(default=None, alias="2xx")
    client_errors: Counts | None = Field(default=None, alias="4xx")
    server_errors: Counts | None = Field(default=None, alias="5xx")
    p95: Series | None = None

    @model_validator(mode="after")
    def _equally_long(self) -> HttpInput:
        lengths = {
            name: len(values)
            for name, values in (
                ("requests", self.requests), ("2xx", self.ok), ("4xx", self.client_errors),
                ("5xx", self.server_errors), ("p95", self.p95),
            )
            if values is not None
        }  # fmt: skip
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise ValueError(f"lists of different length: {said}")
        return self

    def traffic(self, end: float) -> tuple[TrafficMinute, ...]:
        known = (self.requests, self.ok, self.client_errors, self.server_errors, self.p95)
        length = max((len(values) for values in known if values is not None), default=0)
        none = [0.0] * length
        bad, wrong = self.server_errors or none, self.client_errors or none
        good = self.ok or [
            max(0.0, all_ - b - w) for all_, b, w in zip(self.requests or none, bad, wrong, strict=True)
        ]
        every = [
            max(all_, g + w + b)
            for all_, g, w, b in zip(self.requests or none, good, wrong, bad, strict=True)
        ]
        slow = self.p95 or [None] * length
        start = end - length * self.step_seconds
        return tuple(
            TrafficMinute(
                at=round(start + i * self.step_seconds), requests=round(every[i]), ok=round(good[i]),
                client_errors=round(wrong[i]), server_errors=round(bad[i]), p95_ms=slow[i],
            )
            for i in range(length)
        )  # fmt: skip


class ServiceInput(_Input):
    """One service over one window."""

    service: Annotated[str, Field(min_length=1, max_length=200)]
    end: When
    step_seconds: Annotated[int, Field(gt=0, le=86_400)] = 60
    cpu: Series | None = None
    cpu_limit: Amount | None = None
    memory: Series | None = None
    memory_limit: Amount | None = None
    replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    disk: Series | None = None
    disk_limit: Amount | None = None
    http: HttpInput | None = None
    events: Annotated[list[PlatformEvent], Field(max_length=MAX_SAMPLES)] = Field(default_factory=list)
    past: Annotated[list[dict[str, Any]], Field(max_length=MAX_HISTORY_WINDOWS)] = Field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The length of the window: of the longest series in it."""
        spans = [len(values or ()) * self.step_seconds for values in (self.cpu, self.memory, self.disk)]
        if self.http:
            spans.append(len(self.http.traffic(0)) * self.http.step_seconds)
        return max(spans, default=0) or DEFAULT_WINDOW_MINUTES * 60

    def to_service(self) -> Service:
        end, replicas = self.end.timestamp(), self.replicas or 1
        disk = _points(self.disk or [], end, self.step_seconds)
        volumes: tuple[Volume, ...] = ()
        if disk and self.disk_limit:
            used, size = disk[-1][1] * MB_PER_GB, self.disk_limit * MB_PER_GB
            volumes = (Volume(id="volume", name="volume", mount_path="/", used_mb=used, size_mb=size),)
        deployments = [
            Deployment(
                id=f"{self.service}@{one.at:%Y%m%dT%H%M%S}", service_id=self.service, status="SUCCESS",
                created_at=one.at,
            )
            for one in sorted(self.events, key=lambda event: event.at, reverse=True)
            if one.kind == "deployed"
        ]  # fmt: skip
        return Service(
            id=self.service, name=self.service, replicas=replicas, public=self.http is not None,
            deployments=tuple(deployments), volumes=volumes, disk=disk,
            cpu_limit=self.cpu_limit or None, memory_limit=self.memory_limit or None,
            usage=self._usage(end, replicas), traffic=self.http.traffic(end) if self.http else (),
            traffic_step_seconds=self.http.step_seconds if self.http else self.step_seconds,
            events=tuple(sorted(self.events, key=lambda one: one.at)),
        )  # fmt: skip

    def _usage(self, end: float, replicas: int) -> tuple[InstanceUsage, ...]:
        """The series are the sum of all replicas, as Railway gives them ungrouped: judged is the mean one."""
        cpu, memory = (
            _points(values or [], end, self.step_seconds, replicas) for values in (self.cpu, self.memory)
        )
        return (InstanceUsage(instance_id="mean", cpu=cpu, memory=memory),) if cpu or memory else ()

    def summaries(self) -> tuple[Summary, ...]:
        """What lies before the window, oldest first; raises ValidationError naming the place in `past`."""
        return tuple(_earlier(one, number, self.service) for number, one in enumerate(self.past))


def _points(values: Sequence[float | None], end: float, step: int, shared_by: int = 1) -> tuple[Point, ...]:
    start = end - len(values) * step
    return tuple(
        (round(start + i * step), value / shared_by) for i, value in enumerate(values) if value is not None
    )


_WHOLE_WINDOW = {"cpu", "memory", "http"}


def _earlier(window: dict[str, Any], number: int, service: str) -> Summary:
    """A summary as it is, or a window in the form above made into one."""
    try:
        if not _WHOLE_WINDOW & window.keys():
            return Summary.model_validate(window)
        given = ServiceInput.model_validate({"service": service, **window})
        return detection.summarise(given.to_service(), _survey([given], ()))
    except ValidationError as error:
        raise InvalidWindow(f"past.{number}.{_words(error)}") from error


class ProjectInput(_Input):
    """Several services, and who calls whom by their names."""

    services: Annotated[list[ServiceInput], Field(min_length=1, max_length=MAX_SERVICES)]
    calls: list[tuple[str, str]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_are_known(self) -> ProjectInput:
        names = [one.service for one in self.services]
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise ValueError(f"services: {twice!r} is there twice")
        strange = next((name for pair in self.calls for name in pair if name not in names), None)
        if strange is not None:
            raise ValueError(f"calls: no service {strange!r}")
        return self


def _survey(given: Sequence[ServiceInput], calls: Sequence[tuple[str, str]]) -> Survey:
    end = max(one.end for one in given)
    start = min(one.end - timedelta(seconds=one.seconds) for one in given)
    return Survey(
        project_id="", project_name="", environment_id="", environment_name="",
        window=Window(start=start, end=end), step_seconds=min(one.step_seconds for one in given),
        services=tuple(one.to_service() for one in given), calls=tuple(calls),
    )  # fmt: skip


_LINE: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def parse_line(line: str) -> ServiceInput | ProjectInput:
    """One line of the format. Raises BadWindow, which names the field."""
    try:
        fields = _LINE.validate_json(line)
        return (ProjectInput if "services" in fields else ServiceInput).model_validate(fields)
    except ValidationError as error:
        raise InvalidWindow(_words(error)) from error


def read_line(line: str) -> tuple[Survey, History]:
    """A line as what the detector judges. Raises BadWindow, which names the field."""
    return _nouns(parse_line(line))


def _nouns(given: ServiceInput | ProjectInput) -> tuple[Survey, History]:
    if isinstance(given, ServiceInput):
        return _survey([given], ()), {given.service: given.summaries()}
    past = {}
    for number, one in enumerate(given.services):
        try:
            past[one.service] = one.summaries()
        except InvalidWindow as error:
            raise InvalidWindow(f"services.{number}.{error}") from error
    return _survey(given.services, given.calls), past


def evaluate_line(line: str, *, min_duration_minutes: float = 4.0) -> str:
    """What the detector says of one line, as one line. Raises BadWindow, which names the field."""
    given = parse_line(line)
    whole, past = _nouns(given)
    every = [given] if isinstance(given, ServiceInput) else given.services
    findings, reports = [], []
    for one in every:
        alone = _survey([one], ())  # its window may end elsewhere than those of the others
        found = detection.detect(alone, min_duration_minutes=min_duration_minutes, history=past)
        reports.append(service_report(alone.services[0], alone, found))
        findings += found
    if isinstance(given, ServiceInput):
        return json.dumps(reports[0])
    return json.dumps({"services": reports, "cause": detection.rank_suspects(findings, whole)})


class OutputLine(NamedTuple):
    """One line of output, and whether it is an answer or an error."""

    text: str
    is_valid: bool


def evaluate_lines(lines: Iterable[bytes], *, min_duration_minutes: float = 4.0) -> Iterator[OutputLine]:
    """A line of output for each line that is not blank; one that cannot be judged says why, and the rest goes on."""
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        try:
            yield OutputLine(
                evaluate_line(raw.decode(), min_duration_minutes=min_duration_minutes), is_valid=True
            )
        except (InvalidWindow, UnicodeDecodeError, OverflowError) as error:
            yield OutputLine(json.dumps({"line": number, "error": str(error)}), is_valid=False)


def service_report(service: Service, survey: Survey, findings: Sequence[Finding]) -> dict[str, Any]:
    """What is said of one service: sick or not, its findings, and its window in a few numbers."""
    own = [one for one in findings if one.service_id == service.id]
    loud = tuple(dict.fromkeys(one.kind for one in own if one.severity is not Severity.NOTICE))
    summary = detection.summarise(service, survey).model_copy(update={"alerting_kinds": loud})
    return {
        "service": service.name,
        "sick": bool(loud),
        "findings": [one.model_dump(mode="json", include=OUTPUT_FIELDS) for one in own],
        "summary": summary.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude=None if loud else {"alerting_kinds"}
        ),
    }


def _words(error: ValidationError) -> str:
    """The first complaint: where, and what is wrong there."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    return f"{place}: {said}" if place else said
