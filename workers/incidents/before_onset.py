"""The windows of a service from before the onset of its trouble, which an incident keeps for as long as it is open.

The detector compares a window with the history, and the longer trouble lasts, the more of that history is the trouble
itself. An incident therefore keeps the windows from before its onset, and each later window is compared with these.
The copy in the incident outlives the week for which the history is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from workers.detection import detect_service
from workers.history.summary_store import baseline_windows
from workers.models import (
    Finding,
    History,
    Incident,
    Service,
    Summary,
    Survey,
    alerting_findings,
)

ONSET_TOLERANCE = timedelta(
    seconds=60
)  # sweeps begin a little early, so a window may end this much after the onset


def windows_before_onset(incident: Incident, history: History) -> list[Summary]:
    """The healthy windows before the onset, oldest first; empty for chronic trouble, which has no time before it."""
    if incident.is_chronic:
        return []
    alerting = alerting_findings(incident.findings)
    kinds = {finding.kind for finding in alerting}
    onset = min((finding.since for finding in alerting), default=incident.window.start)
    own = {incident.subject.key: history.get(incident.subject.key, ())}
    windows = baseline_windows(own, onset + ONSET_TOLERANCE)[incident.subject.key]
    return [
        window
        for window in windows
        if kinds.isdisjoint(window.alerting_kinds) and kinds.isdisjoint(window.notice_kinds)
    ]


def detect_against(
    service: Service, survey: Survey, before: Sequence[Summary], min_duration_minutes: float
) -> list[Finding]:
    """The findings of the detector about the service, with the time before the onset as its only history."""
    return detect_service(service, survey, 60 * max(0.0, min_duration_minutes), before)
