"""The stage `notify`: at most two posts show in the channel, no message stays unfinished, and none is lost."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from tests.support import builders, people
from tests.support import people as control
from tests.support.pipeline import PipelineHarness
from workers.engine import retries
from workers.engine.codec import pack
from workers.engine.schema import PREFIX, SCHEDULE
from workers.models import Incident, Outcome, SlackMessage
from workers.pipeline.worker import run_stage

NOW = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)


def notify(running: PipelineHarness, key: str) -> None:
    """Run the stage on the notification now, as if it were due."""
    running.store.hdel(key, "ack_due_at", "not_before")
    run_stage(running.services, "notify", key)


def test_an_acknowledgement_of_an_alert_that_joins_an_open_incident_is_edited(
    reporting: PipelineHarness,
) -> None:
    notify(reporting, f"{PREFIX}notification:alert:{reporting.alert()}")
    reporting.drive(reporting.outcome_posts)
    again = f"{PREFIX}notification:alert:{reporting.alert()}"
    notify(reporting, again)
    before = reporting.slack.texts[-1]

    reporting.drive(lambda: reporting.store.hexists(again, "ended"))

    assert "Looking into it." in before
    assert "Covered by an incident that is already open." in reporting.slack.texts[-1]
    assert not any("Looking into it." in text for text in reporting.slack.texts)


def test_an_acknowledgement_after_the_outcome_becomes_the_incidents_own(
    reporting: PipelineHarness,
) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_posts)
    notify(reporting, f"{PREFIX}notification:alert:{reporting.alert()}")

    reporting.drive(lambda: not any("Looking into it." in text for text in reporting.slack.texts))

    assert "TRACKWALKER_MODE" in reporting.slack.texts[0]
    assert "`KeyError: 'voucher'` in `pricing.py:8`" in reporting.slack.texts[0]


def test_a_merged_acknowledgement_carries_the_incidents_thread(reporting: PipelineHarness) -> None:
    alert = reporting.alert()
    notify(reporting, f"{PREFIX}notification:alert:{alert}")

    reporting.drive(reporting.outcome_posts)

    first, outcome, details = reporting.slack.messages
    assert not details.rings
    assert outcome.thread_ts == first.ts
    assert outcome.broadcast
    assert "shop" in first.text and "Covered by" not in first.text


def test_one_of_several_acknowledgements_becomes_the_incidents_and_the_others_are_edited(
    reporting: PipelineHarness,
) -> None:
    for _ in range(3):
        notify(reporting, f"{PREFIX}notification:alert:{reporting.alert()}")

    reporting.drive(reporting.outcome_posts)
    reporting.drive(lambda: not any("Looking into it." in text for text in reporting.slack.texts))

    assert len([text for text in reporting.slack.texts if "Covered by" in text]) == 2


def test_an_acknowledgement_says_why_the_answer_waits(reporting: PipelineHarness) -> None:
    reporting.railway.faults.add("503", times=10_000)
    reporting.alert()

    reporting.drive(lambda: reporting.slack.texts)

    assert "Waiting: Railway" in reporting.slack.texts[0]


def test_an_alert_of_a_service_that_is_muted_by_id_is_not_reported(reporting: PipelineHarness) -> None:
    people.mute(reporting.journal, "svc-shop", 4_000_000_000.0)
    alert = reporting.alert()

    notify(reporting, f"{PREFIX}notification:alert:{alert}")

    assert reporting.slack.texts == []


def test_a_notification_is_retried_for_longer_than_other_stages(
    reporting: PipelineHarness,
) -> None:
    key = f"{PREFIX}notification:alert:{reporting.alert()}"
    two_days_ago = int((time.time() - 2 * retries.DAY) * 1000)
    reporting.store.hset(key, mapping={"attempts": 2000, "failing_since": two_days_ago})
    reporting.slack.faults.add("refuse", times=10)

    notify(reporting, key)

    assert "ended" not in reporting.journal.fields(key)


def test_an_outcome_is_posted_although_the_acknowledgement_cannot_be_edited(
    reporting: PipelineHarness,
) -> None:
    reporting.alert()
    reporting.drive(lambda: bool(reporting.outcome_kind()))
    key = reporting.incidents()[0].replace(PREFIX, f"{PREFIX}notification:", 1)
    deleted = SlackMessage(ts="1700000000.000001", channel=reporting.slack.channel)
    reporting.store.hset(key, "r:ack", pack(deleted, SlackMessage))
    reporting.slack.faults.add("refuse", path="chat.update", times=10)

    notify(reporting, key)

    assert "TRACKWALKER_MODE" in reporting.slack.channel_texts[-1]


def test_a_requested_fix_posts_no_second_acknowledgement_and_its_outcome_in_the_thread(
    reporting: PipelineHarness,
) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_posts)
    incident = reporting.incidents()[0]

    control.request_fix(reporting.journal, incident.removeprefix(PREFIX))
    notify(reporting, incident.replace(PREFIX, f"{PREFIX}notification:", 1))
    between = len(reporting.slack.texts)
    reporting.drive(lambda: len(reporting.slack.texts) == 3)

    first, details, second = reporting.slack.messages
    assert between == 2
    assert not details.rings
    assert second.thread_ts == first.ts
    assert second.broadcast


def test_a_resolution_names_the_service(reporting: PipelineHarness) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_posts)
    key = reporting.incidents()[0]
    # Before the extra check that follows an incident finds the trouble again.
    reporting.store.hset(key, mapping={"clean_sweeps": 2, "quiet_ms": 86_400_000})
    run_stage(reporting.services, "watch", key)

    reporting.drive(lambda: "Resolved:" in reporting.slack.texts[-1])

    assert reporting.slack.texts[-1].startswith("✅ shop · production: resolved.")


def test_a_notification_of_a_deleted_incident_ends(reporting: PipelineHarness) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_posts)
    incident = reporting.incidents()[0]
    key = incident.replace(PREFIX, f"{PREFIX}notification:", 1)
    reporting.store.delete(incident)

    notify(reporting, key)

    assert reporting.store.ttl(key) > 0


def test_a_message_that_slack_does_not_find_again_is_posted_once(reporting: PipelineHarness) -> None:
    reporting.slack.blind = True
    reporting.alert()

    for _ in range(60):
        reporting.work_next()

    assert reporting.slack.texts
    assert len(reporting.slack.texts) == len(set(reporting.slack.texts))


# ---- symptoms -------------------------------------------------------------------------------


def suppress(running: PipelineHarness, key: str) -> str:
    """Suppress the shop's incident as a sweep does that calls the shop a symptom; the id of the cause's incident."""
    other = builders.incident(name="api<!here>")
    pull = Outcome(kind="pull request", headline="proposed", link="https://github.com/x/pull/7")
    running.store.hset(
        PREFIX + other.id,
        mapping={"stage": "watch", "r:incident": pack(other, Incident), "r:outcome": pack(pull, Outcome)},
    )
    running.store.hset(key, "suppressed_by", PREFIX + other.id)
    return other.id


def test_the_thread_of_a_symptom_refers_to_its_cause_once_and_rings_no_telephone(
    reporting: PipelineHarness,
) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_posts)
    key = reporting.incidents()[0]
    other = suppress(reporting, key)

    for _ in range(2):
        notify(reporting, key.replace(PREFIX, f"{PREFIX}notification:", 1))

    first, *_, last = reporting.slack.messages
    note = f"this looks like a symptom of *api&lt;!here&gt;*: see `{other}` <https://github.com/x/pull/7>"
    assert [text for text in reporting.slack.texts if "this looks like a symptom" in text] == [
        f"shop: {note}"
    ]
    assert (last.thread_ts, last.broadcast) == (first.ts, False)


def test_a_symptom_that_was_never_reported_stays_silent(reporting: PipelineHarness) -> None:
    reporting.alert(service_id=None, service_name=None, source="ping", kind="ping")
    reporting.drive(reporting.incidents)
    key = reporting.incidents()[0]
    suppress(reporting, key)
    reporting.store.zadd(SCHEDULE, {key: 1})

    notify(reporting, key.replace(PREFIX, f"{PREFIX}notification:", 1))

    assert reporting.slack.texts == []
