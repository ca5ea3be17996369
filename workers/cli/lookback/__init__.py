"""`trackwalker lookback`: a backtest of detection over past days, on the metrics that Railway keeps.

The backtest reads six hours at a time, oldest first, and simulates sweep after sweep; it holds at most two chunks in
memory. It stores nothing and sends no notification.
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
from workers.runtime.text import plural

WARM_UP = timedelta(days=1)  # read before the requested days, so that their first sweeps have a baseline
MAX_DEPLOYMENTS = 1000  # deployments of the environment that are read: ten pages of Railway's API
RESERVED_SHARE = 0.1  # share of the hourly request quota that is left to the sweeps of a running installation
MAX_ATTEMPTS = 3  # reads of a chunk before it is skipped
MAX_WAIT_SECONDS = 60.0  # longest wait that Railway may ask for between attempts
DEFAULT_WAIT_SECONDS = 1.0  # wait between attempts if Railway names none
CHUNKS_PER_DAY = 4  # progress is reported once per day of data
MAX_GAPS = 10  # failed reads in the report, the most frequent ones
FULL_LOG_SHARE = 0.98  # share of MAX_LINES from which Railway has dropped container starts

Progress = Callable[[str], None]
"""Called with a line for the person at the terminal."""


@dataclass
class Backtest:
    """The backtest of one environment.

    `window` is the evaluated time, which is shorter than requested if the request quota is short. `remarks` lists in
    sentences what could not be read or evaluated.
    """

    survey: Survey
    window: Window
    simulation: Simulation
    railway: Railway
    remarks: list[str] = field(default_factory=list)


def backtest(
    config: Settings, days: float, now: datetime, report_progress: Progress, *, service: str | None = None
) -> Iterator[Backtest]:
    """The backtest of each watched environment over the last `days`.

    Args:
        report_progress: Called once per day of data.
        service: Name of a service: environments without it are skipped.

    Raises:
        Refused: No environment has a service of that name.
        RailwayBusy, RailwayRefused: An environment cannot be read at all.
    """
    railway = Railway(
        config.railway_api_url, token=config.railway_api_token, project_token=config.railway_token
    )
    try:
        requested = Window(start=now - timedelta(days=days), end=now)
        environments = config.environments or railway.environments()
        surveys = [_take_survey(config, railway, environment, now) for environment in environments]
        for survey in _with_service(surveys, service):
            yield _run(config, railway, survey, requested, report_progress)
    finally:
        railway.close()


def _with_service(surveys: Sequence[Survey], name: str | None) -> list[Survey]:
    if name is None:
        return list(surveys)
    matching = [survey for survey in surveys if any(service.name == name for service in survey.services)]
    if not matching:
        names = sorted({service.name for survey in surveys for service in survey.services})
        raise Refused(f"--service: no service {name}; the services are {', '.join(names)}")
    return matching


def _take_survey(config: Settings, railway: Railway, environment: Environment, now: datetime) -> Survey:
    """The present environment, with all deployments that Railway lists."""
    window = Window(start=now - timedelta(minutes=config.window_minutes), end=now)
    survey = snapshot.take_survey(railway, environment, window, config.sample_seconds)
    return _with_deployments(survey, railway.deployments(environment, None, MAX_DEPLOYMENTS))


def _with_deployments(survey: Survey, listed: Sequence[Deployment]) -> Survey:
    """The survey with the listed deployments added to their services, newest first."""
    services = []
    for service in survey.services:
        deployments = {
            deployment.id: deployment
            for deployment in (*listed, *service.deployments)
            if deployment.service_id == service.id
        }
        ordered = sorted(deployments.values(), key=lambda deployment: deployment.created_at, reverse=True)
        services.append(service.model_copy(update={"deployments": tuple(ordered)}))
    return survey.model_copy(update={"services": tuple(services)})


def _run(
    config: Settings, railway: Railway, survey: Survey, requested: Window, report_progress: Progress
) -> Backtest:
    result = Backtest(survey, requested, Simulation(config.min_duration_minutes), railway)
    windows = _affordable_chunks(result, requested)
    _simulate(config, result, windows, report_progress)
    _add_remarks(result, windows[0].start if windows else requested.end)
    return result


# ---- the request quota -----------------------------------------------------------------------


def _available_requests(rate_limit: RateLimit | None) -> int | None:
    """Requests that the backtest may send; None if Railway has not reported a limit."""
    if rate_limit is None:
        return None
    return max(0, rate_limit.remaining - round(RESERVED_SHARE * rate_limit.limit))


def request_usage(railway: Railway) -> str:
    """The requests that were sent and that are left, as text."""
    used = f"{plural(railway.requests_sent, 'request')} used"
    limit = railway.rate_limit
    return f"{used}, {limit.remaining:,} of {limit.limit:,} left this hour" if limit else used


def _affordable_chunks(result: Backtest, requested: Window) -> list[Window]:
    """The chunks to read, oldest first: with the warm-up, or only the newest ones if the request quota is short."""
    first = max(requested.start - WARM_UP, requested.end - timedelta(days=MAX_DAYS))
    windows = chunks.split_into_chunks(first, requested.end)
    cost = chunks.requests_per_chunk(result.survey, events=True)
    available = _available_requests(result.railway.rate_limit)
    if available is None or available // cost >= len(windows):
        return windows[::-1]
    windows = windows[: available // cost]
    start = windows[-1].start if windows else requested.end
    if start > requested.start:
        result.window = Window(start=start, end=requested.end)
        days = (requested.end - start).total_seconds() / 86_400
        result.remarks.append(
            f"only the last {days:.1f} days: {plural(available, 'request')} may be used this hour, "
            f"and six hours of data need {cost}"
        )
    return windows[::-1]


# ---- the simulation --------------------------------------------------------------------------


def _simulate(
    config: Settings, result: Backtest, windows: Sequence[Window], report_progress: Progress
) -> None:
    """Read the chunks and simulate their sweeps; a chunk that cannot be read is a remark, unless none can."""
    length = timedelta(minutes=config.window_minutes)
    previous: Survey | None = None
    error: RailwayBusy | RailwayRefused | None = None
    for number, window in enumerate(windows):
        if number % CHUNKS_PER_DAY == 0:
            usage = request_usage(result.railway)
            report_progress(f"{window.start:%Y-%m-%d %H:%M}: {number} of {len(windows)} read, {usage}")
        try:
            chunk = _read_with_retries(result.railway, result.survey, window)
        except (RailwayBusy, RailwayRefused) as failure:
            error, previous = failure, None
            result.remarks.append(f"{window.start:%Y-%m-%d %H:%M}–{window.end:%H:%M}: {failure}")
            continue
        _check_starts(result, chunk)
        result.simulation.note_available_data(chunk)
        previous = slicing.join_chunks(previous, chunk, window.start - length)
        _sweep(config, result, previous, window)
    if error and not result.simulation.sweeps:
        raise error


def _sweep(config: Settings, result: Backtest, chunk: Survey, window: Window) -> None:
    """Simulate the sweeps that end in `window`; `chunk` may begin earlier."""
    length = timedelta(minutes=config.window_minutes)
    for end in sweep_times(window.start, window.end, config.ping_minutes * 60):
        # A sweep at the border was simulated with the chunk before.
        if end > window.start and end - length >= chunk.window.start:
            result.simulation.sweep(
                chunk, Window(start=end - length, end=end), report=end > result.window.start
            )


def _check_starts(result: Backtest, chunk: Survey) -> None:
    if sum(len(service.starts) for service in chunk.services) >= MAX_LINES * FULL_LOG_SHARE:
        end = chunk.window.end
        result.remarks.append(
            f"container starts before {end:%Y-%m-%d %H:%M}: more than Railway returns at once"
        )


def _read_with_retries(railway: Railway, survey: Survey, window: Window) -> Survey:
    """The chunk, read again after the wait that Railway asks for, if that is short."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return chunks.read_chunk(railway, survey, window, events=True)
        except RailwayBusy as error:
            if attempt == MAX_ATTEMPTS or (error.retry_after or 0) > MAX_WAIT_SECONDS:
                raise
            time.sleep(error.retry_after or DEFAULT_WAIT_SECONDS)
    raise AssertionError("every attempt returns or raises")


def _add_remarks(result: Backtest, first: datetime) -> None:
    """Add remarks about missing data and short history; `first` is the start of the oldest chunk."""
    simulation = result.simulation
    for name, since in simulation.available_since.items():
        if since - first > timedelta(hours=1):
            result.remarks.append(
                f"{name} before {since:%Y-%m-%d %H:%M}: Railway no longer keeps it, or nothing ran"
            )
    if simulation.short_history_sweeps:
        sweeps = plural(simulation.short_history_sweeps, "sweep")
        result.remarks.append(f"baseline: {sweeps} had less than a day of history")
    for gap, count in simulation.gap_counts.most_common(MAX_GAPS):
        result.remarks.append(f"{describe_gap(gap)} ({plural(count, 'sweep')})")
