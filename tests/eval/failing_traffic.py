"""Failing classes that show in the traffic: failed, rejected, slow or missing requests."""

from __future__ import annotations

from dataclasses import replace

from tests.eval.canvas import Canvas
from tests.eval.chance import log_uniform
from tests.eval.scenario import failing


@failing("server_errors")
def sustained_5xx(canvas: Canvas) -> None:
    """3 to 50 % of the requests fail from some minute on."""
    _clean(canvas)
    canvas.set_levels(
        canvas.start_failure(0, 0.6), canvas.minutes, failed_share=log_uniform(canvas.random, 0.03, 0.5)
    )


@failing("server_errors")
def brownout(canvas: Canvas) -> None:
    """2 to 4 % of the requests fail throughout; hardly any failed before."""
    _clean(canvas)
    canvas.set_levels(0, canvas.minutes, failed_share=canvas.random.uniform(0.02, 0.04))


@failing("server_errors")
def outage_just_begun(canvas: Canvas) -> None:
    """All requests have failed for four to six minutes."""
    canvas.onset = canvas.minutes - canvas.random.randint(4, 6)
    canvas.set_levels(canvas.onset, canvas.minutes, failed_share=canvas.random.uniform(0.8, 1.0))


@failing("server_errors", minutes=10)
def outage_in_ten_minutes(canvas: Canvas) -> None:
    """The same outage in a window of ten minutes."""
    canvas.onset = canvas.minutes - canvas.random.randint(4, 6)
    canvas.set_levels(canvas.onset, canvas.minutes, failed_share=canvas.random.uniform(0.8, 1.0))


@failing("server_errors")
def low_traffic_all_fail(canvas: Canvas) -> None:
    """One or two requests per minute, most of which fail."""
    canvas.reset(
        replace(canvas.baseline, requests_per_minute=canvas.random.uniform(0.7, 2.5), failed_share=0.0)
    )
    canvas.set_levels(0, canvas.minutes, failed_share=canvas.random.uniform(0.5, 1.0))


@failing("server_errors", "latency")
def upstream_outage(canvas: Canvas) -> None:
    """An upstream is down: requests wait for the timeout, then fail."""
    canvas.slow_ms = canvas.random.choice((5000.0, 10_000.0, 30_000.0))
    share = canvas.random.uniform(0.15, 1.0)
    canvas.set_levels(
        canvas.start_failure(0, 0.6),
        canvas.minutes,
        failed_share=share,
        slow_share=share,
        cpu=canvas.baseline.cpu * 0.5,
    )


@failing("server_errors")
def flapping(canvas: Canvas) -> None:
    """Most requests fail in every third minute."""
    _clean(canvas)
    share, first = canvas.random.uniform(0.6, 1.0), canvas.random.randrange(3)
    for at in range(first, canvas.minutes, 3):
        canvas.set_levels(at, at + 1, failed_share=share)


@failing("server_errors")
def two_outages(canvas: Canvas) -> None:
    """Five minutes of outage, a recovery, and five minutes more."""
    _clean(canvas)
    first = canvas.start_failure(0, 0.2)
    for at in (first, first + canvas.random.randint(12, 16)):
        canvas.set_levels(at, at + 5, failed_share=canvas.random.uniform(0.3, 1.0))


@failing("server_errors")
def chronic_got_worse(canvas: Canvas) -> None:
    """A few per cent of the requests always failed; now a third or more fail."""
    canvas.reset(
        replace(
            canvas.baseline,
            failed_share=canvas.random.uniform(0.02, 0.05),
            requests_per_minute=canvas.random.uniform(30, 600),
        )
    )
    canvas.set_levels(
        canvas.start_failure(0.1, 0.6), canvas.minutes, failed_share=canvas.random.uniform(0.3, 0.8)
    )


@failing("server_errors", chronic=True)
def chronic_failing(canvas: Canvas) -> None:
    """A third or more of the requests fail, as in the whole history: trouble, but chronic."""
    canvas.reset(
        replace(
            canvas.baseline,
            failed_share=canvas.random.uniform(0.3, 1.0),
            requests_per_minute=canvas.random.uniform(1, 400),
        )
    )


@failing("client_errors", chronic=True)
def chronic_refusing(canvas: Canvas) -> None:
    """Nearly all requests are rejected, as in the whole history."""
    canvas.reset(
        replace(
            canvas.baseline,
            rejected_share=canvas.random.uniform(0.96, 1.0),
            requests_per_minute=canvas.random.uniform(10, 400),
        )
    )


@failing("server_errors", "cpu", "latency")
def surge_with_errors(canvas: Canvas) -> None:
    """Five times the traffic: the CPU is at its limit and requests fail."""
    canvas.noise = (0.03, canvas.noise[1])
    slower, share = canvas.random.uniform(3, 10), canvas.random.uniform(0.05, 0.3)
    canvas.change(canvas.start_failure(0.1, 0.6), canvas.minutes, lambda _, level: replace(
        level, requests_per_minute=level.requests_per_minute * 5, cpu=0.97,
        latency=level.latency * slower, failed_share=share))  # fmt: skip


@failing("client_errors")
def client_breakage_4xx(canvas: Canvas) -> None:
    """Since a deployment, most requests that succeeded before are rejected."""
    _refuse(canvas, canvas.random.uniform(0.55, 0.98))


@failing("client_errors")
def partial_breakage_4xx(canvas: Canvas) -> None:
    """Since a deployment, a third to a half of the requests is rejected: one of several routes is broken."""
    _refuse(canvas, canvas.random.uniform(0.3, 0.5))


def _refuse(canvas: Canvas, share: float) -> None:
    first = canvas.start_failure(0.03, 0.3)
    canvas.add_event("deployed", first - 0.5)
    canvas.reset(replace(canvas.baseline, requests_per_minute=max(30.0, canvas.baseline.requests_per_minute)))
    canvas.set_levels(first, canvas.minutes, rejected_share=share)


@failing("traffic_lost", "missing")
def traffic_vanished(canvas: Canvas) -> None:
    """A busy service gets no requests any more: something in front of it is broken."""
    canvas.reset(
        replace(canvas.baseline, requests_per_minute=max(200.0, canvas.baseline.requests_per_minute))
    )
    canvas.set_levels(
        canvas.start_failure(0.2, 0.7), canvas.minutes, requests_per_minute=0.0, cpu=canvas.baseline.cpu * 0.2
    )


@failing("latency")
def slow_db(canvas: Canvas) -> None:
    """Requests take 1.2 to 6 seconds from some minute on."""
    canvas.set_levels(
        canvas.start_failure(0, 0.55), canvas.minutes, latency=canvas.random.uniform(1200, 6000)
    )


@failing("latency")
def slow_db_mild(canvas: Canvas) -> None:
    """Requests take several times their baseline, and still less than a second."""
    canvas.spread = canvas.random.uniform(0.4, 0.55)
    canvas.reset(
        replace(
            canvas.baseline,
            latency=canvas.random.uniform(15, 40),
            requests_per_minute=max(30.0, canvas.baseline.requests_per_minute),
        )
    )
    canvas.set_levels(canvas.start_failure(0, 0.55), canvas.minutes, latency=canvas.random.uniform(200, 350))


@failing("latency")
def slower_since_deploy(canvas: Canvas) -> None:
    """All requests take three to six times as long since the deployment."""
    _steady(canvas)
    first, slower = canvas.start_failure(0.1, 0.5), canvas.random.uniform(3, 6)
    canvas.add_event("deployed", first)
    canvas.change(first, canvas.minutes, lambda _, level: replace(level, latency=level.latency * slower))


@failing("latency")
def latency_ramp(canvas: Canvas) -> None:
    """Requests become slower minute by minute, up to seconds."""
    _steady(canvas)
    first, slower = canvas.start_failure(0, 0.2), canvas.random.uniform(15, 40)
    canvas.change(first, canvas.minutes, lambda minute, level: replace(
        level, latency=level.latency * slower ** ((minute - first) / (canvas.minutes - first))))  # fmt: skip


@failing("latency")
def slow_timeouts(canvas: Canvas) -> None:
    """One request in five to ten waits for a timeout before it succeeds."""
    _steady(canvas)
    canvas.slow_ms = canvas.random.choice((5000.0, 10_000.0, 30_000.0))
    canvas.set_levels(
        canvas.start_failure(0, 0.5), canvas.minutes, slow_share=canvas.random.uniform(0.1, 0.2)
    )


def _steady(canvas: Canvas) -> None:
    """Set enough requests for a percentile and a normal latency."""
    canvas.reset(
        replace(
            canvas.baseline,
            requests_per_minute=max(40.0, canvas.baseline.requests_per_minute),
            latency=canvas.random.uniform(60, 200),
        )
    )


def _clean(canvas: Canvas) -> None:
    """Set enough requests for a share and hardly any failure."""
    canvas.reset(
        replace(
            canvas.baseline,
            requests_per_minute=max(40.0, canvas.baseline.requests_per_minute),
            failed_share=0.0003,
        )
    )


@failing("traffic_lost", "missing")
def traffic_mostly_lost(canvas: Canvas) -> None:
    """A busy service suddenly gets one to three per cent of its requests."""
    canvas.reset(
        replace(canvas.baseline, requests_per_minute=max(300.0, canvas.baseline.requests_per_minute))
    )
    remaining = canvas.random.uniform(0.01, 0.03)
    first = canvas.start_failure(0.2, 0.6)
    canvas.set_levels(
        first,
        canvas.minutes,
        requests_per_minute=canvas.baseline.requests_per_minute * remaining,
        cpu=canvas.baseline.cpu * 0.3,
    )


@failing("server_errors")
def outage_after_outages(canvas: Canvas) -> None:
    """An outage of a service that had several half-hour outages in the last days; a baseline would need more."""
    _clean(canvas)
    canvas.history_windows = 48
    bad = set(canvas.random.sample(range(3, 48), 5))
    canvas.earlier = lambda age, baseline: replace(
        baseline, failed_share=0.5 if age in bad else baseline.failed_share
    )
    canvas.set_levels(
        canvas.start_failure(0, 0.5), canvas.minutes, failed_share=canvas.random.uniform(0.3, 0.8)
    )


@failing("server_errors")
def broken_from_the_start(canvas: Canvas) -> None:
    """A new service that has failed since its first deployment, so that it has no history."""
    canvas.history_windows, canvas.has_whole_windows = 0, False
    canvas.add_event("deployed", canvas.random.randint(0, 3))
    _clean(canvas)
    canvas.set_levels(0, canvas.minutes, failed_share=canvas.random.uniform(0.4, 1.0))
