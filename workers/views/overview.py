"""The overview: every watched service at a glance, open incidents, and what keeps Trackwalker from working."""

from __future__ import annotations

from datetime import datetime, timedelta

from workers.engine import last_checks
from workers.engine.journal_store import JournalStore
from workers.engine.schema import OPEN, PINGS, SCHEDULE, budget_key, journal_id
from workers.engine.stage_times import read_moment
from workers.incidents import decisions, request_quota
from workers.incidents.budget import MICRODOLLARS
from workers.incidents.intake import MISSED_PINGS_LIMIT
from workers.models import DecisionKind
from workers.runtime.settings import Settings
from workers.runtime.text import format_duration
from workers.views.bounds import MAX_LABEL, first, line
from workers.views.incident_rows import read_rows
from workers.views.incident_source import SEVERITY_ORDER, Fields
from workers.views.service_health import read_environments, service_rows
from workers.views.shapes import (
    IncidentRow,
    Overview,
    RequestBudget,
    Spending,
    SweepRow,
    WaitingNotification,
)

MAX_SERVICES = 200
MAX_INCIDENTS = 50
MAX_READ = 300  # open incidents that are read, the newest
MAX_WAITING = 20
MAX_START_PROBLEMS = 10
MAX_SCHEDULED = 300  # soonest journals of the schedule among which waiting notifications are looked for
LOW_REQUESTS_SHARE = 0.1  # of Railway's limit; below it alerts may have to wait
WAITING_FIELDS = ("stage", "reason", "attempts", "failing_since", "ended")


def read(store: JournalStore, settings: Settings, now: datetime) -> Overview:
    """The present state of everything that is watched. Raises NotAvailable if Redis does not answer."""
    active = decisions.active(store, now)
    environments = read_environments(store, settings)
    keys = sorted((raw.decode() for raw in store.command("hvals", OPEN)), key=_occurrence, reverse=True)
    rows = sorted(read_rows(store, keys[:MAX_READ], now), key=_rank)
    services = service_rows(environments, rows, active)
    sweeps = tuple(row for environment in environments for row in environment.sweeps)
    pings = store.fields(PINGS)
    last_ping, next_ping = _pings(pings, settings)
    requests, waiting = _requests(store, now), _waiting(store, now)
    return Overview(
        at=now,
        mode=settings.mode,
        services=services[:MAX_SERVICES],
        services_left_out=max(0, len(services) - MAX_SERVICES),
        incidents=tuple(rows[:MAX_INCIDENTS]),
        incidents_left_out=max(0, len(keys) - MAX_INCIDENTS),
        sweeps=sweeps,
        next_ping=next_ping,
        last_ping=last_ping,
        requests=requests,
        spending=_spending(store.fields(budget_key(now)), settings),
        paused=any(decision.kind is DecisionKind.PAUSE for decision in active),
        decisions=tuple(active[:50]),
        waiting=first(waiting, MAX_WAITING)[0],
        waiting_left_out=first(waiting, MAX_WAITING)[1],
        warnings=(*_start_problems(store), *_warnings(settings, sweeps, requests, last_ping, now)),
    )


def _occurrence(key: str) -> str:
    return key.rpartition(":")[2]


def _rank(row: IncidentRow) -> tuple[bool, int, float]:
    """Symptoms last, then the worst, then the newest."""
    severity = SEVERITY_ORDER.index(row.severity.value) if row.severity else len(SEVERITY_ORDER)
    return bool(row.suppressed_by), severity, -row.opened_at.timestamp() if row.opened_at else 0.0


def _pings(pings: Fields, settings: Settings) -> tuple[datetime | None, datetime | None]:
    """The last ping and the next one; the receiver may have asked the clock for a longer interval."""
    last = read_moment(pings, "last")
    if last is None:
        return None, None
    try:
        interval = float(pings.get("interval", b"0"))
    except ValueError:
        interval = 0.0
    seconds = min(max(60 * settings.ping_minutes, interval), 7 * 86_400.0)
    return last, last + timedelta(seconds=seconds)


def _requests(store: JournalStore, now: datetime) -> RequestBudget | None:
    quota = request_quota.read(store, now)
    if quota.rate_limit is None:
        return None
    is_reset = quota.rate_limit.resets_at <= now
    last = quota.sweeps[0] if quota.sweeps else None
    return RequestBudget(
        limit=quota.rate_limit.limit,
        remaining=quota.rate_limit.limit if is_reset else quota.rate_limit.remaining,
        resets_at=quota.rate_limit.resets_at,
        last_check_requests=last.requests + last.history_requests if last else None,
    )


def _spending(day: Fields, settings: Settings) -> Spending:
    return Spending(
        runs=_count(day, "runs"),
        max_runs=settings.max_agent_runs_per_day,
        cost_usd=_count(day, "cost") / MICRODOLLARS,
        max_cost_usd=settings.max_cost_per_day_usd,
    )


def _count(fields: Fields, name: str) -> int:
    value = fields.get(name, b"")
    return int(value) if value.isdigit() and len(value) < 16 else 0


def _waiting(store: JournalStore, now: datetime) -> list[WaitingNotification]:
    """The notifications that failed, or that a decision of a person holds back."""
    entries = store.command("zrange", SCHEDULE, 0, MAX_SCHEDULED - 1)
    keys = [raw.decode() for raw in entries if b":notification:" in raw]
    rows = []
    for key, fields in zip(keys, store.columns(keys, WAITING_FIELDS), strict=True):
        reason = line(fields.get("reason", b"").decode(errors="replace"))
        if not reason or "ended" in fields:
            continue
        about = journal_id(key).removeprefix("notification:")
        rows.append(
            WaitingNotification(
                id=journal_id(key),
                subject=line(about, MAX_LABEL),
                incident_id=about if about.startswith("incident:") else "",
                reason=reason,
                since=read_moment(fields, "failing_since"),
                attempts=_count(fields, "attempts"),
            )
        )
    return sorted(rows, key=lambda row: row.since or now)


def _start_problems(store: JournalStore) -> list[str]:
    """The problems with programs, tokens and rights that `up` found at its last start, the worst first."""
    report = last_checks.read_report(store)
    return [result.sentence for result in report.problems[:MAX_START_PROBLEMS]] if report else []


def _warnings(
    settings: Settings, sweeps: tuple[SweepRow, ...], requests: RequestBudget | None, last_ping: datetime | None,
    now: datetime,
) -> tuple[str, ...]:  # fmt: skip
    """The problems that a person has to repair."""
    warnings = [
        line(f"The last check of {sweep.environment} failed: {sweep.outcome}")
        for sweep in sweeps
        if sweep.failed
    ]
    overdue = MISSED_PINGS_LIMIT * 60 * settings.ping_minutes
    if last_ping is not None and (silence := (now - last_ping).total_seconds()) > max(overdue, 3600.0):
        warnings.append(
            f"No periodic check for {format_duration(silence)}. Is the clock process running, and does "
            "TRACKWALKER_PUBLIC_URL reach this receiver?"
        )
    if requests is not None and requests.remaining < LOW_REQUESTS_SHARE * requests.limit:
        warnings.append(
            f"{requests.remaining:,} of {requests.limit:,} requests to Railway are left until "
            f"{requests.resets_at:%H:%M} UTC: checks may have to wait."
        )
    return tuple(warnings)
