"""Budgets: reserved before the agent is called, settled afterwards; per run and per day."""

from __future__ import annotations

from datetime import datetime

from workers import scripts
from workers.journal import PREFIX, Claim, Journal
from workers.settings import Settings

MICRO = 1_000_000
KEPT_SECONDS = 3 * 86_400


def _day(now: datetime) -> str:
    return f"{PREFIX}budget:{now:%Y%m%d}"


def reserve(journal: Journal, settings: Settings, claim: Claim, now: datetime) -> str | None:
    """Reserve one round's cost of today's budget, once; why not, when it is gone."""
    limits = [settings.daily_runs, int(settings.daily_cost_usd * MICRO)]
    cost = int(min(settings.run_cost_usd, settings.daily_cost_usd) * MICRO)
    answer = journal.script(scripts.BUDGET, [_day(now)], claim.id, cost, *limits, KEPT_SECONDS).decode()
    if answer == "reserved":
        claim.mark(budget_day=_day(now))
        return None
    if answer == "runs":
        return f"today's {settings.daily_runs} agent runs are used up (TRACKWALKER_DAILY_RUNS)"
    return f"today's {settings.daily_cost_usd:g} USD are used up or reserved (TRACKWALKER_DAILY_COST_USD)"


def settle(journal: Journal, claim: Claim, cost_usd: float) -> None:
    """What a round cost in the end, if only nothing, takes the place of what was reserved."""
    day = claim.text("budget_day")
    if day:
        journal.script(scripts.SETTLE, [day], claim.id, int(cost_usd * MICRO))
