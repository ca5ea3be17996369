"""Values in templates, and the geometry of charts."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from receiver.page.charts import HEIGHT, MAX_POINTS, MAX_TABLE_ROWS, WIDTH, draw
from receiver.page.rendering import (
    build_environment,
    compact,
    format_age,
    format_amount,
    format_time,
    format_usd,
    web_link,
)
from tests.support import page_samples as samples
from workers.views.shapes import Chart

ROOT = Path(__file__).parents[3]
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 28, 2, 21, tzinfo=UTC)


@pytest.mark.parametrize("url", ["https://github.com/a/b/pull/1", "http://127.0.0.1:8000/x?y=1"])
def test_web_addresses_become_links(url: str) -> None:
    assert web_link(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "/own",
        "https:evil",
        "https://",
        "http://[",
        "vbscript:x",
        "https://a\\@b",
        "file:///etc/passwd",
        "https://a\tb",
    ],
)
def test_nothing_else_becomes_a_link(url: str) -> None:
    assert web_link(url) == ""


def test_times_are_local_with_utc_in_the_title() -> None:
    assert format_time(NOW, BERLIN, NOW) == (
        '<time datetime="2026-11-28T02:21:00Z" title="2026-11-28 02:21:00 UTC">03:21</time>'
    )
    assert ">27 Nov 03:21<" in format_time(NOW - timedelta(days=1), BERLIN, NOW)
    assert ">27 Nov 2025 03:21<" in format_time(NOW - timedelta(days=366), BERLIN, NOW)
    assert format_time(None, BERLIN, NOW) == "–"


def test_ages_say_how_long_ago_or_how_soon() -> None:
    assert ">19 min ago<" in format_age(NOW - timedelta(minutes=19), NOW)
    assert ">in 6 min<" in format_age(NOW + timedelta(minutes=6), NOW)


def test_amounts_are_short() -> None:
    assert [format_amount(value) for value in (0, 0.004, 0.831, 3.44, 48, 3434.0, 12_400)] == [
        "0",
        "0.004",
        "0.831",
        "3.44",
        "48",
        "3,434",
        "12,400",
    ]
    assert [compact(count) for count in (0, 999, 38_400, 1_250_000)] == ["0", "999", "38k", "1.2M"]
    assert [format_usd(amount) for amount in (0, 0.001, 0.21, 1234.5)] == [
        "$0.00",
        "under $0.01",
        "$0.21",
        "$1,234.50",
    ]


def test_templates_escape_every_value() -> None:
    template = build_environment(BERLIN).from_string("<a title='{{ text }}'>{{ text }}</a>")

    rendered = template.render(text=samples.XSS)

    assert not set(rendered.removeprefix("<a title='").removesuffix("</a>").replace("'>", "", 1)) & set(
        "<>'\""
    )


def test_a_web_process_whose_page_nobody_opens_loads_neither_templates_nor_views() -> None:
    code = "import receiver.main, sys; print('\\n'.join(sys.modules))"

    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    loaded = [name for name in run.stdout.split() if name.startswith(("jinja2", "workers.views"))]
    assert loaded == []


# ---- charts ----


def chart(**changes: object) -> Chart:
    return samples.chart("CPU", "vCPU", lambda minute: minute / 30, limit=2, high=0.6).model_copy(
        update=changes
    )


def test_a_chart_has_its_line_limit_band_onset_and_deployments_inside_the_picture() -> None:
    drawing = draw(chart(), BERLIN)

    points = [tuple(map(float, pair.split(","))) for pair in drawing.lines[0].split()]
    assert len(drawing.lines) == 1
    assert all(drawing.left <= x <= drawing.right and drawing.top <= y <= drawing.bottom for x, y in points)
    assert drawing.limit is not None
    assert drawing.top <= drawing.limit < drawing.bottom
    assert drawing.band is not None
    assert drawing.onset is not None
    assert len(drawing.deployments) == 1
    assert drawing.deployments[0].x < drawing.onset.x < WIDTH
    assert [tick.label for tick in drawing.times] == ["02:21", "02:51", "03:21"]


def test_missing_measurements_are_a_gap_and_no_line() -> None:
    points = tuple(point for number, point in enumerate(chart().points) if not 20 <= number < 30)

    drawing = draw(chart(points=points), BERLIN)

    assert len(drawing.lines) == 2


@pytest.mark.parametrize(
    "points",
    [
        (),
        ((0, 1.0),),
        ((int(samples.minutes(30).timestamp()), 5.0),),
        tuple((int(samples.minutes(60 - n / 10).timestamp()), n) for n in range(600)),
    ],
)
def test_no_one_and_many_points_can_be_drawn(points: tuple[tuple[int, float], ...]) -> None:
    drawing = draw(chart(points=points), BERLIN)

    assert sum(len(line.split()) for line in drawing.lines) <= MAX_POINTS
    assert len(drawing.table) <= MAX_TABLE_ROWS


@pytest.mark.parametrize("value", [0.0, -5.0, 1e-12, 1e15, float("inf"), float("nan")])
def test_strange_values_stay_inside_the_picture(value: float) -> None:
    at = int(samples.minutes(30).timestamp())

    drawing = draw(chart(points=((at, value), (at + 60, 1.0)), limit=value, usual_high=value), BERLIN)

    numbers = [float(part) for line in drawing.lines for pair in line.split() for part in pair.split(",")]
    assert all(0 <= number <= max(WIDTH, HEIGHT) for number in numbers)


def test_a_limit_far_above_the_values_does_not_flatten_them() -> None:
    drawing = draw(chart(points=tuple((at, 0.01) for at, _ in chart().points)), BERLIN)

    assert drawing.limit is None
