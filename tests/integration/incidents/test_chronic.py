"""Chronic trouble: one incident, reported once, whatever happens to it, and apart from acute trouble."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support import builders
from tests.support.journals import enqueue_on_sweep
from workers.engine import records
from workers.engine.codec import unpack
from workers.engine.schema import OPEN, PREFIX, EndedAs, last_end_key
from workers.engine.worker_store import WorkerStore
from workers.incidents.intake import ingest
from workers.incidents.opening import open_incidents
from workers.models import Alert, Answer, AnswerKind, Environment, Finding, Severity, Survey, Window
from workers.notifications.answer_posts import answer_post
from workers.notifications.incident_posts import headline
from workers.notifications.incident_state import IncidentState
from workers.notifications.presentation import Presentation

SENTENCE = "94 % of requests failing (5xx, 1,128 of 1,200) since 02:34 UTC or earlier (chronic: as long as …)"


class Sweeps:
    """Sweeps of one environment at ten-minute intervals, up to now."""

    def __init__(self, journal: WorkerStore) -> None:
        self.journal = journal
        self.end = datetime.now(UTC) - timedelta(hours=1)

    def survey(self) -> Survey:
        self.end += timedelta(minutes=10)
        window = Window(start=self.end - timedelta(minutes=30), end=self.end)
        return builders.survey(builders.service("orders"), builders.service("web"), window=window)

    def find(self, *findings: Finding, alerts: tuple[Alert, ...] = ()) -> list[str]:
        survey, key = self.survey(), ""
        ping = Alert(id=f"ping{self.end:%H%M}", source="ping", kind="ping", received_at=self.end)
        for item in alerts or (ping,):
            key = enqueue_on_sweep(self.journal, item, Environment(project_id="p", environment_id="e"))
        claim = self.journal.claim(key, "survey")
        assert claim is not None
        ids = open_incidents(
            claim, self.journal, survey, list(findings), opened_at=survey.window.end, ack_seconds=60,
            min_duration_minutes=4,
        )  # fmt: skip
        claim.end(EndedAs.FINDINGS, "done")
        return ids

    def end_incident(self, incident: str, ended_as: EndedAs) -> None:
        claim = self.journal.claim(PREFIX + incident, "enrich")
        assert claim is not None
        claim.end(ended_as, "ended")


@pytest.fixture
def sweeps(journal: WorkerStore) -> Sweeps:
    return Sweeps(journal)


def chronic(kind: str = "server_errors", **fields: Any) -> Finding:
    values = {"severity": Severity.WARNING, "chronic": True, "sentence": SENTENCE}
    return builders.finding(kind, name="orders", **values | fields)


def acute(kind: str = "crashed") -> Finding:
    return builders.finding(kind, name="orders")


def alert(name: str = "a1") -> Alert:
    return Alert(
        id=name, source="railway", kind="monitor.triggered", service_id="svc-orders", service_name="orders",
        received_at=datetime.now(UTC), message="5xx",
    )  # fmt: skip


def test_the_first_sweep_reports_chronic_trouble_once_and_not_as_critical(sweeps: Sweeps) -> None:
    first = sweeps.find(chronic(severity=Severity.CRITICAL))
    later = [sweeps.find(chronic()) for _ in range(5)]

    assert later == [first] * 5
    incident = sweeps.journal.read_record(PREFIX + first[0], records.INCIDENT)
    assert incident is not None
    assert (incident.is_chronic, incident.severity) == (True, Severity.WARNING)
    assert headline(IncidentState(incident), Presentation()) == f"🟠 orders · production: {SENTENCE}"


@pytest.mark.parametrize(
    ("ended_as", "opened_again"),
    [
        (EndedAs.CANCELLED, False),
        (EndedAs.FAILED, False),
        (EndedAs.FIX_FAILED, True),
        (EndedAs.RESOLVED, True),
    ],
)
def test_chronic_trouble_is_reported_again_only_after_its_end_or_a_fix(
    sweeps: Sweeps, ended_as: EndedAs, opened_again: bool
) -> None:
    [incident] = sweeps.find(chronic())
    sweeps.end_incident(incident, ended_as)
    sweeps.end = datetime.now(UTC) + timedelta(minutes=1)
    fingerprint = incident.split(":")[1]
    sweeps.journal.command("expire", last_end_key(fingerprint), 60)

    assert bool(sweeps.find(chronic())) == opened_again

    if not opened_again:
        # The reported trouble is remembered for as long as it lasts.
        assert sweeps.journal.command("ttl", last_end_key(fingerprint)) > 86_400


def test_an_alert_about_chronic_trouble_is_answered_with_it(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(chronic())
    ingest(alert(), None, sweeps.journal, lambda _key: None)

    sweeps.find(chronic(), alerts=(alert(),))

    answer = unpack(sweeps.journal.fields(f"{PREFIX}notification:alert:a1")["answer"], Answer)
    assert answer is not None
    assert answer.kind is AnswerKind.CHRONIC
    first_line, *_, reference, quote = answer_post(alert(), answer, Presentation()).text.splitlines()
    assert first_line == f"🟠 orders: {SENTENCE}"
    assert reference == f"See `{incident}`."
    assert quote == "Alert: 5xx"


def test_the_alert_that_leads_to_the_incident_is_covered_by_it(sweeps: Sweeps) -> None:
    ingest(alert(), None, sweeps.journal, lambda _key: None)

    [incident] = sweeps.find(chronic(), alerts=(alert(),))

    fields = sweeps.journal.fields(f"{PREFIX}notification:alert:a1")
    assert fields["merged_into"].decode() == f"{PREFIX}notification:{incident}"
    assert "answer" not in fields


def test_acute_trouble_of_a_service_with_chronic_trouble_is_an_incident_of_its_own(sweeps: Sweeps) -> None:
    [old] = sweeps.find(chronic())

    both = sweeps.find(chronic(), acute())

    assert old in both
    assert len(both) == 2
    new = next(incident for incident in both if incident != old)
    recorded = sweeps.journal.read_record(PREFIX + new, records.INCIDENT)
    assert recorded is not None
    assert [finding.kind for finding in recorded.findings] == ["crashed"]
    assert recorded.severity is Severity.CRITICAL


def test_trouble_stays_in_its_incident_when_it_becomes_chronic(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(acute("server_errors"))

    assert sweeps.find(chronic("server_errors")) == [incident]
    assert sweeps.journal.command("hlen", OPEN) == 1


def test_chronic_trouble_that_the_detector_calls_acute_for_once_stays_in_its_incident(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(chronic("server_errors"))

    assert sweeps.find(acute("server_errors")) == [incident]


def test_an_acute_incident_can_end_while_the_chronic_one_goes_on(sweeps: Sweeps) -> None:
    [old] = sweeps.find(chronic())
    new = next(incident for incident in sweeps.find(chronic(), acute("cpu")) if incident != old)

    sweeps.find(chronic())

    fields = sweeps.journal.fields(PREFIX + new)
    # Without a sample of CPU the sweep cannot tell; it does not count the chronic trouble as that of this incident.
    assert "recovery" not in fields
