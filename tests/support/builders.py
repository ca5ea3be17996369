"""Builders of models for tests: sensible values for every field, which keyword arguments replace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from workers.models import (
    Deployment,
    Finding,
    Incident,
    PullRequest,
    Service,
    Severity,
    Subject,
    Survey,
    TrafficMinute,
    Window,
)

END = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
START = END - timedelta(minutes=30)
ONSET = END - timedelta(minutes=12)
WINDOW = Window(start=START, end=END)


def service_id(name: str) -> str:
    """The id that the builders give to the service of that name."""
    return f"svc-{name}"


def deployment(
    name: str = "d1", status: str = "SUCCESS", *, minutes_before_onset: float = 600, **fields: Any
) -> Deployment:
    """A deployment of the service `api` from the repository acme/shop; its id is `name`."""
    at = ONSET - timedelta(minutes=minutes_before_onset)
    values = {
        "id": name, "service_id": service_id("api"), "status": status, "created_at": at, "status_at": at,
        "repo": "acme/shop", "branch": "main", "commit_message": "Sell gifts\n\nmore", "commit_author": "ada",
    }  # fmt: skip
    return Deployment.model_validate(values | fields)


def service(name: str = "api", **fields: Any) -> Service:
    """A service without deployments, usage and traffic."""
    return Service.model_validate({"id": service_id(name), "name": name} | fields)


def traffic(requests: list[int], *, server_errors: int = 0) -> tuple[TrafficMinute, ...]:
    """One sample a minute from the start of the window, with that many requests each."""
    return tuple(
        TrafficMinute(
            at=int(START.timestamp()) + 60 * minute,
            requests=count,
            ok=max(0, count - server_errors),
            client_errors=0,
            server_errors=min(count, server_errors),
        )
        for minute, count in enumerate(requests)
    )


def survey(*services: Service, **fields: Any) -> Survey:
    """A survey of the environment acme/production over the window."""
    values = {
        "project_id": "p", "project_name": "acme", "environment_id": "e", "environment_name": "production",
        "window": WINDOW, "step_seconds": 60, "services": services,
    }  # fmt: skip
    return Survey.model_validate(values | fields)


def finding(kind: str = "server_errors", *, name: str = "api", **fields: Any) -> Finding:
    """A critical, ongoing finding about the service of that name since the onset."""
    values = {
        "service_id": service_id(name), "service": name, "kind": kind, "severity": Severity.CRITICAL, "since": ONSET,
        "ongoing": True, "sentence": f"failing: {kind}",
    }  # fmt: skip
    return Finding.model_validate(values | fields)


def notice(kind: str, **fields: Any) -> Finding:
    """A finding of severity notice."""
    return finding(kind, severity=Severity.NOTICE, **fields)


def incident(*findings: Finding, name: str = "api", **fields: Any) -> Incident:
    """An incident of the service of that name; without findings it has one of kind `server_errors`."""
    values = {
        "fingerprint": "f" * 16, "occurrence": "20261120T1200", "project_id": "p", "project_name": "acme",
        "environment_id": "e", "environment_name": "production", "window": WINDOW, "opened_at": END,
        "findings": findings or (finding(name=name),),
        "subject": Subject(kind="service", key=service_id(name), name=name),
    }  # fmt: skip
    return Incident.model_validate(values | fields)


def pull_request(**fields: Any) -> PullRequest:
    """The open pull request #41."""
    values = {
        "number": 41,
        "url": "https://github.com/acme/shop/pull/41",
        "draft": False,
        "branch": "trackwalker/f",
    }
    return PullRequest.model_validate(values | fields)
