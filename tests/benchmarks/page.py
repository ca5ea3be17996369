"""`python -m tests.benchmarks.page`: size and first paint of an incident's page, and what the page costs in memory.

The page comes from the sample with thirty stages and six charts. The memory is that of the real web process.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
from playwright.sync_api import Browser, sync_playwright

from tests.support import page_samples as samples
from tests.support.chromium import ARGUMENTS, CHROMIUM
from tests.support.fakes.serving import free_port
from tests.support.page_server import Sample, served_page
from tests.support.polling import wait_until
from tests.support.webhooks import ROOT, is_up
from workers.engine.journal_store import JournalStore
from workers.models.links import incident_path
from workers.runtime.embedded import EmbeddedStore
from workers.runtime.store import client

LOADS = 9  # of the page; the median is printed
SIZE_GOAL_KB = 150.0
PAINT_GOAL_SECONDS = 1.0
SETTLE_SECONDS = 3.0  # after which allocators have come to rest
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
INCIDENT = incident_path(samples.INCIDENT)


def main() -> int:
    """Print the figures; always 0, because a figure is not a test."""
    with tempfile.TemporaryDirectory(prefix="trackwalker-page-") as folder, ExitStack() as stack:
        store = EmbeddedStore(Path(folder))
        stack.callback(store.stop)
        url = store.ensure()
        _report_page(JournalStore(client(url)))
        _report_memory(url, Path(folder))
    return 0


def _report_page(store: JournalStore) -> None:
    with served_page(Sample(), store, {}) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        paints, elsewhere = zip(*(_load(browser, url) for _ in range(LOADS)), strict=True)
        size = len(httpx.get(url + INCIDENT).content) / 1024
        browser.close()
    _print("incident page, HTML", size, "KB", SIZE_GOAL_KB)
    _print("first paint, median", statistics.median(paints), "s", PAINT_GOAL_SECONDS)
    _print("first paint, first load", paints[0], "s", PAINT_GOAL_SECONDS)
    _print("requests to other hosts", sum(elsewhere), "", 0)


def _load(browser: Browser, url: str) -> tuple[float, int]:
    """Seconds to the first paint in a new context, and the number of requests to other hosts."""
    requests: list[str] = []
    context = browser.new_context(viewport={"width": 375, "height": 700})
    page = context.new_page()
    page.on("request", lambda request: requests.append(request.url))
    page.goto(url + INCIDENT)
    page.wait_for_load_state("load")
    page.wait_for_timeout(100)
    paint = float(page.evaluate(PAINT)) / 1000
    context.close()
    return paint, sum(not address.startswith(url) for address in requests)


def _report_memory(store_url: str, folder: Path) -> None:
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "REDIS_URL": store_url, "PORT": str(port),
        "TRACKWALKER_SECRET": "s3cret",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "receiver.main"], cwd=folder, env=environ, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: is_up(url), what="the web process")
        time.sleep(SETTLE_SECONDS)
        before = _pss_mb(process.pid)
        with httpx.Client(base_url=url, timeout=10) as browser, browser.stream("GET", "/events"):
            for path in ("/", "/history", "/decisions", "/audit") * 5:
                browser.get(path).raise_for_status()
            time.sleep(SETTLE_SECONDS)
            after = _pss_mb(process.pid)
        _print("web process, page never opened", before, "MB", 0)
        _print("web process, page open", after, "MB", 0)
    finally:
        process.terminate()
        process.wait(10)


def _pss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def _print(name: str, value: float, unit: str, goal: float) -> None:
    print(f"{name:<34} {value:8.2f} {unit:<3}" + (f"  goal ≤ {goal:g}" if goal else ""))


if __name__ == "__main__":
    sys.exit(main())
