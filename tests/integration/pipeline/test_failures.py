"""Failures of stages: every attempt ends, and every end is reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from tests.support import people
from tests.support import people as control
from tests.support.fakes import shop
from tests.support.pipeline import PipelineHarness, harness
from workers.engine.claim import NEWER_VERSION_PATIENCE_SECONDS
from workers.engine.codec import VERSION, pack
from workers.engine.schema import PREFIX, SCHEDULE
from workers.models import FollowUp, PullRequest
from workers.pipeline import stages, worker
from workers.pipeline.worker import run_claimed, run_stage


def stage(running: PipelineHarness, key: str) -> str:
    return running.journal.fields(key)["stage"].decode()


def work_until_dead(running: PipelineHarness, key: str, **broken: Any) -> None:
    """Run the journal's stage with a broken service until it gives up; leases expire at once."""
    services = replace(running.services, **broken)
    for _ in range(7):
        if running.store.hexists(key, "lease"):
            running.store.hset(key, "lease", 1)
        run_stage(services, stage(running, key), key)


def at_enrich(running: PipelineHarness) -> str:
    """The key of an incident that was just opened."""
    running.alert()
    running.drive(running.incidents)
    return running.incidents()[0]


def concluded(running: PipelineHarness) -> str:
    """The key of an incident whose outcome was posted."""
    key = at_enrich(running)
    running.drive(running.outcome_posts)
    return key


def test_a_bug_in_a_sweep_ends_it_after_five_crashes_and_is_reported(reporting: PipelineHarness) -> None:
    reporting.alert()
    reporting.drive(lambda: list(reporting.store.scan_iter(f"{PREFIX}sweep:*")))
    key = f"{PREFIX}sweep:env-1:1"

    work_until_dead(reporting, key, railway=cast(Any, None))
    reporting.drive(lambda: reporting.slack.texts)

    assert reporting.journal.fields(key)["ended"]
    assert "check failed: stage survey failed 6 times with an error" in reporting.slack.texts[-1]


def test_a_bug_in_an_incident_ends_the_attempt_after_five_crashes_and_is_reported(
    reporting: PipelineHarness,
) -> None:
    key = at_enrich(reporting)

    work_until_dead(reporting, key, settings=cast(Any, None))
    reporting.drive(reporting.outcome_posts)

    assert reporting.outcome_kind() == "failed"
    assert "stage enrich failed 6 times with an error" in reporting.slack.channel_texts[-1]


def test_giving_up_waits_for_a_newer_version_that_can_read_the_records(
    reporting: PipelineHarness,
) -> None:
    key, newer = at_enrich(reporting), str(int(VERSION) + 1).encode() + b"j{}"
    reporting.store.hset(key, mapping={"r:usage": newer, "crashes": 9, "run": "dead"})

    run_stage(reporting.services, "enrich", key)

    fields, (seconds, _) = reporting.journal.fields(key), reporting.store.time()
    assert "ended" not in fields and "lease" not in fields and "failing_since" in fields
    assert int(fields["not_before"]) / 1000 < seconds + 60
    since = int((seconds - NEWER_VERSION_PATIENCE_SECONDS - 60) * 1000)
    reporting.store.hset(key, mapping={"failing_since": since, "crashes": 9, "not_before": 1})
    reporting.drive(reporting.outcome_posts)
    assert "Stopped while gathering evidence: the worker crashed" in reporting.slack.channel_texts[-1]


def test_a_bug_in_giving_up_ends_the_journal_and_is_reported(
    reporting: PipelineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = at_enrich(reporting)
    monkeypatch.setattr(worker, "give_up", None)

    for _ in range(12):
        reporting.store.hset(key, "lease", 1)
        reporting.store.zadd(SCHEDULE, {key: 1})
        run_stage(replace(reporting.services, settings=cast(Any, None)), "enrich", key)
    monkeypatch.undo()
    reporting.drive(lambda: any("nor given up: TypeError" in text for text in reporting.slack.texts))

    assert reporting.journal.fields(key)["ended"]
    assert reporting.store.zscore(SCHEDULE, key) is None


@pytest.mark.parametrize("where", ["enrich", "watch"])
def test_an_unreadable_incident_ends_and_is_reported(reporting: PipelineHarness, where: str) -> None:
    key = at_enrich(reporting)
    reporting.drive(lambda: stage(reporting, key) == where)
    reporting.store.hset(key, "r:incident", b"0j{}")

    reporting.drive(lambda: any("cannot be investigated" in text for text in reporting.slack.texts))

    assert reporting.journal.fields(key)["ended"]
    assert reporting.store.hlen(f"{PREFIX}open") == 0


def test_a_pull_request_that_is_no_longer_watched_is_reported(reporting: PipelineHarness) -> None:
    key = concluded(reporting)
    pull = PullRequest(number=7, url="https://github.com/x/pull/7", draft=False, branch="b")
    reporting.store.hset(key, mapping={"r:pull": pack(pull, PullRequest), "repository": shop.NAME})
    reporting.github.faults.add("refuse", times=100)

    reporting.drive(lambda: reporting.values(FollowUp))
    reporting.drive(lambda: "Follow-up stopped" in reporting.slack.texts[-1])

    assert reporting.journal.fields(key)["ended"]


def test_the_outcome_of_a_requested_fix_is_reported(reporting: PipelineHarness) -> None:
    key = concluded(reporting)
    before = len(reporting.slack.channel_texts)

    control.request_fix(reporting.journal, key.removeprefix(PREFIX))
    reporting.drive(lambda: len(reporting.slack.channel_texts) > before)

    assert "No fix attempted: TRACKWALKER_MODE=report" in reporting.slack.channel_texts[-1].splitlines()[1]
    assert len(reporting.slack.channel_texts) == before + 1


def test_an_alert_of_an_unwatched_environment_ends(
    reporting: PipelineHarness,
) -> None:
    alert = reporting.alert(environment_id="env-2")

    reporting.drive(lambda: not reporting.due())

    assert reporting.journal.fields(f"{PREFIX}notification:alert:{alert}")["ended"]
    assert reporting.slack.texts == []


def test_sweeps_run_during_a_pause(reporting: PipelineHarness) -> None:
    people.pause(reporting.journal)
    reporting.alert(source="ping", kind="ping", service_id=None, service_name=None)

    reporting.drive(lambda: reporting.count_ended_sweeps() == 1, stages=6)

    assert len(reporting.incidents()) == 1
    assert reporting.slack.texts == []


def test_a_notification_without_slack_ends(store: redis.Redis, store_url: str, tmp_path: Path) -> None:
    with harness(store, store_url, tmp_path, failing=False, SLACK_BOT_TOKEN="") as mute:
        alert = mute.alert()
        tell = f"{PREFIX}notification:alert:{alert}"

        mute.drive(lambda: mute.store.hexists(tell, "ended"))

        assert mute.store.ttl(tell) > 0
        assert mute.store.zscore(SCHEDULE, tell) is None


def test_an_agent_that_may_not_run_returns_its_budget(
    store: redis.Redis, store_url: str, tmp_path: Path
) -> None:
    with harness(store, store_url, tmp_path, OPENCODE_BIN=str(tmp_path / "nothing")) as running:
        running.alert()

        running.drive(running.outcome_posts)

        [day] = running.store.scan_iter(f"{PREFIX}budget:*")
        assert running.outcome_kind() == "failed"
        assert running.store.hget(day, "cost") == b"0"


def test_a_worker_that_shuts_down_releases_its_claim(reporting: PipelineHarness) -> None:
    key = at_enrich(reporting)
    claim = reporting.journal.claim(key, "enrich")
    assert claim is not None
    reporting.journal.stop()

    run_claimed(reporting.services, claim)

    fields = reporting.journal.fields(key)
    assert "lease" not in fields
    assert fields["reason"] == b"the worker was shut down"


def test_an_error_during_shutdown_counts_as_no_crash(reporting: PipelineHarness) -> None:
    key = at_enrich(reporting)
    claim = reporting.journal.claim(key, "enrich")
    assert claim is not None
    reporting.journal.stop()

    run_claimed(replace(reporting.services, settings=cast(Any, None)), claim)

    fields = reporting.journal.fields(key)
    assert "lease" not in fields
    assert (fields["stage"], fields["crashes"]) == (b"enrich", b"0")


def test_a_quiet_ping_sweep_is_kept_for_days_and_an_alerts_sweep_for_longer(
    store: redis.Redis, store_url: str, tmp_path: Path
) -> None:
    with harness(store, store_url, tmp_path, failing=False) as calm:
        calm.alert(source="ping", kind="ping", service_id=None, service_name=None)
        calm.drive(calm.count_ended_sweeps)
        calm.alert()
        calm.drive(lambda: calm.count_ended_sweeps() >= 2)

        [quiet, requested] = sorted(
            calm.store.ttl(key) for key in calm.store.scan_iter(f"{PREFIX}sweep:*") if calm.store.ttl(key) > 0
        )
        assert quiet <= stages.QUIET_TTL_SECONDS < requested
