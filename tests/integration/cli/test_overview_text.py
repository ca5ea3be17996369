"""`list` and the head of `show` as a person reads them on a terminal of 80 columns."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from tests.support import sample_incident
from tests.support.command_line import run_command


@pytest.mark.parametrize("hostile", [False, True])
def test_the_list_shows_incidents_and_no_internal_record(
    store: redis.Redis, store_url: str, tmp_path: Path, hostile: bool
) -> None:
    sample_incident.write(store, ended=False, hostile=hostile)

    result = run_command(tmp_path, "list", REDIS_URL=store_url, TRACKWALKER_TIMEZONE="Europe/Berlin")

    lines = result.stdout.splitlines()
    assert result.returncode == 0, result.stderr
    assert "OPEN" in lines
    assert any("Ana" in line and "has it" in line for line in lines) or hostile
    assert "Waiting for a review of #41." in " ".join(result.stdout.split())
    assert "16:02" in result.stdout
    assert "notification:" not in result.stdout
    assert all(len(line) < 80 for line in lines if not hostile and "://" not in line)


def test_all_lists_the_internal_records_too(store: redis.Redis, store_url: str, tmp_path: Path) -> None:
    sample_incident.write(store, ended=False)

    result = run_command(tmp_path, "list", "--all", REDIS_URL=store_url)

    assert "JOURNAL" in result.stdout


def test_an_incident_begins_with_its_story_and_its_timeline(
    store: redis.Redis, store_url: str, tmp_path: Path
) -> None:
    sample_incident.write(store)

    result = run_command(tmp_path, "show", "checkout", REDIS_URL=store_url)

    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("checkout: 94 % of POST /orders fail")
    assert "Fix: patch of 2 files (3 min, 2 failed attempts)" in result.stdout
    assert "#29 fixed this on 2 Sep; the fix lasted 41 days" in result.stdout
