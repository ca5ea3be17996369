"""The detector walked over time gone by, sweep after sweep: what it would have opened, when, and for how long. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from workers import detection
from workers.history import summary_store
from workers.history.backfill import slicing
from workers.incidents.watching import CLEAN_SWEEPS
from workers.models import Finding, FindingKind, Severity, Summary, Survey, Window

ORDER = list(Severity)


@dataclass
class Spell:
    """One incident that would have been opened. `last` is the end of the last sweep that found it."""

    key: str
    cause: str
    since: datetime
    opened: datetime
    last: datetime
    severity: Severity
    sentence: str
    kinds: dict[FindingKind, None] = field(default_factory=dict)
    symptoms: dict[str, None] = field(default_factory=dict)
    """Names of those who only suffered."""
    clean: int = 0
    over: bool = False


@dataclass
class Habit:
    """What a service has long been like: a notice, said once."""

    service: str
    kind: FindingKind
    sentence: str
    sweeps: int = 0


@dataclass
class Walk:
    """What has been found so far, and the past that grows as it goes."""

    persist_minutes: float
    known: dict[str, list[Summary]] = field(default_factory=dict)
    spells: list[Spell] = field(default_factory=list)
    habits: dict[tuple[str, FindingKind], Habit] = field(default_factory=dict)
    gaps: Counter[str] = field(default_factory=Counter)
    """Reads that failed → over how many sweeps."""
    sweeps: int = 0
    young: int = 0
    """Sweeps that knew of less than a day before them."""
    measured: dict[str, datetime] = field(default_factory=dict)
    """What Railway holds → from when on."""
    kept_from: datetime | None = None
    kept_until: datetime | None = None

    def take(self, stretch: Survey) -> None:
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
                self.measured.setdefault(name, datetime.fromtimestamp(min(moments), UTC))

    def look(self, stretch: Survey, window: Window, *, aloud: bool = True) -> None:
        """One sweep; not `aloud` it only adds to the past."""
        fresh = self.kept_until is None or window.start >= self.kept_until - summary_store.TOLERANCE
        if not (aloud or fresh):
            return
        seen = slicing.cut(stretch, window, self.known)
        findings = detection.detect(
            seen, persist_minutes=self.persist_minutes, past=summary_store.baselines(self.known, window.start)
        )
        if aloud:
            self.sweeps += 1
            self.young += self.kept_from is None or window.end - self.kept_from < summary_store.DAY
            self.gaps.update(seen.failed_reads)
            self._note(seen, findings)
        if fresh:
            self._keep(seen, findings)

    def _keep(self, seen: Survey, findings: list[Finding]) -> None:
        end = seen.window.end
        for name, one in summary_store.summaries(seen, findings).items():
            every = self.known.setdefault(name, [])
            every.append(one)
            while every[0].at and every[0].at < end - summary_store.KEPT:
                del every[0]
        self.kept_until = end
        if self.known and self.kept_from is None:
            self.kept_from = seen.window.start

    def _note(self, seen: Survey, findings: list[Finding]) -> None:
        """Opens, joins and closes as a sweep does."""
        end, found = seen.window.end, set()
        for trouble in detection.causes(findings, seen):
            found.add(trouble.cause.key)
            self._join(trouble, end)
        sick = found | {one.service_id for one in findings if one.severity is not Severity.NOTICE}
        for spell in self.spells:
            if spell.over or spell.key in found:
                continue
            usual = any(
                one.is_baseline and one.service_id == spell.key and one.kind in spell.kinds
                for one in findings
            )
            if spell.key in sick or usual:
                spell.clean = 0
            elif not seen.gaps_for(spell.cause):
                spell.clean += 1
                spell.over = spell.clean >= CLEAN_SWEEPS
        for one in findings:
            if one.is_baseline:
                habit = Habit(one.service, one.kind, one.sentence)
                self.habits.setdefault((one.service_id, one.kind), habit).sweeps += 1

    def _join(self, trouble: detection.CauseGroup, end: datetime) -> None:
        loud = [one for one in trouble.findings if one.severity is not Severity.NOTICE] or trouble.findings
        worst = max(loud, key=lambda one: ORDER.index(one.severity))
        key = trouble.cause.key
        spell = next((one for one in self.spells if one.key == key and not one.over), None)
        if spell is None:
            spell = Spell(
                key, trouble.cause.name, min(one.since for one in loud), end, end, worst.severity, loud[0].sentence
            )  # fmt: skip
            self.spells.append(spell)
        spell.last, spell.clean = end, 0
        spell.severity = max(spell.severity, worst.severity, key=ORDER.index)
        spell.kinds |= dict.fromkeys(one.kind for one in loud)
        spell.symptoms |= dict.fromkeys(one.service for one in trouble.symptoms)


def ticks(start: datetime, end: datetime, every: float) -> list[datetime]:
    """Moments `every` seconds apart, the last at `end`, none before `start`; oldest first."""
    count = int((end - start).total_seconds() // every)
    return [datetime.fromtimestamp(end.timestamp() - n * every, end.tzinfo) for n in range(count, -1, -1)]
