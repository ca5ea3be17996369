"""The answer to an alert for every state of its service: only one of them is an all-clear."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest

from tests.support import builders
from workers.incidents.answers import make_answer
from workers.models import (
    Alert,
    Answer,
    AnswerKind,
    Finding,
    Gap,
    GapPart,
    Incident,
    InstanceUsage,
    Service,
    Severity,
    Survey,
)
from workers.notifications.answer_posts import DROP_TEXTS, answer_post
from workers.notifications.presentation import Presentation

ALL_CLEAR = re.compile(r"no problem|nothing|all (is )?(well|fine)|healthy", re.IGNORECASE)
USAGE = (InstanceUsage(instance_id="i", cpu=((1, 0.2),)),)
TRAFFIC = builders.traffic([40] * 30)


def service(name: str = "orders", **fields: Any) -> Service:
    values = {"traffic": TRAFFIC, "serving": builders.deployment(), "usage": USAGE, "public": True} | fields
    return builders.service(name, **values)


def alert(**fields: Any) -> Alert:
    values = {
        "id": "a", "source": "railway", "kind": "monitor.triggered", "received_at": builders.END,
        "service_id": "svc-orders", "service_name": "orders",
    }  # fmt: skip
    return Alert.model_validate(values | fields)


def answer(
    survey: Survey,
    *findings: Finding,
    request: Alert | None = None,
    incidents: Sequence[tuple[str, Incident]] = (),
) -> Answer:
    request = request or alert()
    named = [
        item for item in survey.services if item.id == request.service_id or item.name == request.service_name
    ]
    return make_answer(survey, findings, request, named, incidents)


def text_of(result: Answer) -> str:
    """The message of an answer to the alert."""
    return answer_post(alert(), result, Presentation()).text


SENTENCE = "94 % of requests failing (5xx, 1,128 of 1,200) since 19:03 UTC, ongoing"
NOTICES = {
    "none": (),
    "notice": (builders.notice("latency", name="orders", sentence="p95 latency 900 ms"),),
    "baseline": (builders.notice("cpu", name="orders", sentence="CPU at 90 %", is_baseline=True),),
    "over": (
        builders.finding(
            name="orders", sentence="40 % of requests failed", severity=Severity.WARNING, ongoing=False
        ),
    ),
    "chronic": (builders.finding(name="orders", sentence=SENTENCE, severity=Severity.WARNING, chronic=True),),
    "of another service": (builders.notice("cpu", name="web", sentence="CPU at 90 %"),),
}
GAPS = {
    "none": (),
    "traffic": (Gap(part=GapPart.TRAFFIC, subject="orders", reason="503"),),
    "everything": (Gap(part=GapPart.USAGE, reason="503"),),
    "call graph": (Gap(part=GapPart.VARIABLES, reason="not authorized"),),
    "of another service": (Gap(part=GapPart.TRAFFIC, subject="web", reason="503"),),
}
OPEN = {
    "none": [],
    "its own": [("incident:1", builders.incident(builders.finding(name="orders"), name="orders"))],
    "its cause": [
        (
            "incident:2",
            builders.incident(name="db", symptoms=(builders.finding(name="orders", sentence="slow"),)),
        )
    ],
    "of another service": [("incident:3", builders.incident(name="web"))],
}
SERVICES = {
    "running": service(),
    "crashed": service(serving=builders.deployment(status="CRASHED")),
    "stopped": service(serving=builders.deployment(stopped=True)),
    "never deployed": service(serving=None),
    "silent": service(traffic=(), usage=()),
    "no requests, but samples": service(traffic=()),
}
HARMLESS = {"none", "of another service"}
CLEAR_SERVICES = {"running", "no requests, but samples"}


@pytest.mark.parametrize(("seen", "gap"), list(product(NOTICES, GAPS)))
def test_only_a_service_of_which_all_is_known_and_well_gets_an_all_clear(seen: str, gap: str) -> None:
    for state, covering in product(SERVICES, OPEN):
        survey = builders.survey(SERVICES[state], service("web"), failed_reads=GAPS[gap])
        result = answer(survey, *NOTICES[seen], incidents=OPEN[covering])
        text = text_of(result)

        is_clear = {seen, gap, covering} <= HARMLESS and state in CLEAR_SERVICES
        assert (result.kind is AnswerKind.NO_PROBLEM) == is_clear
        assert bool(ALL_CLEAR.search(text)) == is_clear, text
        if gap not in HARMLESS:
            assert "Could not read: " in text
        for finding in () if seen in HARMLESS else NOTICES[seen]:
            assert finding.sentence in text
        if covering not in HARMLESS:
            assert f"See `{OPEN[covering][0][0]}`." in text


def test_chronic_trouble_is_named_with_its_numbers_and_its_incident() -> None:
    text = text_of(
        answer(
            builders.survey(service()), *NOTICES["chronic"], incidents=[("incident:1", OPEN["its own"][0][1])]
        )
    )

    assert text.splitlines() == [
        f"🟠 orders: {SENTENCE}",
        "Railway's alert is real, but not new: it has been so for as far back as the data goes.",
        "See `incident:1`.",
    ]


def test_an_all_clear_says_what_was_measured() -> None:
    survey = builders.survey(service(traffic=builders.traffic([40] * 30, server_errors=1)))

    assert text_of(answer(survey)).splitlines() == [
        "✅ orders looks healthy: Railway's alert is not confirmed",
        "Checked the last 30 minutes: no problem found: 30 of 1,200 requests failed.",
        "Checking again in 5 min.",
    ]


@pytest.mark.parametrize(
    ("gaps", "kind"),
    [
        ((), AnswerKind.UNKNOWN_SERVICE),
        ((Gap(part=GapPart.ENVIRONMENT, reason="1 entry unreadable"),), AnswerKind.UNCLEAR),
    ],
)
def test_an_alert_about_a_service_that_does_not_exist_is_told_so(
    gaps: tuple[Gap, ...], kind: AnswerKind
) -> None:
    request = alert(service_id=None, service_name="order")

    result = answer(builders.survey(service(), failed_reads=gaps), request=request)

    assert result.kind is kind
    assert not ALL_CLEAR.search(text_of(result))


def test_an_alert_without_a_service_is_about_the_whole_environment() -> None:
    request = alert(service_id=None, service_name=None)
    survey = builders.survey(service(), service("web"))

    assert answer(survey, request=request).kind is AnswerKind.NO_PROBLEM
    assert answer(survey, *NOTICES["of another service"], request=request).kind is AnswerKind.SEEN
    assert answer(survey, request=request, incidents=OPEN["its own"]).kind is AnswerKind.OPEN_INCIDENT


def test_railways_own_incident_is_part_of_every_answer() -> None:
    survey = builders.survey(service(), platform_incident="Elevated error rates")

    assert "Railway reports an incident of its own: Elevated error rates." in text_of(answer(survey))


def test_a_dropped_alert_gets_no_all_clear() -> None:
    assert not [text for text in DROP_TEXTS.values() if ALL_CLEAR.search(text)]


def test_a_failed_check_says_that_nobody_knows_about_the_services() -> None:
    failed = Answer(kind=AnswerKind.CHECK_FAILED, reason="Railway answered 503", at=builders.END)

    assert text_of(failed).splitlines() == [
        "🟠 Trackwalker: check failed: Railway answered 503",
        "Trackwalker sees nothing since 12:00 UTC; your services may be fine.",
    ]
