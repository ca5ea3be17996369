"""Which of the watched services an alert is about.

By the ids and names that the sender states, else by its labels and TRACKWALKER_SERVICE_MAP, else by the words of its
text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol, TypeVar

from workers.models import Alert
from workers.runtime.mentions import mentioned


class Named(Protocol):
    """Anything with the id and the name of a service."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def named_services(alert: Alert, services: Sequence[N]) -> list[N]:
    """The services that the alert is about; empty if it names none of these."""
    if alert.service_id or alert.service_name:
        return [
            service
            for service in services
            if service.id == alert.service_id or service.name == alert.service_name
        ]
    for name in alert.names:
        if matching := [service for service in services if _is_name_of(name, service)]:
            return matching
    # A ping has no sender who could mean a service; Railway, commands and people name it by its id.
    if alert.source in ("railway", "ping", "command", "person"):
        return []
    names = set(mentioned(alert.message, [service.name for service in services]))
    return [service for service in services if service.name in names]


def _is_name_of(name: str, service: Named) -> bool:
    return name == service.id or _normalise(name) == _normalise(service.name)


def _normalise(name: str) -> str:
    """Labels spell names in their own way: `Order Service`, `order_service` and `order-service` are one."""
    return re.sub(r"[\s_.-]+", "-", name.strip()).casefold()
