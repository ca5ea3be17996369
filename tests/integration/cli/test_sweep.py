"""`python -m workers sweep`: one look against the past that is stored, or that Railway holds; one JSON line each."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import UNREACHABLE_REDIS, run_command
from tests.support.fakes.railway import (  # fmt: skip
    FakeRailway,
    Request,
    Sample,
    World,
    WorldDeployment,
    WorldService,
)
from tests.support.fakes.serving import serve
from workers.engine.journal_store import JournalStore
from workers.history import summary_store
from workers.models import Summary

HOURS = 4


def slow_shop() -> WorldService:
    """A service that has always answered in two seconds, and began to fail ten minutes ago."""
    now = time.time()
    live = WorldDeployment("dep", "svc-shop", "SUCCESS", now - HOURS * 3600, None, {})
    made = WorldService(
        "svc-shop", "shop", domains=["shop.up.railway.app"], deployments=[live], active=["dep"]
    )
    for n in range(HOURS * 60):
        at = now - 60 * n
        made.samples.append(Sample(at, "i", "dep", 0.5, 1.0))
        status = 500 if n < 10 else 200
        made.requests += [Request(at + i / 10, "GET", "/", status, 2000.0, "dep") for i in range(4)]
    return made


@pytest.fixture
def fake_railway() -> FakeRailway:
    return FakeRailway(World("prj", "acme", "env", "production", [slow_shop()]))


@pytest.fixture
def watching(fake_railway: FakeRailway) -> Iterator[dict[str, str]]:
    """The settings under which the commands look at the stand-in."""
    with serve(fake_railway.app, fake_railway.faults) as server:
        yield {
            "RAILWAY_API_URL": server.url, "RAILWAY_API_TOKEN": fake_railway.token,
            "TRACKWALKER_ENVIRONMENTS": "prj/env",
        }  # fmt: skip


def report(said: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said)
    return found


def test_a_sweep_is_one_json_line(tmp_path: Path, watching: dict[str, str]) -> None:
    ended = run_command(tmp_path, "sweep", "--json", **watching)

    said = report(ended.stdout)
    assert (ended.stdout.count("\n"), said["environment"], said["failed_reads"]) == (1, "acme/production", [])
    [shop] = said["services"]
    assert (shop["service"], shop["sick"], said["cause"]) == ("shop", True, ["shop"])
    assert {"kind", "severity", "since", "ongoing", "numbers", "sentence"} <= shop["findings"][0].keys()
    assert shop["summary"]["5xx"] >= 36


def test_without_a_store_it_is_judged_against_what_railway_holds(
    tmp_path: Path, watching: dict[str, str]
) -> None:
    ended = run_command(tmp_path, "sweep", "--json", **watching)

    assert "no history: REDIS_URL: not set" in ended.stderr
    assert "comparing with the last 24 hours from Railway" in ended.stderr
    [errors] = [
        one for one in report(ended.stdout)["services"][0]["findings"] if one["kind"] == "server_errors"
    ]
    assert errors["numbers"]["baseline_percent"] == 0


def test_the_stored_past_is_used_where_a_store_can_be_reached(
    tmp_path: Path, watching: dict[str, str], journal: JournalStore, store_url: str, fake_railway: FakeRailway
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    ends = [now - timedelta(minutes=30 * n) for n in range(10, 0, -1)]
    known = [Summary(at=at, minutes=30, requests=1000, server_errors=500, ok=500) for at in ends]
    summary_store.store(journal, "env", {"svc-shop": known}, now)

    ended = run_command(tmp_path, "sweep", "--json", REDIS_URL=store_url, **watching)

    assert ended.stderr == ""
    findings = report(ended.stdout)["services"][0]["findings"]
    assert {one["kind"]: one["severity"] for one in findings}["server_errors"] == "notice"
    assert len(fake_railway.operations) < 8


def test_a_store_without_a_past_is_left_as_it_is(
    tmp_path: Path, watching: dict[str, str], journal: JournalStore, store_url: str
) -> None:
    ended = run_command(tmp_path, "sweep", REDIS_URL=store_url, **watching)

    assert "no history: none is stored yet" in ended.stderr
    assert journal.client.dbsize() == 0


def test_a_store_that_is_away_costs_a_sweep_nothing_but_the_past(
    tmp_path: Path, watching: dict[str, str]
) -> None:
    ended = run_command(tmp_path, "sweep", REDIS_URL=UNREACHABLE_REDIS, **watching)

    assert ended.returncode == 0
    assert "no history: Redis does not answer" in ended.stderr
    assert "sekret" not in ended.stderr
    assert "shop: 100 % of requests failing" in ended.stdout


def test_the_window_alone_is_judged_on_demand(
    tmp_path: Path, watching: dict[str, str], fake_railway: FakeRailway
) -> None:
    ended = run_command(tmp_path, "sweep", "--no-history", **watching)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(fake_railway.operations) < 8
