"""The real product as a child: `python -m workers up` in a folder of its own, with its environment only."""

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

from tests.demo.town import CARRIER, Town
from tests.support.fakes.container import bound_to_us
from tests.support.fakes.model import MODEL_NAME
from tests.support.fakes.platform import free_port

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 40.0
END_SECONDS = 25.0
KEPT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TRACKWALKER_ALLOW_UNSANDBOXED",
    "OPENCODE_BIN",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
)
"""What the product takes over from our own environment."""


@dataclass(frozen=True)
class Product:
    """The running product. `settings` are the variables that were set for it."""

    process: subprocess.Popen[bytes]
    settings: Mapping[str, str]
    environment: Mapping[str, str]
    folder: Path
    url: str

    def command(self, *arguments: str) -> str:
        """What `python -m workers ARGUMENTS` prints."""
        done = subprocess.run(
            [sys.executable, "-m", "workers", *arguments],
            check=False, cwd=self.folder, env=dict(self.environment), capture_output=True, text=True,
            timeout=30,
        )  # fmt: skip
        return (done.stdout + done.stderr).strip()

    def post(self, body: Mapping[str, object]) -> httpx.Response:
        """Sends a webhook to the door, as Railway does."""
        headers = {"X-Trackwalker-Secret": self.settings["TRACKWALKER_SECRET"]}
        return httpx.post(f"{self.url}/hooks/railway", json=body, headers=headers, timeout=10)

    @property
    def log(self) -> str:
        return (self.folder / "product.log").read_text(errors="replace")


def uses_own_model(environ: Mapping[str, str]) -> bool:
    """Whether the caller named a model and can pay for it."""
    paid = any(value and name.endswith(("_API_KEY", "_AUTH_TOKEN")) for name, value in environ.items())
    return bool(environ.get("TRACKWALKER_MODEL") and (paid or environ.get("OPENCODE_CONFIG")))


def settings_for(town: Town, folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables with which the product sees the town and nothing else."""
    config = folder / "opencode.json"
    config.write_text(json.dumps({"provider": town.provider}))
    port = str(free_port())
    own = {name: value for name, value in environ.items() if name.endswith(("_API_KEY", "_AUTH_TOKEN"))}
    own |= {name: environ[name] for name in ("TRACKWALKER_MODEL", "OPENCODE_CONFIG") if name in environ}
    scripted = {"TRACKWALKER_MODEL": MODEL_NAME, "OPENCODE_CONFIG": str(config)}
    return {
        "RAILWAY_API_URL": town.addresses["railway"],
        "RAILWAY_API_TOKEN": town.railway.token,
        "TRACKWALKER_ENVIRONMENTS": f"{town.world.project_id}/{town.world.environment_id}",
        "GITHUB_API_URL": town.addresses["github"],
        "GITHUB_SERVER_URL": town.addresses["github"],
        "GITHUB_TOKEN": town.github.token,
        "SLACK_API_URL": town.addresses["slack"] + "/api/",
        "SLACK_BOT_TOKEN": town.slack.token,
        "SLACK_CHANNEL": "#on-call",
        "TRACKWALKER_STATUS_PAGES": json.dumps({CARRIER: town.addresses["status"]}),
        "TRACKWALKER_SECRET": secrets.token_urlsafe(24),
        "TRACKWALKER_DATA_DIR": str(folder / "state"),
        "TRACKWALKER_WINDOW_MINUTES": "1",
        "TRACKWALKER_SAMPLE_SECONDS": "2",
        "TRACKWALKER_MIN_DURATION_MINUTES": "0.1",
        "TRACKWALKER_ACK_SECONDS": "5",
        "TRACKWALKER_VERIFY_MINUTES": "0.2",
        "PORT": port,
    } | (own if uses_own_model(environ) else scripted)


@contextmanager
def product(settings: Mapping[str, str], folder: Path) -> Iterator[Product]:
    """The product for as long as the block lasts. Raises RuntimeError with its log if it does not come up."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment = kept | {"HOME": str(folder), "PYTHONPATH": str(ROOT), **settings}
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
            _end(process)
            leftovers = kill_leftovers(settings["TRACKWALKER_DATA_DIR"])
            if leftovers:
                log.write(f"\nleft behind and killed: {leftovers}\n".encode())


def _await_ready(running: Product) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            if httpx.get(f"{running.url}/ready", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the product did not come up:\n{running.log[-4000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def kill_leftovers(state: str) -> list[str]:
    """Ends every process that was started with this state folder in its environment; their command lines."""
    mark, found = f"TRACKWALKER_DATA_DIR={state}".encode(), []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) == os.getpid() or mark not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue
        if words:
            found.append(words.strip())
    return found
