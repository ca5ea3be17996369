"""`trackwalker sweep`: one check against the stored history or that of Railway, one JSON line per environment."""

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
    """A service that always took two seconds per request and began to fail ten minutes ago."""
    now = time.time()
    live = WorldDeployment("dep", "svc-shop", "SUCCESS", now - HOURS * 3600, None, {})
    service = WorldService(
        "svc-shop", "shop", domains=["shop.up.railway.app"], deployments=[live], active=["dep"]
    )
    for n in range(HOURS * 60):
        at = now - 60 * n
        service.samples.append(Sample(at, "i", "dep", 0.5, 1.0))
        status = 500 if n < 10 else 200
        service.requests += [Request(at + i / 10, "GET", "/", status, 2000.0, "dep") for i in range(4)]
    return service


@pytest.fixture
def fake_railway() -> FakeRailway:
    return FakeRailway(World("prj", "acme", "env", "production", [slow_shop()]))


@pytest.fixture
def settings(fake_railway: FakeRailway) -> Iterator[dict[str, str]]:
    """Environment variables that point the commands at the fake Railway."""
    with serve(fake_railway.app, fake_railway.faults) as server:
        yield {
            "RAILWAY_API_URL": server.url, "RAILWAY_API_TOKEN": fake_railway.token,
            "TRACKWALKER_ENVIRONMENTS": "prj/env",
        }  # fmt: skip


def parse_report(output: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(output)
    return result


def test_a_sweep_is_one_json_line(tmp_path: Path, settings: dict[str, str]) -> None:
    result = run_command(tmp_path, "sweep", "--json", **settings)

    report = parse_report(result.stdout)
    assert (result.stdout.count("\n"), report["environment"], report["failed_reads"]) == (
        1,
        "acme/production",
        [],
    )
    [shop] = report["services"]
    assert (shop["service"], shop["sick"], report["cause"]) == ("shop", True, ["shop"])
    assert {"kind", "severity", "since", "ongoing", "numbers", "sentence"} <= shop["findings"][0].keys()
    assert shop["summary"]["5xx"] >= 36


def test_without_redis_the_history_comes_from_railway(tmp_path: Path, settings: dict[str, str]) -> None:
    result = run_command(tmp_path, "sweep", "--json", **settings)

    assert "no history: REDIS_URL: not set" in result.stderr
    assert "comparing with the last 24 hours from Railway" in result.stderr
    [errors] = [
        finding
        for finding in parse_report(result.stdout)["services"][0]["findings"]
        if finding["kind"] == "server_errors"
    ]
    assert errors["numbers"]["baseline_percent"] == 0


def test_the_stored_history_is_used_if_redis_is_available(
    tmp_path: Path, settings: dict[str, str], journal: JournalStore, store_url: str, fake_railway: FakeRailway
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    ends = [now - timedelta(minutes=30 * n) for n in range(10, 0, -1)]
    summaries = [Summary(at=at, minutes=30, requests=1000, server_errors=500, ok=500) for at in ends]
    summary_store.save(journal, "env", {"svc-shop": summaries}, now)

    result = run_command(tmp_path, "sweep", "--json", REDIS_URL=store_url, **settings)

    assert result.stderr == ""
    findings = parse_report(result.stdout)["services"][0]["findings"]
    errors = next(finding for finding in findings if finding["kind"] == "server_errors")
    # The requests have failed since the history begins.
    assert errors["severity"] == "warning"
    assert errors["chronic"]
    assert len(fake_railway.operations) < 8


def test_a_sweep_stores_nothing(
    tmp_path: Path, settings: dict[str, str], journal: JournalStore, store_url: str
) -> None:
    result = run_command(tmp_path, "sweep", REDIS_URL=store_url, **settings)

    assert "no history: none is stored yet" in result.stderr
    assert journal.client.dbsize() == 0


def test_an_unavailable_redis_costs_a_sweep_only_the_stored_history(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    result = run_command(tmp_path, "sweep", REDIS_URL=UNREACHABLE_REDIS, **settings)

    assert result.returncode == 0
    assert "no history: Redis at" in result.stderr
    assert "sekret" not in result.stderr
    assert "shop: 100 % of requests failing" in result.stdout


def test_no_history_is_read_on_request(
    tmp_path: Path, settings: dict[str, str], fake_railway: FakeRailway
) -> None:
    result = run_command(tmp_path, "sweep", "--no-history", **settings)

    assert (result.returncode, result.stderr) == (0, "")
    assert len(fake_railway.operations) < 8
