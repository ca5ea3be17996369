"""Commands of people: they name exactly what they change, ask where they must, and are audited."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest
import redis

from tests.support.builders import service, survey
from tests.support.command_line import run_command
from tests.support.journals import INCIDENT_ID, incident_record
from workers.actions.lookup import find_to_show
from workers.cli.console import Console
from workers.cli.exact_id import resolve
from workers.engine import records
from workers.engine.schema import ENDED, PREFIX, journal_key
from workers.engine.worker_store import WorkerStore
from workers.errors import Refused
from workers.incidents import audit

PIPE, EXACT = Console(is_interactive=False), INCIDENT_ID.removeprefix("incident:").replace(":", "-")


class Terminal(Console):
    """A terminal at which a person confirms each question, or none."""

    def __init__(self, *, confirms: bool) -> None:
        super().__init__(is_interactive=True)
        object.__setattr__(self, "confirms", confirms)

    def confirm(self, _question: str) -> bool:
        return bool(self.__dict__["confirms"])


@pytest.mark.parametrize("name", [INCIDENT_ID, EXACT, INCIDENT_ID.removeprefix("incident:")])
def test_a_whole_id_needs_no_question(journal: WorkerStore, reported: str, name: str) -> None:
    assert resolve(journal, name, "Cancel", PIPE, yes=False) == INCIDENT_ID


def test_a_part_of_an_id_is_refused_in_a_pipe_and_the_whole_id_named(
    journal: WorkerStore, reported: str
) -> None:
    with pytest.raises(Refused, match=f"only a part of {INCIDENT_ID}"):
        resolve(journal, "ab", "Cancel", PIPE, yes=False)


def test_a_part_of_an_id_is_confirmed_on_a_terminal(journal: WorkerStore, reported: str) -> None:
    assert resolve(journal, "ab", "Cancel", Terminal(confirms=True), yes=False) == INCIDENT_ID
    with pytest.raises(Refused, match="Nothing was changed"):
        resolve(journal, "ab", "Cancel", Terminal(confirms=False), yes=False)


def test_yes_skips_the_question(journal: WorkerStore, reported: str) -> None:
    assert resolve(journal, "ab", "Cancel", PIPE, yes=True) == INCIDENT_ID


def test_the_name_of_a_service_shows_its_newest_incident(
    journal: WorkerStore, reported: str, store: redis.Redis
) -> None:
    store.hset(reported, records.INCIDENT.field, incident_record("shop"))

    assert find_to_show(journal, "shop") == reported


def test_a_command_is_audited_with_its_system_user(
    tmp_path: Path, journal: WorkerStore, reported: str, store_url: str
) -> None:
    process = run_command(tmp_path, "cancel", EXACT, REDIS_URL=store_url)

    [entry] = audit.entries(journal)
    assert process.returncode == 0, process.stderr
    assert (entry.action.person.name, entry.action.person.via) == (getpass.getuser(), "command line")
    assert entry.action.target == INCIDENT_ID


def test_a_mute_of_a_service_that_does_not_exist_is_refused_with_the_names(
    tmp_path: Path, journal: WorkerStore, store: redis.Redis, store_url: str
) -> None:
    sweep = journal_key("sweep:e:1")
    seen = records.SURVEY.pack(survey(service("checkout"), service("web")))
    store.hset(sweep, mapping={"stage": "analyse", "ended": 1, records.SURVEY.field: seen})
    store.zadd(ENDED, {sweep: 1})

    process = run_command(tmp_path, "mute", "chekout", REDIS_URL=store_url)

    assert process.returncode == 1
    assert "No watched service is called chekout. Did you mean checkout? Services: checkout and web." in (
        process.stdout + process.stderr
    )
    assert not store.exists(f"{PREFIX}decisions")


def test_a_rollback_that_is_not_possible_says_why(
    tmp_path: Path, reported: str, store: redis.Redis, store_url: str
) -> None:
    store.hset(reported, records.INCIDENT.field, incident_record("shop"))

    process = run_command(tmp_path, "rollback", EXACT, REDIS_URL=store_url)

    assert process.returncode == 1
    assert "The evidence about shop is not gathered yet." in process.stdout
