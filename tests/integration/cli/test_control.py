"""`cancel` and `retry`: a journal ends or continues on request, and no effect is undone or repeated."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support import people as control
from tests.support.fakes.railway_types import LogRow
from tests.support.pipeline import PipelineHarness, harness
from tests.support.polling import wait_until
from workers.agent.coding_agent import AgentAnswer
from workers.agent.saved_session import SESSION_FILE, can_resume
from workers.engine import records
from workers.engine.codec import pack
from workers.engine.reservations import CANCELLED_RESERVATION_SECONDS
from workers.engine.schema import ENDED_INCIDENTS, OPEN, PREFIX, SCHEDULE
from workers.engine.stage_table import STAGES
from workers.engine.worker_store import WorkerStore
from workers.errors import Refused, Superseded
from workers.models import Evidence, Outcome, PullRequest, Usage, Verification
from workers.pipeline.worker import run_stage

KEY = f"{PREFIX}incident:abc:20261123T0304"
SWEEP_KEY = f"{PREFIX}sweep:env-1:1"
NEXT_SWEEP_KEY = f"{PREFIX}sweep:env-1:2"
PULL = PullRequest(number=7, url="https://github.com/acme/shop/pull/7", draft=False, branch="b")


@pytest.fixture
def fixing(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """The pipeline around the failing shop, with an agent."""
    with harness(store, store_url, tmp_path, small=True) as running:
        yield running


@pytest.fixture
def incident(journal: WorkerStore, store: redis.Redis) -> str:
    """The key of an open incident in stage `fix` that waits for its next attempt."""
    journal.open_journal(KEY, "fix", after=600_000 / 1000, attempts=3, failing_since=1, crashes=2)
    store.hset(
        KEY, mapping={"r:evidence": b"1j{}", "r:verdict": b"1j{}", "r:plan": b"1j{}", "not_before": 9e14}
    )
    store.hset(OPEN, "abc", KEY)
    return KEY


def count_channel_posts(running: PipelineHarness) -> int:
    """The number of messages that show in the channel and not only in a thread."""
    return sum(message.rings for message in running.slack.messages)


def count_reader_calls(running: PipelineHarness) -> int:
    return len([call for call in running.fake_model.calls if call.role == "reader"])


def stage(running: PipelineHarness, key: str) -> str:
    return running.journal.fields(key)["stage"].decode()


def threads(running: PipelineHarness) -> set[str]:
    return {message.thread_ts or message.ts for message in running.slack.messages}


def queue_sweep(running: PipelineHarness) -> None:
    """Store an alert and run the pipeline until its sweep is scheduled."""
    running.alert()
    running.drive(lambda: running.store.exists(SWEEP_KEY))


def drive_past_incidents(running: PipelineHarness) -> None:
    """Run the pipeline until no journal of an incident or of its notification is scheduled."""
    running.drive(lambda: not [key for key in running.due() if ":incident:" in key])


def report_incident(running: PipelineHarness) -> str:
    """Return the key of an incident whose outcome is posted."""
    running.alert()
    running.drive(running.outcome_posts)
    return running.incidents()[0]


def pass_quiet_day(running: PipelineHarness, key: str) -> None:
    """Let the incident's watch see clean checks for a day, before another check finds the trouble again."""
    running.store.hset(key, mapping={"clean_sweeps": 2, "quiet_ms": 86_400_000})
    run_stage(running.services, "watch", key)
    assert "ended" in running.journal.fields(key)


def acknowledge_incident(running: PipelineHarness) -> str:
    """Return the key of an incident of which only the acknowledgement is posted."""
    notification = f"{PREFIX}notification:alert:{running.alert()}"
    running.store.hdel(notification, "ack_due_at")
    run_stage(running.services, "notify", notification)
    running.drive(running.incidents)
    key = running.incidents()[0]
    run_stage(running.services, "notify", key.replace(PREFIX, f"{PREFIX}notification:", 1))
    assert len(running.slack.texts) == 1
    return key


# ---- cancel ----------------------------------------------------------------------------------


def test_a_cancel_ends_an_incident_and_frees_its_cause(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    control.cancel(journal, "abc")

    fields = journal.fields(incident)
    assert fields["ended"] and fields["outcome"] == b"cancelled by a person"
    assert store.hget(OPEN, "abc") is None
    assert store.zscore(SCHEDULE, incident) is None
    assert store.ttl(incident) > 0
    assert store.zscore(ENDED_INCIDENTS, incident) is not None
    assert store.ttl(ENDED_INCIDENTS) > 0


def test_a_cancel_takes_the_claim_of_a_running_worker(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    store.hdel(incident, "not_before")
    killed: list[str] = []
    claim = journal.claim(incident, "fix")
    assert claim is not None
    fence = int(journal.fields(incident)["fence"])
    claim.on_loss(lambda: killed.append("the agent"))

    lines = control.cancel(journal, "abc")
    journal.renew_leases()

    assert killed == ["the agent"]
    assert lines[1] == "the worker that is running it stops within a few seconds"
    assert journal.claim(incident, "fix") is None
    assert int(journal.fields(incident)["fence"]) > fence


def test_a_cancel_names_the_mute_that_prevents_new_posts(reporting: PipelineHarness) -> None:
    key = report_incident(reporting)

    lines = control.cancel(reporting.journal, key)

    assert "opens a new occurrence; `trackwalker mute shop --for 4h` prevents posts" in lines[-1]


def test_a_second_cancel_reports_the_first_and_changes_nothing(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    control.cancel(journal, "abc")
    before = store.dump(incident)

    with pytest.raises(Refused, match="incident:abc:20261123T0304 was cancelled at "):
        control.cancel(journal, "abc")

    assert store.dump(incident) == before


def test_a_journal_that_ended_by_itself_cannot_be_cancelled(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    store.hset(incident, mapping={"ended": 1, "outcome": "resolved"})

    with pytest.raises(Refused, match="has ended already: resolved"):
        control.cancel(journal, "abc")


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, False),
        ({"r:remote": b"1j{}", "r:outcome": b"1j{}"}, False),
        ({"r:remote": b"1j{}"}, True),
        ({"r:pull": pack(PULL, PullRequest)}, True),
    ],
)
def test_a_cancel_releases_reservations_unless_a_pull_request_may_be_open(
    journal: WorkerStore, incident: str, store: redis.Redis, fields: dict[str, bytes], kept: bool
) -> None:
    own, foreign = f"{PREFIX}reserved:1", f"{PREFIX}reserved:2"
    store.mset({own: incident, foreign: "another incident"})
    store.hset(incident, "reserved", f"{own},{foreign}")
    for name, value in fields.items():
        store.hset(incident, name, value)

    lines = control.cancel(journal, "abc")

    assert bool(store.exists(own)) == kept
    assert store.ttl(own) <= CANCELLED_RESERVATION_SECONDS
    assert any("pull request" in line for line in lines) == kept
    assert store.get(foreign) == b"another incident"


def test_a_cancel_settles_the_budget_at_the_actual_cost(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    day, name = f"{PREFIX}budget:20261123", incident.removeprefix(PREFIX)
    store.hset(day, mapping={"cost": 5_000_000, f"run:{name}": 2_000_000})
    store.hset(incident, mapping={"budget_day": day, "r:usage": pack(Usage(cost_usd=0.25), Usage)})

    control.cancel(journal, "abc")

    assert store.hmget(day, "cost", f"run:{name}") == [b"3250000", b"250000"]


def test_a_cancelled_incident_is_reported_once_and_only_in_its_thread(reporting: PipelineHarness) -> None:
    key = acknowledge_incident(reporting)

    control.cancel(reporting.journal, key)
    drive_past_incidents(reporting)

    first, *replies = reporting.slack.messages
    assert first.text.startswith("⚪ shop · production: cancelled.")
    assert "\ncancelled by a person" in first.text
    assert [reply.thread_ts for reply in replies] == [first.ts]
    assert "it was in stage 'enrich'" in replies[0].text
    assert count_channel_posts(reporting) == 1


def test_a_cancel_of_an_unannounced_incident_posts_nothing(reporting: PipelineHarness) -> None:
    reporting.alert()
    reporting.drive(reporting.incidents)
    key = reporting.incidents()[0]
    control.cancel(reporting.journal, key)

    drive_past_incidents(reporting)

    assert reporting.slack.texts == []


def test_a_cancel_leaves_the_pull_request_open_and_shows_its_link(fixing: PipelineHarness) -> None:
    key = report_incident(fixing)
    before = count_channel_posts(fixing)

    lines = control.cancel(fixing.journal, key)
    fixing.drive(lambda: "cancelled" in fixing.slack.texts[-1])

    [pull] = fixing.github.pulls
    assert pull.state == "open"
    assert any(f"/pull/{pull.number}" in line and "stays open" in line for line in lines)
    posted = fixing.slack.texts[-1].splitlines()
    assert any(
        line.startswith("cancelled by a person <") and line.endswith(f"/pull/{pull.number}>")
        for line in posted
    )
    assert f"its pull request #{pull.number} stays open" in posted
    assert count_channel_posts(fixing) == before


def test_a_cancel_during_a_fix_stops_the_worker_before_it_proposes(fixing: PipelineHarness) -> None:
    fixing.fake_model.writer = "never ends"
    fixing.alert()
    fixing.drive(lambda: any(stage(fixing, key) == "fix" for key in fixing.incidents()))
    key = fixing.incidents()[0]
    worker = threading.Thread(target=run_stage, args=(fixing.services, "fix", key))
    worker.start()
    wait_until(
        lambda: any(call.role == "writer" for call in fixing.fake_model.calls),
        seconds=120,
        what="the writer at work",
    )

    control.cancel(fixing.journal, key)
    fixing.journal.renew_leases()
    worker.join(30)

    assert not worker.is_alive()
    for _ in range(10):
        fixing.work_next()
    assert fixing.github.pushes == [] and fixing.github.pulls == []
    assert list(fixing.store.scan_iter(f"{PREFIX}reserved:*")) == []


def test_the_alerts_of_a_cancelled_sweep_are_answered_and_the_next_sweep_works(
    reporting: PipelineHarness,
) -> None:
    queue_sweep(reporting)
    claim = reporting.journal.claim(SWEEP_KEY, "survey")
    assert claim is not None

    control.cancel(reporting.journal, "sweep:env-1:1")
    reporting.drive(lambda: reporting.slack.texts)

    assert "check cancelled by a person" in reporting.slack.texts[0]
    reporting.alert(source="ping", kind="ping", service_id=None, service_name=None)
    reporting.drive(reporting.incidents)
    assert len(reporting.slack.texts) == 1


def test_a_cancelled_sweep_makes_the_queued_sweep_due_at_once(reporting: PipelineHarness) -> None:
    queue_sweep(reporting)
    assert reporting.journal.claim(SWEEP_KEY, "survey") is not None
    reporting.alert()
    reporting.drive(lambda: reporting.store.exists(NEXT_SWEEP_KEY))
    reporting.store.zadd(SCHEDULE, {NEXT_SWEEP_KEY: 9e12})

    control.cancel(reporting.journal, SWEEP_KEY)

    due = reporting.store.zscore(SCHEDULE, NEXT_SWEEP_KEY)
    assert isinstance(due, float) and due < 9e12
    assert reporting.journal.claim(NEXT_SWEEP_KEY, "survey") is not None


def test_a_cancelled_queued_sweep_takes_no_more_alerts(reporting: PipelineHarness) -> None:
    queue_sweep(reporting)

    control.cancel(reporting.journal, "sweep:env-1:1")
    assert SWEEP_KEY not in reporting.due()
    reporting.alert()
    reporting.drive(lambda: reporting.journal.fields(NEXT_SWEEP_KEY))

    assert reporting.store.hget(f"{PREFIX}slot:env-1", "queued_sweep") == NEXT_SWEEP_KEY.encode()


def test_the_sender_of_a_cancelled_alert_is_notified(reporting: PipelineHarness) -> None:
    name = reporting.alert()

    control.cancel(reporting.journal, name)
    reporting.drive(lambda: reporting.slack.texts)

    assert "check cancelled by a person" in reporting.slack.texts[0]
    assert list(reporting.store.scan_iter(f"{PREFIX}sweep:*")) == []


def test_a_notification_can_be_cancelled(reporting: PipelineHarness) -> None:
    name = reporting.alert()

    control.cancel(reporting.journal, f"notification:alert:{name}")

    assert f"{PREFIX}notification:alert:{name}" not in reporting.due()


# ---- retry -----------------------------------------------------------------------------------


def test_a_retry_schedules_a_waiting_journal_now_and_resets_its_attempts(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    before = store.hget(incident, "fence")

    lines = control.retry(journal, "abc")

    fields = journal.fields(incident)
    assert lines == ["incident:abc:20261123T0304: due now in stage `fix`"]
    assert not {"not_before", "failing_since", "lease", "reason"} & set(fields)
    assert (fields["attempts"], fields["crashes"]) == (b"0", b"0")
    assert fields["fence"] != before
    assert "r:plan" in fields
    assert journal.claim(incident, "fix") is not None


def test_a_retry_from_a_stage_discards_its_records_and_later_ones_but_no_effects(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    stage_records = [record for stage in STAGES.values() for record in stage.makes]
    present = [*stage_records, records.USAGE, records.REMOTE, records.LATEST_FINDINGS]
    store.hset(incident, mapping={record.field: b"1j1" for record in present})
    store.hset(incident, mapping={"reserved": "x", "budget_day": "y", "again:plan": "1"})

    control.retry(journal, "abc", "plan")

    fields = journal.fields(incident)
    kept = {name.removeprefix("r:") for name in fields if name.startswith("r:")}
    assert kept >= {"evidence", "verdict", "usage", "remote", "latest_findings"}
    assert not kept & {"plan", "base", "fix", "verification", "outcome", "follow_up", "would_propose"}
    assert "reserved" in fields and "budget_day" in fields
    assert "again:plan" not in fields


@pytest.mark.parametrize("requested", ["survey", "propose", "nonsense"])
def test_a_stage_that_cannot_be_retried_is_refused_with_the_possible_ones(
    journal: WorkerStore, incident: str, requested: str
) -> None:
    with pytest.raises(Refused, match=f"--from {requested}: .* from enrich, diagnose, plan, fix$"):
        control.retry(journal, "abc", requested)


def test_a_running_journal_is_retried_only_after_its_release(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    store.hdel(incident, "not_before")
    claim = journal.claim(incident, "fix")
    assert claim is not None

    with pytest.raises(Refused, match="is running stage `fix`: wait until the worker releases it"):
        control.retry(journal, "abc")

    claim.advance("fix")
    assert "due now" in control.retry(journal, "abc")[0]


def test_no_stage_before_propose_is_retried_once_a_branch_is_pushed(
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


def test_an_ended_occurrence_is_not_reopened_while_another_one_is_open(
    journal: WorkerStore, incident: str, store: redis.Redis
) -> None:
    control.cancel(journal, "abc")
    other = f"{PREFIX}incident:abc:20261123T0500"
    journal.open_journal(other, "enrich")
    store.hset(OPEN, "abc", other)

    with pytest.raises(Refused, match="incident:abc:20261123T0500 has the same cause and is open"):
        control.retry(journal, KEY)

    assert "ended" in journal.fields(incident)
    store.hset(other, "ended", 1)
    control.retry(journal, KEY)
    assert store.hget(OPEN, "abc") == incident.encode()
    assert store.ttl(incident) == -1
    assert store.zscore(ENDED_INCIDENTS, incident) is None


def test_a_retry_from_enrich_collects_new_evidence_and_keeps_the_thread(fixing: PipelineHarness) -> None:
    fixing.fake_model.writer = "idle"
    key = report_incident(fixing)
    evidence = fixing.values(Evidence)[0]
    fixing.fake_model.writer = "honest"
    began = evidence.patterns[0].first.timestamp()
    fixing.world.services[0].deployments[0].logs += [
        LogRow(began + 60 + i, "no voucher today", "error") for i in range(9)
    ]

    control.retry(fixing.journal, key, "enrich")
    fixing.drive(lambda: "/pull/" in fixing.slack.texts[-1])

    assert fixing.values(Evidence)[0] != evidence
    assert fixing.incidents() == [key]
    assert len(fixing.github.pulls) == 1
    assert len(threads(fixing)) == 1


def test_a_retry_finds_the_pull_request_of_a_proposal_without_a_response(fixing: PipelineHarness) -> None:
    fixing.github.faults.add("drop", method="POST", path="/pulls")
    fixing.alert()
    fixing.drive(lambda: fixing.github.pulls)
    key = fixing.incidents()[0]

    control.retry(fixing.journal, key, "propose")
    fixing.drive(fixing.outcome_posts)

    assert fixing.outcome_kind() == "pull request"
    assert len(fixing.github.pulls) == 1


def test_a_retried_failed_incident_reserves_its_cause_again_and_keeps_its_plan(
    fixing: PipelineHarness,
) -> None:
    fixing.fake_model.writer = "refuses"
    key = report_incident(fixing)
    reader_calls = count_reader_calls(fixing)
    failed = fixing.outcome_kind()
    fixing.fake_model.writer = "honest"

    lines = control.retry(fixing.journal, key)
    fixing.drive(lambda: fixing.outcome_kind() == "pull request")

    assert failed == "failed"
    assert lines[0].endswith("due now in stage `plan`")
    assert lines[-1] == "its plan is kept; `fix` follows once the cause is reserved again"
    assert count_reader_calls(fixing) == reader_calls
    assert list(fixing.store.scan_iter(f"{PREFIX}reserved:*"))


def test_a_cancelled_incident_continues_at_its_stage_after_a_retry(fixing: PipelineHarness) -> None:
    fixing.alert()
    fixing.drive(lambda: fixing.values(Verification))
    key = fixing.incidents()[0]
    control.cancel(fixing.journal, key)

    control.retry(fixing.journal, key)
    fixing.drive(fixing.outcome_posts)

    assert fixing.outcome_kind() == "pull request"
    assert len(fixing.github.pulls) == 1
    assert fixing.store.hlen(OPEN) == 1


@pytest.mark.parametrize(("requested", "resumes"), [(None, True), ("plan", False)])
def test_a_retry_resumes_the_agent_session_unless_its_stage_starts_over(
    fixing: PipelineHarness, requested: str | None, resumes: bool
) -> None:
    resumed: list[bool] = []

    def interrupted(*_: object, run_folder: Path, **__: object) -> AgentAnswer:
        resumed.append(can_resume(run_folder))
        (run_folder / SESSION_FILE).write_text("{}")
        raise Superseded("cancelled in the middle")

    fixing.services.remediation.ask = interrupted
    fixing.alert()
    fixing.drive(lambda: resumed)
    control.cancel(fixing.journal, fixing.incidents()[0])

    control.retry(fixing.journal, fixing.incidents()[0], requested)
    fixing.drive(lambda: len(resumed) == 2)

    assert resumed == [False, resumes]


@pytest.mark.parametrize(("kind", "sweeps"), [("alert", 2), ("sweep", 1)])
def test_a_retry_after_a_failed_check_answers_the_same_alert(
    store: redis.Redis, store_url: str, tmp_path: Path, kind: str, sweeps: int
) -> None:
    with harness(store, store_url, tmp_path, failing=False, TRACKWALKER_MODE="report") as running:
        token, running.railway.token = running.railway.token, "another"
        name = running.alert()
        running.drive(lambda: "check failed" in str(running.slack.texts))
        running.railway.token, before = token, len(running.slack.texts)

        control.retry(running.journal, f"alert:{name}" if kind == "alert" else "sweep:env-1:1")
        running.drive(lambda: len(running.slack.texts) > before)

        assert "no problem found" in running.slack.texts[-1]
        assert len(list(running.store.scan_iter(f"{PREFIX}sweep:*"))) == sweeps


def test_a_retried_resolved_incident_is_watched_again_and_its_end_posted_again(
    reporting: PipelineHarness,
) -> None:
    key = report_incident(reporting)
    pass_quiet_day(reporting, key)
    reporting.drive(lambda: "Resolved:" in reporting.slack.texts[-1])
    before = len(reporting.slack.texts)

    control.retry(reporting.journal, key)
    run_stage(reporting.services, "watch", key)
    is_watched = "ended" not in reporting.journal.fields(key)
    pass_quiet_day(reporting, key)
    reporting.drive(lambda: len(reporting.slack.texts) > before)

    assert is_watched
    assert "Resolved:" in reporting.slack.texts[-1]
    assert len(threads(reporting)) == 1


def test_a_retried_ended_sweep_checks_again_and_answers_no_alert_twice(reporting: PipelineHarness) -> None:
    report_incident(reporting)
    reporting.drive(lambda: reporting.count_ended_sweeps() == 1)
    requests, before = len(reporting.railway.operations), reporting.slack.texts

    control.retry(reporting.journal, "sweep:env-1:1", "survey")
    reporting.drive(lambda: reporting.count_ended_sweeps() == 1)
    for _ in range(8):
        reporting.work_next()

    assert len(reporting.railway.operations) > requests
    assert reporting.slack.texts[1:] == before[1:]
    assert len(reporting.incidents()) == 1


def test_a_sweep_that_was_given_up_can_be_retried_once_railway_answers(reporting: PipelineHarness) -> None:
    reporting.railway.faults.add("refuse", times=100)
    reporting.alert()
    reporting.drive(reporting.count_ended_sweeps)
    outcome = reporting.journal.fields(SWEEP_KEY)["outcome"].decode()
    reporting.railway.faults.clear()

    control.retry(reporting.journal, "sweep:env-1:1")
    reporting.drive(reporting.incidents)

    assert outcome.startswith("given up: ")
    assert reporting.count_ended_sweeps() <= 1


def test_the_stage_table_lists_every_record_that_a_stage_writes() -> None:
    sources = [path for path in Path("workers").rglob("*.py") if path.parts[1] != "notifications"]
    written = {
        getattr(records, name)
        for path in sources
        for name in re.findall(r"claim\.(?:step|record|effect)\(\s*records\.([A-Z_]+)", path.read_text())
    }

    assert written <= {record for stage in STAGES.values() for record in stage.makes} | {*records.EXTERNAL}
    assert {records.SURVEY, records.EVIDENCE, records.VERIFICATION, records.PULL} <= written


def test_a_journal_of_another_kind_is_neither_cancelled_nor_retried(
    journal: WorkerStore, store: redis.Redis
) -> None:
    store.hset(f"{PREFIX}pings", "stage", "pings")

    for command in (control.cancel, control.retry):
        with pytest.raises(Refused, match="pings is not an incident, sweep, alert or notification"):
            command(journal, "pings")


def test_watch_can_be_retried_only_once_an_outcome_is_recorded(journal: WorkerStore, incident: str) -> None:
    with pytest.raises(Refused):
        control.retry(journal, "abc", "watch")

    journal.client.hset(incident, "r:outcome", pack(Outcome(kind="reported", headline="x"), Outcome))
    assert "due now in stage `watch`" in control.retry(journal, "abc", "watch")[0]
