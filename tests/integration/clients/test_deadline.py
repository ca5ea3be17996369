"""The deadline of a call ends a trickling answer, of which every single read is in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import SecretStr

from receiver import clock
from tests.support.fakes.serving import Faults, serve
from workers.clients import deadline, github, slack, status_pages
from workers.clients.github import GitHub
from workers.clients.railway import Railway, transport
from workers.clients.slack import Slack
from workers.errors import GitHubBusy, RailwayBusy, SlackBusy

SECRET = SecretStr("token")


@contextmanager
def headers_by_drops() -> Iterator[str]:
    """A server whose header never ends: a byte every tenth of a second, far inside each read's timeout."""
    over = threading.Event()

    def answer(listener: socket.socket) -> None:
        with listener.accept()[0] as caller:
            caller.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
            while not over.wait(0.1):
                try:
                    caller.sendall(b"a")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        thread.join(5)


@contextmanager
def body_by_drops() -> Iterator[str]:
    faults = Faults()
    faults.add("trickle", times=100)
    with serve(lambda *_: None, faults) as running:  # type: ignore[arg-type]  # never reached
        yield running.url


TRICKLES = pytest.mark.parametrize("trickling", [headers_by_drops, body_by_drops])
Trickling = Callable[[], AbstractContextManager[str]]


@TRICKLES
def test_a_trickling_answer_ends_at_the_deadline(trickling: Trickling) -> None:
    with trickling() as url, deadline.client(timeout=5) as client:
        began = time.monotonic()
        with deadline.within(1), pytest.raises(httpx.TimeoutException):
            client.get(url)

        assert time.monotonic() - began < 4


def test_the_earlier_of_two_deadlines_applies_until_its_block_ends() -> None:
    with body_by_drops() as url, deadline.client(timeout=5) as client:
        with deadline.within(0.5), deadline.within(60), pytest.raises(httpx.TimeoutException):
            client.get(url)
        with deadline.within(60), client.stream("GET", url) as answer:
            assert answer.status_code == 200


def ask_railway(url: str) -> None:
    Railway(url, project_token=SECRET).environments()


def ask_github(url: str) -> None:
    GitHub(url, url, token=SECRET).repository("acme/shop")


def ask_slack(url: str) -> None:
    Slack(bot_token=SECRET, channel="C1", api_url=url).post("text", key="key")


@TRICKLES
@pytest.mark.parametrize(
    ("ask", "busy"), [(ask_railway, RailwayBusy), (ask_github, GitHubBusy), (ask_slack, SlackBusy)]
)
def test_a_trickling_api_raises_the_busy_error_of_its_client(
    trickling: Trickling, ask: Callable[[str], None], busy: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "TOTAL_SECONDS", 1.0)
    monkeypatch.setattr(github, "TOTAL_SECONDS", 1.0)
    monkeypatch.setattr(slack, "TOTAL_TIMEOUT_FACTOR", 0.1)

    with trickling() as url, pytest.raises(busy):
        ask(url)


def test_a_trickling_status_page_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_pages, "TOTAL_SECONDS", 1.0)

    with body_by_drops() as url:
        state, why = status_pages.fetch_status("api.example.com", {"api.example.com": url})

    assert state == "unknown"
    assert "cannot be reached" in why


def test_a_trickling_receiver_does_not_stop_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "TIMEOUT_SECONDS", 1.0)

    with body_by_drops() as url, deadline.client(timeout=5) as client:
        result = clock.ping(client, url, "secret", datetime(2026, 11, 23, tzinfo=UTC))

    assert "does not answer within" in result.error
