"""The fake platform runs real processes, and the fake Railway reports what they do."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.demo.services import Fault, Kind, draw, runnable, write
from tests.demo.services.writing import git
from tests.support.fakes.platform import Platform
from tests.support.fakes.railway import FakeRailway, WorldService
from tests.support.fakes.serving import serve
from tests.support.fakes.traffic import Route, send, traffic
from tests.support.polling import wait_until
from tests.support.worlds import world_of

SERVER = """
import os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            os._exit(3)
        if self.path == "/work":
            sum(number * number for number in range(2_000_000))
        if self.path == "/boom":
            print("Traceback of", __file__, file=sys.stderr)
        self.send_response(500 if self.path == "/boom" else 200)
        self.end_headers()
    def log_message(self, *args):
        print("GET", self.path)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def commit(folder: Path, **files: str) -> str:
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Serve")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def service() -> WorldService:
    return WorldService(
        id="s-1", name="api", repo="acme/api", start_command="python app.py", domains=["api.test"]
    )


@pytest.fixture
def platform(service: WorldService, tmp_path: Path) -> Iterator[Platform]:
    (tmp_path / "code").mkdir()
    with Platform(
        world_of(service), service, tmp_path / "code", tmp_path / "run", sample_seconds=0.1
    ) as running:
        yield running


def get(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_deployment_goes_live_with_its_commit_instances_and_log(
    platform: Platform, service: WorldService, tmp_path: Path
) -> None:
    sha = commit(tmp_path / "code", app=SERVER)

    deployment = platform.deploy(sha)

    assert (deployment.status, service.active) == ("SUCCESS", [deployment.id])
    assert deployment.meta["commitHash"] == sha
    assert (deployment.meta["commitAuthor"], deployment.meta["commitMessage"]) == ("Robin Weaver", "Serve")
    assert [state for _, state in deployment.instances] == ["RUNNING"]
    assert deployment.logs[0].message == "Starting Container"
    assert get(platform.url + "/") == 200


def test_a_new_deployment_replaces_the_old_one(
    platform: Platform, service: WorldService, tmp_path: Path
) -> None:
    old = platform.deploy(commit(tmp_path / "code", app=SERVER))
    new = platform.deploy(commit(tmp_path / "code", app=SERVER + "\n"))

    assert [item.id for item in service.deployments] == [new.id, old.id]
    assert (old.status, new.status, service.active) == ("REMOVED", "SUCCESS", [new.id])
    assert old.logs[-1].message == "Stopping Container"


def test_an_unhealthy_deployment_fails_and_the_old_one_stays_live(
    platform: Platform, service: WorldService, tmp_path: Path
) -> None:
    healthy = platform.deploy(commit(tmp_path / "code", app=SERVER))
    platform.health_seconds = 1.0
    unhealthy = platform.deploy(commit(tmp_path / "code", app="raise SystemExit('no database')"))

    assert (unhealthy.status, healthy.status, service.active) == ("FAILED", "SUCCESS", [healthy.id])
    assert "no database" in [row.message for row in unhealthy.logs]
    assert [row.message for row in unhealthy.build_logs][-1] == "Healthcheck failed!"
    assert get(platform.url + "/") == 200


def test_every_request_is_recorded_with_its_status_and_duration(
    platform: Platform, service: WorldService, tmp_path: Path
) -> None:
    deployment = platform.deploy(commit(tmp_path / "code", app=SERVER))

    statuses = [get(platform.url + path) for path in ("/", "/boom", "/work")]

    recorded = [(item.method, item.path, item.status, item.response_details) for item in service.requests]
    assert statuses == [200, 500, 200]
    assert recorded == [("GET", "/", 200, ""), ("GET", "/boom", 500, ""), ("GET", "/work", 200, "")]
    assert service.requests[2].ms > service.requests[0].ms > 0
    assert {item.deployment_id for item in service.requests} == {deployment.id}


def test_stdout_is_logged_as_info_and_stderr_as_error_with_container_paths(
    platform: Platform, tmp_path: Path
) -> None:
    deployment = platform.deploy(commit(tmp_path / "code", app=SERVER))

    get(platform.url + "/boom")
    wait_until(lambda: {"GET /boom", "Traceback of /app/app.py"} <= {row.message for row in deployment.logs})

    by_message = {row.message: row.severity for row in deployment.logs}
    assert by_message["GET /boom"] == "info"
    assert by_message["Traceback of /app/app.py"] == "error"


def test_a_crashed_process_restarts_while_the_edge_answers_502(
    platform: Platform, service: WorldService, tmp_path: Path
) -> None:
    deployment = platform.deploy(commit(tmp_path / "code", app=SERVER))

    assert get(platform.url + "/die") == 502
    wait_until(lambda: get(platform.url + "/") == 200)

    starts = [row for row in deployment.logs if row.message == "Starting Container"]
    crashed = service.requests[0]
    assert len(starts) == 2
    assert (crashed.status, crashed.response_details, crashed.upstream_address) == (
        502,
        "Retried single replica",
        "",
    )
    assert deployment.status == "SUCCESS"


def test_a_process_that_keeps_crashing_is_not_restarted_forever(
    platform: Platform, service: WorldService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.fakes.container.RESTART_PAUSE_SECONDS", 0.0)
    fragile = "import os, threading\nthreading.Timer(0.3, os._exit, [9]).start()\n" + SERVER
    once = "import pathlib\nif pathlib.Path('up').exists(): raise SystemExit(9)\npathlib.Path('up').touch()\n"
    deployment = platform.deploy(commit(tmp_path / "code", app=once + fragile))

    wait_until(lambda: deployment.status == "CRASHED")

    starts = [row for row in deployment.logs if row.message == "Starting Container"]
    assert len(starts) == 11
    assert [state for _, state in deployment.instances] == ["CRASHED"]
    assert get(platform.url + "/") == 502


def test_cpu_and_memory_are_measured(platform: Platform, service: WorldService, tmp_path: Path) -> None:
    deployment = platform.deploy(commit(tmp_path / "code", app=SERVER))

    wait_until(lambda: get(platform.url + "/work") == 200 and any(item.cpu > 0.1 for item in service.samples))

    assert all(0.002 < item.memory_gb < 1 for item in service.samples)
    assert {item.deployment_id for item in service.samples} == {deployment.id}


def test_memory_can_be_limited(platform: Platform, tmp_path: Path) -> None:
    platform.address_space_bytes, platform.health_seconds = 300_000_000, 2.0
    greedy = platform.deploy(commit(tmp_path / "code", app="print(len(bytearray(400_000_000)))\n" + SERVER))

    assert greedy.status == "FAILED"
    assert "MemoryError" in [row.message for row in greedy.logs]


def test_a_service_can_be_in_a_subfolder_of_its_repository(
    platform: Platform, service: WorldService, tmp_path: Path
) -> None:
    service.root_directory = "/services/api"
    (tmp_path / "code/services").mkdir(parents=True)
    (tmp_path / "code/services/api").mkdir()
    (tmp_path / "code/services/api/app.py").write_text(SERVER)

    deployment = platform.deploy(commit(tmp_path / "code"))

    assert (deployment.status, deployment.meta["rootDirectory"]) == ("SUCCESS", "/services/api")


def test_closing_the_platform_ends_all_its_processes_and_threads(
    service: WorldService, tmp_path: Path
) -> None:
    child = "import subprocess\nprint(subprocess.Popen(['sleep', '300']).pid, flush=True)\n"
    sha = commit(tmp_path / "code", app=child + SERVER)
    before = set(threading.enumerate())

    with Platform(
        world_of(service), service, tmp_path / "code", tmp_path / "run", sample_seconds=0.1
    ) as running:
        deployment = running.deploy(sha)
        wait_until(lambda: any(row.message.isdigit() for row in deployment.logs))
        grandchild = next(int(row.message) for row in deployment.logs if row.message.isdigit())
        process = running.live.container.process if running.live else None

    assert process is not None
    assert process.poll() is not None
    wait_until(lambda: not Path(f"/proc/{grandchild}").exists() or "Z" in state_of(grandchild))
    assert set(threading.enumerate()) == before


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_the_service_ends_when_the_platform_is_killed(tmp_path: Path) -> None:
    sha = commit(tmp_path / "code", app="import os\nprint(os.getpid())\n" + SERVER)
    script = f"""
from pathlib import Path
from tests.support.fakes.platform import Platform
from tests.support.fakes.railway import WorldService
from tests.support.worlds import world_of
service = WorldService(id="s", name="api", repo="acme/api", start_command="python app.py")
folder = Path({str(tmp_path)!r})
with Platform(world_of(service), service, folder / "code", folder / "run") as platform:
    platform.deploy({sha!r})
    print(platform.live.container.process.pid, flush=True)
    input()
"""
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ),
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert state_of(pid) != "Z"

        parent.kill()

    wait_until(lambda: state_of(pid) == "Z")


def test_traffic_is_a_mix_of_routes_and_never_leaves_the_machine(
    platform: Platform, service: WorldService, tmp_path: Path
) -> None:
    platform.deploy(commit(tmp_path / "code", app=SERVER))
    mix = [Route("GET", "/a/{n}", 3), Route("GET", "/boom", 1)]

    with traffic(platform.url, mix, seed=3, per_second=80, callers=4) as sent:
        wait_until(lambda: sent.statuses[200] > 20 and sent.statuses[500] > 0)

    assert sent.sent == len(service.requests)
    assert sent.statuses[500] < sent.statuses[200]
    with (
        pytest.raises(ValueError, match="loopback"),
        traffic("https://example.com", mix, seed=1, per_second=1),
    ):
        pass


def faulty_deployment(fault: Fault, folder: Path) -> tuple[Platform, str, str]:
    commits = write(fault, folder / "code")
    service = WorldService(
        id="s-1", name=fault.service, repo=f"acme/{fault.service}", start_command=fault.start_command
    )
    platform = Platform(world_of(service), service, folder / "code", folder / "run")
    return platform, commits.healthy, commits.faulty


@pytest.mark.parametrize("kind", [kind for kind in runnable() if kind in ("exception", "leak", "node")])
def test_a_drawn_exception_gives_5xx_and_a_stack_and_the_healthy_commit_gives_none(
    kind: Kind, tmp_path: Path
) -> None:
    fault = replace(draw(1, kind), root="")
    running, healthy, faulty = faulty_deployment(fault, tmp_path)

    with running as platform:
        platform.deploy(healthy)
        with traffic(platform.url, fault.mix, seed=1, per_second=60) as healthy_traffic:
            wait_until(lambda: healthy_traffic.sent > 60)
        deployment = platform.deploy(faulty)
        with traffic(platform.url, fault.mix, seed=1, per_second=60, callers=8) as faulty_traffic:
            wait_until(lambda: faulty_traffic.statuses[500] > 5)

    assert {status for status in healthy_traffic.statuses if status >= 500 or status == 0} == set()
    text = "\n".join(row.message for row in deployment.logs if row.severity == "error")
    assert f"/app/{fault.culprit}" in text


@pytest.mark.parametrize("kind", ["lock", "quadratic"])
def test_a_drawn_slowness_shows_only_with_the_faulty_commit(kind: Kind, tmp_path: Path) -> None:
    fault = replace(draw(1, kind), root="")
    running, healthy, faulty = faulty_deployment(fault, tmp_path)

    def slowest(platform: Platform, requests: int) -> float:
        with traffic(
            platform.url, fault.mix, seed=1, per_second=fault.per_second, callers=fault.clients
        ) as sent:
            wait_until(lambda: sent.sent >= requests, seconds=40)
        times = sorted(item.ms for item in platform.service.requests[-requests:])
        return times[int(len(times) * 0.8)]

    with running as platform:
        platform.deploy(healthy)
        healthy_ms = slowest(platform, 30)
        platform.deploy(faulty)
        faulty_ms = slowest(platform, 30)

    assert healthy_ms < 1000 < faulty_ms


def test_an_unanswered_request_has_status_zero() -> None:
    assert send(9, Route("GET", "/"), Random(1)) == 0


def test_the_fake_railway_reports_requests_logs_and_deployments(
    platform: Platform, service: WorldService, tmp_path: Path
) -> None:
    deployment = platform.deploy(commit(tmp_path / "code", app=SERVER))
    for path in ("/", "/boom", "/boom"):
        get(platform.url + path)
    wait_until(lambda: service.samples)
    railway = FakeRailway(platform.world, token="t")
    query = """query ($start: DateTime!, $id: String!) {
      statuses: httpMetricsGroupedByStatus(serviceId: "s-1", environmentId: "e-1", startDate: $start,
        endDate: "2999-01-01T00:00:00Z", stepSeconds: 3600) { statusCode samples { value } }
      deploymentLogs(deploymentId: $id, limit: 10) { message severity }
      deployments(input: {serviceId: "s-1", environmentId: "e-1"}, first: 1) { edges { node { status meta } } }
    }"""
    start = datetime.fromtimestamp(deployment.created_at, UTC).isoformat()

    with serve(railway.app) as running:
        body = {"query": query, "variables": {"start": start, "id": deployment.id}}
        headers = {"Authorization": "Bearer t"}
        answer = httpx.post(running.url, json=body, headers=headers, timeout=10).json()["data"]

    counts = {
        item["statusCode"]: sum(int(s["value"]) for s in item["samples"]) for item in answer["statuses"]
    }
    node = answer["deployments"]["edges"][0]["node"]
    assert counts == {200: 1, 500: 2}
    assert {"message": "Starting Container", "severity": "info"} in answer["deploymentLogs"]
    assert (node["status"], node["meta"]["repo"]) == ("SUCCESS", "acme/api")
