"""The values that the stages pass on, all frozen, in the order in which an incident meets them.

Values move forward only: a stage reads earlier values and makes new ones, and never changes an earlier one.
Units are part of the names or the docstrings: seconds, milliseconds (`_ms`), GB (10^9 bytes), vCPU.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_utc)]
"""A point in time, always UTC."""

Point = tuple[int, float]
"""One sample: epoch seconds, value."""

NEVER_LIVE = frozenset(
    {"FAILED", "SKIPPED", "WAITING", "QUEUED", "BUILDING", "INITIALIZING", "NEEDS_APPROVAL", "DEPLOYING"}
)
"""Railway's deployment statuses that mean that no container of the deployment has served yet, or ever will."""


def digest(*parts: str) -> str:
    """A short stable name for some text: 16 hex digits of SHA-256 over the parts."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


class Model(BaseModel):
    """A frozen value; fields of a newer version that we do not know are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


# ---- Alert -----------------------------------------------------------------------------------


class Alert(Model):
    """A request to check an environment: a webhook, a forwarded message, a ping or a command."""

    id: str
    source: Literal["railway", "slack", "ping", "command"]
    kind: str
    """`deployment.crashed`, `volumealert.triggered`, `message`, `ping` …: lower case, no `_` or `-`."""
    project_id: str | None = None
    environment_id: str | None = None
    service_id: str | None = None
    service_name: str | None = None
    deployment_id: str | None = None
    received_at: Moment
    """When the receiver stored the alert."""
    reported_at: Moment | None = None
    """The time that the sender names, None if it names none. The sender's clock may be wrong."""
    message: str = ""
    """The sender's text, redacted, at most 4 KiB; never the raw body."""


class Ignored(Model):
    """A valid request that needs no check."""

    reason: str


# ---- Survey ----------------------------------------------------------------------------------


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
    stopped: bool = False
    """True if all instances have ended. With status SUCCESS: a finished job, or an outage of a web service."""
    repo: str | None = None
    branch: str | None = None
    commit: str | None = None
    commit_message: str | None = None
    commit_author: str | None = None
    root_directory: str | None = None
    image: str | None = None
    replicas: int = 1
    """Over all regions."""
    instance_states: tuple[str, ...] = ()
    """Railway's state of each instance."""


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


# ---- History ---------------------------------------------------------------------------------


class Summary(Model):
    """One window of a service in the numbers that later windows are compared with. None means unknown.

    CPU and memory are those of the mean replica, in vCPU and GB.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    at: Moment | None = None
    """The end of the window."""
    minutes: float | None = None
    """The length of the window."""
    cpu_mean: float | None = None
    cpu_peak: float | None = None
    """The highest mean over five consecutive minutes."""
    memory_mean: float | None = None
    memory_low: float | None = None
    memory_high: float | None = None
    disk: float | None = None
    """Used GB at the end of the window."""
    requests: float | None = None
    server_errors: float | None = Field(default=None, alias="5xx")
    ok: float | None = None
    """Requests with a status below 400."""
    p95_median: float | None = None
    """Milliseconds: the median of the 95th percentiles of the steps."""
    p95_high: float | None = None
    """Milliseconds: the 90th percentile of the 95th percentiles of the steps."""
    cpu_high_minutes: float | None = None
    """The longest interval of high CPU."""
    restarted: bool | None = None
    """Whether a container started in the window."""
    error_lines: float | None = None
    alerting_kinds: tuple[str, ...] = Field(default=(), alias="sick")
    """Kinds of the findings above a notice. The baseline leaves out windows with such a finding while it is new."""


History = Mapping[str, Sequence[Summary]]
"""Earlier windows that do not overlap, by service id, oldest first."""


# ---- Finding and Incident --------------------------------------------------------------------


class Severity(StrEnum):
    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


FindingKind = Literal[
    "cpu", "memory", "memory_growth", "server_errors", "latency",
    "crashed", "failed_deployment", "restart_loop", "stopped", "volume",
    "oom_killed", "client_errors", "stuck_deployment", "missing", "traffic_lost", "traffic_surge", "error_logs",
]  # fmt: skip
"""The ways in which a service can be unhealthy."""


class Finding(Model):
    """One service is unhealthy in one way, measured in one window."""

    service_id: str
    service: str
    kind: FindingKind
    severity: Severity
    since: Moment
    """Onset."""
    ongoing: bool
    last_seen: Moment | None = None
    """The end of the condition, or the time of its last event; None if the rule knows neither."""
    numbers: dict[str, float] = Field(default_factory=dict)
    """Measurements; the key names the unit (`peak_percent`, `baseline_ms`)."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Names that the sentence mentions, such as those of a volume or a commit. Untrusted text."""
    sentence: str
    """The finding for people, without the name of its service. No decision may depend on it."""
    deployment_id: str | None = None
    """The affected deployment, otherwise the one that was live at the onset."""
    confidence: float = 1.0
    """0.0 to 1.0."""
    seconds_to_limit: float | None = None
    """Extrapolated seconds until memory or a volume is exhausted."""
    is_baseline: bool = False
    """The service has long been like this. Such a finding is a notice, and no sign that the service has recovered."""

    @property
    def named_sentence(self) -> str:
        """The sentence with the name of the service before it: `api: CPU at 97 % of its 2-vCPU limit …`."""
        return f"{self.service}: {self.sentence}"


def alerting_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings above a notice: they open incidents and keep them open."""
    return tuple(finding for finding in findings if finding.severity is not Severity.NOTICE)


def affected_services(findings: Iterable[Finding]) -> set[str]:
    """The ids of the services that have an alerting finding."""
    return {finding.service_id for finding in alerting_findings(findings)}


class Subject(Model):
    """The cause that an incident is about: a service id, an upstream host, or `platform`."""

    kind: Literal["service", "upstream", "platform"]
    key: str
    name: str


class Incident(Model):
    """The trouble of one cause at the moment when this occurrence was opened."""

    fingerprint: str
    """Digest of the environment and the cause: the same for every occurrence."""
    occurrence: str
    """UTC minute in which the occurrence was opened: 20261123T0304."""
    project_id: str
    project_name: str
    environment_id: str
    environment_name: str
    subject: Subject
    service: Service | None = None
    """The affected service as surveyed; None if the cause is Railway or an upstream host."""
    findings: tuple[Finding, ...]
    symptoms: tuple[Finding, ...] = ()
    """Findings of other services that this cause explains."""
    window: Window
    opened_at: Moment
    alert_ids: tuple[str, ...] = ()
    failed_reads: tuple[Gap, ...] = ()

    @property
    def id(self) -> str:
        return f"incident:{self.fingerprint}:{self.occurrence}"

    @property
    def branch(self) -> str:
        return f"trackwalker/{self.fingerprint}-{self.occurrence}"

    @property
    def opening_findings(self) -> tuple[Finding, ...]:
        """The findings that opened the incident: all but the notices, or the notices if there is nothing else."""
        return alerting_findings(self.findings) or self.findings

    @property
    def severity(self) -> Severity:
        order = list(Severity)
        return max((finding.severity for finding in self.findings), key=order.index)


# ---- Evidence --------------------------------------------------------------------------------


class LogSource(StrEnum):
    """The log that a pattern was read from."""

    DEPLOYMENT = "deployment"
    BUILD = "build"


class LogPattern(Model):
    """Similar log records, counted. All text is redacted, and untrusted."""

    template: str
    """The line that names the problem, with varying values masked: `order <uuid> failed`."""
    count: int
    level: str
    """`error`, `warning`, `stderr`, `info` …: the level that the text shows, not the stream it was printed on."""
    first: Moment
    last: Moment
    sample: str
    """One whole record, with its traceback."""


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
    function: str | None = None
    why: Literal["stack", "route", "changed"]
    """`stack`: in the stack trace of an error; `route`: handles a failing route; `changed`: by the suspect commit."""
    count: int = 1
    """Stack traces, requests or changed lines, by `why`."""
    excerpt: str = ""
    """The numbered lines around it, the line itself marked with `>`."""


class Suspect(Model):
    """The deployment that was live at the onset, with the files that its commit changed."""

    deployment_id: str
    commit: str | None
    at: Moment
    author: str | None = None
    message: str | None = None
    files: tuple[str, ...] = ()


class Upstream(Model):
    """An outside host that the service depends on."""

    host: str
    errors: int
    """Log errors that name the host."""
    in_code: bool
    """True if the service's sources name the host."""
    state: Literal["operational", "degraded", "down", "unknown"]
    """As its status page reports it."""
    description: str = ""
    """As worded by its status page, redacted."""


class FactKind(StrEnum):
    """The statement that a fact makes. The comment names the fields of `Fact` that the kind sets."""

    FINDING = "finding"  # finding
    SYMPTOM = "symptom"  # finding, of another service
    SUSPECT = "suspect"  # suspect; numbers: seconds_to_onset
    CHANGED_FILES = "changed_files"  # suspect
    LOG_PATTERN = "log_pattern"  # pattern, source
    NO_LOG_ERRORS = "no_log_errors"  # source; numbers: records
    REQUESTS = "requests"  # request
    CODE_LOCATION = "code_location"  # location
    UPSTREAM = "upstream"  # upstream
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
    deployment: Deployment | None = None
    service: str = ""
    numbers: dict[str, float] = Field(default_factory=dict)
    """Units are part of the key, as in `Finding.numbers`."""
    text: str = ""


class Repository(Model):
    """The repository of a service. Every field comes from Railway's API and none from a model."""

    name: str
    """`owner/name`."""
    base: str
    """Branch that Railway deploys, and that a pull request targets."""
    deployed: str
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
    upstreams: tuple[Upstream, ...] = ()
    repository: Repository | None = None
    failed_reads: tuple[Gap, ...] = ()


# ---- Verdict, Plan ---------------------------------------------------------------------------


class Category(StrEnum):
    """The kind of cause, which decides who can end the incident."""

    CODE = "code"
    DEPLOYMENT = "deployment"
    RESOURCE_LIMIT = "resource limit"
    CONFIGURATION = "configuration"
    UPSTREAM = "upstream"
    PLATFORM = "platform"
    TRAFFIC = "traffic"
    TRANSIENT = "transient"
    INCONCLUSIVE = "inconclusive"


class VerdictReason(StrEnum):
    """The conclusion of one diagnosis rule. The category, the advice and the texts of a verdict follow from it."""

    NO_FACTS = "no_facts"
    NO_RULE_APPLIES = "no_rule_applies"
    PLATFORM_INCIDENT = "platform_incident"
    SERVICE_REMOVED = "service_removed"
    NO_DEPLOYMENT_LEFT = "no_deployment_left"
    NO_LOGS_OF_FAILED_DEPLOYMENT = "no_logs_of_failed_deployment"
    HEALTH_CHECK_FAILED = "health_check_failed"
    BUILD_OR_START_FAILED = "build_or_start_failed"
    APPROVAL_PENDING = "approval_pending"
    CHECKS_PENDING = "checks_pending"
    BUILD_QUEUED = "build_queued"
    DEPLOYMENT_NOT_STARTED = "deployment_not_started"
    DEPLOYMENT_HANGS = "deployment_hangs"
    VARIABLE_MISSING = "variable_missing"
    VARIABLES_WRONG = "variables_wrong"
    NOT_LISTENING = "not_listening"
    SIBLING_UNKNOWN = "sibling_unknown"
    SIBLING_DOWN = "sibling_down"
    UPSTREAM_DOWN = "upstream_down"
    DOMAIN_REMOVED = "domain_removed"
    TRAFFIC_GONE = "traffic_gone"
    ERROR_IN_CODE = "error_in_code"
    CALLERS_LOCKED_OUT = "callers_locked_out"
    REFUSES_SINCE_COMMIT = "refuses_since_commit"
    LEAK_SINCE_COMMIT = "leak_since_commit"
    SLOW_SINCE_COMMIT = "slow_since_commit"
    BUSY_SINCE_COMMIT = "busy_since_commit"
    LEAK_ON_ROUTE = "leak_on_route"
    SLOW_ROUTE = "slow_route"
    BUSY_ROUTE = "busy_route"
    MORE_TRAFFIC = "more_traffic"
    CPU_LIMIT = "cpu_limit"
    MEMORY_LIMIT = "memory_limit"
    VOLUME_FULL = "volume_full"
    PROCESS_ENDED = "process_ended"
    RECOVERED = "recovered"


class Verdict(Model):
    """The category of the cause, with the facts for and against. The texts are for people only."""

    category: Category
    reason: VerdictReason
    summary: str
    supports: tuple[str, ...] = ()
    """Ids of facts."""
    contradicts: tuple[str, ...] = ()
    """Ids of facts that point to another category."""
    action: str = ""
    """Advice to people, for verdicts that no patch resolves."""
    next_checks: tuple[str, ...] = ()
    confidence: float = 0.5
    """0.0 to 1.0: a judgement about the rule, not a measured probability."""

    @property
    def calls_for_a_fix(self) -> bool:
        """True if a patch to the repository may end the incident.

        A deployment that hangs is of category `deployment`, but nothing in its code is known to be wrong.
        """
        fixable = self.category in (Category.CODE, Category.DEPLOYMENT)
        return fixable and self.reason is not VerdictReason.DEPLOYMENT_HANGS


class PlanCause(Model):
    """The cause that the reader found in the code."""

    summary: str = Field(min_length=1, max_length=600)
    """One sentence."""
    file: str | None = None
    """Path from the root of the repository. A plan of the category `code` always has file and line."""
    line: int | None = Field(default=None, ge=1)


class Reproduction(Model):
    """How the fault can be reproduced."""

    kind: Literal["test", "script", "load", "none"]
    """`test` and `script` are a new file; `load` needs real requests; `none` cannot be reproduced here."""
    path: str | None = None
    """The new file of a `test` or `script`, from the root of the repository."""
    why: str = ""


class Plan(Model):
    """The reader's validated answer: the change that is needed, and how to reproduce the fault."""

    verdict: Category
    cause: PlanCause
    evidence: tuple[str, ...] = ()
    """Ids of the facts that support the verdict."""
    reproduction: Reproduction
    change: tuple[str, ...] = ()
    """The steps of the change, one sentence each."""
    risk: str = ""
    undo: str = ""
    ruled_out: tuple[str, ...] = ()
    """Other causes that the reader excluded."""
    unknown: tuple[str, ...] = ()
    """Facts that are missing for a better answer."""
    next_checks: tuple[str, ...] = ()
    """Checks for a person, where the plan leads to no fix."""
    confidence: float = Field(default=0.5, ge=0, le=1)


class Usage(Model):
    """The resources that a run of the agent used."""

    cost_usd: float = 0.0
    """US dollars by the provider's prices, or by TRACKWALKER_MODEL_PRICE for a model without a price."""
    tokens: int = 0
    """Input, cached, output and reasoning tokens together."""
    calls: int = 0
    """Calls of the model."""
    seconds: float = 0.0
    """Duration of the run."""


# ---- Fix, Verification, PullRequest, FollowUp ------------------------------------------------


class Fix(Model):
    """The patch and everything its commit needs, so that the commit has the same hash whenever a worker makes it."""

    base_commit: str
    """Head of the base branch when the patch was made: the parent of the commit."""
    patch: str
    """Unified diff as `git diff --binary --full-index` prints it."""
    files: tuple[str, ...]
    reproduction_path: str | None = None
    """The new test or script, relative to the repository; None if the plan asks for none."""
    summary: str = ""
    """The writing agent's own account, unverified."""
    not_done: tuple[str, ...] = ()
    committed_at: Moment


class Run(Model):
    """One command that ran in the sandbox."""

    command: str
    outcome: Literal["passed", "failed", "not run"]
    output: str = ""
    """The redacted end of standard output and standard error."""
    seconds: float = 0.0


class Check(Model):
    """One of the repository's own checks, without and with the patch."""

    before: Run
    after: Run


class ReasonKind(StrEnum):
    """Why a verification did not end as `ready`."""

    INVALID_SETTINGS = "invalid settings"
    """`.trackwalker.toml` of the repository is malformed."""
    POLICY = "policy"
    """The patch breaks a rule of the patch policy."""
    REPRODUCTION_MISSING = "reproduction missing"
    """The agent did not write the test or script of its plan."""
    REPRODUCTION_INVALID = "reproduction invalid"
    """The test cannot be loaded or calls code that does not exist: its failure says nothing about the fault."""
    NOT_REPRODUCED = "not reproduced"
    """The test passes without the patch."""
    ALREADY_FIXED = "already fixed"
    """The test fails on the deployed commit and passes on the base branch."""
    STILL_FAILS = "still fails"
    """The test fails with the patch."""
    UNSTABLE = "unstable"
    """The test gives different results on the same code."""
    CHECK_REGRESSED = "check regressed"
    """One of the repository's own checks is worse with the patch."""
    ONLY_UNDER_LOAD = "only under load"
    """The plan says that the fault needs load, which the host does not generate."""
    NO_REPRODUCTION = "no reproduction"
    """The plan names no way to reproduce the fault."""
    REPRODUCTION_NOT_RUN = "reproduction not run"
    """No runner for this kind of test, or its dependencies cannot be installed."""
    CHECK_NOT_RUN = "check not run"
    """The same for one of the repository's own checks."""
    NEEDS_DEPLOYMENT = "needs deployment"
    """Only a deployment shows whether the platform builds and starts the service."""


class VerificationReason(Model):
    """Why a fix is rejected, or what a draft leaves unverified. Code decides on `kind`; people read `text`."""

    kind: ReasonKind
    text: str


class Verification(Model):
    """The commands that ran without and with the patch, and the decision that follows."""

    decision: Literal["ready", "draft", "rejected", "already fixed"]
    """`ready` and `draft` fixes are proposed, the others are only reported."""
    reproduction_deployed: Run | None = None
    """The reproduction on the deployed commit; the next two on the base branch without and with the patch."""
    reproduction_before: Run | None = None
    reproduction_after: Run | None = None
    checks: tuple[Check, ...] = ()
    reasons: tuple[VerificationReason, ...] = ()
    notes: tuple[str, ...] = ()
    """Facts for the reviewer that block nothing, for example a new host or dependency."""


class RemoteRepository(Model):
    """A repository as GitHub describes it. `may_push` is False only if GitHub denies the permission."""

    name: str
    private: bool
    default_branch: str
    may_push: bool = True


class PullRequest(Model):
    number: int
    url: str
    draft: bool
    branch: str
    state: Literal["open", "merged", "closed"] = "open"
    merge_commit: str | None = None
    head_commit: str = ""
    body: str = ""
    title: str = ""
    author: str = ""
    base: str = ""
    from_fork: bool = False
    """True if the branch is in another repository or in a deleted one: Trackwalker never pushes there."""


class Outcome(Model):
    """The result of the active part of an occurrence. Code decides on `kind`; the other fields are for people."""

    kind: Literal[
        "pull request", "reported", "waiting", "nothing proposed", "attached", "failed", "cancelled"
    ]
    """`waiting`: a fix needs a person's approval. `attached`: another incident or pull request covers the cause."""
    headline: str
    lines: tuple[str, ...] = ()
    link: str | None = None
    states_verdict: bool = False
    """True if the headline contains the verdict, so that a message need not repeat it."""


class FollowUpResult(StrEnum):
    """The end of an incident after its outcome was reported."""

    VERIFIED = "verified"
    """The signature of the incident is gone after the merge was deployed."""
    FAILED = "failed"
    """The same trouble is there after the deployment."""
    UNMEASURED = "unmeasured"
    """The window after the deployment could not be measured."""
    NOT_DEPLOYED = "not_deployed"
    """The pull request was merged, but no deployment of it went live in time."""
    CLOSED = "closed"
    """A person closed the pull request without merging it."""
    RESOLVED = "resolved"
    """Consecutive checks found no problem."""
    REMOVED = "removed"
    """Consecutive checks did not find the service itself."""
    ABANDONED = "abandoned"
    """The stage `watch` was given up; `reason` says why."""


class FollowUp(Model):
    """How an incident ended: the measured effect of its fix, or its recovery without one."""

    result: FollowUpResult
    minutes: float | None = None
    """Length of the measured window after the deployment."""
    requests: int = 0
    failed_requests: int = 0
    """Requests of that window, and those that were answered with 5xx."""
    remaining: Finding | None = None
    """The finding that shows the same trouble again (`FAILED`)."""
    gaps: tuple[Gap, ...] = ()
    """Reads that failed and may hide the trouble (`UNMEASURED`)."""
    still_affected: tuple[str, ...] = ()
    """Names of symptom services that are unhealthy although their presumed cause has recovered."""
    pull_number: int | None = None
    checks: int = 0
    """Number of consecutive checks that show the recovery (`RESOLVED`, `REMOVED`)."""
    reason: str = ""

    @property
    def is_recovered(self) -> bool:
        """True if the trouble is gone, with or without a fix."""
        return self.result in (FollowUpResult.VERIFIED, FollowUpResult.RESOLVED, FollowUpResult.REMOVED)


class AnswerKind(StrEnum):
    """Why a notification that belongs to no incident is sent."""

    NO_PROBLEM = "no_problem"
    CHECK_FAILED = "check_failed"
    CANCELLED = "cancelled"
    WEBHOOKS_MISSING = "webhooks_missing"
    PINGS_MISSING = "pings_missing"
    PINGS_RESUMED = "pings_resumed"
    OPERATIONAL_ERROR = "operational_error"


class Answer(Model):
    """The result that an alert's notification reports, or a report about Trackwalker itself."""

    kind: AnswerKind
    minutes: float | None = None
    """Length of the checked window (`NO_PROBLEM`)."""
    failed_reads: tuple[Gap, ...] = ()
    at: Moment | None = None
    """The last ping before the silence (`PINGS_MISSING`, `PINGS_RESUMED`)."""
    reason: str = ""
    """The error (`CHECK_FAILED`, `OPERATIONAL_ERROR`) or the environment's name (`WEBHOOKS_MISSING`)."""


class DropReason(StrEnum):
    """Why an alert's notification ends without an answer of its own."""

    NOT_WATCHED = "not_watched"
    ANSWERED_RECENTLY = "answered_recently"
    KNOWN_INCIDENT = "known_incident"


class SlackMessage(Model):
    """A message that was posted to Slack."""

    ts: str = ""
    """Slack's id of the message; "" behind an incoming webhook, which returns none."""
    channel: str = ""
    digest: str = ""
    """Digest of the posted text: an unchanged message is not edited."""
    text: str = ""
    """The text itself, only if it was not posted: no Slack is configured, or the mode is shadow."""
