"""The gateway's server reads requests strictly: nothing that two parsers could read differently gets through."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress

import pytest

from tests.support.fakes.model_provider import FakeProvider, stream
from tests.support.model_gateway import RunningGateway, running_gateway
from tests.support.model_streams import EVENTS, REQUESTS, stream_bytes

BODY = json.dumps(REQUESTS["chat"][1] | {"stream": True}).encode()
LINE = b"POST /v1/chat/completions HTTP/1.1\r\n"
GIVEN_UP_SECONDS = (
    8.0  # less than the 10 s for which a client of these tests waits, and enough for a loaded machine
)


def request(gateway: RunningGateway, headers: bytes, body: bytes = BODY, line: bytes = LINE) -> bytes:
    token = gateway.gateway.token.encode()
    fixed = b"host: x\r\nauthorization: Bearer " + token + b"\r\ncontent-type: application/json\r\n"
    return line + fixed + headers + b"\r\n" + body


LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


@pytest.mark.parametrize(
    ("headers", "body", "line"),
    [
        pytest.param(LENGTH + CHUNKED, CHUNKS, LINE, id="length and chunks"),
        pytest.param(LENGTH + b"content-length: 5\r\n", BODY, LINE, id="two lengths"),
        pytest.param(b"content-length: 5, 5\r\n", BODY, LINE, id="a list of lengths"),
        pytest.param(b"content-length: +5\r\n", BODY, LINE, id="a signed length"),
        pytest.param(b"content-length: -1\r\n", BODY, LINE, id="a negative length"),
        pytest.param(b"content-length: 0x10\r\n", BODY, LINE, id="a hex length"),
        pytest.param(b"content-length : 5\r\n", BODY, LINE, id="white space before the colon"),
        pytest.param(b"x: a\r\n  folded\r\n" + LENGTH, BODY, LINE, id="a folded header"),
        pytest.param(b"x: a\nb: c\r\n" + LENGTH, BODY, LINE, id="a bare line feed"),
        pytest.param(b"x: a\rb\r\n" + LENGTH, BODY, LINE, id="a bare carriage return"),
        pytest.param(b"x: a\x00b\r\n" + LENGTH, BODY, LINE, id="a zero byte"),
        pytest.param(b"x: \xff\r\n" + LENGTH, BODY, LINE, id="a byte beyond ASCII"),
        pytest.param(b"no colon\r\n" + LENGTH, BODY, LINE, id="no colon"),
        pytest.param(b": empty\r\n" + LENGTH, BODY, LINE, id="no name"),
        pytest.param(b"host: y\r\n" + LENGTH, BODY, LINE, id="two hosts"),
        pytest.param(b"transfer-encoding: chunked, chunked\r\n", CHUNKS, LINE, id="chunked twice"),
        pytest.param(b"transfer-encoding: gzip, chunked\r\n", CHUNKS, LINE, id="another coding"),
        pytest.param(b"transfer-encoding: identity\r\n", BODY, LINE, id="identity"),
        pytest.param(CHUNKED, b"5;x=y\r\nabcde\r\n0\r\n\r\n", LINE, id="a chunk's extension"),
        pytest.param(CHUNKED, b"-5\r\nabcde\r\n0\r\n\r\n", LINE, id="a negative chunk"),
        pytest.param(CHUNKED, b"0x5\r\nabcde\r\n0\r\n\r\n", LINE, id="a prefixed chunk"),
        pytest.param(CHUNKED, b"ffffffffff\r\nabcde\r\n0\r\n\r\n", LINE, id="a giant chunk"),
        pytest.param(CHUNKED, b"3\r\nabcde\r\n0\r\n\r\n", LINE, id="a chunk that is longer than it says"),
        pytest.param(CHUNKED, b"0\r\nx: y\r\n\r\n", LINE, id="trailers"),
        pytest.param(LENGTH, BODY, b"POST  /v1/chat/completions HTTP/1.1\r\n", id="two spaces"),
        pytest.param(LENGTH, BODY, b"POST /v1/chat/completions HTTP/1.0\r\n", id="HTTP/1.0"),
        pytest.param(LENGTH, BODY, b"POST /v1/chat/completions\r\n", id="HTTP/0.9"),
        pytest.param(LENGTH, BODY, b"post /v1/chat/completions HTTP/1.1\r\n", id="a lower-case method"),
        pytest.param(LENGTH, BODY, b"\r\n" + LINE, id="an empty line first"),
        pytest.param(b"x: y\r\n" * 70 + LENGTH, BODY, LINE, id="many headers"),
        pytest.param(b"x: " + b"y" * 20_000 + b"\r\n" + LENGTH, BODY, LINE, id="a long header"),
    ],
)
def test_an_ambiguous_request_is_rejected_and_its_connection_closed(
    provider: FakeProvider, headers: bytes, body: bytes, line: bytes
) -> None:
    provider.scripts = [stream(stream_bytes("chat", EVENTS["chat"]))]

    with running_gateway("chat", provider.url) as gateway:
        second = request(gateway, LENGTH)
        received = gateway.send_raw(request(gateway, headers, body, line) + second)

    status = int(received[9:12])
    assert 400 <= status < 600
    assert received.count(b"\r\ncontent-type: ") == 1, "the bytes that follow are no second request"
    assert provider.received == []


def test_pipelined_requests_are_answered_one_after_the_other(provider: FakeProvider) -> None:
    provider.scripts = [stream(stream_bytes("chat", EVENTS["chat"]))]

    with running_gateway("chat", provider.url) as gateway:
        last = request(gateway, CHUNKED + b"connection: close\r\n", CHUNKS)
        received = gateway.send_raw(request(gateway, LENGTH) + last, finish=False)

    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert (len(provider.received), provider.most_at_once) == (2, 1)
    assert provider.received[0].body == provider.received[1].body


def test_the_connection_of_an_unfinished_header_is_closed_in_time(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.gateway.request_reader.HEAD_SECONDS", 0.2)

    with running_gateway("chat", provider.url) as gateway:
        started = time.monotonic()
        received = gateway.send_raw(LINE + b"host:", finish=False)

    assert received == b""
    assert time.monotonic() - started < GIVEN_UP_SECONDS


def trickle(connection: socket.socket) -> bytes | None:
    """The answer to a body that comes byte by byte: empty once it is closed, None if none came in time."""
    deadline = time.monotonic() + GIVEN_UP_SECONDS
    connection.settimeout(0.05)
    while time.monotonic() < deadline:
        try:
            with suppress(TimeoutError):
                connection.sendall(b" ")
                return connection.recv(100)
        except ConnectionError:
            return b""
    return None


def test_the_connection_of_a_trickling_body_is_closed_in_time(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.gateway.request_reader.BODY_SECONDS", 0.3)

    with (
        running_gateway("chat", provider.url) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection,
    ):
        connection.sendall(request(gateway, b"content-length: 100000\r\n", b"{"))
        received = trickle(connection)

    assert received == b""


def test_more_connections_than_allowed_are_closed_at_once(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.gateway.http_server.MAX_CONNECTIONS", 2)

    with running_gateway("chat", provider.url) as gateway:
        # The server accepts connections in the order in which they were made, so that the third exceeds the limit.
        connections = [socket.create_connection(("127.0.0.1", gateway.port), timeout=5) for _ in range(2)]
        started = time.monotonic()
        received = gateway.send_raw(b"", finish=False)
        seconds = time.monotonic() - started
        for connection in connections:
            connection.close()

    assert received == b""
    assert seconds < GIVEN_UP_SECONDS


def test_a_client_that_still_sends_gets_the_answer_to_a_body_that_is_too_long(provider: FakeProvider) -> None:
    with (
        running_gateway("chat", provider.url) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as client,
    ):
        client.sendall(request(gateway, b"content-length: 90000000\r\n", b"x" * 200_000))
        received = client.recv(65_536)
        while part := client.recv(65_536):  # raises if the server resets the connection
            received += part

    assert received.startswith(b"HTTP/1.1 413 ")
    assert provider.received == []
