"""Metrics of ourselves in Prometheus' text format: what this process answered, and what Redis says of the workers.

No label names a service, an environment or a person: their number is bounded whatever is watched.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from workers.engine import counters
from workers.engine.counters import METRICS, Counters
from workers.engine.journal_store import JournalStore
from workers.engine.schema import OPEN, SCHEDULE
from workers.errors import NotAvailable
from workers.incidents import request_quota

PREFIX = "trackwalker_"


@dataclass(frozen=True)
class StoreState:
    """The state of Redis and of the work in it. NaN is unknown.

    Attributes:
        oldest_due_seconds: how long the journal that is due longest has waited; 0 if none is due.
    """

    open_journals: int = 0
    due_journals: int = 0
    oldest_due_seconds: float = 0.0
    open_incidents: int = 0
    memory_bytes: float = math.nan
    keys: float = math.nan
    requests_remaining: float = math.nan
    requests_limit: float = math.nan
    counted: Counters = field(default_factory=lambda: counters.parse({}))


def read_state(store: JournalStore, now: datetime) -> StoreState:
    """The state as it is. Raises NotAvailable."""
    seconds, microseconds = store.command("time")
    now_ms = seconds * 1000 + microseconds // 1000
    due = store.command("zrange", SCHEDULE, 0, 0, False, True)
    oldest_ms = float(due[0][1]) if due else math.inf
    rate_limit = request_quota.read(store, now).rate_limit
    memory_bytes, keys = _size(store)
    return StoreState(
        open_journals=int(store.command("zcard", SCHEDULE)),
        due_journals=int(store.command("zcount", SCHEDULE, "-inf", now_ms)),
        oldest_due_seconds=max(0.0, (now_ms - oldest_ms) / 1000),
        open_incidents=int(store.command("hlen", OPEN)),
        memory_bytes=memory_bytes,
        keys=keys,
        requests_remaining=rate_limit.remaining if rate_limit else math.nan,
        requests_limit=rate_limit.limit if rate_limit else math.nan,
        counted=counters.read(store),
    )


def _size(store: JournalStore) -> tuple[float, float]:
    """Bytes and keys. Managed stores forbid INFO to some users; nothing else is unknown then."""
    with contextlib.suppress(NotAvailable, KeyError, ValueError):
        return float(store.command("info", "memory")["used_memory"]), float(store.command("dbsize"))
    return math.nan, math.nan


def render(registry: CollectorRegistry, state: StoreState | None) -> bytes:
    """All metrics as text.

    Args:
        registry: what this process counts itself.
        state: None while Redis is unavailable; its metrics are absent then.
    """
    return generate_latest(registry) + generate_latest(_Collected(_families(state)))


class _Collected:
    """Families that look like a registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(state: StoreState | None) -> Iterator[Metric]:
    yield _gauge("store_up", "1 if Redis answers", 0 if state is None else 1)
    yield _gauge(
        "open_journals", "Journals that have not ended; NaN while Redis is unavailable",
        math.nan if state is None else state.open_journals,
    )  # fmt: skip
    if state is None:
        return
    yield _gauge("due_journals", "Journals that wait for a worker", state.due_journals)
    yield _gauge("oldest_due_seconds", "Wait of the journal that is due longest", state.oldest_due_seconds)
    yield _gauge("open_incidents", "Incidents that have not ended", state.open_incidents)
    yield _gauge("store_memory_bytes", "Memory that Redis uses", state.memory_bytes)
    yield _gauge("store_keys", "Keys in Redis", state.keys)
    yield _gauge(
        "railway_requests_remaining", "Railway API requests left this hour", state.requests_remaining
    )
    yield _gauge("railway_requests_limit", "Railway API requests allowed in an hour", state.requests_limit)
    yield from _counted(state.counted)
    yield _precision(state.counted)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _counted(counted: Counters) -> Iterator[Metric]:
    for name, metric in METRICS.items():
        if metric.limits:
            cumulative = [str(total) for total in accumulate(counted.buckets[name])]
            limits = (*metric.limits, "+Inf")
            buckets = [(limit, float(total)) for limit, total in zip(limits, cumulative, strict=True)]
            yield HistogramMetricFamily(PREFIX + name, metric.help, buckets, counted.sums[name])
            continue
        family = (GaugeMetricFamily if metric.is_gauge else CounterMetricFamily)(
            PREFIX + name, metric.help, labels=metric.labels
        )
        # A counter without labels exists from the start: its first increase is one then, too.
        rows = counted.values[name] or ({} if metric.labels else {(): 0.0})
        for labels, value in sorted(rows.items()):
            family.add_metric(labels, value)
        yield family


def _precision(counted: Counters) -> Metric:
    """The share of a rule's incidents that no person called no problem."""
    family = GaugeMetricFamily(
        PREFIX + "rule_precision", "Share of the incidents of a kind of finding that nobody called no problem",
        labels=("kind",),
    )  # fmt: skip
    incidents: dict[str, float] = {}
    for (kind, _), value in counted.values["incidents"].items():
        incidents[kind] = incidents.get(kind, 0) + value
    for kind, opened in sorted(incidents.items()):
        dismissed = counted.values["dismissed_findings"].get((kind,), 0)
        family.add_metric((kind,), max(0.0, 1 - dismissed / opened))
    return family
