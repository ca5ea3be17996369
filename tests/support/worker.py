"""A worker as it runs in its process: a dramatiq Worker on the real store, with dispatcher and lease renewer."""

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
from workers.pipeline.services import Services
from workers.pipeline.worker import declare_actors
from workers.runtime.store import client

SHUTDOWN_MS = 5_000  # as in the Procfile


@dataclass
class RunningWorker:
    """A started worker. `stop` does what SIGTERM does in a worker process."""

    services: Services
    broker: RedisBroker
    worker: Worker
    ending: threading.Thread | None = None

    def stop(self) -> None:
        """Begin the shutdown and return at once, because stages may hang."""
        if self.ending is None:
            self.ending = threading.Thread(target=self.worker.stop, args=(SHUTDOWN_MS,), daemon=True)
            self.ending.start()

    def join(self) -> None:
        if self.ending is not None:
            self.ending.join(30)


@contextmanager
def running_worker(
    pipeline: PipelineHarness, folder: Path, *, without: Iterable[str] = ()
) -> Iterator[RunningWorker]:
    """Run a worker with its own connections and clones against the harness's stand-ins, until the block ends.

    Args:
        without: stages that this worker does not know, as an older version would not.
    """
    url = pipeline.settings.redis_url
    assert url is not None
    connection = client(url.get_secret_value())
    services = main.services(pipeline.settings, connection, folder)
    broker = make_broker(connection, [main.WorkerLifecycle(services.store, 3600, folder)])
    declare_actors(broker, services)
    for stage in without:
        del broker.actors[stage]
    running = RunningWorker(services, broker, Worker(broker, worker_timeout=100, worker_threads=8))
    running.worker.start()
    try:
        yield running
    finally:
        running.stop()
        running.join()
        services.railway.close()
        connection.close()
