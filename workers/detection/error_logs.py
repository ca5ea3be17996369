"""A surge of log lines of level error: evidence beside other findings, never an alert of its own.

Railway labels everything that a process writes to stderr as an error, so many healthy services write such lines.
"""

from __future__ import annotations

from workers.detection.service_window import ServiceWindow
from workers.models import Finding, Severity

MIN_LINES = 20.0  # lines per window: fewer are not worth a notice
SURGE_FACTOR = 5.0  # multiple of the baseline's high (90th percentile) from which the lines are a surge


def detect_error_logs(window: ServiceWindow) -> Finding | None:
    """A notice if the service wrote many more error lines than in its baseline."""
    error_lines = window.service.error_lines
    lines = sum(count for _, count in error_lines)
    baseline = window.baseline.level("error_lines", 0.9)
    if baseline is None or lines < MIN_LINES or lines < SURGE_FACTOR * max(1.0, baseline):
        return None
    onset = next(at for at, count in error_lines if count > 0)
    numbers = {"lines": lines, "baseline_lines": baseline}
    return window.make_finding("error_logs", Severity.NOTICE, onset, numbers=numbers, confidence=0.5)
