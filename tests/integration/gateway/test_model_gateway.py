"""The gateway passes one model's calls on, with its own key, and learns from the answer what they cost."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from pydantic import SecretStr

from tests.support.fakes.model_provider import FakeProvider, raw, silent, stream, whole
from tests.support.fakes.serving import free_port
from tests.support.model_gateway import KEY, PRICE, running_gateway
from tests.support.model_streams import (
    EVENTS,
    FORMAT_NAMES,
    REQUESTS,
    USAGE,
    WHOLE,
    stream_bytes,
    stream_request,
)
from tests.support.polling import wait_until
from workers.errors import AgentBusy, AgentRefused
from workers.gateway.formats import FormatName


def answer(name: FormatName) -> Any:
    return stream(stream_bytes(name, EVENTS[name]))


# ---- what is passed on ----


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_a_stream_passes_unchanged_and_is_paid_for_by_its_own_usage(
    provider: FakeProvider, name: FormatName
) -> None:
    provider.scripts = [answer(name)]

    with running_gateway(name, provider.url) as gateway:
        reply = gateway.ask()

    assert reply.body == b"".join(stream_bytes(name, EVENTS[name]))
    assert (reply.status, reply.broken) == (200, False)
    assert gateway.usages[-1].tokens == USAGE[name].total
    assert gateway.usages[-1].cost_usd == round(PRICE.cost(USAGE[name]), 6)
    assert gateway.calls[0].complete


@pytest.mark.parametrize("name", FORMAT_NAMES)
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_an_answer_without_stream_is_paid_for_too(
    provider: FakeProvider, name: FormatName, coding: str
) -> None:
    provider.scripts = [whole(WHOLE[name], coding=coding)]

    with running_gateway(name, provider.url) as gateway:
        reply = gateway.ask(stream=False)

    assert reply.json() == WHOLE[name]
    assert gateway.usages[-1].tokens == USAGE[name].total


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_the_provider_gets_its_key_and_none_of_the_agents_headers(
    provider: FakeProvider, name: FormatName
) -> None:
    provider.scripts = [answer(name)]
    path, body = stream_request(name)

    with running_gateway(name, provider.url) as gateway:
        own = {
            "cookie": "a=b",
            "x-session-id": "ses_1",
            "x-forwarded-for": "1.2.3.4",
            "user-agent": "opencode",
        }
        gateway.post(path, body, gateway.headers(**own, **{"anthropic-version": "2023-06-01"}))

    [received] = provider.received
    assert (
        KEY
        in received.headers[{"messages": "x-api-key", "gemini": "x-goog-api-key"}.get(name, "authorization")]
    )
    assert set(received.headers) <= {
        "host", "content-type", "content-length", "accept", "accept-encoding", "user-agent", "anthropic-version",
        "authorization", "x-api-key", "x-goog-api-key",
    }  # fmt: skip
    assert gateway.gateway.token not in json.dumps([received.path, received.headers, received.body])
    assert received.headers["user-agent"] == "trackwalker"


def test_the_users_own_headers_and_parameters_reach_the_provider_and_only_harmless_betas(
    provider: FakeProvider,
) -> None:
    provider.scripts = [answer("messages")]
    path, body = stream_request("messages")
    own: dict[str, Any] = {"headers": {"X-Org": SecretStr("acme")}, "query": {"api-version": "v1"}}

    with running_gateway("messages", provider.url, **own) as gateway:
        betas = "interleaved-thinking-2025-05-14,mcp-client-2025-04-04,context-1m-2025-08-07"
        gateway.post(f"{path}?beta=true", body, gateway.headers(**{"anthropic-beta": betas}))

    [received] = provider.received
    assert received.path == "/v1/messages?api-version=v1"
    assert received.headers["x-org"] == "acme"
    assert received.headers["anthropic-beta"] == "interleaved-thinking-2025-05-14"


@pytest.mark.parametrize("name", FORMAT_NAMES)
@pytest.mark.parametrize(("asked", "sent"), [(None, 8000), (10**9, 8000), (500, 500)])
def test_the_length_of_an_answer_is_limited(
    provider: FakeProvider, name: FormatName, asked: int | None, sent: int
) -> None:
    provider.scripts = [answer(name)]
    path, body = stream_request(name)
    field = {"chat": "max_tokens", "responses": "max_output_tokens", "messages": "max_tokens"}.get(name)
    body = {key: value for key, value in body.items() if key != "max_tokens"}
    if asked and field:
        body |= {field: asked}
    elif asked:
        body |= {"generationConfig": {"maxOutputTokens": asked}}

    with running_gateway(name, provider.url) as gateway:
        gateway.post(path, body)

    received = provider.received[0].body
    assert (received[field] if field else received["generationConfig"]["maxOutputTokens"]) == sent


def test_a_stream_of_chat_completions_always_asks_for_its_usage(provider: FakeProvider) -> None:
    provider.scripts = [answer("chat")]

    with running_gateway("chat", provider.url) as gateway:
        gateway.ask(stream_options={"include_usage": False})

    assert provider.received[0].body["stream_options"] == {"include_usage": True}


def test_a_field_that_occurs_twice_is_passed_on_once(provider: FakeProvider) -> None:
    provider.scripts = [answer("chat")]
    twice = b'{"model": "dear", "messages": [], "max_tokens": 1, "model": "m1", "max_tokens": 999999999}'

    with running_gateway("chat", provider.url) as gateway:
        gateway.post("/v1/chat/completions", twice)

    assert provider.received[0].body == {"model": "m1", "messages": [], "max_tokens": 8000}


# ---- what is refused ----


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_a_call_with_another_token_is_refused(provider: FakeProvider, name: FormatName) -> None:
    path, body = stream_request(name)

    with running_gateway(name, provider.url) as gateway:
        token = gateway.gateway.token
        wrong: list[dict[str, str]] = [
            {}, {"authorization": "Bearer x"}, {"authorization": token}, {"x-api-key": ""}, {"api-key": token + "x"},
            {"authorization": f"Bearer {token}", "x-api-key": "other"}, {"authorization": "Basic " + token},
        ]  # fmt: skip
        replies = [
            gateway.post(path, body, {"content-type": "application/json"} | headers) for headers in wrong
        ]
        right = [
            {"authorization": f"Bearer {token}"},
            {"x-api-key": token},
            {"x-goog-api-key": token},
            {"api-key": token},
        ]
        provider.scripts = [answer(name)]
        served = [
            gateway.post(path, body, {"content-type": "application/json"} | headers) for headers in right
        ]

    assert {reply.status for reply in replies} == {401}
    assert {reply.status for reply in served} == {200}
    assert len(provider.received) == len(right)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"), ("POST", "/v1/files"), ("POST", "/v1/embeddings"), ("POST", "/v1/chat/completions/"),
        ("POST", "/v1/../v1/chat/completions"), ("POST", "//v1/chat/completions"), ("PUT", "/v1/chat/completions"),
        ("POST", "/v1/chat/completions%3f"), ("POST", "http://other.example/v1/chat/completions"), ("POST", "/["),
        ("POST", "/v1/messages"), ("POST", "/v1beta/models/m1:generateContent"), ("DELETE", "/v1/chat/completions"),
    ],
)  # fmt: skip
def test_only_the_address_of_the_api_is_served(provider: FakeProvider, method: str, path: str) -> None:
    with running_gateway("chat", provider.url) as gateway:
        reply = gateway.post(path, REQUESTS["chat"][1], method=method)

    assert reply.status == 404
    assert "served" in reply.json()["error"]["message"]
    assert provider.received == []


@pytest.mark.parametrize("name", FORMAT_NAMES)
@pytest.mark.parametrize("model", ["m2", "m1-large", "", "M1", None, ["m1"]])
def test_only_the_configured_model_is_served(provider: FakeProvider, name: FormatName, model: Any) -> None:
    path, body = stream_request(name)
    if name == "gemini":
        path = path.replace("/m1:", f"/{model or 'x'}:".replace("['m1']", "m1/../m2"))
    else:
        body = body | {"model": model}

    with running_gateway(name, provider.url) as gateway:
        reply = gateway.post(path, body)

    assert reply.status == 403
    assert "only the model m1" in json.dumps(reply.json())
    assert provider.received == []


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "text/plain"}, b"{}", 415),
        ({"content-encoding": "gzip"}, b"{}", 415),
        ({}, b"not json", 403),
        ({}, b'["list"]', 403),
        ({}, b'{"model": "m1", "temperature": NaN}', 403),
        ({}, b"[" * 200_000, 403),
        ({}, b'{"model": "m1", "messages": [], "stop": ' + b"[" * 300 + b"]" * 300 + b"}", 403),
        ({}, b"\xff\xfe", 403),
    ],
)
def test_a_body_that_is_no_plain_json_object_is_refused(
    provider: FakeProvider, headers: dict[str, str], body: bytes, status: int
) -> None:
    with running_gateway("chat", provider.url) as gateway:
        reply = gateway.post("/v1/chat/completions", body, gateway.headers(**headers))

    assert reply.status == status
    assert provider.received == []


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(provider: FakeProvider) -> None:
    with running_gateway("chat", provider.url) as gateway:
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n"
        received = gateway.send_raw(head.encode(), finish=False)

    assert received.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in received


# ---- faults of the provider ----


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_a_busy_provider_is_asked_again(provider: FakeProvider, status: int) -> None:
    provider.scripts = [whole({"error": {"message": "busy"}}, status), answer("chat")]

    with running_gateway("chat", provider.url) as gateway:
        reply = gateway.ask()

    assert (reply.status, len(provider.received)) == (200, 2)
    assert gateway.usages[-1].calls == 1
    gateway.gateway.check()


def test_a_provider_that_stays_busy_ends_the_run_as_busy(provider: FakeProvider) -> None:
    provider.scripts = [whole({"error": {"message": "slow down"}}, 429)]

    with running_gateway("chat", provider.url) as gateway:
        reply = gateway.ask()
        again = gateway.ask()

    assert (reply.status, again.status, len(provider.received)) == (429, 503, 4)
    with pytest.raises(AgentBusy, match="slow down"):
        gateway.gateway.check()
    assert gateway.usages[-1].cost_usd == 0


@pytest.mark.parametrize("waits", ["3600", "Fri, 01 Jan 2100 00:00:00 GMT", "3600.5"])
def test_a_provider_that_asks_for_a_long_wait_is_not_asked_again(provider: FakeProvider, waits: str) -> None:
    provider.scripts = [whole({"error": {"message": "later"}}, 429, retry_after=waits)]

    with running_gateway("chat", provider.url) as gateway:
        gateway.ask()

    assert len(provider.received) == 1
    with pytest.raises(AgentBusy) as busy:
        gateway.gateway.check()
    assert (busy.value.retry_after or 0) >= 3600


def test_a_short_wait_that_the_provider_asks_for_is_kept(provider: FakeProvider) -> None:
    provider.scripts = [whole({}, 503, retry_after="1"), answer("chat")]

    with running_gateway("chat", provider.url) as gateway:
        started = time.monotonic()
        reply = gateway.ask()

    assert reply.status == 200
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("name", FORMAT_NAMES)
@pytest.mark.parametrize("end", ["cut", "reset", "proper"])
def test_an_answer_that_breaks_off_breaks_the_agents_connection(
    provider: FakeProvider, name: FormatName, end: str
) -> None:
    # Even an orderly end: without a finish reason opencode would start the next turn at once.
    provider.scripts = [stream(stream_bytes(name, EVENTS[name][:2])[:2], end=end)]

    with running_gateway(name, provider.url) as gateway:
        replies = [gateway.ask() for _ in range(4)]

    assert [reply.broken for reply in replies] == [True, True, True, False]
    assert (replies[3].status, len(provider.received)) == (503, 3)
    assert gateway.usages[-1].tokens > 0
    with pytest.raises(AgentBusy, match="break off"):
        gateway.gateway.check()


def test_an_error_inside_a_stream_reaches_the_agent_and_counts_as_a_break(provider: FakeProvider) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    provider.scripts = [stream(stream_bytes("messages", [EVENTS["messages"][0], error]))]

    with running_gateway("messages", provider.url) as gateway:
        replies = [gateway.ask() for _ in range(3)]

    assert b"overloaded_error" in replies[0].body
    with pytest.raises(AgentBusy, match="Overloaded"):
        gateway.gateway.check()


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n-5\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"0" * 70_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\ncontent-type: application/json\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\n\r\nxyz",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nxyz",
        b"no http at all\r\n\r\n",
        b"",
    ],
)
def test_a_malformed_answer_ends_the_run_as_busy_within_bounds(provider: FakeProvider, data: bytes) -> None:
    provider.scripts = [raw(data)]

    with running_gateway("chat", provider.url) as gateway:
        replies = [gateway.ask() for _ in range(3)]

    assert all(reply.broken or reply.status >= 500 for reply in replies)
    with pytest.raises(AgentBusy):
        gateway.gateway.check()


def test_a_compressed_bomb_is_cut(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.gateway.model_gateway.MAX_ANSWER_BYTES", 2**20)
    provider.scripts = [whole(b" " * 2**26, coding="gzip")]

    with running_gateway("chat", provider.url) as gateway:
        reply = gateway.ask(stream=False)

    assert reply.broken
    assert len(reply.body) < 2**21


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(provider: FakeProvider, status: int) -> None:
    provider.scripts = [whole(b"", status, location="http://other.example/")]

    with running_gateway("chat", provider.url) as gateway:
        reply = gateway.ask()

    assert (reply.status, len(provider.received)) == (402, 1)
    assert "location" not in reply.headers
    with pytest.raises(AgentRefused, match="baseURL"):
        gateway.gateway.check()


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_provider_that_refuses_every_call_ends_the_run_and_its_key_is_not_repeated(
    provider: FakeProvider, status: int
) -> None:
    error = {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}
    provider.scripts = [whole(error, status)]

    with running_gateway("chat", provider.url) as gateway:
        reply = gateway.ask()

    assert (reply.status, len(provider.received)) == (status, 1)
    assert KEY.encode() not in reply.body
    with pytest.raises(AgentRefused, match=str(status)) as refused:
        gateway.gateway.check()
    assert KEY not in str(refused.value)


def test_an_error_that_the_agent_can_correct_is_passed_on_and_does_not_end_the_run(
    provider: FakeProvider,
) -> None:
    error = {"error": {"message": "too long", "code": "context_length_exceeded"}}
    provider.scripts = [whole(error, 400), whole(b"<html>no</html>", 422, content_type="text/html")]

    with running_gateway("chat", provider.url) as gateway:
        reply, page = gateway.ask(), gateway.ask()

    assert (reply.status, reply.json()) == (400, error)
    assert page.json()["error"]["message"] == "<html>no</html>"
    gateway.gateway.check()


def test_a_web_page_in_place_of_an_answer_names_the_setting(provider: FakeProvider) -> None:
    provider.scripts = [whole(b"<html>log in</html>", content_type="text/html")]

    with running_gateway("chat", provider.url) as gateway:
        gateway.ask()

    with pytest.raises(AgentRefused, match=r"OPENCODE_CONFIG.*baseURL"):
        gateway.gateway.check()


def test_a_call_to_a_silent_provider_ends(provider: FakeProvider) -> None:
    provider.scripts = [silent, answer("chat")]

    with running_gateway("chat", provider.url, silence_seconds=0.3) as gateway:
        reply = gateway.ask()

    assert (reply.status, len(provider.received)) == (200, 2)


def test_a_provider_that_falls_silent_within_a_stream_is_cut(provider: FakeProvider) -> None:
    provider.scripts = [stream(stream_bytes("chat", EVENTS["chat"][:2])[:2], end="hang")]

    with running_gateway("chat", provider.url, silence_seconds=0.3) as gateway:
        reply = gateway.ask()

    assert reply.broken


def test_an_unreachable_provider_ends_the_run_as_busy(provider: FakeProvider) -> None:
    with running_gateway("chat", f"http://127.0.0.1:{free_port()}") as gateway:
        reply = gateway.ask()

    assert reply.status == 502
    with pytest.raises(AgentBusy, match="refused"):
        gateway.gateway.check()
    assert gateway.usages[-1].tokens == 0


# ---- time ----


def test_after_the_deadline_no_call_is_made(provider: FakeProvider) -> None:
    with running_gateway("chat", provider.url, deadline_seconds=-1) as gateway:
        reply = gateway.ask()

    assert (reply.status, provider.received) == (504, [])


def test_a_stream_is_cut_at_the_deadline(provider: FakeProvider) -> None:
    provider.scripts = [stream(stream_bytes("chat", EVENTS["chat"]), pause_seconds=0.2)]

    with running_gateway("chat", provider.url, deadline_seconds=0.5) as gateway:
        reply = gateway.ask()

    assert reply.broken


def test_closing_the_gateway_ends_a_call_and_settles_it(provider: FakeProvider) -> None:
    provider.scripts = [stream(stream_bytes("chat", EVENTS["chat"][:3])[:3], end="hang")]

    with running_gateway("chat", provider.url) as gateway:
        thread = threading.Thread(target=gateway.ask)
        thread.start()
        wait_until(lambda: provider.received, what="the call of the provider")
        started = time.monotonic()
        gateway.gateway.close()
        thread.join(20)
        seconds = time.monotonic() - started

    assert seconds < 8  # the gateway would give up a silent provider after 10 s
    assert gateway.usages[-1].calls == 1
    assert gateway.usages[-1].cost_usd < gateway.usages[0].cost_usd
