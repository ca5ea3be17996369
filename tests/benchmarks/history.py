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

DAYS = 7  # of history
WINDOW = timedelta(minutes=30)
TIMES = 20  # runs, of which the median counts


def main() -> int:
    """Print the figures; always 0, because a figure is not a test."""
    start = datetime(2026, 11, 16, tzinfo=UTC)
    whole = simulator.environment(1, start, DAYS)
    with tempfile.TemporaryDirectory(prefix="trackwalker-history-") as folder:
        store = EmbeddedStore(Path(folder))
        try:
            measure(JournalStore(client(store.ensure())), whole)
        finally:
            store.stop()
    return 0


def measure(journal: JournalStore, whole: Survey) -> None:
    """Store a full week of windows, and print their size and the times to use them."""
    ends = [whole.window.start + WINDOW * n for n in range(1, DAYS * 48)]
    kept: dict[str, list[Summary]] = {}
    for end in ends:
        survey = slicing.slice_window(whole, Window(start=end - WINDOW, end=end), kept)
        for name, summary in summary_store.summarise_survey(survey, []).items():
            kept.setdefault(name, []).append(summary)
    summary_store.save(journal, whole.environment_id, kept, ends[-1])
    sizes = [len(blob) for blob in journal.fields(history_key(whole.environment_id)).values()]
    windows = max(len(summaries) for summaries in kept.values())
    print(
        f"a week          {windows} windows per service, {statistics.mean(sizes):.0f} bytes per service "
        f"(the largest {max(sizes)}), {sum(sizes) / 1000:.0f} kB for {len(sizes)}"
    )
    history = summary_store.read(journal, whole.environment_id, ends[-1])
    baselines = summary_store.baseline_windows(history, ends[-1])
    largest = max(len(summaries) for summaries in baselines.values())
    last = slicing.slice_window(whole, Window(start=ends[-1], end=ends[-1] + WINDOW))
    print(f"compared with   {largest} windows per service at most")
    duration = milliseconds(lambda: summary_store.read(journal, whole.environment_id, ends[-1]))
    print(f"read            {duration:.1f} ms for {len(sizes)} services")
    summary_store.add_sweep(journal, last, [])
    print(
        f"nothing to add  {milliseconds(lambda: summary_store.add_sweep(journal, last, [])):.1f} ms "
        "(two sweeps of three)"
    )
    print(f"one more window {_adding(journal, whole, last):.1f} ms")


def _adding(journal: JournalStore, whole: Survey, last: Survey) -> float:
    """Milliseconds to add a window, for which every service is written."""
    windows = iter(range(1, TIMES + 1))

    def add() -> None:
        end = last.window.end + WINDOW * next(windows)
        summary_store.add_sweep(
            journal, last.model_copy(update={"window": Window(start=end - WINDOW, end=end)}), []
        )

    return milliseconds(add)


def milliseconds(work: Callable[[], object]) -> float:
    """The median of TIMES runs."""
    durations = []
    for _ in range(TIMES):
        before = time.perf_counter()
        work()
        durations.append((time.perf_counter() - before) * 1000)
    return statistics.median(durations)


if __name__ == "__main__":
    raise SystemExit(main())
