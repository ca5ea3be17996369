"""The page of a real journal: the pipeline fixes the failing shop, and people read and press."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from urllib.parse import quote

import httpx
import pytest
from pydantic import BaseModel

from receiver.page.backend import journal_backend
from receiver.page.site import Site
from tests.support import page_samples as samples
from tests.support.page_markup import foreign_markup
from tests.support.page_server import page_settings, served_site
from tests.support.pipeline import PipelineHarness, harness
from workers.engine import records
from workers.engine.codec import Record
from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_key
from workers.models.links import incident_path
from workers.runtime.store import client as connect

RECORDS = [record for record in vars(records).values() if isinstance(record, Record)]


@pytest.fixture(scope="module")
def pipeline(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PipelineHarness]:
    """The pipeline after its pull request."""
    with connect(store_url) as store:
        store.flushall()
        with harness(store, store_url, tmp_path_factory.mktemp("pipeline"), small=True) as running:
            running.alert()
            running.drive(lambda: running.github.pulls)
            yield running


@pytest.fixture(scope="module")
def browser(pipeline: PipelineHarness) -> Iterator[httpx.Client]:
    """A browser at the page of this installation."""
    store = JournalStore(pipeline.store)
    settings = page_settings()
    site = Site(settings, store, journal_backend(store, settings), partial(datetime.now, UTC))
    with served_site(site) as url, httpx.Client(base_url=url, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def incident(pipeline: PipelineHarness) -> str:
    return pipeline.incidents()[0].removeprefix("trackwalker2:")


def press(browser: httpx.Client, path: str, kind: str, **more: str) -> str:
    """Press a button on a page and return the text of the page that follows."""
    for form in re.findall(
        r"<form method=\"post\" action=\"/actions\">.*?</form>", browser.get(path).text, re.DOTALL
    ):
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
        if fields.get("kind") == kind:
            answer = browser.post("/actions", data=fields | more, headers={"Origin": str(browser.base_url)})
            assert answer.status_code == 303, answer.text
            return browser.get(answer.headers["location"]).text
    raise AssertionError(f"no form for {kind} at {path}")


def test_every_page_shows_the_journal(browser: httpx.Client, incident: str) -> None:
    path = incident_path(incident)

    for address in (
        "/",
        path,
        f"{path}.json",
        f"{path}.md",
        f"{path}/rollback",
        "/history",
        "/decisions",
        "/audit",
    ):
        assert browser.get(address).status_code == 200, address
    assert browser.get(f"{path}.json").json()["id"] == incident


@pytest.mark.parametrize("address", ["", "/", "/history", "/decisions", "/audit", "/alerts", "/checks"])
def test_every_link_of_a_page_leads_somewhere(browser: httpx.Client, incident: str, address: str) -> None:
    page = browser.get(address or incident_path(incident)).text

    links = sorted(set(re.findall(r'href="(/[^"]*)"', page)))
    anchors = set(re.findall(r'href="#([^"]+)"', page))

    assert [link for link in links if browser.get(link).status_code != 200] == []
    assert anchors <= set(re.findall(r' id="([^"]+)"', page))


def test_a_pause_is_shown_and_undone(browser: httpx.Client) -> None:
    paused = press(browser, "/", "pause", reason="a <b>storm</b>")
    listed = browser.get("/decisions").text
    resumed = press(browser, "/decisions", "undo")

    assert "Paused: no posts" in paused
    assert "a &lt;b&gt;storm&lt;/b&gt;" in listed
    assert "Undone" in resumed
    assert "Paused: no posts" not in browser.get("/").text


def test_a_record_is_readable(browser: httpx.Client, incident: str) -> None:
    page = browser.get(f"/records/{quote(incident, safe='')}/evidence")

    assert page.status_code == 200
    assert "KeyError" in page.text


def test_a_press_reaches_the_journal_the_page_and_the_audit(browser: httpx.Client, incident: str) -> None:
    path = incident_path(incident)

    after = press(browser, path, "acknowledge")

    assert "page has it since" in after
    assert "acknowledge" in browser.get("/audit").text


def test_every_form_of_an_incident_is_answered(browser: httpx.Client, incident: str) -> None:
    path = incident_path(incident)
    kinds = re.findall(r'name="kind" value="(\w+)"', browser.get(path).text)
    filled = {"reason": "a load test", "until": "4h", "confirmed": "yes"}

    answers = {kind: press(browser, path, kind, **filled) for kind in sorted(set(kinds), key=kinds.index)}

    assert {"snooze", "not_a_problem", "retry", "check", "cancel"} <= set(kinds)
    assert all('class="card flash' in page for page in answers.values())


def poison(pipeline: PipelineHarness, incident: str) -> None:
    """Put hostile markup into every text of the incident's records and of its fields."""
    key = journal_key(incident)
    for record in RECORDS:
        value = record.read(JournalStore(pipeline.store).fields(key))
        if isinstance(value, BaseModel):
            pipeline.store.hset(key, record.field, record.pack(samples.hostile(value, kept=samples.KEPT)))
    for field in ("reason", "given_up", "outcome", "recovered_by"):
        pipeline.store.hset(key, field, samples.XSS)


def test_hostile_text_in_every_record_is_escaped_on_every_page(
    pipeline: PipelineHarness, browser: httpx.Client, incident: str
) -> None:
    poison(pipeline, incident)
    path = incident_path(incident)
    links = re.findall(r'href="(/records/[^"]+)"', browser.get(path).text)

    for address in ("/", path, f"{path}/rollback", "/history", "/audit", "/alerts", *sorted(set(links))):
        page = browser.get(address)
        assert page.status_code == 200, address
        assert foreign_markup(page.text) == [], address
    assert "&lt;script&gt;alert(1)" in browser.get(path).text


@pytest.mark.parametrize(
    "before",
    ["0-0", "1-1", "9" * 19 + "-" + "9" * 19, "18446744073709551615-18446744073709551616", "x", "+", "("],
)
def test_an_audit_from_any_entry_is_a_page(browser: httpx.Client, before: str) -> None:
    assert browser.get("/audit", params={"before": before}).status_code == 200
