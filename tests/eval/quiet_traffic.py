"""Healthy classes that look like trouble with answers, latency or traffic."""

from __future__ import annotations

from dataclasses import replace

from tests.eval.canvas import Canvas, Level
from tests.eval.scenario import quiet


@quiet()
def burst_5xx_10s(canvas: Canvas) -> None:
    """Ten seconds of failures, over before anybody could look."""
    at = canvas.draw.randrange(canvas.minutes)
    canvas.put(at, at + 1, failing=canvas.draw.uniform(0.06, 0.17))


@quiet()
def two_short_bursts(canvas: Canvas) -> None:
    """Twice ten seconds of failures, far apart."""
    first = canvas.draw.randrange(canvas.minutes // 2 - 3)
    for at in (first, first + canvas.draw.randint(10, 15)):
        canvas.put(at, at + 1, failing=canvas.draw.uniform(0.05, 0.15))


@quiet()
def low_traffic_one_fail(canvas: Canvas) -> None:
    """A handful of requests, one or two of which failed."""
    canvas.settle(
        replace(
            canvas.usual, per_minute=canvas.draw.uniform(0.1, 0.6), failing=canvas.draw.uniform(0.05, 0.12)
        )
    )


@quiet()
def bot_scan_4xx(canvas: Canvas) -> None:
    """A scanner asks for what is not there; everybody else is answered as before."""
    _scan(canvas)


@quiet()
def scan_after_deploy(canvas: Canvas) -> None:
    """The same scan, and by chance a deployment at its start: the successes are unchanged."""
    canvas.happen("deployed", max(0, _scan(canvas) - 1))


@quiet()
def rate_limited_bots(canvas: Canvas) -> None:
    """A crawler far too fast gets 429; those who pay get their answers."""
    first = canvas.draw.randrange(canvas.minutes // 2)
    more = canvas.usual.per_minute * canvas.draw.uniform(1, 6)
    canvas.extra_refused[first:] = [more] * (canvas.minutes - first)


def _scan(canvas: Canvas) -> int:
    first = canvas.draw.randrange(canvas.minutes * 2 // 3)
    lasts = canvas.draw.randint(canvas.minutes // 4, canvas.minutes)
    more = canvas.usual.per_minute * canvas.draw.uniform(0.3, 3)
    for minute in range(first, min(canvas.minutes, first + lasts)):
        canvas.extra_refused[minute] = more
    return first


@quiet()
def client_hangups(canvas: Canvas) -> None:
    """Some clients never wait for the answer (499): a few per cent, for ever."""
    canvas.settle(replace(canvas.usual, refused=canvas.draw.uniform(0.03, 0.12)))


@quiet()
def always_refusing(canvas: Canvas) -> None:
    """Half of its callers have no valid token, and never had one."""
    canvas.settle(replace(canvas.usual, refused=canvas.draw.uniform(0.3, 0.7)))


@quiet()
def traffic_surge(canvas: Canvas) -> None:
    """Two to five times the traffic, and it copes."""
    first, factor = canvas.draw.randrange(canvas.minutes // 2), canvas.draw.uniform(2, 5)
    slower = canvas.draw.uniform(1.05, 1.5)
    canvas.bend(first, canvas.minutes, lambda _, level: replace(
        level, per_minute=level.per_minute * factor, cpu=min(0.68, level.cpu * factor),
        memory=min(0.7, level.memory * 1.12), latency=level.latency * slower))  # fmt: skip


@quiet()
def traffic_from_zero(canvas: Canvas) -> None:
    """A service that nobody used is found by people: all are answered."""
    busy, first = canvas.usual, canvas.draw.randrange(canvas.minutes // 2)
    canvas.settle(replace(canvas.usual, per_minute=0.02, cpu=0.005))
    canvas.put(first, canvas.minutes, per_minute=busy.per_minute, cpu=busy.cpu)


@quiet()
def diurnal_rise(canvas: Canvas) -> None:
    """The morning: traffic and CPU rise by a tenth to a third within the window."""
    rise = canvas.draw.uniform(0.1, 0.35)
    canvas.bend(0, canvas.minutes, lambda minute, level: replace(
        level, per_minute=level.per_minute * (1 + rise * minute / canvas.minutes),
        cpu=level.cpu * (1 + rise * minute / canvas.minutes),
        memory=level.memory * (1 + 0.03 * minute / canvas.minutes)))  # fmt: skip


@quiet()
def weekend_trough(canvas: Canvas) -> None:
    """A tenth to a third of the traffic of the week: it is Saturday, and it fades over hours."""
    left, fades = canvas.draw.uniform(0.1, 0.33), canvas.draw.uniform(0.1, 0.2)
    week = replace(canvas.usual, per_minute=max(60.0, canvas.usual.per_minute))
    now = replace(week, per_minute=week.per_minute * left, cpu=week.cpu * (0.4 + 0.6 * left))
    canvas.settle(now)

    def earlier(age: int, usual: Level) -> Level:
        share = min(1.0, left * (1 + fades) ** age)
        return replace(usual, per_minute=week.per_minute * share, cpu=week.cpu * (0.4 + 0.6 * share))

    canvas.earlier = earlier


@quiet()
def slow_by_nature(canvas: Canvas) -> None:
    """It makes reports: a second or two, today as ever."""
    canvas.settle(replace(canvas.usual, latency=canvas.draw.uniform(700, 2200)))
    canvas.spread = canvas.draw.uniform(0.25, 0.5)


@quiet()
def bimodal_latency(canvas: Canvas) -> None:
    """One page in ten or so takes seconds, so p95 jumps between two values; it always did."""
    canvas.slow_ms = canvas.draw.uniform(1200, 4000)
    canvas.settle(
        replace(canvas.usual, slow=canvas.draw.uniform(0.08, 0.15), per_minute=canvas.draw.uniform(40, 300))
    )


@quiet()
def few_requests_noise(canvas: Canvas) -> None:
    """One to four requests a minute: their p95 is one request, and jumps."""
    canvas.spread = canvas.draw.uniform(0.7, 1.1)
    latency = canvas.draw.uniform(40, 250)
    canvas.settle(replace(canvas.usual, per_minute=canvas.draw.uniform(1, 4), latency=latency, failing=0.0))


@quiet()
def latency_blip(canvas: Canvas) -> None:
    """Very slow for a minute or two."""
    at, slower = canvas.draw.randrange(canvas.minutes), canvas.draw.uniform(8, 40)
    canvas.bend(at, at + canvas.draw.randint(1, 2), lambda _, one: replace(one, latency=one.latency * slower))


@quiet()
def chronic_failing(canvas: Canvas) -> None:
    """It fails as it has failed for days: known, one open incident, no new alarm."""
    canvas.settle(
        replace(canvas.usual, failing=canvas.draw.uniform(0.05, 0.6), per_minute=canvas.draw.uniform(20, 400))
    )


@quiet()
def busy_with_few_failures(canvas: Canvas) -> None:
    """Thousands of requests a minute, of which a few in a thousand fail, as always: many, and no share."""
    busy, failing = canvas.draw.uniform(3000, 30_000), canvas.draw.uniform(0.001, 0.005)
    canvas.settle(replace(canvas.usual, per_minute=busy, failing=failing))


@quiet()
def half_the_traffic(canvas: Canvas) -> None:
    """From one minute to the next half the requests: a campaign ended, or others took some over."""
    first, left = canvas.draw.randrange(canvas.minutes * 2 // 3), canvas.draw.uniform(0.4, 0.6)
    canvas.bend(first, canvas.minutes, lambda _, level: replace(
        level, per_minute=level.per_minute * left, cpu=level.cpu * (0.4 + 0.6 * left)))  # fmt: skip
