"""The page in a real browser: what it looks like, that nobody's text runs there, and that it follows changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Dialog,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.support import page_samples as samples
from tests.support.chromium import ARGUMENTS, CHROMIUM
from tests.support.page_server import Sample, served_page
from workers.engine.journal_store import JournalStore
from workers.models.links import incident_path
from workers.runtime.store import client as connect

INCIDENT = incident_path(samples.INCIDENT)
PAGES = (
    "/",
    INCIDENT,
    f"{INCIDENT}/rollback",
    f"/records/{quote(samples.INCIDENT, safe='')}/evidence",
    "/history",
    "/decisions",
    "/audit",
    "/alerts",
)
PASSWORD = {"TRACKWALKER_PAGE_PASSWORD": "correct horse"}
PHONE: ViewportSize = {"width": 375, "height": 700}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
MIN_TARGET = 43.5  # pixels of anything to tap; WCAG 2.5.5 asks for 44, and browsers round
WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) => window.violations.push(event.violatedDirective));
"""
HANDLERS = """
Array.from(document.querySelectorAll('*')).filter((element) =>
  element.getAttributeNames().some((name) => /^on|^style$/.test(name))).length
"""
FOREIGN = "script:not([src^='/static/']), iframe, object, embed, img, [href^='javascript:' i], svg [href]"
TARGETS = "button, .button, summary, select, input:not([type=hidden]):not([type=checkbox]), nav a"
OPEN_ALL = "document.querySelectorAll('details').forEach((details) => { details.open = true; })"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The installed Chromium, headless. Playwright keeps an event loop running, so no other module shares it."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium at {CHROMIUM} (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Site:
    """A running page and the sample that it shows."""

    def __init__(self, url: str, base: Sample) -> None:
        self.url, self.base = url, base

    def show(self, sample: Sample) -> Sample:
        """Show another sample from now on."""
        self.base.source = sample
        return sample


@pytest.fixture(scope="module")
def running(store_url: str) -> Iterator[Site]:
    sample = Sample()
    with served_page(sample, JournalStore(connect(store_url)), {}) as url:
        yield Site(url, sample)


@pytest.fixture
def site(running: Site) -> Site:
    running.show(Sample())
    return running


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A context on a phone, in the time of the samples."""
    context = chromium.new_context(viewport=PHONE, color_scheme="light")
    context.clock.set_fixed_time(samples.AT)
    context.add_init_script(WATCH)
    yield context
    context.close()


def problems(page: Page, rules: Mapping[str, object] | None = None) -> list[str]:
    """The serious and critical findings of axe-core."""
    found = Axe().run(page, options={"resultTypes": ["violations"], **(rules or {})}).response["violations"]
    return [
        f"{item['id']}: {item['nodes'][0]['html'][:200]} {item['nodes'][0]['failureSummary']}"
        for item in found
        if item["impact"] in ("serious", "critical")
    ]


def sideways(page: Page) -> int:
    """Pixels by which the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def check_looks(page: Page) -> None:
    """Axe in both schemes and both sizes, and no sideways scrolling."""
    contrast = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    page.evaluate(OPEN_ALL)
    assert problems(page) == []
    assert sideways(page) <= 0
    page.emulate_media(color_scheme="dark")
    assert problems(page, contrast) == []
    page.set_viewport_size(DESKTOP)
    assert problems(page) == []
    page.emulate_media(color_scheme="light")
    assert problems(page, contrast) == []
    assert sideways(page) <= 0
    page.set_viewport_size(PHONE)


def check_targets(page: Page) -> None:
    """Everything to tap is large enough for a thumb."""
    sizes = "elements => elements.map(element => [element.offsetHeight, element.outerHTML])"
    small = [html for height, html in page.locator(TARGETS).evaluate_all(sizes) if 0 < height < MIN_TARGET]
    assert small == []


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_accessible_in_both_schemes_and_sizes(
    context: BrowserContext, site: Site, path: str
) -> None:
    page = context.new_page()
    page.goto(site.url + path)

    check_looks(page)
    check_targets(page)


def test_the_login_and_refusals_are_accessible_too(context: BrowserContext, store_url: str) -> None:
    page = context.new_page()
    with served_page(Sample(), JournalStore(connect(store_url)), PASSWORD) as url:
        page.goto(url)
        check_looks(page)
        page.fill("#password", "wrong")
        page.click("button")
        expect(page.get_by_role("alert")).to_contain_text("Wrong password")
        check_looks(page)
        page.fill("#password", "correct horse")
        page.click("button")
        expect(page.locator("h1")).to_have_text("2 open incidents")
        page.goto(f"{url}/incidents/no-such")
        check_looks(page)
        page.goto(url)
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Password")).to_be_visible()


def watch(page: Page, site: Site) -> list[str]:
    """The dialogs, console messages, errors and foreign requests of a page from now on."""
    events: list[str] = []

    def on_dialog(dialog: Dialog) -> None:
        events.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def on_request(request: Request) -> None:
        if not request.url.startswith(site.url):
            events.append(request.url)

    page.on("dialog", on_dialog)
    page.on("request", on_request)
    page.on("console", lambda message: events.append(f"console {message.text}"))
    page.on("pageerror", lambda error: events.append(f"error {error}"))
    return events


@pytest.mark.parametrize("path", PAGES)
def test_no_text_from_outside_runs_or_breaks_the_page(context: BrowserContext, site: Site, path: str) -> None:
    page = context.new_page()
    events = watch(page, site)
    site.show(Sample().hostile())

    page.goto(site.url + path)
    page.evaluate(OPEN_ALL)
    page.wait_for_timeout(100)

    assert events == []
    assert page.evaluate("window.violations") == []
    assert page.evaluate(HANDLERS) == 0
    assert page.locator(FOREIGN).count() == 0
    assert sideways(page) <= 0


def test_a_large_incident_is_small_and_asks_no_other_host(context: BrowserContext, site: Site) -> None:
    requests: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: requests.append(request.url))
    page.goto(site.url + INCIDENT)

    assert len(samples.incident().timeline) == 30
    assert page.locator("svg.chart").count() == 6
    assert {url.startswith(site.url) for url in requests} == {True}
    assert len(page.content().encode()) <= 150_000


def test_the_first_screen_of_a_phone_says_what_is_broken_since_when_and_what_to_press(
    context: BrowserContext, site: Site
) -> None:
    page = context.new_page()
    page.goto(site.url + INCIDENT)

    for text in (
        "checkout: 94 % of requests fail",
        "Since 03:02",
        "19 min ago",
        "A tested fix is ready",
        "Open #41",
        "Roll back…",
    ):
        box = page.get_by_text(text).first.bounding_box()
        assert box is not None, text
        assert box["y"] + box["height"] <= PHONE["height"], text


def test_an_open_page_follows_changes_and_leaves_alone_what_somebody_writes(
    context: BrowserContext, site: Site
) -> None:
    sample = site.show(Sample())
    page = context.new_page()
    page.goto(site.url + INCIDENT)
    expect(page.locator("#live")).to_have_text("Live")
    page.locator("#considered > summary").click()
    sample.incident = samples.incident(
        verdict=samples.verdict().model_copy(update={"action": "Roll back now."})
    )
    sample.version = "2"

    expect(page.locator("#cause")).to_contain_text("Roll back now.", timeout=8000)
    assert page.locator("#considered").evaluate("details => details.open")
    page.locator("#more > summary").click()
    page.locator("#do-not-a-problem > summary").click()
    page.fill("#not-a-problem-reason", "a load test")
    sample.incident = samples.incident(trouble=("everything is worse",), waits_for="x")
    sample.version = "3"
    expect(page.locator("#more-trouble")).not_to_contain_text("p95", timeout=8000)
    assert page.input_value("#not-a-problem-reason") == "a load test"
    assert page.evaluate("window.violations") == []


def test_a_press_is_answered_on_the_page(context: BrowserContext, site: Site) -> None:
    sample = site.show(Sample())
    page = context.new_page()
    page.goto(site.url + INCIDENT)

    page.get_by_role("button", name="Check again").dblclick()

    expect(page.locator(".flash")).to_contain_text("Done as asked.")
    assert len({action.request_id for action in sample.actions}) == 1
    assert page.url == site.url + INCIDENT


def test_a_link_from_another_site_and_the_rollback_behind_it_work(
    context: BrowserContext, site: Site
) -> None:
    sample = site.show(Sample())
    page = context.new_page()
    page.goto("data:text/html," + quote(f'<a href="{site.url}{INCIDENT}">incident</a>'))
    page.get_by_role("link", name="incident").click()
    page.get_by_role("link", name="Roll back…").click()
    expect(page.locator("main")).to_contain_text("image and its variables")

    page.get_by_role("button", name="Roll back checkout now").click()

    expect(page.locator(".flash")).to_contain_text("Done as asked.")
    assert [action.kind.value for action in sample.actions] == ["roll_back"]


def test_everything_works_without_a_script(chromium: Browser, site: Site) -> None:
    sample = site.show(Sample())
    context = chromium.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(site.url + INCIDENT)

    page.locator("#more > summary").click()
    page.locator("#do-cancel > summary").click()
    page.locator("#do-cancel input[type=checkbox]").check()
    page.get_by_role("button", name="Cancel the investigation").click()

    expect(page.locator(".flash")).to_contain_text("Done as asked.")
    assert [action.kind.value for action in sample.actions] == ["cancel"]
    context.close()


def test_another_site_can_neither_frame_the_page_nor_send_its_forms(
    context: BrowserContext, site: Site
) -> None:
    sample = site.show(Sample())
    page = context.new_page()
    page.goto(site.url + INCIDENT)
    token = re.search(r'name="token" value="([^"]+)"', page.content())
    assert token
    values = {"token": token[1], "kind": "fix", "target": samples.INCIDENT, "request_id": "evil"}
    fields = "".join(f'<input name="{name}" value="{value}">' for name, value in values.items())
    frame = f'<iframe src="{site.url}{INCIDENT}"></iframe>'
    form = f'{frame}<form method="post" action="{site.url}/actions">{fields}<button>go</button></form>'
    page.goto("data:text/html," + quote(form))

    page.get_by_role("button", name="go").click()
    page.wait_for_load_state()

    assert "Nothing was done" in page.content()
    assert sample.actions == []
