"""Finds the peer of a failed call: a service of the same project, an outside host, or none that is named. Pure."""

from __future__ import annotations

import ipaddress
import re
from difflib import get_close_matches

from workers.investigation.diagnosis.context import DiagnosisContext
from workers.investigation.diagnosis.error_causes import Cause, port_of
from workers.investigation.signs.host_names import host_of
from workers.models import Flow, SettingUse, Sibling

PRIVATE_DOMAIN = ".railway.internal"
PUBLIC_PROXY = (".proxy.rlwy.net", ".up.railway.app")
DATASTORES: dict[int, tuple[str, ...]] = {
    5432: ("postgres", "pg", "timescale", "database", "db"),
    3306: ("mysql", "maria", "database", "db"),
    6379: ("redis", "valkey", "keydb", "dragonfly", "cache"),
    27017: ("mongo",),
    5672: ("rabbit", "amqp"),
    9092: ("kafka", "redpanda"),
    11211: ("memcache",),
    9200: ("elastic", "opensearch"),
    8123: ("clickhouse",),
    7700: ("meili",),
}
"""Default ports of datastores, with parts of the names that their services and variables usually have."""
DRIVERS = ("psycopg", "psycopg2", "asyncpg", "sqlalchemy", "prisma", "npgsql", "psql", "django")
"""First parts of the names of exceptions that clients of relational databases raise."""
ADDRESS_WORDS = ("URL", "URI", "HOST", "DSN", "ADDR", "SERVER", "ENDPOINT", "BROKER")
"""Parts of the names of variables that hold an address."""
LEAST_WORD_CHARS = 3  # shorter parts of a name, such as `pg`, stand in too many others
SIMILARITY = 0.7  # of two names from which one is proposed as the other's correction; difflib's ratio
PRIVATE_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)
"""RFC 1918, 6598, 3927, 4193 and 4291. Python also calls documentation ranges private; they stand for outside hosts."""
DENIED = "NXDOMAIN"
ANSWERED = "NOERROR"


def is_private_address(host: str) -> bool:
    """True for an address of a private network, such as `fd12:…` or 10.x; those of the own machine are none."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in PRIVATE_NETWORKS if network.version == address.version)


def is_sibling(context: DiagnosisContext, subject: str) -> bool:
    """True if the subject of a sign is a service of the same project, known or not."""
    host = host_of(subject)
    return bool(host) and (
        host.endswith(PRIVATE_DOMAIN)
        or is_private_address(host)
        or ("." not in host.rstrip(".") and ":" not in host)
        or find_sibling(context, host) is not None
    )


def sibling_name(context: DiagnosisContext, subject: str) -> str:
    """The name of the sibling as the logs show it: the first label of its host; empty for a bare address."""
    host = host_of(subject)
    if is_private_address(host):
        return ""
    sibling = find_sibling(context, host)
    return host.removesuffix(PRIVATE_DOMAIN) if sibling is None else host.split(".")[0]


def find_sibling(context: DiagnosisContext, host: str) -> Sibling | None:
    """The sibling that a host names: `postgres.railway.internal` or `postgres`, in any case."""
    name = _plain(host.removesuffix(PRIVATE_DOMAIN))
    for sibling in sorted(context.incident.siblings, key=lambda sibling: sibling.name):
        if _plain(sibling.name) == name:
            return sibling
    return None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def similar_sibling(context: DiagnosisContext, name: str) -> str:
    """The name of the sibling that the name may be a slip of; empty without one."""
    names = {_plain(sibling.name): sibling.name for sibling in context.incident.siblings}
    matches = get_close_matches(_plain(name), sorted(names), n=1, cutoff=SIMILARITY)
    return names[matches[0]] if matches else ""


def sibling_at_port(context: DiagnosisContext, port: int) -> Sibling | None:
    """The only sibling whose name tells that it listens on the port; of several the only one that is unhealthy."""
    words = DATASTORES.get(port, ())
    matching = [
        sibling
        for sibling in context.incident.siblings
        if any(word in _plain(sibling.name) for word in words)
    ]
    if len(matching) > 1:
        matching = [sibling for sibling in matching if sibling.healthy is False]
    return matching[0] if len(matching) == 1 else None


def likely_datastore(context: DiagnosisContext, cause: Cause) -> str:
    """The only sibling whose name and the class of the exception tell the same datastore; empty without one.

    Drivers name no host where a connection that they held was closed.
    """
    exception = _plain(cause.patterns[0].exception).split("-")
    for words in (*DATASTORES.values(), DRIVERS):
        if any(part.startswith(words) for part in exception):
            matching = [
                sibling.name for sibling in context.incident.siblings if _looks_like_datastore(sibling, words)
            ]
            return matching[0] if len(matching) == 1 else ""
    return ""


def _looks_like_datastore(sibling: Sibling, words: tuple[str, ...]) -> bool:
    relational = (*DATASTORES[5432], *DATASTORES[3306])
    return any(word in _plain(sibling.name) for word in (relational if words is DRIVERS else words))


def unhealthy_siblings(context: DiagnosisContext) -> tuple[Sibling, ...]:
    """The siblings that were measured and are not healthy, by name."""
    siblings = [sibling for sibling in context.incident.siblings if sibling.healthy is False]
    return tuple(sorted(siblings, key=lambda sibling: sibling.name))


def called_sibling(context: DiagnosisContext, cause: Cause) -> Sibling | None:
    """The sibling that a failed call was made to, by its name, else by its port; None if it is not known."""
    sibling = find_sibling(context, host_of(cause.subject))
    if sibling is not None or not is_private_address(host_of(cause.subject)):
        return sibling
    return sibling_at_port(context, port_of(cause.subject))


def address_variable(context: DiagnosisContext, cause: Cause) -> SettingUse | None:
    """The variable that holds the address of a call: by the host's name, its port, else the only one of the file."""
    addresses = [
        use
        for use in context.evidence.settings
        if any(part in ADDRESS_WORDS for part in use.name.upper().split("_"))
    ]
    name = _plain(host_of(cause.subject).removesuffix(PRIVATE_DOMAIN)).split("-")
    for words in (name, DATASTORES.get(port_of(cause.subject), ())):
        parts = [word.upper() for word in words if len(word) >= LEAST_WORD_CHARS]
        if fitting := [use for use in addresses if any(part in use.name.upper() for part in parts)]:
            return fitting[0]
    nearby = [use for use in addresses if use.file in cause.files]
    return nearby[0] if len(nearby) == 1 else None


# ---- what the network reports ----


def dns_codes(context: DiagnosisContext, host: str) -> dict[str, int]:
    """Answers of the name service about the host: count by result code."""
    codes: dict[str, int] = {}
    for answer in context.evidence.network.dns:
        if answer.name.lower().rstrip(".") == host:
            codes[answer.rcode.upper()] = codes.get(answer.rcode.upper(), 0) + answer.count
    return codes


def name_service_fails(context: DiagnosisContext, host: str) -> bool:
    """True if the name service could not answer for the host: neither an address nor a denial."""
    return any(code not in (DENIED, ANSWERED) and count for code, count in dns_codes(context, host).items())


def private_name_service_fails(context: DiagnosisContext) -> bool:
    """True if the name service could not answer for services of the project."""
    names = {answer.name.lower().rstrip(".") for answer in context.evidence.network.dns}
    return any(name_service_fails(context, name) for name in sorted(names) if name.endswith(PRIVATE_DOMAIN))


def dropping_flows(context: DiagnosisContext) -> tuple[Flow, ...]:
    """Connections to services of the project whose packets the network dropped, with the cause that it names."""
    return tuple(
        flow
        for flow in context.evidence.network.flows
        if flow.dropped and flow.drop_cause and flow.peer_kind.lower() != "internet"
    )
