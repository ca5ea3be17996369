"""The journal: claims, fences, records, effects, endings."""

from __future__ import annotations

import secrets
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import redis

from tests.support.journals import enqueue_packed, open_incident
from workers.engine import scripts
from workers.engine.claim import Claim, Unreadable
from workers.engine.codec import MAX_JSON_BYTES, MAX_STORED_BYTES, Record, TooLarge, pack, unpack
from workers.engine.schema import PREFIX, SCHEDULE, EndedAs
from workers.engine.stage_times import read_runs, read_times
from workers.engine.worker_store import WorkerStore
from workers.errors import NotAvailable, Superseded

RunOut = Callable[[], None]


def claimed(journal: WorkerStore, key: str, stage: str = "survey") -> Claim:
    claim = journal.claim(key, stage)
    assert claim is not None
    return claim


def test_only_one_worker_claims_a_journal(journal: WorkerStore, sweep_key: str) -> None:
    first = journal.claim(sweep_key, "survey")

    second = journal.claim(sweep_key, "survey")

    assert first is not None
    assert second is None


def test_a_claim_for_another_stage_is_dropped(journal: WorkerStore, sweep_key: str) -> None:
    assert journal.claim(sweep_key, "analyse") is None


def test_a_worker_that_lost_its_claim_records_nothing(
    journal: WorkerStore, sweep_key: str, let_leases_run_out: RunOut
) -> None:
    ours = claimed(journal, sweep_key)
    let_leases_run_out()
    theirs = claimed(journal, sweep_key)

    with pytest.raises(Superseded):
        ours.step(Record("answer", int), lambda: 2)

    assert theirs.step(Record("answer", int), lambda: 1) == 1
    assert journal.read_record(sweep_key, Record("answer", int)) == 1


def test_a_recorded_step_is_not_done_again(
    journal: WorkerStore, sweep_key: str, let_leases_run_out: RunOut
) -> None:
    claimed(journal, sweep_key).step(Record("answer", int), lambda: 1)
    let_leases_run_out()

    again = claimed(journal, sweep_key)

    assert again.step(Record("answer", int), lambda: 2) == 1


def test_crashes_are_counted_until_there_is_progress(
    journal: WorkerStore, sweep_key: str, let_leases_run_out: RunOut
) -> None:
    claimed(journal, sweep_key)
    let_leases_run_out()
    second = claimed(journal, sweep_key)
    crashes = second.crash_count
    second.step(Record("answer", int), lambda: 1)
    second.advance("survey")

    third = claimed(journal, sweep_key)

    assert crashes == 1
    assert third.crash_count == 0


def test_only_a_new_record_is_progress(
    journal: WorkerStore, sweep_key: str, let_leases_run_out: RunOut
) -> None:
    first = claimed(journal, sweep_key)
    first.record(Record("usage", int), 1)
    first.advance("survey", failed=True, blocked=True)
    let_leases_run_out()
    second = claimed(journal, sweep_key)
    second.set_fields(budget_day="today")
    second.record(Record("usage", int), 2)
    second.advance("survey", failed=True, blocked=True)
    let_leases_run_out()

    third = claimed(journal, sweep_key)

    assert (second.attempts, third.attempts) == (1, 2)


def test_attempts_are_reset_after_a_success(journal: WorkerStore, sweep_key: str) -> None:
    claimed(journal, sweep_key).advance("survey", failed=True)
    claimed(journal, sweep_key).advance("survey")

    assert claimed(journal, sweep_key).attempts == 0


def test_progress_resets_the_attempts_of_the_claim(journal: WorkerStore, sweep_key: str) -> None:
    claimed(journal, sweep_key).advance("survey", failed=True)
    claim = claimed(journal, sweep_key)
    before = claim.attempts

    claim.step(Record("answer", int), lambda: 1)

    assert (before, claim.attempts) == (1, 0)


def test_a_repeated_claim_call_returns_the_same_claim(journal: WorkerStore, sweep_key: str) -> None:
    claim: dict[str, Any] = {
        "journal": sweep_key,
        "slot": sweep_key,
        "uses_slot": 0,
        "stage": "survey",
        "token": "t",
    }

    first = journal.run(scripts.CLAIM, **claim, lease_ms=15_000)
    again = journal.run(scripts.CLAIM, **claim, lease_ms=15_000)

    assert again == first


def test_a_change_is_recorded_while_the_worker_shuts_down(journal: WorkerStore, sweep_key: str) -> None:
    claim = claimed(journal, sweep_key)
    journal.stop()

    claim.record(Record("posted", int), 1)

    assert journal.read_record(sweep_key, Record("posted", int)) == 1


def test_a_step_that_was_killed_records_nothing(journal: WorkerStore, sweep_key: str) -> None:
    claim = claimed(journal, sweep_key)

    def check() -> str:
        journal.stop()
        return "killed, so failed"

    with pytest.raises(Superseded):
        claim.step(Record("checked", str), check)

    assert journal.read_record(sweep_key, Record("checked", str)) is None


def test_a_claim_during_shutdown_does_nothing(journal: WorkerStore, sweep_key: str) -> None:
    journal.stop()

    with pytest.raises(Superseded):
        claimed(journal, sweep_key).check_alive()


def test_a_shutdown_is_no_progress_of_a_failing_stage(
    journal: WorkerStore, sweep_key: str, store: redis.Redis
) -> None:
    claimed(journal, sweep_key).advance("survey", failed=True)
    store.hset(sweep_key, "crashes", 3)
    before = journal.fields(sweep_key)
    claimed(journal, sweep_key)
    journal.stop()

    journal.release_all(0)

    after = journal.fields(sweep_key)
    assert "lease" not in after
    assert [after[name] for name in ("failing_since", "attempts", "crashes")] == [
        before["failing_since"],
        b"1",
        b"3",
    ]


def test_an_unreadable_record_is_named_in_the_error(journal: WorkerStore, sweep_key: str) -> None:
    claim = claimed(journal, sweep_key)
    claim.record(Record("survey", str), "text")

    with pytest.raises(Unreadable) as raised:
        claim.need(Record("survey", int))

    assert raised.value.name == "survey"


def test_a_restart_of_redis_counts_as_no_crash(
    journal: WorkerStore, sweep_key: str, store: redis.Redis, let_leases_run_out: RunOut
) -> None:
    claimed(journal, sweep_key)
    store.hset(sweep_key, "run", "the store before its restart")
    let_leases_run_out()

    assert claimed(journal, sweep_key).crash_count == 0


def test_an_effect_that_exists_outside_is_not_made_again(journal: WorkerStore, sweep_key: str) -> None:
    claim = claimed(journal, sweep_key)

    def act() -> None:
        raise AssertionError("acted although it was there")

    assert claim.effect(Record("pull", int), lambda: 7, act) == 7


def test_an_effect_is_looked_for_after_acting(journal: WorkerStore, sweep_key: str) -> None:
    claim = claimed(journal, sweep_key)
    world: list[int] = []

    result = claim.effect(Record("pull", int), lambda: world[0] if world else None, lambda: world.append(3))

    assert (result, world) == (3, [3])


def test_an_effect_that_cannot_be_seen_yet_is_recorded_as_it_was_answered(
    journal: WorkerStore, sweep_key: str
) -> None:
    claim, acts = claimed(journal, sweep_key), iter((3, 4))

    first = claim.effect(Record("pull", int), lambda: None, lambda: next(acts))
    again = claim.effect(Record("pull", int), lambda: None, lambda: next(acts))

    assert (first, again, next(acts)) == (3, 3, 4)
    assert journal.read_record(sweep_key, Record("pull", int)) == 3


def test_the_second_look_takes_precedence_over_the_answer(journal: WorkerStore, sweep_key: str) -> None:
    answers = iter((None, 7))

    assert claimed(journal, sweep_key).effect(Record("pull", int), lambda: next(answers), lambda: 8) == 7


def test_an_effect_without_answer_that_cannot_be_seen_is_retried(
    journal: WorkerStore, sweep_key: str
) -> None:
    claim = claimed(journal, sweep_key)

    with pytest.raises(NotAvailable):
        claim.effect(Record("pull", int), lambda: None, lambda: None)

    assert journal.read_record(sweep_key, Record("pull", int)) is None


def test_a_worker_that_lost_its_claim_does_not_act(
    journal: WorkerStore, sweep_key: str, let_leases_run_out: RunOut
) -> None:
    ours = claimed(journal, sweep_key)
    let_leases_run_out()
    claimed(journal, sweep_key)
    acts: list[int] = []

    with pytest.raises(Superseded):
        ours.effect(Record("pull", int), lambda: None, lambda: acts.append(1))

    assert acts == []


def test_advancing_releases_the_journal_for_the_next_stage(journal: WorkerStore, sweep_key: str) -> None:
    claimed(journal, sweep_key).advance("analyse")

    assert journal.claim(sweep_key, "analyse") is not None


def test_a_blocked_journal_is_not_claimed_before_its_time(journal: WorkerStore, sweep_key: str) -> None:
    claimed(journal, sweep_key).advance("survey", after=60, blocked=True, failed=True)
    journal.wake(sweep_key)

    assert journal.claim(sweep_key, "survey") is None


def test_a_journal_woken_during_a_claim_is_due_right_after_it(
    journal: WorkerStore, sweep_key: str, store: redis.Redis
) -> None:
    claim = claimed(journal, sweep_key)
    journal.wake(sweep_key)

    claim.advance("survey", after=3600)

    due = store.zscore(SCHEDULE, sweep_key)
    seconds, _ = store.time()
    assert due is not None
    assert due / 1000 <= seconds + 1


def test_an_ended_journal_leaves_the_schedule_and_gets_a_ttl(
    journal: WorkerStore, sweep_key: str, store: redis.Redis
) -> None:
    before = store.ttl(sweep_key)

    claimed(journal, sweep_key).end(EndedAs.RESOLVED, "nothing found")

    assert before == -1
    assert store.zscore(SCHEDULE, sweep_key) is None
    assert store.ttl(sweep_key) > 0


def test_a_non_final_end_fails_if_the_journal_was_woken(journal: WorkerStore, sweep_key: str) -> None:
    claim = claimed(journal, sweep_key)
    journal.wake(sweep_key)

    assert claim.end(EndedAs.RESOLVED, "over", final=False) is False
    assert claim.end(EndedAs.RESOLVED, "over") is True


def test_one_sweep_of_an_environment_runs_and_the_next_one_waits(
    journal: WorkerStore, store: redis.Redis
) -> None:
    def attach(number: int) -> str:
        return enqueue_packed(journal, str(number), "env")

    first = attach(1)
    joined = attach(2)
    working = claimed(journal, first)

    second = attach(3)
    early = journal.claim(second, "survey")
    working.end(EndedAs.RESOLVED, "done")

    assert joined == first
    assert second != first
    assert early is None
    assert journal.claim(second, "survey") is not None


def test_an_expired_slot_does_not_reuse_the_key_of_an_ended_sweep(
    journal: WorkerStore, store: redis.Redis
) -> None:
    slot = f"{PREFIX}slot:env"
    first = enqueue_packed(journal, "1", "env")
    claimed(journal, first).end(EndedAs.RESOLVED, "done")
    store.delete(slot)

    second = enqueue_packed(journal, "1", "env")

    assert second != first
    assert journal.claim(second, "survey") is not None


def test_a_clean_sweep_does_not_wake_an_ended_incident(
    journal: WorkerStore, sweep_key: str, store: redis.Redis
) -> None:
    claimed(journal, sweep_key).end(EndedAs.RESOLVED, "over")

    journal.run(
        scripts.UPDATE_RECOVERY,
        journal=sweep_key,
        sweep="sweep",
        recovery="healthy",
        seen_at=1,
        trouble_end=0,
        measured_record="",
    )
    journal.run(
        scripts.UPDATE_RECOVERY,
        journal=f"{PREFIX}incident:gone:1",
        sweep="sweep",
        recovery="healthy",
        seen_at=1,
        trouble_end=0,
        measured_record="",
    )

    assert store.zcard(SCHEDULE) == 0
    assert store.hexists(sweep_key, "ended")
    assert not store.exists(f"{PREFIX}incident:gone:1")


def test_a_renewal_extends_the_lease_and_stops_a_lost_claim(
    journal: WorkerStore, sweep_key: str, let_leases_run_out: RunOut
) -> None:
    ours = claimed(journal, sweep_key)
    killed: list[str] = []
    ours.on_loss(lambda: killed.append("child"))
    let_leases_run_out()
    journal.renew_leases()
    refused = journal.claim(sweep_key, "survey")
    let_leases_run_out()
    WorkerStore(journal.client).claim(sweep_key, "survey")

    journal.renew_leases()

    assert refused is None
    assert killed == ["child"]
    with pytest.raises(Superseded):
        ours.check_alive()


def test_the_same_cause_opens_one_incident(journal: WorkerStore, store: redis.Redis) -> None:
    def open_(minute: str) -> str:
        return open_incident(journal, f"{PREFIX}incident:abc:{minute}")

    first, second = open_("20261123T0304"), open_("20261123T0309")

    assert first == second
    assert store.hget(first, "firings") == b"2"


def test_an_ended_incident_is_followed_by_a_new_occurrence(journal: WorkerStore) -> None:
    def open_(minute: str) -> str:
        return open_incident(journal, f"{PREFIX}incident:abc:{minute}")

    first = open_("20261123T0304")
    claimed(journal, first, "enrich").end(EndedAs.RESOLVED, "over")

    assert open_("20261123T0309") != first


def test_records_survive_packing_and_unreadable_records_count_as_missing() -> None:
    large = ["line of text"] * 1000

    assert unpack(pack(large, list[str]), list[str]) == large
    assert len(pack(large, list[str])) < 1000
    assert unpack(b"0j[1]", list[int]) is None
    assert unpack(b"1zgarbage", list[int]) is None
    assert unpack(b'1j"text"', list[int]) is None


def test_a_record_that_is_too_large_is_refused_by_name_and_not_stored(
    journal: WorkerStore, sweep_key: str
) -> None:
    claim = claimed(journal, sweep_key)
    noise = secrets.token_hex(MAX_STORED_BYTES + 1)

    with pytest.raises(TooLarge, match=r"findings: too large for a record: str, 2\.0 MiB"):
        claim.step(Record("findings", str), lambda: noise)

    assert journal.read_record(sweep_key, Record("findings", str)) is None
    assert claim.step(Record("findings", str), lambda: "less") == "less"


def test_well_compressible_text_is_bounded_too() -> None:
    with pytest.raises(TooLarge):
        pack("a" * MAX_JSON_BYTES, str)


def test_a_decompression_bomb_is_unreadable() -> None:
    bomb = b"1z" + zlib.compress(b'"' + b"a" * MAX_JSON_BYTES + b'"')

    assert len(bomb) < MAX_STORED_BYTES
    assert unpack(bomb, str) is None


# ---- times of stages and records ---------------------------------------------------------------


def test_an_incident_keeps_when_its_stages_ran_and_how_often_they_failed(journal: WorkerStore) -> None:
    key = open_incident(journal, f"{PREFIX}incident:abc:1")
    claimed(journal, key, "enrich").advance("enrich", failed=True)
    claimed(journal, key, "enrich").advance("diagnose")

    runs = read_runs(journal.fields(key), "enrich")

    assert runs is not None
    assert (runs.runs, runs.failures) == (2, 1)
    assert runs.started <= runs.ended
    assert read_runs(journal.fields(key), "diagnose") is None


def test_a_crashed_run_counts_as_a_failure_that_lasted_until_its_lease_ended(
    journal: WorkerStore, let_leases_run_out: RunOut
) -> None:
    key = open_incident(journal, f"{PREFIX}incident:abc:1")
    claimed(journal, key, "enrich")
    let_leases_run_out()
    claimed(journal, key, "enrich").advance("diagnose")

    runs = read_runs(journal.fields(key), "enrich")

    assert runs is not None
    assert (runs.runs, runs.failures) == (2, 1)
    assert runs.started <= runs.ended


def test_a_record_keeps_when_it_was_first_made_and_last_made_anew(journal: WorkerStore) -> None:
    key = open_incident(journal, f"{PREFIX}incident:abc:1")
    claim = claimed(journal, key, "enrich")
    claim.record(Record("answer", int), 1)
    first = read_times(journal.fields(key), "answer")
    time.sleep(0.005)
    claim.record(Record("answer", int), 2)

    times = read_times(journal.fields(key), "answer")

    assert first is not None
    assert times is not None
    assert first[0] == first[1] == times[0] < times[1]


def test_the_run_that_gives_up_counts_as_a_failure(journal: WorkerStore) -> None:
    key = open_incident(journal, f"{PREFIX}incident:abc:1")
    claimed(journal, key, "enrich").end(EndedAs.FAILED, "given up")

    runs = read_runs(journal.fields(key), "enrich")

    assert runs is not None
    assert (runs.runs, runs.failures) == (1, 1)


def test_a_sweep_keeps_no_times(journal: WorkerStore, sweep_key: str) -> None:
    claim = claimed(journal, sweep_key)
    claim.record(Record("answer", int), 1)
    claim.advance("analyse")

    assert not [name for name in journal.fields(sweep_key) if name[:2] in ("t:", "s:") or name == "claimed"]
