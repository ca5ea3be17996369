"""`make bench-journal`: figures of the journal, each beside a reference measured in the same run on this machine.

recorded step   one `step` of the journal beside one raw Lua write, in the same Redis with an fsync per write
endpoint        webhooks stored and answered beside a bare Starlette app with one SET in its thread pool
work resumes    seconds from the SIGKILL of a process of a real `up` until its work resumes, and repeated steps
kept            bytes that a finished incident leaves in Redis, and its keys that never expire
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import redis

from tests.benchmarks import endpoint, kept, kills
from workers.engine.claim import Claim
from workers.engine.codec import Record
from workers.engine.schema import PREFIX
from workers.engine.worker_store import WorkerStore
from workers.runtime.embedded import EmbeddedStore
from workers.runtime.store import client

STEPS = 4_000
STEPS_PER_JOURNAL = 20  # an incident has about fifteen records


def main() -> int:
    """Print the figures; always 0, because a figure is not a test."""
    with tempfile.TemporaryDirectory(prefix="trackwalker-bench-") as folder:
        store = EmbeddedStore(Path(folder) / "store")
        url = store.ensure()
        try:
            recorded_step(client(url))
            endpoint.measure(url)
            kept.measure(client(url), url, Path(folder))
        finally:
            store.stop()
        kills.measure(Path(folder))
    return 0


def recorded_step(connection: redis.Redis) -> None:
    """Print the milliseconds of one recorded step and of one raw Lua write, measured in turns."""
    journal = WorkerStore(connection)
    raw = connection.register_script("redis.call('HSET',KEYS[1],ARGV[1],ARGV[2]) return 1")
    ours, reference, claim = [], [], _fresh(journal, -1)
    for number in range(STEPS):
        if number % STEPS_PER_JOURNAL == 0:
            claim = _fresh(journal, number)
        before = time.perf_counter()
        claim.step(Record(f"s{number}", int), lambda: 1)
        between = time.perf_counter()
        raw(keys=[f"raw{number // STEPS_PER_JOURNAL}"], args=[f"s{number}", "1"])
        reference.append(time.perf_counter() - between)
        ours.append(between - before)
    step, write = (statistics.median(values) * 1000 for values in (ours, reference))
    print(
        f"recorded step   {step:.3f} ms   raw Lua write {write:.3f} ms   ratio {step / write:.2f}   (goal: at most 1.3)"
    )
    connection.flushall()


def _fresh(journal: WorkerStore, number: int) -> Claim:
    key = f"{PREFIX}sweep:bench{number}:1"
    journal.open_journal(key, "survey")
    claim = journal.claim(key, "survey")
    assert claim is not None
    return claim


if __name__ == "__main__":
    sys.exit(main())
