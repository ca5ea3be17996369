"""One look from the command line: survey and judge what is watched, print it, tell nobody, store nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from workers import analysis, survey
from workers.models import Severity, Window
from workers.railway import Railway
from workers.settings import Settings


def look(config: Settings, now: datetime) -> list[dict[str, Any]]:
    """A report per watched environment: services with their findings, likeliest cause first."""
    railway = Railway(
        config.railway_api_url, token=config.railway_api_token, project_token=config.railway_token
    )
    try:
        return _reports(config, railway, now)
    finally:
        railway.close()


def _reports(config: Settings, railway: Railway, now: datetime) -> list[dict[str, Any]]:
    window = Window(start=now - timedelta(minutes=config.window_minutes), end=now)
    reports = []
    for environment in config.environments or tuple(railway.environments()):
        seen = survey.survey(railway, environment, window, config.step_seconds)
        findings = analysis.judge(seen, persist_minutes=config.persist_minutes)
        services = [
            {
                "service": one.name,
                "sick": any(f.service_id == one.id and f.severity is not Severity.NOTICE for f in findings),
                "findings": [
                    finding.model_dump(mode="json", include=_SHOWN)
                    for finding in findings
                    if finding.service_id == one.id
                ],
            }
            for one in seen.services
        ]
        cause = [trouble.cause.name for trouble in analysis.causes(findings, seen)]
        name = f"{seen.project_name}/{seen.environment_name}"
        reports.append(
            {"environment": name, "services": services, "cause": cause, "not_seen": list(seen.not_seen)}
        )
    return reports


_SHOWN = {"kind", "severity", "since", "ongoing", "numbers", "sentence"}


def lines(report: dict[str, Any]) -> list[str]:
    """A report for a person."""
    shown = [f"{report['environment']}: {len(report['services'])} services"]
    found = [finding for service in report["services"] for finding in service["findings"]]
    shown += [f"  {finding['severity']:8} {finding['sentence']}" for finding in found]
    shown += [f"  not seen: {gap}" for gap in report["not_seen"]]
    return shown if len(shown) > 1 else [*shown, "  nothing above the line"]
