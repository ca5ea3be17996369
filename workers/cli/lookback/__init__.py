"""`python -m workers lookback`: what would have been reported over days gone by, from what Railway still holds.

Six hours at a time are read, oldest first, and walked sweep by sweep; never more than two such stretches are held.
Nothing is stored, nobody is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from workers.cli.commands.lookback import MAX_DAYS
from workers.cli.lookback.simulation import Simulation, sweep_times
from workers.clients.railway import MAX_LINES, Railway, snapshot
from workers.clients.railway.quota import RateLimit
from workers.errors import RailwayBusy, RailwayRefused, Refused
from workers.history.backfill import chunks, slicing
from workers.models import Deployment, Environment, Survey, Window, describe_gap
from workers.runtime.settings import Settings

WARM_UP = timedelta(days=1)
MAX_DEPLOYMENTS = 1000
"""Of the whole environment: ten pages."""
RESERVED_SHARE = 0.1
"""Of the hour's requests: what the sweeps under way need is left to them."""
MAX_ATTEMPTS = 3
MAX_WAIT_SECONDS = 60.0
CHUNKS_PER_DAY = 4
MAX_GAPS = 10
"""Reads that failed, the most frequent: more of them say nothing new."""

Progress = Callable[[str], None]


@dataclass
class Backtest:
    """One environment looked back at."""

    survey: Survey
    window: Window
    """What was walked: may be shorter than what was asked for."""
    simulation: Simulation
    railway: Railway
    """Its count of requests, and what it says of the limit."""
    remarks: list[str] = field(default_factory=list)
    """What was not seen or not done, in words."""


def backtest(
    config: Settings, days: float, now: datetime, say: Progress, *, service: str | None = None
) -> Iterator[Backtest]:
    """Each watched environment over the last `days`; `say` hears how far it is.

    Raises Refused where none of them has a service of that name, RailwayBusy or RailwayRefused where one cannot be
    read at all.
    """
    railway = Railway(
        config.railway_api_url, token=config.railway_api_token, project_token=config.railway_token
    )
    try:
        asked = Window(start=now - timedelta(days=days), end=now)
        shapes = [_shape(config, railway, one, now) for one in config.environments or railway.environments()]
        meant = [one for one in shapes if service in (None, *(each.name for each in one.services))]
        if service and not meant:
            names = sorted({each.name for one in shapes for each in one.services})
            raise Refused(f"--service: there is no {service}, only {', '.join(names)}")
        for shape in meant:
            yield _looked(config, railway, shape, asked, say)
    finally:
        railway.close()


def _shape(config: Settings, railway: Railway, environment: Environment, now: datetime) -> Survey:
    """The environment of today, with all deployments that Railway lists."""
    today = Window(start=now - timedelta(minutes=config.window_minutes), end=now)
    shape = snapshot.take_survey(railway, environment, today, config.sample_seconds)
    return _with_history(shape, railway.deployments(environment, None, MAX_DEPLOYMENTS))


def _looked(config: Settings, railway: Railway, shape: Survey, asked: Window, say: Progress) -> Backtest:
    looked = Backtest(shape, asked, Simulation(config.min_duration_minutes), railway)
    pieces = _affordable(looked, asked)
    _walk(config, railway, looked, pieces, say)
    _say_what_is_missing(looked, pieces[0].start if pieces else asked.end)
    return looked


def _with_history(shape: Survey, history: Sequence[Deployment]) -> Survey:
    """Each service with its deployments, newest first."""
    services = []
    for service in shape.services:
        known = {one.id: one for one in (*history, *service.deployments) if one.service_id == service.id}
        ordered = sorted(known.values(), key=lambda one: one.created_at, reverse=True)
        services.append(service.model_copy(update={"deployments": tuple(ordered)}))
    return shape.model_copy(update={"services": tuple(services)})


def _free(allowance: RateLimit | None) -> int | None:
    """Requests that may be used."""
    return (
        None if allowance is None else max(0, allowance.remaining - round(RESERVED_SHARE * allowance.limit))
    )


def request_usage(railway: Railway) -> str:
    """What was used of what there is, in words."""
    one = railway.rate_limit
    return f"{railway.requests_sent} requests used" + (
        f", {one.remaining} of {one.limit} left this hour" if one else ""
    )


def _affordable(looked: Backtest, asked: Window) -> list[Window]:
    """Stretches to read, oldest first: a day more than asked for, or the newest part where the limit is short."""
    first = max(asked.start - WARM_UP, asked.end - timedelta(days=MAX_DAYS))
    pieces = chunks.split_into_chunks(first, asked.end)
    each = chunks.requests_per_chunk(looked.survey, events=True)
    free = _free(looked.railway.rate_limit)
    most = len(pieces) if free is None else free // each
    if most < len(pieces):
        pieces = pieces[:most]
        done = pieces[-1].start if pieces else asked.end
        if done > asked.start:
            looked.window = Window(start=done, end=asked.end)
            looked.remarks.append(
                f"only the last {(asked.end - done).total_seconds() / 86_400:.1f} days: {free} requests may be used "
                f"this hour, {each} are needed for every six hours"
            )
    return pieces[::-1]


def _walk(
    config: Settings, railway: Railway, looked: Backtest, pieces: Sequence[Window], say: Progress
) -> None:
    """Reads and walks; a stretch that cannot be read is a remark, unless none can."""
    length = timedelta(minutes=config.window_minutes)
    before: Survey | None = None
    failed: RailwayBusy | RailwayRefused | None = None
    for number, piece in enumerate(pieces):
        if number % CHUNKS_PER_DAY == 0:
            say(f"{piece.start:%Y-%m-%d %H:%M}: {number} of {len(pieces)} read, {request_usage(railway)}")
        try:
            stretch = _patiently(railway, looked.survey, piece)
        except (RailwayBusy, RailwayRefused) as error:
            failed, before = error, None
            looked.remarks.append(f"{piece.start:%Y-%m-%d %H:%M}–{piece.end:%H:%M} not seen: {error}")
            continue
        if sum(len(one.starts) for one in stretch.services) >= MAX_LINES * 0.98:
            many = "more than Railway gives at once"
            looked.remarks.append(f"container starts before {piece.end:%Y-%m-%d %H:%M}: {many}")
        looked.simulation.note_available_data(stretch)
        before = slicing.join_chunks(before, stretch, piece.start - length)
        for end in sweep_times(piece.start, piece.end, config.ping_minutes * 60):
            if end > piece.start and end - length >= before.window.start:
                looked.simulation.sweep(
                    before, Window(start=end - length, end=end), report=end > looked.window.start
                )
    if failed and not looked.simulation.sweeps:
        raise failed


def _patiently(railway: Railway, shape: Survey, piece: Window) -> Survey:
    """A stretch; where Railway asks for a short wait, after it."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return chunks.read_chunk(railway, shape, piece, events=True)
        except RailwayBusy as error:
            if attempt == MAX_ATTEMPTS or (error.retry_after or 0) > MAX_WAIT_SECONDS:
                raise
            time.sleep(error.retry_after or 1.0)
    raise AssertionError("every attempt returns or raises")


def _say_what_is_missing(looked: Backtest, first: datetime) -> None:
    """`first`: from when on it was read."""
    walk = looked.simulation
    for name, since in walk.available_since.items():
        if since - first > timedelta(hours=1):
            looked.remarks.append(
                f"{name} before {since:%Y-%m-%d %H:%M}: Railway keeps it no longer, or nothing ran"
            )
    if walk.short_history_sweeps:
        looked.remarks.append(
            f"what was usual: {walk.short_history_sweeps} sweeps knew of less than a day before them"
        )
    for gap, count in walk.gap_counts.most_common(MAX_GAPS):
        looked.remarks.append(f"{describe_gap(gap)} ({count} sweeps)")
