"""A simulation of the sweeps over past days: which incidents they would have opened, when, and for how long. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from workers import detection
from workers.history import summary_store
from workers.history.backfill import slicing
from workers.incidents.recovery import CLEAN_SWEEPS
from workers.models import (
    Finding,
    FindingKind,
    Gap,
    Severity,
    Summary,
    Survey,
    Window,
    affected_services,
    alerting_findings,
)

SEVERITIES = list(Severity)


@dataclass
class SimulatedIncident:
    """An incident that a sweep would have opened.

    `since` is the onset, `opened` and `last` are the ends of the first and the last sweep that found it. `symptoms`
    holds names of services.
    """

    key: str
    subject: str
    since: datetime
    opened: datetime
    last: datetime
    severity: Severity
    sentence: str
    kinds: dict[FindingKind, None] = field(default_factory=dict)
    symptoms: dict[str, None] = field(default_factory=dict)
    clean_sweeps: int = 0
    is_resolved: bool = False


@dataclass
class BaselineFinding:
    """A condition that a service has long had; no sweep would have reported it."""

    service: str
    kind: FindingKind
    sentence: str
    sweeps: int = 0


@dataclass
class Simulation:
    """The state after the sweeps so far, with the history that grows along."""

    min_duration_minutes: float
    history: dict[str, list[Summary]] = field(default_factory=dict)
    incidents: list[SimulatedIncident] = field(default_factory=list)
    baseline_findings: dict[tuple[str, FindingKind], BaselineFinding] = field(default_factory=dict)
    gap_counts: Counter[Gap] = field(default_factory=Counter)
    """Number of sweeps per failed read."""
    sweeps: int = 0
    short_history_sweeps: int = 0
    """Sweeps with less than a day of history."""
    available_since: dict[str, datetime] = field(default_factory=dict)
    """The oldest sample that Railway returned, per kind of data."""
    history_start: datetime | None = None
    history_end: datetime | None = None

    def note_available_data(self, chunk: Survey) -> None:
        """Record from when on Railway has data. Chunks must come in order of time."""
        usage = [
            points[0][0]
            for service in chunk.services
            for replica in service.usage
            for points in (replica.cpu, replica.memory)
            if points
        ]
        traffic = [service.traffic[0].at for service in chunk.services if service.traffic]
        for name, times in (("CPU and memory", usage), ("traffic", traffic)):
            if times:
                self.available_since.setdefault(name, datetime.fromtimestamp(min(times), UTC))

    def sweep(self, chunk: Survey, window: Window, *, report: bool = True) -> None:
        """Simulate one sweep.

        Args:
            chunk: A survey that contains the window.
            report: Whether findings open incidents. Without it, the sweep only adds to the history.
        """
        is_new = (
            self.history_end is None or window.start >= self.history_end - summary_store.OVERLAP_TOLERANCE
        )
        if not (report or is_new):
            return
        survey = slicing.slice_window(chunk, window, self.history)
        baseline = summary_store.baseline_windows(self.history, window.start)
        findings = detection.detect(survey, min_duration_minutes=self.min_duration_minutes, history=baseline)
        if report:
            self.sweeps += 1
            self.short_history_sweeps += (
                self.history_start is None or window.end - self.history_start < summary_store.DAY
            )
            self.gap_counts.update(survey.failed_reads)
            self._update_incidents(survey, findings)
        if is_new:
            self._add_to_history(survey, findings)

    def _add_to_history(self, survey: Survey, findings: Sequence[Finding]) -> None:
        end = survey.window.end
        for service_id, summary in summary_store.summarise_survey(survey, findings).items():
            summaries = self.history.setdefault(service_id, [])
            summaries.append(summary)
            while summaries[0].at and summaries[0].at < end - summary_store.RETENTION:
                del summaries[0]
        self.history_end = end
        if self.history and self.history_start is None:
            self.history_start = survey.window.start

    def _update_incidents(self, survey: Survey, findings: list[Finding]) -> None:
        """Open, continue and resolve incidents by the rules of a real sweep."""
        groups = detection.group_by_cause(findings, survey)
        for group in groups:
            self._open_or_continue(group, survey.window.end)
        keys = {group.subject.key for group in groups}
        failing = keys | affected_services(findings)
        for incident in self.incidents:
            if not incident.is_resolved and incident.key not in keys:
                self._update_recovery(incident, survey, findings, failing)
        for finding in findings:
            if finding.is_baseline:
                new = BaselineFinding(finding.service, finding.kind, finding.sentence)
                self.baseline_findings.setdefault((finding.service_id, finding.kind), new).sweeps += 1

    def _update_recovery(
        self,
        incident: SimulatedIncident,
        survey: Survey,
        findings: Sequence[Finding],
        failing: set[str],
    ) -> None:
        # A condition that became the baseline while its incident was open has not recovered.
        is_baseline = any(
            finding.is_baseline and finding.service_id == incident.key and finding.kind in incident.kinds
            for finding in findings
        )
        if incident.key in failing or is_baseline:
            incident.clean_sweeps = 0
        elif not survey.gaps_for(incident.subject):
            incident.clean_sweeps += 1
            incident.is_resolved = incident.clean_sweeps >= CLEAN_SWEEPS

    def _open_or_continue(self, group: detection.CauseGroup, end: datetime) -> None:
        findings = alerting_findings(group.findings) or group.findings
        worst = max((finding.severity for finding in findings), key=SEVERITIES.index)
        key, name = group.subject.key, group.subject.name
        incident = next((each for each in self.incidents if each.key == key and not each.is_resolved), None)
        if incident is None:
            since = min(finding.since for finding in findings)
            incident = SimulatedIncident(key, name, since, end, end, worst, findings[0].sentence)
            self.incidents.append(incident)
        incident.last, incident.clean_sweeps = end, 0
        incident.severity = max(incident.severity, worst, key=SEVERITIES.index)
        incident.kinds |= dict.fromkeys(finding.kind for finding in findings)
        incident.symptoms |= dict.fromkeys(finding.service for finding in group.symptoms)


def sweep_times(start: datetime, end: datetime, interval: float) -> list[datetime]:
    """The times of sweeps from `start` to `end`, `interval` seconds apart and aligned to `end`, oldest first."""
    count = int((end - start).total_seconds() // interval)
    return [datetime.fromtimestamp(end.timestamp() - n * interval, end.tzinfo) for n in range(count, -1, -1)]
