"""Opening: which incident a finding belongs to, when one is over, and the answer that every alert is owed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.journals import enqueue_on_sweep
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.codec import unpack
from workers.engine.schema import OPEN, PREFIX, EndedAs
from workers.engine.worker_store import WorkerStore
from workers.incidents.intake import ingest
from workers.incidents.opening import MAX_SYMPTOMS, open_incidents
from workers.models import (
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
    Window,
)

NOW = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)


def survey(**facts: Any) -> Survey:
    services = tuple(Service(id=f"svc-{name}", name=name) for name in ("shop", "checkout"))
    said = {
        "project_id": "p", "project_name": "shop", "environment_id": "e", "environment_name": "production",
        "window": Window(start=NOW - timedelta(minutes=30), end=NOW), "step_seconds": 60, "services": services,
    }  # fmt: skip
    return Survey.model_validate(said | facts)


def afterwards(**facts: Any) -> Survey:
    """What is seen once everything that the test did before is over."""
    end = datetime.now(UTC) + timedelta(minutes=1)
    return survey(window=Window(start=end - timedelta(minutes=30), end=end), **facts)


def sick(name: str, **facts: Any) -> Finding:
    said = {
        "service_id": f"svc-{name}", "service": name, "kind": "server_errors", "severity": Severity.WARNING,
        "since": NOW, "ongoing": True, "sentence": f"{name} answers with 5xx",
    }  # fmt: skip
    return Finding.model_validate(said | facts)


CALLS = (("svc-shop", "svc-checkout"),)
"""The shop calls the checkout: where both are sick, the shop only suffers."""


def alert(**facts: Any) -> Alert:
    said = {
        "id": "a1",
        "source": "railway",
        "kind": "monitor.triggered",
        "received_at": NOW,
        "message": "told",
    }
    return Alert.model_validate(said | facts)


class Sweeps:
    """Sweeps of one environment, one after the other."""

    def __init__(self, journal: WorkerStore) -> None:
        self.journal = journal

    def claim(self, *alerts: Alert) -> Claim:
        environment = Environment(project_id="p", environment_id="e")
        key = ""
        for one in alerts or (alert(id="ping", source="ping", kind="ping"),):
            key = enqueue_on_sweep(self.journal, one, environment)
        claim = self.journal.claim(key, "survey")
        assert claim is not None
        return claim

    def find(self, seen: Survey, *findings: Finding, alerts: tuple[Alert, ...] = ()) -> list[str]:
        claim = self.claim(*alerts)
        held = open_incidents(claim, self.journal, seen, list(findings), opened_at=NOW, ack_seconds=60)
        claim.end(EndedAs.RESOLVED, "done")
        return held

    def clean(self, incident: str) -> int:
        return int(self.journal.fields(PREFIX + incident)["clean_sweeps"])

    def joined(self, incident: str) -> str:
        return self.journal.fields(PREFIX + incident).get("suppressed_by", b"").decode()

    def suffering(self, incident: str) -> list[str]:
        found = self.journal.read_record(PREFIX + incident, records.SYMPTOMS) or []
        return [one.service for one in found]


@pytest.fixture
def sweeps(journal: WorkerStore) -> Sweeps:
    return Sweeps(journal)


def test_a_service_whose_trouble_counts_as_the_platforms_is_not_counted_as_well(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), sick("shop"))

    held = sweeps.find(survey(platform_incident="an outage"), sick("shop"), sick("checkout"))

    assert held != [incident]
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
def test_only_a_gap_that_may_hide_the_trouble_keeps_an_incident_open(
    sweeps: Sweeps, gap: Gap, clean: int
) -> None:
    [incident] = sweeps.find(survey(), sick("shop"))

    sweeps.find(survey(failed_reads=(gap,)))

    assert sweeps.clean(incident) == clean


def test_an_alert_without_a_service_hears_that_nothing_is_above_the_line(
    sweeps: Sweeps, journal: WorkerStore
) -> None:
    volume = alert(kind="volumealert.triggered")
    ingest(volume, None, journal, lambda _key: None)

    sweeps.find(survey(), alerts=(volume,))

    answer = unpack(journal.fields(f"{PREFIX}notification:alert:a1")["answer"], Answer)
    assert answer == Answer(kind=AnswerKind.NO_PROBLEM, minutes=30)


def test_a_forwarded_alert_is_the_first_word_from_the_moment_the_incident_is_open(
    sweeps: Sweeps, journal: WorkerStore
) -> None:
    forwarded = alert(source="slack", kind="message", message="shop is down")

    [incident] = sweeps.find(survey(), sick("shop"), alerts=(forwarded,))

    assert journal.fields(f"{PREFIX}notification:{incident}")["forwarded"] == b"1"
    assert journal.command("hlen", OPEN) == 1


def test_what_a_window_still_shows_of_trouble_that_is_over_opens_no_further_round(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), sick("shop"))
    ended = sweeps.journal.claim(PREFIX + incident, "enrich")
    assert ended is not None
    ended.end(EndedAs.RESOLVED, "held")

    five = timedelta(minutes=5)
    remains = sick("shop").model_copy(update={"ongoing": False, "since": datetime.now(UTC) - five})
    anew = remains.model_copy(update={"since": datetime.now(UTC) + five})

    assert sweeps.find(afterwards(), remains) == []
    assert len(sweeps.find(afterwards(), anew)) == 1


def test_a_sweep_that_looked_before_a_round_ended_opens_no_further_one_when_it_is_judged_after_it(
    sweeps: Sweeps,
) -> None:
    [incident] = sweeps.find(survey(), sick("shop"))
    ended = sweeps.journal.claim(PREFIX + incident, "enrich")
    assert ended is not None
    ended.end(EndedAs.RESOLVED, "held")

    assert sweeps.find(survey(), sick("shop")) == []
    assert len(sweeps.find(afterwards(), sick("shop"))) == 1


def test_trouble_that_goes_on_after_its_round_has_ended_is_the_next_round(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), sick("shop"))
    ended = sweeps.journal.claim(PREFIX + incident, "enrich")
    assert ended is not None
    ended.end(EndedAs.RESOLVED, "did not hold")

    [again] = sweeps.find(afterwards(), sick("shop"))

    assert again != incident


def test_a_sweep_that_is_done_again_after_a_death_is_counted_once(sweeps: Sweeps) -> None:
    claim = sweeps.claim()

    found = [
        open_incidents(claim, sweeps.journal, survey(), [sick("shop")], opened_at=NOW, ack_seconds=60)
        for _ in range(2)
    ]

    assert found[0] == found[1]
    assert sweeps.journal.fields(PREFIX + found[0][0])["firings"] == b"1"


# ---- symptoms ----------------------------------------------------------------------------------


def test_a_service_that_only_suffers_gets_no_incident_and_stands_in_that_of_its_cause(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"))

    recorded = sweeps.journal.read_record(PREFIX + incident, records.INCIDENT)
    assert recorded is not None
    assert (recorded.subject.name, [one.service for one in recorded.symptoms]) == ("checkout", ["shop"])
    assert sweeps.journal.command("hlen", OPEN) == 1


def test_an_alert_that_names_a_symptom_is_answered_by_the_incident_of_its_cause(sweeps: Sweeps) -> None:
    about_shop = alert(service_name="shop")
    ingest(about_shop, None, sweeps.journal, lambda _key: None)

    [incident] = sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"), alerts=(about_shop,))

    words = sweeps.journal.fields(f"{PREFIX}notification:alert:a1")
    assert words["merged_into"].decode() == f"{PREFIX}notification:{incident}"
    assert "answer" not in words


def test_what_others_suffer_is_kept_as_the_newest_sweep_saw_it(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), sick("checkout"))

    sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"))
    during = sweeps.suffering(incident)
    sweeps.find(survey(calls=CALLS), sick("checkout"))

    assert (during, sweeps.suffering(incident)) == (["shop"], [])


def test_an_incident_that_a_later_sweep_calls_a_symptom_is_joined_to_that_of_its_cause(
    sweeps: Sweeps,
) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), sick("shop"))

    [cause] = sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"))

    assert cause != caller
    assert sweeps.joined(caller) == PREFIX + cause
    assert sweeps.joined(cause) == ""


def test_an_incident_is_joined_once_however_often_it_is_found_to_be_a_symptom(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), sick("shop"))
    sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"))
    before = sweeps.journal.fields(PREFIX + caller)["signals"]

    sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"))

    assert sweeps.journal.fields(PREFIX + caller)["signals"] == before


def test_a_symptom_that_is_sick_after_its_cause_is_well_stands_for_itself_again(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), sick("shop"))
    [cause] = sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"))
    for _ in range(2):
        sweeps.find(survey(calls=CALLS), sick("shop"))
    before = sweeps.joined(caller)

    [again] = sweeps.find(survey(calls=CALLS), sick("shop", sentence="shop still fails"))

    recorded = sweeps.journal.read_record(PREFIX + caller, records.INCIDENT)
    assert again == caller
    assert (before, sweeps.joined(caller)) == (PREFIX + cause, "")
    assert recorded is not None
    assert recorded.findings[0].sentence == "shop still fails", "nothing was read of it yet"


PARTIAL = Gap(part=GapPart.ENVIRONMENT, reason="1 entries that cannot be read")
BLIND = Gap(part=GapPart.VARIABLES, reason="no")


def test_a_symptom_stays_one_while_its_cause_is_sick_and_nobody_can_see_who_calls_whom(
    sweeps: Sweeps,
) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), sick("shop"))
    [cause] = sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"))

    sweeps.find(survey(failed_reads=(BLIND,)), sick("shop"), sick("checkout"))

    assert sweeps.joined(caller) == PREFIX + cause


def test_who_is_sick_after_its_cause_has_ended_is_told_though_nobody_can_see_who_calls_whom(
    sweeps: Sweeps,
) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), sick("shop"))
    [cause] = sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"))
    over = sweeps.journal.claim(PREFIX + cause, "enrich")
    assert over is not None
    over.end(EndedAs.RESOLVED, "held")

    sweeps.find(survey(failed_reads=(BLIND,)), sick("shop"))

    assert sweeps.joined(caller) == ""


def test_of_two_that_were_each_others_symptom_in_turn_one_goes_on(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), sick("shop"))
    [cause] = sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"))

    sweeps.find(survey(calls=(("svc-checkout", "svc-shop"),)), sick("shop"), sick("checkout"))

    assert (sweeps.joined(caller), sweeps.joined(cause)) == ("", PREFIX + caller)


def test_a_symptom_with_trouble_of_its_own_does_not_wait_for_its_cause(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), sick("shop"))
    sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"))

    sweeps.find(survey(calls=CALLS), sick("shop", kind="crashed"), sick("checkout"))

    assert sweeps.joined(caller) == ""


def test_who_suffers_is_joined_however_many_others_do(sweeps: Sweeps) -> None:
    names = ["checkout", *(f"s{n}" for n in range(MAX_SYMPTOMS + 2))]
    services = tuple(Service(id=f"svc-{name}", name=name) for name in names)
    calls = tuple((f"svc-{name}", "svc-checkout") for name in names[1:])
    known = sweeps.find(survey(services=services, calls=calls), *(sick(name) for name in names[1:]))

    sweeps.find(survey(services=services, calls=calls), *(sick(name) for name in names))

    assert all(sweeps.joined(one) for one in known)


def test_a_symptom_whose_first_cause_has_ended_is_joined_to_the_next(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), sick("shop"))
    [first] = sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"))
    over = sweeps.journal.claim(PREFIX + first, "enrich")
    assert over is not None
    over.end(EndedAs.RESOLVED, "held")

    [second] = sweeps.find(afterwards(calls=CALLS), sick("shop"), sick("checkout"))

    assert first != second
    assert sweeps.joined(caller) == PREFIX + second


# ---- what is not clean -------------------------------------------------------------------------


def test_trouble_that_became_known_has_not_healed(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), sick("shop"))

    sweeps.find(survey(), sick("shop", severity=Severity.NOTICE, is_baseline=True))

    assert sweeps.clean(incident) == 0


def test_a_habit_of_another_kind_keeps_no_incident_open(sweeps: Sweeps) -> None:
    habit = sick("shop", kind="cpu", severity=Severity.NOTICE, is_baseline=True)
    [incident] = sweeps.find(survey(), sick("shop"), habit)

    sweeps.find(survey(), habit)

    assert sweeps.clean(incident) == 1


def test_a_symptom_of_another_cause_is_not_judged_and_so_not_clean(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), sick("shop"))

    sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"))

    assert sweeps.clean(caller) == 0


def test_what_was_sick_in_between_was_not_well_in_a_row(sweeps: Sweeps) -> None:
    [caller] = sweeps.find(survey(calls=CALLS), sick("shop"))
    sweeps.find(survey(calls=CALLS))

    sweeps.find(survey(calls=CALLS), sick("shop"), sick("checkout"))
    between = sweeps.clean(caller)
    sweeps.find(survey(calls=CALLS))

    assert (between, sweeps.clean(caller)) == (0, 1)


def test_a_gap_that_was_there_when_it_was_found_hides_nothing_of_it(sweeps: Sweeps) -> None:
    gap = Gap(part=GapPart.EVENTS, reason="Railway: Not Authorized")
    [incident] = sweeps.find(survey(failed_reads=(gap,)), sick("shop"))

    sweeps.find(survey(failed_reads=(gap,)))

    assert sweeps.clean(incident) == 1


def test_a_gap_may_hide_what_was_found_while_it_was_not_there(sweeps: Sweeps) -> None:
    gap = Gap(part=GapPart.EVENTS, reason="Railway: Not Authorized")
    [incident] = sweeps.find(survey(failed_reads=(gap,)), sick("shop"))
    sweeps.find(survey(), sick("shop", kind="oom_killed"))

    sweeps.find(survey(failed_reads=(gap,)))

    assert sweeps.clean(incident) == 0


def test_a_service_without_any_deployment_did_not_get_well(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), sick("shop"))

    sweeps.find(survey(), sick("shop", kind="missing", severity=Severity.NOTICE))

    assert sweeps.clean(incident) == 0


WITHOUT_SHOP = (Service(id="svc-checkout", name="checkout"),)


def test_a_service_that_is_not_listed_any_more_is_gone_and_counted_as_such(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), sick("shop"))
    sweeps.find(survey())

    sweeps.find(survey(services=WITHOUT_SHOP))

    fields = sweeps.journal.fields(PREFIX + incident)
    assert (fields["recovery"], fields["clean_sweeps"]) == (b"removed", b"1")


def test_a_service_is_not_gone_where_the_list_could_not_be_read_wholly(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), sick("shop"))

    sweeps.find(survey(services=WITHOUT_SHOP, failed_reads=(PARTIAL,)))

    assert sweeps.clean(incident) == 0
