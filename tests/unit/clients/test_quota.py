"""Railway's rate limit headers, and the limiter that keeps below the limit of requests per second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from workers.clients.railway.quota import RateLimit, merge_rate_limits, parse_rate_limit
from workers.clients.railway.rate_limiter import RateLimiter

NOW = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)
EPOCH = NOW.timestamp()
IN_TEN_MINUTES = NOW + timedelta(seconds=600)


def rate_limit(remaining: int, minutes: float = 60, limit: int = 1000) -> RateLimit:
    return RateLimit(limit=limit, remaining=remaining, resets_at=NOW + timedelta(minutes=minutes))


# ---- headers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reset",
    [
        f"{EPOCH + 600:.0f}", f"{(EPOCH + 600) * 1000:.0f}", "600", "2026-11-23T03:14:05Z",
        "2026-11-23T04:14:05+01:00", "2026-11-23T03:14:05", "Mon, 23 Nov 2026 03:14:05 GMT",
    ],
)  # fmt: skip
def test_a_reset_is_parsed_in_every_format(reset: str) -> None:
    headers = httpx.Headers(
        {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "812", "X-RateLimit-Reset": reset}
    )

    assert parse_rate_limit(headers, NOW) == RateLimit(limit=1000, remaining=812, resets_at=IN_TEN_MINUTES)


@pytest.mark.parametrize(
    "reset", ["", "soon", "-5", "9" * 15, "9" * 40, "2030-01-01T00:00:00Z", "9999999999999", "\x00"]
)
def test_an_implausible_reset_is_replaced_by_one_hour_from_now(reset: str) -> None:
    headers = httpx.Headers(
        [
            (b"x-ratelimit-limit", b"10"),
            (b"x-ratelimit-remaining", b"3"),
            (b"x-ratelimit-reset", reset.encode()),
        ]
    )

    parsed = parse_rate_limit(headers, NOW)

    assert parsed and parsed.resets_at == NOW + timedelta(hours=1)


def test_the_limit_is_taken_from_the_policy_if_no_other_header_names_it() -> None:
    headers = httpx.Headers(
        {"X-RateLimit-Remaining": "40", "RateLimit-Policy": '"burst";q=10;w=1, "hour";q=1000;w=3600'}
    )

    assert parse_rate_limit(headers, NOW) == rate_limit(40)


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"X-RateLimit-Limit": "1000"}, {"X-RateLimit-Remaining": "5"},
        {"X-RateLimit-Limit": "many", "X-RateLimit-Remaining": "5"},
        {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "-5"},
        {"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0"},
        {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "9" * 400},
    ],
)  # fmt: skip
def test_incomplete_or_malformed_headers_count_as_absent(headers: dict[str, str]) -> None:
    assert parse_rate_limit(httpx.Headers(headers), NOW) is None


def test_a_late_response_does_not_raise_the_remainder_again() -> None:
    assert merge_rate_limits(rate_limit(5), rate_limit(7)) == rate_limit(5)
    assert merge_rate_limits(rate_limit(7), rate_limit(5)) == rate_limit(5)


def test_a_new_rate_limit_window_replaces_the_old_one() -> None:
    next_window = rate_limit(1000, minutes=120)

    assert merge_rate_limits(rate_limit(5), next_window) == next_window


# ---- limiter ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reported", "max_per_second"),
    [(None, 9), (rate_limit(900), 9), (rate_limit(900, limit=10_000), 45)],
)
def test_no_more_requests_begin_within_a_second_than_the_plan_allows(
    reported: RateLimit | None, max_per_second: int
) -> None:
    now = [0.0]
    limiter = RateLimiter(lambda: now[0], lambda seconds: now.append(now.pop() + seconds))
    started = []

    for _ in range(200):
        limiter.wait(reported)
        started.append(now[0])
        now[0] += 1 / 1024  # a power of two: no rounding error decides the comparison below

    assert all(
        later - earlier >= 1 for earlier, later in zip(started, started[max_per_second:], strict=False)
    )
    assert started[max_per_second - 1] < 1 <= started[max_per_second]
