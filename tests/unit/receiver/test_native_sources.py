"""Webhooks of Alertmanager, Grafana and Sentry: alerts per service, good news, repeats, and hostile bodies."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from receiver.payload import InvalidPayload, Parsed
from receiver.sources import alertmanager, grafana, railway, sentry
from receiver.sources.alert_groups import FIRING_DEDUP_SECONDS, MAX_ALERTS, MAX_SERVICES
from receiver.sources.service_labels import with_mapped_names
from tests.support import native_bodies as bodies
from tests.support.builders import service
from tests.support.native_bodies import alert
from workers.incidents.intake import RESOLVED, DedupWindow
from workers.incidents.service_names import named_services
from workers.models import Alert, Ignored

AT = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)
Parser = Callable[[Any, datetime, str], Parsed]
GROUPS: tuple[tuple[Parser, Callable[..., dict[str, Any]]], ...] = (
    (alertmanager.parse, bodies.alertmanager),
    (grafana.parse, bodies.grafana),
)
SENTRY_PROBLEMS = (
    bodies.sentry_event(),
    bodies.sentry_metric(),
    bodies.sentry_metric("warning"),
    bodies.sentry_issue(),
    bodies.sentry_issue("unresolved"),
    bodies.sentry_plugin(),
    bodies.sentry_service_hook(),
)


def alerts(parse: Parser, body: object) -> list[Alert]:
    parsed = parse(json.dumps(body).encode(), AT, "tok")
    assert not isinstance(parsed, Ignored)
    return [alert for alert, _ in parsed]


def dedup(parse: Parser, body: object) -> DedupWindow:
    parsed = parse(json.dumps(body).encode(), AT, "tok")
    assert not isinstance(parsed, Ignored)
    window = parsed[0][1]
    assert window is not None
    return window


def good_news(parse: Callable[[Any, datetime, str], object], body: object) -> Alert:
    parsed = parse(json.dumps(body).encode(), AT, "tok")
    assert isinstance(parsed, Ignored)
    assert parsed.good_news is not None
    return parsed.good_news


def names(alert: Alert) -> list[str]:
    services = [service(name=name) for name in ("ledger", "checkout", "api")]
    return [item.name for item in named_services(alert, services)]


# ---- groups -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("parse", "body"), GROUPS)
def test_what_fires_for_one_service_is_one_alert(parse: Parser, body: Callable[..., dict[str, Any]]) -> None:
    firing = alerts(parse, body(alert("Errors", service="ledger"), alert("Latency", service="ledger")))

    assert [names(item) for item in firing] == [["ledger"]]
    assert firing[0].message.splitlines()[:2] == [
        "Errors: Errors: 94 % of requests fail",
        "Latency: Latency: 94 % of requests fail",
    ]


@pytest.mark.parametrize(("parse", "body"), GROUPS)
def test_each_service_of_a_group_gets_its_own_alert(
    parse: Parser, body: Callable[..., dict[str, Any]]
) -> None:
    firing = alerts(parse, body(alert(service="ledger"), alert(app="checkout"), alert("Watchdog")))

    assert [names(item) for item in firing] == [["ledger"], ["checkout"], []]
    assert len({item.id for item in firing}) == 3


@pytest.mark.parametrize(("parse", "body"), GROUPS)
def test_a_group_in_which_everything_is_resolved_is_good_news(
    parse: Parser, body: Callable[..., dict[str, Any]]
) -> None:
    news = good_news(parse, body(alert(status="resolved", service="ledger")))

    assert (news.kind, names(news)) == (RESOLVED, ["ledger"])


@pytest.mark.parametrize(("parse", "body"), GROUPS)
def test_a_mixed_group_is_an_alert_about_what_fires(
    parse: Parser, body: Callable[..., dict[str, Any]]
) -> None:
    mixed = body(alert(status="resolved", service="ledger"), alert(service="checkout"))

    assert [names(item) for item in alerts(parse, mixed)] == [["checkout"]]


def test_a_repeated_group_has_the_same_keys_for_a_day() -> None:
    first = dedup(alertmanager.parse, bodies.alertmanager(alert(service="ledger")))
    again = dedup(alertmanager.parse, bodies.alertmanager(alert(service="ledger"), truncatedAlerts=1))

    assert first == again
    assert first.seconds == FIRING_DEDUP_SECONDS == 86_400


def test_a_firing_that_joins_the_group_adds_a_key() -> None:
    one = bodies.alertmanager(alert("Errors", service="ledger"))
    two = bodies.alertmanager(alert("Errors", service="ledger"), alert("Latency", service="ledger"))

    assert set(dedup(alertmanager.parse, one).keys) < set(dedup(alertmanager.parse, two).keys)


def test_a_firing_that_begins_anew_has_another_key() -> None:
    later = alert(service="ledger") | {"startsAt": "2026-11-23T09:00:00.000Z"}

    keys = [
        dedup(alertmanager.parse, bodies.alertmanager(item)).keys for item in (alert(service="ledger"), later)
    ]

    assert keys[0] != keys[1]


def test_a_group_of_very_many_services_loses_none_of_its_alerts() -> None:
    many = [alert(f"Alert{n}", service=f"s{n}") for n in range(3 * MAX_SERVICES)]

    parsed = alertmanager.parse(bodies.alertmanager(*many), AT, "tok")

    assert not isinstance(parsed, Ignored)
    assert len(parsed) == MAX_SERVICES + 1
    assert sum(len(window.keys) for _, window in parsed if window) == 3 * MAX_SERVICES


def test_alerts_that_the_sender_left_out_are_mentioned() -> None:
    (item,) = alerts(alertmanager.parse, bodies.alertmanager(truncatedAlerts=7))

    assert "the group has 7 more" in item.message.splitlines()


def test_a_body_of_very_many_alerts_costs_no_more_than_a_real_one() -> None:
    body = bodies.alertmanager(truncatedAlerts=1) | {"alerts": [{}] * (MAX_ALERTS + 70_000)}

    (item,) = alerts(alertmanager.parse, body)

    assert "the group has 70001 more" in item.message.splitlines()


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"service": "ledger", "job": "api"}, ["ledger"]),
        ({"service": "node-exporter", "job": "api"}, ["api"]),
        ({"job": "shop/ledger"}, ["ledger"]),
        ({"service": "svc-ledger"}, ["ledger"]),
        ({"service": "LEDGER"}, ["ledger"]),
        ({"instance": "ledger.railway.internal:9100"}, ["ledger"]),
        ({"instance": "ledger.example.com:9100"}, []),
        ({"railway_service_id": "6b2ec174-9f30-417e-9c85-2d3f40516c7d"}, []),
    ],
)
def test_labels_name_the_service_in_order(labels: dict[str, str], expected: list[str]) -> None:
    (item,) = alerts(alertmanager.parse, bodies.alertmanager(alert("Watchdog", **labels)))

    assert names(item) == expected


def test_labels_with_railways_ids_fill_the_alerts_fields() -> None:
    service_id = "6b2ec174-9f30-417e-9c85-2d3f40516c7d"

    (item,) = alerts(alertmanager.parse, bodies.alertmanager(alert(railway_service_id=service_id)))

    assert item.service_id == service_id


@pytest.mark.parametrize(
    ("label", "text", "expected"),
    [
        ("Shop Front", "", ["ledger"]),
        ("shop  front", "", ["ledger"]),
        ("node", "Shop Front is slow", ["ledger"]),
        ("node", "https://shop front.example/", []),
        ("checkout", "Shop Front is slow", ["checkout"]),
    ],
)
def test_the_service_map_names_services_that_labels_and_text_do_not(
    label: str, text: str, expected: list[str]
) -> None:
    (item,) = alerts(alertmanager.parse, bodies.alertmanager(alert(text or "Watchdog", service=label)))

    assert names(with_mapped_names(item, {"Shop Front": "ledger"})) == expected


def test_an_older_body_and_prometheus_own_api_are_refused_with_a_hint() -> None:
    with pytest.raises(InvalidPayload, match="version: must be"):
        alertmanager.parse(bodies.alertmanager(version="3"), AT, "tok")
    with pytest.raises(InvalidPayload, match="webhook_configs"):
        alertmanager.parse(json.dumps([alert()]).encode(), AT, "tok")


@pytest.mark.parametrize("state", ["alerting", "no_data"])
def test_a_legacy_alert_of_grafana_is_read(state: str) -> None:
    (item,) = alerts(grafana.parse, bodies.grafana_legacy(state))

    assert names(item) == ["ledger"]
    assert "p95: 4.2" in item.message.splitlines()


def test_a_legacy_alert_that_is_ok_is_good_news_and_a_paused_one_is_nothing() -> None:
    assert names(good_news(grafana.parse, bodies.grafana_legacy("ok"))) == ["ledger"]
    assert grafana.parse(bodies.grafana_legacy("paused"), AT, "tok") == Ignored(
        reason="state paused reports no problem"
    )


# ---- Sentry -------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", SENTRY_PROBLEMS)
def test_every_form_of_sentrys_alerts_is_one_alert_with_its_service(body: dict[str, Any]) -> None:
    (item,) = alerts(sentry.parse, body)

    assert (item.source, item.kind, names(item)) == ("sentry", "firing", ["ledger"])
    assert item.message


def test_the_project_in_sentrys_address_may_name_the_service() -> None:
    body = bodies.sentry_event(tags=[], url="https://sentry.io/api/0/projects/acme/checkout/events/1/")

    assert names(alerts(sentry.parse, body)[0]) == ["checkout"]


@pytest.mark.parametrize("body", [bodies.sentry_metric("resolved"), bodies.sentry_issue("resolved")])
def test_what_sentry_resolves_is_good_news(body: dict[str, Any]) -> None:
    assert names(good_news(sentry.parse, body)) == ["ledger"]


@pytest.mark.parametrize(
    "body",
    [
        bodies.sentry_issue("assigned"),
        bodies.sentry_issue("archived"),
        {"action": "created", "data": {"installation": {"uuid": "x", "status": "pending"}}},
        {"action": "created", "data": {"comment": "looking", "comment_id": 1, "issue_id": 2}},
    ],
)
def test_what_reports_no_problem_is_ignored(body: dict[str, Any]) -> None:
    parsed = sentry.parse(body, AT, "tok")

    assert isinstance(parsed, Ignored)
    assert parsed.good_news is None


def test_an_issue_that_rings_again_within_the_hour_is_one_alert() -> None:
    first = dedup(sentry.parse, bodies.sentry_event())
    again = dedup(sentry.parse, bodies.sentry_event(event_id="ffff"))
    another = dedup(sentry.parse, bodies.sentry_event(issue_id="2"))

    assert first == again
    assert first.seconds == 3600
    assert another.keys != first.keys


@pytest.mark.parametrize("event", ["Monitor.resolved", "VolumeAlert.resolved"])
def test_what_railway_resolves_is_good_news(event: str) -> None:
    body = {"type": event, "resource": {"service": {"id": "s1", "name": "ledger"}}}

    news = good_news(railway.parse, body)

    assert (news.kind, news.service_id, news.service_name) == (RESOLVED, "s1", "ledger")


# ---- hostile bodies -----------------------------------------------------------------------------

WRONG_VALUES: tuple[Any, ...] = (
    None, True, 7, -1.5, 1e300, "", "x", "\ud800", "x" * 70_000, [], [[]], [None], {}, {"a": {"b": {}}}, ["firing"],
)  # fmt: skip
EVERY_BODY: tuple[tuple[Parser, dict[str, Any]], ...] = (
    (alertmanager.parse, bodies.alertmanager()),
    (grafana.parse, bodies.grafana()),
    (grafana.parse, bodies.grafana_legacy()),
    *((sentry.parse, body) for body in SENTRY_PROBLEMS),
)


def with_each_field_wrong(node: Any, value: Any) -> Iterator[Any]:
    """The document with one of its values replaced, for each value at any depth."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield {**node, key: value}
            yield from ({**node, key: changed} for changed in with_each_field_wrong(child, value))
    elif isinstance(node, list):
        for number, child in enumerate(node):
            for changed in (value, *with_each_field_wrong(child, value)):
                yield [*node[:number], changed, *node[number + 1 :]]


@pytest.mark.parametrize("value", WRONG_VALUES, ids=lambda value: repr(value)[:12])
def test_a_value_of_any_type_in_any_field_is_read_or_refused_with_the_field(value: Any) -> None:
    for parse, body in EVERY_BODY:
        for changed in with_each_field_wrong(copy.deepcopy(body), value):
            outcome = read_or_refused(parse, changed)

            assert isinstance(outcome, Ignored) or outcome


def read_or_refused(parse: Parser, body: object) -> Parsed | str:
    """The content of the body, or the name of the field for which it is refused."""
    try:
        return parse(json.dumps(body).encode(), AT, "tok")
    except InvalidPayload as error:
        return error.field


@pytest.mark.parametrize("parse", [alertmanager.parse, grafana.parse, sentry.parse])
@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"\xff", b"null", b"1", b'"x"', b"[]", b"{", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"[" * 100_000,
        b'{"a":' * 50_000, b'{"version": 1e999}', b'{"alerts": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_a_body_that_is_no_object_is_refused(parse: Parser, raw: bytes) -> None:
    with pytest.raises(InvalidPayload):
        parse(raw, AT, "tok")
