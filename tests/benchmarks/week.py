"""`python -m tests.benchmarks.week`: the incidents and agent runs that a healthy week causes; the goal is 1 at most.

A sweep every ten minutes checks the last thirty, with the real detector, the stored history and the real opening of
incidents on a real Redis. The history starts with the two days before, read as the first sweep reads them. The
reference are fixed thresholds: a maximum of 70 % of a limit, 1 % of 5xx, a 95th percentile of 1,000 ms. `--seed N`
draws another week.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.benchmarks import simulator
from tests.support.journals import enqueue_on_sweep
from workers import detection
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.schema import OPEN, PREFIX, EndedAs
from workers.engine.worker_store import WorkerStore
from workers.history import summary_store
from workers.history.backfill import chunks, slicing, summarise_chunks
from workers.incidents.opening import open_incidents
from workers.incidents.recovery import CLEAN_SWEEPS
from workers.models import Alert, Environment, Finding, Incident, Service, Severity, Survey, Window
from workers.runtime.embedded import EmbeddedStore
from workers.runtime.store import client

BACKFILL_DAYS = 2  # of history before the week
DAYS = 7
WINDOW = timedelta(minutes=30)  # default of TRACKWALKER_WINDOW_MINUTES
INTERVAL = timedelta(minutes=10)  # default of TRACKWALKER_PING_MINUTES
MIN_DURATION_MINUTES = 4.0  # default of TRACKWALKER_MIN_DURATION_MINUTES
# The fixed thresholds: typical defaults of monitoring products.
LIMIT_SHARE = 0.7
FAILED_SHARE = 0.01
SLOW_MS = 1000.0


@dataclass
class Totals:
    """The sums over the week."""

    sweeps: int = 0
    findings: int = 0
    notices: int = 0
    fixed: int = 0
    """Services over a fixed threshold, summed over all sweeps."""
    fixed_opened: int = 0
    """The same as incidents, each of which lasts until two consecutive sweeps are clean."""
    incidents: dict[str, Incident] = field(default_factory=dict)


def main() -> int:
    """Print the figures; always 0, because a figure is not a test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    begun = time.perf_counter()
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    # A week in the future: by Redis's clock, none of its findings can be the rest of an ended occurrence.
    whole = simulator.environment(seed, midnight + timedelta(days=1), BACKFILL_DAYS + DAYS)
    with tempfile.TemporaryDirectory(prefix="trackwalker-week-") as folder:
        store = EmbeddedStore(Path(folder))
        try:
            totals = walk(WorkerStore(client(store.ensure())), whole)
        finally:
            store.stop()
    _report(totals, len(whole.services), seed, time.perf_counter() - begun)
    return 0


def _report(totals: Totals, services: int, seed: int, seconds: float) -> None:
    count = len(totals.incidents)
    print(f"week {seed}: {services} healthy services, {totals.sweeps} sweeps, {seconds:.0f} s")
    details = f"findings above the alert threshold {totals.findings}, notices {totals.notices}"
    print(f"  incidents       {count:6}   agent runs at most {count}   ({details})")
    print(
        f"  fixed thresholds{totals.fixed_opened:6}   (services over them, summed over all sweeps: {totals.fixed})"
    )
    kinds = Counter(incident.findings[0].kind for incident in totals.incidents.values())
    for kind, n in kinds.most_common():
        print(f"    {n} × {kind}")
    for incident in totals.incidents.values():
        sentence = incident.findings[0].sentence
        print(f"    {incident.opened_at:%a %H:%M} {incident.severity.value}: {sentence}")


def walk(journal: WorkerStore, whole: Survey) -> Totals:
    """Run every sweep of the week, after the backfill of the days before."""
    first = whole.window.start + timedelta(days=BACKFILL_DAYS)
    _backfill(journal, whole, first)
    totals, fixed = Totals(), FixedThresholds()
    end = first + WINDOW
    while end <= whole.window.end:
        survey = slicing.slice_window(whole, Window(start=end - WINDOW, end=end))
        baselines = summary_store.baseline_windows(
            summary_store.read(journal, survey.environment_id, end), survey.window.start
        )
        findings = detection.detect(survey, min_duration_minutes=MIN_DURATION_MINUTES, history=baselines)
        summary_store.add_sweep(journal, survey, findings)
        _open(journal, survey, findings, totals)
        fixed.check(survey)
        totals.sweeps += 1
        totals.notices += sum(finding.severity is Severity.NOTICE for finding in findings)
        totals.findings += sum(finding.severity is not Severity.NOTICE for finding in findings)
        end += INTERVAL
    totals.fixed, totals.fixed_opened = fixed.firings, fixed.opened
    return totals


def _backfill(journal: WorkerStore, whole: Survey, first: datetime) -> None:
    spans = chunks.split_into_chunks(whole.window.start, first)
    newest = Window(start=first, end=first + WINDOW)
    summaries = summarise_chunks(
        [slicing.slice_window(whole, span) for span in spans], newest, MIN_DURATION_MINUTES
    )
    summary_store.save(journal, whole.environment_id, summaries, first)


# ---- incidents on the real store -------------------------------------------------------------


def _open(journal: WorkerStore, survey: Survey, findings: list[Finding], totals: Totals) -> None:
    sweep = _claim_sweep(journal, survey)
    names = open_incidents(
        sweep,
        journal,
        survey,
        findings,
        opened_at=survey.window.end,
        ack_seconds=60.0,
        min_duration_minutes=MIN_DURATION_MINUTES,
    )
    sweep.end(EndedAs.RESOLVED, "done")
    for name in names:
        incident = journal.read_record(PREFIX + name, records.INCIDENT)
        if incident:
            totals.incidents.setdefault(name, incident)
    for raw in journal.command("hvals", OPEN):
        key = raw.decode()
        fields = journal.fields(key)
        if int(fields.get("clean_sweeps", 0)) >= CLEAN_SWEEPS:
            claim = journal.claim(key, fields["stage"].decode())
            assert claim is not None
            claim.end(EndedAs.RESOLVED, "over")


def _claim_sweep(journal: WorkerStore, survey: Survey) -> Claim:
    alert = Alert(
        id=f"ping-{survey.window.end:%Y%m%dT%H%M}", source="ping", kind="ping", received_at=survey.window.end
    )
    environment = Environment(project_id=survey.project_id, environment_id=survey.environment_id)
    key = enqueue_on_sweep(journal, alert, environment)
    claim = journal.claim(key, "survey")
    assert claim is not None
    return claim


# ---- fixed thresholds ------------------------------------------------------------------------


@dataclass
class FixedThresholds:
    """The same incidents by fixed thresholds."""

    firings: int = 0
    opened: int = 0
    clean: dict[str, int] = field(default_factory=dict)
    """Open incidents: service → consecutive sweeps under the thresholds."""

    def check(self, survey: Survey) -> None:
        for service in survey.services:
            if _is_over(service):
                self.firings += 1
                self.opened += service.id not in self.clean
                self.clean[service.id] = 0
            elif service.id in self.clean:
                self.clean[service.id] += 1
                if self.clean[service.id] >= CLEAN_SWEEPS:
                    del self.clean[service.id]


def _is_over(service: Service) -> bool:
    """True if CPU, memory, the share of 5xx or the slowest minute's 95th percentile is over its threshold."""
    for used, limit in (("cpu", service.cpu_limit), ("memory", service.memory_limit)):
        values = [value for instance in service.usage for _, value in getattr(instance, used)]
        if limit and values and max(values) >= LIMIT_SHARE * limit:
            return True
    requests = sum(minute.requests for minute in service.traffic)
    failed = sum(minute.server_errors for minute in service.traffic)
    latencies = (minute.p95_ms for minute in service.traffic if minute.p95_ms is not None)
    slow = max(latencies, default=0.0)
    return bool(requests and failed >= FAILED_SHARE * requests) or slow >= SLOW_MS


if __name__ == "__main__":
    raise SystemExit(main())
