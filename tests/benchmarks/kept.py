"""The bytes that a finished incident leaves in Redis until they expire, and the keys that never expire."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import redis

from tests.support.fakes.railway_types import LogRow, Request, Sample, World, WorldDeployment, WorldService
from tests.support.pipeline import PipelineHarness, harness
from workers.engine.schema import AUDIT, COUNTERS, DECISIONS, ENDED_DECISIONS, OPEN, PREFIX, SCHEDULE

GOAL_KB = 200
NEIGHBOURS = 20  # services beside the failing one, in the noisy environment
LINES = 600  # of its log
PINGS = 3  # sweeps without a finding before the incident
PERMANENT_KEYS = (
    SCHEDULE,
    OPEN,
    DECISIONS,
    ENDED_DECISIONS,
    AUDIT,
    COUNTERS,
)  # open work, open incidents and controls, whose entries leave by themselves; the others are bounded


def measure(store: redis.Redis, url: str, folder: Path) -> None:
    """Print both for one incident, from the alert to the verified fix, in a small and in a noisy environment."""
    for name, noisy in (("small", False), ("noisy", True)):
        store.flushall()
        (folder / name).mkdir()
        with harness(store, url, folder / name) as running:
            if noisy:
                make_noise(running.world, random.Random(1))
            _run_incident(running)
        _print(name, sizes_by_kind(store), permanent_keys(store))
    store.flushall()


def _run_incident(running: PipelineHarness) -> None:
    for _ in range(PINGS):
        running.alert(source="ping", kind="ping", service_id=None, service_name=None)
        running.drive(running.count_ended_sweeps)
    running.alert()
    running.drive(running.outcome_posts, stages=200)
    running.redeploy(running.github.merge(running.github.pulls[0].number))
    running.drive(lambda: running.follow_up() is not None, stages=200)
    running.drive(lambda: not any(":incident:" in key for key in running.due()), stages=200)


def make_noise(world: World, chance: random.Random) -> None:
    """Add services whose numbers never repeat, and a log without two similar lines: data that compresses badly."""
    shop = world.services[0]
    live, began = shop.deployments[0], min(request.at for request in shop.requests)
    until = max(request.at for request in shop.requests)
    tokens = [f"{chance.getrandbits(40):010x}" for _ in range(400)]
    for _ in range(LINES):
        text = f"{chance.choice(tokens)} failed: {' '.join(chance.sample(tokens, 30))}"
        live.logs.append(LogRow(chance.uniform(began, until), text, chance.choice(["error", "warn", "info"])))
    live.logs.sort(key=lambda row: row.at)
    for sample in shop.samples:
        sample.cpu *= chance.uniform(0.8, 1.2)
    world.services += [_neighbour(number, began, until, chance) for number in range(NEIGHBOURS)]


def _neighbour(number: int, began: float, until: float, chance: random.Random) -> WorldService:
    name = f"svc-{number}"
    live = WorldDeployment(f"dep-{number}", name, "SUCCESS", began - 86_400, None, {"branch": "main"})
    minutes = range(math.floor(until - began) // 30)
    return WorldService(
        name, f"neighbour-{number}", repo="acme/all", deployments=[live], active=[live.id],
        cpu_limit=8.0, memory_limit=8.0, domains=[f"n{number}.up.railway.app"],
        samples=[
            Sample(began + 30 * n, "i1", live.id, chance.uniform(0.3, 0.36), chance.uniform(0.5, 0.52))
            for n in minutes
        ],
        requests=[
            Request(began + 30 * n + second, "GET", f"/{second}", 200, chance.uniform(20, 30), live.id, "i1")
            for n in minutes
            for second in range(0, 30, 5)
        ],
    )  # fmt: skip


def sizes_by_kind(store: redis.Redis) -> Counter[str]:
    """Bytes in memory by the kind of key."""
    sizes: Counter[str] = Counter()
    for raw in store.scan_iter("*", count=1000):
        kind = raw.decode().removeprefix(PREFIX).split(":")
        sizes[":".join(kind[:2]) if kind[0] == "notification" else kind[0]] += (
            store.memory_usage(raw, samples=0) or 0
        )
    return sizes


def permanent_keys(store: redis.Redis) -> list[str]:
    """Keys without expiry that are neither scheduled nor among PERMANENT_KEYS."""
    scheduled = set(store.zrange(SCHEDULE, 0, -1))
    keys = [raw for raw in store.scan_iter("*", count=1000) if store.ttl(raw) < 0 and raw not in scheduled]
    return sorted(raw.decode() for raw in keys if raw.decode() not in PERMANENT_KEYS)


def _print(name: str, sizes: Counter[str], permanent: list[str]) -> None:
    most = ", ".join(f"{kind} {size / 1000:.0f}" for kind, size in sizes.most_common(4))
    print(
        f"kept, {name:9} {sizes.total() / 1000:.0f} KB per incident with its sweeps and notifications ({most})   "
        f"(goal: at most {GOAL_KB} KB)   never expire: {', '.join(permanent) or 'none'}   (goal: none)"
    )
