"""The first screen of `up`: what is watched and how it is, the mode, and where alerts come in. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from workers.doctor.railway_webhook import address_problem
from workers.runtime.settings import Settings
from workers.runtime.text import join_names, plural, truncate
from workers.views.shapes import Health, Overview, ServiceRow

MODES = {
    "shadow": "looks, and notifies nobody",
    "report": "reports, and opens no pull request",
    "draft": "opens draft pull requests",
    "full": "opens pull requests (TRACKWALKER_MODE=report only reports)",
}
LABEL_COLUMNS = 11
MAX_COLUMNS = 100
MAX_FAILING = 3  # services that are named


def screen(settings: Settings, overview: Overview | None, watched: Sequence[str]) -> list[str]:
    """The lines of the screen.

    Args:
        overview: the state after the first check; None if there is none yet.
        watched: the watched environments as Railway names them; empty if Railway did not answer.
    """
    lines = [
        f"Trackwalker is running · mode {settings.mode}: {MODES[settings.mode]}",
        _row("Watching", watching(overview, watched)),
        _row("Notifies", _notifies(settings)),
        _row("Fixes with", _fixes(settings)),
        _row("Alerts", f"{_alerts(settings)}; {next_check(settings, overview)}"),
        _row("Page", settings.url),
        "Ctrl-C stops; unfinished work goes on at the next start.",
    ]
    return [truncate(line, MAX_COLUMNS) for line in lines]


def _row(label: str, text: str) -> str:
    return f"{label:<{LABEL_COLUMNS}}{text}"


def watching(overview: Overview | None, watched: Sequence[str]) -> str:
    """The watched services and their state."""
    names = join_names(list(watched), MAX_FAILING) or "the environments of TRACKWALKER_ENVIRONMENTS"
    if overview is None or not overview.services:
        return f"{names}: the first check is under way"
    services = [*overview.services]
    failing = [service for service in services if service.health in (Health.INCIDENT, Health.FINDING)]
    unknown = sum(service.health is Health.UNKNOWN for service in services)
    parts = [f"{sum(service.health is Health.HEALTHY for service in services)} healthy"]
    parts += [f"{len(failing)} failing ({_failing(failing)})"] if failing else []
    parts += [f"{unknown} unknown"] if unknown else []
    number = len(services) + overview.services_left_out
    return f"{names}: {plural(number, 'service')}, checked just now: {', '.join(parts)}"


def _failing(services: Sequence[ServiceRow]) -> str:
    if len(services) == 1 and services[0].worst:
        return truncate(f"{services[0].name}: {services[0].worst}", 50)
    return join_names([service.name for service in services], MAX_FAILING)


def _alerts(settings: Settings) -> str:
    if address_problem(settings.url):
        return "no public address, so trouble is found by the periodic checks"
    return f"{settings.url}/hooks/railway"


def _notifies(settings: Settings) -> str:
    if settings.mode == "shadow":
        return "nobody (TRACKWALKER_MODE=shadow)"
    if settings.slack_bot_token and settings.slack_channel:
        return f"Slack, #{settings.slack_channel.lstrip('#')}"
    if settings.slack_webhook_url:
        return "Slack, by an incoming webhook"
    return "nobody: Slack is not set up, findings are only logged"


def _fixes(settings: Settings) -> str:
    if not settings.can_fix or settings.mode in ("shadow", "report"):
        lacking = "TRACKWALKER_MODEL" if not settings.model else "GITHUB_TOKEN"
        reason = f"TRACKWALKER_MODE={settings.mode}" if settings.can_fix else f"{lacking} is not set"
        return f"nothing: {reason}, so causes are reported and no fix is written"
    runs, cost = settings.max_agent_runs_per_day, settings.max_cost_per_day_usd
    return f"{settings.model}, at most {plural(runs, 'run')} and {cost:g} USD a day"


def next_check(settings: Settings, overview: Overview | None) -> str:
    """When the next periodic check is due, in the configured time zone."""
    moment = overview.next_ping if overview else None
    if moment is None:
        return f"a check every {settings.ping_minutes:g} min"
    return f"next check {_local(moment, settings.timezone)}"


def _local(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%H:%M}"
