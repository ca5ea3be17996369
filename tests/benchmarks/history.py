"""`python -m tests.benchmarks.history`: the bytes that a service's history takes in Redis, and the time to use it.

The windows are those of a simulated week, summarised and kept by the product on a real store.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.benchmarks import simulator
from workers.engine.journal_store import JournalStore
from workers.engine.schema import history_key
from workers.history import summary_store
from workers.history.backfill import slicing
from workers.models import Summary, Survey, Window
from workers.runtime.embedded import EmbeddedStore
from workers.runtime.store import client

DAYS = 7
HALF = timedelta(minutes=30)
TIMES = 20


def main() -> int:
    """Print the figures; 0 always, a figure is no test."""
    start = datetime(2026, 11, 16, tzinfo=UTC)
    whole = simulator.environment(1, start, DAYS)
    with tempfile.TemporaryDirectory(prefix="trackwalker-past-") as folder:
        store = EmbeddedStore(Path(folder))
        try:
            measure(JournalStore(client(store.ensure())), whole)
        finally:
            store.stop()
    return 0


def measure(journal: JournalStore, whole: Survey) -> None:
    """A full week of windows, then the size and the times."""
    ends = [whole.window.start + HALF * n for n in range(1, DAYS * 48)]
    kept: dict[str, list[Summary]] = {}
    for end in ends:
        seen = slicing.slice_window(whole, Window(start=end - HALF, end=end), kept)
        for name, one in summary_store.summarise_survey(seen, []).items():
            kept.setdefault(name, []).append(one)
    summary_store.store(journal, whole.environment_id, kept, ends[-1])
    sizes = [len(blob) for blob in journal.fields(history_key(whole.environment_id)).values()]
    windows = max(len(every) for every in kept.values())
    print(
        f"a week          {windows} windows a service, {statistics.mean(sizes):.0f} bytes a service "
        f"(the largest {max(sizes)}), {sum(sizes) / 1000:.0f} kB for {len(sizes)}"
    )
    known = summary_store.read(journal, whole.environment_id, ends[-1])
    usual = max(len(every) for every in summary_store.baseline_windows(known, ends[-1]).values())
    last = slicing.slice_window(whole, Window(start=ends[-1], end=ends[-1] + HALF))
    print(f"compared with   {usual} windows a service at most")
    took = milliseconds(lambda: summary_store.read(journal, whole.environment_id, ends[-1]))
    print(f"read            {took:.1f} ms for {len(sizes)} services")
    summary_store.add_sweep(journal, last, [])
    print(
        f"nothing to add  {milliseconds(lambda: summary_store.add_sweep(journal, last, [])):.1f} ms "
        "(two sweeps of three)"
    )
    print(f"one more window {_adding(journal, whole, last):.1f} ms")


def _adding(journal: JournalStore, whole: Survey, last: Survey) -> float:
    """One window more each time; every service is written."""
    windows = iter(range(1, TIMES + 1))

    def add() -> None:
        end = last.window.end + HALF * next(windows)
        summary_store.add_sweep(
            journal, last.model_copy(update={"window": Window(start=end - HALF, end=end)}), []
        )

    return milliseconds(add)


def milliseconds(work: Callable[[], object]) -> float:
    """The middle one of some runs."""
    taken = []
    for _ in range(TIMES):
        before = time.perf_counter()
        work()
        taken.append((time.perf_counter() - before) * 1000)
    return statistics.median(taken)


if __name__ == "__main__":
    raise SystemExit(main())
