"""Who calls whom, as variables and lookups tell it. Pure; names only, never a value. All names come from outside.

A service calls another one where one of its variables refers to that one's address, or where it looked up its
private name. A reference counts when the variable or what it refers to is named like an address (`DATABASE_URL`,
`REDISHOST`, `RAILWAY_PRIVATE_DOMAIN`), or when the other one is a database: whoever holds a database's password uses
it. It does not count where the variable says whom to let in or to send elsewhere (`CORS_ORIGINS`): those are callers,
not callees. What a shared variable refers to is called by whoever refers to the shared variable.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from workers.clients.railway.graphql_types import ApiModel, Variable
from workers.models import Service

ADDRESS = re.compile(
    "URL|URI|DSN|HOST|DOMAIN|PORT|CONNECT|ENDPOINT|ADDR|SERVER|BROKER|BACKEND|UPSTREAM", re.IGNORECASE
)
CALLERS = re.compile("CORS|ORIGIN|ALLOWED|TRUSTED|CSRF|REDIRECT|CALLBACK|FRONTEND", re.IGNORECASE)
DATABASE = re.compile("postgres|postgis|timescale|redis|valkey|mongo|mysql|mariadb|memcached", re.IGNORECASE)
"""In the name of an image: how Railway's own tools tell a database."""
EXPRESSION = re.compile(r"\$\{\{(.{1,300}?)\}\}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
INTERNAL = ".railway.internal"
LONGEST, MOST = 1000, 50
"""Characters of a reference, references of a variable."""


class Lookup(ApiModel):
    """A service asked for a name."""

    qname: str
    service_id: str
    query_zone: str = "internal"


def find_calls(
    services: Sequence[Service], variables: Sequence[Variable], lookups: Iterable[Lookup]
) -> tuple[tuple[str, str], ...]:
    """(caller, callee) ids of services of this environment, each pair once, in order."""
    ids = {service.id for service in services}
    found = {*_referred(services, variables), *_looked_up(services, lookups)}
    return tuple(sorted(pair for pair in found if pair[0] in ids and pair[0] != pair[1]))


def private_names(service: Service) -> set[str]:
    """What may stand before `.railway.internal` for it, unless somebody chose another name."""
    name = service.name.strip().lower()
    return {name.replace(" ", "-"), re.sub(r"[^a-z0-9]+", "-", name).strip("-")} - {""}


def _referred(services: Sequence[Service], variables: Sequence[Variable]) -> Iterator[tuple[str, str]]:
    named = {service.name.strip().lower(): service.id for service in services}
    named |= {service.id.lower(): service.id for service in services}
    databases = {service.id for service in services if DATABASE.search(service.image or "")}
    shared: dict[str, set[str]] = defaultdict(set)
    for variable in variables:
        if not variable.service_id:
            shared[variable.name.lower()] |= _callees(variable, named, databases, {})
    for variable in variables:
        if variable.service_id:
            for callee in _callees(variable, named, databases, shared):
                yield variable.service_id, callee


def _callees(
    variable: Variable, named: dict[str, str], databases: set[str], shared: dict[str, set[str]]
) -> set[str]:
    """Ids of the services whose addresses the variable refers to."""
    if CALLERS.search(variable.name[:LONGEST]):
        return set()
    found: set[str] = set()
    for owner, name in _references(variable):
        if owner == "shared":
            found |= shared.get(name.lower(), set())
        callee = named.get(owner)
        if callee and (
            callee in databases or ADDRESS.search(name) or ADDRESS.search(variable.name[:LONGEST])
        ):
            found.add(callee)
    return found


def _references(variable: Variable) -> Iterator[tuple[str, str]]:
    """Owner, in lower case, and name of whatever the variable refers to, however it is written."""
    for written in variable.references[:MOST]:
        text = written[:LONGEST]
        for one in EXPRESSION.findall(text) or [text]:
            whole = one.strip().strip("\"'")
            # A service's own name may hold dots, a variable's may not.
            for owner, _, name in (whole.partition("."), whole.rpartition(".")):
                yield (owner or name).strip().strip("\"'").lower(), name.strip()
            for uuid in UUID.findall(whole):
                yield uuid.lower(), whole.rpartition(".")[2]


def _looked_up(services: Sequence[Service], lookups: Iterable[Lookup]) -> Iterator[tuple[str, str]]:
    by_name = {name: service.id for service in services for name in private_names(service)}
    for one in lookups:
        name = one.qname[:LONGEST].strip().lower().rstrip(".")
        callee = by_name.get(name.removesuffix(INTERNAL)) if name.endswith(INTERNAL) else None
        if callee and one.query_zone == "internal":
            yield one.service_id, callee
