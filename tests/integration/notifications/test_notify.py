"""Telling: at most two posts that ring, nothing left hanging in the channel, no words lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.pipeline import PipelineHarness, harness
from workers.cli import listing
from workers.engine import retries
from workers.engine.codec import pack
from workers.engine.schema import PREFIX, SCHEDULE
from workers.incidents import controls
from workers.models import Finding, Incident, Outcome, Severity, SlackMessage, Subject, Window
from workers.notifications.notify import render
from workers.pipeline.worker import run_stage

NOW = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)


@pytest.fixture
def reporting(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """The line around the sick shop, without an agent."""
    with harness(store, store_url, tmp_path, TRACKWALKER_MODE="report") as running:
        yield running


def finding(service: str = "api", **facts: Any) -> Finding:
    said = {
        "service_id": f"svc-{service}", "service": service, "kind": "server_errors", "since": NOW,
        "severity": Severity.WARNING, "ongoing": True, "sentence": f"{service} is sick",
        "numbers": {"failed_percent": 12.04},
    }  # fmt: skip
    return Finding.model_validate(said | facts)


def incident(*findings: Finding, symptoms: tuple[Finding, ...] = (), name: str = "api") -> Incident:
    return Incident(
        fingerprint="f" * 16, occurrence="20261123T0304", project_id="p", project_name="shop", environment_id="e",
        environment_name="production", subject=Subject(kind="service", key="svc-api", name=name),
        findings=findings or (finding(),), symptoms=symptoms, opened_at=NOW,
        window=Window(start=NOW - timedelta(minutes=30), end=NOW),
    )  # fmt: skip


def first_word(of: Incident) -> list[str]:
    return render(of, None, None, None, "").ack.splitlines()


def told(running: PipelineHarness) -> list[str]:
    return [message.text for message in running.slack.messages]


def tell(running: PipelineHarness, key: str) -> None:
    """Work the tell's journal now, as if its time had come."""
    running.store.hdel(key, "ack_due_at", "not_before")
    run_stage(running.services, "notify", key)


def test_a_first_word_that_joins_an_open_incident_does_not_stay_looking(reporting: PipelineHarness) -> None:
    tell(reporting, f"{PREFIX}notification:alert:{reporting.alert()}")
    reporting.drive(reporting.outcome_posts)
    again = f"{PREFIX}notification:alert:{reporting.alert()}"
    tell(reporting, again)
    before = told(reporting)[-1]

    reporting.drive(lambda: reporting.store.hexists(again, "ended"))

    assert "Looking into it." in before
    assert "The same trouble as an incident that is open already." in told(reporting)[-1]
    assert not any("Looking into it." in text for text in told(reporting))


def test_a_first_word_after_the_outcome_becomes_the_first_post_of_the_incident(
    reporting: PipelineHarness,
) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_posts)
    tell(reporting, f"{PREFIX}notification:alert:{reporting.alert()}")

    reporting.drive(lambda: not any("Looking into it." in text for text in told(reporting)))

    assert "TRACKWALKER_MODE is report" in told(reporting)[0]
    assert "code: shop fails" in told(reporting)[1]


def test_a_first_word_that_the_incident_takes_over_becomes_its_thread(reporting: PipelineHarness) -> None:
    alert = reporting.alert()
    tell(reporting, f"{PREFIX}notification:alert:{alert}")

    reporting.drive(reporting.outcome_posts)

    first, outcome = reporting.slack.messages
    assert outcome.thread_ts == first.ts
    assert outcome.broadcast
    assert "shop" in first.text and "same trouble" not in first.text


def test_of_several_first_words_one_becomes_the_incidents_and_none_stays_looking(
    reporting: PipelineHarness,
) -> None:
    for _ in range(3):
        tell(reporting, f"{PREFIX}notification:alert:{reporting.alert()}")

    reporting.drive(reporting.outcome_posts)
    reporting.drive(lambda: not any("Looking into it." in text for text in told(reporting)))

    assert len([text for text in told(reporting) if "same trouble" in text]) == 2


def test_a_first_word_says_what_the_answer_waits_for(reporting: PipelineHarness) -> None:
    reporting.railway.faults.add("503", times=10_000)
    reporting.alert()

    reporting.drive(lambda: told(reporting))

    assert "Waiting: Railway" in told(reporting)[0]


def test_an_alert_of_a_service_that_is_muted_by_its_id_is_not_told_about(reporting: PipelineHarness) -> None:
    controls.mute(reporting.journal, "svc-shop", 4_000_000_000.0)
    alert = reporting.alert()

    tell(reporting, f"{PREFIX}notification:alert:{alert}")

    assert told(reporting) == []


def test_words_are_kept_for_longer_than_the_hours_in_which_a_stage_is_given_up(
    reporting: PipelineHarness,
) -> None:
    key = f"{PREFIX}notification:alert:{reporting.alert()}"
    two_days_ago = int((time.time() - 2 * retries.DAY) * 1000)
    reporting.store.hset(key, mapping={"attempts": 2000, "failing_since": two_days_ago})
    reporting.slack.faults.add("refuse", times=10)

    tell(reporting, key)

    assert "ended" not in reporting.journal.fields(key)


def test_an_outcome_is_posted_although_the_first_word_cannot_be_edited(reporting: PipelineHarness) -> None:
    reporting.alert()
    reporting.drive(lambda: bool(reporting.outcome_kind()))
    key = reporting.incidents()[0].replace(PREFIX, f"{PREFIX}notification:", 1)
    gone = SlackMessage(ts="1700000000.000001", channel=reporting.slack.channel)
    reporting.store.hset(key, "r:ack", pack(gone, SlackMessage))
    reporting.slack.faults.add("refuse", path="chat.update", times=10)

    tell(reporting, key)

    assert "TRACKWALKER_MODE is report" in told(reporting)[-1]


def test_a_mend_on_demand_is_no_new_first_word_and_its_outcome_stays_in_the_thread(
    reporting: PipelineHarness,
) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_posts)
    incident = reporting.incidents()[0]

    listing.mend(reporting.journal, incident.removeprefix(PREFIX))
    tell(reporting, incident.replace(PREFIX, f"{PREFIX}notification:", 1))
    between = len(told(reporting))
    reporting.drive(lambda: len(told(reporting)) == 2)

    first, second = reporting.slack.messages
    assert between == 1
    assert second.thread_ts == first.ts
    assert second.broadcast


def test_the_end_of_it_names_the_service_where_there_is_no_thread(reporting: PipelineHarness) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_posts)
    key = reporting.incidents()[0]
    reporting.store.hset(key, "clean_sweeps", 2)

    reporting.drive(lambda: "over:" in told(reporting)[-1])

    assert told(reporting)[-1].startswith("*shop*: over:")


def test_a_tell_whose_incident_is_forgotten_ends(reporting: PipelineHarness) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_posts)
    incident = reporting.incidents()[0]
    key = incident.replace(PREFIX, f"{PREFIX}notification:", 1)
    reporting.store.delete(incident)

    tell(reporting, key)

    assert reporting.store.ttl(key) > 0


def test_words_that_slack_does_not_show_again_are_said_once_all_the_same(reporting: PipelineHarness) -> None:
    reporting.slack.blind = True
    reporting.alert()

    for _ in range(60):
        reporting.work_next()

    said = [message.text.splitlines()[0] for message in reporting.slack.messages]
    assert said
    assert len(said) == len(set(said))


# ---- symptoms and what lies ahead ----------------------------------------------------------------


def test_who_suffers_is_said_in_one_line_with_the_worst_of_it() -> None:
    slow = finding("checkout", kind="latency", numbers={"p95_ms": 4100.0}, severity=Severity.CRITICAL)
    beside = finding("checkout", kind="cpu", severity=Severity.NOTICE)

    lines = first_word(incident(symptoms=(finding("web"), beside, slow)))

    said = "checkout and web suffer from it: the slowest 5 % took 4100 ms, 12 % of requests failed"
    assert lines[2] == said


def test_one_that_suffers_alone_is_said_so() -> None:
    assert "web suffers from it: 12 % of requests failed" in first_word(incident(symptoms=(finding("web"),)))


def test_names_of_those_that_suffer_can_neither_ping_nor_flood_nor_break_the_line() -> None:
    names = ["<!channel>", "a\nb", "x" * 5000, "web", *(f"more{n}" for n in range(30))]

    [line] = [one for one in first_word(incident(symptoms=tuple(map(finding, names)))) if "suffer" in one]

    assert "&lt;!channel&gt;, a b, " in line
    assert "and 30 more suffer from it" in line
    assert len(line) < 300


def test_a_finding_of_another_service_than_the_subject_is_named() -> None:
    findings = (finding("web", sentence="CPU at 97 %"), finding("api", sentence="CPU at 95 %"))

    shown = first_word(incident(*findings, name="web"))

    assert "• CPU at 97 %" in shown and "• api: CPU at 95 %" in shown


def test_a_symptom_is_not_said_to_be_looked_into() -> None:
    shown = render(incident(), None, None, None, "a symptom of x", symptom_of="*db*: see incident:1")

    assert "This looks like a symptom of *db*: see incident:1" in shown.ack
    assert "Looking into it" not in shown.ack
    assert "Waiting" not in shown.ack


def join(running: PipelineHarness, key: str) -> str:
    """As a later sweep does that finds the shop to be a symptom; the incident that it is joined to."""
    other = incident(name="api<!here>")
    pull = Outcome(kind="pull request", headline="proposed", link="https://github.com/x/pull/7")
    running.store.hset(
        PREFIX + other.id,
        mapping={"stage": "watch", "r:incident": pack(other, Incident), "r:outcome": pack(pull, Outcome)},
    )
    running.store.hset(key, "suppressed_by", PREFIX + other.id)
    return other.id


def test_the_thread_of_a_symptom_says_once_where_its_cause_is_told_and_rings_nobody(
    reporting: PipelineHarness,
) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_posts)
    key = reporting.incidents()[0]
    other = join(reporting, key)

    for _ in range(2):
        tell(reporting, key.replace(PREFIX, f"{PREFIX}notification:", 1))

    first, *_, last = reporting.slack.messages
    note = f"this looks like a symptom of *api&lt;!here&gt;*: see {other} https://github.com/x/pull/7"
    assert [text for text in told(reporting) if "this looks like a symptom" in text] == [f"*shop*: {note}"]
    assert (last.thread_ts, last.broadcast) == (first.ts, False)


def test_of_a_symptom_that_nobody_heard_of_nothing_is_said(reporting: PipelineHarness) -> None:
    reporting.alert(service_id=None, service_name=None, source="ping", kind="ping")
    reporting.drive(reporting.incidents)
    key = reporting.incidents()[0]
    join(reporting, key)
    reporting.store.zadd(SCHEDULE, {key: 1})

    tell(reporting, key.replace(PREFIX, f"{PREFIX}notification:", 1))

    assert told(reporting) == []
