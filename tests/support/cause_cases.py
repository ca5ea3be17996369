"""Incidents whose logs show signs, and the verdict that each must get: calls, networks, settings, images, limits.

Every kind has its lookalikes: the same sign where another fact changes the cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.support.builders import ONSET, deployment, finding
from tests.support.diagnosis_cases import (
    BUG,
    CASES,
    PLACE,
    RECENT_CHANGE,
    TIMEOUT,
    Case,
    evidence_of,
    failing,
    location,
    pattern,
    request,
    sign,
    suspect,
    upstream,
)
from workers.models import (
    Category,
    ContainerStart,
    DnsAnswer,
    Evidence,
    Finding,
    Flow,
    Incident,
    LogPattern,
    ModuleDeclaration,
    Network,
    SettingUse,
    Sibling,
    SignKind,
    VerdictReason,
)

REFUSED = SignKind.CONNECTION_REFUSED
SILENT = SignKind.NO_RESPONSE
CLOSED = SignKind.CONNECTION_CLOSED
UNKNOWN = SignKind.UNKNOWN_HOST
ANSWERED = SignKind.ERROR_RESPONSE
POSTGRES = "postgres.railway.internal:5432"
REDIS = "redis.railway.internal:6379"
PAYMENTS = "api.payments.io"
PRIVATE = "[fd12:845d:df9f:0:1000:f:441f:4f56]:6379"
SECOND = timedelta(seconds=1)


__all__ = ["CASES"]


def add(
    name: str, reason: VerdictReason, category: Category, patterns: Sequence[LogPattern], *findings: Finding,
    siblings: Sequence[Sibling] = (), service: dict[str, Any] | None = None, **fields: Any,
) -> None:  # fmt: skip
    """Register a case whose logs hold these patterns.

    Args:
        service: fields of the service, such as its limits.
        fields: further parts of the evidence.
    """

    def build() -> tuple[Incident, Evidence]:
        subject = failing(*findings, **(service or {})).model_copy(update={"siblings": tuple(siblings)})
        places = [location(*_split(place)) for item in patterns for place in item.locations]
        parts = {"locations": [*dict.fromkeys(places), *fields.get("locations", ())]}
        return subject, evidence_of(subject, patterns, **(fields | parts))

    CASES.append(Case(name, reason, category, build))


def _split(place: str) -> tuple[str, int]:
    file, _, line = place.rpartition(":")
    return file, int(line)


def shown(
    kind: SignKind, subject: str = "", at: datetime = ONSET, count: int = 20, **numbers: float
) -> LogPattern:
    """A pattern whose trace names own code, with one sign."""
    return pattern(
        f"{kind.value} {subject}", sign(kind, subject, **numbers),
        exception="Error", locations=(PLACE,), first=at, count=count,
    )  # fmt: skip


def healthy(name: str, **fields: Any) -> Sibling:
    return Sibling(name=name, healthy=True, **fields)


def ill(name: str) -> Sibling:
    return Sibling(name=name, healthy=False)


CRASHED = finding("crashed")
LOOP = finding("restart_loop")
FAILED = finding("failed_deployment")
SLOW = finding("latency")
OVER = finding(ongoing=False)
R = VerdictReason
C = Category

# ---- services of the project ----

add("peer_refuses", R.SIBLING_DOWN, C.UPSTREAM, [shown(REFUSED, POSTGRES)])
add("ill_peer_refuses", R.SIBLING_DOWN, C.UPSTREAM, [shown(REFUSED, POSTGRES)], siblings=[ill("Postgres")])
add(
    "peer_times_out",
    R.SIBLING_DOWN,
    C.UPSTREAM,
    [shown(SILENT, REDIS)],
    siblings=[ill("redis"), healthy("web")],
)
add("peer_answers_with_errors", R.SIBLING_DOWN, C.UPSTREAM,
    [shown(ANSWERED, "inventory.railway.internal:8080", status=503)], siblings=[healthy("inventory")])  # fmt: skip
add(
    "peer_closed_connections",
    R.SIBLING_DOWN,
    C.UPSTREAM,
    [shown(CLOSED, POSTGRES)],
    siblings=[healthy("postgres")],
)
add("peer_is_starting", R.SIBLING_DOWN, C.UPSTREAM, [shown(SignKind.NOT_READY, POSTGRES)])
add(
    "healthy_peer_times_out",
    R.PRIVATE_NETWORK_DOWN,
    C.PLATFORM,
    [shown(SILENT, REDIS)],
    siblings=[healthy("redis")],
)
add("healthy_peer_is_unreachable", R.PRIVATE_NETWORK_DOWN, C.PLATFORM,
    [shown(SignKind.UNREACHABLE, POSTGRES)], siblings=[healthy("postgres")])  # fmt: skip
add("packets_to_peer_are_dropped", R.PRIVATE_NETWORK_DOWN, C.PLATFORM, [shown(REFUSED, POSTGRES)],
    siblings=[Sibling(name="postgres")],
    network=Network(flows=(Flow(peer="postgres", peer_kind="service", dropped=90, drop_cause="LOST"),)))  # fmt: skip
add("packets_to_an_ill_peer_are_dropped", R.SIBLING_DOWN, C.UPSTREAM, [shown(REFUSED, POSTGRES)],
    siblings=[ill("postgres")],
    network=Network(flows=(Flow(peer="postgres", peer_kind="service", dropped=90, drop_cause="RESET"),)))  # fmt: skip
add("name_service_fails_for_peer", R.PRIVATE_NETWORK_DOWN, C.PLATFORM, [shown(UNKNOWN, "redis.railway.internal")],
    network=Network(dns=(DnsAnswer(name="redis.railway.internal", rcode="SERVFAIL", count=40),)))  # fmt: skip
add("name_service_denies_peer", R.SIBLING_UNKNOWN, C.CONFIGURATION, [shown(UNKNOWN, "redis.railway.internal")],
    siblings=[healthy("cache")],
    network=Network(dns=(DnsAnswer(name="redis.railway.internal", rcode="NXDOMAIN", count=40),)))  # fmt: skip
add("peer_was_just_deployed", R.SIBLING_ADDRESS_STALE, C.CONFIGURATION, [shown(REFUSED, POSTGRES)],
    siblings=[healthy("postgres", deployed_at=ONSET - timedelta(minutes=2))])  # fmt: skip
add("peer_was_deployed_long_ago_and_refuses", R.SIBLING_ADDRESS_STALE, C.CONFIGURATION, [shown(REFUSED, POSTGRES)],
    siblings=[healthy("postgres", deployed_at=ONSET - timedelta(days=9))])  # fmt: skip
add("migration_before_peer_is_ready", R.STARTED_BEFORE_SIBLING, C.UPSTREAM, [shown(REFUSED, POSTGRES)], CRASHED,
    siblings=[healthy("postgres")])  # fmt: skip
add("failed_deployment_before_network_is_ready", R.STARTED_BEFORE_SIBLING, C.PLATFORM,
    [shown(UNKNOWN, "postgres.railway.internal")], FAILED, siblings=[healthy("postgres")])  # fmt: skip
add("refused_at_start_only", R.STARTED_BEFORE_SIBLING, C.UPSTREAM,
    [shown(REFUSED, POSTGRES).model_copy(update={"last": ONSET + 20 * SECOND})], finding("error_logs"),
    service={"starts": (ContainerStart(at=ONSET - 5 * SECOND, deployment_id="d1"),)})  # fmt: skip
add("peer_does_not_exist", R.SIBLING_UNKNOWN, C.CONFIGURATION, [shown(UNKNOWN, "inventroy.railway.internal")],
    siblings=[healthy("inventory"), healthy("postgres")])  # fmt: skip
add("bare_name_of_a_compose_file", R.SIBLING_UNKNOWN, C.CONFIGURATION, [shown(UNKNOWN, "db")], CRASHED)
add("private_address_refuses", R.SIBLING_NOT_NAMED, C.UPSTREAM, [shown(REFUSED, PRIVATE)],
    upstreams=[upstream("unknown", 0)])  # fmt: skip
add("private_address_of_the_ill_peer", R.SIBLING_DOWN, C.UPSTREAM, [shown(REFUSED, PRIVATE)],
    siblings=[ill("redis"), healthy("postgres")], upstreams=[upstream("unknown", 0)])  # fmt: skip
add(
    "closed_connection_of_nobody",
    R.SIBLING_NOT_NAMED,
    C.UPSTREAM,
    [shown(CLOSED)],
    upstreams=[upstream("unknown", 0)],
)
add("closed_connection_beside_an_ill_peer", R.SIBLING_DOWN, C.UPSTREAM, [shown(CLOSED)],
    siblings=[ill("postgres"), healthy("web")])  # fmt: skip

# ---- outside hosts ----

add("host_refuses", R.UPSTREAM_DOWN, C.UPSTREAM, [shown(REFUSED, f"{PAYMENTS}:443")])
add(
    "host_answers_503",
    R.UPSTREAM_DOWN,
    C.UPSTREAM,
    [shown(ANSWERED, PAYMENTS, status=503)],
    upstreams=[upstream()],
)
add("host_limits_calls", R.UPSTREAM_DOWN, C.UPSTREAM, [shown(ANSWERED, "api.openai.com", status=429)])
add("host_rejects_the_call_itself", R.ERROR_IN_CODE, C.CODE, [shown(ANSWERED, PAYMENTS, status=400)])
add("host_is_not_resolved", R.UPSTREAM_DOWN, C.UPSTREAM, [shown(UNKNOWN, PAYMENTS)])
add("host_with_an_expired_certificate", R.UPSTREAM_DOWN, C.UPSTREAM, [shown(SignKind.TLS_FAILED, PAYMENTS)])
add("host_that_never_existed", R.HOST_UNKNOWN, C.CONFIGURATION, [shown(UNKNOWN, "api.paymnets.io")], CRASHED,
    network=Network(dns=(DnsAnswer(name="api.paymnets.io", rcode="NXDOMAIN", count=9),)))  # fmt: skip
add("all_hosts_fail_at_once", R.OUTBOUND_NETWORK_DOWN, C.PLATFORM,
    [shown(SILENT, host) for host in (PAYMENTS, "api.stripe.com", "api.openai.com")])  # fmt: skip
add(
    "slow_host",
    R.UPSTREAM_DOWN,
    C.UPSTREAM,
    [shown(SILENT, PAYMENTS)],
    SLOW,
    locations=[location(why="route")],
)
add("host_of_the_frame", R.UPSTREAM_DOWN, C.UPSTREAM, [shown(SILENT)],
    upstreams=[upstream("unknown", 0, "shop/pricing.py")])  # fmt: skip
add("host_of_another_file", R.UPSTREAM_NOT_NAMED, C.INCONCLUSIVE, [shown(SILENT)],
    upstreams=[upstream("unknown", 0, "shop/pay.py")])  # fmt: skip
add("host_with_an_outage_that_no_line_names", R.UPSTREAM_DOWN, C.UPSTREAM, [shown(SILENT)],
    upstreams=[upstream("down", 0)])  # fmt: skip
add("outage_beside_an_older_change_of_the_client", R.UPSTREAM_DOWN, C.UPSTREAM, [TIMEOUT],
    suspect=suspect(60, "shop/pay.py"))  # fmt: skip
add(
    "outage_beside_a_fresh_change_elsewhere",
    R.UPSTREAM_DOWN,
    C.UPSTREAM,
    [TIMEOUT],
    suspect=suspect(4, "shop/cart.py"),
)
add("errors_of_a_host_right_after_a_change_of_the_client", R.UPSTREAM_DOWN, C.UPSTREAM,
    [shown(ANSWERED, PAYMENTS, status=502)], suspect=suspect(4, "shop/pricing.py"))  # fmt: skip

# ---- the cause, not what accompanies it ----

NOISE = pattern("npm error code 1", sign(SignKind.ACCOMPANIES), count=200)
INFO = pattern('Job "sync" executed successfully', count=120, level="stderr")
add("timeouts_among_information", R.UPSTREAM_DOWN, C.UPSTREAM, [INFO, TIMEOUT])
add("timeouts_among_noise_of_level_error", R.UPSTREAM_DOWN, C.UPSTREAM,
    [INFO.model_copy(update={"level": "error"}), TIMEOUT])  # fmt: skip
add("crash_among_noise", R.VARIABLE_MISSING, C.CONFIGURATION,
    [NOISE, shown(SignKind.SETTING_MISSING, "DATABASE_URL", count=3)], CRASHED)  # fmt: skip
add("pool_after_a_refused_database", R.SIBLING_DOWN, C.UPSTREAM,
    [shown(SignKind.POOL_EXHAUSTED, "max", ONSET + 30 * SECOND, 90), shown(REFUSED, POSTGRES, count=30)])  # fmt: skip
add("timeouts_after_an_exhausted_pool", R.POOL_EXHAUSTED, C.CONFIGURATION,
    [shown(SILENT, "", ONSET + 30 * SECOND, 90), shown(SignKind.POOL_EXHAUSTED, "max", current=10)])  # fmt: skip
add("bug_long_after_timeouts_began", R.UPSTREAM_DOWN, C.UPSTREAM,
    [TIMEOUT, BUG.model_copy(update={"first": ONSET + 60 * SECOND, "count": 30})])  # fmt: skip
add("old_timeouts_beside_a_new_bug", R.ERROR_IN_CODE, C.CODE,
    [TIMEOUT.model_copy(update={"first": ONSET - timedelta(minutes=9), "count": 12}), BUG])  # fmt: skip
add("timeouts_of_a_host_with_an_outage_after_a_bug", R.UPSTREAM_DOWN, C.UPSTREAM,
    [BUG, TIMEOUT.model_copy(update={"first": ONSET + 60 * SECOND})], upstreams=[upstream("down")])  # fmt: skip
add("refused_database_as_a_warning", R.SIBLING_DOWN, C.UPSTREAM,
    [shown(REFUSED, POSTGRES).model_copy(update={"level": "warning"})])  # fmt: skip

REJECTED = pattern("PaymentFailed: order 7 was not charged", exception="PaymentFailed", locations=(PLACE,))
RETRIED = shown(SILENT, PAYMENTS).model_copy(update={"level": "warning"})
add("own_exception_after_failed_attempts", R.UPSTREAM_DOWN, C.UPSTREAM, [RETRIED, REJECTED])
add("own_exception_before_failed_attempts", R.ERROR_IN_CODE, C.CODE,
    [RETRIED.model_copy(update={"first": ONSET + 60 * SECOND}), REJECTED])  # fmt: skip
FLOOD = pattern("TypeError: rows is undefined", sign(SignKind.PROGRAMMING_ERROR, "TypeError"), count=400,
    first=ONSET + 2 * SECOND, exception="TypeError", locations=(PLACE,))  # fmt: skip
add(
    "refused_database_before_a_flood_of_consequences",
    R.SIBLING_DOWN,
    C.UPSTREAM,
    [FLOOD, shown(REFUSED, POSTGRES, count=9)],
)

add(
    "bug_beside_a_warning",
    R.ERROR_IN_CODE,
    C.CODE,
    [RETRIED, FLOOD],
)

# ---- settings ----

SETTINGS = (
    SettingUse(
        name="DATABASE_URL", file="shop/db.py", line=2, example=".env.example", required_since_suspect=True
    ),
    SettingUse(name="STRIPE_SECRET_KEY", file="shop/pay.py", line=3),
    SettingUse(name="REDIS_URL", file="shop/cache.py", line=1),
)
add("several_variables_are_missing", R.VARIABLE_MISSING, C.CONFIGURATION,
    [pattern("2 errors", *(sign(SignKind.SETTING_MISSING, name) for name in ("DATABASE_URL", "SECRET_KEY")))],
    CRASHED, settings=SETTINGS, suspect=suspect(4, "shop/db.py"))  # fmt: skip
add("redis_on_localhost", R.ADDRESS_WRONG, C.CONFIGURATION, [shown(SignKind.WRONG_ADDRESS, "localhost:6379")], LOOP,
    settings=SETTINGS)  # fmt: skip
add("stripe_rejects_the_key", R.CREDENTIALS_REJECTED, C.CONFIGURATION,
    [shown(SignKind.CREDENTIALS_REJECTED, "api.stripe.com")], settings=SETTINGS)  # fmt: skip
add("pool_with_replicas", R.POOL_EXHAUSTED, C.CONFIGURATION,
    [shown(SignKind.POOL_EXHAUSTED, "pool_size", current=20)], service={"replicas": 4})  # fmt: skip
add("pool_that_a_commit_leaks", R.POOL_LEAK_SINCE_COMMIT, C.CODE,
    [shown(SignKind.POOL_EXHAUSTED, "pool_size", current=20)], suspect=suspect(4, "shop/pricing.py"))  # fmt: skip
add("pool_beside_an_unrelated_commit", R.POOL_EXHAUSTED, C.CONFIGURATION,
    [shown(SignKind.POOL_EXHAUSTED, "pool_size", current=20)], suspect=suspect(4, "README.md"))  # fmt: skip
V8 = "NODE_OPTIONS=--max-old-space-size"
add("heap_far_below_the_container", R.RUNTIME_CEILING, C.CONFIGURATION,
    [shown(SignKind.RUNTIME_CEILING, V8, limit_mb=2048)], LOOP, service={"memory_limit": 16.0})  # fmt: skip
add("heap_near_the_container", R.MEMORY_LIMIT, C.RESOURCE_LIMIT,
    [shown(SignKind.RUNTIME_CEILING, V8, limit_mb=480)], LOOP, service={"memory_limit": 0.5})  # fmt: skip
add("heap_of_an_unknown_container", R.MEMORY_LIMIT, C.RESOURCE_LIMIT,
    [shown(SignKind.RUNTIME_CEILING, V8, limit_mb=259)], LOOP, service={"memory_limit": None})  # fmt: skip
add("java_heap", R.RUNTIME_CEILING, C.CONFIGURATION, [shown(SignKind.RUNTIME_CEILING, "-Xmx")],
    service={"memory_limit": 8.0})  # fmt: skip
add("php_memory_limit", R.RUNTIME_CEILING, C.CONFIGURATION,
    [shown(SignKind.RUNTIME_CEILING, "memory_limit", limit_mb=128)])  # fmt: skip
add("endless_recursion", R.ERROR_IN_CODE, C.CODE, [shown(SignKind.RUNTIME_CEILING, "-Xss")])
add("heap_that_a_commit_leaks", R.LEAK_SINCE_COMMIT, C.CODE, [shown(SignKind.RUNTIME_CEILING, V8, limit_mb=2048)],
    LOOP, finding("memory_growth"), locations=RECENT_CHANGE, suspect=suspect(60, "shop/pricing.py"),
    service={"memory_limit": 16.0})  # fmt: skip
add("guess_of_memory_beside_low_usage", R.ERROR_IN_CODE, C.CODE,
    [BUG, pattern("Killed", sign(SignKind.OUT_OF_MEMORY), first=ONSET + 60 * SECOND)])  # fmt: skip
add(
    "disk_of_the_container_is_full",
    R.DISK_FULL,
    C.RESOURCE_LIMIT,
    [shown(SignKind.DISK_FULL, "/app/uploads")],
)

# ---- images ----

YAML = ModuleDeclaration(name="yaml", package="PyYAML", manifest="requirements.txt")
add("module_that_no_manifest_lists", R.MODULE_NOT_INSTALLED, C.DEPLOYMENT,
    [shown(SignKind.MODULE_MISSING, "yaml")], CRASHED, modules=(YAML,))  # fmt: skip
add("module_of_the_manifest_that_is_not_installed", R.MODULE_NOT_INSTALLED, C.DEPLOYMENT,
    [shown(SignKind.MODULE_MISSING, "yaml")], FAILED, modules=(YAML.model_copy(update={"listed": True}),))  # fmt: skip
add(
    "module_without_a_manifest",
    R.MODULE_NOT_INSTALLED,
    C.DEPLOYMENT,
    [shown(SignKind.MODULE_MISSING, "cors")],
    LOOP,
)
add("own_module_under_a_wrong_name", R.OWN_MODULE_MISSING, C.CODE, [shown(SignKind.MODULE_MISSING, "./Pricing")],
    CRASHED, modules=(ModuleDeclaration(name="./Pricing", is_own=True, similar="src/pricing.js"),))  # fmt: skip
add("file_that_the_build_did_not_make", R.MODULE_NOT_INSTALLED, C.DEPLOYMENT,
    [shown(SignKind.MODULE_MISSING, "/app/dist/index.js")], CRASHED)  # fmt: skip
add("library_that_the_image_lacks", R.LIBRARY_MISSING, C.DEPLOYMENT,
    [shown(SignKind.LIBRARY_MISSING, "libGL.so.1")], CRASHED)  # fmt: skip
add("program_that_the_image_lacks", R.COMMAND_MISSING, C.DEPLOYMENT,
    [pattern("gunicorn: not found", sign(SignKind.COMMAND_MISSING, "gunicorn"), level="stderr")], CRASHED)  # fmt: skip
add("start_command_with_a_wrong_program", R.START_COMMAND_WRONG, C.CONFIGURATION,
    [pattern("sh: 1: gunicron: not found", sign(SignKind.COMMAND_MISSING, "gunicron"))], CRASHED,
    service={"start_command": "gunicron app:app"})  # fmt: skip

# ---- own code ----

add("errors_without_failed_requests", R.ERROR_IN_CODE, C.CODE, [BUG], finding("error_logs"))
add("worker_timeouts", R.WORKER_TIMEOUT, C.INCONCLUSIVE,
    [pattern("WORKER TIMEOUT (pid:17)", sign(SignKind.WORKER_TIMEOUT, "gunicorn"))], finding(), SLOW)  # fmt: skip
add("worker_timeouts_since_a_commit_to_the_route", R.SLOW_SINCE_COMMIT, C.CODE,
    [pattern("WORKER TIMEOUT (pid:17)", sign(SignKind.WORKER_TIMEOUT, "gunicorn"))], finding(), SLOW,
    locations=[location("shop/web.py", 7, "route", ("shop/sum.py",))], suspect=suspect(4, "shop/sum.py"))  # fmt: skip
add("slowness_beside_an_unrelated_commit", R.NO_RULE_APPLIES, C.INCONCLUSIVE, [], SLOW,
    locations=[location("shop/web.py", 7, "route"), location("shop/mail.py", 3, "changed")],
    suspect=suspect(4, "shop/mail.py"))  # fmt: skip
add("slowness_since_a_commit_to_what_the_handler_imports", R.SLOW_SINCE_COMMIT, C.CODE, [], SLOW,
    locations=[location("shop/web.py", 7, "route", ("shop/report.py",)), location("shop/report.py", 3, "changed")],
    suspect=suspect(4, "shop/report.py"))  # fmt: skip
add("slow_route_that_calls_a_host", R.NO_RULE_APPLIES, C.INCONCLUSIVE, [], SLOW,
    locations=[location("shop/pay.py", 7, "route")], requests=[request(200)],
    upstreams=[upstream("unknown", 0, "shop/pay.py")])  # fmt: skip
add("refused_input_beside_an_unrelated_commit", R.INPUT_REJECTED, C.INCONCLUSIVE,
    [pattern("422: bug.keywords is no list", sign(SignKind.INPUT_REJECTED, "bug.keywords"), level="info")],
    finding("client_errors"), requests=[request(422)],
    locations=[location("jbi/router.py", 7, "route"), location("jbi/mail.py", 3, "changed")],
    suspect=suspect(4, "jbi/mail.py"))  # fmt: skip
add("exception_whose_caller_was_changed", R.ERROR_IN_CODE, C.CODE,
    [BUG.model_copy(update={"locations": ("shop/text.py:9", "shop/orders.py:31")})],
    suspect=suspect(4, "shop/orders.py"))  # fmt: skip

# ---- Railway, schedules and egress ----

TERMINATED = pattern("Stopping Container", sign(SignKind.TERMINATED, "SIGTERM"), level="info", count=1)
add(
    "errors_after_a_stop_from_outside",
    R.STOPPED_BY_PLATFORM,
    C.PLATFORM,
    [TERMINATED, shown(CLOSED, "", ONSET + SECOND)],
    finding("stopped"),
)
add(
    "errors_before_a_stop",
    R.SIBLING_DOWN,
    C.UPSTREAM,
    [shown(REFUSED, POSTGRES, ONSET - SECOND), TERMINATED],
    CRASHED,
)
add("stopped_from_outside", R.STOPPED_BY_PLATFORM, C.PLATFORM, [TERMINATED], finding("stopped"))
add("stopped_by_a_deployment", R.PROCESS_ENDED, C.CONFIGURATION, [TERMINATED], finding("stopped"),
    service={"deployments": (deployment("d2", minutes_before_onset=1),)})  # fmt: skip
add("stopped_for_memory", R.MEMORY_LIMIT, C.RESOURCE_LIMIT, [TERMINATED], finding("oom_killed"))
add("burst_at_the_edge", R.EDGE_FAILED, C.PLATFORM, [], OVER, requests=[request(502, platform=True)])
SCHEDULE: dict[str, Any] = {"labels": {"schedule": "0 3 * * *"}}
add("cron_run_that_did_not_start", R.CRON_MISSED, C.PLATFORM, [], finding("cron_missed", **SCHEDULE))
add("cron_run_that_overlaps", R.CRON_OVERLAP, C.CONFIGURATION, [], finding("cron_overlap", **SCHEDULE))
add("cron_run_that_grows", R.CRON_SLOWER, C.INCONCLUSIVE, [], finding("cron_slower", **SCHEDULE))
add("egress_to_anybody", R.EGRESS_GREW, C.INCONCLUSIVE, [], finding("egress"),
    network=Network(flows=(Flow(peer="203.0.113.7", peer_kind="internet", bytes=9e11),)))  # fmt: skip
add("egress_to_the_public_proxy", R.EGRESS_THROUGH_PUBLIC_PROXY, C.CONFIGURATION, [], finding("egress"),
    settings=SETTINGS,
    network=Network(flows=(Flow(peer="roundhouse.proxy.rlwy.net", peer_kind="internet", bytes=9e11),)))  # fmt: skip
add(
    "fewer_requests", R.TRAFFIC_FELL, C.INCONCLUSIVE, [BUG], finding("traffic_drop"), service={"public": True}
)
add("idle_worker", R.WORKER_IDLE, C.INCONCLUSIVE, [], finding("worker_idle"))
add(
    "idle_worker_without_its_queue",
    R.SIBLING_DOWN,
    C.UPSTREAM,
    [shown(REFUSED, REDIS)],
    finding("worker_idle"),
)
add(
    "no_start_command",
    R.START_COMMAND_MISSING,
    C.DEPLOYMENT,
    [pattern("No start command was found", sign(SignKind.COMMAND_MISSING, "start command"))],
    FAILED,
)
add(
    "refused_database_in_lines_of_an_unknown_level",
    R.SIBLING_DOWN,
    C.UPSTREAM,
    [shown(REFUSED, POSTGRES).model_copy(update={"level": "info"})],
)
add(
    "database_that_accepts_no_more_connections",
    R.POOL_EXHAUSTED,
    C.CONFIGURATION,
    [shown(SignKind.POOL_EXHAUSTED, "max_connections of PostgreSQL")],
)
add(
    "workers_of_php_are_busy",
    R.POOL_EXHAUSTED,
    C.CONFIGURATION,
    [
        pattern(
            "reached pm.max_children",
            sign(SignKind.POOL_EXHAUSTED, "pm.max_children", current=5),
            level="warning",
        )
    ],
)
add(
    "gateway_errors_of_a_handler_with_one_host",
    R.UPSTREAM_DOWN,
    C.UPSTREAM,
    [],
    requests=[request(504)],
    locations=[location("shop/web.py", 7, "route", ("shop/pay.py",))],
    upstreams=[upstream("unknown", 0, "shop/pay.py")],
)
add(
    "own_errors_of_a_handler_with_one_host",
    R.NO_RULE_APPLIES,
    C.INCONCLUSIVE,
    [],
    requests=[request(500)],
    locations=[location("shop/web.py", 7, "route", ("shop/pay.py",))],
    upstreams=[upstream("unknown", 0, "shop/pay.py")],
)
add(
    "exception_whose_trace_is_a_record_of_its_own",
    R.ERROR_IN_CODE,
    C.CODE,
    [
        pattern("unwrap of None", sign(SignKind.PROGRAMMING_ERROR, "unwrap")),
        pattern("panicked at shop/pricing.py:5", level="info", locations=(PLACE,)),
    ],
)
add(
    "requests_between_two_deployments",
    R.RECOVERED,
    C.TRANSIENT,
    [],
    OVER,
    requests=[request(502, platform=True, count=6), request(200, count=900)],
    suspect=suspect(0, "shop/home.py"),
)
add(
    "gateway_errors_of_a_handler_beside_another_host",
    R.UPSTREAM_DOWN,
    C.UPSTREAM,
    [],
    requests=[request(504)],
    locations=[location("web.py", 7, "route", ("pay.py",))],
    upstreams=[
        upstream("unknown", 0, "pay.py"),
        upstream("unknown", 0, "web.py").model_copy(update={"host": "maps.io"}),
    ],
)
add(
    "peer_that_restarted_and_is_well",
    R.SIBLING_RECOVERED,
    C.UPSTREAM,
    [shown(REFUSED, POSTGRES)],
    OVER,
    siblings=[healthy("postgres")],
)
