"""Figures as a person reads them: aligned, and the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles

from tests.eval.score import ClassScore, Overall, ProjectScore

GOOD = 0.9
Row = Sequence[str]


def aligned(rows: Sequence[Row]) -> list[str]:
    """The rows with equal columns: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    ]  # fmt: skip


def percent(part: float, whole: float) -> str:
    """The share in whole per cent, or a dash of nothing."""
    return f"{100 * part / whole:.0f} %" if whole else "–"


def class_table(scores: Sequence[ClassScore]) -> list[str]:
    """One class a line: what is judged worse than nine times of ten first, the worst on top, then by name."""
    ordered = sorted(scores, key=lambda one: (min(one.right, GOOD), not one.sick, one.name))
    head: Row = (
        "class",
        "truth",
        "flagged",
        "no past",
        "right kind",
        "delay p50",
        "p90",
        "unseen",
        "fixed limits",
        "",
    )
    return aligned([head, *(_class_row(one) for one in ordered)])


def _class_row(one: ClassScore) -> Row:
    unseen = f"{one.unseen}/{one.unseen + len(one.delays)}" if one.unseen else ""
    return (
        one.name, "SICK" if one.sick else "healthy", percent(one.flagged, one.windows),
        percent(one.without_past, one.windows), percent(one.right_kind, one.windows) if one.sick else "",
        f"{median(one.delays):g}" if one.delays else "", f"{ninetieth(one.delays):g}" if one.delays else "", unseen,
        percent(one.by_thresholds, one.windows), "" if one.right >= GOOD else "<- below 90 % right",
    )  # fmt: skip


def ninetieth(values: Sequence[float]) -> float:
    """The 90th percentile."""
    return quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]


def overall_table(rows: Sequence[tuple[str, Overall]]) -> list[str]:
    """Who, precision, recall, false alarms on a usual day."""
    head: Row = ("", "precision", "recall", "false alarms per service-day")
    return aligned([
        head,
        *((name, f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.false_a_day:.2f}") for name, one in rows),
    ])  # fmt: skip


def project_table(scores: Sequence[ProjectScore]) -> list[str]:
    """One variant a line."""
    head: Row = ("projects", "number", "causes listed", "cause first", "services listed", "with any alarm")
    rows = [
        (
            one.variant, str(one.projects), percent(one.listed, one.projects), percent(one.first, one.projects),
            f"{one.mean_names:.2f}", percent(one.alarmed, one.projects),
        )
        for one in scores
    ]  # fmt: skip
    return aligned([head, *rows])
