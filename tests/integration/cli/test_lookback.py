"""`python -m workers lookback`: what the detector would have reported over days gone by, from what Railway holds."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.support.command_line import run_command
from tests.support.fakes.railway import (  # fmt: skip
    Budget,
    FakeRailway,
    LogRow,
    Request,
    Sample,
    World,
    WorldDeployment,
    WorldService,
)
from tests.support.fakes.serving import serve
from workers.cli import lookback
from workers.cli.lookback import report
from workers.runtime.settings import Settings, read

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTES = 2 * 1440
"""Two days: one to know, one to look back over."""


def service(name: str, *failing: range) -> WorldService:
    """Five requests a minute for two days; in the given minutes (before `NOW`) nearly all of them fail."""
    end = NOW.timestamp()
    live = WorldDeployment(f"dep-{name}", f"svc-{name}", "SUCCESS", end - 3 * 86_400, None, {})
    made = WorldService(
        f"svc-{name}", name, domains=["a.up.railway.app"], deployments=[live], active=[live.id]
    )
    for n in range(MINUTES, 0, -1):
        at = end - 60 * n
        made.samples.append(Sample(at, "i", live.id, 0.5, 1.0))
        bad = any(n in one for one in failing)
        made.requests += [
            Request(at + i, "GET", "/", 500 if bad and i else 200, 30.0, live.id) for i in range(5)
        ]
    return made


@pytest.fixture(scope="module")
def fake_railway() -> FakeRailway:
    troubled = service("shop", range(700, 720), range(200, 225))
    return FakeRailway(World("prj", "acme", "env", "production", [troubled, service("cart")]))


@pytest.fixture(scope="module")
def config(fake_railway: FakeRailway) -> Iterator[Settings]:
    with serve(fake_railway.app, fake_railway.faults) as server:
        said = {
            "RAILWAY_API_URL": server.url,
            "RAILWAY_API_TOKEN": fake_railway.token,
            "TRACKWALKER_ENVIRONMENTS": "prj/env",
        }
        yield read(said, dotenv=None)


def look(config: Settings, **asked: Any) -> tuple[dict[str, Any], list[str]]:
    """What is reported, and what was said meanwhile."""
    heard: list[str] = []
    [looked] = lookback.backtest(config, 1.0, NOW, heard.append)
    return report.report(looked, **asked), heard


@pytest.fixture(scope="module")
def said(config: Settings) -> dict[str, Any]:
    return look(config)[0]


def test_each_trouble_is_one_incident_with_its_time(said: dict[str, Any]) -> None:
    assert [(one["service"], one["kinds"], one["resolved"]) for one in said["incidents"]] == [
        ("shop", ["server_errors"], True)
    ] * 2
    since = [datetime.fromisoformat(one["since"]) for one in said["incidents"]]
    assert since == [NOW - timedelta(minutes=719), NOW - timedelta(minutes=224)]


def test_an_incident_is_opened_by_the_first_sweep_that_sees_it(said: dict[str, Any]) -> None:
    for one in said["incidents"]:
        waited = datetime.fromisoformat(one["opened"]) - datetime.fromisoformat(one["since"])
        assert timedelta(0) < waited <= timedelta(minutes=15)


def test_sweeps_come_as_often_as_the_ping_over_the_days_asked_for(said: dict[str, Any]) -> None:
    assert (said["sweeps"], said["days"], said["from"]) == (144, 1, "2026-11-22T12:00+00:00")


def test_it_says_how_often_that_is(said: dict[str, Any]) -> None:
    assert (said["per_week"], said["kinds"]) == (
        14.0, [{"service": "shop", "kind": "server_errors", "incidents": 2}]
    )  # fmt: skip


def test_a_person_reads_a_line_an_incident_and_the_sum(said: dict[str, Any]) -> None:
    shown = report.render(said)

    assert shown[0].startswith(
        "acme/production: 2 services, 2026-11-22T12:00 to 2026-11-23T12:00 UTC, 144 sweeps"
    )
    assert "shop: 80 % of requests failing" in shown[1]
    assert "  2 incidents in 1 day (14 per week)" in shown
    assert "    2 × shop: server_errors" in shown


def test_with_a_day_before_it_nothing_is_said_of_a_missing_past(said: dict[str, Any]) -> None:
    assert said["failed_reads"] == []


def test_what_railway_holds_no_longer_is_said(config: Settings) -> None:
    [looked] = lookback.backtest(config, 2.0, NOW, lambda _words: None)

    said = report.report(looked)["failed_reads"]

    assert "traffic before 2026-11-21 12:00: Railway no longer keeps it, or nothing ran" in said
    assert any("sweeps had less than a day of history" in one for one in said)


def test_one_service_can_be_asked_for(config: Settings) -> None:
    assert look(config, service="cart")[0]["incidents"] == []


def test_it_says_how_far_it_is_and_what_it_cost(config: Settings, fake_railway: FakeRailway) -> None:
    fake_railway.operations.clear()

    said, heard = look(config)

    assert len(fake_railway.operations) == said["requests"]["used"]
    assert heard[0].endswith("left this hour")
    assert "0 of 8 read" in heard[0]


def test_where_the_limit_is_short_the_newest_part_is_done_and_that_is_said(config: Settings) -> None:
    world = World("prj", "acme", "env", "production", [service("shop", range(200, 225))])
    poor = FakeRailway(world, token="poor")
    poor.budget = Budget(limit=30, resets_at=time.time() + 3600)
    with serve(poor.app) as server:
        meagre = config.model_copy(
            update={"railway_api_url": server.url, "railway_api_token": SecretStr("poor")}
        )

        said, _ = look(meagre)

    assert 0 < said["days"] < 1.3
    assert poor.budget.spent <= 27
    assert len(said["incidents"]) == 1


def test_a_stretch_that_cannot_be_read_is_said_and_the_rest_is_done(
    config: Settings, fake_railway: FakeRailway
) -> None:
    fake_railway.broken["httpMetricsGroupedByStatus"] = "Service is resting"
    try:
        said, _ = look(config)
    finally:
        fake_railway.broken.clear()

    assert said["incidents"] == []
    assert any(one.startswith("traffic of shop: Service is resting") for one in said["failed_reads"])


def test_a_crash_loop_shows_by_its_starts(config: Settings) -> None:
    looping = service("shop")
    live = looping.deployments[0]
    live.logs = [LogRow(NOW.timestamp() - 3600 + 60 * n, "Starting Container") for n in range(15)]
    fake_railway = FakeRailway(World("prj", "acme", "env", "production", [looping]), token="loop")
    with serve(fake_railway.app) as server:
        there = config.model_copy(
            update={"railway_api_url": server.url, "railway_api_token": SecretStr("loop")}
        )

        said, _ = look(there)

    assert "restart_loop" in said["incidents"][0]["kinds"]


@pytest.mark.parametrize("days", ["0", "31", "-1", "nan", "many", ""])
def test_days_that_cannot_be_are_refused_by_name(tmp_path: Path, days: str) -> None:
    ended = run_command(tmp_path, "lookback", "--days", days)

    assert ended.returncode == 2
    assert "--days" in ended.stderr
    assert "from 1 to 30" in ended.stderr


def test_the_command_prints_one_json_line_and_keeps_the_rest_aside(tmp_path: Path, config: Settings) -> None:
    asked = {
        "RAILWAY_API_URL": config.railway_api_url, "RAILWAY_API_TOKEN": "railway-token",
        "TRACKWALKER_ENVIRONMENTS": "prj/env",
    }  # fmt: skip

    ended = run_command(tmp_path, "lookback", "--days", "1", "--json", **asked)

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["environment"] == "acme/production"
    assert "requests used" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_is_not_there_is_said_with_those_that_are(tmp_path: Path, config: Settings) -> None:
    asked = {
        "RAILWAY_API_URL": config.railway_api_url, "RAILWAY_API_TOKEN": "railway-token",
        "TRACKWALKER_ENVIRONMENTS": "prj/env",
    }  # fmt: skip

    ended = run_command(tmp_path, "lookback", "--service", "shoop", **asked)

    assert ended.returncode == 1
    assert "--service: no service shoop; the services are cart, shop" in ended.stderr
