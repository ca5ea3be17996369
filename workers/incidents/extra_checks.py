"""Checks between the scheduled ones: while an incident is fresh, and while a merged fix shows its first effect.

They spend at most half of the requests that the pings leave unused, so that a small Railway plan keeps its scheduled
checks and the sweeps of alerts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import OPEN, alert_key
from workers.incidents import intake, request_quota
from workers.incidents.intake import FOLLOW_UP_KIND, DedupWindow
from workers.incidents.request_quota import RESERVED_SHARE, RequestQuota
from workers.models import Alert, Environment, Survey

INTERVAL_SECONDS = 60.0  # between the extra checks of an environment
# After an onset, a merge or a first healthy check: people look at the first message.
FRESH = timedelta(minutes=15)
MAX_INTERVAL_SECONDS = 300.0  # longest interval of extra checks; the scheduled ones come every ten minutes
CHECKS_PER_AGE = 10  # an incident of age A is checked every A / 10
YOUNG = timedelta(hours=6)  # age of an incident up to which extra checks run: by then people know about it
EXTRA_SHARE = 0.5  # of the requests that are left above the reserve; the rest is for the scheduled checks
DEFAULT_COST = 25  # requests of a check whose cost is unknown: more than a check of ten services needs


def interval_seconds(quota: RequestQuota, now: datetime) -> float:
    """Seconds between two extra checks, so that the requests last until Railway's limit resets. Pure."""
    limit = quota.rate_limit
    if limit is None or (until_reset := (limit.resets_at - now).total_seconds()) <= 0:
        return INTERVAL_SECONDS
    cost = max((sweep.requests for sweep in quota.sweeps), default=DEFAULT_COST)
    spendable = EXTRA_SHARE * max(0.0, limit.remaining - RESERVED_SHARE * limit.limit)
    checks = int(spendable // max(1, cost))
    return max(INTERVAL_SECONDS, until_reset / checks) if checks else max(INTERVAL_SECONDS, until_reset)


def wait_seconds(store: JournalStore, now: datetime) -> float:
    """`interval_seconds` by the stored quota. Raises NotAvailable."""
    return interval_seconds(request_quota.read(store, now), now)


def request_check(store: JournalStore, environment: Environment, now: datetime) -> None:
    """Have the environment checked at once; requests within one interval share a check. Raises NotAvailable."""
    alert = _alert(environment, now, now, INTERVAL_SECONDS)
    intake.ingest(
        alert, DedupWindow(keys=(alert.id,), seconds=round(INTERVAL_SECONDS)), store, lambda _key: None
    )


def schedule_next(store: JournalStore, survey: Survey, now: datetime) -> float | None:
    """Schedule the environment's next extra check if an incident of it is young enough.

    Returns:
        Seconds until the check; None if the scheduled ones suffice.

    Raises:
        NotAvailable: Redis is away.
    """
    wanted = [
        seconds
        for raw in store.command("hvals", OPEN)
        if (seconds := _wanted_seconds(store.fields(raw.decode()), survey.environment_id, now))
    ]
    if not wanted:
        return None
    after = max(min(wanted), wait_seconds(store, now))
    environment = Environment(project_id=survey.project_id, environment_id=survey.environment_id)
    due = now + timedelta(seconds=after)
    alert = _alert(environment, now, due, min(wanted))
    # Set-if-absent: the incidents of an environment, and a sweep that runs again after a crash, share one check.
    store.open_with(
        alert_key(alert.id), "intake", {records.ALERT.field: records.ALERT.pack(alert)}, after=after
    )
    return after


def _wanted_seconds(fields: Mapping[str, bytes], environment_id: str, now: datetime) -> float | None:
    """The interval that an open incident asks for; None if it needs no extra checks."""
    incident = records.INCIDENT.read(fields)
    if incident is None or incident.environment_id != environment_id or incident.is_chronic:
        return None
    if "ended" in fields or "suppressed_by" in fields:
        return None
    found_at = int(fields.get("found_at", b"0")) / 1000
    is_recovering = int(fields.get("clean_sweeps", b"0")) > 0
    if is_recovering and now.timestamp() - found_at < FRESH.total_seconds():
        return INTERVAL_SECONDS
    age = (now - incident.opened_at).total_seconds()
    if age > YOUNG.total_seconds():
        return None
    return min(MAX_INTERVAL_SECONDS, max(INTERVAL_SECONDS, age / CHECKS_PER_AGE))


def _alert(environment: Environment, now: datetime, due: datetime, interval: float) -> Alert:
    slot = int(due.timestamp() // interval)
    return Alert(
        id=f"follow-up-{environment.environment_id}-{slot}-{interval:.0f}",
        source="follow-up",
        kind=FOLLOW_UP_KIND,
        project_id=environment.project_id,
        environment_id=environment.environment_id,
        received_at=now,
        message="Trackwalker checks an open incident again.",
    )
