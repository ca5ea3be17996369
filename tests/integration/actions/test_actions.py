"""Actions of people: every one in every state has an answer, and one press has one effect."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.support.builders import incident, pull_request
from tests.support.journals import open_incident
from tests.support.people import AT, DANA, LEA, act
from workers.engine import records
from workers.engine.schema import OPEN, SCHEDULE, EndedAs, journal_key, notification_key
from workers.engine.worker_store import WorkerStore
from workers.incidents import audit, controls, decisions
from workers.models import ActionKind, DecisionKind, Outcome

INCIDENT = incident(fingerprint="abc", occurrence="20261123T0304")
KEY, ID = journal_key(INCIDENT.id), INCIDENT.id
HOUR = timedelta(hours=1)


@pytest.fixture
def journal(journal: WorkerStore) -> WorkerStore:
    """A store with an incident that was reported and is watched."""
    open_incident(journal, KEY, incident_record=records.INCIDENT.pack(INCIDENT))
    outcome = records.OUTCOME.pack(Outcome(kind="reported", headline="a bug"))
    journal.client.hset(KEY, mapping={"stage": "watch", records.OUTCOME.field: outcome})
    return journal


# ---- one press, one effect -------------------------------------------------------------------

PRESSES = [
    (ActionKind.ACKNOWLEDGE, {}),
    (ActionKind.SNOOZE, {"until": AT + HOUR}),
    (ActionKind.NOT_A_PROBLEM, {"reason": "load test"}),
    (ActionKind.FIX, {}),
    (ActionKind.CHECK, {}),
    (ActionKind.CANCEL, {}),
    (ActionKind.RETRY, {}),
]


@pytest.mark.parametrize(("kind", "values"), PRESSES, ids=str)
def test_a_second_delivery_has_no_effect_and_gets_the_first_answer(
    journal: WorkerStore, kind: ActionKind, values: dict[str, object]
) -> None:
    first = act(journal, kind, ID, request_id="one", **values)  # type: ignore[arg-type]  # forwarded as they are
    before = state(journal)

    second = act(journal, kind, ID, request_id="one", at=AT + HOUR / 2, person=LEA, **values)  # type: ignore[arg-type]  # as above

    assert first.done
    assert second == first
    assert state(journal) == before
    assert len(audit.entries(journal)) == 1


def state(journal: WorkerStore) -> dict[bytes | str, object]:
    """Everything in Redis."""
    keys = journal.client.keys("*")
    assert isinstance(keys, list)
    return {key: journal.client.dump(key) for key in keys}


@pytest.mark.parametrize(("kind", "values"), PRESSES, ids=str)
def test_an_answer_that_was_lost_is_recorded_with_the_effect(
    journal: WorkerStore, kind: ActionKind, values: dict[str, object]
) -> None:
    result = act(journal, kind, ID, request_id="one", **values)  # type: ignore[arg-type]  # forwarded as they are

    assert audit.recorded_result(journal, "one") == result


def test_the_first_person_has_an_incident(journal: WorkerStore) -> None:
    first = act(journal, ActionKind.ACKNOWLEDGE, ID, person=DANA)

    second = act(journal, ActionKind.ACKNOWLEDGE, ID, person=LEA, at=AT + HOUR)

    assert (first.done, first.text) == (True, "dana has api now.")
    assert (second.done, second.text) == (False, "dana has it since 03:12 UTC.")


def test_a_second_person_learns_that_an_incident_has_ended(journal: WorkerStore) -> None:
    act(journal, ActionKind.NOT_A_PROBLEM, ID, person=DANA)

    late = act(journal, ActionKind.NOT_A_PROBLEM, ID, person=LEA)

    assert not late.done
    assert late.text.startswith("Too late: the incident of api has ended: not a problem at ")


def test_a_fix_is_too_late_once_its_pull_request_is_merged(journal: WorkerStore) -> None:
    merged = records.PULL.pack(pull_request(state="merged"))
    journal.client.hset(KEY, records.PULL.field, merged)

    assert act(journal, ActionKind.FIX, ID).text == "Too late: #41 is merged."


# ---- decisions -------------------------------------------------------------------------------


def test_not_a_problem_ends_the_incident_and_keeps_its_pull_request(journal: WorkerStore) -> None:
    journal.client.hset(KEY, records.PULL.field, records.PULL.pack(pull_request()))

    result = act(journal, ActionKind.NOT_A_PROBLEM, ID, reason="load test", until=AT + HOUR)

    [decision] = decisions.active(journal, AT)
    assert (decision.kind, decision.finding_kinds) == (DecisionKind.NOT_A_PROBLEM, ("server_errors",))
    assert journal.fields(KEY)["ended_as"].decode() == EndedAs.NOT_A_PROBLEM
    assert not journal.client.hlen(OPEN)
    assert "pull request #41 stays open" in result.text


def test_a_snooze_is_noted_in_the_incident_and_wakes_its_notification(journal: WorkerStore) -> None:
    notification = notification_key(ID)
    journal.client.zadd(SCHEDULE, {notification: 9e15})

    act(journal, ActionKind.SNOOZE, ID, until=AT + HOUR)

    noted = journal.read_record(KEY, records.DECISION)
    assert decisions.is_snoozed(noted, AT)
    assert not decisions.is_snoozed(noted, AT + HOUR)
    due = journal.client.zscore(SCHEDULE, notification)
    assert isinstance(due, float)
    assert due < 9e15


def test_an_undone_snooze_is_over_at_once(journal: WorkerStore) -> None:
    act(journal, ActionKind.SNOOZE, ID, until=AT + HOUR)
    [decision] = decisions.active(journal, AT)

    result = act(journal, ActionKind.UNDO, decision.id, person=LEA)

    assert result.done
    assert not decisions.is_snoozed(journal.read_record(KEY, records.DECISION), AT)
    [ended] = decisions.all(journal)
    assert ended.undone_by == LEA


def test_a_decision_is_undone_once(journal: WorkerStore) -> None:
    act(journal, ActionKind.PAUSE)
    [decision] = decisions.active(journal, AT)
    act(journal, ActionKind.UNDO, decision.id, person=DANA)

    assert (
        act(journal, ActionKind.UNDO, decision.id, person=LEA).text == "Too late: dana undid it at 03:12 UTC."
    )


def test_a_second_mute_of_a_service_replaces_the_first(journal: WorkerStore) -> None:
    act(journal, ActionKind.MUTE, "api", until=AT + HOUR)

    act(journal, ActionKind.MUTE, "api", until=AT + 2 * HOUR)

    _, mutes = controls.state(journal, AT.timestamp())
    assert mutes == {"api": (AT + 2 * HOUR).timestamp()}
    assert len(decisions.all(journal)) == 2


def test_a_mute_ends_by_itself(journal: WorkerStore) -> None:
    act(journal, ActionKind.MUTE, "api", until=AT + HOUR)

    assert controls.state(journal, (AT + HOUR).timestamp()) == (False, {})


def test_a_second_pause_and_a_second_resume_change_nothing(journal: WorkerStore) -> None:
    assert act(journal, ActionKind.PAUSE).done
    assert act(journal, ActionKind.PAUSE, person=LEA).text == "Paused already: by dana since 03:12 UTC."
    assert act(journal, ActionKind.RESUME).done
    assert act(journal, ActionKind.RESUME).text == "Trackwalker is not paused."


def test_the_audit_names_who_did_what_newest_first(journal: WorkerStore) -> None:
    act(journal, ActionKind.ACKNOWLEDGE, ID, person=DANA)
    act(journal, ActionKind.ACKNOWLEDGE, ID, person=LEA)
    act(journal, ActionKind.PAUSE, person=LEA)

    newest, second = audit.entries(journal, 2)
    [oldest] = audit.entries(journal, 10, before=second.id)

    rows = [
        (item.action.kind.value, item.action.person.name, item.result.done)
        for item in (newest, second, oldest)
    ]
    assert rows == [("pause", "lea", True), ("acknowledge", "lea", False), ("acknowledge", "dana", True)]


# ---- every action in every state ---------------------------------------------------------------


def ended(journal: WorkerStore) -> None:
    journal.client.hset(
        KEY, mapping={"ended": 1_795_400_000_000, "ended_as": "resolved", "outcome": "resolved"}
    )
    journal.client.hdel(OPEN, "abc")


def running(journal: WorkerStore) -> None:
    assert journal.claim(KEY, "watch")


def with_pull(state: str) -> Callable[[WorkerStore], object]:
    return with_field(records.PULL.field, records.PULL.pack(pull_request(state=state)))


def with_field(name: str, value: str | bytes) -> Callable[[WorkerStore], object]:
    return lambda journal: journal.client.hset(KEY, name, value)


STATES: dict[str, Callable[[WorkerStore], object]] = {
    "waiting": lambda _journal: None,
    "due": with_field("stage", "enrich"),
    "running": running,
    "pull request open": with_pull("open"),
    "merged": with_pull("merged"),
    "closed": with_pull("closed"),
    "ended": ended,
    "suppressed": with_field("suppressed_by", f"{KEY}-other"),
    "grouped": with_field("group", "notification:group:e:1"),
    "unreadable": with_field(records.INCIDENT.field, b"1j{"),
    "missing": lambda journal: journal.client.delete(KEY),
}


@pytest.mark.parametrize("target", [ID, "", "nonsense", "sweep:e:1", "rollback:abc:20261123T0304", "../x"])
@pytest.mark.parametrize("name", STATES)
def test_every_action_in_every_state_has_an_answer(journal: WorkerStore, name: str, target: str) -> None:
    STATES[name](journal)
    before = {key: journal.client.dump(key) for key in (KEY,)}

    for kind in ActionKind:
        result = act(journal, kind, target, until=AT + HOUR if kind is ActionKind.SNOOZE else None)

        assert result.text
        assert "Traceback" not in result.text
    if target not in (ID, "") and name != "missing":
        # A target that is no incident changes none.
        assert {key: journal.client.dump(key) for key in (KEY,)} == before
