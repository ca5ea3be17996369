"""The report of an environment's first check."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support import builders
from workers.engine.schema import PREFIX, operational_notification_key
from workers.engine.worker_store import WorkerStore
from workers.incidents import first_check
from workers.models import AnswerKind, Survey

SURVEY: Survey = builders.survey(builders.service("shop"), builders.service("web"))
KEY = operational_notification_key(f"first:{SURVEY.environment_id}")
CHRONIC = builders.finding(name="shop").model_copy(update={"chronic": True})


def test_the_first_check_is_reported_once(journal: WorkerStore) -> None:
    first_check.report(journal, SURVEY, [CHRONIC], ["incident:a:b"])
    journal.command("delete", KEY)
    first_check.report(journal, SURVEY, [CHRONIC], ["incident:a:b"])

    assert not journal.fields(KEY)
    assert not first_check.is_first(journal, SURVEY.environment_id)


def test_a_crash_before_the_mark_reports_the_first_check_once(journal: WorkerStore) -> None:
    first_check.report(journal, SURVEY, [CHRONIC], [])
    before = journal.fields(KEY)
    journal.command("delete", f"{PREFIX}watched:{SURVEY.environment_id}")

    first_check.report(journal, SURVEY, [CHRONIC], [])

    assert journal.fields(KEY) == before


def test_the_report_counts_healthy_services_and_names_failing_ones() -> None:
    answer = first_check.make_answer(SURVEY, [CHRONIC], ["incident:a:b"])

    assert (answer.kind, answer.services, answer.healthy_services) == (AnswerKind.FIRST_CHECK, 2, 1)
    assert [finding.service for finding in answer.findings] == ["shop"]


def test_an_acute_incident_needs_no_report_beside_it(journal: WorkerStore) -> None:
    acute = builders.finding(name="shop", since=datetime.now(UTC))

    first_check.report(journal, SURVEY, [acute], ["incident:a:b"])

    assert not journal.fields(KEY)
    assert not first_check.is_first(journal, SURVEY.environment_id)
