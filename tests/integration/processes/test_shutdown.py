"""A deploy in the middle of work: the step is handed back at once, is no death, and the next worker goes on."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.processes.test_kill import Installation, installation
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
from workers.runtime.supervise import DRAIN_SECONDS, read_procfile

__all__ = ["installation"]  # the fixture

LOADED_SECONDS = 10.0
"""Two loaded cores, not a promise."""


@pytest.fixture
def reporting(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    with harness(
        store, store_url, tmp_path, TRACKWALKER_MODE="report", TRACKWALKER_ACK_SECONDS="0"
    ) as running:
        yield running


def the(running: PipelineHarness, kind: str) -> dict[str, bytes]:
    """The fields of the only journal of a kind, {} while there is none."""
    keys = [raw.decode() for raw in running.store.scan_iter(f"{PREFIX}{kind}:*") if isinstance(raw, bytes)]
    assert len(keys) <= 1
    return running.journal.fields(keys[0]) if keys else {}


def told(running: PipelineHarness) -> list[str]:
    return [one.text for one in running.slack.messages if "TRACKWALKER_MODE=report" in one.text]


def test_a_sweep_that_hangs_is_free_at_once_and_the_next_worker_goes_on(
    reporting: PipelineHarness, tmp_path: Path
) -> None:
    reporting.railway.faults.add("hang")
    with running_worker(reporting, tmp_path / "one") as old:
        reporting.alert()
        wait_until(lambda: reporting.railway.faults.played, what="the sweep under way")
        began = time.monotonic()

        old.stop()

        wait_until(lambda: "lease" not in the(reporting, "sweep"), what="the sweep handed back")
        freed, fields = time.monotonic() - began, the(reporting, "sweep")
        due, (seconds, _) = reporting.store.zscore(SCHEDULE, f"{PREFIX}sweep:env-1:1"), reporting.store.time()
        with running_worker(reporting, tmp_path / "two"):
            wait_until(lambda: told(reporting), seconds=60, what="the outcome")

    assert freed < DRAIN_SECONDS
    assert due is not None and due / 1000 <= seconds + 1
    assert "not_before" not in fields
    assert (fields["stage"], fields["reason"], fields["crashes"]) == (
        b"survey",
        RELEASED_ON_SHUTDOWN.encode(),
        b"0",
    )
    assert len(told(reporting)) == 1


def test_what_the_old_worker_finds_after_all_does_not_count_once_the_next_has_claimed(
    reporting: PipelineHarness, tmp_path: Path
) -> None:
    reporting.railway.faults.delay_seconds = RELEASE_SECONDS + 2
    with running_worker(reporting, tmp_path / "one") as old:
        reporting.alert()
        wait_until(lambda: "lease" in the(reporting, "sweep"), what="the sweep under way")
        old.stop()
        wait_until(lambda: "lease" not in the(reporting, "sweep"), what="the sweep handed back")
        claim = reporting.journal.claim(f"{PREFIX}sweep:env-1:1", "survey")
        assert claim is not None

        old.join()

        assert claim.record(Record("mark", int), 1) == 1
        fields = the(reporting, "sweep")
    assert fields["stage"] == b"survey"
    assert fields["token"] == claim.fields["token"]
    assert "r:survey" not in fields


def test_words_that_hang_are_said_once_by_the_next_worker(reporting: PipelineHarness, tmp_path: Path) -> None:
    reporting.slack.faults.add("hang", path="chat.postMessage")
    with running_worker(reporting, tmp_path / "one") as old:
        reporting.alert()
        wait_until(lambda: reporting.slack.faults.played, what="words under way")
        began = time.monotonic()

        old.stop()

        wait_until(
            lambda: "lease" not in the(reporting, "notification:incident"), what="the words handed back"
        )
        freed, fields = time.monotonic() - began, the(reporting, "notification:incident")
        with running_worker(reporting, tmp_path / "two"):
            wait_until(lambda: told(reporting), seconds=90, what="the outcome")

    assert freed < DRAIN_SECONDS
    assert fields["crashes"] == b"0"
    # It may be on its way: nobody looks for it before it could be seen.
    seconds, _ = reporting.store.time()
    assert (
        int(fields["opened"]) / 1000 + SETTLE_SECONDS
        < int(fields["not_before"]) / 1000
        < seconds + SETTLE_SECONDS
    )
    assert len(told(reporting)) == 1
    assert len({one.key for one in reporting.slack.messages}) == len(reporting.slack.messages)


def agents(folder: Path) -> list[int]:
    """Processes that were started below the folder."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                words = (place / "cmdline").read_bytes()
            except OSError:
                continue  # it has just ended
            if b"opencode" in words and str(folder).encode() in words:
                found.append(int(place.name))
    return found


def test_an_agent_at_work_dies_with_its_worker_and_the_next_one_makes_the_plan(
    store: redis.Redis, store_url: str, tmp_path: Path
) -> None:
    with harness(store, store_url, tmp_path, small=True) as running:
        running.fake_model.faults.add("hang", times=100)
        with running_worker(running, tmp_path / "one") as old:
            running.alert()
            wait_until(lambda: running.fake_model.faults.played, seconds=120, what="the agent at work")
            before = agents(tmp_path / "one")
            began = time.monotonic()

            old.stop()

            wait_until(lambda: "lease" not in the(running, "incident"), what="the mend handed back")
            freed = time.monotonic() - began
            wait_until(lambda: not agents(tmp_path / "one"), what="the end of the agent")
            fields = the(running, "incident")
        running.fake_model.faults.clear()
        with running_worker(running, tmp_path / "two"):
            wait_until(lambda: running.values(Plan), seconds=120, what="the plan")

    assert before
    assert freed < DRAIN_SECONDS
    assert (fields["stage"], fields["crashes"]) == (b"plan", b"0")


def test_up_ends_in_time_with_a_hanging_railway_and_the_store_last(installation: Installation) -> None:
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


def test_a_worker_ends_by_itself_before_it_is_killed() -> None:
    [command] = [command for name, command in read_procfile(Path("Procfile")) if name == "worker"]

    milliseconds = int(command.partition("--worker-shutdown-timeout ")[2].split()[0])

    assert milliseconds == SHUTDOWN_TIMEOUT_MS, "the same in both ways to run a worker"
    assert RELEASE_SECONDS + milliseconds / 1000 < DRAIN_SECONDS
