"""A healthy environment, minute by minute, with everything that looks like a problem for a moment and is none.

Twenty services with daily and weekly rhythms: garbage-collection sawtooth, nightly jobs, hourly crons, queue workers,
slow responses by design, idle services and one that sleeps. Events of the week come on top: deployments with errors and
warm-ups, bot scans, ten-second bursts, latency and memory spikes, traffic surges. The ranges are those of usual web
projects; none was fitted to a rule of the detector. The same seed gives the same environment.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from workers.models import (
    ContainerStart,
    Deployment,
    InstanceUsage,
    Service,
    Survey,
    TrafficMinute,
    Window,
)  # fmt: skip

DAY = 1440  # minutes
KINDS = (
    *["web"] * 7, *["sawtooth"] * 2, *["nightly"] * 2, *["hourly"] * 2, *["slow"] * 2, *["worker"] * 2,
    "quiet", "idle", "sleeper",
)  # fmt: skip
PLANS = ((1.0, 0.5), (2.0, 1.0), (8.0, 8.0))  # vCPU and GB per replica


@dataclass
class Minutes:
    """One service with one value per minute, which the events of the week change."""

    requests: list[float]
    failing: list[float]
    refused: list[float]
    scans: list[float]
    slower: list[float]
    cpu: list[float]
    """As a share of the limit, like `memory`."""
    memory: list[float]
    deployed: list[int] = field(default_factory=list)
    awake: list[bool] = field(default_factory=list)


@dataclass
class Profile:
    """The constant properties of a service."""

    kind: str
    name: str
    rpm: float
    cpu: float
    memory: float
    median_ms: float
    sigma: float
    peak_hour: float
    period: int
    minute: int
    limits: tuple[float, float]


def environment(seed: int, start: datetime, days: int) -> Survey:
    """One survey of the whole time from `start`, a UTC midnight; slice the windows of sweeps from it."""
    r = random.Random(f"week/{seed}")
    services = tuple(_service(r, number, kind, start, days * DAY) for number, kind in enumerate(KINDS))
    return Survey(
        project_id="week", project_name="week", environment_id="week", environment_name="production",
        window=Window(start=start, end=start + timedelta(days=days)), step_seconds=60, services=services,
    )  # fmt: skip


def _service(r: random.Random, number: int, kind: str, start: datetime, count: int) -> Service:
    profile = _profile(r, number, kind)
    minutes = _days(r, profile, start, count)
    TRAITS.get(kind, _no_trait)(r, profile, minutes)
    _events(r, profile, minutes, start)
    return _render(r, profile, minutes, start)


def _profile(r: random.Random, number: int, kind: str) -> Profile:
    rpm = {"quiet": r.uniform(0.3, 2), "idle": 0.0, "worker": 0.0, "hourly": 0.0, "sleeper": r.uniform(2, 6)}
    slow = r.uniform(1500, 4000) if kind == "slow" else math.exp(r.uniform(math.log(15), math.log(180)))
    return Profile(
        kind=kind, name=f"{kind}-{number}", limits=r.choice(PLANS), median_ms=slow, sigma=r.uniform(0.4, 0.8),
        rpm=rpm.get(kind, math.exp(r.uniform(math.log(20), math.log(900)))), cpu=r.uniform(0.04, 0.3),
        memory=r.uniform(0.2, 0.6), peak_hour=r.uniform(10, 20), period=r.randint(6, 40), minute=r.randrange(60),
    )  # fmt: skip


def _days(r: random.Random, profile: Profile, start: datetime, count: int) -> Minutes:
    """The daily rhythm, weaker at the weekend. CPU follows the requests, and memory a little."""
    depth, weekend = r.uniform(0.3, 0.8), r.uniform(0.4, 1.0)
    waves = []
    for minute in range(count):
        day = (start + timedelta(minutes=minute)).weekday()
        wave = 1 + depth * math.cos(2 * math.pi * (minute / DAY - profile.peak_hour / 24))
        waves.append(wave * (weekend if day >= 5 else 1.0))
    base = r.choice((0.0, 0.0, 0.0003, 0.001))
    return Minutes(
        requests=[profile.rpm * wave for wave in waves],
        failing=[base] * count,
        refused=[r.uniform(0, 0.04)] * count,
        scans=[0.0] * count,
        slower=[1 + 0.1 * wave for wave in waves],
        cpu=[profile.cpu * (0.4 + 0.6 * wave) if profile.rpm else profile.cpu * 0.3 for wave in waves],
        memory=[profile.memory * (1 + 0.02 * wave) for wave in waves],
        awake=[True] * count,
    )


# ---- traits of some services -----------------------------------------------------------------


def _no_trait(_r: random.Random, _profile: Profile, _minutes: Minutes) -> None:
    """Leave the daily rhythm as it is."""


def _sawtooth(r: random.Random, profile: Profile, minutes: Minutes) -> None:
    low, high = r.uniform(0.3, 0.45), r.uniform(0.68, 0.86)
    minutes.memory = [
        low + (high - low) * (n % profile.period) / profile.period for n in range(len(minutes.memory))
    ]


def _nightly(r: random.Random, _profile: Profile, minutes: Minutes) -> None:
    begin, long = r.randint(60, 300), r.randint(15, 45)
    for day in range(0, len(minutes.cpu), DAY):
        at = day + begin + r.randint(0, 3)
        for n in range(at, min(len(minutes.cpu), at + long + r.randint(-3, 3))):
            minutes.cpu[n], minutes.memory[n] = r.uniform(0.85, 1.0), min(0.9, minutes.memory[n] * 1.3)


def _hourly(r: random.Random, profile: Profile, minutes: Minutes) -> None:
    long = r.randint(3, 8)
    for hour in range(profile.minute, len(minutes.cpu), 60):
        for n in range(hour, min(len(minutes.cpu), hour + long + r.randint(0, 1))):
            minutes.cpu[n] = r.uniform(0.8, 1.0)


def _queue(r: random.Random, _profile: Profile, minutes: Minutes) -> None:
    n = r.randint(5, 60)
    while n < len(minutes.cpu):
        for at in range(n, min(len(minutes.cpu), n + r.randint(1, 2))):
            minutes.cpu[at] = r.uniform(0.7, 1.0)
        n += r.randint(15, 200)


def _sleeps(r: random.Random, _profile: Profile, minutes: Minutes) -> None:
    """Awake for ten minutes to an hour at a time, more often by day."""
    minutes.awake = [False] * len(minutes.cpu)
    n = 0
    while n < len(minutes.cpu):
        n += r.randint(40, 400) if 7 <= n % DAY / 60 <= 22 else r.randint(200, 600)
        for at in range(n, min(len(minutes.cpu), n + r.randint(10, 60))):
            minutes.awake[at] = True
    minutes.requests = [
        requests if awake else 0.0 for requests, awake in zip(minutes.requests, minutes.awake, strict=True)
    ]


TRAITS: dict[str, Callable[[random.Random, Profile, Minutes], None]] = {
    "sawtooth": _sawtooth, "nightly": _nightly, "hourly": _hourly, "worker": _queue, "sleeper": _sleeps,
}  # fmt: skip


# ---- events ----------------------------------------------------------------------------------


def _events(r: random.Random, profile: Profile, minutes: Minutes, start: datetime) -> None:
    """A deployment every two working days, and the usual disturbances of a public service."""
    count = len(minutes.cpu)
    for day in range(0, count, DAY):
        works = (start + timedelta(minutes=day)).weekday() < 5
        if works and r.random() < 0.5:
            _deploy(r, profile, minutes, day + r.randint(9 * 60, 18 * 60))
        if profile.rpm and profile.kind != "sleeper":
            _disturb(r, minutes, day, profile.rpm)


def _deploy(r: random.Random, profile: Profile, minutes: Minutes, at: int) -> None:
    minutes.deployed.append(at)
    for n in range(at, at + r.randint(1, 2)):
        minutes.failing[n], minutes.slower[n] = r.uniform(0.05, 0.9), r.uniform(3, 12)
        minutes.cpu[n] = min(1.0, max(minutes.cpu[n] * 4, 0.3))
    warm = r.randint(4, 12)
    for n in range(at, at + warm):
        minutes.memory[n] = profile.memory * (0.45 + 0.55 * (n - at) / warm)
        minutes.slower[n] *= 1 + 0.8 * (1 - (n - at) / warm)


def _disturb(r: random.Random, minutes: Minutes, day: int, rpm: float) -> None:
    """The scans, bursts, spikes and surges of one day."""
    if r.random() < 0.3:
        at, strength = day + r.randrange(DAY - 60), r.uniform(1, 6) * max(20.0, rpm)
        for n in range(at, at + r.randint(3, 40)):
            minutes.scans[n] = strength
    if r.random() < 0.3:
        minutes.failing[day + r.randrange(DAY)] = r.uniform(0.1, 0.4)
    if r.random() < 0.3:
        at = day + r.randrange(DAY - 5)
        for n in range(at, at + r.randint(1, 2)):
            minutes.slower[n] *= r.uniform(3, 10)
    if r.random() < 0.1:
        minutes.memory[day + r.randrange(DAY)] = r.uniform(0.75, 0.95)
    if r.random() < 0.15:
        at, times = day + r.randrange(DAY - 60), r.uniform(1.5, 3)
        for n in range(at, at + r.randint(8, 40)):
            minutes.requests[n] *= times
            minutes.cpu[n] = min(0.65, minutes.cpu[n] * (0.5 + 0.5 * times))


# ---- conversion to a survey ------------------------------------------------------------------


def _render(r: random.Random, profile: Profile, minutes: Minutes, start: datetime) -> Service:
    first = int(start.timestamp())
    versions = [(-DAY * 3, "v0"), *((at, f"v{n + 1}") for n, at in enumerate(sorted(minutes.deployed)))]
    usage, starts, deployments = [], [], []
    for place, (at, version) in enumerate(versions):
        until = versions[place + 1][0] if place + 1 < len(versions) else None
        name = f"{profile.name}-{version}"
        deployments.append(_deployment(profile, name, start, at, until))
        span = range(max(0, at), len(minutes.cpu) if until is None else until)
        usage.append(_usage(r, profile, minutes, first, name, span))
        begun = [n for n in span if minutes.awake[n] and (n == at or not minutes.awake[n - 1])]
        starts += [
            ContainerStart(at=start + timedelta(minutes=n, seconds=5), deployment_id=name) for n in begun
        ]
    return Service(
        id=profile.name, name=profile.name, public=profile.rpm > 0, sleeps=profile.kind == "sleeper",
        cpu_limit=profile.limits[0], memory_limit=profile.limits[1], usage=tuple(usage), starts=tuple(starts),
        deployments=tuple(reversed(deployments)), serving=deployments[-1], latest=deployments[-1],
        traffic=_traffic(r, profile, minutes, first) if profile.rpm else (),
    )  # fmt: skip


def _deployment(profile: Profile, name: str, start: datetime, at: int, until: int | None) -> Deployment:
    created = start + timedelta(minutes=at)
    changed = created if until is None else start + timedelta(minutes=until)
    return Deployment(
        id=name, service_id=profile.name, status="SUCCESS" if until is None else "REMOVED",
        created_at=created, status_at=changed,
    )  # fmt: skip


def _usage(
    r: random.Random, profile: Profile, minutes: Minutes, first: int, name: str, span: range
) -> InstanceUsage:
    cpu_limit, memory_limit = profile.limits
    awake = [n for n in span if minutes.awake[n]]
    cpu = [min(1.02, max(0.0005, minutes.cpu[n] * (1 + r.gauss(0, 0.12)))) * cpu_limit for n in awake]
    memory = [min(1.0, minutes.memory[n] * (1 + r.gauss(0, 0.006))) * memory_limit for n in awake]
    at = [first + 60 * n for n in awake]
    return InstanceUsage.model_construct(
        instance_id=f"i-{name}", deployment_id=name,
        cpu=tuple(zip(at, cpu, strict=True)), memory=tuple(zip(at, memory, strict=True)),
    )  # fmt: skip


def _traffic(r: random.Random, profile: Profile, minutes: Minutes, first: int) -> tuple[TrafficMinute, ...]:
    traffic = []
    for n, expected in enumerate(minutes.requests):
        requests, scans = _poisson(r, expected), _poisson(r, minutes.scans[n])
        if not requests + scans:
            continue
        failed = _sample(r, requests, minutes.failing[n])
        refused = _sample(r, requests - failed, minutes.refused[n]) + scans
        noise = profile.sigma * 2.1 / math.sqrt(max(1, min(requests, 80))) * r.gauss(0, 0.5)
        p95 = profile.median_ms * minutes.slower[n] * math.exp(1.645 * profile.sigma + noise)
        traffic.append(
            TrafficMinute.model_construct(
                at=first + 60 * n, requests=requests + scans, ok=requests + scans - failed - refused,
                client_errors=refused, server_errors=failed, p95_ms=p95 if requests else 5.0,
            )
        )  # fmt: skip
    return tuple(traffic)


def _poisson(r: random.Random, mean: float) -> int:
    if mean > 30:
        return max(0, round(r.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, r.random()
    while product > limit:
        count, product = count + 1, product * r.random()
    return count


def _sample(r: random.Random, count: int, share: float) -> int:
    return sum(r.random() < share for _ in range(count)) if count and share else 0
