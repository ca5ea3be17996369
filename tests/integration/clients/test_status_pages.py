"""Status pages over a real socket."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.fakes.serving import Running, serve
from tests.support.fakes.statuspage import FakeStatusPage
from workers.clients.status_pages import MAX_DESCRIPTION_CHARS, MAX_PAGE_BYTES, PAGES, fetch_status, find_page

HOST = "api.payments.example"


@pytest.fixture
def page() -> FakeStatusPage:
    return FakeStatusPage()


@pytest.fixture
def running(page: FakeStatusPage) -> Iterator[Running]:
    with serve(page.app, page.faults) as address:
        yield address


@pytest.fixture
def extra(running: Running) -> dict[str, str]:
    """The setting that assigns the fake page to HOST."""
    return {HOST: running.url}


def answering(content: bytes, status: int = 200) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(status, content=content)))


@pytest.mark.parametrize(
    ("indicator", "state"),
    [
        ("none", "operational"),
        ("minor", "degraded"),
        ("maintenance", "degraded"),
        ("major", "down"),
        ("critical", "down"),
    ],
)
def test_the_state_follows_the_indicator(
    page: FakeStatusPage, extra: dict[str, str], indicator: str, state: str
) -> None:
    page.say(indicator)

    assert fetch_status(HOST, extra)[0] == state


def test_the_description_names_open_incidents_only(page: FakeStatusPage, extra: dict[str, str]) -> None:
    page.say("major", "Elevated API errors")
    page.say("major", "An old story", status="resolved")

    state, description = fetch_status(HOST, extra)

    assert state == "down"
    assert description == "Partial System Outage; Elevated API errors (investigating)"


def test_an_open_incident_overrides_an_indicator_without_problems(
    page: FakeStatusPage, extra: dict[str, str]
) -> None:
    page.say("minor", "Slow answers")
    page.indicator = "none"

    assert fetch_status(HOST, extra)[0] == "degraded"


def test_a_recovered_page_is_operational_at_the_next_request(
    page: FakeStatusPage, extra: dict[str, str]
) -> None:
    page.say("critical", "Down")
    before = fetch_status(HOST, extra)[0]

    page.recover()

    assert (before, fetch_status(HOST, extra)[0]) == ("down", "operational")


def test_one_http_client_can_be_reused(page: FakeStatusPage, extra: dict[str, str]) -> None:
    with httpx.Client() as http:
        states = [fetch_status(HOST, extra, http)[0] for _ in range(3)]

    assert states == ["operational"] * 3
    assert page.requests == 3


@pytest.mark.parametrize("fault", ["429", "503", "drop", "refuse"])
def test_an_unreachable_page_is_unknown_and_raises_nothing(
    page: FakeStatusPage, extra: dict[str, str], fault: str
) -> None:
    page.faults.add(fault)  # type: ignore[arg-type]  # one of the four above

    state, reason = fetch_status(HOST, extra)

    assert (state, "cannot be reached" in reason) == ("unknown", True)


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"status": {}}', b"{" + b" " * (MAX_PAGE_BYTES + 1)])
def test_content_that_is_not_a_summary_is_unknown(content: bytes) -> None:
    state, reason = fetch_status("api.github.com", {}, answering(content))

    assert (state, "does not answer with" in reason) == ("unknown", True)


def test_an_unknown_indicator_is_unknown() -> None:
    summary = b'{"status": {"indicator": "purple", "description": "Purple"}}'

    assert fetch_status("api.github.com", {}, answering(summary)) == ("unknown", "Purple")


def test_the_description_is_truncated_to_one_line() -> None:
    long = b'{"status": {"indicator": "none", "description": "a\\nb' + b"x" * 5000 + b'"}}'

    description = fetch_status("api.github.com", {}, answering(long))[1]

    assert description.startswith("a bxx")
    assert len(description) == MAX_DESCRIPTION_CHARS


def test_a_host_without_a_page_is_unknown_without_a_request() -> None:
    assert fetch_status("api.nobody.example", {}) == (
        "unknown",
        "no status page is known for api.nobody.example",
    )


@pytest.mark.parametrize(
    ("host", "page"),
    [
        ("api.stripe.com", PAGES["stripe.com"]),
        ("STRIPE.com.", PAGES["stripe.com"]),
        ("abc.supabase.co", PAGES["supabase.co"]),
        ("api.github.com:443", PAGES["github.com"]),
        ("notstripe.com", None),
        ("stripe.com.evil.example", None),
    ],
)
def test_a_page_applies_to_its_domain_and_subdomains(host: str, page: str | None) -> None:
    assert find_page(host, {}) == page


def test_pages_from_the_setting_take_precedence_and_may_name_a_port_or_the_full_address() -> None:
    extra = {"api.stripe.com": "https://own.example/", "127.0.0.1:9": "http://x.example/api/v2/summary.json"}

    assert find_page("api.stripe.com", extra) == "https://own.example"
    assert find_page("127.0.0.1:9", extra) == "http://x.example"
    assert find_page("127.0.0.1:10", extra) is None


def test_every_page_of_the_table_is_an_https_address_without_a_path() -> None:
    invalid = [
        page for page in PAGES.values() if httpx.URL(page).scheme != "https" or httpx.URL(page).path != "/"
    ]

    assert invalid == []
