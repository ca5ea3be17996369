"""The detector walked over time gone by, sweep after sweep: what it would have opened, when, and for how long. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from workers import detection
from workers.history import summary_store
from workers.history.backfill import slicing
from workers.incidents.recovery import CLEAN_SWEEPS
from workers.models import Finding, FindingKind, Gap, Severity, Summary, Survey, Window

ORDER = list(Severity)


@dataclass
class SimulatedIncident:
    """One incident that would have been opened. `last` is the end of the last sweep that found it."""

    key: str
    subject: str
    since: datetime
    opened: datetime
    last: datetime
    severity: Severity
    sentence: str
    kinds: dict[FindingKind, None] = field(default_factory=dict)
    symptoms: dict[str, None] = field(default_factory=dict)
    """Names of those who only suffered."""
    clean_sweeps: int = 0
    is_resolved: bool = False


@dataclass
class BaselineFinding:
    """What a service has long been like: a notice, said once."""

    service: str
    kind: FindingKind
    sentence: str
    sweeps: int = 0


@dataclass
class Simulation:
    """What has been found so far, and the past that grows as it goes."""

    min_duration_minutes: float
    history: dict[str, list[Summary]] = field(default_factory=dict)
    incidents: list[SimulatedIncident] = field(default_factory=list)
    baseline_findings: dict[tuple[str, FindingKind], BaselineFinding] = field(default_factory=dict)
    gap_counts: Counter[Gap] = field(default_factory=Counter)
    """Reads that failed → over how many sweeps."""
    sweeps: int = 0
    short_history_sweeps: int = 0
    """Sweeps that knew of less than a day before them."""
    available_since: dict[str, datetime] = field(default_factory=dict)
    """What Railway holds → from when on."""
    history_start: datetime | None = None
    history_end: datetime | None = None

    def note_available_data(self, stretch: Survey) -> None:
        """Note what the stretch holds at all."""
        used = [
            each[0][0]
            for one in stretch.services
            for use in one.usage
            for each in (use.cpu, use.memory)
            if each
        ]
        seen = [one.traffic[0].at for one in stretch.services if one.traffic]
        for name, moments in (("CPU and memory", used), ("traffic", seen)):
            if moments:
                self.available_since.setdefault(name, datetime.fromtimestamp(min(moments), UTC))

    def sweep(self, stretch: Survey, window: Window, *, report: bool = True) -> None:
        """One sweep; not `aloud` it only adds to the past."""
        fresh = self.history_end is None or window.start >= self.history_end - summary_store.OVERLAP_TOLERANCE
        if not (report or fresh):
            return
        seen = slicing.slice_window(stretch, window, self.history)
        findings = detection.detect(
            seen,
            min_duration_minutes=self.min_duration_minutes,
            history=summary_store.baseline_windows(self.history, window.start),
        )
        if report:
            self.sweeps += 1
            self.short_history_sweeps += (
                self.history_start is None or window.end - self.history_start < summary_store.DAY
            )
            self.gap_counts.update(seen.failed_reads)
            self._note(seen, findings)
        if fresh:
            self._keep(seen, findings)

    def _keep(self, seen: Survey, findings: list[Finding]) -> None:
        end = seen.window.end
        for name, one in summary_store.summarise_survey(seen, findings).items():
            every = self.history.setdefault(name, [])
            every.append(one)
            while every[0].at and every[0].at < end - summary_store.RETENTION:
                del every[0]
        self.history_end = end
        if self.history and self.history_start is None:
            self.history_start = seen.window.start

    def _note(self, seen: Survey, findings: list[Finding]) -> None:
        """Opens, joins and closes as a sweep does."""
        end, found = seen.window.end, set()
        for trouble in detection.group_by_cause(findings, seen):
            found.add(trouble.subject.key)
            self._join(trouble, end)
        sick = found | {one.service_id for one in findings if one.severity is not Severity.NOTICE}
        for spell in self.incidents:
            if spell.is_resolved or spell.key in found:
                continue
            usual = any(
                one.is_baseline and one.service_id == spell.key and one.kind in spell.kinds
                for one in findings
            )
            if spell.key in sick or usual:
                spell.clean_sweeps = 0
            elif not seen.gaps_for(spell.subject):
                spell.clean_sweeps += 1
                spell.is_resolved = spell.clean_sweeps >= CLEAN_SWEEPS
        for one in findings:
            if one.is_baseline:
                habit = BaselineFinding(one.service, one.kind, one.sentence)
                self.baseline_findings.setdefault((one.service_id, one.kind), habit).sweeps += 1

    def _join(self, trouble: detection.CauseGroup, end: datetime) -> None:
        loud = [one for one in trouble.findings if one.severity is not Severity.NOTICE] or trouble.findings
        worst = max(loud, key=lambda one: ORDER.index(one.severity))
        key = trouble.subject.key
        spell = next((one for one in self.incidents if one.key == key and not one.is_resolved), None)
        if spell is None:
            spell = SimulatedIncident(
                key, trouble.subject.name, min(one.since for one in loud), end, end, worst.severity, loud[0].sentence
            )  # fmt: skip
            self.incidents.append(spell)
        spell.last, spell.clean_sweeps = end, 0
        spell.severity = max(spell.severity, worst.severity, key=ORDER.index)
        spell.kinds |= dict.fromkeys(one.kind for one in loud)
        spell.symptoms |= dict.fromkeys(one.service for one in trouble.symptoms)


def sweep_times(start: datetime, end: datetime, every: float) -> list[datetime]:
    """Moments `every` seconds apart, the last at `end`, none before `start`; oldest first."""
    count = int((end - start).total_seconds() // every)
    return [datetime.fromtimestamp(end.timestamp() - n * every, end.tzinfo) for n in range(count, -1, -1)]
