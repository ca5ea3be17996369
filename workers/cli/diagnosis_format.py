"""The public format of cases: one service in trouble per JSON line. `docs/diagnosis.md` documents it.

Every key but `service` may be missing. Units: GB (10^9 bytes), vCPU, milliseconds, percent.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from workers.cli.window_format import Amount, Time, describe_problem
from workers.errors import InvalidCase
from workers.models import FindingKind, Severity

# Limits of one line, so that a mistake ends with an error and not with the memory of the process.
MAX_LINES = 100_000  # lines of one log
MAX_MESSAGE_CHARS = 1_000_000  # of one log line; Railway itself cuts lines at 100 kB
MAX_ENTRIES = 10_000  # requests, services, DNS answers and flows, each
MAX_FILES = 20_000  # files of the repository, as many as a clone may list
MAX_NAME_CHARS = 300

Name = Annotated[str, Field(max_length=MAX_NAME_CHARS)]
Percent = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: Any) -> Any:
        """A key whose value is null is missing."""
        if isinstance(value, dict):
            return {key: entry for key, entry in value.items() if entry is not None}
        return value


def _as_object(key: str) -> Any:
    """A validator for a value that is either an object or, in short, the text of one of its fields."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


class WindowInput(_Input):
    """The time that the case is about."""

    start: Time
    end: Time

    @model_validator(mode="after")
    def _has_a_length(self) -> WindowInput:
        if self.end <= self.start:
            raise ValueError("end is not after start")
        return self


class FindingInput(_Input):
    """A finding, as `evaluate` prints it; its kind alone is enough."""

    kind: FindingKind
    severity: Severity = Severity.CRITICAL
    since: Time | None = None
    ongoing: bool = True
    numbers: dict[str, float] = Field(default_factory=dict)
    sentence: Annotated[str, Field(max_length=2_000)] = ""
    confidence: Annotated[float, Field(ge=0, le=1)] = 1.0
    chronic: bool = False


class LineInput(_Input):
    """One log line. Standard error has the severity `error` on Railway, whatever the line says."""

    at: Time | None = None
    severity: Annotated[str, Field(max_length=40)] = "info"
    instance: Name = ""
    message: Annotated[str, Field(max_length=MAX_MESSAGE_CHARS)]


class RequestInput(_Input):
    """Requests of one kind at the public edge."""

    method: Annotated[str, Field(max_length=20)] = "GET"
    path: Annotated[str, Field(max_length=4_000)]
    status: Annotated[int, Field(ge=0, le=999)]
    count: Annotated[int, Field(ge=1, le=10**9)] = 1
    slowest_ms: Amount = 0.0
    platform_answer: bool = False


class RepositoryInput(_Input):
    """The code at the deployed commit: its files, or a folder on this machine."""

    files: Annotated[dict[str, str], Field(max_length=MAX_FILES)] | None = None
    path: str | None = None
    root: Name = ""

    @model_validator(mode="after")
    def _has_one_source(self) -> RepositoryInput:
        if (self.files is None) == (self.path is None):
            raise ValueError("needs either files or path")
        return self


def _as_lines_by_file(value: Any) -> Any:
    return {path: [] for path in value if isinstance(path, str)} if isinstance(value, list) else value


LineNumbers = Annotated[list[Annotated[int, Field(ge=1, le=10**7)]], Field(max_length=MAX_LINES)]


class SuspectInput(_Input):
    """The deployment that was live at the onset."""

    commit: Name | None = None
    deployed_at: Time | None = None
    message: Annotated[str, Field(max_length=10_000)] = ""
    files: Annotated[
        dict[str, LineNumbers], BeforeValidator(_as_lines_by_file), Field(max_length=MAX_ENTRIES)
    ] = Field(default_factory=dict)
    """The changed files: a list of paths, or the changed lines by path."""


class SiblingInput(_Input):
    """Another service of the same project; its name alone is enough."""

    name: Name
    healthy: bool | None = None
    deployed_at: Time | None = None


class DnsInput(_Input):
    """Answers of the name service."""

    name: Name
    rcode: Annotated[str, Field(max_length=40)] = "NOERROR"
    count: Annotated[int, Field(ge=0, le=10**12)] = 1


class FlowInput(_Input):
    """Connections to one peer."""

    peer: Name
    peer_kind: Name = ""
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    dropped: Annotated[int, Field(ge=0, le=10**12)] = 0
    drop_cause: Name = ""
    bytes: Amount = 0.0
    latency_ms: Amount | None = None


class NetworkInput(_Input):
    """The network's report about the service."""

    dns: Annotated[list[DnsInput], Field(max_length=MAX_ENTRIES)] = Field(default_factory=list)
    flows: Annotated[list[FlowInput], Field(max_length=MAX_ENTRIES)] = Field(default_factory=list)


class LimitsInput(_Input):
    """Limits of one replica."""

    memory_gb: Amount | None = None
    cpu: Amount | None = None


class UsageInput(_Input):
    """Peaks in the window, as shares of the limits."""

    memory_percent_peak: Percent | None = None
    cpu_percent_peak: Percent | None = None


Log = Annotated[list[Annotated[LineInput, _as_object("message")]], Field(max_length=MAX_LINES)]
State = Literal["operational", "degraded", "down", "unknown"]


class Case(_Input):
    """One service in trouble, with everything that the line would read about it."""

    service: Annotated[str, Field(min_length=1, max_length=200)]
    window: WindowInput | None = None
    onset: Time | None = None
    findings: Annotated[list[Annotated[FindingInput, _as_object("kind")]], Field(max_length=MAX_ENTRIES)] = (
        Field(default_factory=list)
    )
    logs: Log = Field(default_factory=list)
    build_logs: Log = Field(default_factory=list)
    requests: Annotated[list[RequestInput], Field(max_length=MAX_ENTRIES)] = Field(default_factory=list)
    repository: RepositoryInput | None = None
    suspect: SuspectInput | None = None
    upstreams: Annotated[dict[Name, State], Field(max_length=MAX_ENTRIES)] = Field(default_factory=dict)
    services: Annotated[list[Annotated[SiblingInput, _as_object("name")]], Field(max_length=MAX_ENTRIES)] = (
        Field(default_factory=list)
    )
    network: NetworkInput = Field(default_factory=NetworkInput)
    limits: LimitsInput = Field(default_factory=LimitsInput)
    usage: UsageInput = Field(default_factory=UsageInput)


_CASE = TypeAdapter(Case)


def parse_case(line: str) -> Case:
    """One line of the format.

    Raises:
        InvalidCase: The line is not of the format; the message names the field.
    """
    try:
        return _CASE.validate_json(line)
    except ValidationError as error:
        raise InvalidCase(describe_problem(error)) from error
