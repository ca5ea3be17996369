"""Budgets: reserved before the agent is called, settled afterwards; per run and per day."""

from __future__ import annotations

from datetime import datetime

from workers.engine import records, scripts
from workers.engine.journal import PREFIX, Claim, JournalStore
from workers.models import Incident, Severity
from workers.runtime.settings import Settings

MICRO = 1_000_000
KEPT_SECONDS = 3 * 86_400
FOR_CRITICAL = 0.25
"""This part of a day's runs is kept for critical incidents."""
PER_SERVICE = 0.5
"""No service takes more than this part of a day's runs, lest one chronic trouble starve the others."""


def _day(now: datetime) -> str:
    return f"{PREFIX}budget:{now:%Y%m%d}"


def reserve(
    journal: JournalStore, settings: Settings, claim: Claim, incident: Incident, now: datetime
) -> str | None:
    """Reserve one round's cost of today's budget, once; why not, when it is gone."""
    critical = incident.severity is Severity.CRITICAL
    runs = (
        settings.max_agent_runs_per_day
        if critical
        else settings.max_agent_runs_per_day - int(settings.max_agent_runs_per_day * FOR_CRITICAL)
    )
    limits = [
        runs,
        int(settings.max_cost_per_day_usd * MICRO),
        max(1, int(settings.max_agent_runs_per_day * PER_SERVICE)),
    ]
    cost = int(min(settings.max_cost_per_incident_usd, settings.max_cost_per_day_usd) * MICRO)
    arguments = [claim.id, cost, *limits, incident.subject.key, KEPT_SECONDS]
    answer = journal.script(scripts.RESERVE_BUDGET, [_day(now)], *arguments).decode()
    if answer == "reserved":
        claim.set_fields(budget_day=_day(now))
        return None
    if answer == "service":
        return (
            f"today's agent runs for {incident.subject.name} are used up (TRACKWALKER_MAX_AGENT_RUNS_PER_DAY)"
        )
    if answer == "runs":
        return f"today's {settings.max_agent_runs_per_day} agent runs are used up (TRACKWALKER_MAX_AGENT_RUNS_PER_DAY)"
    return f"today's {settings.max_cost_per_day_usd:g} USD are used up or reserved (TRACKWALKER_MAX_COST_PER_DAY_USD)"


def settle(journal: JournalStore, claim: Claim, cost_usd: float) -> None:
    """What a round cost in the end, if only nothing, takes the place of what was reserved; whoever goes on reserves."""
    day = claim.text("budget_day")
    if day:
        journal.script(scripts.SETTLE_BUDGET, [day], claim.id, int(cost_usd * MICRO))
        claim.set_fields(budget_day="")


def is_reserved(claim: Claim) -> bool:
    """Whether the round's cost is reserved and not settled yet."""
    return bool(claim.text("budget_day"))


def count_again(journal: JournalStore, claim: Claim) -> None:
    """A run that begins anew after its process died is one more of the day's and its service's, whatever is left."""
    day, incident = claim.text("budget_day"), claim.need(records.INCIDENT)
    if day:
        journal.script(scripts.COUNT_AGENT_RUN, [day], incident.subject.key)
