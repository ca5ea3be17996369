"""Log lines of level error: many more than usual are evidence, never an alarm (anything written to stderr is one)."""

from __future__ import annotations

from workers.detection.service_window import ServiceWindow
from workers.models import Finding, Severity

FEWEST_LINES = 20.0
SURGE_TIMES = 5.0


def judge_logs(case: ServiceWindow) -> list[Finding]:
    """A notice where a service writes many more error lines than it usually does."""
    lines = sum(count for _, count in case.service.error_lines)
    usual = case.usual.level("error_lines", 0.9)
    if usual is None or lines < FEWEST_LINES or lines < SURGE_TIMES * max(1.0, usual):
        return []
    onset = next(at for at, count in case.service.error_lines if count > 0)
    sentence = f"{case.service.name} wrote {lines:.0f} log lines of level error, where {usual:.0f} are the most usual"
    numbers = {"lines": lines, "usual_lines": usual}
    return [case.found("error_logs", Severity.NOTICE, onset, sentence, numbers=numbers, confidence=0.5)]
