"""Short makers of results, so that a check reads like the report."""

from __future__ import annotations

from workers.models.check_results import CheckResult, CheckStatus


def passed(area: str, what: str) -> CheckResult:
    """It works."""
    return CheckResult(area=area, status=CheckStatus.OK, what=what)


def skipped(area: str, what: str, repair: str = "") -> CheckResult:
    """It is not configured, or cannot be checked before something else works."""
    return CheckResult(area=area, status=CheckStatus.SKIPPED, what=what, repair=repair)


def warning(area: str, what: str, repair: str = "", lines: tuple[str, ...] = ()) -> CheckResult:
    """It works with less, or could not be checked now."""
    return CheckResult(area=area, status=CheckStatus.WARNING, what=what, repair=repair, lines=lines)


def error(area: str, what: str, repair: str = "", lines: tuple[str, ...] = ()) -> CheckResult:
    """It is configured, or required, and does not work."""
    return CheckResult(area=area, status=CheckStatus.ERROR, what=what, repair=repair, lines=lines)
