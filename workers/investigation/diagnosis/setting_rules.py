"""Judges causes that a setting ends: variables, addresses, credentials, ports, pools, ceilings of a runtime. Pure."""

from __future__ import annotations

import re

from workers.investigation.diagnosis import peers
from workers.investigation.diagnosis.concluding import cause_conclusion
from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import NEAR_LIMIT_PERCENT, SOON_AFTER, DiagnosisContext
from workers.investigation.diagnosis.error_causes import Cause, port_of
from workers.investigation.diagnosis.memory_usage import memory_limit_gb, memory_peak_percent
from workers.investigation.signs.host_names import host_of
from workers.investigation.signs.setting_names import likely_name
from workers.models import Category, SettingUse, SignKind, VerdictReason

FAR_BELOW_LIMIT = (
    0.6  # share of the container's memory below which a runtime's ceiling is not the container's limit
)
HEAP_SHARE = 0.75  # of the container's memory for the heap; the rest is for stacks, buffers and native code
POOL_GROWTH = 2  # a pool that is too small gets twice as many connections
CEILING_GROWTH = 2  # a ceiling of an unknown container is doubled
V8_OPTION = "max-old-space-size"
"""The ceiling that follows from the container's limit by default; the ceilings of other runtimes are settings."""
PHP_OPTION = "memory_limit"
PHP_GROWTH = 4  # PHP's limit is one for each request, and several requests share the container
MB_PER_GB = 1024  # Railway states limits in GB, runtimes their ceilings in MB
DATABASE_CONNECTIONS = 100  # `max_connections` of PostgreSQL, as it is delivered
PRODUCT_WORDS = {
    "postgres": ("DATABASE", "PG", "DB_"),
    "mysql": ("MYSQL", "DATABASE", "DB_"),
    "sqlserver": ("MSSQL", "SQL", "DATABASE", "DB_"),
    "mongodb": ("MONGO", "DATABASE"),
    "redis": ("REDIS", "CACHE"),
    "rabbitmq": ("RABBIT", "AMQP", "BROKER"),
    "kafka": ("KAFKA", "SASL"),
    "smtp": ("SMTP", "MAIL"),
    "api.openai.com": ("OPENAI", "LLM"),
}
"""Words of variables that hold the credentials for a product; its address may hold them, too."""
SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASS", "PWD", "DSN", "CREDENTIALS")


def setting(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """A variable that is not set, or whose value the service cannot use."""
    invalid = cause.kind is SignKind.SETTING_INVALID
    subjects = _names_read(context, cause)
    use = find_setting(context, subjects[0]) if subjects else None
    suspect = context.evidence.suspect
    required = use is not None and use.required_since_suspect and suspect is not None
    return cause_conclusion(
        context,
        cause,
        VerdictReason.VARIABLE_INVALID if invalid else VerdictReason.VARIABLE_MISSING,
        Category.CONFIGURATION,
        0.85 if subjects else 0.7,
        subject=subjects[0] if subjects else "",
        names=subjects[1:],
        setting=use,
        commit=suspect.commit or "" if required and suspect else "",
        numbers={"unexpanded": 1.0} if cause.number("unexpanded") else {},
        supports=context.cite_suspect() if required else (),
    )


def _names_read(context: DiagnosisContext, cause: Cause) -> tuple[str, ...]:
    """The names of the settings. One that only its library suggests gives way to the one that the service reads."""
    subjects = cause.subjects()
    if not subjects or not cause.number("usual_name"):
        return subjects
    read = [use.name for use in context.evidence.settings if use.file]
    return (likely_name(subjects[0], read) or subjects[0], *subjects[1:])


def find_setting(context: DiagnosisContext, name: str) -> SettingUse | None:
    """How the code reads the variable of that name."""
    return next((use for use in context.evidence.settings if use.name.lower() == name.lower()), None)


def wrong_address(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """An address that cannot be right inside a container, such as a datastore on localhost."""
    return cause_conclusion(
        context,
        cause,
        VerdictReason.ADDRESS_WRONG,
        Category.CONFIGURATION,
        0.75,
        subject=cause.subject,
        setting=peers.address_variable(context, cause),
        numbers={"port": float(port_of(cause.subject))},
    )


def credentials(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """Another service rejects the credentials of this one."""
    return cause_conclusion(
        context,
        cause,
        VerdictReason.CREDENTIALS_REJECTED,
        Category.CONFIGURATION,
        0.7,
        subject=host_of(cause.subject),
        names=_credential_variable(context, cause),
    )


def _credential_variable(context: DiagnosisContext, cause: Cause) -> tuple[str, ...]:
    """The variable that holds the credentials: by the name of the host, else the only secret that the file reads."""
    subject_words = [word.upper() for word in re.split(r"[^a-z0-9]+", cause.subject.lower()) if len(word) > 2]
    words = (*subject_words, *PRODUCT_WORDS.get(cause.subject, ()))
    secrets = [
        use for use in context.evidence.settings if _may_hold_credentials(use.name.upper(), cause.subject)
    ]
    fitting = [use.name for use in secrets if any(word in use.name.upper() for word in words)]
    nearby = list(dict.fromkeys(use.name for use in secrets if use.file in cause.files))
    single = [nearby, list(dict.fromkeys(use.name for use in secrets))]
    return tuple(fitting[:1]) or next((tuple(names) for names in single if len(names) == 1), ())


def _may_hold_credentials(name: str, subject: str) -> bool:
    """True for the name of a secret, and for the address of a datastore, which holds its password."""
    if any(part in SECRET_WORDS for part in name.split("_")):
        return True
    return subject in PRODUCT_WORDS and name.endswith(("URL", "URI"))


def port_in_use(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """Two processes of the container listen on the same port."""
    return cause_conclusion(
        context,
        cause,
        VerdictReason.PORT_IN_USE,
        Category.CONFIGURATION,
        0.7,
        subject=cause.subject,
    )


def pool_exhausted(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """The service's own pool of connections has none left: the code if a commit touched the place, else its size."""
    changed = context.is_related(cause.files) and context.began_within(SOON_AFTER)
    suspect = context.evidence.suspect
    current = cause.number("current")
    fields = {
        "subject": cause.subject,
        "numbers": _new_pool(context, current),
        "location": context.first_location(cause),
    }
    if changed and context.evidence.repository is not None:
        return cause_conclusion(
            context, cause, VerdictReason.POOL_LEAK_SINCE_COMMIT, Category.CODE, 0.7,
            commit=suspect.commit or "" if suspect else "",
            supports=(*context.cite_locations(cause), *context.cite_suspect()), **fields,
        )  # fmt: skip
    return cause_conclusion(
        context, cause, VerdictReason.POOL_EXHAUSTED, Category.CONFIGURATION, 0.65,
        supports=context.cite_locations(cause), **fields,
    )  # fmt: skip


def _new_pool(context: DiagnosisContext, current: float) -> dict[str, float]:
    """`current` and `target` connections of a pool, and the replicas that have one each."""
    numbers = {"replicas": float(context.replicas)}
    if current:
        numbers |= {"current": current, "target": POOL_GROWTH * current}
        most = DATABASE_CONNECTIONS // context.replicas
        if most > current:
            numbers["target"] = min(numbers["target"], float(most))
    return numbers


def runtime_ceiling(context: DiagnosisContext, cause: Cause) -> Conclusion | None:
    """The runtime stopped at a ceiling of its own; None if it is the container's limit, or a leak."""
    leaks = "memory_growth" in context.kinds and bool(context.changed_sources)
    if context.killed_for_memory or leaks:
        return None
    ceiling_mb, container_mb = cause.number("limit_mb"), MB_PER_GB * memory_limit_gb(context)
    peak = memory_peak_percent(context)
    if V8_OPTION in cause.subject and not _has_room(ceiling_mb, container_mb, peak):
        return None
    target = HEAP_SHARE * container_mb
    if target <= ceiling_mb:
        target = CEILING_GROWTH * ceiling_mb
    if cause.subject == PHP_OPTION:
        target = min(target, PHP_GROWTH * ceiling_mb)
    numbers = {"ceiling_mb": ceiling_mb, "container_mb": container_mb, "target_mb": float(int(target))}
    if peak is not None:
        numbers["peak_percent"] = peak
    return cause_conclusion(
        context, cause, VerdictReason.RUNTIME_CEILING, Category.CONFIGURATION, 0.8,
        subject=cause.subject, numbers=numbers, supports=context.cite_headroom(),
    )  # fmt: skip


def _has_room(ceiling_mb: float, container_mb: float, peak_percent: float | None) -> bool:
    """True if the container had memory left when the runtime reached its ceiling; False if nothing tells so."""
    if peak_percent is not None and peak_percent < NEAR_LIMIT_PERCENT:
        return True
    return bool(ceiling_mb and container_mb) and ceiling_mb < FAR_BELOW_LIMIT * container_mb


def archiving_behind(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """PostgreSQL keeps its write-ahead log because the archiving of it fails."""
    return cause_conclusion(context, cause, VerdictReason.ARCHIVING_BEHIND, Category.CONFIGURATION, 0.75)
