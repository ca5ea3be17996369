"""Opening: which incident a finding belongs to, when one is over, and the answer that every alert is owed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workers import scripts
from workers.intake import take_in
from workers.journal import DUE, OPEN, PREFIX, Claim, Journal, pack
from workers.models import Alert, Environment, Finding, Service, Severity, Survey, Window
from workers.opening import open_incidents

NOW = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)


def survey(**facts: Any) -> Survey:
    services = tuple(Service(id=f"svc-{name}", name=name) for name in ("shop", "checkout"))
    said = {
        "project_id": "p", "project_name": "shop", "environment_id": "e", "environment_name": "production",
        "window": Window(start=NOW - timedelta(minutes=30), end=NOW), "step_seconds": 60, "services": services,
    }  # fmt: skip
    return Survey.model_validate(said | facts)


def sick(name: str) -> Finding:
    return Finding(
        service_id=f"svc-{name}", service=name, kind="server_errors", severity=Severity.WARNING, since=NOW,
        ongoing=True, sentence=f"{name} answers with 5xx",
    )  # fmt: skip


def alert(**facts: Any) -> Alert:
    said = {"id": "a1", "source": "railway", "kind": "monitor.triggered", "at": NOW, "said": "told"}
    return Alert.model_validate(said | facts)


class Sweeps:
    """Sweeps of one environment, one after the other."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def claim(self, *alerts: Alert) -> Claim:
        records = [pack(Environment(project_id="p", environment_id="e"), Environment)]
        key = ""
        for one in alerts or (alert(id="ping", source="ping", kind="ping"),):
            keys = [f"{PREFIX}sweeps:e", DUE, f"{PREFIX}alert:{one.id}"]
            arguments = [f"{PREFIX}sweep:e", one.id, *records, pack(one, Alert), 10_000]
            key = self.journal.script(scripts.ATTACH, keys, *arguments).decode()
        claim = self.journal.claim(key, "survey")
        assert claim is not None
        return claim

    def find(self, seen: Survey, *findings: Finding, alerts: tuple[Alert, ...] = ()) -> list[str]:
        claim = self.claim(*alerts)
        held = open_incidents(claim, self.journal, seen, list(findings), opened_at=NOW, first_word_seconds=60)
        claim.end("done")
        return held

    def clean(self, incident: str) -> int:
        return int(self.journal.fields(PREFIX + incident)["clean"])


@pytest.fixture
def sweeps(journal: Journal) -> Sweeps:
    return Sweeps(journal)


def test_a_service_whose_trouble_counts_as_the_platforms_is_not_counted_as_well(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), sick("shop"))

    held = sweeps.find(survey(platform_incident="an outage"), sick("shop"), sick("checkout"))

    assert held != [incident]
    assert sweeps.clean(incident) == 0


@pytest.mark.parametrize(
    ("gap", "clean"),
    [("project name: no", 1), ("traffic of checkout: no", 1), ("traffic of shop: no", 0), ("traffic: no", 0)],
)
def test_only_a_gap_that_may_hide_the_trouble_keeps_an_incident_open(
    sweeps: Sweeps, gap: str, clean: int
) -> None:
    [incident] = sweeps.find(survey(), sick("shop"))

    sweeps.find(survey(not_seen=(gap,)))

    assert sweeps.clean(incident) == clean


def test_an_alert_without_a_service_hears_that_nothing_is_above_the_line(
    sweeps: Sweeps, journal: Journal
) -> None:
    volume = alert(kind="volumealert.triggered")
    take_in(volume, None, journal, lambda _key: None)

    sweeps.find(survey(), alerts=(volume,))

    note = journal.fields(f"{PREFIX}tell:alert:a1")["note"].decode()
    assert note == "looked over 30 minutes: nothing above the line"


def test_a_forwarded_alert_is_the_first_word_from_the_moment_the_incident_is_open(
    sweeps: Sweeps, journal: Journal
) -> None:
    forwarded = alert(source="slack", kind="message", said="shop is down")

    [incident] = sweeps.find(survey(), sick("shop"), alerts=(forwarded,))

    assert journal.fields(f"{PREFIX}tell:{incident}")["forwarded"] == b"1"
    assert journal.ask("hlen", OPEN) == 1


def test_what_a_window_still_shows_of_trouble_that_is_over_opens_no_further_round(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), sick("shop"))
    ended = sweeps.journal.claim(PREFIX + incident, "enrich")
    assert ended is not None
    ended.end("held")

    five = timedelta(minutes=5)
    remains = sick("shop").model_copy(update={"ongoing": False, "since": datetime.now(UTC) - five})
    anew = remains.model_copy(update={"since": datetime.now(UTC) + five})

    assert sweeps.find(survey(), remains) == []
    assert len(sweeps.find(survey(), anew)) == 1


def test_trouble_that_goes_on_after_its_round_has_ended_is_the_next_round(sweeps: Sweeps) -> None:
    [incident] = sweeps.find(survey(), sick("shop"))
    ended = sweeps.journal.claim(PREFIX + incident, "enrich")
    assert ended is not None
    ended.end("did not hold")

    [again] = sweeps.find(survey(), sick("shop"))

    assert again != incident
