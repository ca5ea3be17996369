"""One look from the command line: survey and judge what is watched, print it, tell nobody, store nothing.

What it is judged against is the past that the store holds; where there is none, the last day as Railway holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from workers import detection
from workers.cli import evaluate
from workers.clients.railway import Railway, snapshot
from workers.engine.journal_store import JournalStore
from workers.errors import NotAvailable, SettingsError
from workers.history import backfill, summary_store
from workers.models import History, Survey, Window, describe_gap
from workers.runtime.settings import Settings
from workers.runtime.store import connect

FALLBACK_SPAN = timedelta(hours=24)
"""Read from Railway where no past is stored: four stretches, three requests each for up to 20 services."""

Progress = Callable[[str], None]


def check_environments(
    config: Settings, now: datetime, say: Progress, *, use_history: bool = True
) -> list[dict[str, Any]]:
    """A report per watched environment: services with their findings, likeliest cause first.

    `say` hears of a past that is missing; without `remember` none is looked for.
    """
    railway = Railway(
        config.railway_api_url, token=config.railway_api_token, project_token=config.railway_token
    )
    try:
        return [
            _report(config, railway, one, say if use_history else None)
            for one in _surveys(config, railway, now)
        ]
    finally:
        railway.close()


def _surveys(config: Settings, railway: Railway, now: datetime) -> list[Survey]:
    window = Window(start=now - timedelta(minutes=config.window_minutes), end=now)
    watched = config.environments or tuple(railway.environments())
    return [snapshot.take_survey(railway, one, window, config.sample_seconds) for one in watched]


def _report(config: Settings, railway: Railway, seen: Survey, say: Progress | None) -> dict[str, Any]:
    known = load_history(config, railway, seen, say) if say else {}
    usual = summary_store.baseline_windows(known, seen.window.start)
    findings = detection.detect(seen, min_duration_minutes=config.min_duration_minutes, history=usual)
    return {
        "environment": f"{seen.project_name}/{seen.environment_name}",
        "services": [evaluate.service_report(one, seen, findings) for one in seen.services],
        "cause": detection.rank_suspects(findings, seen),
        "failed_reads": [describe_gap(gap) for gap in seen.failed_reads],
    }


def load_history(config: Settings, railway: Railway, seen: Survey, say: Progress) -> History:
    """What is stored of the environment, else what Railway holds of the last day; `say` hears why."""
    try:
        known = summary_store.read(JournalStore(connect(config)), seen.environment_id, seen.window.end)
        why = "none is stored yet"
    except (SettingsError, NotAvailable) as error:
        known, why = {}, str(error)
    if any(known.values()):
        return known
    reach = backfill.BackfillProgress(reached=seen.window.start, target=seen.window.start - FALLBACK_SPAN)
    reader = railway.with_own_count(backfill.TIMEOUT_SECONDS)
    found, _ = backfill.backfill(reader, seen, reach, min_duration_minutes=config.min_duration_minutes)
    instead = f"judged against the last {FALLBACK_SPAN // timedelta(hours=1)} hours from Railway instead"
    say(f"no past: {why}; {instead if found else 'Railway tells of none either'}")
    return found


def render(report: dict[str, Any]) -> list[str]:
    """A report for a person."""
    shown = [f"{report['environment']}: {len(report['services'])} services"]
    found = [finding for service in report["services"] for finding in service["findings"]]
    shown += [f"  {finding['severity']:8} {finding['sentence']}" for finding in found]
    shown += [f"  not seen: {gap}" for gap in report["failed_reads"]]
    return shown if len(shown) > 1 else [*shown, "  nothing above the line"]
