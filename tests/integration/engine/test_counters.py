"""Counters of the workers' doings: what is counted, once, and how the metrics show it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import redis
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from receiver.metrics import read_state, render
from tests.support.builders import finding
from tests.support.journals import open_incident
from workers.engine import counters, records
from workers.engine.claim import Claim
from workers.engine.schema import COUNTERS, PREFIX, EndedAs
from workers.engine.worker_store import WorkerStore
from workers.models import Category, Severity, SlackMessage, Usage, Verdict, VerdictReason

NOW = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)
KEY = f"{PREFIX}incident:abc:20261123T0304"
VERDICT = Verdict(category=Category.CODE, reason=VerdictReason.NO_FACTS, summary="x")


@pytest.fixture
def worker(store: redis.Redis) -> WorkerStore:
    return WorkerStore(store)


@contextmanager
def claim(worker: WorkerStore, key: str, stage: str) -> Iterator[Claim]:
    with worker.claimed(key, stage) as held:
        assert held is not None
        yield held


def counted(worker: WorkerStore, name: str) -> dict[tuple[str, ...], float]:
    return dict(counters.read(worker).values[name])


def samples(worker: WorkerStore) -> dict[str, float]:
    text = render(CollectorRegistry(), read_state(worker, NOW)).decode()
    families = text_string_to_metric_families(text)
    return {
        sample.name + "".join(f"|{value}" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_record_is_counted_when_it_is_first_made(worker: WorkerStore) -> None:
    worker.open_journal(KEY, "diagnose")
    with claim(worker, KEY, "diagnose") as first:
        first.record(records.VERDICT, VERDICT)
        first.record(records.VERDICT, VERDICT)
        first.advance("diagnose")
    worker.command("hdel", KEY, records.VERDICT.field)
    with claim(worker, KEY, "diagnose") as again:
        again.record(records.VERDICT, VERDICT)

    assert counted(worker, "verdicts") == {("code",): 1}


def test_a_worker_that_lost_its_claim_counts_nothing(worker: WorkerStore) -> None:
    worker.open_journal(KEY, "diagnose")
    with claim(worker, KEY, "diagnose") as lost:
        worker.command("hincrby", KEY, "fence", 1)
        with pytest.raises(Exception, match="another worker"):
            lost.record(records.VERDICT, VERDICT)

    assert counted(worker, "verdicts") == {}


def test_usage_counts_what_each_run_adds(worker: WorkerStore) -> None:
    worker.open_journal(KEY, "plan")
    with claim(worker, KEY, "plan") as running:
        running.record(records.USAGE, Usage(cost_usd=0.25, tokens=100, calls=1))
        running.record(records.USAGE, Usage(cost_usd=0.25, tokens=100, calls=1))
        running.record(records.USAGE, Usage(cost_usd=0.75, tokens=150, calls=3))

    assert counted(worker, "agent_cost_usd") == {(): 0.75}
    assert counted(worker, "agent_tokens") == {(): 150}
    assert counted(worker, "agent_calls") == {(): 3}


def test_a_sweep_counts_its_findings_and_its_end(worker: WorkerStore) -> None:
    key = f"{PREFIX}sweep:env:1"
    worker.open_journal(key, "analyse")
    with claim(worker, key, "analyse") as sweep:
        sweep.record(records.FINDINGS, [finding(), finding(), finding(severity=Severity.NOTICE)])
        sweep.end(EndedAs.FINDINGS, "3 findings")

    kind = finding().kind
    assert counted(worker, "findings") == {(kind, "critical"): 2, (kind, "notice"): 1}
    assert counted(worker, "sweeps") == {("findings",): 1}
    assert samples(worker)["trackwalker_sweep_seconds_count"] == 1


def test_only_the_first_posted_message_of_a_journal_is_an_acknowledgement(worker: WorkerStore) -> None:
    for number, message in enumerate((SlackMessage(ts="1"), SlackMessage(text="not posted"))):
        key = f"{PREFIX}notification:alert:{number}"
        worker.open_journal(key, "notify")
        with claim(worker, key, "notify") as notification:
            notification.record(records.ACK, message)
            notification.record(records.slack_message("outcome"), message)

    shown = samples(worker)
    assert shown["trackwalker_acknowledgement_seconds_count"] == 1
    assert shown["trackwalker_acknowledgement_seconds_bucket|1"] == 1


def test_an_incident_is_counted_when_it_opens_and_precision_falls_with_what_is_dismissed(
    worker: WorkerStore,
) -> None:
    counts = '{"add":{"incidents|server_errors|critical":1}}'
    for fingerprint in ("a", "b", "a"):
        open_incident(worker, f"{PREFIX}incident:{fingerprint}:1", fingerprint=fingerprint, counts=counts)
    worker.command("hincrby", COUNTERS, "dismissed_findings|server_errors", 1)

    shown = samples(worker)
    assert shown["trackwalker_incidents_total|server_errors|critical"] == 2
    assert shown["trackwalker_rule_precision|server_errors"] == 0.5
    assert shown["trackwalker_open_incidents"] == 2


def test_fields_of_other_versions_are_left_out(worker: WorkerStore) -> None:
    for name in ("gone|x", "verdicts|a|b", "verdicts|code"):
        worker.command("hset", COUNTERS, name, 3)

    assert counted(worker, "verdicts") == {("code",): 3}
    assert "gone" not in counters.read(worker).values


def test_metrics_show_the_queue_and_the_size_of_the_store(worker: WorkerStore) -> None:
    worker.open_journal(KEY, "enrich")
    worker.open_journal(f"{PREFIX}incident:later:1", "enrich", after=60)

    shown = samples(worker)

    assert shown["trackwalker_store_up"] == 1
    assert shown["trackwalker_open_journals"] == 2
    assert shown["trackwalker_due_journals"] == 1
    assert 0 <= shown["trackwalker_oldest_due_seconds"] < 60
    assert shown["trackwalker_store_memory_bytes"] > 0


def test_without_redis_only_its_absence_is_shown() -> None:
    text = render(CollectorRegistry(), None).decode()

    assert "trackwalker_store_up 0.0" in text
    assert "trackwalker_verdicts_total" not in text
