"""The environments and services that the latest sweeps saw: the names that a person can mean."""

from __future__ import annotations

import difflib
from typing import NamedTuple

from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import ENDED, PREFIX
from workers.errors import Refused
from workers.runtime.text import join_names, safe_line

MAX_SWEEPS = 200  # newest endings that are searched: every watched environment has a sweep among them

MAX_NAMES = 30  # names of services that an error lists


class KnownEnvironment(NamedTuple):
    """An environment as its newest sweep saw it."""

    project_id: str
    environment_id: str
    name: str
    """`project/environment`."""
    services: tuple[tuple[str, str], ...]
    """Id and name of each service."""


def read_environments(store: JournalStore) -> list[KnownEnvironment]:
    """Every environment of the newest sweeps, each as its latest readable survey shows it."""
    newest = [raw.decode() for raw in store.command("zrevrange", ENDED, 0, MAX_SWEEPS - 1)]
    found: dict[str, KnownEnvironment] = {}
    for key in newest:
        environment_id = key.removeprefix(f"{PREFIX}sweep:").rpartition(":")[0]
        if not key.startswith(f"{PREFIX}sweep:") or environment_id in found:
            continue
        survey = store.read_record(key, records.SURVEY)
        if survey is not None:
            services = tuple((service.id, service.name) for service in survey.services)
            name = f"{survey.project_name}/{survey.environment_name}"
            found[environment_id] = KnownEnvironment(survey.project_id, survey.environment_id, name, services)
    return list(found.values())


def find_environment(store: JournalStore, name: str) -> KnownEnvironment | None:
    """The environment with this id, with this `project/environment`, or the only one with this environment name."""
    known = read_environments(store)
    exact = [item for item in known if name in (item.environment_id, item.name)]
    by_name = [item for item in known if item.name.rpartition("/")[2] == name]
    matches = exact or by_name
    return matches[0] if len(matches) == 1 else None


def environment_names(store: JournalStore) -> list[str]:
    """`project/environment` of each known environment, sorted."""
    return sorted(item.name for item in read_environments(store))


def find_service(store: JournalStore, name: str) -> dict[str, str]:
    """`service_id` and `service_name` of the service with this name or id; "" for the id if several have the name.

    Before the first sweep no name is known, and any is taken as it is.

    Raises:
        Refused: no watched environment has the service; the error lists the names that exist.
    """
    services = [service for item in read_environments(store) for service in item.services]
    if not services:
        return {"service_id": "", "service_name": name}
    matches = dict.fromkeys(service for service in services if name in service)
    if not matches:
        names = sorted({known for _, known in services})
        close = difflib.get_close_matches(name, names, 1)
        hint = f" Did you mean {safe_line(close[0])}?" if close else ""
        listed = join_names([safe_line(known) for known in names], MAX_NAMES)
        raise Refused(f"No watched service is called {safe_line(name)}.{hint} Services: {listed}.")
    ids = {service_id for service_id, _ in matches}
    return {"service_id": ids.pop() if len(ids) == 1 else "", "service_name": next(iter(matches))[1]}
