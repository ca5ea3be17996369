"""`make bench-idle`: the cost of an idle installation, and its reaction time to a webhook.

The bench runs `trackwalker up` with the embedded store beside a stand-in Railway with ten healthy services, waits
until the first sweep has ended, and then watches the processes for MINUTES. The periodic pings and their sweeps are
part of what it measures. Afterwards it sends webhooks, one at a time, to measure the reaction time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import redis

from tests.support.fakes.railway import FakeRailway
from tests.support.fakes.railway_types import Request, Sample, World, WorldDeployment, WorldService
from tests.support.fakes.serving import free_port, serve
from tests.support.polling import wait_until
from workers.engine.schema import PREFIX
from workers.runtime.embedded import address

SERVICES = 10
DEFAULT_MINUTES = 10.0  # one ping interval, so that the figures contain one periodic sweep
PAST_SECONDS = 45 * 60  # traffic of the services before the start; a sweep reads 30 minutes
SETTLE_SECONDS = 15.0  # pause after the first sweep, in which allocators and backfill come to rest
PAGE_MINUTES = 2.0  # of traffic, for the memory with a page open
PAGE_PATHS = ("/", "/history", "/decisions", "/audit", "/alerts") * 4
WEBHOOKS = 10  # sent for the reaction time
IMPORT_ROUNDS = 5

MEMORY_GOAL_MB = 150.0
CPU_GOAL_PERCENT = 0.5
COMMANDS_GOAL = 300.0
AOF_GOAL_KB = 5.0
HELP_GOAL_SECONDS = 0.2


@dataclass(frozen=True)
class Usage:
    """Counters of the installation at one moment."""

    at: float
    cpu_seconds: dict[str, float]
    commands: int
    aof_bytes: int


def main() -> int:
    """Print the figures; always 0, because a figure is not a test."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_MINUTES
    with _installation(minutes) as (pid, store, url):
        _report_idle(pid, store, minutes)
        _report_reaction(store, url)
    _report_starts()
    return 0


def memory_with_page() -> float:
    """MB (PSS) of a whole idle installation while a browser has its page open."""
    with (
        _installation(PAGE_MINUTES) as (pid, _, url),
        httpx.Client(base_url=url, timeout=10) as browser,
        browser.stream("GET", "/events"),
    ):
        for path in PAGE_PATHS:
            browser.get(path).raise_for_status()
        time.sleep(SETTLE_SECONDS)
        return sum(map(_pss_mb, _processes(pid)))


@contextmanager
def _installation(minutes: float) -> Iterator[tuple[int, redis.Redis, str]]:
    """Process id, store and address of an installation whose first sweep has ended."""
    with tempfile.TemporaryDirectory(prefix="trackwalker-idle-") as folder, ExitStack() as stack:
        state, port = Path(folder) / "state", free_port()
        railway = FakeRailway(_world(minutes))
        server = stack.enter_context(serve(railway.app, railway.faults))
        up = stack.enter_context(_up(state, port, server.url, railway.token))
        try:
            url = wait_until(lambda: address(state), what="the store's address")
            store = redis.Redis.from_url(str(url))
            wait_until(lambda: _is_swept(store), seconds=120, what="the first sweep")
            time.sleep(SETTLE_SECONDS)
            yield up.pid, store, f"http://127.0.0.1:{port}"
        finally:
            up.terminate()
            up.wait(30)


# ---- the installation ------------------------------------------------------------------------


def _up(state: Path, port: int, railway_url: str, token: str) -> subprocess.Popen[bytes]:
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(state.parent), "TRACKWALKER_DATA_DIR": str(state), "PORT": str(port),
        "TRACKWALKER_SECRET": "bench", "TRACKWALKER_ENVIRONMENTS": "p/e", "TRACKWALKER_MODE": "shadow",
        "RAILWAY_API_TOKEN": token, "RAILWAY_API_URL": f"{railway_url}/graphql/v2",
    }  # fmt: skip
    with (state.parent / "up.log").open("wb") as log:
        return subprocess.Popen([sys.executable, "-m", "workers", "up"], env=environment, stderr=log)


def _world(minutes: float) -> World:
    """Ten healthy services with steady traffic, from before the start until well after the end of the run."""
    seconds = range(0, PAST_SECONDS + int(minutes * 60) + 600, 10)
    began = time.time() - PAST_SECONDS
    return World("p", "acme", "e", "production", [_service(n, began, seconds) for n in range(SERVICES)])


def _service(number: int, began: float, seconds: range) -> WorldService:
    identifier, instance = f"svc-{number}", f"ins-{number}"
    live = WorldDeployment(
        f"dep-{number}", identifier, "SUCCESS", began - 86_400, began - 86_400, {"branch": "main"},
        instances=[(instance, "RUNNING")],
    )  # fmt: skip
    service = WorldService(
        identifier, f"service {number}", repo="acme/all", deployments=[live], active=[live.id]
    )
    service.samples = [Sample(began + s, instance, live.id, 0.2, 0.4) for s in seconds if s % 60 == 0]
    service.requests = [Request(began + s, "GET", "/", 200, 20.0, live.id, instance) for s in seconds]
    return service


def _is_swept(store: redis.Redis) -> bool:
    return bool(store.hexists(f"{PREFIX}sweep:e:1", "ended"))


# ---- idle ------------------------------------------------------------------------------------


def _report_idle(root: int, store: redis.Redis, minutes: float) -> None:
    # Both readings of the counters cost the same commands, so their difference contains those of one reading.
    before = _usage(root, store)
    own_commands = _usage(root, store).commands - before.commands
    before = _usage(root, store)
    time.sleep(minutes * 60)
    memory = {name: _pss_mb(pid) for pid, name in _processes(root).items()}
    after = _usage(root, store)
    elapsed = after.at - before.at
    cpu = {name: after.cpu_seconds[name] - before.cpu_seconds.get(name, 0.0) for name in after.cpu_seconds}
    for name in memory:
        share = cpu.get(name, 0.0) / elapsed * 100
        print(f"  {name:<34} {memory[name]:6.1f} MB   {share:.2f} % of a core")
    commands = (after.commands - before.commands - own_commands) / elapsed * 60
    _print("memory (PSS)", sum(memory.values()), "MB", MEMORY_GOAL_MB)
    _print("CPU", sum(cpu.values()) / elapsed * 100, "% of a core", CPU_GOAL_PERCENT)
    _print("Redis commands", commands, "a minute", COMMANDS_GOAL)
    _print(
        "append-only file",
        (after.aof_bytes - before.aof_bytes) / 1000 / elapsed * 60,
        "KB a minute",
        AOF_GOAL_KB,
    )


def _print(figure: str, value: float, unit: str, goal: float) -> None:
    print(f"{figure:<20} {value:8.2f} {unit:<14} (goal: at most {goal:g})")


def _usage(root: int, store: redis.Redis) -> Usage:
    stats = store.info("everything")
    cpu: dict[str, float] = {}
    for pid, name in _processes(root).items():
        cpu[name] = cpu.get(name, 0.0) + _cpu_seconds(pid)
    return Usage(
        time.monotonic(), cpu, int(stats["total_commands_processed"]), int(stats["aof_current_size"])
    )


def _processes(root: int) -> dict[int, str]:
    """The process and all its descendants: process id → a name unique among them."""
    parents = {
        int(folder.name): int(fields[1])
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and (fields := _stat(int(folder.name)))
    }
    tree = [root]
    for pid in tree:
        tree += [child for child, parent in parents.items() if parent == pid]
    return {pid: f"{pid} {_command(pid)}" for pid in tree}


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name: state, parent, …; [] for a process that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _command(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return " ".join(Path(word).name for word in words if word not in ("", "-m"))[:24]


def _cpu_seconds(pid: int) -> float:
    """User and system time of the process and of its reaped children (proc_pid_stat(5), fields 14 to 17)."""
    return sum(map(int, _stat(pid)[11:15])) / os.sysconf("SC_CLK_TCK")


def _pss_mb(pid: int) -> float:
    """Proportional set size: private memory plus the process's share of shared pages."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


# ---- reaction and starts ---------------------------------------------------------------------


def _report_reaction(store: redis.Redis, url: str) -> None:
    seconds = [_reaction_seconds(store, url) for _ in range(WEBHOOKS)]
    print(
        f"webhook to survey    {statistics.median(seconds) * 1000:8.0f} ms median, {max(seconds) * 1000:.0f} ms worst "
        f"of {WEBHOOKS} (from the POST to the claim of the survey)"
    )


def _reaction_seconds(store: redis.Redis, url: str) -> float:
    """Seconds from the POST of a webhook until a worker has claimed the survey of the sweep it caused."""
    key = f"{PREFIX}sweep:e:{int(str(store.hget(f'{PREFIX}slot:e', 'n') or b'0', 'ascii')) + 1}"  # type: ignore[arg-type]  # bytes, as the client decodes nothing
    body = {
        "type": "Monitor.triggered",
        "resource": {"project": {"id": "p"}, "environment": {"id": "e"}, "service": {"id": "svc-1"}},
        "timestamp": datetime.now(UTC).isoformat(),
    }
    began = time.monotonic()
    httpx.post(
        f"{url}/hooks/railway", json=body, headers={"X-Trackwalker-Secret": "bench"}
    ).raise_for_status()
    wait_until(lambda: store.hexists(key, "fence"), what="the claim of the survey")
    seconds = time.monotonic() - began
    wait_until(lambda: store.hexists(key, "ended"), seconds=60, what="the end of the sweep")
    time.sleep(2.0)  # idle again: the reaction of a busy worker is not the subject
    return seconds


def _report_starts() -> None:
    _print("workers --help", _run_seconds("-m", "workers", "--help"), "s", HELP_GOAL_SECONDS)
    bare = _run_seconds("-c", "pass")
    for module in ("receiver.main", "workers.main"):
        print(f"import {module:<14} {_run_seconds('-c', f'import {module}') - bare:7.2f} s")


def _run_seconds(*arguments: str) -> float:
    """The fastest of some runs of this interpreter, in seconds."""

    def run() -> float:
        began = time.monotonic()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - began

    return min(run() for _ in range(IMPORT_ROUNDS))


if __name__ == "__main__":
    sys.exit(main())
