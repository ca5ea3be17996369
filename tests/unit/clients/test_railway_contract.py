"""The check against Railway's published schema, tested without that schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from graphql import build_schema, introspection_from_schema

from tests.support import railway_contract
from tests.support.fakes.railway import SCHEMA, SDL


def changed(old: str, new: str) -> str:
    assert old in SDL
    return SDL.replace(old, new)


def test_every_document_is_valid_in_the_schema_of_the_fake() -> None:
    reasons = railway_contract.queries(SCHEMA)

    assert not {name: why for name, why in reasons.items() if why}


def test_a_schema_is_a_subset_of_itself() -> None:
    counted, differences = railway_contract.subset(SCHEMA, SCHEMA)

    assert differences == []
    assert counted["types"] > 40


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("totalDuration: Int!", "totalDuration: Int", "HttpLog.totalDuration: Int! here, Int"),
        ("  CRASHED\n", "", "DeploymentStatus.CRASHED: value here, absent"),
        ("environmentId: String!, serviceId: String!): ServiceInstanceLimit!",
         "environmentId: String, serviceId: String!): ServiceInstanceLimit!",
         "Query.serviceInstanceLimits(environmentId): String! here, String"),
        ("platformStatus: PlatformStatus!", "", "Query.platformStatus: PlatformStatus! here, absent"),
        ("project(id: String!)", "project(id: String!, region: String!)",
         "Query.project(region): required by Railway, unknown here"),
        ("scalar DeploymentMeta", "type DeploymentMeta { id: ID }", "DeploymentMeta: no such GraphQLScalarType"),
    ],
)  # fmt: skip
def test_every_difference_to_the_schema_of_railway_is_reported(old: str, new: str, reason: str) -> None:
    whole = build_schema(changed(old, new))

    _, differences = railway_contract.subset(SCHEMA, whole)

    assert any(difference.startswith(reason) for difference in differences), differences


def test_the_use_of_a_deprecated_field_is_reported() -> None:
    whole = build_schema(
        changed("cronSchedule: String", 'cronSchedule: String @deprecated(reason: "use cron")')
    )

    reasons = railway_contract.queries(whole)

    assert "use cron" in reasons["Environment"][0]
    assert reasons["Volumes"] == []


def test_the_command_reports_ok_for_each_document_and_exits_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps({"data": introspection_from_schema(SCHEMA)}))

    code = railway_contract.main([str(path)])

    assert code == 0
    assert "Structure: ok" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "no json", "[]", "{}"])
def test_without_a_schema_the_command_fails_and_names_the_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    path = tmp_path / "schema.json"
    if content is not None:
        path.write_text(content)

    code = railway_contract.main([str(path)])

    assert code == 1
    assert "RAILWAY_SCHEMA" in capsys.readouterr().out
