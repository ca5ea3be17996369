"""Notification rules, against the fake Railway over a socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from pydantic import SecretStr

from tests.support.fakes.railway import FakeRailway, Neighbour, World
from tests.support.fakes.serving import serve
from workers.clients.railway import Railway
from workers.clients.railway.notification_rules import SEVERITIES
from workers.doctor.railway_webhook import EVENTS, Difference, differences, find_rule
from workers.errors import RailwayRefused

PUBLIC = "https://tw.example.com"
HOOK = f"{PUBLIC}/hooks/railway"
HEADERS = {"X-Trackwalker-Secret": SecretStr("s3cret")}
PROJECT = ("workspace-1", "prj")


@pytest.fixture
def fake() -> FakeRailway:
    return FakeRailway(World("prj", "acme", "env", "production"), project_token="of-project")


@pytest.fixture
def url(fake: FakeRailway) -> Iterator[str]:
    with serve(fake.app, fake.faults) as server:
        yield server.url


@pytest.fixture
def railway(fake: FakeRailway, url: str) -> Iterator[Railway]:
    with closing(Railway(url, token=SecretStr(fake.token))) as client:
        yield client


def test_a_created_rule_is_found_by_its_address(railway: Railway, fake: FakeRailway) -> None:
    railway.rules.create(PROJECT, EVENTS, HOOK, HEADERS)

    registration = find_rule(railway.rules, "prj", PUBLIC)

    assert registration.rule and not differences(registration.rule, PUBLIC)
    assert (registration.project_name, registration.workspace_id) == ("acme", "workspace-1")
    assert fake.rules.rows[0]["channels"][0]["config"]["headers"] == {"X-Trackwalker-Secret": "s3cret"}


def test_the_best_of_several_rules_counts_and_the_others_are_duplicates(railway: Railway) -> None:
    railway.rules.create(PROJECT, ["Deployment.failed"], HOOK, HEADERS)
    whole = railway.rules.create(PROJECT, EVENTS, HOOK, HEADERS)

    registration = find_rule(railway.rules, "prj", PUBLIC)

    assert registration.rule == whole
    assert [rule.event_types for rule in registration.duplicates] == [("Deployment.failed",)]


def test_an_update_gives_a_rule_every_event_and_severity(railway: Railway, fake: FakeRailway) -> None:
    rule = railway.rules.create(PROJECT, ["Deployment.failed"], f"{HOOK}/s3cret", {})
    fake.rules.rows[0]["severities"] = ["CRITICAL"]

    updated = railway.rules.update(rule.id, EVENTS, HOOK, HEADERS)

    assert set(updated.severities) == set(SEVERITIES)
    assert not differences(updated, PUBLIC)


def test_rules_of_the_whole_workspace_count_and_those_of_other_projects_do_not(
    railway: Railway, fake: FakeRailway
) -> None:
    for project_id in (None, "prj", "other"):
        railway.rules.create(PROJECT, EVENTS, HOOK, HEADERS)
        fake.rules.rows[-1]["projectId"] = project_id

    registration = find_rule(railway.rules, "prj", PUBLIC)

    assert [rule.project_id for rule in registration.rules] == ["prj", None]


def test_a_rule_for_an_old_address_is_named_by_its_host(railway: Railway) -> None:
    railway.rules.create(PROJECT, EVENTS, "https://old.example.net/hooks/railway", HEADERS)

    registration = find_rule(railway.rules, "prj", PUBLIC)

    assert registration.rule is None
    assert registration.other_hosts == ("old.example.net",)


def test_other_spellings_of_a_channel_are_read(railway: Railway, fake: FakeRailway) -> None:
    railway.rules.create(PROJECT, EVENTS, HOOK, HEADERS)
    fake.rules.rows[0]["channels"][0]["config"] = {"type": "WEBHOOK", "webhookUrl": HOOK}

    registration = find_rule(railway.rules, "prj", PUBLIC)

    assert registration.rule and Difference.ADDRESS not in differences(registration.rule, PUBLIC)


def test_a_broken_connection_creates_no_second_rule(railway: Railway, fake: FakeRailway) -> None:
    fake.faults.add("drop")

    with pytest.raises(Exception, match="cannot be reached"):
        railway.rules.create(PROJECT, EVENTS, HOOK, HEADERS)

    assert len(fake.rules.rows) == 1


def test_a_workspace_token_creates_and_may_not_change(fake: FakeRailway, url: str) -> None:
    fake.workspace_token = "of-workspace"
    with closing(Railway(url, token=SecretStr("of-workspace"))) as railway:
        rule = railway.rules.create(PROJECT, EVENTS, HOOK, HEADERS)

        with pytest.raises(RailwayRefused, match="Not Authorized"):
            railway.rules.delete(rule.id)


def test_a_project_token_may_read_no_rule(url: str) -> None:
    with (
        closing(Railway(url, project_token=SecretStr("of-project"))) as railway,
        pytest.raises(RailwayRefused, match="Not Authorized"),
    ):
        find_rule(railway.rules, "prj", PUBLIC)


def test_a_token_sees_environments_but_not_those_of_pull_requests(
    railway: Railway, fake: FakeRailway
) -> None:
    fake.world.neighbours = [
        Neighbour("prj-2", "Blog", "env-2", "staging"),
        Neighbour("prj-3", "acme-pr", "env-3", "pr-7", is_ephemeral=True),
    ]
    fake.page_limit = 1

    environments = railway.visible_environments()

    assert [(item.label, item.setting) for item in environments] == [
        ("acme/production", "prj/env"),
        ("Blog/staging", "prj-2/env-2"),
    ]


def test_a_project_token_sees_its_own_environment(url: str) -> None:
    with closing(Railway(url, project_token=SecretStr("of-project"))) as railway:
        environments = railway.visible_environments()

    assert [item.label for item in environments] == ["acme/production"]
