"""Gaps decide by their part; their labels and reasons are for people only."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.support.builders import survey
from workers.models import GAP_LABELS, Gap, GapPart, describe_gap

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_every_part_has_a_label() -> None:
    assert set(GAP_LABELS) == set(GapPart)


def test_a_gap_is_described_by_its_part_its_subject_and_its_reason() -> None:
    gap = Gap(part=GapPart.TRAFFIC, subject="shop", reason="Railway answered 503")

    assert describe_gap(gap) == "traffic of shop: Railway answered 503"


def test_a_gap_of_the_whole_environment_names_no_subject() -> None:
    assert describe_gap(Gap(part=GapPart.USAGE, reason="no")) == "CPU and memory: no"


def test_unread_traffic_of_another_service_hides_nothing_of_this_one() -> None:
    gap = Gap(part=GapPart.TRAFFIC, subject="shop", reason="no")

    assert survey(failed_reads=(gap,)).gaps_for("shop") == (gap,)
    assert survey(failed_reads=(gap,)).gaps_for("cart") == ()


@pytest.mark.parametrize("part", [GapPart.PROJECT_NAME, GapPart.LOOKUPS, GapPart.ERROR_LINES])
def test_a_part_that_no_finding_depends_on_hides_nothing(part: GapPart) -> None:
    assert survey(failed_reads=(Gap(part=part, reason="no"),)).gaps_for("shop") == ()


def test_other_labels_and_reasons_change_no_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in GapPart:
        monkeypatch.setitem(GAP_LABELS, part, "project name")
    gap = Gap(part=GapPart.TRAFFIC, reason="project name: no")

    assert survey(failed_reads=(gap,)).gaps_for("shop") == (gap,)
