"""The stored values of one incident, read once: its journal, its notification and the journals that it refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from workers.engine import records
from workers.engine.codec import Record, is_newer
from workers.engine.schema import journal_id
from workers.engine.stage_times import read_moment
from workers.models import (
    Alert,
    AuditEntry,
    Decision,
    Evidence,
    Finding,
    Incident,
    PastOccurrence,
    Survey,
    alerting_findings,
)

T = TypeVar("T")

Fields = Mapping[str, bytes]

DAMAGED = "cannot be read (damaged)"
NEWER = "cannot be read (written by a newer version)"


def unreadable(blob: bytes) -> str:
    """Why a record cannot be read, for people."""
    return NEWER if is_newer(blob) else DAMAGED


@dataclass(frozen=True)
class IncidentSource:
    """Everything from which the view of an incident is built.

    Attributes:
        at: Redis's clock when it was read.
        alerts: the alerts behind the incident, by the ids of their journals.
        sweeps: fields of the sweeps that it names: opened, ended, outcome, survey.
        past: the ended occurrences of the same cause, each with its end, newest first.
        related: the incident that suppresses it and those that it suppresses, by their ids.
    """

    id: str
    at: datetime
    fields: Fields
    notification: Fields = field(default_factory=dict)
    group: Fields = field(default_factory=dict)
    rollback: Fields = field(default_factory=dict)
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    sweeps: Mapping[str, Fields] = field(default_factory=dict)
    past: Sequence[tuple[PastOccurrence, datetime]] = ()
    related: Mapping[str, Fields] = field(default_factory=dict)
    audit: Sequence[AuditEntry] = ()
    decisions: Sequence[Decision] = ()

    def get(self, record: Record[T]) -> T | None:
        """A record of the journal; None if it is missing or unreadable."""
        return record.read(self.fields)

    def text(self, name: str) -> str:
        """A plain field of the journal."""
        return self.fields.get(name, b"").decode(errors="replace")

    def number(self, name: str) -> int:
        """A plain field that counts something; 0 if it is missing or unreadable."""
        value = self.fields.get(name, b"")
        return int(value) if value.isdigit() and len(value) < 16 else 0

    def moment(self, name: str) -> datetime | None:
        """A plain field that holds a time."""
        return read_moment(self.fields, name)

    @property
    def is_ended(self) -> bool:
        return "ended" in self.fields

    @property
    def is_running(self) -> bool:
        """True if a worker holds the claim at this moment."""
        lease = self.moment("lease")
        return not self.is_ended and lease is not None and lease > self.at

    @cached_property
    def incident(self) -> Incident | None:
        """The incident with its newest findings and symptoms."""
        incident = self.get(records.INCIDENT)
        if incident is None:
            return None
        findings, symptoms = self.get(records.LATEST_FINDINGS), self.get(records.SYMPTOMS)
        newest: dict[str, Any] = {"findings": tuple(findings)} if findings else {}
        newest |= {"symptoms": tuple(symptoms)} if symptoms is not None else {}
        return incident.model_copy(update=newest)

    @cached_property
    def evidence(self) -> Evidence:
        """The evidence, empty if it is missing or unreadable."""
        return self.get(records.EVIDENCE) or Evidence()

    @property
    def found_by(self) -> str:
        """The id of the last sweep that found the trouble."""
        return journal_id(self.text("found_by"))

    @cached_property
    def survey(self) -> Survey | None:
        """The figures of the last sweep that found the trouble."""
        return records.SURVEY.read(self.sweeps.get(self.found_by, {}))


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """The alerting findings, or the notices if there are no others: failed requests first, then by severity."""
    shown = alerting_findings(findings) or tuple(findings)
    return sorted(shown, key=_rank)


KIND_ORDER = (
    "crashed", "restart_loop", "oom_killed", "stopped", "missing", "server_errors", "failed_deployment",
    "traffic_lost", "memory_growth", "memory", "volume", "client_errors", "latency",
)  # fmt: skip
"""Kinds whose trouble says most to a person; the others follow. Errors come before latency: they explain it."""
SEVERITY_ORDER = ("critical", "warning", "notice")


def _rank(finding: Finding) -> tuple[int, int]:
    kind = KIND_ORDER.index(finding.kind) if finding.kind in KIND_ORDER else len(KIND_ORDER)
    return SEVERITY_ORDER.index(finding.severity.value), kind
