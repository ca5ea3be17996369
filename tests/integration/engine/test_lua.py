"""The Lua scripts in a real Redis."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from workers.engine import scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX
from workers.engine.scripts import Script
from workers.engine.worker_store import WorkerStore


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
def test_redis_compiles_every_script_and_knows_it_by_the_same_hash(
    store: redis.Redis, script: Script
) -> None:
    loaded = store.script_load(script.source)

    assert loaded == script.sha


def test_a_script_runs_after_redis_has_lost_all_scripts(journal: WorkerStore, store: redis.Redis) -> None:
    journal.open_journal(f"{PREFIX}sweep:env:1", "survey")
    store.script_flush()

    is_new = journal.open_journal(f"{PREFIX}sweep:env:2", "survey")

    assert is_new


def test_each_call_of_a_batch_is_answered_after_redis_has_lost_all_scripts(
    journal: WorkerStore, store: redis.Redis
) -> None:
    day = {"day": "day", "service": "svc"}
    journal.run_batch(scripts.COUNT_AGENT_RUN, [day])
    store.script_flush()
    store.hset("day", "runs", 1)

    answers = journal.run_batch(scripts.COUNT_AGENT_RUN, [day, day | {"day": "none"}])

    assert answers == [1, 0]


def test_a_process_keeps_its_scripts_when_a_newer_version_is_installed(
    store: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script("wake_journal")  # one that this process has not read
    monkeypatch.setattr(scripts, "ALL", (script,))
    journal = JournalStore(store)

    monkeypatch.setattr(scripts, "FOLDER", tmp_path)

    assert journal.run(script, journal=f"{PREFIX}sweep:a:1") == 0
