"""No call is made after the budget is gone, and calls at once never spend more than one call's limit beyond it."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.fakes.model_provider import Exchange, FakeProvider, Script, stream
from tests.support.model_gateway import PRICE, running_gateway
from tests.support.model_streams import EVENTS, FORMAT_NAMES, USAGE, stream_bytes, stream_request
from tests.support.polling import wait_until
from workers.errors import AgentRefused
from workers.gateway.call_budget import RunBudget
from workers.gateway.formats import FormatName
from workers.models import Usage


def answer(name: FormatName = "chat", pause_seconds: float = 0.0) -> Script:
    return stream(stream_bytes(name, EVENTS[name]), pause_seconds=pause_seconds)


ONE_CALL = PRICE.cost(USAGE["chat"])
CLAMP = PRICE.upper_bound(2500, 8000)
"""The highest cost of one call of these tests, in US dollars."""


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_every_call_after_the_end_of_the_budget_is_answered_with_402(
    provider: FakeProvider, name: FormatName
) -> None:
    provider.scripts = [answer(name)]

    with running_gateway(name, provider.url, cost_usd=2.5 * PRICE.cost(USAGE[name])) as gateway:
        replies = [gateway.ask() for _ in range(6)]

    assert [reply.status for reply in replies] == [200, 200, 200, 402, 402, 402]
    assert len(provider.received) == 3
    assert "error" in replies[5].json()
    with pytest.raises(AgentRefused, match="budget"):
        gateway.gateway.check()


def test_calls_at_once_exceed_the_budget_by_one_call_at_most(provider: FakeProvider) -> None:
    provider.scripts = [answer(pause_seconds=0.01)]
    limit = 3.5 * ONE_CALL

    with running_gateway("chat", provider.url, cost_usd=limit) as gateway, ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: gateway.ask(), range(24)))

    served = sum(reply.status == 200 for reply in replies)
    assert served == len(provider.received) == 4
    assert {reply.status for reply in replies} == {200, 402}
    assert limit < gateway.budget.usage.cost_usd <= limit + CLAMP


def test_calls_at_once_run_side_by_side_while_the_budget_covers_them(provider: FakeProvider) -> None:
    provider.scripts = [answer(pause_seconds=0.03)]

    with running_gateway("chat", provider.url) as gateway, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: gateway.ask(), range(4)))

    assert provider.most_at_once > 1


def test_a_model_without_a_price_is_limited_by_tokens(provider: FakeProvider) -> None:
    provider.scripts = [answer()]

    with running_gateway("chat", provider.url, price=None, tokens=2000, cost_usd=0.001) as gateway:
        replies = [gateway.ask() for _ in range(3)]

    assert [reply.status for reply in replies] == [200, 200, 402]
    assert gateway.budget.usage == Usage(cost_usd=0, tokens=2520, calls=2, seconds=gateway.usages[-1].seconds)


def test_the_number_of_calls_is_limited(provider: FakeProvider) -> None:
    provider.scripts = [answer()]

    with running_gateway("chat", provider.url, calls=2) as gateway:
        replies = [gateway.ask() for _ in range(3)]

    assert [reply.status for reply in replies] == [200, 200, 402]


def test_the_usage_with_the_reservation_is_recorded_before_the_provider_is_asked(
    provider: FakeProvider,
) -> None:
    recorded: list[int] = []

    with running_gateway("chat", provider.url) as gateway:

        def script(exchange: Exchange) -> None:
            recorded.append(len(gateway.usages))
            answer()(exchange)

        provider.scripts = [script]
        gateway.ask()

    assert recorded == [1]
    reserved, settled = gateway.usages
    assert reserved.cost_usd > 8000 * PRICE.output / 1e6 > settled.cost_usd > 0
    assert (reserved.calls, settled.calls) == (1, 1)


def test_an_agent_that_leaves_pays_for_the_bytes_that_came(provider: FakeProvider) -> None:
    provider.scripts = [answer(pause_seconds=0.1)]
    path, _ = stream_request("chat")

    with running_gateway("chat", provider.url) as gateway:
        threading.Thread(target=_leave, args=(gateway.port, gateway.gateway.token, path)).start()
        wait_until(lambda: len(gateway.usages) >= 2, what="the settled call")

    settled = gateway.usages[-1]
    assert 0 < settled.tokens < gateway.usages[0].tokens
    assert gateway.calls[0].note == "the agent left"


def _leave(port: int, token: str, path: str) -> None:
    body = b'{"model": "m1", "messages": [], "stream": true}'
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        connection.recv(100)


def test_impossible_usage_is_replaced_by_an_estimate_from_bytes(provider: FakeProvider) -> None:
    nonsense = {"prompt_tokens": -5, "completion_tokens": 10**30, "total_tokens": "many"}
    events = [EVENTS["chat"][-2], EVENTS["chat"][-1] | {"usage": nonsense}]
    provider.scripts = [stream(stream_bytes("chat", events))]

    with running_gateway("chat", provider.url) as gateway:
        gateway.ask()

    size = sum(map(len, stream_bytes("chat", events)))
    assert size < gateway.usages[-1].tokens < size + 500


def test_the_budget_of_a_resumed_run_begins_where_the_crashed_one_ended() -> None:
    budget = RunBudget(1.0, 1000, 10, before=Usage(cost_usd=1.0, tokens=5, calls=1))

    assert isinstance(budget.reserve(0.1, 10, time.monotonic() + 1), str)
