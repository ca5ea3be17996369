"""Texts of verdicts about settings: variables, addresses, credentials, ports, pools, ceilings of a runtime."""

from __future__ import annotations

from collections.abc import Callable

from workers.investigation.diagnosis.conclusion import Conclusion, Texts, place_text, quote_text
from workers.models import VerdictReason
from workers.runtime.text import join_names, plural

COMMIT_CHARS = 7  # as GitHub shortens commits


def _variables(conclusion: Conclusion) -> Texts:
    service, variable = conclusion.service, conclusion.subject
    invalid = conclusion.reason is VerdictReason.VARIABLE_INVALID
    if not variable:
        return Texts(
            f"{service} is misconfigured: {quote_text(conclusion)}",
            f"Correct the variables of {service} that the error mentions (in Railway: {service}, Variables), "
            "and deploy again",
            _variable_checks("the variables that the error mentions"),
        )
    if conclusion.numbers.get("unexpanded"):
        return _unexpanded(conclusion)
    names = join_names((variable, *conclusion.names))
    state = "has a value that it cannot use" if invalid else "is not set"
    plural_state = "have values that it cannot use" if invalid else "are not set"
    verb = "Correct" if invalid else "Set"
    return Texts(
        f"{service} does not work because {names} {plural_state if conclusion.names else state}: "
        f"{quote_text(conclusion)}{_required_since(conclusion)}",
        f"{verb} {names} of {service} in Railway ({service}, Variables), and deploy again{_example(conclusion)}",
        _variable_checks(names),
    )


def _unexpanded(conclusion: Conclusion) -> Texts:
    service, variable = conclusion.service, conclusion.subject
    return Texts(
        f"{service} does not start because no shell replaces ${variable} in its start command: "
        f"{quote_text(conclusion)}",
        f"Run the start command of {service} in a shell, as sh -c '… ${variable}' (in Railway: {service}, Settings, "
        "Deploy, or startCommand of its configuration file), and deploy again",
        (
            f"look for ${variable} in the start command, in the Procfile and in the last line of the Dockerfile",
            f"check that {variable} is set in this environment",
        ),
    )


def _required_since(conclusion: Conclusion) -> str:
    use = conclusion.setting
    if not conclusion.commit or use is None:
        return ""
    return f". Commit {conclusion.commit[:COMMIT_CHARS]} requires it since {use.file}:{use.line}"


def _example(conclusion: Conclusion) -> str:
    use = conclusion.setting
    return f". {use.example} of the repository shows its form" if use is not None and use.example else ""


def _variable_checks(names: str) -> tuple[str, ...]:
    return (
        f"look up {names} under Variables of this environment in Railway",
        "look up in the project's activity log whether a variable was changed or renamed before the onset",
        "check which variables the last commits require",
    )


def _address_wrong(conclusion: Conclusion) -> Texts:
    service, address, use = conclusion.service, conclusion.subject, conclusion.setting
    variable = use.name if use else ""
    target = variable or f"the variable that holds {address or 'the address'}"
    return Texts(
        f"{service} calls {address or 'an address of its own container'}, where nothing listens inside its "
        f"container: {quote_text(conclusion)}",
        f"Set {target} of {service} in Railway ({service}, Variables) to the private address of the service that it "
        f"means, as a reference such as {_reference(conclusion)}, and deploy again",
        (
            f"check whether {target} is set in this environment: code often falls back to localhost",
            "check that the service that it means exists in this environment",
        ),
    )


REFERENCES = {
    3306: "${{MySQL.MYSQL_URL}}",
    6379: "${{Redis.REDIS_URL}}",
    27017: "${{MongoDB.MONGO_URL}}",
}
"""Variables of Railway's own templates, by the port of the datastore."""


def _reference(conclusion: Conclusion) -> str:
    return REFERENCES.get(int(conclusion.numbers.get("port", 0)), "${{Postgres.DATABASE_URL}}")


def _credentials_rejected(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    other = conclusion.subject or "a service that it calls"
    variable = next(iter(conclusion.names), "")
    target = variable or f"the variable that holds the credentials for {other}"
    return Texts(
        f"{service} fails because {other} rejects its credentials: {quote_text(conclusion)}",
        f"Set {target} of {service} in Railway ({service}, Variables) to credentials that {other} accepts, and deploy "
        "again",
        (
            f"check whether the credentials for {other} expired or were replaced at the onset",
            f"try the present credentials by hand against {other}",
        ),
    )


def _tls_settings(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    other = conclusion.subject or "the service that it calls"
    return Texts(
        f"{service} cannot agree on an encrypted connection with {other}: {quote_text(conclusion)}",
        f"Correct the TLS options of {service} for {other} in Railway ({service}, Variables), such as sslmode in its "
        "connection string, and deploy again",
        (f"check whether {other} offers TLS and with which certificate", "check the client's TLS options"),
    )


def _port_in_use(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    port = f"port {conclusion.subject}" if conclusion.subject else "its port"
    return Texts(
        f"{service} cannot start because {port} is already in use inside its container: {quote_text(conclusion)}",
        f"Let the start command of {service} (in Railway: {service}, Settings, Deploy) start one process only that "
        "listens on PORT, and deploy again",
        ("check whether the start command starts the server twice", "check the variable PORT of the service"),
    )


# ---- pools and ceilings ----


def _pool(conclusion: Conclusion) -> Texts:
    if SERVER_LIMIT in conclusion.subject:
        return _server_limit(conclusion)
    service, numbers = conclusion.service, conclusion.numbers
    option = conclusion.subject or "the size of its connection pool"
    current, target = numbers.get("current"), numbers.get("target")
    place = f" at {place_text(conclusion.location)}" if conclusion.location else ""
    value = f" from {current:g} to {target:g}" if current and target else " to twice its value"
    checks = (
        "find requests or jobs that keep a connection while they wait for something else",
        "look at the database's open connections and its slow queries at the onset",
        "check whether every connection that is taken is given back after an error",
    )
    if conclusion.subject in WORKER_OPTIONS:
        return Texts(
            f"{service} has no free worker process left ({current or 0:g} in all): {quote_text(conclusion)}",
            f"Raise {option} of {service}{value}, as far as the memory of its container allows, and deploy again",
            ("find the requests that keep a worker busy", "measure the memory of one worker process"),
        )
    size = f" ({current:g} connections)" if current else ""
    return Texts(
        f"{service} has no free connection left in its own connection pool{size}{place}: {quote_text(conclusion)}",
        f"Raise {option} of {service}{value} and deploy again. {_pool_limit(conclusion)}",
        checks,
    )


WORKER_OPTIONS = frozenset({"pm.max_children", "MaxRequestWorkers"})
"""Options that size a pool of processes, not of connections."""
SERVER_LIMIT = " of "
"""Stands in an option of the server that is called: `max_connections of PostgreSQL`."""


def _server_limit(conclusion: Conclusion) -> Texts:
    service, option = conclusion.service, conclusion.subject
    server = option.partition(SERVER_LIMIT)[2]
    return Texts(
        f"{service} fails because {server} accepts no more connections: {quote_text(conclusion)}",
        f"Lower the connection pool of {service} and of the other clients of {server}, so that all replicas together "
        f"stay below {option}, or raise {option}",
        (
            f"list the open connections of {server} by client and state",
            "look for clients that open connections and never close them",
            "check whether the number of replicas was raised before the onset",
        ),
    )


def _pool_limit(conclusion: Conclusion) -> str:
    replicas = int(conclusion.numbers.get("replicas", 1))
    target = conclusion.numbers.get("target")
    if not target:
        return (
            "All replicas together must stay below the connections that the database allows (PostgreSQL: 100)"
        )
    return (
        f"{plural(replicas, 'replica')} then {'opens' if replicas == 1 else 'open'} up to {target * replicas:g} "
        "connections; PostgreSQL allows 100 unless it is told otherwise"
    )


def _pool_leak(conclusion: Conclusion) -> Texts:
    place = place_text(conclusion.location)
    return Texts(
        f"{conclusion.service} has no free connection left in its connection pool since commit "
        f"{conclusion.commit[:COMMIT_CHARS]}, which changed {place}: {quote_text(conclusion)}",
        f"Roll {conclusion.service} back to the deployment before that commit (this restores its variables too), "
        f"then give each connection back at {place}",
        (
            f"check whether every path through {place} gives its connection back",
            "look at the database's open connections over time",
        ),
    )


def _runtime_ceiling(conclusion: Conclusion) -> Texts:
    service, numbers = conclusion.service, conclusion.numbers
    ceiling, container = numbers.get("ceiling_mb"), numbers.get("container_mb")
    at = f" at {ceiling:,.0f} MB" if ceiling else ""
    left = f" of the {container:,.0f} MB of its container" if container and ceiling else ""
    return Texts(
        f"{service} reaches a ceiling of its runtime ({conclusion.subject or 'its heap'}){at}{left}: "
        f"{quote_text(conclusion)}",
        f"{_ceiling_action(conclusion)}, and deploy again",
        (
            "check whether the usage keeps growing below the new ceiling: then it is a leak",
            f"look at the memory of {service} in Railway (Metrics) at the time of the error",
        ),
    )


VARIABLE_CEILINGS = (
    ("max-old-space-size", "NODE_OPTIONS", "--max-old-space-size={mb}"),
    ("xmx", "JAVA_TOOL_OPTIONS", "-Xmx{mb}m"),
    ("metaspace", "JAVA_TOOL_OPTIONS", "-XX:MaxMetaspaceSize={quarter}m"),
    ("directmemory", "JAVA_TOOL_OPTIONS", "-XX:MaxDirectMemorySize={quarter}m"),
    ("gomemlimit", "GOMEMLIMIT", "{mb}MiB"),
    ("gcheaphardlimit", "DOTNET_GCHeapHardLimit", "{hex}"),
)
"""Ceilings that a variable sets: a part of the option's name in lower case, the variable and its value. Sources: the
manuals of Node.js (cli), the JVM (java), Go (runtime) and .NET (garbage collector configuration)."""
COMMAND_CEILINGS = {
    "memory_limit": "Raise memory_limit of PHP to {mb} MB: in php.ini, or with -d memory_limit={mb}M in the start "
    "command",
    "nofile": "Raise the limit of open files: begin the start command of {service} (in Railway: {service}, Settings, "
    "Deploy) with `ulimit -n 65535 &&`, and close files and connections after use",
    "nproc": "Limit the threads and processes that {service} starts, such as its workers and the size of its pools",
    "threads": "Limit the threads that {service} starts, such as the size of its pools, or lower -Xss in "
    "JAVA_TOOL_OPTIONS",
    "maxmemory": "Raise maxmemory of the Redis service, or set its maxmemory-policy to allkeys-lru if it is a cache",
    "shm_size": "Set max_parallel_workers_per_gather of PostgreSQL to 0, or lower work_mem: /dev/shm of a container "
    "cannot grow on Railway",
}
"""Ceilings that no variable sets, with the advice for each."""
BYTES_PER_MB = 1024 * 1024


def _ceiling_action(conclusion: Conclusion) -> str:
    service, option = conclusion.service, conclusion.subject
    megabytes = int(conclusion.numbers.get("target_mb", 0))
    for part, variable, text in VARIABLE_CEILINGS:
        if part in option.lower() and megabytes:
            value = text.format(mb=megabytes, quarter=megabytes // 4, hex=f"0x{megabytes * BYTES_PER_MB:x}")
            return f"Set {variable} of {service} to {value} in Railway ({service}, Variables)"
    if "xmx" in option.lower():
        return (
            f"Set JAVA_TOOL_OPTIONS of {service} to -XX:MaxRAMPercentage=75 in Railway ({service}, Variables)"
        )
    if option in COMMAND_CEILINGS:
        return COMMAND_CEILINGS[option].format(mb=megabytes or 512, service=service)
    return f"Raise {option or 'the heap limit of the runtime'} to 75 % of the memory limit of {service}"


def _archiving(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"{service} fills its volume with its write-ahead log because archiving fails: {quote_text(conclusion)}",
        f"Repair or switch off archiving of {service} (archive_command, replication slots), then run CHECKPOINT. "
        "A larger volume buys hours only",
        (
            "read failed_count and last_failed_wal of pg_stat_archiver",
            "list pg_replication_slots with their restart_lsn, and drop a slot that nobody uses",
            "measure pg_wal on the volume",
        ),
    )


RENDERERS: dict[VerdictReason, Callable[[Conclusion], Texts]] = {
    VerdictReason.VARIABLE_MISSING: _variables,
    VerdictReason.VARIABLE_INVALID: _variables,
    VerdictReason.ADDRESS_WRONG: _address_wrong,
    VerdictReason.CREDENTIALS_REJECTED: _credentials_rejected,
    VerdictReason.TLS_SETTINGS_WRONG: _tls_settings,
    VerdictReason.PORT_IN_USE: _port_in_use,
    VerdictReason.POOL_EXHAUSTED: _pool,
    VerdictReason.POOL_LEAK_SINCE_COMMIT: _pool_leak,
    VerdictReason.RUNTIME_CEILING: _runtime_ceiling,
    VerdictReason.ARCHIVING_BEHIND: _archiving,
}
