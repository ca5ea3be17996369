"""Missed webhooks: a sweep finds their events in Railway's feed, once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from receiver.sources import railway as webhooks
from tests.support import builders
from tests.support.fakes.railway_types import WorldDeployment, WorldEvent, WorldService
from tests.support.pipeline import PipelineHarness, harness
from workers.clients.railway.events import ALERT_KIND_BY_STATUS, ALERT_KINDS, Event, platform_reports
from workers.engine import records, scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX, received_key
from workers.engine.scripts import Script
from workers.engine.worker_store import WorkerStore
from workers.errors import NotAvailable
from workers.incidents import intake, missed_webhooks
from workers.incidents.intake import event_name
from workers.models import Alert, Deployment, PlatformReport, Survey, Window
from workers.pipeline.worker import run_stage

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SLOT = f"{PREFIX}slot:env-1"
MISSED = "Railway's webhook for it did not arrive"


def crashed(minutes: float, service: str = "svc", **facts: Any) -> PlatformReport:
    """An event of the feed: a crash, so many minutes after noon."""
    values = {"kind": "deployment.crashed", "service_id": service, "deployment_id": "dep"} | facts
    return PlatformReport.model_validate(values | {"at": NOON + timedelta(minutes=minutes)})


def surveyed(*feed: PlatformReport, minutes: float = 30, services: tuple[str, ...] = ("svc",)) -> Survey:
    """A survey whose window ended so many minutes after noon."""
    end = NOON + timedelta(minutes=minutes)
    return builders.survey(
        *(builders.service(name, id=name) for name in services), project_id="prj", environment_id="env",
        window=Window(start=end - timedelta(minutes=30), end=end), feed=feed, feed_read=True,
    )  # fmt: skip


def missed(survey: Survey, received: dict[str, datetime] | None = None, **facts: Any) -> list[PlatformReport]:
    return missed_webhooks.find_missed(survey, NOON, received or {}, **facts)


# ---- missed events ---------------------------------------------------------------------------


def test_an_event_without_a_webhook_is_missed() -> None:
    received = {"deployment.crashed:svc:dep": NOON + timedelta(minutes=9)}

    assert missed(surveyed(crashed(10))) == [crashed(10)]
    assert missed(surveyed(crashed(10)), received) == []
    assert missed(surveyed(crashed(12)), received) == [crashed(12)]


@pytest.mark.parametrize(
    "name", ["deployment.crashed::dep", "deployment.crashed:svc:", "deployment.crashed:svc:dep"]
)
def test_a_webhook_without_service_or_deployment_still_counts(name: str) -> None:
    assert missed(surveyed(crashed(10)), {name: NOON + timedelta(minutes=10)}) == []


@pytest.mark.parametrize(
    "name",
    [
        "deployment.failed:svc:dep", "deployment.crashed:other:dep", "deployment.crashed:svc:other",
        "deployment.crashed::", "deployment.crashed", "",
    ],
)  # fmt: skip
def test_a_webhook_about_something_else_does_not_count(name: str) -> None:
    assert missed(surveyed(crashed(10)), {name: NOON + timedelta(minutes=10)}) == [crashed(10)]


def test_every_moment_is_examined_by_exactly_one_of_two_consecutive_sweeps() -> None:
    moments = [crashed(tenth / 10) for tenth in range(-40, 200)]

    for crash in moments:
        first = missed_webhooks.find_missed(surveyed(crash, minutes=10), NOON, {})
        second = missed_webhooks.find_missed(surveyed(crash, minutes=20), NOON + timedelta(minutes=10), {})
        due = timedelta(minutes=-3) < crash.at - NOON <= timedelta(minutes=17)

        assert len(first) + len(second) == due, crash.at


def test_the_newest_event_of_each_service_and_kind_counts() -> None:
    failed = crashed(11, kind="deployment.failed")

    assert missed(surveyed(crashed(5), crashed(12), crashed(7), failed)) == [crashed(12), failed]


def test_unknown_services_and_our_own_are_ignored() -> None:
    assert missed(surveyed(crashed(10, "gone"))) == []
    assert missed(surveyed(crashed(10)), own_service="svc") == []


def test_events_older_than_the_received_ones_are_not_examined() -> None:
    two_days = 2 * 24 * 60

    kept = missed(surveyed(crashed(10), crashed(two_days - 60), minutes=two_days))

    assert kept == [crashed(two_days - 60)]


# ---- events of the feed ---------------------------------------------------------------------


def events(*fields: dict[str, Any]) -> list[Event]:
    return [
        Event.model_validate({"object": "Deployment", "createdAt": NOON.isoformat()} | facts)
        for facts in fields
    ]


def deployed(name: str, status: str, minutes: float | None = 5) -> Deployment:
    at = NOON + timedelta(minutes=minutes) if minutes is not None else None
    return Deployment(id=name, service_id=f"svc-{name}", status=status, created_at=NOON, status_at=at)


@pytest.mark.parametrize("action", ["failed", "crashed", "oom_killed", "oomKilled", "OomKilled", "Crashed"])
def test_an_event_has_the_same_name_in_feed_and_webhook(action: str) -> None:
    where = {"service": {"id": "svc"}, "deployment": {"id": "dep"}}
    body = {"type": f"Deployment.{action}", "resource": where | {"environment": {"id": "env"}}}

    alert = webhooks.parse(json.dumps(body).encode(), NOON, "t")
    [report] = platform_reports(events({"action": action, "activityPayload": where}), [])

    assert isinstance(alert, Alert)
    assert event_name(alert) == f"{report.kind}:{report.service_id}:{report.deployment_id}"


def test_only_events_that_have_webhooks_are_reported() -> None:
    assert set(ALERT_KINDS.values()) <= webhooks.PROBLEM_EVENTS
    assert set(ALERT_KIND_BY_STATUS.values()) <= set(ALERT_KINDS.values())
    quiet = ("deployed", "redeployed", "restarted", "resumed", "removed", "building", "slept")
    about = {"serviceId": "svc", "deploymentId": "dep"}
    assert (
        platform_reports(events(*({"action": action, "activityPayload": about} for action in quiet)), [])
        == ()
    )


def test_a_deployment_without_an_event_is_reported_by_its_status() -> None:
    rows = [deployed("a", "FAILED"), deployed("b", "CRASHED", None), deployed("c", "SUCCESS")]

    assert [(report.kind, report.service_id, report.at) for report in platform_reports([], rows)] == [
        ("deployment.crashed", "svc-b", NOON),
        ("deployment.failed", "svc-a", NOON + timedelta(minutes=5)),
    ]


@pytest.mark.parametrize("action", ["crashed", "oom_killed"])
def test_a_deployment_with_an_event_is_reported_once(action: str) -> None:
    reports = platform_reports(
        events({"action": action, "activityPayload": {"deploymentId": "a"}}), [deployed("a", "CRASHED")]
    )

    assert [(report.service_id, report.deployment_id, report.at) for report in reports] == [
        ("svc-a", "a", NOON)
    ]


@pytest.mark.parametrize(
    "payload",
    [
        None, "", "[", [], 7, {}, {"serviceId": None}, {"serviceId": ""}, {"serviceId": {"id": "svc"}},
        {"serviceId": "s" * 101}, {"serviceId": "svc\nsvc"}, {"serviceId": "<!channel>"}, {"serviceId": "a:b"},
        {"serviceId": "00000000-0000-0000-0000-000000000000"}, {"deploymentId": "unheard-of"},
    ],
)  # fmt: skip
def test_an_event_without_a_valid_service_is_ignored(payload: Any) -> None:
    assert (
        platform_reports(
            events({"action": "crashed", "activityPayload": payload}), [deployed("a", "SUCCESS")]
        )
        == ()
    )


@pytest.mark.parametrize("name", ["d" * 101, "<!channel>", "a:b", "0000-0000", "d e"])
def test_an_invalid_deployment_id_is_left_out(name: str) -> None:
    about = {"serviceId": "svc", "deploymentId": name}

    [report] = platform_reports(events({"action": "crashed", "activityPayload": about}), [])

    assert report.deployment_id is None


# ---- ingestion --------------------------------------------------------------------------------


def ingest_missed(journal: JournalStore, survey: Survey, *sick: str) -> list[str]:
    return missed_webhooks.ingest_missed(
        journal, survey, sick, at=survey.window.end, own_service=None, ack_seconds=60
    )


def test_the_first_sweep_sets_the_cursor_and_the_next_begins_there(
    journal: JournalStore,
) -> None:
    first = ingest_missed(journal, surveyed(crashed(10), minutes=20))

    second = ingest_missed(journal, surveyed(crashed(10), crashed(19), minutes=30))

    assert first == []
    assert [journal.read_record(f"{PREFIX}alert:{name}", records.ALERT) for name in second] == [
        missed_webhooks.make_alert(surveyed(), crashed(19), NOON + timedelta(minutes=30))
    ]


def test_a_missed_event_is_ingested_once(journal: JournalStore, store: redis.Redis) -> None:
    ingest_missed(journal, surveyed(minutes=0))

    alert_ids = ingest_missed(journal, surveyed(crashed(10)))
    store.hset(f"{PREFIX}slot:env", "cursor", int(NOON.timestamp() * 1000))
    again = ingest_missed(journal, surveyed(crashed(10)))

    assert len(alert_ids) == 1
    assert again == []
    assert len(list(store.scan_iter(f"{PREFIX}alert:*"))) == 1


def test_a_forgotten_event_is_deduplicated_as_the_same_alert(
    journal: JournalStore, store: redis.Redis
) -> None:
    ingest_missed(journal, surveyed(minutes=0))
    alert_ids = ingest_missed(journal, surveyed(crashed(10)))
    store.hset(f"{PREFIX}slot:env", "cursor", int(NOON.timestamp() * 1000))
    store.delete(received_key("env"))

    assert ingest_missed(journal, surveyed(crashed(10))) == alert_ids
    assert len(list(store.scan_iter(f"{PREFIX}alert:*"))) == 1


def test_after_an_unreadable_feed_the_next_sweep_goes_further_back(journal: JournalStore) -> None:
    ingest_missed(journal, surveyed(minutes=0))
    ingest_missed(journal, surveyed(minutes=20).model_copy(update={"feed_read": False}))

    assert len(ingest_missed(journal, surveyed(crashed(10), minutes=30))) == 1


def test_a_flood_is_ingested_in_parts_until_nothing_is_left(journal: JournalStore) -> None:
    names = [f"s{number}" for number in range(2 * missed_webhooks.MAX_MISSED_PER_SWEEP + 5)]
    services = (*names, *(f"sick{number}" for number in range(missed_webhooks.MAX_MISSED_PER_SWEEP)))
    flood = [crashed(10 + number / 10, name) for number, name in enumerate(services)]
    ingest_missed(journal, surveyed(minutes=0, services=services))

    parts = [
        ingest_missed(journal, surveyed(*flood, minutes=minutes, services=services), *services[len(names) :])
        for minutes in (30, 40, 50, 60)
    ]

    assert [len(part) for part in parts] == [
        missed_webhooks.MAX_MISSED_PER_SWEEP,
        missed_webhooks.MAX_MISSED_PER_SWEEP,
        5,
        0,
    ]
    ingested = [
        journal.read_record(f"{PREFIX}alert:{name}", records.ALERT) for part in parts for name in part
    ]
    assert {alert.service_id for alert in ingested if alert} == set(names)


def test_the_cursor_never_moves_back_and_expires(journal: JournalStore, store: redis.Redis) -> None:
    ingest_missed(journal, surveyed(minutes=30))
    ingest_missed(journal, surveyed(minutes=20))

    assert ingest_missed(journal, surveyed(crashed(20))) == []
    assert store.pttl(f"{PREFIX}slot:env") > 0


def test_an_outage_leaves_the_cursor_unchanged(journal: JournalStore, store: redis.Redis) -> None:
    ingest_missed(journal, surveyed(minutes=0))
    store.config_set("maxmemory", "1")
    try:
        with pytest.raises(NotAvailable):
            ingest_missed(journal, surveyed(crashed(10)))
    finally:
        store.config_set("maxmemory", "0")

    assert len(ingest_missed(journal, surveyed(crashed(10)))) == 1


def test_a_sender_whose_clock_is_ahead_does_not_hide_later_events(journal: JournalStore) -> None:
    ingest_missed(journal, surveyed(minutes=0))
    ahead = missed_webhooks.make_alert(surveyed(), crashed(0), NOON).model_copy(
        update={"id": "a1", "reported_at": NOON + timedelta(days=900)}
    )
    intake.ingest(ahead, None, journal, lambda _: None)

    assert len(ingest_missed(journal, surveyed(crashed(10)))) == 1


# ---- in the pipeline ---------------------------------------------------------------------------


@pytest.fixture
def calm(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """A healthy pipeline whose environment was checked once, half an hour ago."""
    with harness(store, store_url, tmp_path, failing=False) as running:
        ping(running)
        running.drive(lambda: running.count_ended_sweeps() == 1)
        running.store.hincrby(SLOT, "cursor", -1_800_000)
        yield running


def ping(running: PipelineHarness) -> None:
    running.alert(source="ping", kind="ping", service_id=None, service_name=None)


def happens(
    running: PipelineHarness, *, ago: float = 600, action: str = "crashed", service: str = "svc-shop"
) -> None:
    """Add an event to Railway's feed, so many seconds ago."""
    about = {"serviceId": service, "deploymentId": "dep-new"}
    running.world.events.append(WorldEvent(time.time() - ago, "Deployment", action, about))


def sweeps(running: PipelineHarness, number: int) -> Callable[[], bool]:
    return lambda: running.count_ended_sweeps() >= number


def alerts(running: PipelineHarness) -> list[Alert]:
    keys = running.store.scan_iter(f"{PREFIX}alert:missed-*")
    ingested_alerts = [running.journal.read_record(key.decode(), records.ALERT) for key in keys]
    return [alert for alert in ingested_alerts if alert and not alert.id.endswith("-again")]


def test_a_ping_finds_a_missed_event_and_reports_it_once(calm: PipelineHarness) -> None:
    happens(calm)
    ping(calm)

    calm.drive(lambda: calm.slack.texts)
    ping(calm)
    calm.drive(lambda: not [key for key in calm.due() if "ping" not in key])

    [answer] = [text for text in calm.slack.texts if "Below the level of an incident" in text]
    assert answer.startswith("⚪ shop: ")
    assert MISSED in answer
    assert len(alerts(calm)) == 1


def test_without_any_webhook_the_missing_setup_is_reported_once(calm: PipelineHarness) -> None:
    for minutes in (10, 7, 4):
        calm.store.delete(received_key("env-1"))
        calm.store.hset(SLOT, "cursor", int(time.time() * 1000) - 1_800_000)
        calm.world.events.clear()
        happens(calm, ago=minutes * 60)
        ping(calm)
        calm.drive(sweeps(calm, calm.count_ended_sweeps() + 2))
    calm.drive(lambda: calm.store.hexists(f"{PREFIX}notification:operational:webhooks:env-1", "ended"))

    assert len([text for text in calm.slack.texts if "add /hooks/railway" in text]) == 1


def test_with_working_webhooks_no_missing_setup_is_reported(calm: PipelineHarness) -> None:
    calm.alert(kind="deployment.deployed")
    happens(calm)
    ping(calm)

    calm.drive(lambda: alerts(calm) and not [key for key in calm.due() if "ping" not in key])

    assert not [text for text in calm.slack.texts if "add /hooks/railway" in text]


def test_the_comparison_costs_no_request(calm: PipelineHarness) -> None:
    before = len(calm.railway.operations)
    ping(calm)
    calm.drive(sweeps(calm, 2))
    usual = len(calm.railway.operations) - before

    calm.store.hincrby(SLOT, "cursor", -1_800_000)
    happens(calm)
    ping(calm)
    calm.drive(sweeps(calm, 3))

    assert alerts(calm)
    assert len(calm.railway.operations) - before - usual == usual


def test_an_event_with_a_webhook_is_not_ingested_again(calm: PipelineHarness) -> None:
    happens(calm)
    reported_at = datetime.now(UTC) - timedelta(seconds=601)
    calm.alert(kind="deployment.crashed", deployment_id="dep-new", reported_at=reported_at)
    ping(calm)

    calm.drive(sweeps(calm, 2))

    assert alerts(calm) == []


def test_a_young_event_is_left_to_the_next_sweep(calm: PipelineHarness) -> None:
    happens(calm, ago=60)
    ping(calm)
    calm.drive(sweeps(calm, 2))
    too_soon = alerts(calm)

    calm.world.events[0].at -= 200
    calm.store.hincrby(SLOT, "cursor", -200_000)
    ping(calm)
    calm.drive(sweeps(calm, 3))

    assert too_soon == []
    assert len(alerts(calm)) == 1


def test_a_late_webhook_opens_no_second_incident(store: redis.Redis, store_url: str, tmp_path: Path) -> None:
    with harness(store, store_url, tmp_path, TRACKWALKER_MODE="report") as sick:
        sick.store.hset(SLOT, "cursor", int(time.time() * 1000) - 1_800_000)
        sick.alert(kind="deployment.deployed")
        happens(sick)
        ping(sick)
        sick.drive(sick.outcome_posts)
        ingested_alerts = alerts(sick)

        sick.alert(kind="deployment.crashed", deployment_id="dep-new")
        sick.drive(sweeps(sick, 2))
        sick.drive(lambda: not [key for key in sick.due() if "notification:alert" in key])

        assert ingested_alerts == []
        assert len(sick.incidents()) == 1
        assert len([message for message in sick.slack.messages if not message.thread_ts]) == 1


@pytest.mark.parametrize(
    ("script", "number"), [("STORE_ALERT", 1), ("STORE_ALERT", 2), ("ADVANCE_CURSOR", 1), ("END", 1)]
)
def test_a_crash_during_ingestion_ingests_each_event_once(
    calm: PipelineHarness, script: str, number: int
) -> None:
    happens(calm)
    happens(calm, service="svc-db", ago=700)
    ping(calm)
    calm.drive(lambda: any(calm.store.hget(key, "stage") == b"analyse" for key in calm.due()))
    [key] = [key for key in calm.due() if ":sweep:" in key]

    crashing = CrashingStore(calm.store, getattr(scripts, script), number)
    run_stage(replace(calm.services, store=crashing), "analyse", key)
    has_crashed = not calm.store.hexists(key, "ended")
    calm.drive(sweeps(calm, 3))

    assert has_crashed
    assert {alert.service_id for alert in alerts(calm)} == {"svc-shop", "svc-db"}
    assert len(alerts(calm)) == 2


class CrashingStore(WorkerStore):
    """Crashes the worker before it runs a script for the n-th time; nothing after that happens."""

    def __init__(self, client: redis.Redis, script: Script, number: int) -> None:
        super().__init__(client)
        self.script, self.left = script, number

    def run(
        self, script: Script, more_keys: Sequence[str] = (), more: Sequence[Any] = (), **named: Any
    ) -> Any:
        self.left -= script == self.script
        if not self.left:
            raise ZeroDivisionError("the worker crashed here")
        return super().run(script, more_keys, more, **named)


def test_a_failed_deployment_is_found_although_the_feed_is_refused(calm: PipelineHarness) -> None:
    calm.railway.broken["events"] = "Not Authorized"
    at = time.time() - 600
    failed = WorldDeployment("dep-bad", "svc-shop", "FAILED", at, at, {})
    live = replace(calm.world.services[0].deployments[0], created_at=at + 60, status_at=at + 60)
    calm.world.services[0].deployments[:1] = [live, failed]
    ping(calm)

    calm.drive(lambda: alerts(calm))
    calm.drive(sweeps(calm, 3))
    ping(calm)
    calm.drive(sweeps(calm, 4))

    assert [(alert.kind, alert.deployment_id) for alert in alerts(calm)] == [("deployment.failed", "dep-bad")]


def test_events_before_the_first_sweep_are_not_ingested(
    store: redis.Redis, store_url: str, tmp_path: Path
) -> None:
    with harness(store, store_url, tmp_path, failing=False) as fresh:
        happens(fresh)
        ping(fresh)

        fresh.drive(lambda: fresh.count_ended_sweeps() == 1)

        assert alerts(fresh) == []


def test_a_malformed_feed_does_not_break_a_sweep(calm: PipelineHarness) -> None:
    far = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
    nonsense: list[Any] = [None, 7, "{", ["svc-shop"], {"serviceId": ["svc-shop"]}, {"a": {"b": {"c": {}}}}]
    calm.world.events += [
        WorldEvent(time.time() - 600, "Deployment", "crashed", payload) for payload in nonsense
    ]
    calm.world.events += [
        WorldEvent(at, "Deployment", "crashed", {"serviceId": "svc-shop"}) for at in (0, far)
    ]
    calm.world.events.append(
        WorldEvent(time.time() - 600, "Deployment", "🔥" * 5000, {"serviceId": "svc-shop"})
    )
    calm.world.services.append(WorldService("svc-new", "new"))
    ping(calm)

    calm.drive(sweeps(calm, 2))

    assert alerts(calm) == []
