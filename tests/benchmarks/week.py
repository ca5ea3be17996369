"""`python -m tests.bench.week`: what a healthy week would cost people and models; the goal is at most 1 and 0.

A sweep every ten minutes over the last thirty, through the real detector, the stored past and the real opening of
incidents on a real store. Two days before are read as the first run reads them. Beside it fixed thresholds: mean or
maximum from 70 % of a limit on, 5xx from 1 %, a 95th percentile from 1000 ms on. `--seed N` draws another week.
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

BEFORE_DAYS, DAYS = 2, 7
WINDOW, EVERY = timedelta(minutes=30), timedelta(minutes=10)
PERSIST_MINUTES = 4.0
LIMIT_SHARE, FAILED_SHARE, SLOW_MS = 0.7, 0.01, 1000.0


@dataclass
class Told:
    """What the week came to."""

    sweeps: int = 0
    findings: int = 0
    notices: int = 0
    fixed: int = 0
    """Services over a fixed threshold, summed over all sweeps."""
    fixed_opened: int = 0
    """The same as incidents: one until two sweeps in a row are clean."""
    incidents: dict[str, Incident] = field(default_factory=dict)


def main() -> int:
    """Print the figures; 0 always, a figure is no test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    begun = time.perf_counter()
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    # A week to come: the store's own clock must not take what it shows for what an ended round left behind.
    whole = simulator.environment(seed, midnight + timedelta(days=1), BEFORE_DAYS + DAYS)
    with tempfile.TemporaryDirectory(prefix="trackwalker-week-") as folder:
        store = EmbeddedStore(Path(folder))
        try:
            told = walk(WorkerStore(client(store.ensure())), whole)
        finally:
            store.stop()
    _say(told, len(whole.services), seed, time.perf_counter() - begun)
    return 0


def _say(told: Told, services: int, seed: int, seconds: float) -> None:
    count = len(told.incidents)
    print(f"week {seed}: {services} healthy services, {told.sweeps} sweeps, {seconds:.0f} s")
    beside = f"findings above the line {told.findings}, notices {told.notices}"
    print(f"  incidents told  {count:6}   model rounds at most {count}   ({beside})")
    print(
        f"  fixed thresholds{told.fixed_opened:6}   (services over them, summed over all sweeps: {told.fixed})"
    )
    kinds = Counter(one.findings[0].kind for one in told.incidents.values())
    for kind, n in kinds.most_common():
        print(f"    {n} × {kind}")
    for one in told.incidents.values():
        print(f"    {one.opened_at:%a %H:%M} {one.severity.value}: {one.findings[0].sentence}")


def walk(journal: WorkerStore, whole: Survey) -> Told:
    """Every sweep of the week, with the past of the two days before."""
    first = whole.window.start + timedelta(days=BEFORE_DAYS)
    _read_the_days_before(journal, whole, first)
    told, fixed = Told(), _Fixed()
    end = first + WINDOW
    while end <= whole.window.end:
        seen = slicing.slice_window(whole, Window(start=end - WINDOW, end=end))
        usual = summary_store.baseline_windows(
            summary_store.read(journal, seen.environment_id, end), seen.window.start
        )
        findings = detection.detect(seen, min_duration_minutes=PERSIST_MINUTES, history=usual)
        summary_store.add_sweep(journal, seen, findings)
        _open(journal, seen, findings, told)
        fixed.look(seen)
        told.sweeps += 1
        told.notices += sum(one.severity is Severity.NOTICE for one in findings)
        told.findings += sum(one.severity is not Severity.NOTICE for one in findings)
        end += EVERY
    told.fixed, told.fixed_opened = fixed.firings, fixed.opened
    return told


def _read_the_days_before(journal: WorkerStore, whole: Survey, first: datetime) -> None:
    spans = chunks.split_into_chunks(whole.window.start, first)
    newest = Window(start=first, end=first + WINDOW)
    found = summarise_chunks([slicing.slice_window(whole, one) for one in spans], newest, PERSIST_MINUTES)
    summary_store.store(journal, whole.environment_id, found, first)


# ---- incidents on the real store -------------------------------------------------------------


def _open(journal: WorkerStore, seen: Survey, findings: list[Finding], told: Told) -> None:
    sweep = _claimed_sweep(journal, seen)
    held = open_incidents(sweep, journal, seen, findings, opened_at=seen.window.end, ack_seconds=60.0)
    sweep.end(EndedAs.RESOLVED, "done")
    for name in held:
        incident = journal.read_record(PREFIX + name, records.INCIDENT)
        if incident:
            told.incidents.setdefault(name, incident)
    for raw in journal.command("hvals", OPEN):
        key = raw.decode()
        fields = journal.fields(key)
        if int(fields.get("clean_sweeps", 0)) >= CLEAN_SWEEPS:
            claim = journal.claim(key, fields["stage"].decode())
            assert claim is not None
            claim.end(EndedAs.RESOLVED, "over")


def _claimed_sweep(journal: WorkerStore, seen: Survey) -> Claim:
    alert = Alert(
        id=f"ping-{seen.window.end:%Y%m%dT%H%M}", source="ping", kind="ping", received_at=seen.window.end
    )
    environment = Environment(project_id=seen.project_id, environment_id=seen.environment_id)
    key = enqueue_on_sweep(journal, alert, environment)
    claim = journal.claim(key, "survey")
    assert claim is not None
    return claim


# ---- fixed thresholds, restated --------------------------------------------------------------


@dataclass
class _Fixed:
    firings: int = 0
    opened: int = 0
    clean: dict[str, int] = field(default_factory=dict)
    """Open ones: sweeps in a row without it."""

    def look(self, seen: Survey) -> None:
        for service in seen.services:
            if _is_over(service):
                self.firings += 1
                self.opened += service.id not in self.clean
                self.clean[service.id] = 0
            elif service.id in self.clean:
                self.clean[service.id] += 1
                if self.clean[service.id] >= CLEAN_SWEEPS:
                    del self.clean[service.id]


def _is_over(service: Service) -> bool:
    """Mean or maximum of CPU or memory, the share of 5xx, the slowest minute's 95th percentile."""
    for used, limit in (("cpu", service.cpu_limit), ("memory", service.memory_limit)):
        values = [value for one in service.usage for _, value in getattr(one, used)]
        if limit and values and max(values) >= LIMIT_SHARE * limit:
            return True
    requests = sum(one.requests for one in service.traffic)
    failed = sum(one.server_errors for one in service.traffic)
    slow = max((one.p95_ms for one in service.traffic if one.p95_ms is not None), default=0.0)
    return bool(requests and failed >= FAILED_SHARE * requests) or slow >= SLOW_MS


if __name__ == "__main__":
    raise SystemExit(main())
