"""The rollback of an incident: whether it is possible, and what became of it. Pure."""

from __future__ import annotations

from workers.views.incident_source import IncidentSource
from workers.views.shapes import RollbackView


def rollback_view(_source: IncidentSource) -> RollbackView | None:
    """The rollback option; None if the evidence names none and nobody asked for one."""
    return None
