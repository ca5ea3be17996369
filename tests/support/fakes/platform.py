"""A mini Railway runtime: commits of a real repository run as real processes, and a `World` is fed with what they
really print, use and answer. One `Platform` runs one service; `with Platform(...)` leaves nothing behind.
"""

from __future__ import annotations

import http.client
import os
import sys
import threading
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.fakes.commits import check_out, described, meta
from tests.support.fakes.container import Container, Meter
from tests.support.fakes.edge import Passed, Target, edge
from tests.support.fakes.railway import LogRow, Request, Sample, World, WorldDeployment, WorldService
from tests.support.fakes.serving import free_port

NOBODY = "00000000-0000-0000-0000-000000000000"


@dataclass
class Live:
    """A deployment and its running process."""

    deployment: WorldDeployment
    instance_id: str
    port: int
    container: Container
    meter: Meter


class Platform:
    """Runs `service` from the git repository `origin`, with checkouts under `folder`.

    `sample_seconds`: how often CPU and memory are measured. `health_path` must answer 200 within
    `health_seconds` before a deployment goes live.
    """

    def __init__(
        self, world: World, service: WorldService, origin: Path, folder: Path, *,
        sample_seconds: float = 1.0, health_path: str = "/health", health_seconds: float = 10.0,
        address_space_bytes: int = 0,
    ) -> None:  # fmt: skip
        self.world, self.service, self.origin, self.folder = world, service, origin, folder
        self.sample_seconds, self.health_path, self.health_seconds = (
            sample_seconds,
            health_path,
            health_seconds,
        )
        self.address_space_bytes = address_space_bytes
        self.url = ""
        self.live: Live | None = None
        self._stack, self._stopping = ExitStack(), threading.Event()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.url = self._stack.enter_context(edge(self._target, self._note))
        sampler = threading.Thread(target=self._measure, name="sampler")
        sampler.start()
        # Unwound last to first: the processes end before the edge waits for its callers.
        self._stack.callback(sampler.join)
        self._stack.callback(self._stopping.set)
        return self

    def __exit__(self, *_: object) -> None:
        self._retire()
        self._stack.close()

    def deploy(self, commit: str, *, reason: str = "deploy") -> WorldDeployment:
        """Build and start `commit`. It goes live if it is healthy; else it is FAILED and the old deployment serves."""
        deployment = self._announce(commit, reason)
        checkout = self.folder / deployment.id
        self._build(deployment, commit, checkout)
        fresh = self._start(deployment, checkout / (self.service.root_directory or "").strip("/"))
        if not self._becomes_healthy(fresh):
            fresh.container.stop()
            self._build_log(deployment, "1/1 replicas never became healthy!", "error")
            self._build_log(deployment, "Healthcheck failed!", "error")
            self._become(deployment, "FAILED")
            return deployment
        old, self.live = self.live, fresh
        with self.world.lock:
            self._become(deployment, "SUCCESS")
            self.service.active[:] = [deployment.id]
        if old is not None:
            self._remove(old)
        return deployment

    def _announce(self, commit: str, reason: str) -> WorldDeployment:
        author, message = described(self.origin, commit)
        deployment = WorldDeployment(
            id=str(uuid.uuid4()),
            service_id=self.service.id,
            status="BUILDING",
            created_at=time.time(),
            status_at=time.time(),
            meta=meta(self.service, commit, author, message, reason, self.health_path),
        )
        with self.world.lock:
            self.service.deployments.insert(0, deployment)
        return deployment

    def _build(self, deployment: WorldDeployment, commit: str, checkout: Path) -> None:
        began = time.monotonic()
        self._build_log(deployment, "scheduling build on Metal builder")
        check_out(self.origin, commit, checkout)
        self._build_log(deployment, f"Build time: {time.monotonic() - began:.2f} seconds")
        self._become(deployment, "DEPLOYING")

    def _start(self, deployment: WorldDeployment, folder: Path) -> Live:
        instance_id, port = str(uuid.uuid4()), free_port()
        with self.world.lock:
            deployment.instances.append((instance_id, "CREATED"))

        def log(severity: str, message: str) -> None:
            row = LogRow(time.time(), message, severity, {"level": severity}, instance_id)
            with self.world.lock:
                deployment.logs.append(row)

        container = Container(
            self.service.start_command or "python app.py", folder, self._environment(deployment, port, folder),
            log, lambda state: self._instance_became(deployment, instance_id, state), self.address_space_bytes,
        )  # fmt: skip
        container.start()
        return Live(deployment, instance_id, port, container, Meter())

    def _environment(self, deployment: WorldDeployment, port: int, folder: Path) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PORT": str(port),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "RAILWAY_PROJECT_ID": self.world.project_id,
            "RAILWAY_ENVIRONMENT_ID": self.world.environment_id,
            "RAILWAY_SERVICE_ID": self.service.id,
            "RAILWAY_SERVICE_NAME": self.service.name,
            "RAILWAY_DEPLOYMENT_ID": deployment.id,
            "RAILWAY_GIT_COMMIT_SHA": deployment.meta["commitHash"],
        }

    def _becomes_healthy(self, fresh: Live) -> bool:
        deadline, attempt = time.monotonic() + self.health_seconds, 0
        while time.monotonic() < deadline and fresh.container.state not in ("CRASHED", "EXITED"):
            if answers(fresh.port, self.health_path):
                self._build_log(fresh.deployment, "[1/1] Healthcheck succeeded!")
                return True
            attempt += 1
            if attempt % 10 == 0:
                remaining = deadline - time.monotonic()
                failed = f"Attempt #{attempt // 10} failed with service unavailable."
                text = f"{failed} Continuing to retry for {remaining:.0f}s"
                self._build_log(fresh.deployment, text)
            self._stopping.wait(0.1)
        return False

    def _retire(self) -> None:
        if self.live is not None:
            old, self.live = self.live, None
            self._remove(old)

    def _remove(self, old: Live) -> None:
        old.container.stop()
        self._become(old.deployment, "REMOVED")
        with self.world.lock:
            if old.deployment.id in self.service.active:
                self.service.active.remove(old.deployment.id)

    def _instance_became(self, deployment: WorldDeployment, instance_id: str, state: str) -> None:
        with self.world.lock:
            deployment.instances[:] = [(instance_id, state)]
            if deployment.status != "SUCCESS":
                return
            if state == "CRASHED":
                self._become(deployment, "CRASHED")
            if state == "EXITED":
                deployment.stopped = True

    def _become(self, deployment: WorldDeployment, status: str) -> None:
        with self.world.lock:
            deployment.status, deployment.status_at = status, time.time()

    def _build_log(self, deployment: WorldDeployment, message: str, severity: str = "info") -> None:
        with self.world.lock:
            deployment.build_logs.append(LogRow(time.time(), message, severity))

    def _target(self) -> Target | None:
        live = self.live
        if live is None:
            return None
        up = live.container.state == "RUNNING"
        return Target(live.deployment.id, live.instance_id, live.port if up else None)

    def _note(self, passed: Passed) -> None:
        target = passed.target
        if target is None:
            return
        errors = f'[{{"deploymentInstanceID":"{target.instance_id}","duration":0,"error":"{passed.error}"}}]'
        request = Request(
            at=passed.at, method=passed.method, path=passed.path, status=passed.status, ms=passed.ms,
            deployment_id=target.deployment_id,
            instance_id=target.instance_id if target.port else NOBODY,
            upstream_address="" if passed.error else f"http://[fd12::1]:{target.port}",
            response_details="Retried single replica" if passed.error else "",
            upstream_errors=errors if passed.error else "",
            host=self.service.domains[0] if self.service.domains else "",
        )  # fmt: skip
        with self.world.lock:
            self.service.requests.append(request)

    def _measure(self) -> None:
        while not self._stopping.wait(self.sample_seconds):
            live = self.live
            process = live.container.process if live else None
            usage = live.meter.read(process.pid) if live and process else None
            if live is None or usage is None:
                continue
            sample = Sample(time.time(), live.instance_id, live.deployment.id, usage[0], usage[1])
            with self.world.lock:
                self.service.samples.append(sample)


def answers(port: int, path: str) -> bool:
    """True if a GET is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path, headers={"Host": "healthcheck.railway.app"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
