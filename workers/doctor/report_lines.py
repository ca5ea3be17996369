"""The results of checks as lines for a terminal, a pipe and a log."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from workers.models.check_results import CheckReport, CheckResult, CheckStatus

MAX_COLUMNS = 100  # of a line; only lines to copy may be longer
AREA_COLUMNS = 16  # of the first column, which holds the longest area, `Public address`

MARKS = {CheckStatus.OK: "✓", CheckStatus.WARNING: "!", CheckStatus.ERROR: "✗", CheckStatus.SKIPPED: "–"}
COLOURS = {CheckStatus.OK: "32", CheckStatus.WARNING: "33", CheckStatus.ERROR: "31", CheckStatus.SKIPPED: "2"}
"""ECMA-48 "select graphic rendition" codes: green, yellow, red, faint."""
ARROW = "→ "  # before a repair


def render(report: CheckReport) -> list[str]:
    """The report as aligned lines, the repair of each problem with it."""
    return [*render_results(report.results), "", summary(report)]


def render_results(results: Sequence[CheckResult]) -> list[str]:
    """The results as aligned lines; an area is named once."""
    lines: list[str] = []
    before = ""
    for result in results:
        lines += _render_result(result, "" if result.area == before else result.area)
        before = result.area
    return lines


def colour(line: str) -> str:
    """A line of `render` with its mark in colour, for a terminal."""
    mark = line[AREA_COLUMNS : AREA_COLUMNS + 1]
    status = next((status for status in MARKS if MARKS[status] == mark), None)
    if status is None or line[AREA_COLUMNS + 1 : AREA_COLUMNS + 2] != " ":
        return line
    return f"{line[:AREA_COLUMNS]}\x1b[{COLOURS[status]}m{mark}\x1b[0m{line[AREA_COLUMNS + 1 :]}"


def summary(report: CheckReport) -> str:
    """One line about the whole report."""
    errors = sum(result.status is CheckStatus.ERROR for result in report.results)
    warnings = sum(result.status is CheckStatus.WARNING for result in report.results)
    parts = [_count(errors, "error"), _count(warnings, "warning")]
    return f"{', '.join(filter(None, parts)) or 'Everything works'} ({report.seconds:g} s)"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}" if number else ""


def _render_result(result: CheckResult, area: str) -> list[str]:
    text = f"{result.what} {ARROW}{result.repair}" if result.repair else result.what
    rows = _wrapped(text)
    if len(rows) > 1 and result.repair:
        rows = [*_wrapped(result.what), *_wrapped(ARROW + result.repair, hanging=" " * len(ARROW))]
    head, *rest = [*rows, *result.lines]
    indent = " " * (AREA_COLUMNS + 2)
    return [f"{area:<{AREA_COLUMNS}}{MARKS[result.status]} {head}", *(indent + row for row in rest)]


def _wrapped(text: str, hanging: str = "") -> list[str]:
    width = MAX_COLUMNS - AREA_COLUMNS - 2
    rows = textwrap.wrap(
        text, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    )
    return rows or [""]
