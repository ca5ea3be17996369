"""What people see of the journals, and mending on demand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis

from workers import allowance, listing, scripts
from workers.errors import Refused
from workers.journal import DUE, OPEN, PREFIX, Journal, pack
from workers.models import Cause, Certificate, Finding, Incident, Outcome, Severity, Window

TOLD = Outcome(kind="told", headline="not mended")


@pytest.fixture
def told(journal: Journal, store: redis.Redis) -> str:
    """The key of an incident whose round was told and is watched."""
    key = f"{PREFIX}incident:abc:20261123T0304"
    journal.script(scripts.OPEN, [key, DUE], 0, "stage", "watch", "r:outcome", pack(TOLD, Outcome))
    for record in ("r:plan", "r:base", "r:fix"):
        store.hset(key, record, b"1j1")
    store.hset(OPEN, "abc", key)
    return key


def test_an_incident_that_was_only_told_is_planned_afresh(journal: Journal, told: str) -> None:
    said = listing.mend(journal, "abc:20261123T0304")

    fields = journal.fields(told)
    assert said == ["incident:abc:20261123T0304: sent to planning"]
    assert fields["stage"] == b"plan"
    assert not {"r:outcome", "r:plan", "r:base", "r:fix"} & set(fields)


def test_a_patch_that_was_proved_and_only_not_proposed_is_kept(
    journal: Journal, told: str, store: redis.Redis
) -> None:
    store.hset(told, "r:certificate", pack(Certificate(decision="ready"), Certificate))

    listing.mend(journal, "all")

    fields = journal.fields(told)
    assert "r:outcome" not in fields
    assert {"r:plan", "r:base", "r:fix", "r:certificate"} <= set(fields)


def test_a_round_that_somebody_works_on_is_left_alone(journal: Journal, told: str) -> None:
    claim = journal.claim(told, "watch")
    assert claim is not None

    said = listing.mend(journal, "all")

    assert "try again" in said[0]
    claim.hand_on("watch")
    assert "r:outcome" in journal.fields(told)


@pytest.fixture
def symptom(journal: Journal, told: str, store: redis.Redis) -> str:
    """The same incident, once a sweep called it a symptom of another that has one."""
    cause = f"{PREFIX}incident:def:20261123T0310"
    journal.script(scripts.OPEN, [cause, DUE], 0, "stage", "mend", "r:incident", incident("store"))
    store.hset(told, mapping={"joined": cause, "r:incident": incident("shop")})
    return told


def incident(service: str) -> bytes:
    now = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)
    sick = Finding(
        service_id=service, service=service, kind="server_errors", severity=Severity.WARNING, since=now,
        ongoing=True, sentence=f"{service} answers with 5xx",
    )  # fmt: skip
    made = Incident(
        fingerprint="abc", round="20261123T0304", project_id="p", project_name="p", environment_id="e",
        environment_name="e", cause=Cause(kind="service", key=service, name=service), findings=(sick,),
        window=Window(start=now, end=now), opened_at=now,
    )  # fmt: skip
    return pack(made, Incident)


def test_a_symptom_is_listed_with_the_incident_that_it_joined(journal: Journal, symptom: str) -> None:
    shown = listing.overview(journal, datetime.now(UTC))

    assert "open: shop: shop answers with 5xx  joined to store" in shown


def test_of_all_only_those_are_mended_that_are_no_symptom_of_another(journal: Journal, symptom: str) -> None:
    assert listing.mend(journal, "all") == []
    assert listing.mend(journal, "abc:20261123T0304") == ["incident:abc:20261123T0304: sent to planning"]


def test_what_others_wrote_does_not_steer_the_terminal(
    journal: Journal, told: str, store: redis.Redis
) -> None:
    store.hset(told, mapping={"reason": b"\x1b[2Jgone", "r:incident": incident("shop\x9b2J")})

    shown = "".join([*listing.overview(journal, datetime.now(UTC)), *listing.show(journal, "abc")])

    assert "?[2Jgone" in shown
    assert not {"\x1b", "\x9b"} & set(shown)


def test_what_is_no_journal_is_not_shown_as_one(journal: Journal, told: str) -> None:
    with pytest.raises(Refused):
        listing.show(journal, "due")


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (55, "Railway API: 812 of 1000 requests left until 04:00 UTC; last sweep used 9"),
        (-5, "Railway API: 1000 requests, counted anew since 03:00 UTC; last sweep used 9"),
    ],
)
def test_what_railway_still_lets_us_ask_is_one_line(journal: Journal, minutes: int, said: str) -> None:
    now = datetime(2026, 11, 23, 3, 5, tzinfo=UTC)
    resets = now + timedelta(minutes=minutes)
    left = allowance.Allowance(limit=1000, remaining=812, resets_at=resets)
    allowance.keep(journal, "env", left, 9, now)

    assert listing.overview(journal, now)[-1] == said


def test_while_nothing_is_known_of_railways_limit_nothing_is_said_of_it(journal: Journal) -> None:
    assert listing.overview(journal, datetime(2026, 11, 23, tzinfo=UTC)) == ["nothing is under way"]
