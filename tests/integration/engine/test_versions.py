"""Two versions side by side, as in a rolling deployment: unreadable records are made again or left to the other."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support import people as control
from tests.support.pipeline import PipelineHarness
from tests.support.polling import wait_until
from tests.support.worker import running_worker
from workers.engine import dispatcher, records
from workers.engine.broker import make_broker
from workers.engine.claim import NEWER_VERSION_PATIENCE_SECONDS, Claim
from workers.engine.codec import VERSION
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX, SCHEDULE, EndedAs
from workers.engine.stage_table import STAGES, Stage
from workers.models import Evidence
from workers.pipeline.services import Services
from workers.pipeline.stages import HANDLERS
from workers.pipeline.worker import run_stage

NEWER = str(int(VERSION) + 1).encode() + b"j" + b'{"facts":"of another kind"}'


def stage(running: PipelineHarness, key: str) -> str:
    return running.journal.fields(key)["stage"].decode()


def journals(running: PipelineHarness) -> list[str]:
    """The keys of all hashes that have a stage."""
    keys = [
        raw.decode() for raw in running.store.scan_iter(f"{PREFIX}*", _type="HASH") if isinstance(raw, bytes)
    ]
    return [key for key in keys if running.store.hexists(key, "stage")]


def at(running: PipelineHarness, name: str) -> str:
    """The key of an incident that is due at this stage."""
    running.alert()
    running.drive(running.incidents)
    key = running.incidents()[0]
    running.drive(lambda: stage(running, key) == name)
    return key


def at_analyse(running: PipelineHarness) -> str:
    """The key of a sweep that has its survey."""
    running.alert()
    key = f"{PREFIX}sweep:env-1:1"
    running.drive(lambda: running.store.hget(key, "stage") == b"analyse")
    return key


# ---- records -------------------------------------------------------------------------------------

UNREADABLE = pytest.mark.parametrize(
    "blob", [b"0j{}", b"1j[]", b"1zgarbage", b"1j{", b"1x", b"", b"\xff\xfe"], ids=repr
)


@UNREADABLE
def test_an_unreadable_record_is_made_again(reporting: PipelineHarness, blob: bytes) -> None:
    key = at(reporting, "diagnose")
    reporting.store.hset(key, "r:evidence", blob)

    reporting.drive(reporting.report_texts)

    assert reporting.outcome_kind() == "reported"
    assert len(reporting.values(Evidence)) == 1


@pytest.mark.parametrize("blob", [b"0j{}", b"1j{}"], ids=["older version", "fields missing"])
def test_an_unreadable_survey_is_made_again(reporting: PipelineHarness, blob: bytes) -> None:
    key = at_analyse(reporting)
    reporting.store.hset(key, "r:survey", blob)

    reporting.drive(reporting.report_texts)

    assert reporting.journal.fields(key)["ended"]


def test_a_record_that_stays_unreadable_is_made_again_once_only(reporting: PipelineHarness) -> None:
    key = at(reporting, "diagnose")
    for _ in range(2):
        reporting.drive(lambda: stage(reporting, key) == "diagnose")
        reporting.store.hset(key, "r:evidence", b"0j{}")
        run_stage(reporting.services, "diagnose", key)

    assert reporting.outcome_kind() == "failed"


def test_every_record_that_a_stage_needs_is_made_by_a_stage() -> None:
    needed = {record for stage in STAGES.values() for record in stage.needs}

    records_made = {record for stage in STAGES.values() for record in stage.makes}

    assert needed <= records_made | {records.PULL}
    assert set(STAGES) == set(HANDLERS)


def with_more(value: Any) -> Any:
    """The value as a newer version might write it: every model has an unknown field."""
    if isinstance(value, dict):
        return value | {"of_tomorrow": {"deep": [1]}}
    return [with_more(item) for item in value] if isinstance(value, list) else value


def add_to_records(running: PipelineHarness) -> None:
    for key in journals(running):
        for name, blob in running.journal.fields(key).items():
            if name.startswith(("r:", "a:")) and b"of_tomorrow" not in blob:
                text = zlib.decompress(blob[2:]) if blob[1:2] == b"z" else blob[2:]
                running.store.hset(
                    key, name, VERSION + b"j" + json.dumps(with_more(json.loads(text))).encode()
                )


def test_fields_that_a_newer_version_adds_to_records_are_ignored(
    reporting: PipelineHarness,
) -> None:
    reporting.alert()
    for _ in range(60):
        if reporting.report_texts():
            break
        add_to_records(reporting)
        reporting.work_next()

    assert len(reporting.report_texts()) == 1
    assert reporting.outcome_kind() == "reported"
    assert not any(b"again:" in name for key in journals(reporting) for name in reporting.store.hkeys(key))


def test_every_script_keeps_unknown_fields(reporting: PipelineHarness) -> None:
    reporting.alert()
    marked, store = set[str](), reporting.store

    def lost() -> list[str]:
        now = {
            key: store.hmget(key, "of_tomorrow", "r:of_tomorrow") for key in marked & set(journals(reporting))
        }
        return [f"{key}: {fields}" for key, fields in now.items() if fields != [key.encode(), NEWER]]

    for _ in range(60):
        for key in set(journals(reporting)) - marked:
            store.hset(key, mapping={"of_tomorrow": key, "r:of_tomorrow": NEWER})
            marked.add(key)
        if reporting.report_texts():
            break
        reporting.work_next()
        assert lost() == []
    control.request_fix(reporting.journal, "all")

    assert {"alert", "sweep", "incident", "notification"} == {key.split(":")[1] for key in marked}
    assert lost() == []


# ---- records of a newer version --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "record"), [("diagnose", "evidence"), ("enrich", "evidence"), ("watch", "incident")]
)
def test_a_newer_record_is_left_to_the_newer_worker(
    reporting: PipelineHarness, before: str, record: str
) -> None:
    key = at(reporting, before)
    reporting.store.hset(key, f"r:{record}", NEWER)

    for _ in range(10):
        reporting.store.hdel(key, "not_before")
        run_stage(reporting.services, before, key)

    fields = reporting.journal.fields(key)
    seconds, _ = reporting.store.time()
    assert (fields["stage"].decode(), fields[f"r:{record}"]) == (before, NEWER)
    assert "lease" not in fields and "ended" not in fields
    assert (fields["crashes"], fields["reason"].endswith(b"newer version")) == (b"0", True)
    # The journal is due again soon: a newer worker must not wait long for a journal that an older one released.
    assert (reporting.store.zscore(SCHEDULE, key) or 0) / 1000 < seconds + 35


def test_a_newer_survey_is_neither_analysed_nor_made_again(reporting: PipelineHarness) -> None:
    key = at_analyse(reporting)
    reporting.store.hset(key, mapping={"r:survey": NEWER, "stage": "survey"})
    calls = len(reporting.railway.operations)

    run_stage(reporting.services, "survey", key)

    assert reporting.store.hget(key, "r:survey") == NEWER
    assert len(reporting.railway.operations) == calls


def test_an_alert_of_a_newer_version_is_not_dropped(reporting: PipelineHarness) -> None:
    key = at_analyse(reporting)
    reporting.store.hset(key, "a:newer", NEWER)

    run_stage(reporting.services, "analyse", key)

    assert "ended" not in reporting.journal.fields(key)


def test_a_notification_of_a_newer_version_waits_for_less_than_an_hour(
    reporting: PipelineHarness,
) -> None:
    key = at(reporting, "watch")
    outcome = reporting.journal.fields(key)["r:outcome"]
    tell = key.replace(PREFIX, f"{PREFIX}notification:", 1)
    reporting.store.hset(key, "r:outcome", NEWER)

    reporting.store.hdel(tell, "not_before")
    run_stage(reporting.services, "notify", tell)

    seconds, _ = reporting.store.time()
    assert reporting.report_texts() == []
    assert (reporting.store.zscore(SCHEDULE, tell) or 0) / 1000 < seconds + 60
    reporting.store.hset(key, "r:outcome", outcome)
    reporting.drive(reporting.report_texts)


def test_a_newer_record_is_made_again_after_a_rollback(reporting: PipelineHarness) -> None:
    key = at(reporting, "diagnose")
    reporting.store.hset(key, "r:evidence", NEWER)
    run_stage(reporting.services, "diagnose", key)
    seconds, _ = reporting.store.time()
    reporting.store.hset(key, "failing_since", int((seconds - NEWER_VERSION_PATIENCE_SECONDS - 60) * 1000))

    reporting.drive(reporting.report_texts)

    assert reporting.outcome_kind() == "reported"
    assert len(reporting.values(Evidence)) == 1


# ---- stages and messages of a newer version --------------------------------------------------------


def test_journals_of_unknown_stages_are_kept_and_delay_no_other(
    journal: JournalStore, store: redis.Redis
) -> None:
    unknown = [f"{PREFIX}forecast:{number}" for number in range(dispatcher.BATCH + 50)]
    for key in unknown:
        journal.open_journal(key, "forecast", field="kept")
    journal.open_journal(f"{PREFIX}sweep:env:1", "survey")
    before = [journal.fields(key) for key in unknown]
    broker = make_broker(store)
    broker.declare_queue(STAGES["survey"].queue)

    sent = [dispatcher.dispatch_due(journal, broker) for _ in range(2)]

    assert sum(sent) == 1
    assert [journal.fields(key) for key in unknown] == before
    assert all(store.zscore(SCHEDULE, key) for key in unknown)


def rolled_back(running: PipelineHarness, key: str, minutes: float) -> None:
    """Let the dispatcher have met the journal's unknown stage so many minutes ago."""
    running.store.zadd(SCHEDULE, {key: 1})
    dispatcher.dispatch_due(running.journal, make_broker(running.store))
    stage_name, _, since = running.journal.fields(key)["unknown"].rpartition(b" ")
    running.store.hset(key, "unknown", stage_name + b" %d" % (int(since) - int(minutes * 60_000)))
    running.store.zadd(SCHEDULE, {key: 1})
    dispatcher.dispatch_due(running.journal, make_broker(running.store))


@pytest.mark.parametrize(
    ("stage", "record"), [("enrich", "incident"), ("diagnose", "evidence"), ("watch", "outcome")]
)
def test_a_journal_of_an_unknown_stage_continues_from_its_records_after_a_rollback(
    reporting: PipelineHarness, stage: str, record: str
) -> None:
    key = at(reporting, stage)
    reporting.store.hset(key, mapping={"stage": "foresee", "fence": "7"})
    reporting.store.hdel(key, "not_before", "lease")

    rolled_back(reporting, key, 14)
    stage_before = reporting.journal.fields(key)["stage"]
    reporting.store.hset(key, "fence", "8")
    rolled_back(reporting, key, 16)

    fields = reporting.journal.fields(key)
    assert (stage_before, fields["stage"], fields["fence"]) == (b"foresee", stage.encode(), b"9")
    assert f"r:{record}" in fields
    reporting.drive(reporting.report_texts)
    assert len(reporting.report_texts()) == 1


def test_a_journal_that_a_newer_worker_claims_is_left_to_it(reporting: PipelineHarness) -> None:
    key = at(reporting, "diagnose")
    reporting.store.hset(key, "stage", "foresee")
    reporting.store.hdel(key, "not_before", "lease")
    rolled_back(reporting, key, 14)
    reporting.store.hincrby(key, "fence", 1)  # by its claim

    rolled_back(reporting, key, 2)

    assert reporting.journal.fields(key)["stage"] == b"foresee"


def test_a_newer_worker_runs_the_stage_that_an_older_one_does_not_know(
    reporting: PipelineHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"{PREFIX}forecast:1"
    done: list[str] = []

    def forecast(_: Services, claim: Claim) -> None:
        claim.end(EndedAs.RESOLVED, "done")
        done.append(claim.key)

    with running_worker(reporting, tmp_path / "older") as older:
        reporting.journal.open_journal(key, "forecast")
        wait_until(
            lambda: (reporting.store.zscore(SCHEDULE, key) or 0) / 1000 > reporting.store.time()[0] + 5
        )
        monkeypatch.setitem(STAGES, "forecast", Stage("forecast", "incident", queue="incidents"))
        monkeypatch.setitem(HANDLERS, "forecast", forecast)
        assert "forecast" not in older.broker.actors

        with running_worker(reporting, tmp_path / "newer"):
            wait_until(lambda: "ended" in reporting.journal.fields(key), seconds=120, what="the newer worker")
            reporting.alert()
            wait_until(reporting.report_texts, seconds=120, what="everything else")

    assert done == [key]


def test_messages_for_missing_actors_harm_neither_version(reporting: PipelineHarness, tmp_path: Path) -> None:
    with (
        running_worker(reporting, tmp_path / "older", without={"enrich", "diagnose"}),
        running_worker(reporting, tmp_path / "newer"),
    ):
        for _ in range(3):
            reporting.alert()

        wait_until(reporting.report_texts, seconds=180, what="the outcome")

    assert len(reporting.report_texts()) == 1
