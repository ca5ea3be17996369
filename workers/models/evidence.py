"""Evidence: typed facts about an incident."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from workers.models.base import Model, Moment
from workers.models.clean_text import Exact, Text
from workers.models.incident import Finding
from workers.models.rollback import RollbackOption
from workers.models.survey import Deployment, Gap, Sibling


class LogSource(StrEnum):
    """The log that a pattern was read from."""

    DEPLOYMENT = "deployment"
    BUILD = "build"


class SignKind(StrEnum):
    """A kind of statement of a log record about its cause. The comment names the subject of a sign of this kind."""

    # Variable or setting, as the service names it; numbers: usual_name 1 if the text does not name it, so that the
    # subject is only the name that its library suggests.
    SETTING_MISSING = "setting_missing"
    # Variable or setting with a malformed value; numbers: usual_name, and unexpanded 1 if the value is `$NAME` itself,
    # which no shell replaced.
    SETTING_INVALID = "setting_invalid"
    CREDENTIALS_REJECTED = "credentials_rejected"  # host or service that rejects them; empty if not named
    WRONG_ADDRESS = "wrong_address"  # address that cannot be right, such as a datastore on localhost
    PORT_IN_USE = "port_in_use"  # port
    CONNECTION_REFUSED = "connection_refused"  # host, with its port if it is named
    UNREACHABLE = "unreachable"  # host to which no connection came about; the text does not say why
    NOT_READY = "not_ready"  # host; empty if not named; a datastore that is starting
    CONNECTION_CLOSED = "connection_closed"  # host; empty if not named
    UNKNOWN_HOST = (
        "unknown_host"  # host; numbers: temporary 1 if the name service failed instead of denying it
    )
    NO_RESPONSE = "no_response"  # host that timed out; empty if not named
    ERROR_RESPONSE = "error_response"  # host that answered with an error; numbers: status
    TLS_FAILED = "tls_failed"  # host
    POOL_EXHAUSTED = "pool_exhausted"  # option that sizes the pool; numbers: current
    RUNTIME_CEILING = "runtime_ceiling"  # option that raises the ceiling of the runtime; numbers: limit_mb
    OUT_OF_MEMORY = "out_of_memory"  # nothing
    DISK_FULL = "disk_full"  # path or volume; empty if not named
    MODULE_MISSING = "module_missing"  # module or package that is not installed
    LIBRARY_MISSING = "library_missing"  # system library or program that the image lacks
    COMMAND_MISSING = "command_missing"  # program of the start command that does not exist
    WORKER_TIMEOUT = "worker_timeout"  # server that ended a worker for one slow request
    TERMINATED = "terminated"  # signal from outside
    LINES_DROPPED = "lines_dropped"  # nothing; numbers: lines
    HEALTH_CHECK_FAILED = "health_check_failed"  # path
    ARCHIVING_BEHIND = "archiving_behind"  # nothing; PostgreSQL keeps its write-ahead log
    INPUT_REJECTED = "input_rejected"  # field of a request that the service refuses
    PROGRAMMING_ERROR = "programming_error"  # class of the exception
    ACCOMPANIES = "accompanies"  # nothing; the record follows from another failure and names no cause


class Sign(Model):
    """One statement of a log record about its cause, read from the text before it is redacted.

    Diagnosis decides by signs and never by the text of a record, because redaction may change the text.
    """

    kind: SignKind
    subject: Exact = ""
    """A name, host or option, as `SignKind` says, for comparisons; never prose and never a value of a setting."""
    product: str = ""
    """Product that a failed call was for, as its client shows: `postgres`, `mysql`, `mongodb`, `redis`, `rabbitmq`,
    `kafka`, `elasticsearch`, `smtp`, `http`; empty if the record does not show it."""
    numbers: dict[str, float] = Field(default_factory=dict)


class LogPattern(Model):
    """Similar log records, counted. All text is redacted, and untrusted."""

    template: str
    """The line that names the problem, with varying values masked: `order <uuid> failed`."""
    count: int
    level: str
    """`error`, `warning`, `stderr`, `info` …: the level that the text shows, not the stream it was printed on."""
    first: Moment
    last: Moment
    sample: Text
    """One whole record, with its traceback."""
    headline: str = ""
    """The line of the sample that names the problem, with its values."""
    exception: str = ""
    """Class of the exception that the sample names; empty without one."""
    signs: tuple[Sign, ...] = ()
    locations: tuple[Exact, ...] = ()
    """Own code that the trace or line names as `file:line`, the likely fault first: for comparisons. The line is 0 if
    only the file is known."""


class RequestPattern(Model):
    """Similar requests at Railway's edge proxy, counted."""

    method: str
    route: str
    """The path with numbers and ids masked: `/orders/:id`."""
    path: str
    """The path of the slowest of these requests."""
    status: int
    count: int
    slowest_ms: float
    platform_answer: bool = False
    """The edge proxy responded itself: no instance was running, or it refused the connection."""


class CodeLocation(Model):
    """A line of the repository that stack traces, requests or the suspect commit point to."""

    file: str
    """Relative to the repository."""
    line: int
    """0 if only the file is known, as for built code without a source map."""
    function: str | None = None
    why: Literal["stack", "log", "build", "route", "changed"]
    """`stack`: in the stack trace of an error; `log`, `build`: named by a line of the log or build log; `route`:
    handles a failing route; `changed`: by the suspect commit."""
    count: int = 1
    """Stack traces, requests or changed lines, by `why`."""
    excerpt: Text = ""
    """The numbered lines around it, the line itself marked with `>`."""
    imports: tuple[Exact, ...] = ()
    """Own files that its file imports, directly or indirectly: paths of the repository, for comparisons."""

    @property
    def position(self) -> str:
        """`file:line` for people; the file alone if no line is known."""
        return f"{self.file}:{self.line}" if self.line else self.file


class Suspect(Model):
    """The deployment that was live at the onset, with the files that its commit changed."""

    deployment_id: str
    commit: str | None
    at: Moment
    author: str | None = None
    message: Text | None = None
    files: tuple[str, ...] = ()


class Upstream(Model):
    """An outside host that the service depends on."""

    host: str
    errors: int
    """Log errors that name the host."""
    in_code: bool
    """True if the service's sources name the host."""
    files: tuple[Exact, ...] = ()
    """Own files that name the host: paths of the repository, for comparisons."""
    state: Literal["operational", "degraded", "down", "unknown"]
    """As its status page reports it."""
    description: Text = ""
    """As worded by its status page, redacted."""


class DnsAnswer(Model):
    """Answers of the private or public name service to a service, counted."""

    name: str
    rcode: str
    """Result code, such as `NOERROR`, `NXDOMAIN` or `SERVFAIL`."""
    count: int


class Flow(Model):
    """Connections between a service and one peer, as the network measured them."""

    peer: str
    """Name of the service of the same project, or address."""
    peer_kind: str
    """Railway's kind of peer, such as `service` or `internet`."""
    port: int = 0
    dropped: int = 0
    """Packets that were dropped."""
    drop_cause: str = ""
    bytes: float = 0.0
    latency_ms: float | None = None


class Network(Model):
    """The network's report about one service of the project."""

    dns: tuple[DnsAnswer, ...] = ()
    flows: tuple[Flow, ...] = ()


class ModuleDeclaration(Model):
    """Where the repository declares a module or program that a log record misses."""

    name: str
    """As the sign names it."""
    package: str = ""
    """Name under which a manifest lists it, such as `PyYAML` for `yaml`; empty if it is the same."""
    manifest: str = ""
    """File that lists the dependencies of the service, such as `requirements.txt`; empty if there is none."""
    listed: bool = False
    """The manifest lists it."""
    is_own: bool = False
    """The name belongs to the repository: a relative path, or a module below one of its packages."""
    similar: str = ""
    """Own file whose name differs by case or a letter or two; empty without one."""


class SettingUse(Model):
    """An environment variable that the service's own sources read."""

    name: str
    file: str = ""
    """First own file that reads it; empty if only an example names it."""
    line: int = 0
    example: str = ""
    """File of the repository that shows it, such as `.env.example`; never its value."""
    required_since_suspect: bool = False
    """The suspect commit added the line that reads it."""


class FactKind(StrEnum):
    """The statement that a fact makes. The comment names the fields of `Fact` that the kind sets."""

    FINDING = "finding"  # finding
    SYMPTOM = "symptom"  # finding, of another service
    SUSPECT = "suspect"  # suspect; numbers: seconds_to_onset
    CHANGED_FILES = "changed_files"  # suspect
    SIGN = "sign"  # sign, source; numbers: records
    LINES_DROPPED = "lines_dropped"  # numbers: lines
    LOG_PATTERN = "log_pattern"  # pattern, source
    NO_LOG_ERRORS = "no_log_errors"  # source; numbers: records
    REQUESTS = "requests"  # request
    CODE_LOCATION = "code_location"  # location
    UPSTREAM = "upstream"  # upstream
    DNS_ANSWER = "dns_answer"  # answer
    NETWORK_FLOW = "network_flow"  # flow
    SIBLING = "sibling"  # sibling
    MODULE = "module"  # module
    SETTING = "setting"  # setting
    LOAD_GREW = "load_grew"  # numbers: before_per_minute, since_per_minute
    LOAD_STEADY = "load_steady"  # numbers: before_per_minute, since_per_minute
    PUBLIC_DOMAIN = "public_domain"  # service
    NO_PUBLIC_DOMAIN = "no_public_domain"  # service
    CPU_HEADROOM = "cpu_headroom"  # numbers: peak_percent
    MEMORY_HEADROOM = "memory_headroom"  # numbers: peak_percent
    SERVER_ERROR_COUNT = "server_error_count"  # numbers: failed, requests
    NO_RESTART_LOOP = "no_restart_loop"  # numbers: starts
    DEPLOYMENT = "deployment"  # deployment
    EXAMINED_DEPLOYMENT = "examined_deployment"  # deployment, the one whose logs and commit were read


class Fact(Model):
    """A numbered statement about an incident that a verdict or a plan can cite.

    Rules decide by `kind` and the typed fields. `text` is rendered from them, for people and prompts only.
    Samples of log patterns and excerpts of code locations are left out: the evidence holds them once.
    """

    id: str = ""
    """`E1`, `E2` …; empty until the facts of an incident are numbered."""
    kind: FactKind
    finding: Finding | None = None
    suspect: Suspect | None = None
    pattern: LogPattern | None = None
    source: LogSource | None = None
    request: RequestPattern | None = None
    location: CodeLocation | None = None
    upstream: Upstream | None = None
    sign: Sign | None = None
    answer: DnsAnswer | None = None
    flow: Flow | None = None
    sibling: Sibling | None = None
    module: ModuleDeclaration | None = None
    setting: SettingUse | None = None
    deployment: Deployment | None = None
    service: str = ""
    numbers: dict[str, float] = Field(default_factory=dict)
    """Units are part of the key, as in `Finding.numbers`."""
    text: str = ""


class Repository(Model):
    """The repository of a service. Every field comes from Railway's API and none from a model."""

    name: Exact
    """`owner/name`."""
    base: Exact
    """Branch that Railway deploys, and that a pull request targets."""
    deployed: Exact
    """Commit of the examined deployment."""
    root: str = ""
    """Root directory of the service inside the repository, without slashes at its ends."""


class Evidence(Model):
    """The evidence about the service of an incident. A part that could not be read is a gap, never an empty result."""

    facts: tuple[Fact, ...] = ()
    patterns: tuple[LogPattern, ...] = ()
    build_patterns: tuple[LogPattern, ...] = ()
    requests: tuple[RequestPattern, ...] = ()
    locations: tuple[CodeLocation, ...] = ()
    suspect: Suspect | None = None
    rollback: RollbackOption | None = None
    """None where no deployment caused the trouble, or Railway cannot roll back to the one before it."""
    upstreams: tuple[Upstream, ...] = ()
    repository: Repository | None = None
    network: Network = Network()
    modules: tuple[ModuleDeclaration, ...] = ()
    settings: tuple[SettingUse, ...] = ()
    raw_chars: int = 0
    """Characters of the log records that were read; 0 if it is not known."""
    failed_reads: tuple[Gap, ...] = ()
