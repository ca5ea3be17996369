"""Incidents with their evidence, and the verdict that each must get.

Every case is a function, because it builds its facts as the product does: a test that replaces the renderers gets
facts with replaced sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tests.support.builders import (
    END,
    ONSET,
    START,
    deployment,
    finding,
    incident,
    notice,
    service,
    traffic,
)
from workers.investigation.evidence import facts
from workers.investigation.onset import onset_of
from workers.models import (
    WAY_IN_KEY,
    Category,
    CodeLocation,
    Deployment,
    Evidence,
    Fact,
    FactKind,
    Finding,
    Gap,
    GapPart,
    Incident,
    LogPattern,
    LogSource,
    Repository,
    RequestPattern,
    Service,
    SettingUse,
    Sign,
    SignKind,
    Suspect,
    Upstream,
    Verdict,
    VerdictReason,
)

REPOSITORY = Repository(name="acme/shop", base="main", deployed="c" * 40)
UNREAD_LOGS = Gap(part=GapPart.DEPLOYMENT_LOGS, subject="api", reason="Railway is busy")


@dataclass(frozen=True)
class Case:
    """An incident with its evidence. Each call of `build` makes new ones."""

    name: str
    reason: VerdictReason
    category: Category
    build: Callable[[], tuple[Incident, Evidence]]


CASES: list[Case] = []
"""Every case, in the order of this module."""

Build = Callable[[], tuple[Incident, Evidence]]


def case(reason: VerdictReason, category: Category) -> Callable[[Build], Build]:
    """Register the function as a case with its expected verdict; the function's name is the case's name."""

    def register(build: Build) -> Build:
        CASES.append(Case(build.__name__, reason, category, build))
        return build

    return register


def cited(verdict: Verdict, evidence: Evidence) -> list[FactKind]:
    """Kinds of the facts that support the verdict, in the order of the verdict."""
    kinds = {fact.id: fact.kind for fact in evidence.facts}
    return [kinds[fact_id] for fact_id in verdict.supports]


def contradicting(verdict: Verdict, evidence: Evidence) -> list[FactKind]:
    """Kinds of the facts that contradict the verdict."""
    return [fact.kind for fact in evidence.facts if fact.id in verdict.contradicts]


# ---- parts ----


def loaded_service(load: tuple[int, int] = (50, 50), **fields: object) -> Service:
    """The service `api` with that many requests a minute before and since the onset."""
    samples = traffic([load[0]] * 18 + [load[1]] * 12)
    values = {"traffic": samples, "memory_limit": 1.0, "cpu_limit": 2.0} | fields
    return service("api", **values)


def sign(kind: SignKind, subject: str = "", **numbers: float) -> Sign:
    return Sign(kind=kind, subject=subject, numbers=numbers)


def pattern(template: str, *signs: Sign, **fields: object) -> LogPattern:
    """A log pattern of level error since the onset, 20 times. `fields` replace its fields."""
    values = {
        "template": template, "headline": template, "count": 20, "level": "error", "first": ONSET, "last": END,
        "sample": template, "signs": signs,
    }  # fmt: skip
    return LogPattern.model_validate(values | fields)


def location(
    file: str = "shop/pricing.py", line: int = 5, why: str = "stack", imports: tuple[str, ...] = ()
) -> CodeLocation:
    values = {"file": file, "line": line, "function": "total", "why": why, "count": 20, "imports": imports}
    return CodeLocation.model_validate(values)


def suspect(minutes_before_onset: float = 4, *files: str) -> Suspect:
    at = ONSET - timedelta(minutes=minutes_before_onset)
    return Suspect(deployment_id="d1", commit="c" * 40, at=at, files=files)


def request(
    status: int = 500, *, route: str = "/orders", platform: bool = False, count: int = 20
) -> RequestPattern:
    return RequestPattern(
        method="GET", route=route, path=route, status=status, count=count, slowest_ms=4e3, platform_answer=platform
    )  # fmt: skip


def upstream(state: str = "unknown", errors: int = 20, *files: str) -> Upstream:
    values = {"host": "api.payments.io", "errors": errors, "in_code": True, "state": state, "files": files}
    return Upstream.model_validate(values)


def evidence_of(
    subject: Incident,
    patterns: Sequence[LogPattern] = (),
    locations: Sequence[CodeLocation] = (),
    *,
    built: Sequence[LogPattern] = (),
    requests: Sequence[RequestPattern] = (),
    suspect: Suspect | None = None,
    upstreams: Sequence[Upstream] = (),
    repository: Repository | None = REPOSITORY,
    failed_reads: tuple[Gap, ...] = (),
    **fields: object,
) -> Evidence:
    """Evidence with the facts that the product states about these parts."""
    stated: list[Fact] = [
        *facts.finding_facts(subject),
        *facts.suspect_facts(suspect, onset_of(subject)),
        *facts.log_facts(built, len(built), LogSource.BUILD),
        *facts.log_facts(patterns, 0 if failed_reads else 30, LogSource.DEPLOYMENT),
        *facts.request_facts(requests),
        *facts.location_facts(locations),
        *facts.upstream_facts(upstreams),
        *(facts.load_facts(subject.service, onset_of(subject)) if subject.service else ()),
        *(facts.domain_facts(subject, subject.service) if subject.service else ()),
    ]
    values = {
        "facts": facts.number_facts(stated), "patterns": tuple(patterns), "build_patterns": tuple(built),
        "locations": tuple(locations), "requests": tuple(requests), "suspect": suspect,
        "upstreams": tuple(upstreams), "repository": repository, "failed_reads": failed_reads,
    }  # fmt: skip
    return Evidence.model_validate(values | fields)


def failing(
    *findings: Finding, load: tuple[int, int] = (50, 50), subject_kind: str = "service", **fields: object
) -> Incident:
    """An incident of the service `api`. `fields` replace fields of its service."""
    opened = incident(*findings, service=loaded_service(load, **fields))
    subject = opened.subject.model_copy(update={"kind": subject_kind})
    return opened.model_copy(update={"subject": subject})


PLACE = "shop/pricing.py:5"
BUG = pattern("KeyError: 'gift'", exception="KeyError", locations=(PLACE,))
TIMEOUT = pattern(
    "ReadTimeout: HTTPSConnectionPool(host='api.payments.io', port=443): Read timed out.",
    sign(SignKind.NO_RESPONSE, "api.payments.io"),
    exception="ReadTimeout",
    locations=("shop/pay.py:5",),
)
RECENT_CHANGE = (location(why="changed"),)


# ---- errors in the code ----


@case(VerdictReason.ERROR_IN_CODE, Category.CODE)
def stack_trace_into_own_code() -> tuple[Incident, Evidence]:
    subject = failing()
    return subject, evidence_of(subject, [BUG], [location()])


@case(VerdictReason.ERROR_IN_CODE, Category.CODE)
def stack_trace_with_masked_numbers() -> tuple[Incident, Evidence]:
    subject = failing()
    masked = pattern(
        "PoolClosed: no connection free within <n> s",
        headline="PoolClosed: no connection free within 0.2 s", exception="PoolClosed", locations=("shop/pool.py:5",),
    )  # fmt: skip
    return subject, evidence_of(subject, [masked], [location("shop/pool.py")])


@case(VerdictReason.ERROR_IN_CODE, Category.CODE)
def stack_trace_beside_a_more_frequent_line() -> tuple[Incident, Evidence]:
    subject = failing()
    beside = pattern("POST /orders failed for a customer", count=60)
    return subject, evidence_of(subject, [beside, BUG], [location()])


@case(VerdictReason.ERROR_IN_CODE, Category.CODE)
def stack_trace_into_a_file_of_the_suspect_commit() -> tuple[Incident, Evidence]:
    subject = failing()
    return subject, evidence_of(subject, [BUG], [location()], suspect=suspect(4, "shop/pricing.py"))


@case(VerdictReason.ERROR_IN_CODE, Category.CODE)
def stack_trace_beside_an_unrelated_commit() -> tuple[Incident, Evidence]:
    subject = failing()
    return subject, evidence_of(subject, [BUG], [location()], suspect=suspect(4, "README.md"))


@case(VerdictReason.ERROR_IN_CODE, Category.CODE)
def timeouts_in_a_client_that_was_just_changed() -> tuple[Incident, Evidence]:
    subject = failing()
    return subject, evidence_of(
        subject, [TIMEOUT], [location("shop/pay.py")], upstreams=[upstream("operational")],
        suspect=suspect(4, "shop/pay.py"),
    )  # fmt: skip


TYPE_ERROR = pattern(
    "TypeError: cannot read 'amount' of the answer of https://api.payments.io/v1",
    sign(SignKind.PROGRAMMING_ERROR, "TypeError"),
    exception="TypeError",
    locations=(PLACE,),
)


@case(VerdictReason.ERROR_IN_CODE, Category.CODE)
def own_type_error_beside_the_name_of_a_host() -> tuple[Incident, Evidence]:
    subject = failing()
    return subject, evidence_of(subject, [TYPE_ERROR], [location()], upstreams=[upstream()])


@case(VerdictReason.ERROR_IN_CODE, Category.CODE)
def own_type_error_beside_the_name_of_a_degraded_host() -> tuple[Incident, Evidence]:
    subject = failing()
    return subject, evidence_of(subject, [TYPE_ERROR], [location()], upstreams=[upstream("degraded")])


@case(VerdictReason.ERROR_IN_CODE, Category.CODE)
def few_timeouts_beside_a_dominant_bug() -> tuple[Incident, Evidence]:
    subject = failing()
    few = TIMEOUT.model_copy(update={"count": 3, "locations": ()})
    return subject, evidence_of(subject, [BUG, few], [location()], upstreams=[upstream("unknown", 3)])


@case(VerdictReason.ERROR_IN_CODE, Category.CODE)
def bug_beside_a_degraded_host() -> tuple[Incident, Evidence]:
    subject = failing()
    return subject, evidence_of(subject, [BUG], [location()], upstreams=[upstream("degraded", 1)])


@case(VerdictReason.ERROR_IN_CODE, Category.CODE)
def bug_that_is_over() -> tuple[Incident, Evidence]:
    subject = failing(finding(ongoing=False))
    return subject, evidence_of(subject, [BUG], [location()])


@case(VerdictReason.ERROR_IN_CODE, Category.CODE)
def bug_under_more_load() -> tuple[Incident, Evidence]:
    subject = failing(
        finding("cpu", numbers={"peak_vcpu": 2.0, "limit_vcpu": 2.0}), finding(), load=(50, 200)
    )
    return subject, evidence_of(subject, [BUG], [location()])


@case(VerdictReason.ERROR_IN_CODE, Category.CODE)
def bug_beside_a_deployment_that_hangs() -> tuple[Incident, Evidence]:
    subject = failing(finding(), finding("stuck_deployment"))
    return subject, evidence_of(subject, [BUG], [location()])


# ---- no cause ----


@case(VerdictReason.NO_FACTS, Category.INCONCLUSIVE)
def no_facts() -> tuple[Incident, Evidence]:
    return failing(), Evidence()


@case(VerdictReason.NO_FACTS, Category.INCONCLUSIVE)
def no_facts_and_unread_logs() -> tuple[Incident, Evidence]:
    return failing(), Evidence(failed_reads=(UNREAD_LOGS,))


@case(VerdictReason.NO_RULE_APPLIES, Category.INCONCLUSIVE)
def unread_logs() -> tuple[Incident, Evidence]:
    subject = failing()
    return subject, evidence_of(subject, failed_reads=(UNREAD_LOGS,))


@case(VerdictReason.NO_RULE_APPLIES, Category.INCONCLUSIVE)
def many_failed_reads() -> tuple[Incident, Evidence]:
    subject = failing()
    gaps = tuple(UNREAD_LOGS.model_copy(update={"subject": f"{number}"}) for number in range(9))
    return subject, evidence_of(subject, failed_reads=gaps)


@case(VerdictReason.NO_RULE_APPLIES, Category.INCONCLUSIVE)
def bug_in_code_that_cannot_be_read() -> tuple[Incident, Evidence]:
    subject = failing()
    return subject, evidence_of(subject, [BUG], repository=None)


@case(VerdictReason.NO_RULE_APPLIES, Category.INCONCLUSIVE)
def crash_with_an_unexplained_error() -> tuple[Incident, Evidence]:
    subject = failing(finding("crashed"))
    error = pattern("cannot open the data file: permission denied")
    return subject, evidence_of(subject, [error], repository=None)


@case(VerdictReason.NO_RULE_APPLIES, Category.INCONCLUSIVE)
def exit_with_unread_logs() -> tuple[Incident, Evidence]:
    subject = failing(finding("stopped"))
    return subject, evidence_of(subject, failed_reads=(UNREAD_LOGS,))


# ---- configuration ----

CONFIGURATION_ERRORS = {
    VerdictReason.VARIABLE_MISSING: sign(SignKind.SETTING_MISSING, "STRIPE_KEY"),
    VerdictReason.VARIABLE_INVALID: sign(SignKind.SETTING_INVALID, "DATABASE_URL"),
    VerdictReason.ADDRESS_WRONG: sign(SignKind.WRONG_ADDRESS, "localhost:5432"),
    VerdictReason.CREDENTIALS_REJECTED: sign(SignKind.CREDENTIALS_REJECTED, "api.stripe.com"),
    VerdictReason.PORT_IN_USE: sign(SignKind.PORT_IN_USE, "8080"),
    VerdictReason.ARCHIVING_BEHIND: sign(SignKind.ARCHIVING_BEHIND),
    VerdictReason.POOL_EXHAUSTED: sign(SignKind.POOL_EXHAUSTED, "connection_limit", current=5),
    VerdictReason.TLS_SETTINGS_WRONG: sign(SignKind.TLS_FAILED, "postgres.railway.internal:5432"),
}
"""Signs about the settings of a service, with their reasons."""
SETTINGS = (
    SettingUse(name="STRIPE_KEY", file="shop/pay.py", line=3, example=".env.example"),
    SettingUse(name="DATABASE_URL", file="shop/db.py", line=2, required_since_suspect=True),
)


def _configuration_case(reason: VerdictReason, shown: Sign) -> None:
    def build() -> tuple[Incident, Evidence]:
        subject = failing()
        error = pattern(f"error: {reason.value}", shown, exception="Error", locations=(PLACE,))
        return subject, evidence_of(
            subject, [error], [location()], settings=SETTINGS, suspect=suspect(4, "shop/db.py")
        )

    CASES.append(Case(reason.value, reason, Category.CONFIGURATION, build))


for _reason, _shown in CONFIGURATION_ERRORS.items():
    _configuration_case(_reason, _shown)


def _only_edge(*findings: Finding) -> tuple[Incident, Evidence]:
    unanswered = traffic([50] * 30, server_errors=50)
    subject = failing(*findings, traffic=unanswered)
    return subject, evidence_of(subject, requests=[request(502, platform=True)])


@case(VerdictReason.NOT_LISTENING, Category.CONFIGURATION)
def only_the_edge_responds() -> tuple[Incident, Evidence]:
    return _only_edge(finding())


@case(VerdictReason.NO_RULE_APPLIES, Category.INCONCLUSIVE)
def only_the_edge_responds_while_the_service_crashes() -> tuple[Incident, Evidence]:
    return _only_edge(finding(), finding("crashed"))


@case(VerdictReason.PROCESS_ENDED, Category.CONFIGURATION)
def process_that_exits_without_an_error() -> tuple[Incident, Evidence]:
    subject = failing(finding("stopped"))
    return subject, evidence_of(subject)


# ---- upstreams and siblings ----


def _upstream_case(state: str) -> None:
    def build() -> tuple[Incident, Evidence]:
        subject = failing()
        return subject, evidence_of(
            subject, [TIMEOUT], [location("shop/pay.py")], upstreams=[upstream(state)]
        )

    CASES.append(Case(f"upstream_{state}", VerdictReason.UPSTREAM_DOWN, Category.UPSTREAM, build))


for _state in ("down", "degraded", "unknown", "operational"):
    _upstream_case(_state)


@case(VerdictReason.UPSTREAM_DOWN, Category.UPSTREAM)
def upstream_down_beside_a_trace_and_a_commit() -> tuple[Incident, Evidence]:
    subject = failing()
    return subject, evidence_of(
        subject, [TIMEOUT], [location()], upstreams=[upstream("down")], suspect=suspect(4, "README.md")
    )


@case(VerdictReason.SIBLING_DOWN, Category.UPSTREAM)
def sibling_that_does_not_respond() -> tuple[Incident, Evidence]:
    subject = failing()
    error = pattern(
        "connect ECONNREFUSED inventory.railway.internal:8080",
        sign(SignKind.CONNECTION_REFUSED, "inventory.railway.internal:8080"), locations=(PLACE,),
    )  # fmt: skip
    return subject, evidence_of(subject, [error], [location()])


@case(VerdictReason.SIBLING_UNKNOWN, Category.CONFIGURATION)
def sibling_under_a_wrong_name() -> tuple[Incident, Evidence]:
    subject = failing()
    error = pattern(
        "getaddrinfo ENOTFOUND inventroy.railway.internal",
        sign(SignKind.UNKNOWN_HOST, "inventroy.railway.internal"), locations=(PLACE,),
    )  # fmt: skip
    return subject, evidence_of(subject, [error], [location()])


@case(VerdictReason.PLATFORM_INCIDENT, Category.PLATFORM)
def platform_incident() -> tuple[Incident, Evidence]:
    subject = failing(finding(), subject_kind="platform")
    return subject, evidence_of(subject, [BUG], [location()])


@case(VerdictReason.WAY_IN_LOST, Category.PLATFORM)
def services_that_lose_their_traffic_together() -> tuple[Incident, Evidence]:
    subject = failing(finding("traffic_lost"), subject_kind="platform")
    way_in = subject.subject.model_copy(update={"key": WAY_IN_KEY})
    subject = subject.model_copy(update={"subject": way_in})
    return subject, evidence_of(subject)


# ---- deployments ----


@case(VerdictReason.HEALTH_CHECK_FAILED, Category.DEPLOYMENT)
def deployment_that_fails_its_health_check() -> tuple[Incident, Evidence]:
    subject = failing(finding("failed_deployment"))
    return subject, evidence_of(
        subject,
        built=[pattern("1/1 replicas never became healthy!", sign(SignKind.HEALTH_CHECK_FAILED, "/health"))],
    )


@case(VerdictReason.BUILD_OR_START_FAILED, Category.DEPLOYMENT)
def deployment_that_cannot_be_built() -> tuple[Incident, Evidence]:
    subject = failing(finding("failed_deployment"))
    return subject, evidence_of(subject, built=[pattern("error: no start command found")])


@case(VerdictReason.VARIABLE_MISSING, Category.CONFIGURATION)
def failed_deployment_without_a_variable() -> tuple[Incident, Evidence]:
    subject = failing(finding("failed_deployment"))
    return subject, evidence_of(
        subject, [pattern("Error: DATABASE_URL must be set", sign(SignKind.SETTING_MISSING, "DATABASE_URL"))]
    )


@case(VerdictReason.NO_LOGS_OF_FAILED_DEPLOYMENT, Category.INCONCLUSIVE)
def failed_deployment_without_logs() -> tuple[Incident, Evidence]:
    subject = failing(finding("failed_deployment"))
    return subject, evidence_of(subject)


@case(VerdictReason.NO_DEPLOYMENT_LEFT, Category.CONFIGURATION)
def service_without_a_deployment() -> tuple[Incident, Evidence]:
    subject = failing(finding("missing"))
    return subject, evidence_of(subject, repository=None)


@case(VerdictReason.SERVICE_REMOVED, Category.CONFIGURATION)
def service_that_was_removed() -> tuple[Incident, Evidence]:
    subject = failing(finding("missing")).model_copy(update={"service": None})
    return subject, evidence_of(subject, repository=None)


def _stuck(status: str, *patterns: LogPattern) -> tuple[Incident, Evidence]:
    hung: Deployment = deployment("dep-12345678", status, minutes_before_onset=18)
    subject = failing(finding("stuck_deployment", deployment_id=hung.id), latest=hung, deployments=(hung,))
    return subject, evidence_of(subject, patterns)


@case(VerdictReason.APPROVAL_PENDING, Category.CONFIGURATION)
def deployment_that_waits_for_an_approval() -> tuple[Incident, Evidence]:
    return _stuck("NEEDS_APPROVAL")


@case(VerdictReason.CHECKS_PENDING, Category.CONFIGURATION)
def deployment_that_waits_for_checks() -> tuple[Incident, Evidence]:
    return _stuck("WAITING")


@case(VerdictReason.BUILD_QUEUED, Category.PLATFORM)
def deployment_in_the_build_queue() -> tuple[Incident, Evidence]:
    return _stuck("QUEUED")


@case(VerdictReason.DEPLOYMENT_NOT_STARTED, Category.PLATFORM)
def deployment_that_is_not_started() -> tuple[Incident, Evidence]:
    return _stuck("INITIALIZING")


@case(VerdictReason.DEPLOYMENT_HANGS, Category.DEPLOYMENT)
def deployment_that_hangs() -> tuple[Incident, Evidence]:
    return _stuck("BUILDING")


@case(VerdictReason.DEPLOYMENT_SKIPPED, Category.DEPLOYMENT)
def deployment_that_was_skipped() -> tuple[Incident, Evidence]:
    return _stuck("SKIPPED")


@case(VerdictReason.VARIABLE_MISSING, Category.CONFIGURATION)
def deployment_that_hangs_without_a_variable() -> tuple[Incident, Evidence]:
    return _stuck(
        "BUILDING", pattern("Error: DATABASE_URL must be set", sign(SignKind.SETTING_MISSING, "DATABASE_URL"))
    )


# ---- leaks, slowness and limits ----


@case(VerdictReason.LEAK_SINCE_COMMIT, Category.CODE)
def leak_since_a_commit() -> tuple[Incident, Evidence]:
    subject = failing(finding("memory_growth", since=START))
    return subject, evidence_of(subject, (), RECENT_CHANGE, suspect=suspect(300, "shop/pricing.py"))


@case(VerdictReason.LEAK_SINCE_COMMIT, Category.CODE)
def leak_over_many_windows() -> tuple[Incident, Evidence]:
    onset = END - timedelta(hours=40)
    subject = failing(finding("memory_growth", since=onset, numbers={"hours_seen": 40.0, "windows": 80.0}))
    begun = suspect(4, "shop/pricing.py").model_copy(update={"at": onset - timedelta(hours=1)})
    return subject, evidence_of(subject, (), RECENT_CHANGE, suspect=begun)


@case(VerdictReason.NO_RULE_APPLIES, Category.INCONCLUSIVE)
def leak_without_a_suspect() -> tuple[Incident, Evidence]:
    subject = failing(finding("memory_growth", since=START))
    return subject, evidence_of(subject)


@case(VerdictReason.LEAK_SINCE_COMMIT, Category.CODE)
def out_of_memory_kill_after_a_commit() -> tuple[Incident, Evidence]:
    subject = failing(finding("oom_killed", numbers={"limit_gb": 1.0}))
    return subject, evidence_of(subject, (), RECENT_CHANGE, suspect=suspect(4, "shop/pricing.py"))


@case(VerdictReason.SLOW_SINCE_COMMIT, Category.CODE)
def slowness_soon_after_a_commit() -> tuple[Incident, Evidence]:
    subject = failing(finding("latency"))
    return subject, evidence_of(subject, (), RECENT_CHANGE, suspect=suspect(4, "shop/pricing.py"))


@case(VerdictReason.NO_RULE_APPLIES, Category.INCONCLUSIVE)
def slowness_long_after_a_commit() -> tuple[Incident, Evidence]:
    subject = failing(finding("latency"))
    return subject, evidence_of(subject, (), RECENT_CHANGE, suspect=suspect(60 * 24 * 3, "shop/pricing.py"))


@case(VerdictReason.SLOW_ROUTE, Category.CODE)
def slowness_on_one_route() -> tuple[Incident, Evidence]:
    subject = failing(finding("latency"))
    return subject, evidence_of(
        subject, (), [location(why="route")], requests=[request(200, route="/reports")]
    )


@case(VerdictReason.LEAK_ON_ROUTE, Category.CODE)
def out_of_memory_kill_beside_slowness_on_one_route() -> tuple[Incident, Evidence]:
    subject = failing(finding("oom_killed"), finding("latency"))
    return subject, evidence_of(
        subject, (), [location(why="route")], requests=[request(200, route="/reports")]
    )


@case(VerdictReason.NO_RULE_APPLIES, Category.INCONCLUSIVE)
def slowness_on_many_routes() -> tuple[Incident, Evidence]:
    subject = failing(finding("latency"))
    slow = [request(200, route=route) for route in ("/reports", "/orders", "/")]
    return subject, evidence_of(subject, (), [location(why="route")], requests=slow)


@case(VerdictReason.BUSY_SINCE_COMMIT, Category.CODE)
def cpu_far_below_its_limit_after_a_commit() -> tuple[Incident, Evidence]:
    subject = failing(finding("cpu", numbers={"mean_percent": 20.0, "baseline_percent": 4.0}))
    return subject, evidence_of(subject, (), RECENT_CHANGE, suspect=suspect(4, "shop/pricing.py"))


@case(VerdictReason.BUSY_SINCE_COMMIT, Category.CODE)
def cpu_without_a_known_limit_after_a_commit() -> tuple[Incident, Evidence]:
    subject = failing(finding("cpu", numbers={"baseline_vcpu": 0.2}))
    return subject, evidence_of(subject, (), RECENT_CHANGE, suspect=suspect(4, "shop/pricing.py"))


@case(VerdictReason.NO_RULE_APPLIES, Category.INCONCLUSIVE)
def cpu_far_below_its_limit() -> tuple[Incident, Evidence]:
    subject = failing(finding("cpu", numbers={"mean_percent": 20.0, "baseline_percent": 4.0}))
    return subject, evidence_of(subject)


@case(VerdictReason.NO_RULE_APPLIES, Category.INCONCLUSIVE)
def cpu_without_a_known_limit() -> tuple[Incident, Evidence]:
    subject = failing(finding("cpu", numbers={"baseline_vcpu": 0.2}))
    return subject, evidence_of(subject)


@case(VerdictReason.BUSY_ROUTE, Category.CODE)
def busy_loop_on_one_route() -> tuple[Incident, Evidence]:
    subject = failing(finding("cpu", numbers={"mean_percent": 20.0, "baseline_percent": 4.0}))
    return subject, evidence_of(
        subject, (), [location(why="route")], requests=[request(200, route="/reports")]
    )


@case(VerdictReason.MORE_TRAFFIC, Category.TRAFFIC)
def saturation_under_more_load() -> tuple[Incident, Evidence]:
    subject = failing(finding("cpu", numbers={"peak_vcpu": 2.0, "limit_vcpu": 2.0}), load=(50, 200))
    return subject, evidence_of(subject)


@case(VerdictReason.MORE_TRAFFIC, Category.TRAFFIC)
def memory_under_more_load() -> tuple[Incident, Evidence]:
    subject = failing(finding("memory", numbers={"peak_gb": 1, "limit_gb": 1}), load=(50, 200))
    return subject, evidence_of(subject)


SATURATED = finding("cpu", numbers={"mean_percent": 96.0, "limit_vcpu": 2.0})


@case(VerdictReason.MORE_TRAFFIC, Category.TRAFFIC)
def saturation_beside_a_surge() -> tuple[Incident, Evidence]:
    subject = failing(SATURATED, notice("traffic_surge"))
    return subject, evidence_of(subject)


@case(VerdictReason.CPU_LIMIT, Category.RESOURCE_LIMIT)
def saturation_before_a_surge() -> tuple[Incident, Evidence]:
    subject = failing(SATURATED, notice("traffic_surge", since=ONSET + timedelta(minutes=10)))
    return subject, evidence_of(subject)


@case(VerdictReason.MEMORY_LIMIT, Category.RESOURCE_LIMIT)
def memory_near_its_limit() -> tuple[Incident, Evidence]:
    subject = failing(finding("memory", numbers={"peak_gb": 0.96, "limit_gb": 1.0}))
    return subject, evidence_of(subject)


@case(VerdictReason.MEMORY_LIMIT, Category.RESOURCE_LIMIT)
def memory_error_at_a_random_line() -> tuple[Incident, Evidence]:
    subject = failing(finding("crashed"))
    error = pattern("MemoryError", sign(SignKind.OUT_OF_MEMORY), exception="MemoryError", locations=(PLACE,))
    return subject, evidence_of(subject, [error], [location()])


@case(VerdictReason.MEMORY_LIMIT, Category.RESOURCE_LIMIT)
def out_of_memory_kill_without_a_suspect() -> tuple[Incident, Evidence]:
    subject = failing(finding("oom_killed", numbers={"limit_gb": 1.0}))
    return subject, evidence_of(subject)


@case(VerdictReason.MEMORY_LIMIT, Category.RESOURCE_LIMIT)
def out_of_memory_kill_at_a_line_that_was_running() -> tuple[Incident, Evidence]:
    subject = failing(finding("oom_killed"))
    return subject, evidence_of(subject, [BUG], [location()])


@case(VerdictReason.VOLUME_FULL, Category.RESOURCE_LIMIT)
def full_volume() -> tuple[Incident, Evidence]:
    subject = failing(finding("volume", numbers={"used_percent": 97}))
    return subject, evidence_of(subject)


@case(VerdictReason.VOLUME_FULL, Category.RESOURCE_LIMIT)
def volume_that_fills_up_in_hours() -> tuple[Incident, Evidence]:
    subject = failing(finding("volume", numbers={"used_percent": 91}, seconds_to_limit=3 * 3600.0))
    return subject, evidence_of(subject)


@case(VerdictReason.VOLUME_FULL, Category.RESOURCE_LIMIT)
def full_disk_in_code_that_could_not_write() -> tuple[Incident, Evidence]:
    subject = failing(finding(), finding("volume", numbers={"used_percent": 100}))
    error = pattern(
        "OSError: [Errno 28] No space left on device", sign(SignKind.DISK_FULL), locations=(PLACE,)
    )
    return subject, evidence_of(subject, [error], [location()])


# ---- requests that are refused or absent ----


@case(VerdictReason.REFUSES_SINCE_COMMIT, Category.CODE)
def refusals_since_a_commit() -> tuple[Incident, Evidence]:
    subject = failing(finding("client_errors"))
    return subject, evidence_of(
        subject, (), [location("shop/web.py", 7, "route"), location("shop/web.py", 3, "changed")],
        requests=[request(422)], suspect=suspect(4, "shop/web.py"),
    )  # fmt: skip


def _refused(status: int, load: tuple[int, int] = (50, 50)) -> tuple[Incident, Evidence]:
    subject = failing(finding("client_errors"), load=load)
    return subject, evidence_of(
        subject, requests=[request(status)], suspect=suspect(60 * 24 * 3, "shop/web.py")
    )


@case(VerdictReason.NO_RULE_APPLIES, Category.INCONCLUSIVE)
def unknown_routes_without_a_recent_commit() -> tuple[Incident, Evidence]:
    return _refused(404)


@case(VerdictReason.CALLERS_LOCKED_OUT, Category.CONFIGURATION)
def rejected_credentials_without_a_recent_commit() -> tuple[Incident, Evidence]:
    return _refused(401)


@case(VerdictReason.MORE_TRAFFIC, Category.TRAFFIC)
def rate_limited_requests_under_more_load() -> tuple[Incident, Evidence]:
    return _refused(429, load=(50, 200))


def _traffic_lost(*, public: bool) -> tuple[Incident, Evidence]:
    subject = failing(finding("traffic_lost"), public=public)
    return subject, evidence_of(subject, [BUG], [location()])


@case(VerdictReason.TRAFFIC_GONE, Category.INCONCLUSIVE)
def no_requests_with_a_domain() -> tuple[Incident, Evidence]:
    return _traffic_lost(public=True)


@case(VerdictReason.DOMAIN_REMOVED, Category.CONFIGURATION)
def no_requests_without_a_domain() -> tuple[Incident, Evidence]:
    return _traffic_lost(public=False)


# ---- recovery ----


@case(VerdictReason.RECOVERED, Category.TRANSIENT)
def failure_that_is_over() -> tuple[Incident, Evidence]:
    subject = failing(finding(ongoing=False))
    return subject, evidence_of(subject)
