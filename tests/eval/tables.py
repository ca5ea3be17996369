"""Tables for people: aligned, worst rows first."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles

from tests.eval.score import ClassScore, Overall, ProjectScore

GOOD_ACCURACY = 0.9
Row = Sequence[str]


def aligned(rows: Sequence[Row]) -> list[str]:
    """The rows with aligned columns: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    ]  # fmt: skip


def percent(part: float, whole: float) -> str:
    """The share in whole per cent; a dash if `whole` is 0."""
    return f"{100 * part / whole:.0f} %" if whole else "–"


def class_table(scores: Sequence[ClassScore]) -> list[str]:
    """One class per line: those below GOOD_ACCURACY first, worst on top, then by name."""
    ordered = sorted(
        scores, key=lambda score: (min(score.accuracy, GOOD_ACCURACY), not score.is_failing, score.name)
    )
    head: Row = (
        "class",
        "truth",
        "flagged",
        "only notices",
        "no history",
        "right kind",
        "delay p50",
        "p90",
        "missed",
        "fixed thresholds",
        "",
    )
    return aligned([head, *(_class_row(score) for score in ordered)])


def _class_row(score: ClassScore) -> Row:
    delays, missed = score.delays, score.missed
    return (
        score.name,
        "FAILING" if score.is_failing else "healthy",
        percent(score.flagged, score.windows),
        percent(score.noticed, score.windows),
        percent(score.without_history, score.windows),
        percent(score.right_kind, score.windows) if score.is_failing else "",
        f"{median(delays):g}" if delays else "",
        f"{percentile_90(delays):g}" if delays else "",
        f"{missed}/{missed + len(delays)}" if missed else "",
        percent(score.by_thresholds, score.windows),
        "" if score.accuracy >= GOOD_ACCURACY else "<- below 90 %",
    )


def percentile_90(values: Sequence[float]) -> float:
    """The 90th percentile."""
    return quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]


def overall_table(rows: Sequence[tuple[str, Overall]]) -> list[str]:
    """One line per arm: precision, recall, false alerts on a typical day."""
    head: Row = ("", "precision", "recall", "false alerts per service-day")
    lines = [
        (name, f"{score.precision:.3f}", f"{score.recall:.3f}", f"{score.false_per_day:.2f}")
        for name, score in rows
    ]
    return aligned([head, *lines])


def project_table(scores: Sequence[ProjectScore]) -> list[str]:
    """One variant per line."""
    head: Row = ("projects", "number", "causes listed", "cause first", "services listed", "with any alert")
    rows = [
        (
            score.variant, str(score.projects), percent(score.all_listed, score.projects),
            percent(score.cause_first, score.projects),
            f"{score.mean_listed:.2f}", percent(score.alerting, score.projects),
        )
        for score in scores
    ]  # fmt: skip
    return aligned([head, *rows])
