"""Which service calls which, inferred from variable references and DNS lookups. Pure; reads names, never values.

A service calls another one if one of its variables refers to the other's address, or if it looked up the other's
private host name. A reference counts if the variable or its target is named like an address (`DATABASE_URL`,
`REDISHOST`, `RAILWAY_PRIVATE_DOMAIN`) or if the target is a database, whose password only its callers need. A
variable that lists permitted callers (`CORS_ORIGINS`) does not count. A reference to a shared variable counts as a
reference to the targets of the shared variable.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from workers.clients.railway.api_model import ApiModel
from workers.clients.railway.graphql_types import Variable
from workers.models import Service

ADDRESS = re.compile(
    "URL|URI|DSN|HOST|DOMAIN|PORT|CONNECT|ENDPOINT|ADDR|SERVER|BROKER|BACKEND|UPSTREAM", re.IGNORECASE
)
PERMITTED_CALLERS = re.compile("CORS|ORIGIN|ALLOWED|TRUSTED|CSRF|REDIRECT|CALLBACK|FRONTEND", re.IGNORECASE)
# Image names by which Railway's own CLI recognises a database.
DATABASE = re.compile("postgres|postgis|timescale|redis|valkey|mongo|mysql|mariadb|memcached", re.IGNORECASE)
EXPRESSION = re.compile(r"\$\{\{(.{1,300}?)\}\}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
INTERNAL_SUFFIX = ".railway.internal"
MAX_TEXT_CHARS = 1000
"""Characters of a name or reference that are searched; bounds the time for hostile input."""
MAX_REFERENCES = 50
"""References of one variable that are read."""


class Lookup(ApiModel):
    """A DNS lookup by a service."""

    qname: str
    service_id: str
    query_zone: str = "internal"


def find_calls(
    services: Sequence[Service], variables: Sequence[Variable], lookups: Iterable[Lookup]
) -> tuple[tuple[str, str], ...]:
    """Pairs of service ids (caller, callee), each once, sorted."""
    ids = {service.id for service in services}
    pairs = {*_calls_by_reference(services, variables), *_calls_by_lookup(services, lookups)}
    return tuple(sorted(pair for pair in pairs if pair[0] in ids and pair[0] != pair[1]))


def private_names(service: Service) -> set[str]:
    """Default host names of the service below INTERNAL_SUFFIX; Railway derives them from its name."""
    name = service.name.strip().lower()
    return {name.replace(" ", "-"), re.sub(r"[^a-z0-9]+", "-", name).strip("-")} - {""}


def _calls_by_reference(
    services: Sequence[Service], variables: Sequence[Variable]
) -> Iterator[tuple[str, str]]:
    by_owner = {service.name.strip().lower(): service.id for service in services}
    by_owner |= {service.id.lower(): service.id for service in services}
    databases = {service.id for service in services if DATABASE.search(service.image or "")}
    shared: dict[str, set[str]] = defaultdict(set)
    for variable in variables:
        if not variable.service_id:
            shared[variable.name.lower()] |= _callees(variable, by_owner, databases, {})
    for variable in variables:
        if variable.service_id:
            for callee in _callees(variable, by_owner, databases, shared):
                yield variable.service_id, callee


def _callees(
    variable: Variable, by_owner: dict[str, str], databases: set[str], shared: dict[str, set[str]]
) -> set[str]:
    """Ids of the services whose addresses the variable refers to."""
    variable_name = variable.name[:MAX_TEXT_CHARS]
    if PERMITTED_CALLERS.search(variable_name):
        return set()
    callees: set[str] = set()
    for owner, name in _references(variable):
        if owner == "shared":
            callees |= shared.get(name.lower(), set())
        callee = by_owner.get(owner)
        if callee and (callee in databases or ADDRESS.search(name) or ADDRESS.search(variable_name)):
            callees.add(callee)
    return callees


def _references(variable: Variable) -> Iterator[tuple[str, str]]:
    """(owner in lower case, variable name) of every reference, in each form in which Railway writes it."""
    for reference in variable.references[:MAX_REFERENCES]:
        text = reference[:MAX_TEXT_CHARS]
        for expression in EXPRESSION.findall(text) or [text]:
            target = expression.strip().strip("\"'")
            # A service name may contain dots, a variable name may not: try both ends.
            for owner, _, name in (target.partition("."), target.rpartition(".")):
                yield (owner or name).strip().strip("\"'").lower(), name.strip()
            for uuid in UUID.findall(target):
                yield uuid.lower(), target.rpartition(".")[2]


def _calls_by_lookup(services: Sequence[Service], lookups: Iterable[Lookup]) -> Iterator[tuple[str, str]]:
    by_name = {name: service.id for service in services for name in private_names(service)}
    for lookup in lookups:
        name = lookup.qname[:MAX_TEXT_CHARS].strip().lower().rstrip(".")
        callee = by_name.get(name.removesuffix(INTERNAL_SUFFIX)) if name.endswith(INTERNAL_SUFFIX) else None
        if callee and lookup.query_zone == "internal":
            yield lookup.service_id, callee
