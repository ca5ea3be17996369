"""What a finished incident leaves in the store until it runs out, and what in it never does."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import redis

from tests.support.fakes.railway_types import LogRow, Request, Sample, World, WorldDeployment, WorldService
from tests.support.pipeline import PipelineHarness, harness
from workers.engine.schema import CONTROLS, OPEN, PREFIX, SCHEDULE

GOAL_KB = 200
NEIGHBOURS, LINES = 20, 600
PINGS = 3
NAMED = (SCHEDULE, OPEN, CONTROLS)
"""What is under way, which incidents are open, pause and mutes: they shrink when what they name is over."""


def measure(store: redis.Redis, url: str, folder: Path) -> None:
    """Print both for one incident from the alert to the held fix: of a small environment, and of a noisy one."""
    for name, noisy in (("small", False), ("noisy", True)):
        store.flushall()
        (folder / name).mkdir()
        with harness(store, url, folder / name) as running:
            if noisy:
                make_noise(running.world, random.Random(1))
            _to_the_end(running)
        _print(name, sizes(store), endless(store))
    store.flushall()


def _to_the_end(running: PipelineHarness) -> None:
    for _ in range(PINGS):
        running.alert(source="ping", kind="ping", service_id=None, service_name=None)
        running.drive(running.count_ended_sweeps)
    running.alert()
    running.drive(running.outcome_posts, stages=200)
    running.redeploy(running.github.merge(running.github.pulls[0].number))
    running.drive(lambda: running.follow_up() is not None, stages=200)
    running.drive(lambda: not any(":incident:" in key for key in running.due()), stages=200)


def make_noise(world: World, chance: random.Random) -> None:
    """Neighbours whose numbers never repeat, and a log in which no two lines are alike."""
    shop = world.services[0]
    live, began = shop.deployments[0], min(one.at for one in shop.requests)
    until = max(one.at for one in shop.requests)
    words = [f"{chance.getrandbits(40):010x}" for _ in range(400)]
    for _ in range(LINES):
        text = f"{chance.choice(words)} failed: {' '.join(chance.sample(words, 30))}"
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


def sizes(store: redis.Redis) -> Counter[str]:
    """Bytes in memory by kind of key."""
    found: Counter[str] = Counter()
    for raw in store.scan_iter("*", count=1000):
        kind = raw.decode().removeprefix(PREFIX).split(":")
        found[":".join(kind[:2]) if kind[0] == "notify" else kind[0]] += (
            store.memory_usage(raw, samples=0) or 0
        )
    return found


def endless(store: redis.Redis) -> list[str]:
    """Keys that neither run out nor are due nor are among NAMED."""
    due = set(store.zrange(SCHEDULE, 0, -1))
    keys = [raw for raw in store.scan_iter("*", count=1000) if store.ttl(raw) < 0 and raw not in due]
    return sorted(raw.decode() for raw in keys if raw.decode() not in NAMED)


def _print(name: str, found: Counter[str], stays: list[str]) -> None:
    most = ", ".join(f"{kind} {size / 1000:.0f}" for kind, size in found.most_common(4))
    print(
        f"kept, {name:9} {found.total() / 1000:.0f} KB an incident with its sweeps and tells ({most})   "
        f"(goal: at most {GOAL_KB} KB)   never run out: {', '.join(stays) or 'none'}   (goal: none)"
    )
