"""Sick classes that show in the answers: failing, refusing, slow, or nobody there."""

from __future__ import annotations

from dataclasses import replace

from tests.eval.canvas import Canvas
from tests.eval.chance import between
from tests.eval.scenario import sick


@sick("server_errors")
def sustained_5xx(canvas: Canvas) -> None:
    """3 to 50 % of the requests fail from some minute on."""
    _clean(canvas)
    canvas.put(canvas.begin(0, 0.6), canvas.minutes, failing=between(canvas.draw, 0.03, 0.5))


@sick("server_errors")
def brownout(canvas: Canvas) -> None:
    """2 to 4 % fail throughout; before, next to none did."""
    _clean(canvas)
    canvas.put(0, canvas.minutes, failing=canvas.draw.uniform(0.02, 0.04))


@sick("server_errors")
def outage_just_begun(canvas: Canvas) -> None:
    """All fails since four to six minutes."""
    canvas.onset = canvas.minutes - canvas.draw.randint(4, 6)
    canvas.put(canvas.onset, canvas.minutes, failing=canvas.draw.uniform(0.8, 1.0))


@sick("server_errors", minutes=10)
def outage_in_ten_minutes(canvas: Canvas) -> None:
    """The same in a short look."""
    canvas.onset = canvas.minutes - canvas.draw.randint(4, 6)
    canvas.put(canvas.onset, canvas.minutes, failing=canvas.draw.uniform(0.8, 1.0))


@sick("server_errors")
def low_traffic_all_fail(canvas: Canvas) -> None:
    """One or two requests a minute, and most of them fail."""
    canvas.settle(replace(canvas.usual, per_minute=canvas.draw.uniform(0.7, 2.5), failing=0.0))
    canvas.put(0, canvas.minutes, failing=canvas.draw.uniform(0.5, 1.0))


@sick("server_errors", "latency")
def upstream_outage(canvas: Canvas) -> None:
    """Whom it calls is away: requests wait for the timeout, then fail."""
    canvas.slow_ms = canvas.draw.choice((5000.0, 10_000.0, 30_000.0))
    share = canvas.draw.uniform(0.15, 1.0)
    canvas.put(canvas.begin(0, 0.6), canvas.minutes, failing=share, slow=share, cpu=canvas.usual.cpu * 0.5)


@sick("server_errors")
def flapping(canvas: Canvas) -> None:
    """Every third minute most requests fail."""
    _clean(canvas)
    share, first = canvas.draw.uniform(0.6, 1.0), canvas.draw.randrange(3)
    for at in range(first, canvas.minutes, 3):
        canvas.put(at, at + 1, failing=share)


@sick("server_errors")
def two_outages(canvas: Canvas) -> None:
    """Five minutes of outage, well again, and five more."""
    _clean(canvas)
    first = canvas.begin(0, 0.2)
    for at in (first, first + canvas.draw.randint(12, 16)):
        canvas.put(at, at + 5, failing=canvas.draw.uniform(0.3, 1.0))


@sick("server_errors")
def chronic_got_worse(canvas: Canvas) -> None:
    """A few per cent always failed; now it is a third and more."""
    canvas.settle(
        replace(
            canvas.usual, failing=canvas.draw.uniform(0.02, 0.05), per_minute=canvas.draw.uniform(30, 600)
        )
    )
    canvas.put(canvas.begin(0.1, 0.6), canvas.minutes, failing=canvas.draw.uniform(0.3, 0.8))


@sick("server_errors", "cpu", "latency")
def surge_with_errors(canvas: Canvas) -> None:
    """Five times the traffic, the CPU is at its limit, and requests fail."""
    canvas.wobble = (0.03, canvas.wobble[1])
    slower, share = canvas.draw.uniform(3, 10), canvas.draw.uniform(0.05, 0.3)
    canvas.bend(canvas.begin(0.1, 0.6), canvas.minutes, lambda _, level: replace(
        level, per_minute=level.per_minute * 5, cpu=0.97, latency=level.latency * slower, failing=share))  # fmt: skip


@sick("client_errors")
def client_breakage_4xx(canvas: Canvas) -> None:
    """Since a deployment most requests are refused that were answered before."""
    _refuse(canvas, canvas.draw.uniform(0.55, 0.98))


@sick("client_errors")
def partial_breakage_4xx(canvas: Canvas) -> None:
    """Since a deployment a third to a half of the requests is refused: one route of several is broken."""
    _refuse(canvas, canvas.draw.uniform(0.3, 0.5))


def _refuse(canvas: Canvas, share: float) -> None:
    first = canvas.begin(0.03, 0.3)
    canvas.happen("deployed", first - 0.5)
    canvas.settle(replace(canvas.usual, per_minute=max(30.0, canvas.usual.per_minute)))
    canvas.put(first, canvas.minutes, refused=share)


@sick("traffic_lost", "missing")
def traffic_vanished(canvas: Canvas) -> None:
    """A busy service gets no request any more: something in front of it is broken."""
    canvas.settle(replace(canvas.usual, per_minute=max(200.0, canvas.usual.per_minute)))
    canvas.put(canvas.begin(0.2, 0.7), canvas.minutes, per_minute=0.0, cpu=canvas.usual.cpu * 0.2)


@sick("latency")
def slow_db(canvas: Canvas) -> None:
    """Answers take 1.2 to 6 seconds from some minute on."""
    canvas.put(canvas.begin(0, 0.55), canvas.minutes, latency=canvas.draw.uniform(1200, 6000))


@sick("latency")
def slow_db_mild(canvas: Canvas) -> None:
    """Several times slower than usual, and still below a second."""
    canvas.spread = canvas.draw.uniform(0.4, 0.55)
    canvas.settle(
        replace(
            canvas.usual, latency=canvas.draw.uniform(15, 40), per_minute=max(30.0, canvas.usual.per_minute)
        )
    )
    canvas.put(canvas.begin(0, 0.55), canvas.minutes, latency=canvas.draw.uniform(200, 350))


@sick("latency")
def slower_since_deploy(canvas: Canvas) -> None:
    """Three to six times slower since the deployment, for everybody."""
    _steady(canvas)
    first, slower = canvas.begin(0.1, 0.5), canvas.draw.uniform(3, 6)
    canvas.happen("deployed", first)
    canvas.bend(first, canvas.minutes, lambda _, level: replace(level, latency=level.latency * slower))


@sick("latency")
def latency_ramp(canvas: Canvas) -> None:
    """It gets slower minute by minute, up to seconds."""
    _steady(canvas)
    first, slower = canvas.begin(0, 0.2), canvas.draw.uniform(15, 40)
    canvas.bend(first, canvas.minutes, lambda minute, level: replace(
        level, latency=level.latency * slower ** ((minute - first) / (canvas.minutes - first))))  # fmt: skip


@sick("latency")
def slow_timeouts(canvas: Canvas) -> None:
    """One request in five to ten waits for a timeout, and is then answered."""
    _steady(canvas)
    canvas.slow_ms = canvas.draw.choice((5000.0, 10_000.0, 30_000.0))
    canvas.put(canvas.begin(0, 0.5), canvas.minutes, slow=canvas.draw.uniform(0.1, 0.2))


def _steady(canvas: Canvas) -> None:
    """Enough requests for a percentile, none of them slow by nature."""
    canvas.settle(
        replace(
            canvas.usual, per_minute=max(40.0, canvas.usual.per_minute), latency=canvas.draw.uniform(60, 200)
        )
    )


def _clean(canvas: Canvas) -> None:
    """Enough requests that a share of them can be counted, and hardly one fails."""
    canvas.settle(replace(canvas.usual, per_minute=max(40.0, canvas.usual.per_minute), failing=0.0003))


@sick("traffic_lost", "missing")
def traffic_mostly_lost(canvas: Canvas) -> None:
    """A busy service gets one request of thirty to a hundred from one minute to the next."""
    canvas.settle(replace(canvas.usual, per_minute=max(300.0, canvas.usual.per_minute)))
    left = canvas.draw.uniform(0.01, 0.03)
    first = canvas.begin(0.2, 0.6)
    canvas.put(first, canvas.minutes, per_minute=canvas.usual.per_minute * left, cpu=canvas.usual.cpu * 0.3)


@sick("server_errors")
def outage_after_outages(canvas: Canvas) -> None:
    """It was out several times in the last days, always for half an hour: now again, which is no habit."""
    _clean(canvas)
    canvas.past_windows = 48
    bad = set(canvas.draw.sample(range(3, 48), 5))
    canvas.earlier = lambda age, usual: replace(usual, failing=0.5 if age in bad else usual.failing)
    canvas.put(canvas.begin(0, 0.5), canvas.minutes, failing=canvas.draw.uniform(0.3, 0.8))


@sick("server_errors")
def broken_from_the_start(canvas: Canvas) -> None:
    """A new service that never answered well: there is no past, and no need of one."""
    canvas.past_windows, canvas.whole_past = 0, False
    canvas.happen("deployed", canvas.draw.randint(0, 3))
    _clean(canvas)
    canvas.put(0, canvas.minutes, failing=canvas.draw.uniform(0.4, 1.0))
