"""How findings are said: one plain sentence with numbers and units, and the deployment next to the onset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from workers.models import Deployment, Service, Window

NEVER_LIVE = {"FAILED", "SKIPPED", "WAITING", "QUEUED", "BUILDING", "INITIALIZING", "NEEDS_APPROVAL"}


def moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def clock(at: datetime, window: Window) -> str:
    """`03:04 UTC`, with seconds when the window is short, with the date when it is another day."""
    fine = "%H:%M:%S UTC" if window.seconds < 600 else "%H:%M UTC"
    return at.strftime(fine if at.date() == window.end.date() else "%Y-%m-%d " + fine)


def since(at: datetime, window: Window, step: float) -> str:
    """`since 03:04 UTC`; what held from the beginning of the window may be older."""
    older = at <= window.start + timedelta(seconds=1.5 * step)
    return f"since {clock(at, window)}{' or earlier' if older else ''}"


def ending(ongoing: bool, end: datetime, window: Window) -> str:
    return "still going on" if ongoing else f"until {clock(end, window)}"


def span(seconds: float) -> str:
    """`40 s`, `12 min`, `2.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def live_at(deployment: Deployment) -> datetime:
    """When it began to answer, as well as that is known: its status changes again when it is removed."""
    reached = deployment.status in ("SUCCESS", "CRASHED") and deployment.status_at is not None
    return deployment.status_at if reached and deployment.status_at else deployment.created_at


def deployment_near(service: Service, onset: datetime, slack: timedelta) -> str | None:
    """The deployment that was live at the onset, or became live at most `slack` after it."""
    known = {one.id: one for one in (service.serving, *service.deployments) if one is not None}
    live = [one for one in known.values() if one.status not in NEVER_LIVE and one.created_at <= onset + slack]
    newest = max(live, key=lambda one: one.created_at, default=None)
    return newest.id if newest else None
