"""Stored request quota: what is left of Railway's rate limit, what sweeps cost, and the ping interval that fits.

One Redis hash for all environments: `rate_limit`, and `used:<environment id>` for the last sweep of each.
"""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ValidationError

from workers.clients.railway.quota import RateLimit
from workers.engine import scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import RATE_LIMIT
from workers.errors import NotAvailable
from workers.models import Model, Moment

N = TypeVar("N", bound=Model)

TTL_SECONDS = 7200
"""Railway counts requests per hour, so older values mean nothing; two hours cover a sweep every hour."""
RESERVED_SHARE = 0.2
"""Share of the limit that pings leave unused, so that alerts can still be swept."""
MAX_PING_INTERVAL_SECONDS = 3600.0
"""The rate limit resets within an hour, so a longer interval saves nothing."""


class SweepCost(Model):
    """Requests that the last sweep of one environment sent."""

    requests: int
    history_requests: int = 0
    """Requests of its backfill. The next sweep does not need them again."""
    at: Moment


class RequestQuota(Model):
    """The stored rate limit and the last sweep of each environment, newest first."""

    rate_limit: RateLimit | None = None
    sweeps: tuple[SweepCost, ...] = ()

    @property
    def requests_per_ping(self) -> int:
        """Requests that one ping costs: a ping sweeps every environment."""
        return sum(sweep.requests for sweep in self.sweeps)


def ping_interval(
    ping_seconds: float, rate_limit: RateLimit | None, requests_per_ping: int, now: datetime
) -> float:
    """Seconds until the next ping, so that the remaining requests last until the reset.

    At the reset RESERVED_SHARE of the limit is still left. The interval is never shorter than `ping_seconds` and
    never longer than an hour or the time until the reset.

    Args:
        ping_seconds: the configured interval.
        rate_limit: the newest one; None keeps the configured interval.
        requests_per_ping: 0 if unknown, which keeps the configured interval.
    """
    if rate_limit is None or requests_per_ping <= 0:
        return ping_seconds
    until_reset = (rate_limit.resets_at - now).total_seconds()
    if until_reset <= 0:
        return ping_seconds
    spendable = max(0.0, rate_limit.remaining - RESERVED_SHARE * rate_limit.limit)
    pings = int(spendable // requests_per_ping)
    interval = until_reset / pings if pings else until_reset
    return max(ping_seconds, min(interval, until_reset, MAX_PING_INTERVAL_SECONDS))


def store_sweep_cost(
    store: JournalStore, environment_id: str, rate_limit: RateLimit | None, requests: int, now: datetime
) -> None:
    """Store what a sweep cost and the rate limit after it. Never raises NotAvailable: no sweep fails for it.

    Args:
        rate_limit: None leaves the stored one.
        requests: 0 if unknown, which leaves the stored cost.
    """
    fields: list[str] = []
    if requests:
        fields += [f"used:{environment_id}", SweepCost(requests=requests, at=now).model_dump_json()]
    if rate_limit:
        fields += ["rate_limit", rate_limit.model_dump_json()]
    with contextlib.suppress(NotAvailable):
        if fields:
            store.run(scripts.STORE_RATE_LIMIT, more=fields, rate_limit=RATE_LIMIT, ttl_seconds=TTL_SECONDS)


def store_history_cost(
    store: JournalStore, environment_id: str, rate_limit: RateLimit | None, requests: int, now: datetime
) -> None:
    """Add the requests of a backfill to the cost of the sweep that ran it. Never raises NotAvailable."""
    field = f"used:{environment_id}"
    with contextlib.suppress(NotAvailable):
        cost = _parse(SweepCost, store.fields(RATE_LIMIT).get(field)) or SweepCost(requests=0, at=now)
        fields = [field, cost.model_copy(update={"history_requests": requests}).model_dump_json()]
        fields += ["rate_limit", rate_limit.model_dump_json()] if rate_limit else []
        store.run(scripts.STORE_RATE_LIMIT, more=fields, rate_limit=RATE_LIMIT, ttl_seconds=TTL_SECONDS)


def read(store: JournalStore, now: datetime) -> RequestQuota:
    """The stored quota; a value that cannot be parsed counts as absent. Raises NotAvailable."""
    fields = store.fields(RATE_LIMIT)
    sweeps = [_parse(SweepCost, value) for name, value in fields.items() if name.startswith("used:")]
    oldest = now - timedelta(seconds=TTL_SECONDS)
    # The TTL is that of the whole hash: an environment that is no longer swept would count forever.
    recent = [sweep for sweep in sweeps if sweep and sweep.at >= oldest]
    return RequestQuota(
        rate_limit=_parse(RateLimit, fields.get("rate_limit")),
        sweeps=tuple(sorted(recent, key=lambda sweep: sweep.at, reverse=True)),
    )


def next_ping(store: JournalStore, ping_seconds: float, now: datetime) -> float | None:
    """Seconds until the next ping if the quota requires a longer interval than configured, else None.

    Raises NotAvailable.
    """
    quota = read(store, now)
    if quota.rate_limit is None:
        return None
    # The receiver asks when it accepts a ping, before the sweep of that ping has spent its requests.
    remaining = max(0, quota.rate_limit.remaining - quota.requests_per_ping)
    rate_limit = quota.rate_limit.model_copy(update={"remaining": remaining})
    seconds = ping_interval(ping_seconds, rate_limit, quota.requests_per_ping, now)
    return seconds if seconds > ping_seconds else None


def describe(quota: RequestQuota, now: datetime) -> str:
    """One line for people; "" if nothing is stored."""
    rate_limit, used = quota.rate_limit, ""
    if quota.sweeps:
        used = f"last sweep used {quota.sweeps[0].requests + quota.sweeps[0].history_requests}"
    if rate_limit is None:
        return f"Railway API: {used}" if used else ""
    if rate_limit.resets_at <= now:
        left = f"limit of {rate_limit.limit} requests, reset at {rate_limit.resets_at:%H:%M} UTC"
    else:
        left = f"{rate_limit.remaining} of {rate_limit.limit} requests left until {rate_limit.resets_at:%H:%M} UTC"
    return "; ".join(part for part in (f"Railway API: {left}", used) if part)


def _parse(kind: type[N], value: bytes | None) -> N | None:
    try:
        return kind.model_validate_json(value) if value else None
    except ValidationError:
        return None
