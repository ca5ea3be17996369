"""The stored request quota: what the client reports, what the store keeps, and the ping interval that follows."""

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

from tests.support.fakes.railway import Budget, FakeRailway, World
from tests.support.fakes.serving import serve
from workers.clients.railway import Railway
from workers.clients.railway.quota import RateLimit
from workers.engine import records
from workers.engine.schema import RATE_LIMIT
from workers.engine.worker_store import WorkerStore
from workers.errors import NotAvailable, RailwayBusy
from workers.incidents.request_quota import (
    TTL_SECONDS,
    describe,
    next_ping,
    ping_interval,
    read,
    store_history_cost,
    store_sweep_cost,
)
from workers.models import Environment
from workers.pipeline.services import Services
from workers.pipeline.stages import survey
from workers.runtime import settings
from workers.runtime.store import client as connect

HERE = Environment(project_id="prj", environment_id="env")
NOW = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)


def rate_limit(remaining: int, minutes: float = 60, limit: int = 1000) -> RateLimit:
    return RateLimit(limit=limit, remaining=remaining, resets_at=NOW + timedelta(minutes=minutes))


# ---- the client's report ---------------------------------------------------------------------


def test_the_client_reports_its_requests_and_the_newest_rate_limit() -> None:
    fake = FakeRailway(World("prj", "acme", "env", "production"))
    resets = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    fake.budget.limit, fake.budget.resets_at = 5, resets.timestamp()
    with serve(fake.app) as server:
        railway = Railway(server.url, token=SecretStr(fake.token))
        counted = railway.with_own_count()

        railway.deployments(HERE)
        counted.deployments(HERE)

        assert (railway.requests_sent, counted.requests_sent) == (1, 1)
        assert railway.rate_limit == RateLimit(limit=5, remaining=3, resets_at=resets)
        railway.close()


def test_a_spent_rate_limit_raises_railway_busy_with_the_time_until_the_reset() -> None:
    fake = FakeRailway(World("prj", "acme", "env", "production"))
    fake.budget.limit = 0
    with serve(fake.app) as server:
        railway = Railway(server.url, token=SecretStr(fake.token))

        with pytest.raises(RailwayBusy) as caught:
            railway.deployments(HERE)

        assert caught.value.retry_after and caught.value.retry_after > 0
        railway.close()


# ---- ping interval ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reported", "cost", "seconds"),
    [
        (None, 9, 600), (rate_limit(1000), 9, 600), (rate_limit(1000), 0, 600),
        (rate_limit(0, minutes=-1), 9, 600), (rate_limit(245), 9, 720), (rate_limit(209), 9, 3600),
        (rate_limit(0), 9, 3600), (rate_limit(0, minutes=30), 9, 1800), (rate_limit(0, minutes=5), 9, 600),
        (rate_limit(0, minutes=600), 9, 3600), (rate_limit(1, limit=1), 1, 3600),
    ],
)  # fmt: skip
def test_the_ping_interval_makes_the_remaining_requests_last_until_the_reset(
    reported: RateLimit | None, cost: int, seconds: float
) -> None:
    assert ping_interval(600, reported, cost, NOW) == seconds


def test_a_fifth_of_the_limit_is_left_at_the_reset_from_every_starting_point() -> None:
    for limit, used, cost, minutes in itertools.product((100, 1000), range(0, 80, 7), (1, 8, 9), (3, 30, 60)):
        remaining = limit - used * limit // 100
        interval = ping_interval(60, rate_limit(remaining, minutes, limit), cost, NOW)
        pings = math.ceil(minutes * 60 / interval) - 1

        assert remaining - pings * cost >= limit / 5
        assert 60 <= interval <= 3600


def test_the_interval_leaves_room_for_the_sweep_of_the_ping_just_accepted(journal: WorkerStore) -> None:
    store_sweep_cost(journal, "env", rate_limit(250), 9, NOW)

    assert next_ping(journal, 600, NOW) == ping_interval(600, rate_limit(241), 9, NOW)


def test_a_ping_that_sweeps_two_environments_costs_both_sweeps(journal: WorkerStore) -> None:
    store_sweep_cost(journal, "first", rate_limit(300), 9, NOW)
    store_sweep_cost(journal, "second", rate_limit(290), 11, NOW)

    assert next_ping(journal, 600, NOW) == ping_interval(600, rate_limit(270), 20, NOW)


def test_no_longer_interval_is_requested_while_enough_requests_are_left(journal: WorkerStore) -> None:
    assert next_ping(journal, 600, NOW) is None

    store_sweep_cost(journal, "env", rate_limit(990), 9, NOW)

    assert next_ping(journal, 600, NOW) is None


# ---- the store -------------------------------------------------------------------------------


def test_the_stored_quota_expires(journal: WorkerStore, store: redis.Redis) -> None:
    store_sweep_cost(journal, "env", rate_limit(5), 9, NOW)

    assert 0 < store.ttl(RATE_LIMIT) <= TTL_SECONDS


def test_a_sweep_of_hours_ago_does_not_count(journal: WorkerStore) -> None:
    store_sweep_cost(journal, "removed", rate_limit(5), 9, NOW - timedelta(hours=3))
    store_sweep_cost(journal, "env", None, 8, NOW)

    quota = read(journal, NOW)

    assert (quota.requests_per_ping, quota.rate_limit) == (8, rate_limit(5))


def test_backfill_requests_are_described_and_are_not_part_of_the_cost_of_a_ping(
    journal: WorkerStore,
) -> None:
    store_sweep_cost(journal, "env", rate_limit(250), 9, NOW)

    store_history_cost(journal, "env", rate_limit(226), 24, NOW)

    quota = read(journal, NOW)
    assert describe(quota, NOW).endswith("226 of 1000 requests left until 04:04 UTC; last sweep used 33")
    assert quota.requests_per_ping == 9


def test_a_stored_value_that_cannot_be_parsed_counts_as_absent(
    journal: WorkerStore, store: redis.Redis
) -> None:
    store.hset(RATE_LIMIT, mapping={"rate_limit": b"\xff{", "used:env": b"9"})

    quota = read(journal, NOW)

    assert (quota.rate_limit, quota.sweeps, describe(quota, NOW)) == (None, (), "")


def test_storing_the_cost_does_not_fail_while_redis_is_unavailable() -> None:
    unavailable = WorkerStore(connect("redis://127.0.0.1:1/0"))

    store_sweep_cost(unavailable, "env", rate_limit(5), 9, NOW)

    with pytest.raises(NotAvailable):
        read(unavailable, NOW)


# ---- a sweep ---------------------------------------------------------------------------------


def test_a_sweep_stores_its_cost_and_the_rate_limit(journal: WorkerStore, sweep_key: str) -> None:
    fake = FakeRailway(World("prj", "acme", "env", "production"))
    fake.budget.limit = 100

    sweep(journal, sweep_key, fake)

    quota = read(journal, NOW)
    assert quota.rate_limit and (quota.rate_limit.limit, quota.rate_limit.remaining) == (100, 97)
    assert [cost.requests for cost in quota.sweeps] == [3]


def test_a_sweep_that_railway_refuses_still_stores_the_rate_limit(
    journal: WorkerStore, sweep_key: str
) -> None:
    fake = FakeRailway(World("prj", "acme", "env", "production"))
    fake.budget = Budget(limit=100, spent=100, resets_at=time.time() + 600)

    with pytest.raises(RailwayBusy):
        sweep(journal, sweep_key, fake)

    quota = read(journal, NOW)
    assert (quota.rate_limit and quota.rate_limit.remaining, quota.sweeps) == (0, ())


def sweep(journal: WorkerStore, key: str, fake: FakeRailway) -> None:
    """Runs the survey stage as a worker would at NOW; it uses the store and Railway only."""
    claim = journal.claim(key, "survey")
    assert claim is not None
    claim.record(records.ENVIRONMENT, Environment(project_id="prj", environment_id="env"))

    def answer(request: httpx.Request) -> httpx.Response:
        granted, headers = fake.budget.spend(time.time())
        status, body = fake.ask(json.loads(request.content)) if granted else (429, {})
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
