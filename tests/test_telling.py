"""Telling: at most two posts that ring, nothing left hanging in the channel, no words lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.line import Line, line
from workers import actors, brakes, listing
from workers.journal import PREFIX, pack
from workers.models import Posted


@pytest.fixture
def reporting(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[Line]:
    """The line around the sick shop, without an agent."""
    with line(store, store_url, tmp_path, TRACKWALKER_MODE="report") as running:
        yield running


def told(running: Line) -> list[str]:
    return [message.text for message in running.slack.messages]


def tell(running: Line, key: str) -> None:
    """Work the tell's journal now, as if its time had come."""
    running.store.hdel(key, "first_at", "not_before")
    actors.work(running.services, "tell", key)


def test_a_first_word_that_joins_an_open_incident_does_not_stay_looking(reporting: Line) -> None:
    tell(reporting, f"{PREFIX}tell:alert:{reporting.alert()}")
    reporting.drive(reporting.outcome_is_told)
    again = f"{PREFIX}tell:alert:{reporting.alert()}"
    tell(reporting, again)
    before = told(reporting)[-1]

    reporting.drive(lambda: reporting.store.hexists(again, "ended"))

    assert "Looking into it." in before
    assert "The same trouble as an incident that is open already." in told(reporting)[-1]
    assert not any("Looking into it." in text for text in told(reporting))


def test_a_first_word_after_the_outcome_becomes_the_first_post_of_the_incident(reporting: Line) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_is_told)
    tell(reporting, f"{PREFIX}tell:alert:{reporting.alert()}")

    reporting.drive(lambda: not any("Looking into it." in text for text in told(reporting)))

    assert "TRACKWALKER_MODE is report" in told(reporting)[0]
    assert "code: shop fails" in told(reporting)[1]


def test_a_first_word_that_the_incident_takes_over_becomes_its_thread(reporting: Line) -> None:
    alert = reporting.alert()
    tell(reporting, f"{PREFIX}tell:alert:{alert}")

    reporting.drive(reporting.outcome_is_told)

    first, outcome = reporting.slack.messages
    assert outcome.thread_ts == first.ts
    assert outcome.broadcast
    assert "shop" in first.text and "same trouble" not in first.text


def test_of_several_first_words_one_becomes_the_incidents_and_none_stays_looking(reporting: Line) -> None:
    for _ in range(3):
        tell(reporting, f"{PREFIX}tell:alert:{reporting.alert()}")

    reporting.drive(reporting.outcome_is_told)
    reporting.drive(lambda: not any("Looking into it." in text for text in told(reporting)))

    assert len([text for text in told(reporting) if "same trouble" in text]) == 2


def test_a_first_word_says_what_the_answer_waits_for(reporting: Line) -> None:
    reporting.railway.faults.add("503", times=10_000)
    reporting.alert()

    reporting.drive(lambda: told(reporting))

    assert "Waiting: Railway" in told(reporting)[0]


def test_an_alert_of_a_service_that_is_muted_by_its_id_is_not_told_about(reporting: Line) -> None:
    brakes.mute(reporting.journal, "svc-shop", 4_000_000_000.0)
    alert = reporting.alert()

    tell(reporting, f"{PREFIX}tell:alert:{alert}")

    assert told(reporting) == []


def test_words_are_kept_for_longer_than_the_hours_in_which_a_stage_is_given_up(reporting: Line) -> None:
    key = f"{PREFIX}tell:alert:{reporting.alert()}"
    reporting.store.hset(key, "tries", actors.GIVE_UP_AFTER_TRIES)
    reporting.slack.faults.add("refuse", times=10)

    tell(reporting, key)

    assert "ended" not in reporting.journal.fields(key)


def test_an_outcome_is_posted_although_the_first_word_cannot_be_edited(reporting: Line) -> None:
    reporting.alert()
    reporting.drive(lambda: bool(reporting.outcome()))
    key = reporting.incidents()[0].replace(PREFIX, f"{PREFIX}tell:", 1)
    gone = Posted(ts="1700000000.000001", channel=reporting.slack.channel)
    reporting.store.hset(key, "r:first", pack(gone, Posted))
    reporting.slack.faults.add("refuse", path="chat.update", times=10)

    tell(reporting, key)

    assert "TRACKWALKER_MODE is report" in told(reporting)[-1]


def test_a_mend_on_demand_is_no_new_first_word_and_its_outcome_stays_in_the_thread(reporting: Line) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_is_told)
    incident = reporting.incidents()[0]

    listing.mend(reporting.journal, incident.removeprefix(PREFIX))
    tell(reporting, incident.replace(PREFIX, f"{PREFIX}tell:", 1))
    between = len(told(reporting))
    reporting.drive(lambda: len(told(reporting)) == 2)

    first, second = reporting.slack.messages
    assert between == 1
    assert second.thread_ts == first.ts
    assert second.broadcast


def test_the_end_of_it_names_the_service_where_there_is_no_thread(reporting: Line) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_is_told)
    key = reporting.incidents()[0]
    reporting.store.hset(key, "clean", 2)

    reporting.drive(lambda: "over:" in told(reporting)[-1])

    assert told(reporting)[-1].startswith("*shop*: over:")


def test_a_tell_whose_incident_is_forgotten_ends(reporting: Line) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_is_told)
    incident = reporting.incidents()[0]
    key = incident.replace(PREFIX, f"{PREFIX}tell:", 1)
    reporting.store.delete(incident)

    tell(reporting, key)

    assert reporting.store.ttl(key) > 0
