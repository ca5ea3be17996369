"""Hostile and huge values in views: cut, counted, redacted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.sample_incident import make_evidence, make_incident, make_patch, make_survey
from workers.models import Fact, FactKind, Fix, PastOccurrence
from workers.views.bounds import line, lines, text, web_url
from workers.views.charts import charts, downsample
from workers.views.earlier import earlier_rows
from workers.views.fact_views import MAX_FACTS, fact_views
from workers.views.fix_views import MAX_PATCH, diff_view

TOKEN = "ghp_" + "a1B2" * 9
AT = datetime(2026, 10, 13, tzinfo=UTC)


def test_a_long_list_says_how_much_it_leaves_out() -> None:
    assert lines([f"row {number}" for number in range(24)])[-1] == "… and 12 more"


def test_a_long_text_says_how_many_lines_it_leaves_out() -> None:
    shown = text("\n".join(f"line {number}" for number in range(5000)), 100)

    assert len(shown) < 140
    assert shown.endswith("more lines")


def test_a_secret_at_the_cut_is_redacted_before_it_is_cut() -> None:
    assert TOKEN[:12] not in line("x" * 380 + " " + TOKEN)
    assert TOKEN[:12] not in text("x" * 7_980 + " " + TOKEN)


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "https://a b", "https://a\u202eb", "ftp://a", "", None, "https://" + "a" * 3000],
)
def test_only_a_plain_web_address_is_linked(url: str | None) -> None:
    assert web_url(url) == ""


def test_a_patch_of_megabytes_is_cut_and_counted() -> None:
    fix = Fix(base_commit="a" * 40, patch=make_patch() + "+x\n" * 700_000, files=("a.py",), committed_at=AT)

    view = diff_view(fix)

    assert len(view.patch) <= MAX_PATCH
    assert view.added > 700_000
    assert view.lines_left_out > 600_000


def test_facts_beyond_the_limit_are_counted() -> None:
    facts = tuple(Fact(id=f"E{number}", kind=FactKind.NO_LOG_ERRORS, text="x") for number in range(500))

    shown, left_out = fact_views(make_evidence().model_copy(update={"facts": facts}))

    assert (len(shown), left_out) == (MAX_FACTS, 500 - MAX_FACTS)


def test_a_fact_quotes_the_record_that_the_evidence_keeps_once() -> None:
    shown, _ = fact_views(make_evidence())

    quotes = {fact.kind: fact.quote for fact in shown}
    assert "Traceback" in quotes["log_pattern"]
    assert ">   5" in quotes["code_location"]


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 4_321])
def test_a_series_keeps_its_peak_in_at_most_200_points(count: int) -> None:
    points = [(number, float(number % 977)) for number in range(count)]

    shown = downsample(points)

    assert len(shown) <= 200
    assert max((value for _, value in shown), default=0) == max((value for _, value in points), default=0)
    assert [at for at, _ in shown] == sorted(at for at, _ in shown)


def test_a_chart_holds_the_onset_and_the_deployments_of_its_window() -> None:
    incident = make_incident()

    drawn = charts(incident.findings, [make_survey()], [], make_evidence())

    assert all(chart.onset and chart.start <= chart.onset <= chart.end for chart in drawn)
    assert [mark.label for mark in drawn[0].deployments][-1] == 'a1b2c3d "gift cards" (Ana)'


@pytest.mark.parametrize(
    ("ended_as", "days", "sentence"),
    [
        ("fix_verified", 41, "#29 fixed this on 2 Sep; the fix lasted 41 days"),
        ("fix_failed", 1, "#29 was merged and did not end this (2 Sep)"),
        ("resolved", 3, "Went away by itself on 2 Sep; it was back after 3 days"),
        ("cancelled", 1, "Ended without a result on 2 Sep"),
    ],
)
def test_an_earlier_occurrence_is_one_sentence(ended_as: str, days: int, sentence: str) -> None:
    ended = datetime(2026, 9, 2, tzinfo=UTC)
    past = PastOccurrence(
        id="incident:a:1", opened_at=ended, ended_as=ended_as, pull_number=29, pull_url="https://x"
    )
    onset = ended + timedelta(days=days)

    rows, left_out = earlier_rows("incident:a:2", onset, onset, [(past, ended)])

    assert ([row.text for row in rows], left_out) == ([sentence], 0)
