"""How many requests Railway still lets us send, and how far apart the pings must be so that they last."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ValidationError

from workers.engine.journal import PREFIX, JournalStore
from workers.errors import NotAvailable
from workers.models import Model, Moment

N = TypeVar("N", bound=Model)

KEY = PREFIX + "railway:rate_limit"
TTL_SECONDS = 7200
"""Railway counts by the hour: what is older says nothing."""
KEPT_BACK = 0.2
"""The share of the limit that pings leave to the alerts."""
LONGEST_SECONDS = 3600.0

_STORE = """
-- KEYS allowance. ARGV ttl_seconds, then field, value ...
for i=2,#ARGV,2 do redis.call('HSET',KEYS[1],ARGV[i],ARGV[i+1]) end
redis.call('EXPIRE',KEYS[1],ARGV[1])
return 1
"""


class RateLimit(Model):
    """What Railway said last: of `limit` requests `remaining` are left until `resets_at`."""

    limit: int
    remaining: int
    resets_at: Moment


class SweepCost(Model):
    """What the last sweep of one environment cost."""

    requests: int
    past: int = 0
    """Requests that it read of the past besides: the next one does not need them again."""
    at: Moment


class Known(Model):
    """All that the store holds: the newest allowance, and the last sweep of each environment, newest first."""

    allowance: RateLimit | None = None
    sweeps: tuple[SweepCost, ...] = ()

    @property
    def per_ping(self) -> int:
        """Requests of one look at everything that is watched."""
        return sum(one.requests for one in self.sweeps)


def ping_interval(
    ping_seconds: float, allowance: RateLimit | None, requests_per_sweep: int, now: datetime
) -> float:
    """Seconds until the next ping, so that what remains lasts until the reset and a fifth of the limit is left.

    Never shorter than the setting, never longer than an hour or, where that is sooner, the reset.
    """
    if allowance is None or requests_per_sweep <= 0:
        return ping_seconds
    left = (allowance.resets_at - now).total_seconds()
    if left <= 0:
        return ping_seconds
    pings = int(max(0.0, allowance.remaining - KEPT_BACK * allowance.limit) // requests_per_sweep)
    apart = left / pings if pings else left
    return max(ping_seconds, min(apart, left, LONGEST_SECONDS))


def keep(
    journal: JournalStore, environment_id: str, allowance: RateLimit | None, requests: int, now: datetime
) -> None:
    """Store what a sweep cost (0: not known) and what is left after it.

    No sweep fails for it: a store that is away is passed over.
    """
    fields: list[str] = []
    if requests:
        fields += [f"used:{environment_id}", SweepCost(requests=requests, at=now).model_dump_json()]
    if allowance:
        fields += ["allowance", allowance.model_dump_json()]
    with contextlib.suppress(NotAvailable):
        if fields:
            journal.script(_STORE, [KEY], TTL_SECONDS, *fields)


def keep_past(
    journal: JournalStore, environment_id: str, allowance: RateLimit | None, requests: int, now: datetime
) -> None:
    """Store what the sweep that `keep` knows of read of the past besides; as `keep` it fails no sweep."""
    field = f"used:{environment_id}"
    with contextlib.suppress(NotAvailable):
        one = _read(SweepCost, journal.fields(KEY).get(field)) or SweepCost(requests=0, at=now)
        fields = [field, one.model_copy(update={"past": requests}).model_dump_json()]
        fields += ["allowance", allowance.model_dump_json()] if allowance else []
        journal.script(_STORE, [KEY], TTL_SECONDS, *fields)


def read(journal: JournalStore, now: datetime) -> Known:
    """The newest of what was stored; what cannot be read is not known. Raises NotAvailable."""
    fields = journal.fields(KEY)
    sweeps = [_read(SweepCost, value) for name, value in fields.items() if name.startswith("used:")]
    oldest = now - timedelta(seconds=TTL_SECONDS)
    lately = [one for one in sweeps if one and one.at >= oldest]
    return Known(
        allowance=_read(RateLimit, fields.get("allowance")),
        sweeps=tuple(sorted(lately, key=lambda one: one.at, reverse=True)),
    )


def next_ping(journal: JournalStore, ping_seconds: float, now: datetime) -> float | None:
    """Seconds until the next ping where it must come later than the setting says. Raises NotAvailable.

    The sweep of the ping that was just taken is still to be paid.
    """
    known = read(journal, now)
    if known.allowance is None:
        return None
    after = max(0, known.allowance.remaining - known.per_ping)
    left = known.allowance.model_copy(update={"remaining": after})
    seconds = ping_interval(ping_seconds, left, known.per_ping, now)
    return seconds if seconds > ping_seconds else None


def describe(known: Known, now: datetime) -> str:
    """For a person; "" while nothing is known."""
    one, used = known.allowance, ""
    if known.sweeps:
        used = f"last sweep used {known.sweeps[0].requests + known.sweeps[0].past}"
    if one is None:
        return f"Railway API: {used}" if used else ""
    if one.resets_at <= now:
        said = f"{one.limit} requests, counted anew since {one.resets_at:%H:%M} UTC"
    else:
        said = f"{one.remaining} of {one.limit} requests left until {one.resets_at:%H:%M} UTC"
    return "; ".join(part for part in (f"Railway API: {said}", used) if part)


def _read(kind: type[N], value: bytes | None) -> N | None:
    try:
        return kind.model_validate_json(value) if value else None
    except ValidationError:
        return None
