"""How far Railway's requests reach: what its headers say, what is kept of it, how the pings make room."""

from __future__ import annotations

import itertools
import json
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import redis
from pydantic import SecretStr

from tests.support.fakes.railway import Budget, RailwayStandIn, World
from tests.support.fakes.serving import serve
from workers.clients.railway import Railway
from workers.clients.railway.headers import Pace, allowance, newest
from workers.engine import records
from workers.engine.journal import JournalStore
from workers.errors import NotAvailable, RailwayBusy
from workers.incidents.request_quota import (
    KEY,
    TTL_SECONDS,
    RateLimit,
    describe,
    keep,
    keep_past,
    next_ping,
    ping_interval,
    read,
)
from workers.models import Environment
from workers.pipeline.stages import Services, survey
from workers.runtime import settings
from workers.runtime.store import client as connect

NOW = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)
EPOCH = NOW.timestamp()
SOON = NOW + timedelta(seconds=600)


def left(remaining: int, minutes: float = 60, limit: int = 1000) -> RateLimit:
    return RateLimit(limit=limit, remaining=remaining, resets_at=NOW + timedelta(minutes=minutes))


# ---- headers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reset",
    [
        f"{EPOCH + 600:.0f}", f"{(EPOCH + 600) * 1000:.0f}", "600", "2026-11-23T03:14:05Z",
        "2026-11-23T04:14:05+01:00", "2026-11-23T03:14:05", "Mon, 23 Nov 2026 03:14:05 GMT",
    ],
)  # fmt: skip
def test_a_reset_is_understood_in_every_form(reset: str) -> None:
    headers = httpx.Headers(
        {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "812", "X-RateLimit-Reset": reset}
    )

    assert allowance(headers, NOW) == RateLimit(limit=1000, remaining=812, resets_at=SOON)


@pytest.mark.parametrize(
    "reset", ["", "soon", "-5", "9" * 15, "9" * 40, "2030-01-01T00:00:00Z", "9999999999999", "\x00"]
)
def test_a_reset_that_cannot_be_meant_is_within_the_hour(reset: str) -> None:
    headers = httpx.Headers([(b"x-ratelimit-limit", b"10"), (b"x-ratelimit-remaining", b"3"),
                             (b"x-ratelimit-reset", reset.encode())])  # fmt: skip

    said = allowance(headers, NOW)

    assert said and said.resets_at == NOW + timedelta(hours=1)


def test_a_limit_may_stand_in_the_policy_only() -> None:
    headers = httpx.Headers(
        {"X-RateLimit-Remaining": "40", "RateLimit-Policy": '"burst";q=10;w=1, "hour";q=1000;w=3600'}
    )

    assert allowance(headers, NOW) == left(40)


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"X-RateLimit-Limit": "1000"}, {"X-RateLimit-Remaining": "5"},
        {"X-RateLimit-Limit": "many", "X-RateLimit-Remaining": "5"},
        {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "-5"},
        {"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0"},
        {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "9" * 400},
    ],
)  # fmt: skip
def test_headers_that_say_nothing_clear_say_nothing(headers: dict[str, str]) -> None:
    assert allowance(httpx.Headers(headers), NOW) is None


def test_of_answers_that_overtake_each_other_the_smaller_rest_counts() -> None:
    assert newest(left(5), left(7)) == left(5)
    assert newest(left(7), left(5)) == left(5)
    assert newest(left(5), left(1000, minutes=120)) == left(1000, minutes=120)


def test_the_client_knows_what_railway_said_last_and_how_often_it_asked() -> None:
    standin = RailwayStandIn(World("prj", "acme", "env", "production"))
    resets = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    standin.budget.limit, standin.budget.resets_at = 5, resets.timestamp()
    with serve(standin.app) as running:
        railway = Railway(running.url, token=SecretStr(standin.token))
        apart = railway.counted()

        railway.project_name("prj")
        apart.project_name("prj")

        assert (railway.sent, apart.sent) == (1, 1)
        assert railway.rate_limit == RateLimit(limit=5, remaining=3, resets_at=resets)
        railway.close()


def test_nothing_left_is_busy_until_the_reset_and_known() -> None:
    standin = RailwayStandIn(World("prj", "acme", "env", "production"))
    standin.budget.limit = 0
    with serve(standin.app) as running:
        railway = Railway(running.url, token=SecretStr(standin.token))

        with pytest.raises(RailwayBusy) as caught:
            railway.project_name("prj")

        assert caught.value.retry_after and caught.value.retry_after > 0
        railway.close()


# ---- pace ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("known", "most"), [(None, 9), (left(900), 9), (left(900, limit=10_000), 45)])
def test_no_more_requests_begin_within_a_second_than_the_plan_takes(
    known: RateLimit | None, most: int
) -> None:
    now = [0.0]
    pace = Pace(lambda: now[0], lambda seconds: now.append(now.pop() + seconds))
    begun = []

    for _ in range(200):
        pace.wait(known)
        begun.append(now[0])
        now[0] += 1 / 1024  # exact: no rounding decides

    assert all(later - sooner >= 1 for sooner, later in zip(begun, begun[most:], strict=False))
    assert begun[most - 1] < 1 <= begun[most]


# ---- stretching ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "cost", "seconds"),
    [
        (None, 9, 600), (left(1000), 9, 600), (left(1000), 0, 600), (left(0, minutes=-1), 9, 600),
        (left(245), 9, 720), (left(209), 9, 3600), (left(0), 9, 3600), (left(0, minutes=30), 9, 1800),
        (left(0, minutes=5), 9, 600), (left(0, minutes=600), 9, 3600), (left(1, limit=1), 1, 3600),
    ],
)  # fmt: skip
def test_pings_are_as_far_apart_as_what_remains_lasts(
    allowed: RateLimit | None, cost: int, seconds: float
) -> None:
    assert ping_interval(600, allowed, cost, NOW) == seconds


def test_a_fifth_of_the_limit_is_left_at_the_reset_whatever_there_was() -> None:
    for limit, used, cost, minutes in itertools.product((100, 1000), range(0, 80, 7), (1, 8, 9), (3, 30, 60)):
        remaining = limit - used * limit // 100
        apart = ping_interval(60, left(remaining, minutes, limit), cost, NOW)
        before_the_reset = math.ceil(minutes * 60 / apart) - 1

        assert remaining - before_the_reset * cost >= limit / 5
        assert 60 <= apart <= 3600


def test_the_sweep_of_the_ping_just_taken_is_still_to_be_paid(journal: JournalStore) -> None:
    keep(journal, "env", left(250), 9, NOW)

    assert next_ping(journal, 600, NOW) == ping_interval(600, left(241), 9, NOW)


def test_a_ping_that_sweeps_two_environments_pays_for_both(journal: JournalStore) -> None:
    keep(journal, "one", left(300), 9, NOW)
    keep(journal, "two", left(290), 11, NOW)

    assert next_ping(journal, 600, NOW) == ping_interval(600, left(270), 20, NOW)


def test_with_enough_left_nothing_is_said(journal: JournalStore) -> None:
    assert next_ping(journal, 600, NOW) is None

    keep(journal, "env", left(990), 9, NOW)

    assert next_ping(journal, 600, NOW) is None


# ---- the store -------------------------------------------------------------------------------


def test_what_was_kept_ends_by_itself(journal: JournalStore, store: redis.Redis) -> None:
    keep(journal, "env", left(5), 9, NOW)

    assert 0 < store.ttl(KEY) <= TTL_SECONDS


def test_what_was_spent_long_ago_is_not_counted(journal: JournalStore) -> None:
    keep(journal, "gone", left(5), 9, NOW - timedelta(hours=3))
    keep(journal, "env", None, 8, NOW)

    known = read(journal, NOW)

    assert (known.per_ping, known.allowance) == (8, left(5))


def test_what_a_sweep_read_of_the_past_is_told_and_no_ping_needs_it_again(journal: JournalStore) -> None:
    keep(journal, "env", left(250), 9, NOW)

    keep_past(journal, "env", left(226), 24, NOW)

    known = read(journal, NOW)
    assert describe(known, NOW).endswith("226 of 1000 requests left until 04:04 UTC; last sweep used 33")
    assert known.per_ping == 9


def test_what_cannot_be_read_is_not_known(journal: JournalStore, store: redis.Redis) -> None:
    store.hset(KEY, mapping={"allowance": b"\xff{", "used:env": b"9"})

    known = read(journal, NOW)

    assert (known.allowance, known.sweeps, describe(known, NOW)) == (None, (), "")


def test_a_store_that_is_away_fails_no_sweep() -> None:
    away = JournalStore(connect("redis://127.0.0.1:1/0"))

    keep(away, "env", left(5), 9, NOW)

    with pytest.raises(NotAvailable):
        read(away, NOW)


# ---- a sweep ---------------------------------------------------------------------------------


def test_a_sweep_leaves_what_it_cost_and_what_is_left(journal: JournalStore, sweep_key: str) -> None:
    standin = RailwayStandIn(World("prj", "acme", "env", "production"))
    standin.budget.limit = 100

    sweep(journal, sweep_key, standin)

    known = read(journal, NOW)
    assert known.allowance and (known.allowance.limit, known.allowance.remaining) == (100, 97)
    assert [one.requests for one in known.sweeps] == [3]


def test_a_sweep_that_railway_refuses_leaves_what_is_left_all_the_same(
    journal: JournalStore, sweep_key: str
) -> None:
    standin = RailwayStandIn(World("prj", "acme", "env", "production"))
    standin.budget = Budget(limit=100, spent=100, resets_at=time.time() + 600)

    with pytest.raises(RailwayBusy):
        sweep(journal, sweep_key, standin)

    known = read(journal, NOW)
    assert (known.allowance and known.allowance.remaining, known.sweeps) == (0, ())


def sweep(journal: JournalStore, key: str, standin: RailwayStandIn) -> None:
    """The sweep's first stage, as the worker would do it at NOW; it uses nothing but the store and Railway."""
    claim = journal.claim(key, "survey")
    assert claim is not None
    claim.record(records.ENVIRONMENT, Environment(project_id="prj", environment_id="env"))

    def answer(request: httpx.Request) -> httpx.Response:
        granted, headers = standin.budget.spend(time.time())
        status, body = standin.ask(json.loads(request.content)) if granted else (429, {})
        return httpx.Response(status, json=body, headers=headers)

    railway = Railway(
        "http://railway.test",
        token=SecretStr("t"),
        http=httpx.Client(transport=httpx.MockTransport(answer)),
    )
    unused: Any = None
    services = Services(
        settings=settings.read({}, None), store=journal, railway=railway, github=unused, slack=None,
        repositories=unused, remediation=unused, now=lambda: NOW,
    )  # fmt: skip
    survey(services, claim)
