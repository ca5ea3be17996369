"""`replay` runs today's rules on recorded data, names the differences, writes nothing and contacts no other service."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.command_line import run_command
from tests.support.pipeline import PipelineHarness, Snapshot, driven_harness, restore_snapshot
from workers.cli import replay_comparison
from workers.cli.replay_comparison import DIFFERENT, IMPOSSIBLE, SAME, ReplayResult
from workers.engine import records
from workers.engine.codec import pack
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX
from workers.errors import Refused
from workers.models import Category, Evidence, Finding, Severity, Verdict, VerdictReason
from workers.runtime.store import client

SWEEP = "sweep:env-1:1"


@pytest.fixture(scope="module")
def finished(
    store_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PipelineHarness, Snapshot]]:
    """A pipeline without an agent, after it reported an incident and ended its sweep."""

    def drive(running: PipelineHarness) -> None:
        running.alert()
        running.drive(lambda: running.outcome_posts() and running.count_ended_sweeps())

    folder = tmp_path_factory.mktemp("replay")
    with driven_harness(store_url, folder, drive, TRACKWALKER_MODE="report") as driven:
        yield driven


@pytest.fixture
def reported(finished: tuple[PipelineHarness, Snapshot]) -> PipelineHarness:
    """The finished pipeline with its Redis as it was right after the report."""
    running, snapshot = finished
    restore_snapshot(running, snapshot)
    return running


def dump(store: redis.Redis) -> dict[Any, Any]:
    """Every key with its value, whether it expires, and the number of writes that Redis has counted."""
    readers: dict[Any, Callable[[bytes], Any]] = {
        b"hash": store.hgetall,
        b"string": store.get,
        b"set": store.smembers,
        b"zset": lambda key: store.zrange(key, 0, -1, withscores=True),
        b"list": lambda key: store.lrange(key, 0, -1),
    }
    values: dict[Any, Any] = {
        key: (readers[store.type(key)](key), store.ttl(key) > 0) for key in store.scan_iter("*")
    }
    return values | {"writes": store.info("persistence")["rdb_changes_since_last_save"]}


@contextmanager
def only_redis_reachable(monkeypatch: pytest.MonkeyPatch, store_url: str) -> Iterator[list[Any]]:
    """Refuses connections to anything but Redis. Yields the addresses of all attempts."""
    port = int(store_url.rsplit(":", 1)[1].split("/", maxsplit=1)[0])
    attempts: list[Any] = []
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        attempts.append(address)
        if not isinstance(address, tuple) or address[1] != port:
            raise OSError(f"connection to {address} is not allowed")
        connect(self, address)

    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, "connect", guarded)
        yield attempts


def replay(running: PipelineHarness, name: str) -> ReplayResult:
    return replay_comparison.replay(running.journal, name, running.settings.min_duration_minutes)


def test_a_replay_by_the_same_rules_gives_the_same_result(reported: PipelineHarness) -> None:
    for name in (SWEEP, reported.incidents()[0]):
        exit_code, lines = replay(reported, name)

        assert exit_code == SAME, lines
        assert ": same: " in lines[0]


def test_a_replay_writes_nothing_and_connects_only_to_redis(
    reported: PipelineHarness, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = reported.incidents()[0]
    changed = Verdict(category=Category.TRAFFIC, reason=VerdictReason.MORE_TRAFFIC, summary="x")
    reported.store.hset(key, "r:verdict", pack(changed, Verdict))
    before = dump(reported.store)
    names = (SWEEP, key, f"notification:{key.removeprefix(PREFIX)}")

    with only_redis_reachable(monkeypatch, store_url) as attempts:
        journal = JournalStore(client(store_url))
        exit_codes = [replay_comparison.replay(journal, name, 4).exit_code for name in names]
        with pytest.raises(OSError, match="not allowed"):
            socket.create_connection(("127.0.0.1", 1))
        journal.client.close()

    assert exit_codes == [SAME, DIFFERENT, IMPOSSIBLE]
    assert dump(reported.store) == before
    assert len(attempts) >= 2


def test_a_different_verdict_is_described_field_by_field(reported: PipelineHarness) -> None:
    key = reported.incidents()[0]
    [now] = reported.values(Verdict)
    changes = {
        "category": Category.TRAFFIC,
        "action": "wait",
        "supports": (*now.supports[1:], "E99"),
        "summary": "x",
    }
    reported.store.hset(key, "r:verdict", pack(now.model_copy(update=changes), Verdict))

    exit_code, lines = replay(reported, key)

    assert exit_code == DIFFERENT
    assert f"  category: traffic → {now.category.value}" in lines
    assert f"  supports: now also {now.supports[0]}" in lines
    assert "  supports: no longer E99" in lines
    assert any(line.startswith("  action: wait → Roll shop back") for line in lines)
    assert not any(line.startswith("  contradicts") for line in lines)


def test_different_findings_are_described_as_missing_new_or_changed(reported: PipelineHarness) -> None:
    findings = reported.journal.read_record(PREFIX + SWEEP, records.FINDINGS)
    assert findings
    first = findings[0]
    milder = first.model_copy(update={"severity": Severity.NOTICE})
    other = first.model_copy(
        update={"service_id": "svc-db", "service": "Postgres", "sentence": "p95 latency 3.4 s"}
    )
    reported.store.hset(PREFIX + SWEEP, "r:findings", pack([milder, *findings[2:], other], list[Finding]))

    exit_code, lines = replay(reported, SWEEP)

    assert exit_code == DIFFERENT
    assert f"  only recorded: {other.severity.value}: Postgres: p95 latency 3.4 s" in lines
    assert f"  shop, {first.kind}: severity: notice → {first.severity.value}" in lines
    for finding in findings[1:2]:
        assert f"  only now: {finding.severity.value}: shop: {finding.sentence}" in lines


def test_a_replay_of_a_sweep_names_the_inputs_that_are_not_recorded(reported: PipelineHarness) -> None:
    _, lines = replay(reported, SWEEP)

    assert "the history of that time is not recorded" in lines[-1]
    assert "the present TRACKWALKER_MIN_DURATION_MINUTES=4" in lines[-1]


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (None, "record evidence is missing"),
        (b"0j{}", "record evidence has another version"),
        (b"1j{", "record evidence cannot be read"),
    ],
)
def test_a_replay_without_a_needed_record_is_impossible_and_names_the_record(
    reported: PipelineHarness, blob: bytes | None, reason: str
) -> None:
    key = reported.incidents()[0]
    reported.store.hdel(key, "r:evidence")
    if blob is not None:
        reported.store.hset(key, "r:evidence", blob)

    exit_code, lines = replay(reported, key)

    assert (exit_code, lines) == (IMPOSSIBLE, [f"{key.removeprefix(PREFIX)}: cannot be replayed: {reason}"])


def test_results_of_the_agent_and_of_commands_are_not_repeated(reported: PipelineHarness) -> None:
    key = reported.incidents()[0]
    reported.store.hset(key, mapping={"r:plan": b"1j{}", "r:verification": b"1j{}"})

    assert "  not repeated: plan, verification" in replay(reported, key).lines


def test_a_journal_without_rules_cannot_be_replayed(reported: PipelineHarness) -> None:
    # An answered alert is checked again, as an alert of its own.
    alert = min(reported.store.scan_iter(f"{PREFIX}alert:*"))

    assert replay(reported, alert.decode()).exit_code == IMPOSSIBLE
    with pytest.raises(Refused):
        replay(reported, "nothing-like-it")


def test_the_exit_code_of_the_command_is_the_result(
    reported: PipelineHarness, store_url: str, tmp_path: Path
) -> None:
    key = reported.incidents()[0]
    same = run_command(tmp_path, "replay", key, REDIS_URL=store_url)
    [evidence] = reported.values(Evidence)
    without_facts = evidence.model_copy(update={"facts": ()})
    reported.store.hset(key, "r:evidence", pack(without_facts, Evidence))
    different = run_command(tmp_path, "replay", key, REDIS_URL=store_url)
    unknown = run_command(tmp_path, "replay", "zzz", REDIS_URL=store_url)

    assert (same.returncode, different.returncode, unknown.returncode) == (SAME, DIFFERENT, IMPOSSIBLE)
    assert "→ inconclusive" in different.stdout
    assert unknown.stderr.startswith("trackwalker: zzz: no such journal")
