"""Pictures of the page for the README, from sample values: `python -m tests.demo.screenshots [FOLDER]`.

Needs Chromium. The pictures go to docs/images unless a folder is named.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright

from tests.demo.small_png import shrink
from tests.support import page_samples as samples
from tests.support.chromium import ARGUMENTS, CHROMIUM
from tests.support.page_server import Sample, served_page
from workers.engine.journal_store import JournalStore
from workers.models.links import incident_path
from workers.runtime.embedded import EmbeddedStore
from workers.runtime.store import client

FOLDER = Path(__file__).parents[2] / "docs" / "images"
MAX_BYTES = 120_000  # of one picture: the README has to load on a telephone


@dataclass(frozen=True)
class Shot:
    """One picture."""

    name: str
    path: str
    size: ViewportSize
    scheme: Literal["light", "dark"]
    scale: float


SHOTS = (
    Shot("incident-phone.png", incident_path(samples.INCIDENT), {"width": 375, "height": 760}, "light", 2),
    Shot("now-desktop.png", "/", {"width": 1280, "height": 860}, "dark", 1),
)


def main(arguments: list[str]) -> int:
    """Take the pictures; 1 if one is too large."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    store = EmbeddedStore(Path(tempfile.mkdtemp(prefix="trackwalker-screenshots-")))
    try:
        journals = JournalStore(client(store.ensure()))
        with served_page(Sample(), journals, {}) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            sizes = {shot.name: take(browser, url, shot, folder) for shot in SHOTS}
            browser.close()
    finally:
        store.stop()
    for name, size in sizes.items():
        print(f"{folder / name}: {size:,} bytes")
    return int(max(sizes.values()) > MAX_BYTES)


def take(browser: Browser, url: str, shot: Shot, folder: Path) -> int:
    """Take one picture and return its size in bytes."""
    context = browser.new_context(
        viewport=shot.size, color_scheme=shot.scheme, device_scale_factor=shot.scale
    )
    context.clock.set_fixed_time(samples.AT)
    page = context.new_page()
    page.goto(url + shot.path)
    expect(page.locator("#live")).to_have_text("Live")
    picture = shrink(page.screenshot())
    (folder / shot.name).write_bytes(picture)
    context.close()
    return len(picture)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
