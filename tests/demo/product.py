"""Runs the real product: `trackwalker up` as a child process in its own folder, with its own environment."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.demo.environment import CARRIER, DemoEnvironment
from tests.support.fakes.container import bound_to_us
from tests.support.fakes.model import MODEL_NAME
from tests.support.fakes.serving import free_port

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 40.0  # deadline from the start to a successful GET /ready
STOP_SECONDS = 25.0  # deadline from SIGTERM to the end
INHERITED_VARIABLES = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TRACKWALKER_ALLOW_UNSANDBOXED",
    "OPENCODE_BIN",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
)
"""Variables that the product inherits from this process."""


@dataclass(frozen=True)
class Product:
    """The running product."""

    process: subprocess.Popen[bytes]
    settings: Mapping[str, str]
    """The variables that the demo sets for it."""
    environment: Mapping[str, str]
    """All its variables, the inherited ones included."""
    folder: Path
    url: str

    def command(self, *arguments: str) -> str:
        """The output of `trackwalker ARGUMENTS`."""
        result = self._run(*arguments)
        return (result.stdout + result.stderr).strip()

    def incidents(self) -> list[str]:
        """The ids of the incidents that the product knows."""
        result = self._run("list", "--json")
        journals = json.loads(result.stdout) if result.returncode == 0 else {}
        rows = [row["id"] for part in ("open", "due", "ended") for row in journals.get(part, ())]
        return [name for name in dict.fromkeys(rows) if name.startswith("incident:")]

    def has_incident_record(self, record: str) -> bool:
        """True if the journal of an incident contains this record."""
        results = [self._run("show", incident, "--json") for incident in self.incidents()]
        return any(
            record in json.loads(result.stdout)["records"] for result in results if result.returncode == 0
        )

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "workers", *arguments],
            check=False, cwd=self.folder, env=dict(self.environment), capture_output=True, text=True,
            timeout=30,
        )  # fmt: skip

    def post(self, body: Mapping[str, object]) -> httpx.Response:
        """Send a webhook as Railway does."""
        headers = {"X-Trackwalker-Secret": self.settings["TRACKWALKER_SECRET"]}
        return httpx.post(f"{self.url}/hooks/railway", json=body, headers=headers, timeout=10)

    @property
    def log(self) -> str:
        return (self.folder / "product.log").read_text(errors="replace")


def uses_own_model(environ: Mapping[str, str]) -> bool:
    """True if the environment names a model and has a key for it."""
    paid = any(value and name.endswith(("_API_KEY", "_AUTH_TOKEN")) for name, value in environ.items())
    return bool(environ.get("TRACKWALKER_MODEL") and (paid or environ.get("OPENCODE_CONFIG")))


def settings_for(outside: DemoEnvironment, folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that connect the product to the stand-ins and to nothing else."""
    config = folder / "opencode.json"
    config.write_text(json.dumps({"provider": outside.provider}))
    port = str(free_port())
    own = {name: value for name, value in environ.items() if name.endswith(("_API_KEY", "_AUTH_TOKEN"))}
    own |= {name: environ[name] for name in ("TRACKWALKER_MODEL", "OPENCODE_CONFIG") if name in environ}
    scripted = {"TRACKWALKER_MODEL": MODEL_NAME, "OPENCODE_CONFIG": str(config)}
    return {
        "RAILWAY_API_URL": outside.addresses["railway"],
        "RAILWAY_API_TOKEN": outside.railway.token,
        "TRACKWALKER_ENVIRONMENTS": f"{outside.world.project_id}/{outside.world.environment_id}",
        "GITHUB_API_URL": outside.addresses["github"],
        "GITHUB_SERVER_URL": outside.addresses["github"],
        "GITHUB_TOKEN": outside.github.token,
        "SLACK_API_URL": outside.addresses["slack"] + "/api/",
        "SLACK_BOT_TOKEN": outside.slack.token,
        "SLACK_CHANNEL": "#on-call",
        "TRACKWALKER_STATUS_PAGES": json.dumps({CARRIER: outside.addresses["status"]}),
        "TRACKWALKER_SECRET": secrets.token_urlsafe(24),
        "TRACKWALKER_DATA_DIR": str(folder / "data"),
        "TRACKWALKER_WINDOW_MINUTES": "1",
        "TRACKWALKER_SAMPLE_SECONDS": "2",
        "TRACKWALKER_MIN_DURATION_MINUTES": "0.1",
        "TRACKWALKER_ACK_SECONDS": "5",
        "TRACKWALKER_VERIFY_MINUTES": "0.2",
        "PORT": port,
    } | (own if uses_own_model(environ) else scripted)


@contextmanager
def product(settings: Mapping[str, str], folder: Path) -> Iterator[Product]:
    """Run the product while the block runs.

    Raises:
        RuntimeError: it does not start; the message contains the end of its log.
    """
    inherited = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
    environment = inherited | {"HOME": str(folder), "PYTHONPATH": str(ROOT), **settings}
    procfile = ["--procfile", str(ROOT / "Procfile")]
    with (folder / "product.log").open("wb") as log:
        process = subprocess.Popen(
            bound_to_us([sys.executable, "-m", "workers", "up", *procfile], signal.SIGTERM),
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        running = Product(process, settings, environment, folder, f"http://127.0.0.1:{settings['PORT']}")
        try:
            _await_ready(running)
            yield running
        finally:
            _stop(process)
            orphans = kill_orphans(settings["TRACKWALKER_DATA_DIR"])
            if orphans:
                log.write(f"\norphaned processes killed: {orphans}\n".encode())


def _await_ready(running: Product) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            if httpx.get(f"{running.url}/ready", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the product did not start:\n{running.log[-4000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def kill_orphans(data_dir: str) -> list[str]:
    """Kill every process that was started with this data folder in its environment.

    Returns:
        Their command lines.
    """
    variable = f"TRACKWALKER_DATA_DIR={data_dir}".encode()
    killed = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) == os.getpid() or variable not in (entry / "environ").read_bytes().split(
                b"\0"
            ):
                continue
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue
        if command:
            killed.append(command.strip())
    return killed
