"""Opening incidents: the incident of a finding, suppression, recovery, and the answers of alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support import builders, people
from tests.support.journals import enqueue_on_sweep
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.codec import unpack
from workers.engine.schema import OPEN, PREFIX, EndedAs
from workers.engine.worker_store import WorkerStore
from workers.incidents import decisions
from workers.incidents.incident_of_cause import MAX_SYMPTOMS
from workers.incidents.intake import ingest
from workers.incidents.opening import open_incidents
from workers.models import (
    ActionKind,
    Alert,
    Answer,
    AnswerKind,
    Environment,
    Finding,
    Gap,
    GapPart,
    Service,
    Severity,
    Survey,
    TrafficMinute,
    Window,
)

NOW = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)


def survey(**fields: Any) -> Survey:
    """A survey of the services shop and checkout."""
    window = fields.get("window", Window(start=NOW - timedelta(minutes=30), end=NOW))
    services = (healthy("shop", window), healthy("checkout", window))
    return builders.survey(**{"services": services, "window": window} | fields)


def healthy(name: str, window: Window) -> Service:
    """A running service that answers all of its requests."""
    traffic = tuple(
        TrafficMinute(
            at=int(window.start.timestamp()) + 60 * minute, requests=40, ok=40, client_errors=0, server_errors=0,
            p95_ms=80.0,
        )
        for minute in range(30)
    )  # fmt: skip
    return builders.service(
        name, traffic=traffic, serving=builders.deployment(), latest=builders.deployment()
    )


def afterwards(**facts: Any) -> Survey:
    """A survey of a window that ends after everything that the test did before."""
    end = datetime.now(UTC) + timedelta(minutes=1)
    return survey(window=Window(start=end - timedelta(minutes=30), end=end), **facts)


def failing(name: str, **fields: Any) -> Finding:
    """A warning about the service of that name."""
    values: dict[str, Any] = {"severity": Severity.WARNING, "since": NOW}
    return builders.finding(name=name, **values | fields)


CALLS = (("svc-shop", "svc-checkout"),)
"""The shop calls the checkout: if both fail, the shop is a symptom."""


def alert(**facts: Any) -> Alert:
    values = {
        "id": "a1",
        "source": "railway",
        "kind": "monitor.triggered",
        "received_at": NOW,
        "message": "told",
    }
    return Alert.model_validate(values | facts)


class Sweeps:
    """Sweeps of one environment, one after the other."""

    def __init__(self, journal: WorkerStore) -> None:
        self.journal = journal

    def claim(self, *alerts: Alert) -> Claim:
        environment = Environment(project_id="p", environment_id="e")
        key = ""
        for item in alerts or (alert(id="ping", source="ping", kind="ping"),):
            key = enqueue_on_sweep(self.journal, item, environment)
        claim = self.journal.claim(key, "survey")
        assert claim is not None
        return claim

    def find(self, current: Survey, *findings: Finding, alerts: tuple[Alert, ...] = ()) -> list[str]:
        claim = self.claim(*alerts)
        holders = open_incidents(
            claim,
            self.journal,
            current,
            list(findings),
            opened_at=NOW,
            ack_seconds=60,
            min_duration_minutes=4,
        )
        claim.end(EndedAs.RESOLVED, "done")
        return holders

    def clean(self, incident: str) -> int:
        return int(self.journal.fields(PREFIX + incident)["clean_sweeps"])

    def suppressed_by(self, incident: str) -> str:
        return self.journal.fields(PREFIX + incident).get("suppressed_by", b"").decode()

    def symptoms(self, incident: str) -> list[str]:
        recorded = self.journal.read_record(PREFIX + incident, records.SYMPTOMS) or []
        return [symptom.service for symptom in recorded]


@pytest.fixture
def sweeps(journal: WorkerStore) -> Sweeps:
    return Sweeps(journal)


def test_a_service_that_counts_as_the_platforms_trouble_has_not_recovered(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))

    holders = sweeps.find(survey(platform_incident="an outage"), failing("shop"), failing("checkout"))

    assert holders != [incident]
    assert sweeps.clean(incident) == 0


@pytest.mark.parametrize(
    ("gap", "clean"),
    [
        (Gap(part=GapPart.PROJECT_NAME, reason="no"), 1),
        (Gap(part=GapPart.TRAFFIC, subject="checkout", reason="no"), 1),
        (Gap(part=GapPart.TRAFFIC, subject="shop", reason="no"), 0),
        (Gap(part=GapPart.TRAFFIC, reason="no"), 0),
    ],
)
def test_only_a_gap_that_may_hide_the_trouble_prevents_a_clean_sweep(
    sweeps: Sweeps, gap: Gap, clean: int
) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))

    sweeps.find(survey(failed_reads=(gap,)))

    assert sweeps.clean(incident) == clean


def test_an_alert_without_a_service_is_answered_with_no_problem(sweeps: Sweeps, journal: WorkerStore) -> None:
    volume = alert(kind="volumealert.triggered")
    ingest(volume, None, journal, lambda _key: None)

    sweeps.find(survey(), alerts=(volume,))

    answer = unpack(journal.fields(f"{PREFIX}notification:alert:a1")["answer"], Answer)
    assert answer is not None
    assert (answer.kind, answer.minutes) == (AnswerKind.NO_PROBLEM, 30)


def test_a_forwarded_alert_counts_as_the_acknowledgement_of_its_incident(
    sweeps: Sweeps, journal: WorkerStore
) -> None:
    forwarded = alert(source="slack", kind="message", message="shop is down")

    [incident] = sweeps.find(survey(), failing("shop"), alerts=(forwarded,))

    assert journal.fields(f"{PREFIX}notification:{incident}")["forwarded"] == b"1"
    assert journal.command("hlen", OPEN) == 1


def test_residual_findings_open_no_further_occurrence(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))
    ended = sweeps.journal.claim(PREFIX + incident, "enrich")
    assert ended is not None
    ended.end(EndedAs.RESOLVED, "resolved")

    five = timedelta(minutes=5)
    remains = failing("shop").model_copy(update={"ongoing": False, "since": datetime.now(UTC) - five})
    returned = remains.model_copy(update={"since": datetime.now(UTC) + five})

    assert sweeps.find(afterwards(), remains) == []
    assert len(sweeps.find(afterwards(), returned)) == 1


def test_a_survey_from_before_an_incidents_end_opens_no_further_occurrence(
    sweeps: Sweeps,
) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))
    ended = sweeps.journal.claim(PREFIX + incident, "enrich")
    assert ended is not None
    ended.end(EndedAs.RESOLVED, "resolved")

    assert sweeps.find(survey(), failing("shop")) == []
    assert len(sweeps.find(afterwards(), failing("shop"))) == 1


def test_ongoing_trouble_after_an_incidents_end_is_the_next_occurrence(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))
    ended = sweeps.journal.claim(PREFIX + incident, "enrich")
    assert ended is not None
    ended.end(EndedAs.RESOLVED, "fix failed")

    [again] = sweeps.find(afterwards(), failing("shop"))

    assert again != incident


def test_a_sweep_that_is_repeated_after_a_crash_is_counted_once(sweeps: Sweeps) -> None:
    claim = sweeps.claim()

    runs = [
        open_incidents(
            claim,
            sweeps.journal,
            survey(),
            [failing("shop")],
            opened_at=NOW,
            ack_seconds=60,
            min_duration_minutes=4,
        )
        for _ in range(2)
    ]

    assert runs[0] == runs[1]
    assert sweeps.journal.fields(PREFIX + runs[0][0])["firings"] == b"1"


# ---- symptoms ----------------------------------------------------------------------------------


def test_a_symptom_gets_no_incident_and_is_recorded_with_its_cause(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"))

    recorded = sweeps.journal.read_record(PREFIX + incident, records.INCIDENT)
    assert recorded is not None
    assert (recorded.subject.name, [symptom.service for symptom in recorded.symptoms]) == (
        "checkout",
        ["shop"],
    )
    assert sweeps.journal.command("hlen", OPEN) == 1


def test_an_alert_about_a_symptom_is_answered_by_the_incident_of_its_cause(sweeps: Sweeps) -> None:
    about_shop = alert(service_name="shop")
    ingest(about_shop, None, sweeps.journal, lambda _key: None)

    [incident] = sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"), alerts=(about_shop,))

    fields = sweeps.journal.fields(f"{PREFIX}notification:alert:a1")
    assert fields["merged_into"].decode() == f"{PREFIX}notification:{incident}"
    assert "answer" not in fields


def test_the_symptoms_are_those_of_the_newest_sweep(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), failing("checkout"))

    sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"))
    during = sweeps.symptoms(incident)
    sweeps.find(survey(calls=CALLS), failing("checkout"))

    assert (during, sweeps.symptoms(incident)) == (["shop"], [])


def test_an_incident_that_becomes_a_symptom_is_suppressed_by_its_cause(
    sweeps: Sweeps,
) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), failing("shop"))

    [cause] = sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"))

    assert cause != caller
    assert sweeps.suppressed_by(caller) == PREFIX + cause
    assert sweeps.suppressed_by(cause) == ""


def test_an_incident_is_suppressed_once(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), failing("shop"))
    sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"))
    before = sweeps.journal.fields(PREFIX + caller)["signals"]

    sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"))

    assert sweeps.journal.fields(PREFIX + caller)["signals"] == before


def test_a_symptom_that_outlasts_its_cause_is_unsuppressed(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), failing("shop"))
    [cause] = sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"))
    for _ in range(2):
        sweeps.find(survey(calls=CALLS), failing("shop"))
    before = sweeps.suppressed_by(caller)

    [again] = sweeps.find(survey(calls=CALLS), failing("shop", sentence="shop still fails"))

    recorded = sweeps.journal.read_record(PREFIX + caller, records.INCIDENT)
    assert again == caller
    assert (before, sweeps.suppressed_by(caller)) == (PREFIX + cause, "")
    assert recorded is not None
    assert recorded.findings[0].sentence == "shop still fails", "nothing was read of it yet"


PARTIAL = Gap(part=GapPart.ENVIRONMENT, reason="1 entries that cannot be read")
BLIND = Gap(part=GapPart.VARIABLES, reason="no")


def test_a_symptom_stays_suppressed_while_the_calls_are_unknown_and_its_cause_fails(
    sweeps: Sweeps,
) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), failing("shop"))
    [cause] = sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"))

    sweeps.find(survey(failed_reads=(BLIND,)), failing("shop"), failing("checkout"))

    assert sweeps.suppressed_by(caller) == PREFIX + cause


def test_a_symptom_is_unsuppressed_after_its_causes_end_although_the_calls_are_unknown(
    sweeps: Sweeps,
) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), failing("shop"))
    [cause] = sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"))
    over = sweeps.journal.claim(PREFIX + cause, "enrich")
    assert over is not None
    over.end(EndedAs.RESOLVED, "resolved")

    sweeps.find(survey(failed_reads=(BLIND,)), failing("shop"))

    assert sweeps.suppressed_by(caller) == ""


def test_of_two_incidents_that_suppressed_each_other_in_turn_one_continues(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), failing("shop"))
    [cause] = sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"))

    sweeps.find(survey(calls=(("svc-checkout", "svc-shop"),)), failing("shop"), failing("checkout"))

    assert (sweeps.suppressed_by(caller), sweeps.suppressed_by(cause)) == ("", PREFIX + caller)


def test_a_symptom_with_trouble_of_its_own_is_unsuppressed_at_once(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), failing("shop"))
    sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"))

    sweeps.find(survey(calls=CALLS), failing("shop", kind="crashed"), failing("checkout"))

    assert sweeps.suppressed_by(caller) == ""


def test_every_symptom_is_suppressed_even_beyond_the_recorded_ones(sweeps: Sweeps) -> None:
    names = ["checkout", *(f"s{n}" for n in range(MAX_SYMPTOMS + 2))]
    services = tuple(Service(id=f"svc-{name}", name=name) for name in names)
    calls = tuple((f"svc-{name}", "svc-checkout") for name in names[1:])
    incidents = sweeps.find(survey(services=services, calls=calls), *(failing(name) for name in names[1:]))

    sweeps.find(survey(services=services, calls=calls), *(failing(name) for name in names))

    assert all(sweeps.suppressed_by(incident) for incident in incidents)


def test_a_symptom_is_suppressed_by_the_next_occurrence_of_its_cause(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), failing("shop"))
    [first] = sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"))
    over = sweeps.journal.claim(PREFIX + first, "enrich")
    assert over is not None
    over.end(EndedAs.RESOLVED, "resolved")

    [second] = sweeps.find(afterwards(calls=CALLS), failing("shop"), failing("checkout"))

    assert first != second
    assert sweeps.suppressed_by(caller) == PREFIX + second


# ---- what is not clean -------------------------------------------------------------------------


def test_trouble_that_became_the_baseline_has_not_recovered(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))

    sweeps.find(survey(), failing("shop", severity=Severity.NOTICE, is_baseline=True))

    assert sweeps.clean(incident) == 0


def test_a_baseline_of_another_kind_does_not_prevent_recovery(sweeps: Sweeps) -> None:
    baseline = failing("shop", kind="cpu", severity=Severity.NOTICE, is_baseline=True)
    [incident] = sweeps.find(survey(), failing("shop"), baseline)

    sweeps.find(survey(), baseline)

    assert sweeps.clean(incident) == 1


def test_a_suppressed_incident_is_not_counted_as_clean(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), failing("shop"))

    sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"))

    assert sweeps.clean(caller) == 0


def test_trouble_in_between_restarts_the_count_of_clean_sweeps(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), failing("shop"))
    sweeps.find(survey(calls=CALLS))

    sweeps.find(survey(calls=CALLS), failing("shop"), failing("checkout"))
    between = sweeps.clean(caller)
    sweeps.find(survey(calls=CALLS))

    assert (between, sweeps.clean(caller)) == (0, 1)


def test_a_gap_that_was_there_at_detection_hides_nothing(sweeps: Sweeps) -> None:
    gap = Gap(part=GapPart.EVENTS, reason="Railway: Not Authorized")
    [incident] = sweeps.find(survey(failed_reads=(gap,)), failing("shop"))

    sweeps.find(survey(failed_reads=(gap,)))

    assert sweeps.clean(incident) == 1


def test_a_gap_may_hide_trouble_that_was_found_without_it(sweeps: Sweeps) -> None:
    gap = Gap(part=GapPart.EVENTS, reason="Railway: Not Authorized")
    [incident] = sweeps.find(survey(failed_reads=(gap,)), failing("shop"))
    sweeps.find(survey(), failing("shop", kind="oom_killed"))

    sweeps.find(survey(failed_reads=(gap,)))

    assert sweeps.clean(incident) == 0


def test_a_service_without_a_deployment_has_not_recovered(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))

    sweeps.find(survey(), failing("shop", kind="missing", severity=Severity.NOTICE))

    assert sweeps.clean(incident) == 0


WITHOUT_SHOP = (Service(id="svc-checkout", name="checkout"),)


def test_a_service_that_is_no_longer_listed_counts_as_removed(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))
    sweeps.find(survey())

    sweeps.find(survey(services=WITHOUT_SHOP))

    fields = sweeps.journal.fields(PREFIX + incident)
    assert (fields["recovery"], fields["clean_sweeps"]) == (b"removed", b"1")


def test_a_service_does_not_count_as_removed_if_the_list_is_incomplete(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))

    sweeps.find(survey(services=WITHOUT_SHOP, failed_reads=(PARTIAL,)))

    assert sweeps.clean(incident) == 0


# ---- what people decided ---------------------------------------------------------------------


def test_what_is_not_a_problem_opens_no_incident_and_is_explained_on_the_sweep(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))
    assert people.act(sweeps.journal, ActionKind.NOT_A_PROBLEM, incident, at=NOW, reason="load test").done

    holders = sweeps.find(afterwards(), failing("shop"))

    [dismissed] = sweeps.journal.read_record(f"{PREFIX}sweep:e:2", records.DISMISSED) or []
    assert holders == []
    assert (dismissed.finding.service, dismissed.decision.reason) == ("shop", "load test")


def test_trouble_that_became_critical_is_reported_in_spite_of_a_decision(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))
    people.act(sweeps.journal, ActionKind.NOT_A_PROBLEM, incident, at=NOW)

    [holder] = sweeps.find(afterwards(), failing("shop", severity=Severity.CRITICAL, ongoing=True))

    opened = sweeps.journal.read_record(PREFIX + holder, records.INCIDENT)
    assert opened is not None
    assert [decision.person for decision in opened.despite] == [people.DANA]


def test_an_undone_decision_lets_the_trouble_be_reported_again(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))
    people.act(sweeps.journal, ActionKind.NOT_A_PROBLEM, incident, at=NOW)
    [decision] = decisions.active(sweeps.journal, NOW)

    people.act(sweeps.journal, ActionKind.UNDO, decision.id, at=NOW)

    assert len(sweeps.find(afterwards(), failing("shop", ongoing=True))) == 1


def test_an_alert_about_what_is_not_a_problem_is_answered_with_the_decision(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))
    people.act(sweeps.journal, ActionKind.NOT_A_PROBLEM, incident, at=NOW)

    sweeps.find(afterwards(), failing("shop"), alerts=(alert(service_id="svc-shop", service_name="shop"),))

    answer = unpack(sweeps.journal.fields(f"{PREFIX}notification:alert:a1")["answer"], Answer)
    assert answer is not None
    assert answer.kind is AnswerKind.NOT_A_PROBLEM
    assert answer.decision is not None


def test_a_check_that_a_person_asked_for_is_answered_in_the_incident_only(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), failing("shop"))
    asked = alert(id="check-1", source="person", kind="check", incident_id=incident, asked_by="dana")

    sweeps.find(afterwards(), failing("shop"), alerts=(asked,))

    checked = sweeps.journal.read_record(PREFIX + incident, records.CHECKED)
    assert checked is not None
    assert (checked.asked_by, checked.answer.findings[0].service) == ("dana", "shop")
    assert not sweeps.journal.client.exists(f"{PREFIX}notification:alert:check-1")
