"""The daily budget of agent runs and model cost: reserved before the agent starts, settled when its incident ends.

The whole cost of an incident is reserved at once, so that agents running at the same time cannot overspend together.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from workers.engine import records, scripts
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import budget_key
from workers.models import Incident, Severity
from workers.runtime.settings import Settings

MICRODOLLARS = 1_000_000  # per USD; Redis counts whole numbers without rounding errors
RETENTION_SECONDS = 3 * 86_400  # an attempt that began before midnight still settles against its own day
CRITICAL_SHARE = 0.25  # share of the day's runs that only critical incidents may use
# The largest share of the day's runs for one service, so that a chronic incident leaves some for the others.
SERVICE_SHARE = 0.5


class BudgetLimit(StrEnum):
    """The limit that stopped a reservation; the values are the answers of RESERVE_BUDGET."""

    SERVICE_RUNS = "service"
    RUNS = "runs"
    COST = "cost"


def reserve(
    store: JournalStore, settings: Settings, claim: Claim, incident: Incident, now: datetime
) -> BudgetLimit | None:
    """Reserve the cost of one fix attempt in today's budget; reserving again for the same claim is a no-op.

    Returns:
        None once reserved, else the limit that is used up.
    """
    runs = settings.max_agent_runs_per_day
    kept_for_critical = 0 if incident.severity is Severity.CRITICAL else int(runs * CRITICAL_SHARE)
    cost = int(min(settings.max_cost_per_incident_usd, settings.max_cost_per_day_usd) * MICRODOLLARS)
    reply = store.run(
        scripts.RESERVE_BUDGET, day=budget_key(now), holder=claim.id, cost=cost, max_runs=runs - kept_for_critical,
        max_cost=int(settings.max_cost_per_day_usd * MICRODOLLARS), service=incident.subject.key,
        max_service_runs=max(1, int(runs * SERVICE_SHARE)), ttl_seconds=RETENTION_SECONDS,
    ).decode()  # fmt: skip
    if reply != "reserved":
        return BudgetLimit(reply)
    claim.set_fields(budget_day=budget_key(now))
    return None


def describe_limit(limit: BudgetLimit, settings: Settings, incident: Incident) -> str:
    """The used-up limit and the setting that raises it, for people."""
    if limit is BudgetLimit.COST:
        cost = f"{settings.max_cost_per_day_usd:g} USD"
        return f"today's {cost} are used up or reserved (TRACKWALKER_MAX_COST_PER_DAY_USD)"
    runs = f"{settings.max_agent_runs_per_day} agent runs"
    if limit is BudgetLimit.SERVICE_RUNS:
        runs = f"agent runs for {incident.subject.name}"
    return f"today's {runs} are used up (TRACKWALKER_MAX_AGENT_RUNS_PER_DAY)"


def settle(store: JournalStore, claim: Claim, cost_usd: float) -> None:
    """Replace the reservation by the cost of the attempt. An attempt that continues must reserve again."""
    day = claim.text("budget_day")
    if day:
        store.run(scripts.SETTLE_BUDGET, day=day, holder=claim.id, cost=int(cost_usd * MICRODOLLARS))
        claim.set_fields(budget_day="")


def is_reserved(claim: Claim) -> bool:
    """True between `reserve` and `settle`."""
    return bool(claim.text("budget_day"))


def count_rerun(store: JournalStore, claim: Claim) -> None:
    """Count a run that starts from the beginning after its worker crashed, even if it exceeds the day's limit.

    The crashed run has been paid for; not counting the second would let a crash loop run without limit.
    """
    day, incident = claim.text("budget_day"), claim.need(records.INCIDENT)
    if day:
        store.run(scripts.COUNT_AGENT_RUN, day=day, service=incident.subject.key)
