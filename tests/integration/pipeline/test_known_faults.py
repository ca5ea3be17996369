"""Known faults of Dramatiq, of Redis and of this product, and why they do no harm.

Other files cover a pull request whose record was lost or whose patch differs from the journal's (test_propose), agents
and sweeps that a deployment stops (test_shutdown), and trickling answers (test_deadline).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from tests.support.fakes.serving import Faults, serve
from tests.support.fakes.slack import HOOK, FakeSlack
from tests.support.pipeline import PipelineHarness
from tests.support.polling import wait_until
from tests.support.proposals import ProposalHarness, proposal
from tests.support.webhooks import CRASHED_WEBHOOK, is_up, web_process
from tests.support.worker import running_worker
from workers.clients import deadline
from workers.clients.slack import Slack
from workers.engine import claim as claims
from workers.engine import dispatcher, worker_store
from workers.engine.broker import NAMESPACE, make_broker, make_message
from workers.engine.claim import LEASE_SECONDS, REDIS_TIMEOUT_SECONDS, Claim
from workers.engine.codec import Record
from workers.engine.schema import PREFIX, SCHEDULE
from workers.engine.stage_table import STAGES, SURVEY
from workers.engine.worker_store import WorkerStore
from workers.errors import NotAvailable, Superseded
from workers.models import Outcome
from workers.notifications import notify
from workers.notifications.presentation import Presentation
from workers.pipeline import stages
from workers.pipeline.services import Services
from workers.pipeline.stages import HANDLERS
from workers.pipeline.worker import run_stage
from workers.runtime.embedded import EmbeddedStore
from workers.runtime.store import client

__all__ = ["proposal"]  # a fixture

LOADED_SECONDS = 2.0  # allowance for a loaded machine; a broken promise would take many more
HOUR_MS = 3_600_000
SWEEP = f"{PREFIX}sweep:env-1:1"


@dataclass
class OwnStore:
    """A Redis that a test may kill, stop and empty."""

    owner: EmbeddedStore
    url: str

    @property
    def pid(self) -> int:
        return int((self.owner.folder / "store.pid").read_text())

    @property
    def data(self) -> Path:
        return self.owner.folder / "store"

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        wait_until(lambda: not self.owner.alive(), what="the end of the store")

    def start(self) -> None:
        assert self.owner.ensure() == self.url

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It accepts connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[OwnStore]:
    owner = EmbeddedStore(tmp_path / "own")
    yield OwnStore(owner, owner.ensure())
    owner.stop()


def at_survey(there: PipelineHarness) -> None:
    """Drive the pipeline to an unclaimed sweep."""
    there.alert()
    there.drive(lambda: there.store.exists(SWEEP))


def at_watch(there: PipelineHarness) -> str:
    """The notification of an incident whose outcome is recorded and not posted yet."""
    there.alert()
    there.drive(there.incidents)
    key = there.incidents()[0]
    there.drive(lambda: there.store.hget(key, "stage") == b"watch")
    return key.replace(PREFIX, f"{PREFIX}notification:", 1)


def messages(there: PipelineHarness, queue: str) -> int:
    """Messages that are queued or being processed."""
    return int(there.store.hlen(f"{NAMESPACE}:{queue}.msgs"))


# ---- Dramatiq ------------------------------------------------------------------------------------


def test_an_acknowledged_message_without_its_work_is_sent_again(
    reporting: PipelineHarness, tmp_path: Path
) -> None:
    at_survey(reporting)
    assert WorkerStore(reporting.store).claim(SWEEP, "survey") is not None  # by a worker that crashes now
    reporting.store.zadd(SCHEDULE, {SWEEP: 1})
    with running_worker(reporting, tmp_path / "one"):
        wait_until(lambda: reporting.store.zscore(SCHEDULE, SWEEP) != 1, what="the dispatcher's message")
        wait_until(lambda: not messages(reporting, "sweeps"), what="the message taken and acknowledged")
        fields = reporting.journal.fields(SWEEP)
        still_due = reporting.store.zscore(SCHEDULE, SWEEP)

        reporting.store.hset(SWEEP, "lease", 1)
        reporting.store.zadd(SCHEDULE, {SWEEP: 1}, xx=True)

        wait_until(reporting.report_texts, seconds=60, what="the outcome")

    assert "r:survey" not in fields
    assert still_due
    assert len(reporting.report_texts()) == 1


def test_the_schedule_survives_a_killed_redis_and_dramatiq_delays_no_message(
    own_store: OwnStore,
) -> None:
    connection = client(own_store.url)
    journal, broker = WorkerStore(connection), make_broker(connection)
    broker.declare_queue("incidents")
    keys = [f"{PREFIX}incident:abc:{number}" for number in range(50)]
    for number, key in enumerate(keys):
        journal.open_journal(key, "watch")
        claim = journal.claim(key, "watch")
        assert claim is not None
        claim.advance("watch", after=1 if number < 25 else 3600, blocked=number % 2 == 0, reason="later")
    before = ([journal.fields(key) for key in keys], connection.zrange(SCHEDULE, 0, -1, withscores=True))

    own_store.kill()
    own_store.start()

    assert (
        [journal.fields(key) for key in keys],
        connection.zrange(SCHEDULE, 0, -1, withscores=True),
    ) == before
    sent = 0

    def all_that_is_due() -> bool:
        nonlocal sent
        sent += dispatcher.dispatch_due(journal, broker)
        return sent == 25

    wait_until(all_that_is_due, what="what is due by now")
    assert not list(connection.scan_iter(f"{NAMESPACE}:*.DQ*"))


def test_a_duplicated_message_runs_its_stage_once(reporting: PipelineHarness, tmp_path: Path) -> None:
    at_survey(reporting)
    reporting.railway.faults.delay_seconds = 0.3
    with (
        running_worker(reporting, tmp_path / "one") as first_worker,
        running_worker(reporting, tmp_path / "two") as two,
    ):
        for _ in range(5):
            first_worker.broker.enqueue(make_message("survey", SWEEP))
            two.broker.enqueue(make_message("survey", SWEEP))

        wait_until(reporting.report_texts, seconds=60, what="the outcome")
        wait_until(lambda: not messages(reporting, "sweeps"), what="every copy taken")

    fields = reporting.journal.fields(SWEEP)
    assert (fields["fence"], fields["crashes"]) == (b"2", b"0")  # once for the survey, once for the judgement
    assert len(reporting.report_texts()) == 1


def test_a_dropped_dead_letter_loses_no_work(reporting: PipelineHarness, tmp_path: Path) -> None:
    at_survey(reporting)
    reporting.store.zadd(SCHEDULE, {SWEEP: 1})
    with running_worker(reporting, tmp_path / "older", without={"survey"}):
        dead = f"{NAMESPACE}:sweeps.XQ"
        wait_until(lambda: reporting.store.zcard(dead), what="the dead letter")
        reporting.store.delete(dead, f"{dead}.msgs")

    reporting.store.zadd(SCHEDULE, {SWEEP: 1}, xx=True)
    with running_worker(reporting, tmp_path / "newer"):
        wait_until(reporting.report_texts, seconds=90, what="the outcome")

    assert len(reporting.report_texts()) == 1


# ---- the store -----------------------------------------------------------------------------------


def test_of_two_workers_with_the_same_fence_number_only_one_records_and_acts(own_store: OwnStore) -> None:
    journal = WorkerStore(client(own_store.url))
    key = f"{PREFIX}incident:abc:1"
    journal.open_journal(key, "propose")
    saved = own_store.owner.folder / "saved"
    shutil.copytree(own_store.data, saved)
    first = journal.claim(key, "propose")
    own_store.kill()
    shutil.rmtree(own_store.data)
    saved.rename(own_store.data)  # the store did not sync the claim before it crashed
    own_store.start()
    second = journal.claim(key, "propose")
    assert first is not None and second is not None
    acted: list[str] = []

    with pytest.raises(Superseded):
        first.effect(Record("pull", str), lambda: None, lambda: acted.append("ack"))
    with pytest.raises(Superseded):
        first.record(Record("pull", str), "ack")
    recorded = second.effect(
        Record("pull", str), lambda: acted[0] if acted else None, lambda: acted.append("second")
    )

    assert first.fields["fence"] == second.fields["fence"]
    assert (recorded, acted) == ("second", ["second"])
    assert journal.read_record(key, Record("pull", str)) == "second"


def lost(there: PipelineHarness, at: datetime | None = None) -> PipelineHarness:
    """The pipeline after its Redis lost everything; the next sweep is opened at that time."""
    there.store.flushall()
    now = (lambda: at) if at else there.services.now
    return replace(there, services=replace(there.services, now=now))


def number_of(outcome: Outcome) -> int:
    """The pull request that an outcome links to."""
    return int((outcome.link or "0").rpartition("/")[2])


def test_a_lost_redis_leads_to_no_second_pull_request_for_one_cause(
    proposed: PipelineHarness,
) -> None:
    [old], calls = proposed.github.pulls, len(proposed.fake_model.calls)
    after = lost(proposed, datetime.now(UTC) + timedelta(minutes=2))
    after.alert()

    after.drive(after.outcome_posts)

    [outcome] = after.values(Outcome)
    assert (outcome.kind, number_of(outcome)) == ("attached", old.number)
    assert len(after.github.pulls) == 1
    assert not old.head.endswith(after.incidents()[0].rpartition(":")[2])
    assert "writer" not in {call.role for call in after.fake_model.calls[calls:]}


def test_an_occurrence_of_the_same_minute_adopts_the_existing_pull_request(
    proposed: PipelineHarness,
) -> None:
    [old], pushes = proposed.github.pulls, len(proposed.github.pushes)
    minute = datetime.strptime(old.head.rpartition("-")[2], "%Y%m%dT%H%M").replace(tzinfo=UTC)
    after = lost(proposed, minute + timedelta(seconds=30))
    after.alert()

    after.drive(after.outcome_posts)

    assert len(after.github.pulls) == 1
    assert [number_of(outcome) for outcome in after.values(Outcome)] == [old.number]
    assert len(after.github.pushes) == pushes


def test_a_hanging_redis_costs_the_sender_three_seconds_and_slack_gets_one_line(
    own_store: OwnStore, tmp_path: Path
) -> None:
    slack = FakeSlack()
    with serve(slack.app) as hook:
        settings = {
            "REDIS_URL": own_store.url,
            "SLACK_WEBHOOK_URL": hook.url + HOOK,
            "TRACKWALKER_SECRET": "s",
        }
        with web_process(tmp_path, **settings) as (url, _):
            wait_until(partial(is_up, url), what="the web process")
            with own_store.hanging():
                responses = [post(url) for _ in range(3)]
                wait_until(lambda: slack.messages, what="the message in Slack")
            back = wait_until(lambda: post(url)[0].status_code == 202, what="the store back")

    assert [response.status_code for response, _ in responses] == [503] * 3
    assert all(int(response.headers["retry-after"]) > 0 for response, _ in responses)
    assert max(seconds for _, seconds in responses) < 3 + LOADED_SECONDS
    assert back
    assert len(slack.messages) == 1


def post(url: str) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    answer = httpx.post(f"{url}/hooks/railway/s", content=CRASHED_WEBHOOK, timeout=20)
    return answer, time.monotonic() - began


def test_a_worker_stops_its_claims_while_redis_hangs_and_continues_afterwards(
    own_store: OwnStore,
) -> None:
    journal = WorkerStore(client(own_store.url))
    claims: list[Claim] = []
    ends: dict[int, float] = {}

    def note_end(number: int) -> None:
        ends.setdefault(number, time.monotonic())

    for number in range(8):
        key = f"{PREFIX}incident:abc:{number}"
        journal.open_journal(key, "fix")
        claim = journal.claim(key, "fix")
        assert claim is not None
        claim.on_loss(partial(note_end, number))
        claims.append(claim)
    renewer = dispatcher.LeaseRenewer(journal, lambda: None)
    renewer.start()
    began = time.monotonic()

    with own_store.hanging():
        wait_until(lambda: len(ends) == 8, seconds=40, what="the release of every claim")
        with pytest.raises(Superseded):
            claims[0].check_fence()
    renewer.ended.set()

    assert max(ends.values()) - began < LEASE_SECONDS + LOADED_SECONDS
    assert min(ends.values()) - began > REDIS_TIMEOUT_SECONDS - 1
    again = WorkerStore(client(own_store.url))
    wait_until(lambda: again.claim(f"{PREFIX}incident:abc:7", "fix"), what="the next claim")


def test_a_worker_exits_after_a_long_outage_of_redis(
    own_store: OwnStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "OUTAGE_SECONDS", 1.0)
    ended = threading.Event()
    renewer = dispatcher.LeaseRenewer(WorkerStore(client(own_store.url)), ended.set)
    renewer.start()

    with own_store.hanging():
        assert ended.wait(60)
    renewer.join(10)


# ---- a worker that stands still ------------------------------------------------------------------


@dataclass
class Stopped:
    """A claim whose worker stands still right after its n-th fence check, as under SIGSTOP."""

    claim: Claim
    check: int
    reached: threading.Event
    goes_on: threading.Event

    def confirm(self) -> None:
        Claim.check_fence(self.claim)
        self.check -= 1
        if self.check == 0:
            self.reached.set()
            assert self.goes_on.wait(60)


@contextmanager
def stopped(claim: Claim, act: Callable[[], object], *, check: int = 1) -> Iterator[None]:
    """For the length of the block a worker stands still between check and act; at its end the worker continues."""
    pause = Stopped(claim, check, threading.Event(), threading.Event())
    claim.check_fence = pause.confirm  # type: ignore[method-assign]  # a moment that no outside thing marks

    def run() -> None:
        with suppress(Superseded):
            act()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert pause.reached.wait(60)
        yield
    finally:
        pause.goes_on.set()
        thread.join(60)


@pytest.mark.parametrize("check", [1, 2], ids=["before the push", "before the pull request"])
def test_a_stopped_worker_that_continues_opens_no_second_pull_request(
    proposal: ProposalHarness, check: int
) -> None:
    claim = proposal.claim()

    with stopped(claim, lambda: proposal.propose(claim), check=check):
        outcome = proposal.propose(proposal.reclaim())

    assert outcome.kind == "pull request"
    assert len(proposal.fake_github.pulls) == 1
    assert len(set(proposal.fake_github.pushes)) == 1


def test_a_late_message_of_a_stopped_worker_is_deleted(reporting: PipelineHarness) -> None:
    tell = at_watch(reporting)
    slack, services = reporting.services.slack, reporting.services
    claim = reporting.journal.claim(tell, "notify")
    assert claim is not None

    with stopped(
        claim,
        lambda: notify.update_messages(claim, services.store, slack, Presentation(), now=services.now()),
    ):
        reporting.store.hset(tell, "lease", 1)
        run_stage(services, "notify", tell)
        first = [message.ts for message in reporting.slack.messages]

    assert [message.ts for message in reporting.slack.messages] == first
    assert len(reporting.slack.deleted) == 1
    assert len(reporting.report_texts()) == 1


@pytest.mark.parametrize("what", ["outcome", "watch"])
def test_a_duplicate_message_of_a_crashed_worker_is_deleted_a_minute_later(
    reporting: PipelineHarness, what: str
) -> None:
    tell, services = at_watch(reporting), reporting.services
    if what == "watch":
        reporting.drive(reporting.report_texts)
        incident = tell.replace("notification:", "")
        reporting.store.hset(incident, mapping={"clean_sweeps": 2, "quiet_ms": 24 * HOUR_MS})
        run_stage(services, "watch", incident)
    claim = reporting.journal.claim(tell, "notify")
    assert claim is not None

    def speak() -> None:
        with suppress(NotAvailable):
            notify.update_messages(claim, services.store, services.slack, Presentation(), now=services.now())

    with stopped(claim, speak):
        reporting.store.hset(tell, "lease", 1)
        run_stage(services, "notify", tell)
        expected = [message.ts for message in reporting.slack.messages]
        reporting.slack.faults.add("503", path="conversations", times=5)
    duplicated = [message.ts for message in reporting.slack.messages]
    reporting.slack.faults.clear()
    reporting.drive(lambda: reporting.slack.deleted)

    assert len(duplicated) == len(expected) + 1
    assert [message.ts for message in reporting.slack.messages] == expected


def test_a_hanging_stage_is_killed_at_its_deadline_and_retried(
    reporting: PipelineHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (claims, worker_store):
        monkeypatch.setattr(module, "LEASE_SECONDS", 5.0)
    monkeypatch.setattr(dispatcher, "RENEW_SECONDS", 0.5)
    monkeypatch.setitem(STAGES, "survey", replace(SURVEY, deadline_seconds=1.0))
    children: list[subprocess.Popen[bytes]] = []
    released, crash_counts = threading.Event(), []
    run_survey = HANDLERS["survey"]

    def survey(services: Services, claim: Claim) -> None:
        crash_counts.append(claim.crash_count)
        if len(crash_counts) > 2:
            run_survey(services, claim)
            return
        if len(crash_counts) == 2:
            STAGES["survey"] = replace(SURVEY, deadline_seconds=60.0)  # of the next attempt
        child = subprocess.Popen(["sleep", "600"])
        children.append(child)
        claim.on_loss(child.kill)
        released.wait(60)

    monkeypatch.setitem(HANDLERS, "survey", survey)
    with running_worker(reporting, tmp_path / "one"):
        reporting.alert()
        wait_until(reporting.report_texts, seconds=90, what="the outcome")
        released.set()

    assert crash_counts == [0, 1, 2]
    assert [child.wait(5) for child in children] == [-signal.SIGKILL] * 2
    assert len(reporting.report_texts()) == 1


def test_a_stage_that_never_returns_ends_its_worker(
    journal: WorkerStore, sweep_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(dispatcher, "HANGING_SECONDS", 0.5)
    claim = journal.claim(sweep_key, "survey", deadline_seconds=0.5)
    ended = threading.Event()
    renewer = dispatcher.LeaseRenewer(journal, ended.set)
    renewer.start()

    assert ended.wait(20)
    renewer.join(10)
    assert claim is not None
    journal.stop()
    journal.release_all(0)
    # The claim is not released: a hanging stage counts as a crash, and too many crashes end the journal.
    assert b"lease" in journal.client.hgetall(sweep_key)


def test_trickling_answers_cost_a_sweep_no_more_than_its_deadline(
    reporting: PipelineHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "DEFAULT_DEADLINE_SECONDS", 2.0)
    monkeypatch.setitem(STAGES, "survey", replace(SURVEY, deadline_seconds=2.0))
    reporting.railway.faults.add("trickle", times=3)
    with running_worker(reporting, tmp_path / "one"):
        reporting.alert()
        wait_until(
            lambda: "failing_since" in reporting.journal.fields(SWEEP), seconds=60, what="a try that failed"
        )
        sweep = reporting.journal.fields(SWEEP)
        wait_until(reporting.report_texts, seconds=90, what="the outcome")

    assert len(reporting.railway.faults.played) == 3
    assert sweep["crashes"] == b"0"


def test_every_call_ends_at_the_deadline_of_its_stage(
    reporting: PipelineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults, ended = Faults(), []
    faults.add("trickle")

    def survey(_: Services, claim: Claim) -> None:
        with serve(reporting.slack.app, faults) as running, deadline.client(timeout=60) as web:
            try:
                web.get(running.url)
            except httpx.TimeoutException as error:
                ended.append(error)
                raise NotAvailable("it trickles") from error

    monkeypatch.setitem(HANDLERS, "survey", survey)
    monkeypatch.setitem(STAGES, "survey", replace(SURVEY, deadline_seconds=1.0))
    at_survey(reporting)
    rescue = threading.Timer(20, faults.clear)  # where nothing ends it
    rescue.start()
    run_stage(reporting.services, "survey", SWEEP)
    rescue.cancel()

    assert ended
    assert reporting.journal.fields(SWEEP)["attempts"] == b"1"


# ---- what comes at the wrong moment --------------------------------------------------------------


def test_an_alert_that_arrives_during_a_sweep_is_answered_by_the_next(
    reporting: PipelineHarness,
) -> None:
    at_survey(reporting)
    reporting.drive(lambda: reporting.store.hget(SWEEP, "stage") == b"analyse")
    ours = reporting.journal.claim(SWEEP, "analyse")
    assert ours is not None
    late = reporting.alert(service_id="svc-other", service_name="other")
    run_stage(reporting.services, "intake", f"{PREFIX}alert:{late}")

    stages.analyse(reporting.services, ours)

    second = f"{PREFIX}sweep:env-1:2"
    assert f"a:{late}" in reporting.journal.fields(second)
    assert f"a:{late}" not in reporting.journal.fields(SWEEP)
    reporting.drive(lambda: reporting.store.hexists(second, "ended"))
    assert "r:survey" in reporting.journal.fields(second)
    reporting.drive(lambda: any("other" in message.text for message in reporting.slack.messages))


# ---- Slack without a bot -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("killed", "posts"), [(False, 1), (True, 2)], ids=["as ever", "killed after sending"]
)
def test_an_incoming_webhook_gets_each_message_at_least_once_and_twice_only_after_a_crash(
    reporting: PipelineHarness, killed: bool, posts: int, tmp_path: Path
) -> None:
    tell = at_watch(reporting)
    with serve(reporting.slack.app, reporting.slack.faults) as hook:
        services = replace(reporting.services, slack=Slack(webhook_url=SecretStr(hook.url + HOOK)))
        if killed:
            reporting.slack.faults.add("drop")
        for _ in range(4):
            reporting.store.hdel(tell, "lease", "not_before")
            run_stage(services, "notify", tell)

    # Messages of an incoming webhook have no metadata to find the outcome by.
    assert sum("TRACKWALKER_MODE=report" in text for text in reporting.slack.texts) == posts
