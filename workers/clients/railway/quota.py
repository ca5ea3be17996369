"""Railway's request quota: the rate limit that its response headers report.

A header that is malformed or out of range counts as absent, so a broken proxy cannot stop the client.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from workers.models import Model, Moment

# Railway counts its general limit per hour: 100 requests (Free), 1,000 (Hobby), 10,000 (Pro).
# https://docs.railway.com/integrations/api
MAX_WAIT_SECONDS = 3600.0
"""Upper bound of every wait and reset, so that a wrong header cannot park the client for days."""
EPOCH_SECONDS_FROM = 1e9
"""A reset at or above this number is epoch seconds; below, it is seconds from now."""
EPOCH_MILLISECONDS_FROM = 1e11
"""A reset at or above this number is epoch milliseconds."""
MAX_COUNT = 10**9
"""Upper bound of a limit or a remainder: far above any plan, and safe to store."""
SAME_RESET_SECONDS = 2.0
"""Resets this close belong to the same rate limit window; relative resets differ by the transfer time."""
# The IETF draft of RateLimit-Policy: `"hour";q=1000;w=3600`, earlier drafts: `1000;w=3600`.
POLICY = re.compile(r"(?:q=)?(\d{1,9})\s*(?=;)[^,]*?;\s*w=(\d{1,7})")


class RateLimit(Model):
    """The newest rate limit that Railway reported: `remaining` of `limit` requests until `resets_at`."""

    limit: int
    remaining: int
    resets_at: Moment


def parse_retry_after(headers: httpx.Headers, now: datetime) -> float | None:
    """Seconds from the `Retry-After` header, in its numeric or its date form; None without a valid one."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,12}(\.\d+)?", value):
        return min(float(value), MAX_WAIT_SECONDS)
    try:
        wait = (parsedate_to_datetime(value) - now).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(wait, 0.0), MAX_WAIT_SECONDS)


def parse_rate_limit(headers: httpx.Headers, now: datetime) -> RateLimit | None:
    """The rate limit from `X-RateLimit-*` or `RateLimit-*`; None if the limit or the remainder is missing.

    A reset that is missing or later than one hour from now is replaced: by the end of the policy's window if
    a policy is given, else by one hour from now.
    """
    remaining = _count(headers, "remaining")
    policy = max(
        ((int(w), int(q)) for q, w in POLICY.findall(headers.get("ratelimit-policy", ""))), default=None
    )
    limit = _count(headers, "limit") or (policy[1] if policy else None)
    if remaining is None or not limit:
        return None
    window = min(float(policy[0]), MAX_WAIT_SECONDS) if policy else MAX_WAIT_SECONDS
    latest = now + timedelta(seconds=MAX_WAIT_SECONDS)
    resets_at = _parse_time(_header(headers, "reset"), now) or now + timedelta(seconds=window)
    return RateLimit(limit=limit, remaining=min(remaining, limit), resets_at=min(resets_at, latest))


def merge_rate_limits(current: RateLimit | None, reported: RateLimit) -> RateLimit:
    """The rate limit to believe after a new report.

    Responses of concurrent requests arrive out of order. Within one rate limit window the smaller remainder
    is the newer one, so a late response cannot raise it again.
    """
    if current is None or current.limit != reported.limit or current.remaining >= reported.remaining:
        return reported
    apart = abs((current.resets_at - reported.resets_at).total_seconds())
    return current if apart < SAME_RESET_SECONDS else reported


def _header(headers: httpx.Headers, name: str) -> str:
    return str(headers.get(f"x-ratelimit-{name}") or headers.get(f"ratelimit-{name}") or "").strip()


def _count(headers: httpx.Headers, name: str) -> int | None:
    value = _header(headers, name).partition(",")[0].partition(";")[0].strip()
    return min(int(float(value)), MAX_COUNT) if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", value) else None


def _parse_time(value: str, now: datetime) -> datetime | None:
    """A time from epoch seconds or milliseconds, seconds from now, ISO 8601 or an HTTP date."""
    if re.fullmatch(r"\d{1,15}(\.\d{1,9})?", value):
        number = float(value)
        if number < EPOCH_SECONDS_FROM:
            return now + timedelta(seconds=min(number, MAX_WAIT_SECONDS))
        seconds = number / (1000 if number >= EPOCH_MILLISECONDS_FROM else 1)
        # datetime.fromtimestamp raises for years after 9999.
        return datetime.fromtimestamp(min(seconds, EPOCH_MILLISECONDS_FROM), UTC)
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(value)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, TypeError, OverflowError):
            continue
    return None
