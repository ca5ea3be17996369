"""Cancel and retry by hand: what ends, what begins again, and what happened outside stays."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.fakes.railway_types import LogRow
from tests.support.pipeline import PipelineHarness, harness
from tests.support.polling import wait_until
from workers.agent.run import Answer
from workers.agent.saved_session import SESSION_FILE, can_resume
from workers.cli import control
from workers.engine import records
from workers.engine.codec import pack
from workers.engine.reservations import CANCELLED_RESERVATION_SECONDS
from workers.engine.schema import ENDED, OPEN, PREFIX, SCHEDULE
from workers.engine.stage_table import STAGES
from workers.engine.worker_store import WorkerStore
from workers.errors import Refused, Superseded
from workers.models import Evidence, Outcome, PullRequest, Usage, Verification
from workers.pipeline.worker import run_stage

KEY = f"{PREFIX}incident:abc:20261123T0304"
PULL = PullRequest(number=7, url="https://github.com/acme/shop/pull/7", draft=False, branch="b")


@pytest.fixture
def sick(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """The line around the sick shop."""
    with harness(store, store_url, tmp_path, small=True) as running:
        yield running


@pytest.fixture
def reporting(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """The same without an agent."""
    with harness(store, store_url, tmp_path, TRACKWALKER_MODE="report") as running:
        yield running


@pytest.fixture
def incident(journal: WorkerStore, store: redis.Redis) -> str:
    """The key of an open incident that stands at `mend` and waits for its next try."""
    journal.open_journal(KEY, "fix", after=600_000 / 1000, attempts=3, failing_since=1, crashes=2)
    store.hset(
        KEY, mapping={"r:evidence": b"1j{}", "r:verdict": b"1j{}", "r:plan": b"1j{}", "not_before": 9e14}
    )
    store.hset(OPEN, "abc", KEY)
    return KEY


def told(running: PipelineHarness) -> list[str]:
    return [message.text for message in running.slack.messages]


def rings(running: PipelineHarness) -> int:
    return sum(message.rings for message in running.slack.messages)


def stage(running: PipelineHarness, key: str) -> str:
    return running.journal.fields(key)["stage"].decode()


def threads(running: PipelineHarness) -> set[str]:
    return {message.thread_ts or message.ts for message in running.slack.messages}


def concluded(running: PipelineHarness) -> str:
    """The key of an incident whose outcome is told."""
    running.alert()
    running.drive(running.outcome_posts)
    return running.incidents()[0]


def first_word(running: PipelineHarness) -> str:
    """The key of an incident of which the first word was said."""
    tell = f"{PREFIX}notification:alert:{running.alert()}"
    running.store.hdel(tell, "ack_due_at")
    run_stage(running.services, "notify", tell)
    running.drive(running.incidents)
    key = running.incidents()[0]
    run_stage(running.services, "notify", key.replace(PREFIX, f"{PREFIX}notification:", 1))
    assert len(told(running)) == 1
    return key


# ---- cancel ----------------------------------------------------------------------------------


def test_a_cancel_ends_an_incident_and_frees_its_trouble(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    control.cancel(journal, "abc")

    fields = journal.fields(incident)
    assert fields["ended"] and fields["outcome"] == b"cancelled by a person"
    assert store.hget(OPEN, "abc") is None
    assert store.zscore(SCHEDULE, incident) is None
    assert store.ttl(incident) > 0
    assert store.zscore(ENDED, incident) is not None
    assert store.ttl(ENDED) > 0


def test_whoever_works_on_what_is_cancelled_has_lost_it(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    store.hdel(incident, "not_before")
    killed: list[str] = []
    claim = journal.claim(incident, "fix")
    assert claim is not None
    fence = int(journal.fields(incident)["fence"])
    claim.on_loss(lambda: killed.append("the agent"))

    said = control.cancel(journal, "abc")
    journal.renew_leases()

    assert killed == ["the agent"]
    assert "the worker that has it in work stops" in said[1]
    assert journal.claim(incident, "fix") is None
    assert int(journal.fields(incident)["fence"]) > fence


def test_a_cancel_names_the_mute_that_keeps_the_trouble_quiet(reporting: PipelineHarness) -> None:
    key = concluded(reporting)

    said = control.cancel(reporting.journal, key)

    assert "opens a new round: `python -m workers mute shop --for 4h`" in said[-1]


def test_what_is_cancelled_twice_is_cancelled_already(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    control.cancel(journal, "abc")
    before = store.dump(incident)

    said = control.cancel(journal, "abc")

    assert "is cancelled already, since" in said[0]
    assert store.dump(incident) == before


def test_what_ended_by_itself_cannot_be_cancelled(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    store.hset(incident, mapping={"ended": 1, "outcome": "over"})

    with pytest.raises(Refused, match="has ended already: over"):
        control.cancel(journal, "abc")


@pytest.mark.parametrize(
    ("records", "kept"),
    [
        ({}, False),
        ({"r:remote": b"1j{}", "r:outcome": b"1j{}"}, False),
        ({"r:remote": b"1j{}"}, True),
        ({"r:pull": pack(PULL, PullRequest)}, True),
    ],
)
def test_reservations_are_given_back_unless_a_pull_request_may_be_open(
    journal: WorkerStore, incident: str, store: redis.Redis, records: dict[str, bytes], kept: bool
) -> None:
    cause, others = f"{PREFIX}reserved:1", f"{PREFIX}reserved:2"
    store.mset({cause: incident, others: "somebody else"})
    store.hset(incident, "reserved", f"{cause},{others}")
    for name, value in records.items():
        store.hset(incident, name, value)

    said = control.cancel(journal, "abc")

    assert bool(store.exists(cause)) == kept
    assert store.ttl(cause) <= CANCELLED_RESERVATION_SECONDS
    assert any("pull request" in sentence for sentence in said) == kept
    assert store.get(others) == b"somebody else"


def test_the_budget_of_what_is_cancelled_is_settled_at_what_was_spent(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    day, name = f"{PREFIX}budget:20261123", incident.removeprefix(PREFIX)
    store.hset(day, mapping={"cost": 5_000_000, f"run:{name}": 2_000_000})
    store.hset(incident, mapping={"budget_day": day, "r:usage": pack(Usage(cost_usd=0.25), Usage)})

    control.cancel(journal, "abc")

    assert store.hmget(day, "cost", f"run:{name}") == [b"3250000", b"250000"]


def test_a_cancelled_incident_is_told_once_in_its_thread_and_rings_nobody(reporting: PipelineHarness) -> None:
    key = first_word(reporting)

    control.cancel(reporting.journal, key)
    reporting.drive(lambda: not [one for one in reporting.due() if ":incident:" in one])

    first, *replies = reporting.slack.messages
    assert first.text.endswith("cancelled by a person")
    assert [reply.thread_ts for reply in replies] == [first.ts]
    assert "it stood at enrich" in replies[0].text
    assert rings(reporting) == 1


def test_of_an_incident_that_nobody_heard_of_a_cancel_says_nothing(reporting: PipelineHarness) -> None:
    reporting.alert()
    reporting.drive(reporting.incidents)
    key = reporting.incidents()[0]
    control.cancel(reporting.journal, key)

    reporting.drive(lambda: not [one for one in reporting.due() if ":incident:" in one])

    assert told(reporting) == []


def test_a_cancel_of_a_round_with_a_pull_request_leaves_that_and_shows_its_link(
    sick: PipelineHarness,
) -> None:
    key = concluded(sick)
    before = rings(sick)

    said = control.cancel(sick.journal, key)
    sick.drive(lambda: "cancelled" in told(sick)[-1])

    [pull] = sick.github.pulls
    assert pull.state == "open"
    assert any(f"/pull/{pull.number}" in sentence and "stays open" in sentence for sentence in said)
    assert told(sick)[-1].endswith(f"/pull/{pull.number}")
    assert rings(sick) == before


def test_a_cancel_in_the_middle_of_a_mend_stops_the_worker_and_there_is_no_pull_request(
    sick: PipelineHarness,
) -> None:
    sick.fake_model.writer = "never ends"
    sick.alert()
    sick.drive(lambda: any(stage(sick, key) == "fix" for key in sick.incidents()))
    key = sick.incidents()[0]
    worker = threading.Thread(target=run_stage, args=(sick.services, "fix", key))
    worker.start()
    wait_until(
        lambda: any(call.role == "writer" for call in sick.fake_model.calls),
        seconds=120,
        what="the writer at work",
    )

    control.cancel(sick.journal, key)
    sick.journal.renew_leases()
    worker.join(30)

    assert not worker.is_alive()
    for _ in range(10):
        sick.work_next()
    assert sick.github.pushes == [] and sick.github.pulls == []
    assert list(sick.store.scan_iter(f"{PREFIX}reserved:*")) == []


def test_the_alerts_of_a_cancelled_sweep_hear_of_it_and_the_next_sweep_works(
    reporting: PipelineHarness,
) -> None:
    reporting.alert()
    reporting.drive(lambda: list(reporting.store.scan_iter(f"{PREFIX}sweep:*")))
    claim = reporting.journal.claim(f"{PREFIX}sweep:env-1:1", "survey")
    assert claim is not None

    control.cancel(reporting.journal, "sweep:env-1:1")
    reporting.drive(lambda: told(reporting))

    assert "Cancelled by a person" in told(reporting)[0]
    reporting.alert(source="ping", kind="ping", service_id=None, service_name=None)
    reporting.drive(reporting.incidents)
    assert len(told(reporting)) == 1


def test_the_sweep_that_waits_for_a_cancelled_one_is_due_at_once(reporting: PipelineHarness) -> None:
    reporting.alert()
    reporting.drive(lambda: list(reporting.store.scan_iter(f"{PREFIX}sweep:*")))
    first, second = f"{PREFIX}sweep:env-1:1", f"{PREFIX}sweep:env-1:2"
    assert reporting.journal.claim(first, "survey") is not None
    reporting.alert()
    reporting.drive(lambda: reporting.store.exists(second))
    reporting.store.zadd(SCHEDULE, {second: 9e12})

    control.cancel(reporting.journal, first)

    assert reporting.store.zscore(SCHEDULE, second) < 9e12  # type: ignore[operator]  # it stands there
    assert reporting.journal.claim(second, "survey") is not None


def test_a_sweep_that_waits_can_be_cancelled_and_takes_no_more_alerts(reporting: PipelineHarness) -> None:
    reporting.alert()
    reporting.drive(lambda: list(reporting.store.scan_iter(f"{PREFIX}sweep:*")))

    control.cancel(reporting.journal, "sweep:env-1:1")
    assert f"{PREFIX}sweep:env-1:1" not in reporting.due()
    reporting.alert()
    reporting.drive(lambda: reporting.journal.fields(f"{PREFIX}sweep:env-1:2"))

    assert reporting.store.hget(f"{PREFIX}slot:env-1", "queued_sweep") == f"{PREFIX}sweep:env-1:2".encode()


def test_an_alert_can_be_cancelled_and_its_sender_hears_so(reporting: PipelineHarness) -> None:
    name = reporting.alert()

    control.cancel(reporting.journal, name)
    reporting.drive(lambda: told(reporting))

    assert "Cancelled by a person" in told(reporting)[0]
    assert list(reporting.store.scan_iter(f"{PREFIX}sweep:*")) == []


def test_words_can_be_cancelled(reporting: PipelineHarness) -> None:
    name = reporting.alert()

    control.cancel(reporting.journal, f"notification:alert:{name}")

    assert f"{PREFIX}notification:alert:{name}" not in reporting.due()


# ---- retry -----------------------------------------------------------------------------------


def test_a_retry_makes_due_now_what_waited_and_forgets_its_tries(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    before = store.hget(incident, "fence")

    said = control.retry(journal, "abc")

    fields = journal.fields(incident)
    assert said == ["incident:abc:20261123T0304: due now at fix"]
    assert not {"not_before", "failing_since", "lease", "reason"} & set(fields)
    assert (fields["attempts"], fields["crashes"]) == (b"0", b"0")
    assert fields["fence"] != before
    assert "r:plan" in fields
    assert journal.claim(incident, "fix") is not None


def test_a_retry_from_a_stage_forgets_what_it_and_later_ones_made_and_nothing_outside(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    made = [record for stage in STAGES.values() for record in stage.makes]
    there = [*made, records.USAGE, records.REMOTE, records.SEEN]
    store.hset(incident, mapping={record.field: b"1j1" for record in there})
    store.hset(incident, mapping={"reserved": "x", "budget_day": "y", "again:plan": "1"})

    control.retry(journal, "abc", "plan")

    fields = journal.fields(incident)
    kept = {name.removeprefix("r:") for name in fields if name.startswith("r:")}
    assert kept >= {"evidence", "verdict", "usage", "remote", "seen"}
    assert not kept & {"plan", "base", "fix", "verification", "outcome", "follow_up", "would_propose"}
    assert "reserved" in fields and "budget_day" in fields
    assert "again:plan" not in fields


def test_a_stage_that_cannot_be_retried_is_refused_with_those_that_can(
    journal: WorkerStore, incident: str
) -> None:
    for wanted in ("survey", "propose", "nonsense"):
        with pytest.raises(Refused, match=f"--from {wanted}: .* from enrich, diagnose, plan, fix$"):
            control.retry(journal, "abc", wanted)


def test_what_is_in_work_is_not_retried(journal: WorkerStore, incident: str, store: redis.Redis) -> None:
    store.hdel(incident, "not_before")
    claim = journal.claim(incident, "fix")
    assert claim is not None

    with pytest.raises(Refused, match="is is running stage"):
        control.retry(journal, "abc")

    claim.advance("fix")
    assert "due now" in control.retry(journal, "abc")[0]


def test_once_a_branch_was_pushed_nothing_before_proposing_is_retried(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    store.hset(incident, "r:branch", pack("0" * 40, str))
    with pytest.raises(Refused, match="--from propose finds or opens it"):
        control.retry(journal, "abc", "plan")

    store.hset(incident, "r:pull", pack(PULL, PullRequest))
    with pytest.raises(Refused, match=r"pull request #7 .* is open \(https://"):
        control.retry(journal, "abc", "enrich")
    with pytest.raises(Refused, match=r"can be retried from watch$"):
        control.retry(journal, "abc", "nonsense")


def test_a_round_whose_trouble_another_one_holds_is_not_taken_up_again(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    control.cancel(journal, "abc")
    other = f"{PREFIX}incident:abc:20261123T0500"
    journal.open_journal(other, "enrich")
    store.hset(OPEN, "abc", other)

    with pytest.raises(Refused, match="held by incident:abc:20261123T0500"):
        control.retry(journal, KEY)

    assert "ended" in journal.fields(incident)
    store.hset(other, "ended", 1)
    control.retry(journal, KEY)
    assert store.hget(OPEN, "abc") == incident.encode()
    assert store.ttl(incident) == -1
    assert store.zscore(ENDED, incident) is None


def test_a_retry_from_enrich_makes_new_evidence_in_the_same_thread(sick: PipelineHarness) -> None:
    sick.fake_model.writer = "idle"
    key = concluded(sick)
    evidence = sick.values(Evidence)[0]
    sick.fake_model.writer = "honest"
    began = evidence.patterns[0].first.timestamp()
    sick.world.services[0].deployments[0].logs += [
        LogRow(began + 60 + i, "no voucher today", "error") for i in range(9)
    ]

    control.retry(sick.journal, key, "enrich")
    sick.drive(lambda: "/pull/" in told(sick)[-1])

    assert sick.values(Evidence)[0] != evidence
    assert sick.incidents() == [key]
    assert len(sick.github.pulls) == 1
    assert len(threads(sick)) == 1


def test_a_retry_of_a_proposal_whose_answer_was_lost_finds_the_pull_request(sick: PipelineHarness) -> None:
    sick.github.faults.add("drop", method="POST", path="/pulls")
    sick.alert()
    sick.drive(lambda: sick.github.pulls)
    key = sick.incidents()[0]

    control.retry(sick.journal, key, "propose")
    sick.drive(sick.outcome_posts)

    assert sick.outcome_kind() == "pull request"
    assert len(sick.github.pulls) == 1


def test_a_failed_round_is_retried_where_it_failed_and_reserves_its_cause_again(
    sick: PipelineHarness,
) -> None:
    sick.fake_model.writer = "refuses"
    key = concluded(sick)
    asked = len([call for call in sick.fake_model.calls if call.role == "reader"])
    failed = sick.outcome_kind()
    sick.fake_model.writer = "honest"

    said = control.retry(sick.journal, key)
    sick.drive(lambda: sick.outcome_kind() == "pull request")

    assert failed == "failed"
    assert said[0].endswith("due now at plan") and said[-1].startswith("its plan is kept; it goes on to fix")
    assert len([call for call in sick.fake_model.calls if call.role == "reader"]) == asked
    assert list(sick.store.scan_iter(f"{PREFIX}reserved:*"))


def test_a_round_that_was_cancelled_goes_on_where_it_stood(sick: PipelineHarness) -> None:
    sick.alert()
    sick.drive(lambda: sick.values(Verification))
    key = sick.incidents()[0]
    control.cancel(sick.journal, key)

    control.retry(sick.journal, key)
    sick.drive(sick.outcome_posts)

    assert sick.outcome_kind() == "pull request"
    assert len(sick.github.pulls) == 1
    assert sick.store.hlen(OPEN) == 1


@pytest.mark.parametrize(("stage", "goes_on"), [(None, True), ("plan", False)])
def test_what_the_agent_began_goes_on_after_a_retry_unless_that_begins_anew(
    sick: PipelineHarness, stage: str | None, goes_on: bool
) -> None:
    resumed: list[bool] = []

    def interrupted(*_: object, run_folder: Path, **__: object) -> Answer:
        resumed.append(can_resume(run_folder))
        (run_folder / SESSION_FILE).write_text("{}")
        raise Superseded("cancelled in the middle")

    sick.services.remediation.ask = interrupted
    sick.alert()
    sick.drive(lambda: resumed)
    control.cancel(sick.journal, sick.incidents()[0])

    control.retry(sick.journal, sick.incidents()[0], stage)
    sick.drive(lambda: len(resumed) == 2)

    assert resumed == [False, goes_on]


@pytest.mark.parametrize("what", ["alert", "sweep"])
def test_who_heard_that_nobody_could_look_hears_the_answer_of_the_retry(
    store: redis.Redis, store_url: str, tmp_path: Path, what: str
) -> None:
    with harness(store, store_url, tmp_path, failing=False, TRACKWALKER_MODE="report") as running:
        token, running.railway.token = running.railway.token, "another"
        name = running.alert()
        running.drive(lambda: "Check failed" in str(told(running)))
        running.railway.token, before = token, len(told(running))

        control.retry(running.journal, f"alert:{name}" if what == "alert" else "sweep:env-1:1")
        running.drive(lambda: len(told(running)) > before)

        assert "no problem found" in told(running)[-1].lower()
        assert len(list(running.store.scan_iter(f"{PREFIX}sweep:*"))) == (2 if what == "alert" else 1)


def test_an_ended_round_is_watched_again_and_its_end_is_told_again(reporting: PipelineHarness) -> None:
    key = concluded(reporting)
    reporting.store.hset(key, "clean_sweeps", 2)
    reporting.drive(lambda: "ended" in reporting.journal.fields(key) and "Resolved:" in told(reporting)[-1])
    before = len(told(reporting))

    control.retry(reporting.journal, key)
    run_stage(reporting.services, "watch", key)
    watched = "ended" not in reporting.journal.fields(key)
    reporting.store.hset(key, "clean_sweeps", 2)
    reporting.drive(lambda: len(told(reporting)) > before)

    assert watched
    assert "Resolved:" in told(reporting)[-1]
    assert len(threads(reporting)) == 1


def test_a_sweep_that_ended_looks_again_and_answers_nobody_twice(reporting: PipelineHarness) -> None:
    concluded(reporting)
    reporting.drive(lambda: reporting.count_ended_sweeps() == 1)
    asked, before = len(reporting.railway.operations), told(reporting)

    control.retry(reporting.journal, "sweep:env-1:1", "survey")
    reporting.drive(lambda: reporting.count_ended_sweeps() == 1)
    for _ in range(8):
        reporting.work_next()

    assert len(reporting.railway.operations) > asked
    assert told(reporting)[1:] == before[1:]
    assert len(reporting.incidents()) == 1


def test_a_sweep_that_was_given_up_is_retried_once_what_it_lacked_is_there(
    reporting: PipelineHarness,
) -> None:
    reporting.railway.faults.add("refuse", times=100)
    reporting.alert()
    reporting.drive(reporting.count_ended_sweeps)
    given_up = reporting.journal.fields(f"{PREFIX}sweep:env-1:1")["outcome"].decode()
    reporting.railway.faults.clear()

    control.retry(reporting.journal, "sweep:env-1:1")
    reporting.drive(reporting.incidents)

    assert given_up.startswith("given up: ")
    assert reporting.count_ended_sweeps() <= 1


def test_every_record_that_the_stages_make_has_its_stage_in_the_one_table() -> None:
    sources = [path for path in Path("workers").rglob("*.py") if path.parts[1] != "notifications"]
    made = {
        getattr(records, name)
        for path in sources
        for name in re.findall(r"claim\.(?:step|record|effect)\(\s*records\.([A-Z_]+)", path.read_text())
    }

    assert made <= {record for stage in STAGES.values() for record in stage.makes} | {*records.EXTERNAL}
    assert {records.SURVEY, records.EVIDENCE, records.VERIFICATION, records.PULL} <= made


def test_what_is_no_piece_of_work_is_neither_cancelled_nor_retried(
    journal: WorkerStore, store: redis.Redis
) -> None:
    store.hset(f"{PREFIX}pings", "stage", "pings")

    for steer in (control.cancel, control.retry):
        with pytest.raises(Refused, match="no piece of work"):
            steer(journal, "pings")


def test_an_outcome_that_was_never_recorded_is_no_reason_to_watch(
    journal: WorkerStore, incident: str
) -> None:
    with pytest.raises(Refused):
        control.retry(journal, "abc", "watch")

    journal.client.hset(incident, "r:outcome", pack(Outcome(kind="reported", headline="x"), Outcome))
    assert "due now at watch" in control.retry(journal, "abc", "watch")[0]
