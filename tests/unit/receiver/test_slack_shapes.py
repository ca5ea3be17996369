"""Messages of real tools: an alert or good news, its text, and the services that it names."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from receiver.sources.slack import parse
from tests.support.builders import service
from tests.support.slack_shapes import SERVICES, SHAPES, Shape
from workers.incidents.service_names import named_services
from workers.models import Alert, Ignored

AT = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)


def parsed(shape: Shape) -> Alert | Ignored:
    return parse(json.dumps(shape.body).encode(), AT, "tok")


def alert_of(shape: Shape) -> Alert:
    result = parsed(shape)
    alert = result.good_news if isinstance(result, Ignored) else result
    assert alert is not None
    return alert


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_good_news_is_no_alert_and_everything_else_is_one(shape: Shape) -> None:
    assert isinstance(parsed(shape), Alert) == shape.is_alert


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_services_that_a_message_names_are_found(shape: Shape) -> None:
    services = [service(name=name, id=f"id-{name}") for name in SERVICES]

    named = named_services(alert_of(shape), services)

    assert tuple(sorted(item.name for item in named)) == tuple(sorted(shape.services))


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.lines], ids=lambda shape: shape.name)
def test_buttons_links_and_rich_text_are_part_of_the_message(shape: Shape) -> None:
    lines = alert_of(shape).message.splitlines()

    assert [line for line in shape.lines if line not in lines] == []
