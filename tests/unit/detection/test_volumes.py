"""Volumes that are nearly full, and volumes that will be full soon."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.metrics import detected, live_service, points, severities, volume, worker_history
from workers.models import Service, Severity


def with_disk(used_gb: float, disk: Sequence[float]) -> Service:
    """A service with a volume of 1 GB and its used GB per minute."""
    return live_service(volumes=(volume(1000 * used_gb),), disk=points(disk))


@pytest.mark.parametrize(
    ("used_mb", "expected"),
    [(840, []), (860, [("volume", "warning")]), (960, [("volume", "critical")])],
)
def test_the_severity_of_a_full_volume_rises_with_its_level(
    used_mb: float, expected: list[tuple[str, str]]
) -> None:
    assert severities(detected(live_service(volumes=(volume(used_mb),)))) == expected


def test_a_volume_without_a_size_gives_no_finding() -> None:
    assert detected(live_service(volumes=(volume(10, 0),))) == []


def test_a_filling_volume_is_found_long_before_it_is_full() -> None:
    summaries = [
        summary.model_copy(update={"disk": 0.3 + 0.008 * i}) for i, summary in enumerate(worker_history())
    ]

    [finding] = detected(with_disk(0.69, [0.684 + 0.0002 * i for i in range(30)]), summaries)

    assert (finding.kind, finding.severity) == ("volume", Severity.WARNING)
    assert finding.seconds_to_limit == pytest.approx(0.31 / 0.008 * 1800, rel=0.15)


def test_a_volume_that_is_cleaned_up_regularly_gives_no_finding() -> None:
    summaries = [
        summary.model_copy(update={"disk": 0.3 + 0.03 * (i % 12)})
        for i, summary in enumerate(worker_history())
    ]

    assert detected(with_disk(0.65, [0.63 + 0.0006 * i for i in range(30)]), summaries) == []


def test_a_volume_that_has_long_been_nearly_full_matches_the_baseline() -> None:
    findings = detected(with_disk(0.88, [0.88] * 30), worker_history(disk=0.88))

    assert severities(findings) == [("volume", "notice")] and findings[0].is_baseline
