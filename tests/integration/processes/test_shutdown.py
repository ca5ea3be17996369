"""A deployment during work: the worker releases its claim at once, without a crash, and the next worker resumes."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.installation import Installation
from tests.support.pipeline import PipelineHarness, harness
from tests.support.polling import wait_until
from tests.support.worker import running_worker
from workers.engine.claim import RELEASED_ON_SHUTDOWN, SETTLE_SECONDS
from workers.engine.codec import Record
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX, SCHEDULE
from workers.engine.worker_store import RELEASE_SECONDS
from workers.main import SHUTDOWN_TIMEOUT_MS
from workers.models import Plan
from workers.runtime.embedded import EmbeddedStore
from workers.runtime.supervise import DRAIN_SECONDS

LOADED_SECONDS = 10.0  # allowance for a loaded machine


@pytest.fixture
def reporting(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    with harness(
        store, store_url, tmp_path, TRACKWALKER_MODE="report", TRACKWALKER_ACK_SECONDS="0"
    ) as running:
        yield running


def the(running: PipelineHarness, kind: str) -> dict[str, bytes]:
    """The fields of the only journal of a kind; {} if there is none yet."""
    keys = [raw.decode() for raw in running.store.scan_iter(f"{PREFIX}{kind}:*") if isinstance(raw, bytes)]
    assert len(keys) <= 1
    return running.journal.fields(keys[0]) if keys else {}


def test_a_hanging_sweep_is_released_at_once_and_the_next_worker_resumes(
    reporting: PipelineHarness, tmp_path: Path
) -> None:
    reporting.railway.faults.add("hang")
    with running_worker(reporting, tmp_path / "one") as old:
        reporting.alert()
        wait_until(lambda: reporting.railway.faults.played, what="the sweep under way")
        began = time.monotonic()

        old.stop()

        wait_until(lambda: "lease" not in the(reporting, "sweep"), what="the released sweep")
        freed, fields = time.monotonic() - began, the(reporting, "sweep")
        due, (seconds, _) = reporting.store.zscore(SCHEDULE, f"{PREFIX}sweep:env-1:1"), reporting.store.time()
        with running_worker(reporting, tmp_path / "two"):
            wait_until(reporting.report_texts, seconds=60, what="the outcome")

    assert freed < DRAIN_SECONDS
    assert due is not None and due / 1000 <= seconds + 1
    assert "not_before" not in fields
    assert (fields["stage"], fields["reason"], fields["crashes"]) == (
        b"survey",
        RELEASED_ON_SHUTDOWN.encode(),
        b"0",
    )
    assert len(reporting.report_texts()) == 1


def test_a_late_result_of_the_old_worker_is_discarded_after_the_next_claim(
    reporting: PipelineHarness, tmp_path: Path
) -> None:
    reporting.railway.faults.delay_seconds = RELEASE_SECONDS + 2
    with running_worker(reporting, tmp_path / "one") as old:
        reporting.alert()
        wait_until(lambda: "lease" in the(reporting, "sweep"), what="the sweep under way")
        old.stop()
        wait_until(lambda: "lease" not in the(reporting, "sweep"), what="the released sweep")
        claim = reporting.journal.claim(f"{PREFIX}sweep:env-1:1", "survey")
        assert claim is not None

        old.join()

        assert claim.record(Record("mark", int), 1) == 1
        fields = the(reporting, "sweep")
    assert fields["stage"] == b"survey"
    assert fields["token"] == claim.fields["token"]
    assert "r:survey" not in fields


def test_a_hanging_notification_is_posted_once_by_the_next_worker(
    reporting: PipelineHarness, tmp_path: Path
) -> None:
    reporting.slack.faults.add("hang", path="chat.postMessage")
    with running_worker(reporting, tmp_path / "one") as old:
        reporting.alert()
        wait_until(lambda: reporting.slack.faults.played, what="the notification under way")
        began = time.monotonic()

        old.stop()

        wait_until(
            lambda: "lease" not in the(reporting, "notification:incident"), what="the released notification"
        )
        freed, fields = time.monotonic() - began, the(reporting, "notification:incident")
        with running_worker(reporting, tmp_path / "two"):
            wait_until(reporting.report_texts, seconds=90, what="the outcome")

    assert freed < DRAIN_SECONDS
    assert fields["crashes"] == b"0"
    # Slack may still receive it: the next worker looks for it once it would be visible.
    seconds, _ = reporting.store.time()
    assert (
        int(fields["opened"]) / 1000 + SETTLE_SECONDS
        < int(fields["not_before"]) / 1000
        < seconds + SETTLE_SECONDS
    )
    assert len(reporting.report_texts()) == 1
    assert len({message.key for message in reporting.slack.messages}) == len(reporting.slack.messages)


def agents(folder: Path) -> list[int]:
    """The processes of agents that were started below the folder."""
    pids = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue  # the process has just ended
            if b"opencode" in command and str(folder).encode() in command:
                pids.append(int(process.name))
    return pids


def test_a_running_agent_ends_with_its_worker_and_the_next_worker_makes_the_plan(
    store: redis.Redis, store_url: str, tmp_path: Path
) -> None:
    with harness(store, store_url, tmp_path, small=True) as running:
        running.fake_model.faults.add("hang", times=100)
        with running_worker(running, tmp_path / "one") as old:
            running.alert()
            wait_until(lambda: running.fake_model.faults.played, seconds=120, what="the running agent")
            before = agents(tmp_path / "one")
            began = time.monotonic()

            old.stop()

            wait_until(lambda: "lease" not in the(running, "incident"), what="the released incident")
            freed = time.monotonic() - began
            wait_until(lambda: not agents(tmp_path / "one"), what="the end of the agent")
            fields = the(running, "incident")
        running.fake_model.faults.clear()
        with running_worker(running, tmp_path / "two"):
            wait_until(lambda: running.values(Plan), seconds=120, what="the plan")

    assert before
    assert freed < DRAIN_SECONDS
    assert (fields["stage"], fields["crashes"]) == (b"plan", b"0")


def test_up_shuts_down_in_time_although_railway_hangs_and_the_store_last(installation: Installation) -> None:
    installation.railway.faults.add("hang", times=100)
    installation.send()
    wait_until(lambda: installation.railway.faults.played, seconds=60, what="the sweep under way")
    began = time.monotonic()

    installation.process.send_signal(signal.SIGTERM)

    assert installation.process.wait(60) == 0
    assert time.monotonic() - began < DRAIN_SECONDS + LOADED_SECONDS
    assert "process killed after the drain time" not in (installation.state.parent / "up.log").read_text()
    store = EmbeddedStore(installation.state)
    fields = JournalStore(redis.Redis.from_url(store.ensure())).fields(f"{PREFIX}sweep:env-1:1")
    store.stop()
    assert "lease" not in fields
    assert (fields["reason"], fields["crashes"]) == (RELEASED_ON_SHUTDOWN.encode(), b"0")


def test_a_worker_exits_before_the_supervisor_kills_it() -> None:
    assert RELEASE_SECONDS + SHUTDOWN_TIMEOUT_MS / 1000 < DRAIN_SECONDS
