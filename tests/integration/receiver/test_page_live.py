"""Live updates: versions, heartbeats, bounds, and streams that hold up neither a shutdown nor a connection."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import redis

from receiver.connection import ConnectionLimits
from receiver.page import live
from receiver.page.live import NOW, Live, read_versions
from tests.support.page_server import Sample, served_page
from tests.support.polling import wait_until
from tests.support.webhooks import is_up, web_process
from workers.engine.journal_store import JournalStore
from workers.engine.schema import OPEN, journal_key
from workers.errors import NotAvailable

SHORT = ConnectionLimits(request_seconds=1, response_seconds=0.4, idle_seconds=1)
MAX_SHUTDOWN_SECONDS = 3.0
INCIDENT = "incident:a:b"


@contextmanager
def stream(url: str, path: str = "/events") -> Iterator[Iterator[str]]:
    """The lines of an open stream."""
    with httpx.Client(timeout=10) as client, client.stream("GET", url + path) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        yield answer.iter_lines()


def drain(lines: Iterator[str]) -> int:
    """Read a stream to its end, however it ends, and return the number of its lines."""
    count = 0
    with suppress(httpx.TransportError):
        for _ in lines:
            count += 1
    return count


def next_version(lines: Iterator[str]) -> str:
    return next(line.removeprefix("data: ") for line in lines if line.startswith("data: "))


def test_a_stream_tells_the_present_version_and_each_change(
    store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.05)
    sample = Sample()
    with served_page(sample, JournalStore(store), {}) as url, stream(url) as lines:
        first = next_version(lines)
        sample.version = "2"
        second = next_version(lines)

    assert (first, second) == ("1", "2")


def test_a_stream_outlives_the_deadline_of_other_responses(
    store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.2)
    with served_page(Sample(), JournalStore(store), {}, SHORT) as url, stream(url) as lines:
        beats = [next(line for line in lines if line.startswith(":")) for _ in range(6)]

    assert len(beats) == 6


def test_a_stream_ends_by_itself_so_that_the_session_is_checked_again(
    store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(live, "STREAM_SECONDS", 0.3)
    with served_page(Sample(), JournalStore(store), {}) as url, stream(url) as lines:
        assert list(lines)


def test_open_streams_are_bounded(store: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_STREAMS", 1)
    with served_page(Sample(), JournalStore(store), {}) as url, stream(url) as lines:
        next_version(lines)

        answer = httpx.get(url + "/events")

    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_streams_that_are_asked_for_side_by_side_are_bounded_too(
    store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_STREAMS", 2)

    async def run() -> tuple[list[bytes], int]:
        page = Live(lambda topics: dict.fromkeys(topics, "1"), ThreadPoolExecutor(1))
        streams = [page.events(NOW) for _ in range(5)]  # all are admitted before one of them begins
        began = [await anext(stream) for stream in streams]
        ended = [await anext(stream, None) is None for stream in streams[2:]]
        for stream in streams[:2]:
            await stream.aclose()  # type: ignore[attr-defined]
        assert all(ended)
        return began, len(page.streams)

    began, left = asyncio.run(run())

    assert [line == began[0] for line in began] == [True, True, False, False, False]
    assert left == 0


def test_head_opens_no_stream(store: redis.Redis) -> None:
    with served_page(Sample(), JournalStore(store), {}) as url:
        answer = httpx.head(url + "/events", timeout=5)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


def test_open_streams_do_not_hold_up_a_shutdown(store: redis.Redis) -> None:
    began = 0.0
    with ThreadPoolExecutor() as threads:
        opened = threading.Event()

        def read(url: str) -> int:
            with stream(url) as lines:
                next_version(lines)
                opened.set()
                return drain(lines)

        with served_page(Sample(), JournalStore(store), {}) as url:
            threads.submit(read, url)
            assert opened.wait(10)
            began = time.monotonic()

    assert time.monotonic() - began < MAX_SHUTDOWN_SECONDS


def test_a_client_that_reads_nothing_does_not_keep_its_stream(
    store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.001)
    with served_page(Sample(), JournalStore(store), {}, SHORT) as url:
        port = int(url.rpartition(":")[2])
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        time.sleep(0.2)  # the response begins, and nobody reads it

        connection.shutdown(socket.SHUT_WR)

        wait_until(lambda: httpx.get(url + "/health").is_success, what="a server that goes on")
        connection.close()


def test_one_read_serves_all_streams_and_none_is_made_without_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.02)
    reads: list[frozenset[str]] = []

    def read(topics: frozenset[str]) -> dict[str, str]:
        reads.append(topics)
        if len(reads) == 2:
            raise NotAvailable("Redis is away")
        return dict.fromkeys(topics, "1")

    async def watch() -> int:
        feed = Live(read, ThreadPoolExecutor(1))
        streams = [feed.events(NOW), feed.events(NOW), feed.events(INCIDENT)]
        for events in streams:
            for _ in range(2):  # the delay of a new connection, and the present version
                await anext(events)
        for events in streams:
            await events.aclose()  # type: ignore[attr-defined]
        made = len(reads)
        await asyncio.sleep(0.2)
        return len(reads) - made

    assert asyncio.run(watch()) <= 1
    assert reads[-1] <= {NOW, INCIDENT}


def test_a_version_changes_with_what_people_see_and_with_nothing_else(store: redis.Redis) -> None:
    journals = JournalStore(store)
    journals.open_journal(journal_key(INCIDENT), "enrich")
    store.hset(OPEN, "a", journal_key(INCIDENT))
    topics = frozenset({NOW, INCIDENT})
    first = read_versions(journals, topics)

    store.hset(journal_key(INCIDENT), "lease", 17)
    renewed = read_versions(journals, topics)
    store.hset(journal_key(INCIDENT), "stage", "plan")
    advanced = read_versions(journals, topics)

    assert renewed == first
    assert advanced[NOW] != first[NOW]
    assert advanced[INCIDENT] != first[INCIDENT]


def test_the_web_process_ends_at_once_while_a_page_is_open(
    store_url: str, store: redis.Redis, tmp_path: Path
) -> None:
    store.ping()
    with ThreadPoolExecutor() as threads, ExitStack() as stack:
        with web_process(tmp_path, REDIS_URL=store_url, TRACKWALKER_SECRET="s3cret") as (url, log):
            wait_until(lambda: is_up(url), what="the web process")
            page = httpx.get(url, timeout=10)
            lines = stack.enter_context(stream(url))
            next_version(lines)
            rest = threads.submit(drain, lines)
            began = time.monotonic()
        ended = time.monotonic()
        rest.result(10)

    assert page.status_code == 200
    assert ended - began < MAX_SHUTDOWN_SECONDS
    assert "Traceback" not in log.read_text()
