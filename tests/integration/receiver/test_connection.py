"""Connections of the web process, over raw sockets: deadlines, bounds, early answers and malformed requests."""

from __future__ import annotations

import logging
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from receiver.app import build_app
from receiver.connection import ConnectionLimits
from receiver.endpoints import MAX_BODY_BYTES, Endpoints, Scope
from receiver.metrics import StoreState
from receiver.server import Server, build_server
from tests.support.fakes.serving import free_port
from tests.support.polling import wait_until
from tests.support.webhooks import CRASHED_WEBHOOK, is_up, web_process

LIMITS = ConnectionLimits(
    request_seconds=0.4,
    response_seconds=0.4,
    idle_seconds=0.3,
    linger_seconds=0.3,
    linger_bytes=65_536,
    connections=6,
)
LOADED_SECONDS = 8.0  # allowance for a loaded machine; a broken promise takes the client's timeout of 10 s
SECRET = "s3cret/part"
AUTH = b"X-Trackwalker-Secret: s3cret/part\r\n"
POST = b"POST /hooks/railway HTTP/1.1\r\nHost: x\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
CONTINUE = b"HTTP/1.1 100"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a web server with short deadlines, whose store always answers."""
    endpoints = Endpoints(
        secrets=(SECRET,), ingest=lambda alerts: [alert.id for alert, _ in alerts], check_store=lambda: None,
        read_state=StoreState, notify_fallback=lambda _: None, scope=Scope(), now=partial(datetime.now, UTC),
        token=lambda: "t",
    )  # fmt: skip
    server: Server = build_server(build_app(endpoints), "127.0.0.1", free_port(), LIMITS)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, what="the server")
    yield server.config.port
    server.handle_exit(signal.SIGTERM, None)
    thread.join(10)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    received = b""
    try:
        while chunk := connection.recv(65_536):
            received += chunk
    except ConnectionResetError:
        received += b" [reset]"
    return received


def exchange(port: int, request: bytes) -> bytes:
    """The answers to what was sent, until the server closes the connection."""
    with connect(port) as connection:
        connection.sendall(request)
        return read_all(connection)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


# -- deadlines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"POST /hooks/rail", b"HTTP/1.1 408"),
        (POST + AUTH, b"HTTP/1.1 408"),
        (POST + AUTH + b"Content-Length: 900\r\n\r\n{", b"HTTP/1.1 408"),
        (POST + AUTH + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"HTTP/1.1 408"),
    ],
    ids=["silent", "half a line", "half a header", "half a body", "chunks without end"],
)
def test_a_request_that_does_not_arrive_in_time_is_closed(port: int, sent: bytes, answer: bytes) -> None:
    began = time.monotonic()

    received = exchange(port, sent)

    assert received.startswith(answer) and bool(received) == bool(answer)
    assert LIMITS.request_seconds * 0.9 < time.monotonic() - began < LIMITS.request_seconds + LOADED_SECONDS


@pytest.mark.parametrize("head", [b"", POST + AUTH + b"Content-Length: 9000\r\n\r\n"], ids=["header", "body"])
def test_a_byte_now_and_then_does_not_extend_the_deadline(port: int, head: bytes) -> None:
    began = time.monotonic()
    with connect(port) as connection:
        connection.sendall(head or b"GET /")
        connection.settimeout(0.05)
        answer = b""
        while not answer and time.monotonic() - began < LOADED_SECONDS:
            try:
                connection.sendall(b"x")
                answer = connection.recv(100)
            except TimeoutError:
                continue

    assert answer.startswith(b"HTTP/1.1 408")


def test_the_second_request_of_a_connection_has_a_deadline_too(port: int) -> None:
    assert exchange(port, HEALTH + b"GET /hea").count(b"HTTP/1.1 200") == 1
    with connect(port) as connection:
        connection.sendall(HEALTH)
        first = connection.recv(1000)
        connection.sendall(HEALTH + POST + AUTH + b"Content-Length: 9\r\n\r\n")

        received = read_all(connection)

    assert (first + received).count(b"HTTP/1.1 200") == 2
    assert received.endswith(b"the request did not arrive in time")


def test_an_idle_connection_is_closed(port: int) -> None:
    began = time.monotonic()

    received = exchange(port, HEALTH)

    assert received.startswith(b"HTTP/1.1 200") and received.endswith(b"ok\n")
    assert time.monotonic() - began < LIMITS.idle_seconds + LOADED_SECONDS


def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    received = exchange(port, HEALTH * 3 + b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" + HEALTH)

    assert received.count(b"HTTP/1.1 200") == 3
    assert received.count(b"HTTP/1.1 404") == 1
    assert received.endswith(b'{"error":"Not Found"}')


# -- bounds ---------------------------------------------------------------------------------------


def test_silent_connections_do_not_block_other_clients(port: int) -> None:
    silent = [connect(port) for _ in range(3 * LIMITS.connections)]

    received = [exchange(port, HEALTH + b"x") for _ in range(3)]

    assert all(answer.startswith(b"HTTP/1.1 200") for answer in received)
    answers = [read_all(connection) for connection in silent]
    assert sum(answer.startswith(b"HTTP/1.1 503") for answer in answers) >= 2 * LIMITS.connections
    for connection in silent:
        connection.close()


# -- early answers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (POST, 401),
        (b"POST /hooks/railway/wrong HTTP/1.1\r\nHost: x\r\n", 401),
        (POST + AUTH, 413),
        (b"POST /nothing HTTP/1.1\r\nHost: x\r\n", 404),
        (b"PUT /hooks/railway HTTP/1.1\r\nHost: x\r\n", 405),
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\n", 401),
    ],
)
@pytest.mark.parametrize("framing", [b"Content-Length: 300000000", b"Transfer-Encoding: chunked"])
def test_an_answer_before_the_body_closes_the_connection(
    port: int, head: bytes, expected: int, framing: bytes
) -> None:
    chunk = b"x" * 65_536 if framing.startswith(b"Content") else b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    sent, began = 0, time.monotonic()
    with connect(port) as connection:
        connection.sendall(head + framing + b"\r\n\r\n")
        time.sleep(0.02)
        connection.settimeout(0.1)
        try:
            while sent < 300_000_000 and time.monotonic() - began < 5:
                sent += connection.send(chunk)
        except OSError:
            pass
        connection.settimeout(10)

        received = read_all(connection)

    assert status(received) == expected
    assert b"connection: close" in received.lower()
    assert sent < 20_000_000  # the buffers of both kernels


@pytest.mark.parametrize("body", [b"{}", b"no JSON"])
def test_a_malformed_body_closes_the_connection(port: int, body: bytes) -> None:
    received = exchange(port, POST + AUTH + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    assert status(received) == 422
    assert b"connection: close" in received.lower()


def test_an_unread_body_of_a_successful_request_closes_the_connection(port: int) -> None:
    received = exchange(
        port, b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 5000
    )

    assert received.startswith(b"HTTP/1.1 200") and received.endswith(b"ok\n")


def test_a_body_is_asked_for_only_with_the_secret_and_a_small_length(port: int) -> None:
    expect, length = b"Expect: 100-continue\r\n", b"Content-Length: %d\r\n\r\n"

    refused = exchange(port, POST + expect + length % 10)
    too_large = exchange(port, POST + AUTH + expect + length % (MAX_BODY_BYTES + 1))
    with connect(port) as connection:
        connection.sendall(POST + AUTH + expect + length % len(CRASHED_WEBHOOK))
        accepted = connection.recv(100)
        connection.sendall(CRASHED_WEBHOOK)
        stored = connection.recv(1000)

    assert (status(refused), status(too_large)) == (401, 413)
    assert CONTINUE not in refused + too_large
    assert accepted.startswith(CONTINUE)
    assert status(stored) == 202


# -- malformed requests ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_bytes",
    [
        POST + AUTH + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + AUTH + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        POST + AUTH + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        POST + AUTH + b"Content-Length: 4, 5\r\n\r\nabcd",
        POST + AUTH + b"Content-Length: -4\r\n\r\nabcd",
        POST + AUTH + b"Content-Length: +4\r\n\r\nabcd",
        POST + AUTH + b"Content-Length: 0x4\r\n\r\nabcd",
        POST + AUTH + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nabcd",
        POST + AUTH + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + AUTH + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        POST + AUTH + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        POST + AUTH + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        POST + AUTH + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
        b"POST /ping HTTP/1.0\r\n" + AUTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"X-A: b\r\n X-Trackwalker-Secret: s3cret/part\r\n\r\n",
        POST + b"X-A: b\x00c\r\n\r\n",
        POST + b"X-A: b\x1b[2Jc\r\n\r\n",
        POST + b"X-A: b\rX-B: c\r\n\r\n",
        POST + b"X-A : b\r\n\r\n",
        POST + b": b\r\n\r\n",
        POST + b"X-A: b\nX-B: c\r\n\r\n",
        b"GET /health HTTP/1.1\n\n",
        b"GET /health HTTP/1.1\r\n\r\n",  # without Host
        b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/3.0\r\nHost: x\r\n\r\n",
        b"GET  /health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /hea\xc3\xa4lth HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        POST + b"Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
    ],
)  # fmt: skip
def test_a_malformed_request_is_refused_and_closed(
    port: int, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    began = time.monotonic()

    received = exchange(port, request_bytes)

    assert status(received) in (400, 431, 501)
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in received.lower()
    assert time.monotonic() - began < LOADED_SECONDS
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "path",
    [
        b"http://127.0.0.1/health", b"//health", b"/./health", b"/hooks/../health", b"/%2e%2e/health", b"*",
        b"/HEALTH", b"/health/", b"/health%00", b"/hooks/%2e%2e/metrics", b"/hooks%2Frailway%2Fs3cret", b"/.env",
        b"/" + b"a" * 15_000,
    ],
)  # fmt: skip
def test_a_path_is_matched_as_a_whole(port: int, path: bytes) -> None:
    assert status(exchange(port, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")) in (404, 405)


@pytest.mark.parametrize("path", [b"s3cret/part", b"s3cret%2Fpart", b"%733cret%2fpart"])
def test_a_secret_in_the_path_may_be_percent_encoded(port: int, path: bytes) -> None:
    head = b"POST /hooks/railway/" + path + b" HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(CRASHED_WEBHOOK)

    assert status(exchange(port, head + CRASHED_WEBHOOK)) == 202


@pytest.mark.parametrize(
    "header",
    [
        b"X-HTTP-Method-Override: POST", b"X-Original-URL: /hooks/railway/s3cret/part", b"X-Forwarded-For: 127.0.0.1",
        b"X-Rewrite-URL: /metrics/s3cret/part", b"Forwarded: for=127.0.0.1;host=localhost", b"X-Real-IP: 127.0.0.1",
        b"X-Forwarded-Prefix: /metrics", b"X-Forwarded-Host: localhost",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("line", "expected"), [(b"GET /metrics", 401), (b"GET /ping", 405), (b"POST /ping", 401)]
)
def test_forwarded_headers_decide_nothing(port: int, header: bytes, line: bytes, expected: int) -> None:
    assert (
        status(exchange(port, line + b" HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\n")) == expected
    )


def test_no_mixture_of_requests_leaves_an_error_or_a_connection(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    length, chunked = b"Content-Length: 99999\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
    parts = [
        HEALTH, POST + length, POST + AUTH + length, POST + AUTH + chunked, b"5\r\nhello\r\n", b"0\r\n\r\n", b"\r\n",
        b"\x00\xff", HEALTH * 50, b"x" * 70_000, b"OPTIONS /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
    ]  # fmt: skip

    def send(seed: int) -> None:
        generator = random.Random(seed)
        for _ in range(5):
            with connect(port) as connection, suppress(ConnectionError):
                for part in generator.choices(parts, k=generator.randrange(6)):
                    connection.sendall(part)
                if generator.random() < 0.6:
                    read_all(connection)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(16)))

    assert exchange(port, HEALTH).startswith(b"HTTP/1.1 200")
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


# -- the real process -----------------------------------------------------------------------------


def test_the_web_process_logs_no_secret_of_a_path(tmp_path: Path, store_url: str) -> None:
    with web_process(tmp_path, TRACKWALKER_SECRET=SECRET, REDIS_URL=store_url) as (url, log):
        wait_until(partial(is_up, url), what="the web process")
        web_port = int(url.rpartition(":")[2])
        silent = connect(web_port)
        began = time.monotonic()
        for head in (
            b"POST /hooks/railway/",
            b"POST /hooks/slack/",
            b"GET /hooks/railway/",
            b"POST /nothing/",
        ):
            exchange(
                web_port, head + SECRET.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
            )
            exchange(web_port, head + SECRET.encode() + b" HTTP/1.1\r\nHost : x\r\n\r\n")
        closed = read_all(silent)
        seconds = time.monotonic() - began
        silent.close()

    assert closed == b""
    assert 9 < seconds < 10 + LOADED_SECONDS
    assert "s3cret" not in log.read_text()
