"""Trouble that goes on for 36 hours: no sweep ends its incident, and a real end is found within two hours.

Each kind of trouble runs through the real detector, history, opening, recovery and follow-up. Only the clock of the
windows is simulated: a healthy day, 36 hours of trouble in half-hour windows, and healthy windows again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest

from tests.support import builders
from tests.support.journals import enqueue_on_sweep
from workers import detection
from workers.engine import records
from workers.engine.schema import OPEN, EndedAs, journal_key
from workers.engine.worker_store import WorkerStore
from workers.history import summary_store
from workers.incidents import opening, watching
from workers.models import (
    Alert,
    ContainerStart,
    Deployment,
    Environment,
    Finding,
    FindingKind,
    FollowUp,
    FollowUpResult,
    InstanceUsage,
    Outcome,
    PlatformEvent,
    Service,
    Summary,
    Survey,
    TrafficMinute,
    Volume,
    Window,
)

LENGTH = timedelta(minutes=30)
HEALTHY_WINDOWS = 48
SICK_WINDOWS = 72
RECOVERY_WINDOWS = 12
MIN_DURATION_MINUTES = 4.0
NOW = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)
NAME = "orders"


@dataclass
class Shape:
    """The behaviour of the service in one window; a trouble changes it."""

    window: Window
    random: Random
    age: float
    """Minutes since the onset."""
    requests: float = 40.0
    failed: float = 0.002
    rejected: float = 0.01
    p95_ms: float = 120.0
    vcpu: float = 0.4
    memory_gb: Callable[[float], float] = lambda minute: 0.5
    error_lines: float = 0.2
    disk_mb: float = 400.0
    status: str = "SUCCESS"
    latest: str = ""
    stopped: bool = False
    states: tuple[str, ...] = ("RUNNING",)
    starts: tuple[float, ...] = ()
    """Minutes of the window in which a container starts."""
    kills: tuple[float, ...] = ()
    changes: dict[str, Any] = field(default_factory=dict)


Trouble = Callable[[Shape], None]


def _server_errors(shape: Shape) -> None:
    shape.failed = 0.94


def _client_errors(shape: Shape) -> None:
    shape.rejected = 0.8


def _latency(shape: Shape) -> None:
    shape.p95_ms = 2800.0


def _traffic_lost(shape: Shape) -> None:
    shape.requests = 0.0


def _cpu(shape: Shape) -> None:
    shape.vcpu = 1.96


def _memory(shape: Shape) -> None:
    shape.memory_gb = lambda minute: 0.97


def _memory_growth(shape: Shape) -> None:
    # A leak of 0.15 GB an hour; the container is killed at its limit every three hours and begins again.
    age = shape.age
    shape.memory_gb = lambda minute: 0.5 + 0.15 / 60 * ((age + minute) % 180)
    shape.kills = tuple(minute for minute in range(30) if (age + minute) % 180 == 179)


def _oom_killed(shape: Shape) -> None:
    shape.kills = (5.0, 20.0)
    shape.starts = (5.2, 20.2)


def _restart_loop(shape: Shape) -> None:
    shape.starts = tuple(float(minute) for minute in range(0, 30, 3))


def _crashed(shape: Shape) -> None:
    shape.status, shape.states, shape.requests = "CRASHED", ("CRASHED",), 0.0


def _stopped(shape: Shape) -> None:
    shape.stopped, shape.states, shape.requests = True, ("EXITED",), 0.0


def _missing(shape: Shape) -> None:
    shape.status, shape.latest, shape.requests = "", "REMOVED", 0.0


def _failed_deployment(shape: Shape) -> None:
    shape.latest = "FAILED"


def _stuck_deployment(shape: Shape) -> None:
    shape.latest = "DEPLOYING"


def _volume(shape: Shape) -> None:
    shape.disk_mb = 985.0


def _failures_for_minutes(shape: Shape) -> None:
    """Nine minutes of each half hour fail."""
    shape.changes["failing_minutes"] = range(12, 21)


def _silent_after_failures(shape: Shape) -> None:
    """Everything fails for an hour; then no client comes any more."""
    shape.failed = 0.94
    if shape.age >= 60:
        shape.requests = 0.0


def _killed_every_two_hours(shape: Shape) -> None:
    if shape.age % 120 == 0:
        _oom_killed(shape)


TROUBLES: dict[str, Trouble] = {
    "server_errors": _server_errors,
    "client_errors": _client_errors,
    "latency": _latency,
    "traffic_lost": _traffic_lost,
    "cpu": _cpu,
    "memory": _memory,
    "memory_growth": _memory_growth,
    "oom_killed": _oom_killed,
    "restart_loop": _restart_loop,
    "crashed": _crashed,
    "stopped": _stopped,
    "missing": _missing,
    "failed_deployment": _failed_deployment,
    "stuck_deployment": _stuck_deployment,
    "volume": _volume,
}
VARIANTS: dict[str, Trouble] = {
    "failures for minutes of each half hour": _failures_for_minutes,
    "failures, then silence": _silent_after_failures,
    "killed every two hours": _killed_every_two_hours,
}
GIVEN = ("cron_missed", "cron_overlap", "cron_slower", "egress", "worker_idle")
"""Kinds whose findings a test gives, because only some windows can show them."""
NEVER_ALERTING = {"traffic_surge", "traffic_drop", "error_logs"}
"""Kinds that are notices only and open no incident."""


class World:
    """Sweeps of one service, and what they leave in the journals."""

    def __init__(self, journal: WorkerStore, trouble: Trouble) -> None:
        self.journal, self.trouble = journal, trouble
        self.random = Random(7)
        self.onset = NOW + HEALTHY_WINDOWS * LENGTH
        self.opened: list[str] = []

    def survey(self, number: int, *, sick: bool) -> Survey:
        window = Window(start=NOW + number * LENGTH, end=NOW + (number + 1) * LENGTH)
        shape = Shape(window, self.random, (window.start - self.onset).total_seconds() / 60)
        if sick:
            self.trouble(shape)
        return builders.survey(_service(shape, NAME), window=window)

    def learn(self, windows: range) -> None:
        """Healthy windows before the installation."""
        surveys = [self.survey(number, sick=False) for number in windows]
        windows_by_service: dict[str, list[Summary]] = {}
        for survey in surveys:
            for service_id, summary in summary_store.summarise_survey(survey, []).items():
                windows_by_service.setdefault(service_id, []).append(summary)
        summary_store.save(self.journal, "e", windows_by_service, surveys[-1].window.end)

    def sweep(self, number: int, *, sick: bool) -> None:
        survey = self.survey(number, sick=sick)
        stored = summary_store.read(self.journal, "e", survey.window.end)
        history = summary_store.baseline_windows(stored, survey.window.start)
        findings = detection.detect(survey, min_duration_minutes=MIN_DURATION_MINUTES, history=history)
        findings = [finding for finding in findings if finding.service == NAME]
        summary_store.add_sweep(self.journal, survey, findings)
        self.open(number, survey, findings)

    def open(self, number: int, survey: Survey, findings: list[Finding]) -> None:
        """Open, update and watch incidents as a sweep with these findings does."""
        alert = Alert(id=f"ping-{number}", source="ping", kind="ping", received_at=survey.window.end)
        claim = self.journal.claim(
            enqueue_on_sweep(self.journal, alert, Environment(project_id="p", environment_id="e")), "survey"
        )
        assert claim is not None
        ids = opening.open_incidents(
            claim, self.journal, survey, findings, opened_at=survey.window.end, ack_seconds=60,
            min_duration_minutes=MIN_DURATION_MINUTES,
        )  # fmt: skip
        claim.end(EndedAs.FINDINGS, "done")
        self.opened += [incident for incident in ids if incident not in self.opened]
        self._watch()

    def _watch(self) -> None:
        """Let `watch` look at every open incident that a sweep found well, as it is woken for."""
        for raw in self.journal.command("hvals", OPEN):
            key = raw.decode()
            if not int(self.journal.command("hget", key, "clean_sweeps")):
                continue
            claim = self.journal.claim(key, self.journal.fields(key)["stage"].decode())
            assert claim is not None
            if not claim.has(records.OUTCOME):
                claim.record(records.OUTCOME, Outcome(kind="reported", headline="reported"))
            unused, settings = cast("Any", None), cast("Any", SimpleNamespace(verify_minutes=30.0))
            watching.follow_up(claim, unused, unused, settings, self.journal, datetime.now(UTC), notify="")

    def ended(self) -> list[FollowUp]:
        fields = [self.journal.fields(journal_key(incident)) for incident in self.opened]
        ends = [records.FOLLOW_UP.read(item) for item in fields if "ended" in item]
        return [end for end in ends if end is not None]


def _service(shape: Shape, name: str) -> Service:
    start = int(shape.window.start.timestamp())
    minutes = range(30)
    traffic = tuple(_minute(shape, start, minute) for minute in minutes)
    cpu = tuple((start + 60 * minute, shape.vcpu * shape.random.uniform(0.99, 1.01)) for minute in minutes)
    memory = tuple((start + 60 * minute, shape.memory_gb(minute)) for minute in minutes)
    serving = _deployment("d1", name, shape.status, shape) if shape.status else None
    latest = _deployment("d2", name, shape.latest, shape) if shape.latest else serving
    usage = (InstanceUsage(instance_id="i", cpu=cpu, memory=memory),) if shape.states == ("RUNNING",) else ()
    if shape.latest == "REMOVED":
        usage = ()
    at = shape.window.start
    kills = [PlatformEvent(kind="oom", at=at + timedelta(minutes=m), deployment_id="d1") for m in shape.kills]
    starts = [ContainerStart(at=at + timedelta(minutes=m), deployment_id="d1") for m in shape.starts]
    return builders.service(
        name, serving=serving, latest=latest, deployments=tuple(filter(None, (latest, serving))), public=True,
        cpu_limit=2.0, memory_limit=1.0, usage=usage, traffic=traffic, events=tuple(kills), starts=tuple(starts),
        volumes=(Volume(id="v", name="data", mount_path="/data", used_mb=shape.disk_mb, size_mb=1000.0),),
        disk=((start + 1500, shape.disk_mb / 1000),), repo="acme/shop",
    )  # fmt: skip


def _deployment(name: str, service: str, status: str, shape: Shape) -> Deployment:
    onset = NOW + HEALTHY_WINDOWS * LENGTH
    created = NOW - timedelta(days=3) if name == "d1" else onset
    is_sick = shape.stopped or status != "SUCCESS"
    return builders.deployment(
        name, status, service_id=f"svc-{service}", created_at=created, status_at=onset if is_sick else created,
        stopped=shape.stopped, instance_states=shape.states, commit=name * 8,
    )  # fmt: skip


def _minute(shape: Shape, start: int, minute: int) -> TrafficMinute:
    requests = round(shape.requests * shape.random.uniform(0.8, 1.2))
    failing = minute in shape.changes.get("failing_minutes", ())
    failed = round(requests * (0.9 if failing else shape.failed))
    rejected = min(requests - failed, round(requests * shape.rejected))
    p95 = shape.p95_ms * shape.random.uniform(0.9, 1.1) if requests else None
    return TrafficMinute(
        at=start + 60 * minute, requests=requests, ok=requests - failed - rejected, client_errors=rejected,
        server_errors=failed, p95_ms=p95,
    )  # fmt: skip


@pytest.fixture
def world(journal: WorkerStore, request: pytest.FixtureRequest) -> World:
    return World(journal, request.param)


@pytest.mark.parametrize(
    "world", [*TROUBLES.values(), *VARIANTS.values()], ids=[*TROUBLES, *VARIANTS], indirect=True
)
def test_trouble_that_goes_on_for_36_hours_is_one_incident_until_it_really_ends(world: World) -> None:
    world.learn(range(HEALTHY_WINDOWS))

    for number in range(SICK_WINDOWS):
        world.sweep(HEALTHY_WINDOWS + number, sick=True)
        assert not world.ended(), f"ended after {number / 2:.1f} hours of trouble"

    first = HEALTHY_WINDOWS + SICK_WINDOWS
    windows = 0
    while not world.ended() and windows < RECOVERY_WINDOWS:
        world.sweep(first + windows, sick=False)
        windows += 1
    assert len(world.opened) == 1
    assert [end.result for end in world.ended()] == [FollowUpResult.RESOLVED]


@pytest.mark.parametrize("kind", GIVEN)
def test_trouble_that_only_some_windows_can_show_ends_with_what_shows_its_end(
    journal: WorkerStore, kind: FindingKind
) -> None:
    is_job, is_worker = kind.startswith("cron"), kind == "worker_idle"
    world = World(journal, lambda _: None)

    def sweep(number: int, *, sick: bool, ran: bool) -> None:
        survey = world.survey(number, sick=False)
        start = ContainerStart(at=survey.window.start + timedelta(minutes=1), deployment_id="d1")
        cpu = tuple(
            (int(survey.window.end.timestamp()) - 60 * minute, 0.0 if sick else 0.4) for minute in range(5)
        )
        changes = {
            "cron": "0 */2 * * *" if is_job else None,
            "starts": (start,) if ran else (),
            "traffic": () if is_worker or is_job else survey.services[0].traffic,
            "usage": (InstanceUsage(instance_id="i", cpu=cpu),) if is_worker else (),
            "egress": ((int(survey.window.end.timestamp()), 5.0 if sick else 0.5),),
        }
        survey = survey.model_copy(update={"services": (survey.services[0].model_copy(update=changes),)})
        numbers = {"baseline_low_vcpu": 0.4, "gb_per_hour": 10.0, "baseline_gb_per_hour": 1.0}
        trouble = builders.finding(kind, name=NAME, since=world.onset, severity="warning", numbers=numbers)
        is_shown = sick and number % 4 == 0
        world.open(number, survey, [trouble] if is_shown else [])

    for number in range(SICK_WINDOWS):
        sweep(HEALTHY_WINDOWS + number, sick=True, ran=kind == "cron_overlap" and number % 4 == 0)
        assert not world.ended()
    for number in range(RECOVERY_WINDOWS):
        sweep(HEALTHY_WINDOWS + SICK_WINDOWS + number, sick=False, ran=number % 4 == 0)

    assert [end.result for end in world.ended()] == [FollowUpResult.RESOLVED]
    assert len(world.opened) == 1


FIRST_SIGHT = ("server_errors", "cpu", "memory", "crashed", "stopped", "failed_deployment", "volume")
"""Kinds that are bad in absolute terms, and so are found without any history."""


@pytest.mark.parametrize("world", [TROUBLES[kind] for kind in FIRST_SIGHT], ids=FIRST_SIGHT, indirect=True)
def test_trouble_from_before_the_installation_is_one_incident_until_it_ends(world: World) -> None:
    for number in range(SICK_WINDOWS):
        world.sweep(HEALTHY_WINDOWS + number, sick=True)
        assert not world.ended(), f"ended after {number / 2:.1f} hours of trouble"

    for number in range(RECOVERY_WINDOWS):
        world.sweep(HEALTHY_WINDOWS + SICK_WINDOWS + number, sick=False)
    assert [end.result for end in world.ended()] == [FollowUpResult.RESOLVED]
    assert len(world.opened) == 1


def test_every_kind_of_finding_is_held_or_never_opens_an_incident() -> None:
    assert {*TROUBLES, *GIVEN} | NEVER_ALERTING == set(get_args(FindingKind))
