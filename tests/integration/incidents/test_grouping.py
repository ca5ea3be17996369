"""Incident groups: one acknowledgement, one outcome, and no fix without a request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from tests.support import builders, people
from tests.support import people as control
from tests.support.fakes.serving import serve
from tests.support.fakes.slack import HOOK
from tests.support.journals import enqueue_on_sweep
from tests.support.pipeline import PipelineHarness, harness
from workers.clients.slack import Slack
from workers.engine.claim import Claim
from workers.engine.codec import pack
from workers.engine.schema import OPEN, PREFIX, SCHEDULE, EndedAs
from workers.incidents import grouping
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


class FailingServices:
    """Opens the incidents of services that fail together, as sweeps do, and runs the notifications."""

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
        holders = open_incidents(
            claim, self.journal, survey, findings, opened_at=now, ack_seconds=60, min_duration_minutes=4
        )
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
    def channel_texts(self) -> list[str]:
        """Texts of the messages in the channel, which notify people; those in threads do not."""
        return [message.text for message in self.running.slack.messages if message.rings]


@pytest.fixture
def services(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[FailingServices]:
    with harness(store, store_url, tmp_path) as running:
        yield FailingServices(running)


def test_two_incidents_at_once_have_a_message_each(services: FailingServices) -> None:
    services.sweep("api", "web")
    services.notify()

    assert len(services.channel_texts) == 2
    assert services.groups() == []


def test_three_incidents_at_once_share_one_message_that_names_them(services: FailingServices) -> None:
    services.sweep("api", "web", "mail")
    services.notify()

    [post] = services.channel_texts
    assert post.startswith("🔴 3 services failing in acme/production since ")
    assert all(f"*{name}*: {name} answers with 5xx" in post for name in ("api", "web", "mail"))


def test_the_outcomes_of_a_group_are_one_message(services: FailingServices) -> None:
    keys = services.sweep("api", "web", "mail")
    services.notify()
    for key in keys[:2]:
        services.conclude(key)
    services.notify()
    before = len(services.channel_texts)
    services.conclude(keys[2])
    services.notify()

    assert before == 1
    assert len(services.channel_texts) == 2
    assert services.channel_texts[1].count("512 MB are too little") == 3
    first, *others = services.running.slack.messages
    assert all(message.thread_ts == first.ts for message in others)
    assert "512 MB are too little" in first.text


def test_a_members_own_outcome_is_a_silent_reply(services: FailingServices) -> None:
    keys = services.sweep("api", "web", "mail")
    for key in keys:
        services.conclude(key)
    services.notify()

    own = [message for message in services.running.slack.messages if "raise it" in message.text]
    assert len(own) == 3
    assert not any(message.rings for message in own)


def test_the_third_incident_within_half_an_hour_groups_the_two_before(services: FailingServices) -> None:
    services.sweep("api")
    services.notify()
    services.sweep("api", "web")
    services.notify()
    services.sweep("api", "web", "mail")
    services.notify()

    assert len(services.channel_texts) == 3
    assert "3 services failing" in services.channel_texts[2]
    assert all("group" in services.journal.fields(key) for key in services.running.incidents())


def test_an_incident_that_joins_an_open_group_is_named_and_rings_no_telephone(
    services: FailingServices,
) -> None:
    services.sweep("api", "web", "mail")
    services.notify()
    services.sweep("api", "web", "mail", "cron")
    services.notify()

    [post] = services.channel_texts
    assert "4 services failing" in post and "*cron*" in post


def test_an_incident_after_the_groups_outcome_has_messages_of_its_own(services: FailingServices) -> None:
    for key in services.sweep("api", "web", "mail"):
        services.conclude(key)
    services.notify()
    services.sweep("api", "web", "mail", "cron")
    services.notify()

    assert len(services.channel_texts) == 3
    assert "cron · production" in services.channel_texts[2]


def test_incidents_more_than_half_an_hour_apart_form_no_group(services: FailingServices) -> None:
    old = services.sweep("api", "web")
    for key in old:
        lately = f"{PREFIX}opened:env-1"
        services.store.zincrby(lately, -grouping.WINDOW_SECONDS * 1000 - 1, key)
    services.sweep("api", "web", "mail")

    assert services.groups() == []


def test_incidents_of_different_environments_form_no_group(services: FailingServices) -> None:
    services.sweep("api", "web", environment="env-1")
    services.sweep("api", "web", environment="env-2")

    assert services.groups() == []


def test_a_repeated_sweep_makes_one_group(services: FailingServices) -> None:
    claim = services.begin()

    first = services.open(claim, "api", "web", "mail")
    again = services.open(claim, "api", "web", "mail")

    assert first == again
    assert len(services.groups()) == 1


def test_a_crash_before_the_members_are_open_posts_nothing(services: FailingServices) -> None:
    claim, now = services.begin(), datetime.now(UTC)
    incidents = [
        builders.incident(name=name, fingerprint=name * 4, environment_id="env-1", opened_at=now)
        for name in ("api", "web", "mail")
    ]
    grouping.assign_group(services.journal, incidents, now)
    services.notify()
    claim.end(EndedAs.RESOLVED, "given up: the worker crashed too often")

    assert services.channel_texts == []
    [key] = services.groups()
    services.store.hset(key, "opened", 1)
    services.notify()
    assert services.store.ttl(key) > 0


def test_a_member_that_never_opens_delays_the_group_for_a_minute_at_most(services: FailingServices) -> None:
    services.sweep("api", "web", "mail")
    [key] = services.groups()
    services.store.hset(key, f"m:{PREFIX}incident:never:20261123T0304", 1)
    services.notify()
    before = services.channel_texts
    services.store.hincrby(key, "opened", -int(grouping.MEMBER_OPENING_SECONDS * 1000) - 1)
    services.notify()

    assert grouping.MEMBER_OPENING_SECONDS <= 60
    assert before == []
    [post] = services.channel_texts
    assert "3 services failing" in post


def plan(services: FailingServices, key: str) -> None:
    """Run the stage `plan` of an incident with a bug in the code."""
    verdict = Verdict(category=Category.CODE, reason=VerdictReason.ERROR_IN_CODE, summary="a KeyError in api")
    services.store.hset(
        key,
        mapping={
            "stage": "plan",
            "r:verdict": pack(verdict, Verdict),
            "r:evidence": pack(Evidence(), Evidence),
        },
    )
    run_stage(services.running.services, "plan", key)


def test_a_member_gets_no_fix_until_a_person_requests_it(services: FailingServices) -> None:
    keys = services.sweep("api", "web", "mail")
    for key in keys:
        plan(services, key)
    services.notify()

    assert [outcome.kind for outcome in services.running.values(Outcome)] == ["waiting"] * 3
    *_, ask = services.channel_texts[-1].splitlines()
    names = [key.removeprefix(PREFIX) for key in keys]
    assert any(f"`trackwalker fix {name}`" in ask for name in names)
    assert services.running.fake_model.calls == []

    assert control.request_fix(services.journal, names[0]) == [f"{names[0]}: fix approved"]
    assert services.journal.fields(keys[0])["stage"] == b"plan"
    claim = services.journal.claim(keys[0], "plan")
    assert claim is not None and not grouping.needs_approval(claim)


def test_the_outcome_of_a_requested_fix_rings(services: FailingServices) -> None:
    keys = services.sweep("api", "web", "mail")
    for key in keys:
        plan(services, key)
    services.notify()
    control.request_fix(services.journal, keys[0].removeprefix(PREFIX))
    services.notify()
    before = len(services.channel_texts)
    services.conclude(
        keys[0], Outcome(kind="pull request", headline="proposed", link="https://github.com/x/y/pull/1")
    )
    services.notify()

    assert len(services.channel_texts) == before + 1
    assert services.channel_texts[-1].splitlines()[1] == "proposed <https://github.com/x/y/pull/1>"


def test_muted_members_are_left_out_and_a_fully_muted_group_is_silent(services: FailingServices) -> None:
    until = datetime.now(UTC).timestamp() + 3600
    for name in ("api", "web", "mail"):
        people.mute(services.journal, name, until)
    services.sweep("api", "web", "mail")
    services.notify()
    silent = services.channel_texts
    people.mute(services.journal, "api", 0)
    services.notify()

    assert silent == []
    [post] = services.channel_texts
    assert "*api*" in post and "*web*" not in post


def test_a_group_ends_with_its_last_member(services: FailingServices) -> None:
    keys = services.sweep("api", "web", "mail")
    for key in keys:
        services.conclude(key)
        services.notify()
    for key in keys:
        claim = services.journal.claim(key, "watch")
        assert claim is not None
        claim.end(EndedAs.RESOLVED, "over", notify=key.replace(PREFIX, f"{PREFIX}notification:", 1))
    services.notify()

    [over] = services.groups()
    assert services.store.ttl(over) > 0
    assert not [key for key in services.running.due() if "notification:" in key]
    assert services.store.hlen(OPEN) == 0


def test_behind_an_incoming_webhook_a_group_is_two_messages(services: FailingServices) -> None:
    with serve(services.running.slack.app) as hook:
        slack = Slack(webhook_url=SecretStr(hook.url + HOOK))
        services.running.services = replace(services.running.services, slack=slack)
        for key in services.sweep("api", "web", "mail"):
            services.conclude(key)
        services.notify()

    assert len(services.channel_texts) == 2
    assert services.channel_texts[1].count("512 MB are too little") == 3


def test_a_cancelled_member_is_shown_as_such_and_rings_no_telephone(services: FailingServices) -> None:
    first, *others = services.sweep("api", "web", "mail")
    services.notify()
    before = len(services.channel_texts)

    control.cancel(services.journal, first)
    services.notify()

    [head] = [message.text for message in services.running.slack.messages if not message.thread_ts]
    replies = [message.text for message in services.running.slack.messages if message.thread_ts]
    assert head.count("cancelled by a person") == 1
    assert [text.count("cancelled by a person") for text in replies] == [1]
    assert len(services.channel_texts) == before
    assert not any("ended" in services.journal.fields(key) for key in others)
