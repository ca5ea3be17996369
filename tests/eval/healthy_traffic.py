"""Healthy classes that resemble failing requests, slow requests or lost traffic."""

from __future__ import annotations

from dataclasses import replace

from tests.eval.canvas import Canvas, Level
from tests.eval.scenario import healthy


@healthy()
def burst_5xx_10s(canvas: Canvas) -> None:
    """Ten seconds of failures, over before anybody could act."""
    at = canvas.random.randrange(canvas.minutes)
    canvas.set_levels(at, at + 1, failed_share=canvas.random.uniform(0.06, 0.17))


@healthy()
def two_short_bursts(canvas: Canvas) -> None:
    """Two bursts of ten seconds of failures, far apart."""
    first = canvas.random.randrange(canvas.minutes // 2 - 3)
    for at in (first, first + canvas.random.randint(10, 15)):
        canvas.set_levels(at, at + 1, failed_share=canvas.random.uniform(0.05, 0.15))


@healthy()
def low_traffic_one_fail(canvas: Canvas) -> None:
    """A handful of requests, one or two of which fail."""
    canvas.reset(
        replace(
            canvas.baseline,
            requests_per_minute=canvas.random.uniform(0.1, 0.6),
            failed_share=canvas.random.uniform(0.05, 0.12),
        )
    )


@healthy()
def bot_scan_4xx(canvas: Canvas) -> None:
    """A scanner requests paths that do not exist; all other requests succeed as before."""
    _scan(canvas)


@healthy()
def scan_after_deploy(canvas: Canvas) -> None:
    """The same scan, with a deployment at its start by coincidence; successes are unchanged."""
    canvas.add_event("deployed", max(0, _scan(canvas) - 1))


@healthy()
def rate_limited_bots(canvas: Canvas) -> None:
    """A crawler gets 429 for most of its requests; all other requests succeed."""
    first = canvas.random.randrange(canvas.minutes // 2)
    more = canvas.baseline.requests_per_minute * canvas.random.uniform(1, 6)
    canvas.extra_rejected[first:] = [more] * (canvas.minutes - first)


def _scan(canvas: Canvas) -> int:
    first = canvas.random.randrange(canvas.minutes * 2 // 3)
    lasts = canvas.random.randint(canvas.minutes // 4, canvas.minutes)
    more = canvas.baseline.requests_per_minute * canvas.random.uniform(0.3, 3)
    for minute in range(first, min(canvas.minutes, first + lasts)):
        canvas.extra_rejected[minute] = more
    return first


@healthy()
def client_hangups(canvas: Canvas) -> None:
    """Some clients never wait for the response (499): some per cent, in the whole history."""
    canvas.reset(replace(canvas.baseline, rejected_share=canvas.random.uniform(0.03, 0.12)))


@healthy()
def always_refusing(canvas: Canvas) -> None:
    """Half of the callers have no valid token, as in the whole history."""
    canvas.reset(replace(canvas.baseline, rejected_share=canvas.random.uniform(0.3, 0.7)))


@healthy()
def traffic_surge(canvas: Canvas) -> None:
    """Two to five times the traffic, which the service handles."""
    first, factor = canvas.random.randrange(canvas.minutes // 2), canvas.random.uniform(2, 5)
    slower = canvas.random.uniform(1.05, 1.5)
    canvas.change(first, canvas.minutes, lambda _, level: replace(
        level, requests_per_minute=level.requests_per_minute * factor, cpu=min(0.68, level.cpu * factor),
        memory=min(0.7, level.memory * 1.12), latency=level.latency * slower))  # fmt: skip


@healthy()
def traffic_from_zero(canvas: Canvas) -> None:
    """A service without traffic gets its first visitors; all requests succeed."""
    busy, first = canvas.baseline, canvas.random.randrange(canvas.minutes // 2)
    canvas.reset(replace(canvas.baseline, requests_per_minute=0.02, cpu=0.005))
    canvas.set_levels(first, canvas.minutes, requests_per_minute=busy.requests_per_minute, cpu=busy.cpu)


@healthy()
def diurnal_rise(canvas: Canvas) -> None:
    """Morning: traffic and CPU rise by a tenth to a third within the window."""
    rise = canvas.random.uniform(0.1, 0.35)
    canvas.change(0, canvas.minutes, lambda minute, level: replace(
        level, requests_per_minute=level.requests_per_minute * (1 + rise * minute / canvas.minutes),
        cpu=level.cpu * (1 + rise * minute / canvas.minutes),
        memory=level.memory * (1 + 0.03 * minute / canvas.minutes)))  # fmt: skip


@healthy()
def weekend_trough(canvas: Canvas) -> None:
    """Weekend: a tenth to a third of the weekday traffic, after a decline over hours."""
    remaining, fades = canvas.random.uniform(0.1, 0.33), canvas.random.uniform(0.1, 0.2)
    week = replace(canvas.baseline, requests_per_minute=max(60.0, canvas.baseline.requests_per_minute))
    now = replace(
        week, requests_per_minute=week.requests_per_minute * remaining, cpu=week.cpu * (0.4 + 0.6 * remaining)
    )
    canvas.reset(now)

    def earlier(age: int, baseline: Level) -> Level:
        share = min(1.0, remaining * (1 + fades) ** age)
        return replace(
            baseline, requests_per_minute=week.requests_per_minute * share, cpu=week.cpu * (0.4 + 0.6 * share)
        )

    canvas.earlier = earlier


@healthy()
def slow_by_nature(canvas: Canvas) -> None:
    """A service that renders reports in one or two seconds, as in the whole history."""
    canvas.reset(replace(canvas.baseline, latency=canvas.random.uniform(700, 2200)))
    canvas.spread = canvas.random.uniform(0.25, 0.5)


@healthy()
def bimodal_latency(canvas: Canvas) -> None:
    """About one page in ten takes seconds, so that p95 jumps between two values, as in the whole history."""
    canvas.slow_ms = canvas.random.uniform(1200, 4000)
    canvas.reset(
        replace(
            canvas.baseline,
            slow_share=canvas.random.uniform(0.08, 0.15),
            requests_per_minute=canvas.random.uniform(40, 300),
        )
    )


@healthy()
def few_requests_noise(canvas: Canvas) -> None:
    """One to four requests per minute, whose p95 is that of a single request."""
    canvas.spread = canvas.random.uniform(0.7, 1.1)
    latency = canvas.random.uniform(40, 250)
    canvas.reset(
        replace(
            canvas.baseline,
            requests_per_minute=canvas.random.uniform(1, 4),
            latency=latency,
            failed_share=0.0,
        )
    )


@healthy()
def latency_blip(canvas: Canvas) -> None:
    """Very slow for one or two minutes."""
    at, slower = canvas.random.randrange(canvas.minutes), canvas.random.uniform(8, 40)
    canvas.change(
        at, at + canvas.random.randint(1, 2), lambda _, level: replace(level, latency=level.latency * slower)
    )


@healthy()
def mildly_failing(canvas: Canvas) -> None:
    """A few per cent of the requests fail, as in the whole history."""
    canvas.reset(
        replace(
            canvas.baseline,
            failed_share=canvas.random.uniform(0.015, 0.1),
            requests_per_minute=canvas.random.uniform(20, 400),
        )
    )


@healthy()
def busy_with_few_failures(canvas: Canvas) -> None:
    """Thousands of requests per minute, of which a few in a thousand fail, as in the whole history."""
    busy, failing = canvas.random.uniform(3000, 30_000), canvas.random.uniform(0.001, 0.005)
    canvas.reset(replace(canvas.baseline, requests_per_minute=busy, failed_share=failing))


@healthy()
def half_the_traffic(canvas: Canvas) -> None:
    """The traffic halves from one minute to the next, for example because a campaign ended."""
    first, share = canvas.random.randrange(canvas.minutes * 2 // 3), canvas.random.uniform(0.4, 0.6)
    canvas.change(first, canvas.minutes, lambda _, level: replace(
        level, requests_per_minute=level.requests_per_minute * share, cpu=level.cpu * (0.4 + 0.6 * share)))  # fmt: skip
