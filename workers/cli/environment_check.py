"""One check of the watched environments for the command line. It sends no notification and stores nothing.

The baseline is the stored history; without one, the last day that Railway keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from workers import detection
from workers.cli.evaluation import service_report
from workers.clients.railway import Railway, snapshot
from workers.engine.journal_store import JournalStore
from workers.errors import NotAvailable, SettingsError
from workers.history import backfill, summary_store
from workers.models import History, Survey, Window, describe_gap
from workers.runtime.settings import Settings
from workers.runtime.store import connect, protection_warnings
from workers.runtime.text import plural

FALLBACK_SPAN = timedelta(hours=24)  # read from Railway without a stored history: four chunks

Progress = Callable[[str], None]
"""Called with a line for the person at the terminal."""


def check_environments(
    config: Settings, now: datetime, report_progress: Progress, *, use_history: bool = True
) -> list[dict[str, Any]]:
    """A report per watched environment: its services with their findings, and the suspects, likeliest cause first.

    Args:
        report_progress: Called if no history is stored.
        use_history: Compare with earlier windows.
    """
    railway = Railway(
        config.railway_api_url, token=config.railway_api_token, project_token=config.railway_token
    )
    try:
        return [
            _report(config, railway, survey, report_progress if use_history else None)
            for survey in _surveys(config, railway, now)
        ]
    finally:
        railway.close()


def _surveys(config: Settings, railway: Railway, now: datetime) -> list[Survey]:
    window = Window(start=now - timedelta(minutes=config.window_minutes), end=now)
    environments = config.environments or tuple(railway.environments())
    return [
        snapshot.take_survey(railway, environment, window, config.sample_seconds)
        for environment in environments
    ]


def _report(
    config: Settings, railway: Railway, survey: Survey, report_progress: Progress | None
) -> dict[str, Any]:
    history = load_history(config, railway, survey, report_progress) if report_progress else {}
    baseline = summary_store.baseline_windows(history, survey.window.start)
    findings = detection.detect(survey, min_duration_minutes=config.min_duration_minutes, history=baseline)
    return {
        "environment": f"{survey.project_name}/{survey.environment_name}",
        "services": [service_report(service, survey, findings) for service in survey.services],
        "cause": detection.rank_suspects(findings, survey),
        "failed_reads": [describe_gap(gap) for gap in survey.failed_reads],
    }


def load_history(config: Settings, railway: Railway, survey: Survey, report_progress: Progress) -> History:
    """The stored history of the environment, otherwise the last day from Railway.

    Args:
        report_progress: Called with the reason if nothing is stored, and with what leaves Redis open to others.
    """
    try:
        client = connect(config)
        for warning in protection_warnings(client):
            report_progress(f"warning: {warning}")
        store = JournalStore(client)
        history = summary_store.read(store, survey.environment_id, survey.window.end)
        reason = "none is stored yet"
    except (SettingsError, NotAvailable) as error:
        history, reason = {}, str(error)
    if any(history.values()):
        return history
    start = survey.window.start
    progress = backfill.BackfillProgress(reached=start, target=start - FALLBACK_SPAN)
    reader = railway.with_own_count(backfill.TIMEOUT_SECONDS)
    windows, _ = backfill.backfill(reader, survey, progress, min_duration_minutes=config.min_duration_minutes)
    hours = FALLBACK_SPAN // timedelta(hours=1)
    instead = f"comparing with the last {hours} hours from Railway" if windows else "Railway has none either"
    report_progress(f"no history: {reason}; {instead}")
    return windows


def render(report: dict[str, Any]) -> list[str]:
    """The report as lines for a person."""
    services = report["services"]
    lines = [
        f"  {finding['severity']:8} {service['service']}: {finding['sentence']}"
        for service in services
        for finding in service["findings"]
    ]
    lines += [f"  could not read: {gap}" for gap in report["failed_reads"]]
    head = f"{report['environment']}: {plural(len(services), 'service')}"
    return [head, *(lines or ["  no problem found"])]
