"""Railway's webhooks: which are trouble, what an alert carries, and that no body can do harm."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from receiver.payload import WEEK_SECONDS, InvalidPayload, dedup_window
from receiver.sources.railway import parse
from workers.models import Alert, Ignored

AT = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)
DATA = Path(__file__).parents[2] / "data" / "webhooks"


def body(name: str, **changes: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((DATA / f"{name}.json").read_bytes()) | changes
    return event


def taken(event: dict[str, Any] | bytes) -> Alert:
    answer = parse(event if isinstance(event, bytes) else json.dumps(event).encode(), AT, "tok")
    assert isinstance(answer, Alert), answer
    return answer


def ignored(event: dict[str, Any]) -> str:
    answer = parse(event, AT, "tok")
    assert isinstance(answer, Ignored), answer
    return answer.reason


def refused(raw: bytes | dict[str, Any]) -> InvalidPayload:
    with pytest.raises(InvalidPayload) as caught:
        parse(raw, AT, "tok")
    return caught.value


def test_a_crash_becomes_an_alert_with_everything_it_names() -> None:
    alert = taken(body("crashed"))

    assert alert.id == "20261123T030405-tok"
    assert (alert.source, alert.kind, alert.received_at) == ("railway", "deployment.crashed", AT)
    assert alert.project_id == "4f0c9a52-7d1e-4f5c-9a63-0b1d2e3f4a5b"
    assert alert.environment_id == "5a1db063-8e2f-406d-8b74-1c2e3f405b6c"
    assert (alert.service_id, alert.service_name) == ("6b2ec174-9f30-417e-9c85-2d3f40516c7d", "ledger")
    assert alert.deployment_id == "7c3fd285-a041-428f-ad96-3e4051627d8e"
    assert alert.reported_at == datetime(2026, 11, 23, 3, 3, 58, 120_000, tzinfo=UTC)
    assert alert.message.startswith(
        "Deployment.crashed: service ledger, in bank/production, deployment 7c3fd285"
    )
    assert "commit 9f1c2d3e" in alert.message


@pytest.mark.parametrize(
    ("spelling", "kind"),
    [
        ("Deployment.oom_killed", "deployment.oomkilled"),
        ("Deployment.oomKilled", "deployment.oomkilled"),
        ("Deployment.OomKilled", "deployment.oomkilled"),
        ("deployment.oom-killed", "deployment.oomkilled"),
        ("Deployment.Crashed", "deployment.crashed"),
        ("DEPLOYMENT.FAILED", "deployment.failed"),
        ("Deployment.restarted", "deployment.restarted"),
        ("Monitor.triggered", "monitor.triggered"),
        ("VolumeAlert.triggered", "volumealert.triggered"),
        ("volume_alert.triggered", "volumealert.triggered"),
        ("Deployment.deployed", "deployment.deployed"),
        ("Deployment.redeployed", "deployment.redeployed"),
        ("Deployment.resumed", "deployment.resumed"),
    ],
)
def test_a_reason_to_look_is_known_in_every_spelling(spelling: str, kind: str) -> None:
    assert taken(body("crashed", type=spelling)).kind == kind


@pytest.mark.parametrize(
    "name",
    [
        "Deployment.building", "Deployment.deploying", "Deployment.slept", "Deployment.removed",
        "Deployment.waiting", "Deployment.queued", "Deployment.needs_approval", "Monitor.resolved",
        "Monitor.deleted", "VolumeAlert.resolved",
    ],
)  # fmt: skip
def test_what_is_no_trouble_is_ignored_and_says_so(name: str) -> None:
    assert ignored(body("crashed", type=name, severity="CRITICAL")) == f"{name} is no trouble"


def test_an_event_that_nobody_knows_is_ignored_and_named() -> None:
    assert ignored({"type": "WorkspaceMember.joined"}) == "WorkspaceMember.joined is no event that we know"


def test_neither_status_nor_severity_is_believed() -> None:
    event = body("crashed", type="Deployment.failed", severity="INFO")
    event["details"]["status"] = "SUCCESS"

    assert taken(event).kind == "deployment.failed"


def test_an_ephemeral_environment_is_ignored() -> None:
    event = body("crashed")
    event["resource"]["environment"]["isEphemeral"] = True

    assert ignored(event) == "ephemeral environment"


def test_a_volume_alert_names_no_service() -> None:
    alert = taken(body("volume"))

    assert (alert.service_id, alert.service_name, alert.deployment_id) == (None, None, None)
    assert alert.environment_id == "5a1db063-8e2f-406d-8b74-1c2e3f405b6c"


def test_a_monitor_says_what_it_measured() -> None:
    alert = taken(body("monitor"))

    assert alert.message == (
        "Monitor.triggered: service ledger, in bank/production, metric cpu, value 7.8, unit vCPU, "
        "threshold 6.5, message CPU above threshold"
    )
    assert alert.deployment_id is None


def test_the_type_alone_is_enough() -> None:
    alert = taken({"type": "Deployment.crashed", "details": None, "resource": None})

    assert (alert.project_id, alert.environment_id, alert.service_id, alert.reported_at) == (
        None,
        None,
        None,
        None,
    )
    assert alert.message == "Deployment.crashed"


def test_details_of_any_shape_are_passed_over() -> None:
    assert taken(body("crashed", details=[1, {"a": None}])).kind == "deployment.crashed"


def test_the_deployment_is_found_in_the_details_too() -> None:
    event = body("crashed")
    del event["resource"]["deployment"]

    assert taken(event).deployment_id == "7c3fd285-a041-428f-ad96-3e4051627d8e"


def test_an_id_of_zeros_is_none() -> None:
    event = body("crashed")
    event["resource"]["service"]["id"] = "00000000-0000-0000-0000-000000000000"

    assert taken(event).service_id is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [("CRASHED", "deployment.crashed"), ("FAILED", "deployment.failed"), ("SUCCESS", "deployment.deployed")],
)
def test_the_legacy_format_is_understood(status: str, kind: str) -> None:
    alert = taken(body("legacy", status=status))

    assert alert.kind == kind
    assert alert.environment_id == "5a1db063-8e2f-406d-8b74-1c2e3f405b6c"
    assert alert.service_name == "ledger"
    assert "commit 9f1c2d3e" in alert.message


@pytest.mark.parametrize("status", ["BUILDING", "REMOVED", "NEEDS_APPROVAL", "SOMETHING_NEW"])
def test_legacy_stages_on_the_way_are_ignored(status: str) -> None:
    assert ignored(body("legacy", status=status)) == f"DEPLOY {status} is no trouble"


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({}, "type"),
        ({"type": None}, "type"),
        ({"type": 5}, "type"),
        ({"type": " "}, "type"),
        ({"type": "DEPLOY"}, "status"),
        ({"type": "DEPLOY", "status": 1}, "status"),
        ({"type": "Deployment.crashed", "resource": "api"}, "resource"),
        ({"type": "Deployment.crashed", "resource": {"service": "api"}}, "resource.service"),
        ({"type": "Deployment.crashed", "resource": {"service": {"id": 7}}}, "resource.service.id"),
        ({"type": "Deployment.crashed", "resource": {"project": {"id": "a b"}}}, "resource.project.id"),
        ({"type": "Deployment.crashed", "environment": {"id": "x\ny"}}, "environment.id"),
        ({"type": "Deployment.crashed", "details": {"id": {"$gt": ""}}}, "details.id"),
    ],
)
def test_a_wrong_shape_names_its_field(event: dict[str, Any], field: str) -> None:
    assert refused(event).field == field


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"  ", b"null", b"[]", b'"text"', b"5", b"{", b"\xff\xfe{}", b'{"type": "\xc3"}',
        b'{"type": NaN}', b'{"type": Infinity}', b'{"type": 1e999}', b'{"type": ' + b"9" * 5000 + b"}",
        b"[" * 100_000, b'{"a":' * 50_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    ],
    ids=range(16),
)  # fmt: skip
def test_what_is_no_json_object_is_refused_and_nothing_worse(raw: bytes) -> None:
    assert refused(raw).field == "body"


def test_a_key_that_stands_there_twice_is_refused() -> None:
    assert refused(b'{"type": "Deployment.building", "type": "Deployment.crashed"}').field == "type"


@pytest.mark.parametrize(
    "stamp", ["yesterday", "", None, 1e300, -1, True, {}, "9" * 100, "0001-01-01T00:00:00+23:59"]
)
def test_a_time_that_is_none_does_not_lose_the_alert(stamp: object) -> None:
    assert taken(body("crashed", timestamp=stamp)).reported_at is None


def test_half_a_character_and_control_characters_are_stored_as_harmless_text() -> None:
    event = body("crashed")
    event["details"]["commitMessage"] = "cut \ud83d\x00\x1b[31m\nSecond: line\u202e"
    event["resource"]["service"]["name"] = "led\ud800ger"

    alert = taken(event)

    assert alert.service_name == "led?ger"
    assert "cut ? [31m Second: line" in alert.message
    assert Alert.model_validate_json(alert.model_dump_json()) == alert


def test_what_was_said_is_redacted_and_at_most_4_kib() -> None:
    event = body("crashed")
    secret = "ghp_" + "a1B2c3D4" * 5
    event["details"] |= {"commitMessage": f"token {secret}", "error": "ü" * 9000, "branch": "ä" * 9000}

    said = taken(event).message

    assert secret not in said
    assert len(said.encode()) <= 4096


def test_the_raw_body_never_gets_in() -> None:
    event = body("crashed", surprise="tell nobody")
    event["details"]["surprise"] = "tell nobody"

    assert "tell nobody" not in taken(event).model_dump_json()


def test_the_same_body_is_one_alert_for_a_week_and_another_body_is_another() -> None:
    raw, other = json.dumps(body("crashed")).encode(), json.dumps(body("volume")).encode()

    first, again = dedup_window("railway", raw, taken(raw)), dedup_window("railway", raw, taken(raw))
    different = dedup_window("railway", other, taken(other))

    assert first is not None
    assert first == again
    assert first.seconds == WEEK_SECONDS == 604_800
    assert different is not None
    assert different.key != first.key


def test_a_body_without_a_time_is_one_alert_for_five_minutes() -> None:
    raw = b'{"type": "Deployment.crashed"}'

    made = dedup_window("railway", raw, taken(raw))

    assert made is not None
    assert made.seconds == 300
