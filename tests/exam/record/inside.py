"""Inside the namespaces: the neighbours, the service under /app, and its requests.

As on Railway, standard output is `info` and standard error is `error`, and each printed line is a record of its own.
The recorder plays the platform: it prints `Starting Container`, starts an ended process again, and ends one with
SIGKILL above its memory limit. All times are those at which a line arrived.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, Any

from tests.exam.record import neighbours
from tests.exam.record.recording import Recording, save

PORT = 8080
PORT_WAIT_SECONDS = 25.0  # a compiled service starts within a second, Rails within ten
SAMPLE_SECONDS = 0.5
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1_048_576
TICKS = os.sysconf("SC_CLK_TCK")  # of CPU time in a second
ENVIRONMENT = {
    "PATH": "/app/.venv/bin:/app/node_modules/.bin:/usr/local/bin:/usr/bin:/bin:/root/.cargo/bin",
    "HOME": "/root", "LANG": "C.UTF-8", "TZ": "UTC", "PORT": str(PORT), "PYTHONUNBUFFERED": "1",
    "NODE_ENV": "production", "NO_UPDATE_NOTIFIER": "1", "NEXT_TELEMETRY_DISABLED": "1",
}  # fmt: skip
"""The environment of the service: that of a container. A plan adds its own variables."""

Plan = dict[str, Any]
"""`record.json`; docs/exam.md lists its keys."""


def main(folder: Path, app: Path) -> int:
    """Record the incident of a folder from a copy of its repository; 0 if anything was printed or answered."""
    plan: Plan = json.loads((folder / "record.json").read_text())
    mount(plan, app)
    environment = ENVIRONMENT | plan.get("env", {})
    for command in plan.get("prepare", ()):
        subprocess.run(["/bin/sh", "-c", command], cwd="/app", env=environment, check=True, stdout=sys.stderr)
    recording = Recording("c1")
    with neighbours.started(plan.get("neighbours", {})) as control:
        run(plan, environment, recording, control)
    save(folder, "build.log" if plan.get("build") else "deployment.log", recording)
    return int(not recording.lines and not recording.requests)


# ---- namespaces ----


def mount(plan: Plan, app: Path) -> None:
    """Mount the service to /app with its libraries, and give the namespace its names and addresses."""
    subprocess.run(["mount", "--make-rprivate", "/"], check=False)
    subprocess.run(["mount", "--bind", str(app), "/app"], check=True)
    for target, source in _libraries(plan):
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", source, str(target)], check=True)
    subprocess.run(["hostname", "9f2d6c1b7e40"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    hosts = {"localhost": "127.0.0.1"} | plan.get("hosts", {})
    for address in plan.get("hosts", {}).values():
        version, prefix = ("-6", "128") if ":" in address else ("-4", "32")
        subprocess.run(["ip", version, "addr", "add", f"{address}/{prefix}", "dev", "lo"], check=False)
    _show_other_text("/etc/hosts", "".join(f"{address} {name}\n" for name, address in hosts.items()), app)
    _show_other_text("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", app)


def _libraries(plan: Plan) -> list[tuple[Path, str]]:
    """Mount point and folder of the toolchain of the plan."""
    folders = {
        "python": [(Path("/app/.venv"), "EXAM_PYTHON")],
        "node": [(Path("/app/node_modules"), "EXAM_NODE")],
    }
    return [(target, os.environ[name]) for target, name in folders.get(plan.get("stack", ""), [])]


def _show_other_text(path: str, text: str, app: Path) -> None:
    """Give a file of the system another text, inside this namespace only."""
    own = app.parent / Path(path).name
    own.write_text(text)
    subprocess.run(["mount", "--bind", str(own), path], check=True)


# ---- the service ----


def run(plan: Plan, environment: dict[str, str], recording: Recording, control: neighbours.Control) -> None:
    """Start the service as often as the plan says, and send its requests meanwhile."""
    is_build = bool(plan.get("build"))
    for attempt in range(int(plan.get("starts", 1))):
        time.sleep(float(plan.get("pause", 1.5)) if attempt else 0)
        if not is_build:
            recording.add_line("info", "Starting Container")
        process = subprocess.Popen(
            ["/bin/sh", "-c", plan["run"]] if plan.get("shell") else shlex.split(plan["run"]),
            cwd="/app", env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        readers = [
            _start(_read, process.stdout, "info", recording),
            _start(_read, process.stderr, "info" if is_build else "error", recording),
        ]
        if plan.get("series"):
            _start(_measure, process, plan.get("limit_mb"), recording)
        drive(plan, process, recording, control)
        for thread in readers:
            thread.join(3)


def _start(function: Any, *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def _read(stream: IO[bytes], severity: str, recording: Recording) -> None:
    for line in stream:
        recording.add_line(severity, line.decode("utf-8", "replace").rstrip("\r\n"))


def _measure(process: subprocess.Popen[bytes], limit_mb: float | None, recording: Recording) -> None:
    """Measure until the end; above the limit, end the process without a word, as the kernel does."""
    before = 0.0
    while process.poll() is None:
        resident_mb, cpu_seconds = usage_of(process.pid)
        recording.add_sample(resident_mb / 1000, max(0.0, cpu_seconds - before) / SAMPLE_SECONDS)
        before = cpu_seconds
        if limit_mb and resident_mb > limit_mb:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(SAMPLE_SECONDS)


def usage_of(session: int) -> tuple[float, float]:
    """Resident MB and CPU seconds of all processes of a session."""
    resident = seconds = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # the process ended meanwhile
            continue
        if int(fields[3]) == session:
            resident += int(fields[21]) * PAGE_MB
            seconds += (int(fields[11]) + int(fields[12])) / TICKS
    return resident, seconds


# ---- requests ----


def drive(
    plan: Plan, process: subprocess.Popen[bytes], recording: Recording, control: neighbours.Control
) -> None:
    """Wait for the service, carry out the steps of the plan, then end what still runs."""
    deadline = time.monotonic() + float(plan.get("seconds", 4))
    if plan.get("requests") and _accepts_connections(process):
        for step in plan["requests"]:
            if isinstance(step, str):
                control(step)
            else:
                send(step, recording)
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _accepts_connections(process: subprocess.Popen[bytes]) -> bool:
    """True as soon as the service accepts connections; false if it ended before."""
    deadline = time.monotonic() + PORT_WAIT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", PORT, timeout=2)
        try:
            connection.connect()
            return True
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    return False


def send(step: dict[str, Any], recording: Recording) -> None:
    """Send the same request several times, some of them at once."""
    for _ in range(int(step.get("times", 1))):
        threads = [_start(_send_once, step, recording) for _ in range(int(step.get("at_once", 1)))]
        for thread in threads:
            thread.join()
        time.sleep(float(step.get("pause", 0.25)))


def _send_once(step: dict[str, Any], recording: Recording) -> None:
    """Send one request; one without an answer counts as Railway's edge answers it, with 502."""
    method, path, began = step.get("method", "GET"), step["path"], time.monotonic()
    connection = HTTPConnection("127.0.0.1", PORT, timeout=20)
    try:
        body = json.dumps(step["body"]) if "body" in step else None
        connection.request(method, path, body, {"Content-Type": "application/json"})
        status = connection.getresponse().status
    except OSError:
        status = 502
    finally:
        connection.close()
    recording.add_request(method, path, status, 1000 * (time.monotonic() - began))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
