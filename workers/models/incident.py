"""Findings and incidents."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from pydantic import Field

from workers.models.action import Decision
from workers.models.base import Model, Moment
from workers.models.clean_text import Exact
from workers.models.survey import Gap, Service, Sibling, Window


class Severity(StrEnum):
    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


FindingKind = Literal[
    "cpu", "memory", "memory_growth", "server_errors", "latency",
    "crashed", "failed_deployment", "restart_loop", "stopped", "volume",
    "oom_killed", "client_errors", "stuck_deployment", "missing", "traffic_lost", "traffic_surge", "error_logs",
    "traffic_drop", "worker_idle",
    "cron_missed", "cron_overlap", "cron_slower", "egress",
]  # fmt: skip
"""The ways in which a service can be unhealthy."""


class Finding(Model):
    """One service is unhealthy in one way, measured in one window."""

    service_id: str
    service: str
    kind: FindingKind
    severity: Severity
    since: Moment
    """Onset."""
    ongoing: bool
    last_seen: Moment | None = None
    """The end of the condition, or the time of its last event; None if the rule knows neither."""
    numbers: dict[str, float] = Field(default_factory=dict)
    """Measurements; the key names the unit (`peak_percent`, `baseline_ms`)."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Names that the sentence mentions, such as those of a volume or a commit. Untrusted text."""
    sentence: str
    """The finding for people, without the name of its service. No decision may depend on it."""
    deployment_id: str | None = None
    """The affected deployment, otherwise the one that was live at the onset."""
    confidence: float = 1.0
    """0.0 to 1.0."""
    seconds_to_limit: float | None = None
    """Extrapolated seconds until memory or a volume is exhausted."""
    chronic: bool = False
    """Bad in absolute terms, and so for as long as the history reaches."""
    is_baseline: bool = False
    """The service has long been like this. Such a finding is a notice, and no sign that the service has recovered."""

    @property
    def named_sentence(self) -> str:
        """The sentence with the name of the service before it: `api: CPU at 97 % of its 2-vCPU limit …`."""
        return f"{self.service}: {self.sentence}"


class DismissedFinding(Model):
    """A finding that opened no incident, because a person decided that it is no problem."""

    finding: Finding
    decision: Decision


def alerting_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings above a notice: they open incidents and keep them open."""
    return tuple(finding for finding in findings if finding.severity is not Severity.NOTICE)


def affected_services(findings: Iterable[Finding]) -> set[str]:
    """The ids of the services that have an alerting finding."""
    return {finding.service_id for finding in alerting_findings(findings)}


class Subject(Model):
    """The cause that an incident is about: a service id, an upstream host, or `platform`."""

    kind: Literal["service", "upstream", "platform"]
    key: str
    name: str


WAY_IN_KEY = "way-in"
"""Key of the subject if most services of an environment lost their traffic in the same minute."""


class Relapse(Model):
    """The earlier occurrence that an incident continues: its trouble is back."""

    incident_id: Exact
    result: Literal["fix_failed", "fix_verified", "resolved"]
    """`fix_failed`: its merged fix did not help. `fix_verified`: its verified fix does not cover this case."""
    ended_at: Moment
    pull_number: int | None = None
    pull_url: Exact = ""
    healthy_minutes: float = 0.0
    """Minutes from its end to the new onset."""


class Incident(Model):
    """The trouble of one cause at the moment when this occurrence was opened."""

    fingerprint: str
    """Digest of the environment and the cause: the same for every occurrence."""
    occurrence: str
    """UTC minute in which the occurrence was opened: 20261123T0304."""
    project_id: str
    project_name: str
    environment_id: str
    environment_name: str
    subject: Subject
    service: Service | None = None
    """The affected service as surveyed; None if the cause is Railway or an upstream host."""
    findings: tuple[Finding, ...]
    symptoms: tuple[Finding, ...] = ()
    """Findings of other services that this cause explains."""
    siblings: tuple[Sibling, ...] = ()
    """The other services of the environment."""
    window: Window
    opened_at: Moment
    alert_ids: tuple[str, ...] = ()
    failed_reads: tuple[Gap, ...] = ()
    relapse: Relapse | None = None
    """The occurrence before this one, if it ended within a day."""
    despite: tuple[Decision, ...] = ()
    """Decisions that such findings are no problem, which do not cover these: they are critical now and were not."""

    @property
    def id(self) -> str:
        return f"incident:{self.fingerprint}:{self.occurrence}"

    @property
    def branch(self) -> str:
        return f"trackwalker/{self.fingerprint}-{self.occurrence}"

    @property
    def opening_findings(self) -> tuple[Finding, ...]:
        """The findings that opened the incident: all but the notices, or the notices if there is nothing else."""
        return alerting_findings(self.findings) or self.findings

    @property
    def is_chronic(self) -> bool:
        """True if all of its trouble is older than the history: it is reported once, and never as critical."""
        return all(finding.chronic for finding in self.opening_findings)

    @property
    def severity(self) -> Severity:
        order = list(Severity)
        worst = max((finding.severity for finding in self.findings), key=order.index)
        return Severity.WARNING if self.is_chronic and worst is Severity.CRITICAL else worst


class PastOccurrence(Model):
    """How an occurrence ended, in the few fields that outlive its journal."""

    id: Exact
    """Its journal's id."""
    opened_at: Moment | None = None
    since: Moment | None = None
    """Its onset."""
    ended_as: Exact
    """As `EndedAs` in the journal."""
    category: Exact = ""
    pull_number: int | None = None
    pull_url: Exact = ""
    pull_state: Exact = ""
