"""Failing lives: an alert, or at least a notice, must come in the hours that count."""

from __future__ import annotations

from dataclasses import replace

from tests.eval.canvas import Level
from tests.eval.chance import log_uniform
from tests.eval.lived import DAY, Expected, Life, lived
from tests.eval.lived_healthy import daily


def _since(life: Life, earliest: int = 5, latest: int = 90) -> int:
    return life.random.randint(earliest, latest)


@lived(Expected.NOTICE)
def canary_on_a_busy_service(life: Life) -> None:
    """A canary of a busy service fails: 0.4 to 0.9 % of all requests."""
    _busy(life, life.random.uniform(0.004, 0.009), 5000, 20_000)


@lived(Expected.NOTICE)
def brownout_below_the_line(life: Life) -> None:
    """0.6 to 0.9 % of 20,000 requests per minute fail."""
    _busy(life, life.random.uniform(0.006, 0.009), 20_000, 20_000)


@lived(Expected.ALERT)
def brownout_busy(life: Life) -> None:
    """2 to 4 % of thousands of requests per minute fail."""
    _busy(life, life.random.uniform(0.02, 0.04), 2000, 20_000)


def _busy(life: Life, failed: float, low: float, high: float) -> None:
    rate = log_uniform(life.random, low, high) if high > low else low
    life.canvas.reset(replace(life.base, requests_per_minute=rate, failed_share=0.0002))
    level, at = daily(life, 0.2), _since(life)
    life.level = lambda minute: replace(level(minute), failed_share=failed) if minute >= at else level(minute)


@lived(Expected.ALERT)
def canary_on_a_thin_route(life: Life) -> None:
    """Since a deployment a tenth of 5 to 15 requests per minute fails."""
    life.canvas.reset(replace(life.base, requests_per_minute=life.random.uniform(5, 15), failed_share=0.0005))
    level, at, share = daily(life, 0.2), _since(life), life.random.uniform(0.08, 0.15)
    life.events = [("deployed", at - 1)]
    life.level = lambda minute: replace(level(minute), failed_share=share) if minute >= at else level(minute)


@lived(Expected.ALERT, hours=7)
def drift_over_six_hours(life: Life) -> None:
    """Requests take ever longer, up to three or four times as long after six hours."""
    life.canvas.reset(replace(life.base, latency=life.random.uniform(60, 150)))
    level, slower = daily(life, 0.2), life.random.uniform(3, 4)
    life.level = lambda minute: replace(
        level(minute), latency=life.base.latency * (1 + (slower - 1) * min(1.0, max(0, minute) / 360))
    )


@lived(Expected.ALERT)
def gc_thrash(life: Life) -> None:
    """The garbage collector runs all the time: CPU and memory at the limit, slow requests."""
    life.canvas.reset(replace(life.base, latency=life.random.uniform(40, 150)))
    level, at, slower = daily(life, 0.2), _since(life), life.random.uniform(2, 5)
    life.level = lambda minute: (
        replace(level(minute), cpu=0.95, memory=0.93, latency=slower * life.base.latency)
        if minute >= at
        else level(minute)
    )


@lived(Expected.ALERT)
def gc_thrash_below_every_line(life: Life) -> None:
    """The same with CPU at 60 to 75 %, memory at 82 to 88 %, and requests that take half as long again."""
    life.canvas.reset(
        replace(life.base, cpu=life.random.uniform(0.15, 0.3), latency=life.random.uniform(80, 200))
    )
    cpu, memory = life.random.uniform(0.6, 0.75), life.random.uniform(0.82, 0.88)
    level, at, slower = daily(life, 0.2), _since(life), life.random.uniform(1.6, 2.2)
    life.level = lambda minute: (
        replace(level(minute), cpu=cpu, memory=memory, latency=slower * life.base.latency)
        if minute >= at
        else level(minute)
    )


@lived(Expected.ALERT)
def thin_and_all_fail(life: Life) -> None:
    """One request in two minutes or less, and all of them fail."""
    life.canvas.reset(replace(life.base, requests_per_minute=life.random.uniform(0.2, 0.6), failed_share=0.0))
    at = _since(life)
    life.level = lambda minute: replace(life.base, failed_share=1.0 if minute >= at else 0.0)


@lived(Expected.ALERT, days=4, hours=6)
def leak_under_a_daily_wave(life: Life) -> None:
    """Memory follows a daily wave, and leaks on top of it since a day: full within a day."""
    life.canvas.is_worker = life.random.random() < 0.5
    life.canvas.reset(replace(life.base, memory=0.4))
    wave, grows = daily(life, 0.1), life.random.uniform(0.35, 0.5)

    def level(minute: int) -> Level:
        swing = wave(minute).requests_per_minute / life.base.requests_per_minute
        leaked = grows * max(0, minute + DAY) / DAY
        return replace(wave(minute), memory=min(0.99, 0.4 * swing + leaked))

    life.level = level


@lived(Expected.ALERT)
def timeouts_of_a_few(life: Life) -> None:
    """6 to 10 % of the requests wait for an upstream and take its timeout."""
    life.canvas.slow_ms = life.random.choice((10_000.0, 30_000.0))
    life.canvas.reset(replace(life.base, requests_per_minute=log_uniform(life.random, 40, 600)))
    level, at, share = daily(life, 0.2), _since(life), life.random.uniform(0.07, 0.1)
    life.level = lambda minute: replace(level(minute), slow_share=share) if minute >= at else level(minute)


@lived(Expected.ALERT, hours=6)
def half_as_slow_again(life: Life) -> None:
    """Since a deployment requests take 1.7 to 2.1 times as long."""
    life.canvas.reset(replace(life.base, latency=life.random.uniform(80, 250)))
    level, at, slower = daily(life, 0.2), _since(life), life.random.uniform(1.7, 2.1)
    life.events = [("deployed", at - 1)]
    life.level = lambda minute: (
        replace(level(minute), latency=slower * life.base.latency) if minute >= at else level(minute)
    )


@lived(Expected.ALERT, hours=6)
def three_minutes_each_half_hour(life: Life) -> None:
    """Nearly all requests fail for three minutes of each half hour."""
    life.canvas.reset(replace(life.base, requests_per_minute=log_uniform(life.random, 30, 600)))
    level, at, share = daily(life, 0.2), _since(life, 5, 60), life.random.uniform(0.7, 1.0)
    life.level = lambda minute: (
        replace(level(minute), failed_share=share)
        if minute >= at and (minute - at) % 30 < 3
        else level(minute)
    )


@lived(Expected.NOTICE)
def worker_hangs(life: Life) -> None:
    """A worker that always computes at 25 to 60 % falls silent, and its process runs on."""
    life.canvas.is_worker = True
    life.canvas.reset(replace(life.base, cpu=life.random.uniform(0.25, 0.6)))
    level, at = daily(life, 0.2), _since(life)
    life.level = lambda minute: replace(level(minute), cpu=0.001) if minute >= at else level(minute)


@lived(Expected.NOTICE, days=10)
def quarter_of_the_traffic(life: Life) -> None:
    """A quarter of the requests of this hour of ten days."""
    life.detected_days = 1
    life.canvas.reset(replace(life.base, requests_per_minute=log_uniform(life.random, 30, 1000)))
    level, at, share = daily(life), _since(life), life.random.uniform(0.2, 0.3)
    life.level = lambda minute: (
        replace(level(minute), requests_per_minute=share * level(minute).requests_per_minute)
        if minute >= at
        else level(minute)
    )


@lived(Expected.NOTICE)
def route_vanished(life: Life) -> None:
    """Half of the requests are gone since a deployment, and 3 to 8 % of the rest get a 404."""
    life.canvas.reset(replace(life.base, requests_per_minute=log_uniform(life.random, 30, 1000)))
    level, at, share = daily(life, 0.2), _since(life), life.random.uniform(0.4, 0.6)
    rejected = life.random.uniform(0.03, 0.08)
    life.events = [("deployed", at - 1)]
    life.level = lambda minute: (
        replace(
            level(minute), requests_per_minute=share * level(minute).requests_per_minute,
            rejected_share=rejected,
        )
        if minute >= at else level(minute)
    )  # fmt: skip
