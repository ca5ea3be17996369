"""A decision that something is no problem covers exactly its kinds of findings of its service."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.builders import END, finding, notice, survey
from workers.incidents.dismissals import dismiss, exceptions, without
from workers.models import Decision, DecisionKind, Person, Severity, Subject

DECISION = Decision(
    id="d1", kind=DecisionKind.NOT_A_PROBLEM, service_id="svc-api", service_name="api", finding_kinds=("latency",),
    person=Person(name="dana", via="slack"), at=END - timedelta(hours=1),
)  # fmt: skip
SLOW = finding("latency", severity=Severity.WARNING)
API = Subject(kind="service", key="svc-api", name="api")


def test_a_finding_of_the_kind_is_dismissed_with_its_decision() -> None:
    [dismissed] = dismiss([SLOW], survey(), [DECISION])

    assert dismissed.finding == SLOW
    assert dismissed.decision == DECISION
    assert without([SLOW], [dismissed]) == []


@pytest.mark.parametrize(
    "other",
    [
        finding("server_errors", severity=Severity.WARNING),
        finding("latency", name="web", severity=Severity.WARNING),
        finding("latency", severity=Severity.CRITICAL),
        notice("latency"),
    ],
    ids=["another kind", "another service", "critical now", "a notice"],
)
def test_anything_else_is_reported(other: object) -> None:
    assert dismiss([other], survey(), [DECISION]) == []  # type: ignore[list-item]  # findings, as parametrized


def test_what_was_critical_already_stays_dismissed() -> None:
    critical = finding("latency", severity=Severity.CRITICAL)
    decision = DECISION.model_copy(update={"critical_kinds": ("latency",)})

    assert len(dismiss([critical], survey(), [decision])) == 1


def test_an_incident_in_spite_of_a_decision_names_it() -> None:
    critical = finding("latency", severity=Severity.CRITICAL)

    assert exceptions([critical], API, [DECISION]) == (DECISION,)
    assert exceptions([SLOW], API, [DECISION]) == ()


def test_a_pause_dismisses_nothing() -> None:
    assert dismiss([SLOW], survey(), [DECISION.model_copy(update={"kind": DecisionKind.PAUSE})]) == []


def test_a_decision_holds_until_its_end_or_until_it_is_undone() -> None:
    limited = DECISION.model_copy(update={"until": END})

    assert limited.is_active(END - timedelta(seconds=1))
    assert not limited.is_active(END)
    assert not DECISION.model_copy(update={"undone_at": END}).is_active(END)
