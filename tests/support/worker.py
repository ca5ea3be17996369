"""A worker as it runs in its process: dramatiq's own Worker over the real store, with mover and pulse."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dramatiq import Worker
from dramatiq.brokers.redis import RedisBroker

from tests.support.pipeline import PipelineHarness
from workers import main
from workers.engine.broker import make_broker
from workers.pipeline import stages
from workers.runtime.store import client

SHUTDOWN_MS = 5_000
"""As in the Procfile."""


@dataclass
class RunningWorker:
    """A worker at work. `stop` is what SIGTERM does in its process."""

    services: stages.Services
    broker: RedisBroker
    worker: Worker
    ending: threading.Thread | None = None

    def stop(self) -> None:
        """Begin to end; returns at once, as the stages may hang."""
        if self.ending is None:
            self.ending = threading.Thread(target=self.worker.stop, args=(SHUTDOWN_MS,), daemon=True)
            self.ending.start()

    def join(self) -> None:
        if self.ending is not None:
            self.ending.join(30)


@contextmanager
def running_worker(
    line: PipelineHarness, folder: Path, *, without: Iterable[str] = ()
) -> Iterator[RunningWorker]:
    """A worker beside the line's stand-ins, with connections and clones of its own; it ends with the block.

    `without`: stages of which this worker's version knows nothing.
    """
    url = line.settings.redis_url
    assert url is not None
    connection = client(url.get_secret_value())
    services = main.services(line.settings, connection, folder)
    broker = make_broker(connection, [main.WorkerLifecycle(services.store, 3600, folder)])
    stages.declare(broker, services)
    for stage in without:
        del broker.actors[stage]
    made = RunningWorker(services, broker, Worker(broker, worker_timeout=100, worker_threads=8))
    made.worker.start()
    try:
        yield made
    finally:
        made.stop()
        made.join()
        services.railway.close()
        connection.close()
