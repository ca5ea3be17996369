"""An incident's messages through its life: what rings, what is silent, what is only edited, and what people decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from tests.support import builders
from tests.support.fakes.serving import serve
from tests.support.fakes.slack import HOOK, FakeSlack, Message
from tests.support.journals import open_incident
from workers.clients.slack import Slack
from workers.engine import records
from workers.engine.codec import Record
from workers.engine.schema import journal_key, notification_key
from workers.engine.worker_store import WorkerStore
from workers.models import (
    Acknowledgement,
    Category,
    Decision,
    DecisionKind,
    Evidence,
    Fact,
    FactKind,
    FollowUp,
    FollowUpResult,
    Incident,
    MergeProgress,
    Outcome,
    Person,
    Verdict,
    VerdictReason,
)
from workers.notifications.notify import update_messages
from workers.notifications.presentation import Presentation

LOOK = Presentation(page_url="https://tw.acme.dev", has_buttons=True, has_modals=True, remind_minutes=60)
DANA = Person(name="dana", via="slack")
PULL = builders.pull_request()
PROPOSED = Outcome(kind="pull request", headline="Pull request #41 is ready", link=PULL.url)
VERDICT = Verdict(category=Category.CODE, reason=VerdictReason.ERROR_IN_CODE, summary="a KeyError in shop")
EVIDENCE = Evidence(facts=(Fact(id="E1", kind=FactKind.LOAD_GREW, text="40 log errors"),))


@dataclass
class Life:
    """One critical incident whose notification runs whenever the test records something."""

    journal: WorkerStore
    slack: FakeSlack
    client: Slack
    incident: Incident
    look: Presentation = LOOK
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def record(self, record: Record[Any], value: Any) -> Life:
        """Record something in the incident's journal, and run the notification."""
        self.journal.command("hset", journal_key(self.incident.id), record.field, record.pack(value))
        return self.notify()

    def notify(self) -> Life:
        key = notification_key(self.incident.id)
        self.journal.command("hdel", key, "ack_due_at", "not_before")
        with self.journal.claimed(key, "notify") as claim:
            assert claim is not None
            update_messages(claim, self.journal, self.client, self.look, now=self.now)
        return self

    def propose(self) -> Life:
        self.record(records.EVIDENCE, EVIDENCE).record(records.VERDICT, VERDICT).record(records.PULL, PULL)
        return self.record(records.OUTCOME, PROPOSED)

    @property
    def first(self) -> Message:
        return self.slack.messages[0]

    @property
    def alarms(self) -> list[str]:
        return [message.posted_as.rpartition(":")[2] for message in self.slack.messages if message.rings]


@pytest.fixture
def life(journal: WorkerStore) -> Iterator[Life]:
    slack, incident = FakeSlack(), builders.incident(
        builders.finding(name="api", numbers={"failed": 848.0, "requests": 900.0}), opened_at=datetime.now(UTC)
    )  # fmt: skip
    open_incident(
        journal, journal_key(incident.id), fingerprint=incident.fingerprint,
        incident_record=records.INCIDENT.pack(incident),
        findings_record=records.LATEST_FINDINGS.pack(list(incident.findings)), ack_after_ms=0,
    )  # fmt: skip
    with serve(slack.app, slack.faults) as running:
        client = Slack(SecretStr(slack.token), slack.channel, None, f"{running.url}/api")
        yield Life(journal, slack, client, incident)
        assert slack.refusals == []


def test_a_pull_request_rings_once_and_its_details_do_not(life: Life) -> None:
    life.notify().propose().notify()

    assert life.alarms == ["ack", "outcome"]
    [details] = [message for message in life.slack.messages if not message.rings]
    assert "• E1: 40 log errors" in details.text
    assert details.thread_ts == life.first.ts


def test_the_first_message_goes_from_red_over_yellow_to_green(life: Life) -> None:
    marks = [life.notify().first.text[0], life.propose().first.text[0]]
    merged = builders.pull_request(state="merged")
    progress = MergeProgress(pull_number=41, pull_url=PULL.url, merged_at=life.now, merged_by="lea")
    marks.append(life.record(records.MERGE_PROGRESS, progress).record(records.PULL, merged).first.text[0])
    verified = FollowUp(result=FollowUpResult.VERIFIED, minutes=30, requests=2400)
    marks.append(life.record(records.FOLLOW_UP, verified).first.text[0])

    assert marks == ["🔴", "🔴", "🟡", "✅"]
    assert life.alarms == ["ack", "outcome"]
    assert life.first.metadata is not None and life.first.metadata["event_payload"]["key"].endswith(":ack")


@pytest.mark.parametrize(
    ("result", "rings"),
    [
        (FollowUpResult.FAILED, True),
        (FollowUpResult.NOT_DEPLOYED, True),
        (FollowUpResult.VERIFIED, False),
        (FollowUpResult.UNMEASURED, False),
        (FollowUpResult.CLOSED, False),
        (FollowUpResult.RESOLVED, False),
    ],
)
def test_only_a_fix_that_needs_people_again_rings(life: Life, result: FollowUpResult, *, rings: bool) -> None:
    life.notify().propose()

    life.record(
        records.FOLLOW_UP, FollowUp(result=result, pull_number=41, remaining=life.incident.findings[0])
    )

    assert life.alarms == ["ack", "outcome", *(["watch"] if rings else [])]


def test_an_outcome_without_an_acknowledgement_is_kept_up_to_date_itself(life: Life) -> None:
    life.propose()
    life.slack.messages[:] = [
        message for message in life.slack.messages if message.posted_as.endswith("outcome")
    ]
    life.journal.command("hdel", notification_key(life.incident.id), "r:ack", "posting")

    life.record(records.FOLLOW_UP, FollowUp(result=FollowUpResult.RESOLVED, checks=2))

    assert life.first.text.startswith("✅ api · production: resolved.")


def test_a_snoozed_incident_is_edited_and_posts_nothing_until_its_end(life: Life) -> None:
    until = life.now + timedelta(hours=1)
    life.notify()
    life.record(
        records.DECISION, Decision(id="d", kind=DecisionKind.SNOOZE, person=DANA, at=life.now, until=until)
    )
    life.propose()
    snoozed = life.alarms, life.first.text

    life.now = until + timedelta(seconds=1)
    life.notify()

    assert snoozed[0] == ["ack"]
    assert "Snoozed until" in snoozed[1] and "Fix is ready" in snoozed[1]
    assert life.alarms == ["ack", "outcome"]


def test_an_owner_is_shown_and_reminded_once(life: Life) -> None:
    life.notify()
    life.record(records.ACKNOWLEDGED, Acknowledgement(person=DANA, at=life.now))
    owned = life.first

    life.now += timedelta(minutes=59)
    early = life.notify().alarms
    life.now += timedelta(minutes=1)
    life.notify().notify()

    assert "dana has it since" in owned.text
    assert "Acknowledge" not in str(owned.blocks)
    assert early == ["ack"]
    assert life.alarms == ["ack", "reminder"]
    assert "Still not better. dana has it since" in life.slack.channel_texts[-1]


def test_nobody_is_reminded_of_trouble_that_is_over(life: Life) -> None:
    life.notify()
    life.record(records.ACKNOWLEDGED, Acknowledgement(person=DANA, at=life.now))
    life.record(records.FOLLOW_UP, FollowUp(result=FollowUpResult.RESOLVED, checks=2))

    life.now += timedelta(hours=5)

    assert life.notify().alarms == ["ack"]


def test_a_verdict_whose_fix_waits_is_an_outcome_of_its_own(life: Life) -> None:
    life.notify().record(records.VERDICT, VERDICT)
    life.record(
        records.INTERIM, Outcome(kind="delayed", headline="The model is away; the fix is tried again")
    )

    life.propose()

    assert life.alarms == ["ack", "interim", "outcome"]


def test_behind_a_webhook_an_incident_has_three_posts_and_no_dead_button(life: Life) -> None:
    with serve(life.slack.app) as hook:
        life.client = Slack(webhook_url=SecretStr(hook.url + HOOK))
        life.look = replace(LOOK, has_buttons=False, has_modals=False)
        life.notify().propose()
        for minutes in range(5):
            life.record(
                records.FOLLOW_UP,
                FollowUp(result=FollowUpResult.NOT_DEPLOYED, pull_number=41, minutes=minutes),
            )
            life.journal.command("hincrby", journal_key(life.incident.id), "rewatch_count", 1)

    assert len(life.slack.messages) == 3
    buttons = [
        element
        for message in life.slack.messages
        for block in message.blocks
        for element in block.get("elements", ())
    ]
    assert all("url" in element for element in buttons if element["type"] == "button")


def test_a_rate_limit_of_an_edit_is_waited_for_and_nothing_is_posted_twice(life: Life) -> None:
    life.notify()
    life.slack.faults.add("429", path="chat.update", retry_after="7")

    with pytest.raises(Exception, match="429") as busy:
        life.record(records.ACKNOWLEDGED, Acknowledgement(person=DANA, at=life.now))
    life.journal.command("hdel", notification_key(life.incident.id), "lease")
    life.notify()

    assert getattr(busy.value, "retry_after", None) == 7
    assert len(life.slack.messages) == 1
    assert "dana has it" in life.first.text
