"""Data sent by a service: growth is a notice, and an alert once it has lasted for hours."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.builders import START
from tests.support.metrics import detected, live_service, points, severities, worker_history
from tests.support.stories import WINDOW
from workers.models import Finding, Service, Summary

USUAL = 0.05
"""GB per window: about 73 GB per month."""


def sending(gb: Sequence[float]) -> Service:
    return live_service(public=False, egress=points(gb))


def past(count: int = 48, after: Sequence[float] = (), kinds: tuple[str, ...] = ()) -> list[Summary]:
    """Usual windows, followed by these."""
    later = [Summary(minutes=30, egress=gb, notice_kinds=kinds) for gb in after]
    windows = [*worker_history(count, egress=USUAL), *later]
    return [
        summary.model_copy(update={"at": START - age * WINDOW})
        for age, summary in zip(reversed(range(len(windows))), windows, strict=True)
    ]


def test_much_more_egress_is_a_notice_with_a_forecast_for_the_month() -> None:
    [finding] = detected(sending([0.02] * 30), past())

    assert severities([finding]) == [("egress", "notice")]
    assert (finding.numbers["gb_per_hour"], finding.numbers["gb_per_month"]) == (1.2, 876.0)
    assert "876 GB per month" in finding.sentence


def test_egress_that_stays_high_for_hours_alerts() -> None:
    lasting = past(after=[0.6] * 4, kinds=("egress",))

    assert severities(detected(sending([0.02] * 30), lasting)) == [("egress", "warning")]


def test_one_upload_gives_no_finding() -> None:
    assert detected(sending([0.001] * 29 + [1.0]), past()) == []


def test_growth_below_five_dollars_a_month_gives_no_finding() -> None:
    tiny = [summary.model_copy(update={"egress": 0.001}) for summary in past()]

    assert detected(sending([0.0005] * 30), tiny) == []


def test_a_nightly_export_of_earlier_days_is_the_baseline() -> None:
    nights = [
        summary.model_copy(update={"egress": 0.6})
        if summary.at is not None and (START + WINDOW - summary.at).total_seconds() % 86_400 == 0
        else summary
        for summary in past(240)
    ]

    assert detected(sending([0.02] * 30), nights) == []


def test_without_a_known_half_day_there_is_no_finding() -> None:
    findings: list[Finding] = detected(sending([0.02] * 30), past(10))

    assert findings == []
