"""`trackwalker lookback`: the incidents of past days, from the metrics that Railway keeps."""

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
MINUTES = 2 * 1440  # one day of history and one day to evaluate


def service(name: str, *failing: range) -> WorldService:
    """Five requests per minute for two days; in the given minutes before `NOW`, four of five fail."""
    end = NOW.timestamp()
    live = WorldDeployment(f"dep-{name}", f"svc-{name}", "SUCCESS", end - 3 * 86_400, None, {})
    service = WorldService(
        f"svc-{name}", name, domains=["a.up.railway.app"], deployments=[live], active=[live.id]
    )
    for n in range(MINUTES, 0, -1):
        at = end - 60 * n
        service.samples.append(Sample(at, "i", live.id, 0.5, 1.0))
        is_failing = any(n in minutes for minutes in failing)
        service.requests += [
            Request(at + i, "GET", "/", 500 if is_failing and i else 200, 30.0, live.id) for i in range(5)
        ]
    return service


@pytest.fixture(scope="module")
def fake_railway() -> FakeRailway:
    failing = service("shop", range(700, 720), range(200, 225))
    return FakeRailway(World("prj", "acme", "env", "production", [failing, service("cart")]))


@pytest.fixture(scope="module")
def config(fake_railway: FakeRailway) -> Iterator[Settings]:
    with serve(fake_railway.app, fake_railway.faults) as server:
        variables = {
            "RAILWAY_API_URL": server.url,
            "RAILWAY_API_TOKEN": fake_railway.token,
            "TRACKWALKER_ENVIRONMENTS": "prj/env",
        }
        yield read(variables, dotenv=None)


def run_backtest(config: Settings, **options: Any) -> tuple[dict[str, Any], list[str]]:
    """The report and the lines of progress."""
    progress: list[str] = []
    [backtest] = lookback.backtest(config, 1.0, NOW, progress.append)
    return report.report(backtest, **options), progress


@pytest.fixture(scope="module")
def result(config: Settings) -> dict[str, Any]:
    return run_backtest(config)[0]


def test_each_failure_is_one_incident_with_its_onset(result: dict[str, Any]) -> None:
    assert [
        (incident["service"], incident["kinds"], incident["resolved"]) for incident in result["incidents"]
    ] == [("shop", ["server_errors"], True)] * 2
    since = [datetime.fromisoformat(incident["since"]) for incident in result["incidents"]]
    assert since == [NOW - timedelta(minutes=719), NOW - timedelta(minutes=224)]


def test_an_incident_is_opened_by_the_first_sweep_that_finds_it(result: dict[str, Any]) -> None:
    for incident in result["incidents"]:
        delay = datetime.fromisoformat(incident["opened"]) - datetime.fromisoformat(incident["since"])
        assert timedelta(0) < delay <= timedelta(minutes=15)


def test_sweeps_follow_the_ping_interval_over_the_requested_days(result: dict[str, Any]) -> None:
    assert (result["sweeps"], result["days"], result["from"]) == (144, 1, "2026-11-22T12:00+00:00")


def test_the_report_counts_incidents_per_week_and_kind(result: dict[str, Any]) -> None:
    assert (result["per_week"], result["kinds"]) == (
        14.0, [{"service": "shop", "kind": "server_errors", "incidents": 2}]
    )  # fmt: skip


def test_the_text_has_a_line_per_incident_and_a_total(result: dict[str, Any]) -> None:
    lines = report.render(result)

    assert lines[0].startswith(
        "acme/production: 2 services, 2026-11-22T12:00 to 2026-11-23T12:00 UTC, 144 sweeps"
    )
    assert "shop: 80 % of requests failing" in lines[1]
    assert "  2 incidents in 1 day (14 per week)" in lines
    assert "    2 × shop: server_errors" in lines


def test_a_day_of_history_before_the_first_sweep_needs_no_remark(result: dict[str, Any]) -> None:
    assert result["failed_reads"] == []


def test_data_that_railway_no_longer_keeps_is_a_remark(config: Settings) -> None:
    [backtest] = lookback.backtest(config, 2.0, NOW, lambda _line: None)

    remarks = report.report(backtest)["failed_reads"]

    assert "traffic before 2026-11-21 12:00: Railway no longer keeps it, or nothing ran" in remarks
    assert any("sweeps had less than a day of history" in remark for remark in remarks)


def test_the_report_can_be_limited_to_one_service(config: Settings) -> None:
    assert run_backtest(config, service="cart")[0]["incidents"] == []


def test_progress_shows_the_chunks_and_the_requests(config: Settings, fake_railway: FakeRailway) -> None:
    fake_railway.operations.clear()

    result, progress = run_backtest(config)

    assert len(fake_railway.operations) == result["requests"]["used"]
    assert progress[0].endswith("left this hour")
    assert "0 of 8 read" in progress[0]


def test_a_short_request_quota_limits_the_backtest_to_the_newest_days(config: Settings) -> None:
    world = World("prj", "acme", "env", "production", [service("shop", range(200, 225))])
    poor = FakeRailway(world, token="poor")
    poor.budget = Budget(limit=30, resets_at=time.time() + 3600)
    with serve(poor.app) as server:
        limited = config.model_copy(
            update={"railway_api_url": server.url, "railway_api_token": SecretStr("poor")}
        )

        result, _ = run_backtest(limited)

    assert 0 < result["days"] < 1.3
    assert poor.budget.spent <= 27
    assert len(result["incidents"]) == 1


def test_a_read_that_fails_is_a_remark_and_the_backtest_continues(
    config: Settings, fake_railway: FakeRailway
) -> None:
    fake_railway.broken["httpMetricsGroupedByStatus"] = "Service is resting"
    try:
        result, _ = run_backtest(config)
    finally:
        fake_railway.broken.clear()

    assert result["incidents"] == []
    assert any(remark.startswith("traffic of shop: Service is resting") for remark in result["failed_reads"])


def test_a_crash_loop_is_found_by_its_container_starts(config: Settings) -> None:
    looping = service("shop")
    live = looping.deployments[0]
    live.logs = [LogRow(NOW.timestamp() - 3600 + 60 * n, "Starting Container") for n in range(15)]
    fake_railway = FakeRailway(World("prj", "acme", "env", "production", [looping]), token="loop")
    with serve(fake_railway.app) as server:
        looping_config = config.model_copy(
            update={"railway_api_url": server.url, "railway_api_token": SecretStr("loop")}
        )

        result, _ = run_backtest(looping_config)

    assert "restart_loop" in result["incidents"][0]["kinds"]


@pytest.mark.parametrize("days", ["0", "31", "-1", "nan", "many", ""])
def test_invalid_days_are_rejected(tmp_path: Path, days: str) -> None:
    finished = run_command(tmp_path, "lookback", "--days", days)

    assert finished.returncode == 2
    assert "--days" in finished.stderr
    assert "from 1 to 30" in finished.stderr


def test_the_command_prints_one_json_line_and_its_progress_on_standard_error(
    tmp_path: Path, config: Settings
) -> None:
    variables = {
        "RAILWAY_API_URL": config.railway_api_url, "RAILWAY_API_TOKEN": "railway-token",
        "TRACKWALKER_ENVIRONMENTS": "prj/env",
    }  # fmt: skip

    finished = run_command(tmp_path, "lookback", "--days", "1", "--json", **variables)

    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["environment"] == "acme/production"
    assert "requests used" in finished.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_service_is_rejected_with_the_known_names(tmp_path: Path, config: Settings) -> None:
    variables = {
        "RAILWAY_API_URL": config.railway_api_url, "RAILWAY_API_TOKEN": "railway-token",
        "TRACKWALKER_ENVIRONMENTS": "prj/env",
    }  # fmt: skip

    finished = run_command(tmp_path, "lookback", "--service", "shoop", **variables)

    assert finished.returncode == 1
    assert "--service: no service shoop; the services are cart, shop" in finished.stderr
