"""Incident groups: one acknowledgement, one outcome, and no fix without a request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from tests.support import builders
from tests.support.fakes.serving import serve
from tests.support.fakes.slack import HOOK
from tests.support.journals import enqueue_on_sweep
from tests.support.pipeline import PipelineHarness, harness
from workers.cli import control
from workers.clients.slack import Slack
from workers.engine.claim import Claim
from workers.engine.codec import pack
from workers.engine.schema import OPEN, PREFIX, SCHEDULE, EndedAs
from workers.incidents import controls, grouping
from workers.incidents.opening import open_incidents
from workers.models import (
    Alert,
    Category,
    Environment,
    Evidence,
    Outcome,
    Verdict,
    VerdictReason,
    Window,
)
from workers.pipeline.worker import run_stage

NAMES = ("api", "web", "mail", "cron", "auth", "cart")
REPORTED = Outcome(kind="reported", headline="resource limit: 512 MB are too little", lines=("raise it",))


class Town:
    """Services that fail together: sweeps open their incidents, `notify` runs the notifications."""

    def __init__(self, running: PipelineHarness) -> None:
        self.running, self.journal, self.store = running, running.journal, running.store
        self.number = 0

    def sweep(self, *names: str, environment: str = "env-1", severity: str = "critical") -> list[str]:
        """One sweep that finds these services failing; the keys of their incidents."""
        claim = self.begin(environment)
        holders = self.open(claim, *names, environment=environment, severity=severity)
        claim.end(EndedAs.RESOLVED, "done")
        return holders

    def begin(self, environment: str = "env-1") -> Claim:
        self.number += 1
        alert = Alert(id=f"p{self.number}", source="ping", kind="ping", received_at=datetime.now(UTC))
        where = Environment(project_id="prj-1", environment_id=environment)
        key = enqueue_on_sweep(self.journal, alert, where)
        claim = self.journal.claim(key, "survey")
        assert claim is not None
        return claim

    def open(
        self, claim: Claim, *names: str, environment: str = "env-1", severity: str = "critical"
    ) -> list[str]:
        now = datetime.now(UTC) + timedelta(minutes=self.number)
        survey = builders.survey(
            *(builders.service(name) for name in NAMES), project_id="prj-1", environment_id=environment,
            window=Window(start=now - timedelta(minutes=30), end=now),
        )  # fmt: skip
        findings = [
            builders.finding(name=name, severity=severity, since=now, sentence=f"{name} answers with 5xx")
            for name in names
        ]
        holders = open_incidents(claim, self.journal, survey, findings, opened_at=now, ack_seconds=60)
        return [PREFIX + name for name in holders]

    def notify(self) -> None:
        """Run every notification until none has anything to do; delays are skipped."""
        for _ in range(3):
            for raw in self.store.zrange(SCHEDULE, 0, -1):
                key = raw.decode()  # type: ignore[union-attr]
                if f"{PREFIX}notification:" in key:
                    self.store.hdel(key, "not_before", "ack_due_at")
                    run_stage(self.running.services, "notify", key)

    def conclude(self, key: str, outcome: Outcome = REPORTED) -> None:
        """Record an outcome, as the pipeline does."""
        self.store.hset(key, mapping={"r:outcome": pack(outcome, Outcome), "stage": "watch"})
        self.journal.wake(key.replace(PREFIX, f"{PREFIX}notification:", 1))

    def groups(self) -> list[str]:
        return sorted(raw.decode() for raw in self.store.scan_iter(f"{PREFIX}notification:group:*"))

    @property
    def rung(self) -> list[str]:
        """Texts of the messages that rang."""
        return [message.text for message in self.running.slack.messages if message.rings]


@pytest.fixture
def town(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[Town]:
    with harness(store, store_url, tmp_path) as running:
        yield Town(running)


def test_two_incidents_at_once_have_a_message_each(town: Town) -> None:
    town.sweep("api", "web")
    town.notify()

    assert len(town.rung) == 2
    assert town.groups() == []


def test_three_incidents_at_once_share_one_message_that_names_them(town: Town) -> None:
    town.sweep("api", "web", "mail")
    town.notify()

    [post] = town.rung
    assert post.startswith("*3 incidents at once* in acme/production:")
    assert all(f"*{name}*: {name} answers with 5xx" in post for name in ("api", "web", "mail"))


def test_the_outcomes_of_a_group_are_one_message(town: Town) -> None:
    keys = town.sweep("api", "web", "mail")
    town.notify()
    for key in keys[:2]:
        town.conclude(key)
    town.notify()
    before = len(town.rung)
    town.conclude(keys[2])
    town.notify()

    assert before == 1
    assert len(town.rung) == 2
    assert town.rung[1].count("512 MB are too little") == 3
    first, *others = town.running.slack.messages
    assert all(message.thread_ts == first.ts for message in others)
    assert "512 MB are too little" in first.text


def test_a_members_own_outcome_is_a_silent_reply(town: Town) -> None:
    keys = town.sweep("api", "web", "mail")
    for key in keys:
        town.conclude(key)
    town.notify()

    own = [message for message in town.running.slack.messages if "raise it" in message.text]
    assert len(own) == 3
    assert not any(message.rings for message in own)


def test_the_third_incident_within_half_an_hour_groups_the_two_before(town: Town) -> None:
    town.sweep("api")
    town.notify()
    town.sweep("api", "web")
    town.notify()
    town.sweep("api", "web", "mail")
    town.notify()

    assert len(town.rung) == 3
    assert "3 incidents at once" in town.rung[2]
    assert all("group" in town.journal.fields(key) for key in town.running.incidents())


def test_an_incident_that_joins_an_open_group_is_named_and_rings_no_telephone(town: Town) -> None:
    town.sweep("api", "web", "mail")
    town.notify()
    town.sweep("api", "web", "mail", "cron")
    town.notify()

    [post] = town.rung
    assert "4 incidents at once" in post and "*cron*" in post


def test_an_incident_after_the_groups_outcome_has_messages_of_its_own(town: Town) -> None:
    for key in town.sweep("api", "web", "mail"):
        town.conclude(key)
    town.notify()
    town.sweep("api", "web", "mail", "cron")
    town.notify()

    assert len(town.rung) == 3
    assert "*cron* in acme/production" in town.rung[2]


def test_incidents_more_than_half_an_hour_apart_form_no_group(town: Town) -> None:
    old = town.sweep("api", "web")
    for key in old:
        lately = f"{PREFIX}opened:env-1"
        town.store.zincrby(lately, -grouping.WINDOW_SECONDS * 1000 - 1, key)
    town.sweep("api", "web", "mail")

    assert town.groups() == []


def test_incidents_of_different_environments_form_no_group(town: Town) -> None:
    town.sweep("api", "web", environment="env-1")
    town.sweep("api", "web", environment="env-2")

    assert town.groups() == []


def test_a_repeated_sweep_makes_one_group(town: Town) -> None:
    claim = town.begin()

    first = town.open(claim, "api", "web", "mail")
    again = town.open(claim, "api", "web", "mail")

    assert first == again
    assert len(town.groups()) == 1


def test_a_crash_before_the_members_are_open_posts_nothing(town: Town) -> None:
    claim, now = town.begin(), datetime.now(UTC)
    incidents = [
        builders.incident(name=name, fingerprint=name * 4, environment_id="env-1", opened_at=now)
        for name in ("api", "web", "mail")
    ]
    grouping.assign_group(town.journal, incidents, now)
    town.notify()
    claim.end(EndedAs.RESOLVED, "given up: it died too often")

    assert town.rung == []
    [key] = town.groups()
    town.store.hset(key, "opened", 1)
    town.notify()
    assert town.store.ttl(key) > 0


def test_a_member_that_never_opens_delays_the_group_for_a_minute_at_most(town: Town) -> None:
    town.sweep("api", "web", "mail")
    [key] = town.groups()
    town.store.hset(key, f"m:{PREFIX}incident:never:20261123T0304", 1)
    town.notify()
    before = town.rung
    town.store.hincrby(key, "opened", -int(grouping.MEMBER_OPENING_SECONDS * 1000) - 1)
    town.notify()

    assert grouping.MEMBER_OPENING_SECONDS <= 60
    assert before == []
    [post] = town.rung
    assert "3 incidents at once" in post


def plan(town: Town, key: str) -> None:
    """Run the stage `plan` of an incident with a bug in the code."""
    verdict = Verdict(category=Category.CODE, reason=VerdictReason.ERROR_IN_CODE, summary="a KeyError in api")
    town.store.hset(
        key,
        mapping={
            "stage": "plan",
            "r:verdict": pack(verdict, Verdict),
            "r:evidence": pack(Evidence(), Evidence),
        },
    )
    run_stage(town.running.services, "plan", key)


def test_a_member_gets_no_fix_until_a_person_requests_it(town: Town) -> None:
    keys = town.sweep("api", "web", "mail")
    for key in keys:
        plan(town, key)
    town.notify()

    assert [one.kind for one in town.running.values(Outcome)] == ["waiting"] * 3
    *_, ask = town.rung[-1].splitlines()
    names = [key.removeprefix(PREFIX) for key in keys]
    assert any(ask.endswith(f"`python -m workers fix {name}` (or `fix all`).") for name in names)
    assert town.running.fake_model.calls == []

    assert control.request_fix(town.journal, names[0]) == [f"{names[0]}: fix approved"]
    assert town.journal.fields(keys[0])["stage"] == b"plan"
    claim = town.journal.claim(keys[0], "plan")
    assert claim is not None and not grouping.needs_approval(claim)


def test_the_outcome_of_a_requested_fix_rings(town: Town) -> None:
    keys = town.sweep("api", "web", "mail")
    for key in keys:
        plan(town, key)
    town.notify()
    control.request_fix(town.journal, keys[0].removeprefix(PREFIX))
    town.notify()
    before = len(town.rung)
    town.conclude(
        keys[0], Outcome(kind="pull request", headline="proposed", link="https://github.com/x/y/pull/1")
    )
    town.notify()

    assert len(town.rung) == before + 1
    assert town.rung[-1].endswith("https://github.com/x/y/pull/1")


def test_muted_members_are_left_out_and_a_fully_muted_group_is_silent(town: Town) -> None:
    until = datetime.now(UTC).timestamp() + 3600
    for name in ("api", "web", "mail"):
        controls.mute(town.journal, name, until)
    town.sweep("api", "web", "mail")
    town.notify()
    silent = town.rung
    controls.mute(town.journal, "api", 0)
    town.notify()

    assert silent == []
    [post] = town.rung
    assert "*api*" in post and "*web*" not in post


def test_a_group_ends_with_its_last_member(town: Town) -> None:
    keys = town.sweep("api", "web", "mail")
    for key in keys:
        town.conclude(key)
        town.notify()
    for key in keys:
        claim = town.journal.claim(key, "watch")
        assert claim is not None
        claim.end(EndedAs.RESOLVED, "over", notify=key.replace(PREFIX, f"{PREFIX}notification:", 1))
    town.notify()

    [over] = town.groups()
    assert town.store.ttl(over) > 0
    assert not [key for key in town.running.due() if "notification:" in key]
    assert town.store.hlen(OPEN) == 0


def test_behind_an_incoming_webhook_a_group_is_two_messages(town: Town) -> None:
    with serve(town.running.slack.app) as hook:
        slack = Slack(webhook_url=SecretStr(hook.url + HOOK))
        town.running.services = replace(town.running.services, slack=slack)
        for key in town.sweep("api", "web", "mail"):
            town.conclude(key)
        town.notify()

    assert len(town.rung) == 2
    assert "production: findings" in town.rung[1]


def test_a_cancelled_member_is_shown_as_such_and_rings_no_telephone(town: Town) -> None:
    first, *others = town.sweep("api", "web", "mail")
    town.notify()
    rung = len(town.rung)

    control.cancel(town.journal, first)
    town.notify()

    [head] = [one.text for one in town.running.slack.messages if not one.thread_ts]
    said = [one.text for one in town.running.slack.messages if one.thread_ts]
    assert head.count("cancelled by a person") == 1
    assert [text.count("cancelled by a person") for text in said] == [1]
    assert len(town.rung) == rung
    assert not any("ended" in town.journal.fields(key) for key in others)
