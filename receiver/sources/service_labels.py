"""The names under which an alert's labels, and TRACKWALKER_SERVICE_MAP, may mean a service.

Only the worker knows which services exist. The receiver hands it the candidates, likeliest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from receiver.payload import clean_text
from workers.models import Alert
from workers.runtime.mentions import mentioned

SERVICE_LABELS = (
    "railway_service", "railway_service_name", "service", "service_name", "exported_service", "app", "application",
    "app_name", "app_kubernetes_io_name", "deployment", "container", "container_name", "workload", "component",
    "exported_job", "job", "job_name", "monitor", "monitor_name", "check", "check_name",
)  # fmt: skip
"""Labels that may name a service, likeliest first. `service.name` and `Service Name` are read as `service_name`."""
HOST_LABELS = ("instance", "target", "host", "server_name", "url")
"""Labels that hold an address: one in the project's private network names a service, every other one does not."""
ID_LABELS = {
    "railway_project_id": "project_id", "railway_environment_id": "environment_id",
    "railway_service_id": "service_id", "railway_deployment_id": "deployment_id",
}  # fmt: skip
"""Labels that hold Railway's ids, as its variables of the same names do, and the alert's fields."""
_NAMING_LABELS = frozenset((*SERVICE_LABELS, *HOST_LABELS))
MAX_NAMES = 12  # candidates that an alert keeps

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.IGNORECASE)
_PRIVATE_HOST = re.compile(r"(?:\w+://)?([a-z0-9-]{1,63})\.railway\.internal\b", re.IGNORECASE)


def names_of(labels: Mapping[str, object]) -> tuple[str, ...]:
    """The values that may name a service, likeliest first, without repeats."""
    values = {
        label: clean_text(value, 200)
        for name, value in labels.items()
        if (label := _label(name)) in _NAMING_LABELS
    }
    names: dict[str, None] = {}
    for label in SERVICE_LABELS:
        if value := values.get(label):
            names[value] = None
            # OpenTelemetry's job is `namespace/service`.
            names[value.rpartition("/")[2] or value] = None
    for label in HOST_LABELS:
        if match := _PRIVATE_HOST.match(values.get(label, "")):
            names[match[1]] = None
    return tuple(names)[:MAX_NAMES]


def ids_of(labels: Mapping[str, object]) -> dict[str, str]:
    """The alert's fields that labels with Railway's ids fill."""
    values = {_label(name): value for name, value in labels.items()}
    return {
        field: value.lower()
        for label, field in ID_LABELS.items()
        if isinstance(value := values.get(label), str) and _UUID.match(value)
    }


def of_interest(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that `names_of` and `ids_of` read: a body may hold thousands of others."""
    return {
        name: value
        for name, value in labels.items()
        if (label := _label(name)) in _NAMING_LABELS or label in ID_LABELS
    }


def with_mapped_names(alert: Alert, service_map: Mapping[str, str]) -> Alert:
    """The alert with the services that TRACKWALKER_SERVICE_MAP names for its labels, else for its text.

    Args:
        service_map: the service, by name or id, for each name that another tool uses.
    """
    if not service_map:
        return alert
    by_name = {_normalise(name): service for name, service in service_map.items()}
    mapped = [by_name[_normalise(name)] for name in alert.names if _normalise(name) in by_name]
    if not mapped:
        mapped = [service_map[name] for name in mentioned(alert.message, service_map)]
    names: Iterable[str] = dict.fromkeys((*alert.names, *mapped))
    return alert.model_copy(update={"names": tuple(names)[: 2 * MAX_NAMES]})


@lru_cache(maxsize=1024)
def _label(name: str) -> str:
    return re.sub(r"[\s.\-/]+", "_", name[:100].strip()).lower()


def _normalise(name: str) -> str:
    return re.sub(r"\s+", " ", name.strip()).casefold()
