"""Replay: recorded facts judged again say the same, or where they differ; nothing is written, nobody is asked."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.cli.test_commands import run
from tests.support.pipeline import PipelineHarness, Snapshot, harness, restore_snapshot, take_snapshot
from workers.cli import replay
from workers.engine import records
from workers.engine.codec import pack
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX
from workers.errors import Refused
from workers.models import Category, Evidence, Finding, Severity, Verdict, VerdictReason
from workers.runtime.store import client

SWEEP = "sweep:env-1:1"


@pytest.fixture(scope="module")
def story(
    store_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PipelineHarness, Snapshot]]:
    """A line without an agent whose incident is told and whose sweep has ended."""
    connection = client(store_url)
    connection.flushall()
    with harness(
        connection, store_url, tmp_path_factory.mktemp("story"), TRACKWALKER_MODE="report"
    ) as running:
        running.alert()
        running.drive(lambda: running.outcome_posts() and running.count_ended_sweeps())
        yield running, take_snapshot(running)
    connection.close()


@pytest.fixture
def told(story: tuple[PipelineHarness, Snapshot]) -> PipelineHarness:
    running, snapshot = story
    restore_snapshot(running, snapshot)
    return running


def everything(store: redis.Redis) -> dict[Any, Any]:
    """Every key with its whole value, and whether it ends by itself; how many writes the store has counted."""
    read: dict[Any, Callable[[bytes], Any]] = {
        b"hash": store.hgetall, b"string": store.get, b"set": store.smembers,
        b"zset": lambda key: store.zrange(key, 0, -1, withscores=True),
        b"list": lambda key: store.lrange(key, 0, -1),
    }  # fmt: skip
    found: dict[Any, Any] = {
        key: (read[store.type(key)](key), store.ttl(key) > 0) for key in store.scan_iter("*")
    }
    return found | {"writes": store.info("persistence")["rdb_changes_since_last_save"]}


@contextmanager
def only_the_store(monkeypatch: pytest.MonkeyPatch, store_url: str) -> Iterator[list[Any]]:
    """Who connects to anything but the store is refused; the addresses that were asked for."""
    port, asked, connect = (
        int(store_url.rsplit(":", 1)[1].split("/", maxsplit=1)[0]),
        [],
        socket.socket.connect,
    )

    def guarded(self: socket.socket, address: Any) -> None:
        asked.append(address)
        if not isinstance(address, tuple) or address[1] != port:
            raise OSError(f"nobody may be asked, but {address} was")
        connect(self, address)

    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, "connect", guarded)
        yield asked


def again(running: PipelineHarness, name: str) -> replay.Replayed:
    return replay.replay(running.journal, name, running.settings.min_duration_minutes)


def test_what_is_replayed_by_the_same_rules_says_the_same(told: PipelineHarness) -> None:
    for name in (SWEEP, told.incidents()[0]):
        code, lines = again(told, name)

        assert code == 0, lines
        assert ": same: " in lines[0]


def test_a_replay_writes_nothing_and_asks_nobody(
    told: PipelineHarness, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = told.incidents()[0]
    told.store.hset(
        key,
        "r:verdict",
        pack(Verdict(category=Category.TRAFFIC, reason=VerdictReason.MORE_TRAFFIC, summary="x"), Verdict),
    )
    before = everything(told.store)

    with only_the_store(monkeypatch, store_url) as asked:
        journal = JournalStore(client(store_url))
        codes = [
            replay.replay(journal, name, 4).code
            for name in (SWEEP, key, f"notification:{key.removeprefix(PREFIX)}")
        ]
        with pytest.raises(OSError, match="nobody may be asked"):
            socket.create_connection(("127.0.0.1", 1))
        journal.client.close()

    assert codes == [0, 1, 2]
    assert everything(told.store) == before
    assert len(asked) >= 2


def test_a_verdict_that_differs_is_named_field_by_field(told: PipelineHarness) -> None:
    key = told.incidents()[0]
    [now] = told.values(Verdict)
    then = now.model_copy(
        update={
            "category": Category.TRAFFIC,
            "action": "wait",
            "supports": (*now.supports[1:], "E99"),
            "summary": "x",
        }
    )
    told.store.hset(key, "r:verdict", pack(then, Verdict))

    code, lines = again(told, key)

    assert code == 1
    assert f"  category: traffic → {now.category.value}" in lines
    assert f"  supports: now also {now.supports[0]}" in lines
    assert "  supports: no longer E99" in lines
    assert "  action: wait →" in lines
    assert not any(line.startswith("  contradicts") for line in lines)


def test_findings_that_differ_are_named_as_gone_new_or_changed(told: PipelineHarness) -> None:
    found = told.journal.read_record(PREFIX + SWEEP, records.FINDINGS)
    assert found
    milder = found[0].model_copy(update={"severity": Severity.NOTICE})
    other = found[0].model_copy(
        update={"service_id": "svc-db", "service": "Postgres", "sentence": "Postgres is slow"}
    )
    told.store.hset(PREFIX + SWEEP, "r:findings", pack([milder, *found[2:], other], list[Finding]))

    code, lines = again(told, SWEEP)

    assert code == 1
    assert f"  only then: {other.severity.value}: Postgres: Postgres is slow" in lines
    assert f"  shop, {found[0].kind}: severity: notice → {found[0].severity.value}" in lines
    for missed in found[1:2]:
        assert f"  only now: {missed.severity.value}: shop: {missed.sentence}" in lines


def test_a_replay_of_a_sweep_says_what_is_not_as_it_was(told: PipelineHarness) -> None:
    _, lines = again(told, SWEEP)

    assert "the one of then is not recorded" in lines[-1]
    assert "TRACKWALKER_MIN_DURATION_MINUTES 4 as set now" in lines[-1]


@pytest.mark.parametrize(
    ("blob", "why"),
    [
        (None, "it has no record evidence"),
        (b"0j{}", "its record evidence is of another version"),
        (b"1j{", "its record evidence cannot be read"),
    ],
)
def test_what_lacks_a_record_cannot_be_replayed_and_says_which(
    told: PipelineHarness, blob: bytes | None, why: str
) -> None:
    key = told.incidents()[0]
    told.store.hdel(key, "r:evidence")
    if blob is not None:
        told.store.hset(key, "r:evidence", blob)

    code, lines = again(told, key)

    assert (code, lines) == (2, [f"{key.removeprefix(PREFIX)}: cannot be replayed: {why}"])


def test_what_the_agent_and_the_host_did_is_not_run_again_and_said_so(told: PipelineHarness) -> None:
    key = told.incidents()[0]
    told.store.hset(key, mapping={"r:plan": b"1j{}", "r:verification": b"1j{}"})

    assert "  not run again: plan, verification" in again(told, key).lines


def test_what_judges_nothing_cannot_be_replayed(told: PipelineHarness) -> None:
    [alert] = told.store.scan_iter(f"{PREFIX}alert:*")

    assert again(told, alert.decode()).code == 2
    with pytest.raises(Refused):
        again(told, "nothing-like-it")


def test_the_command_ends_with_what_it_found(told: PipelineHarness, store_url: str, tmp_path: Path) -> None:
    key = told.incidents()[0]
    same = run(tmp_path, "replay", key, REDIS_URL=store_url)
    [evidence] = told.values(Evidence)
    told.store.hset(key, "r:evidence", pack(evidence.model_copy(update={"facts": ()}), Evidence))
    differs = run(tmp_path, "replay", key, REDIS_URL=store_url)
    unknown = run(tmp_path, "replay", "zzz", REDIS_URL=store_url)

    assert (same.returncode, differs.returncode, unknown.returncode) == (0, 1, 2)
    assert "→ inconclusive" in differs.stdout
    assert unknown.stderr.startswith("trackwalker: zzz: no such journal")
