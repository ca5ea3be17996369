"""Railway's webhooks: which report a problem, what an alert contains, and hostile bodies."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from receiver.payload import DATED_DEDUP_SECONDS, InvalidPayload, dedup_window
from receiver.sources.railway import parse
from workers.models import Alert, Ignored

AT = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)
DATA = Path(__file__).parents[2] / "data" / "webhooks"


def body(name: str, **changes: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((DATA / f"{name}.json").read_bytes()) | changes
    return event


def parsed(event: dict[str, Any] | bytes) -> Alert:
    answer = parse(event if isinstance(event, bytes) else json.dumps(event).encode(), AT, "tok")
    assert isinstance(answer, Alert), answer
    return answer


def ignored(event: dict[str, Any]) -> str:
    answer = parse(event, AT, "tok")
    assert isinstance(answer, Ignored), answer
    return answer.reason


def rejected(raw: bytes | dict[str, Any]) -> InvalidPayload:
    with pytest.raises(InvalidPayload) as caught:
        parse(raw, AT, "tok")
    return caught.value


def test_a_crash_becomes_an_alert_with_all_its_ids() -> None:
    alert = parsed(body("crashed"))

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
def test_an_event_is_recognised_in_every_spelling(spelling: str, kind: str) -> None:
    assert parsed(body("crashed", type=spelling)).kind == kind


@pytest.mark.parametrize(
    "name",
    [
        "Deployment.building", "Deployment.deploying", "Deployment.slept", "Deployment.removed",
        "Deployment.waiting", "Deployment.queued", "Deployment.needs_approval", "Monitor.resolved",
        "Monitor.deleted", "VolumeAlert.resolved",
    ],
)  # fmt: skip
def test_a_harmless_event_is_ignored_with_a_reason(name: str) -> None:
    assert ignored(body("crashed", type=name, severity="CRITICAL")) == f"{name} reports no problem"


def test_an_unknown_event_is_ignored_and_named() -> None:
    assert ignored({"type": "WorkspaceMember.joined"}) == "WorkspaceMember.joined is an unknown event"


def test_status_and_severity_are_not_trusted() -> None:
    event = body("crashed", type="Deployment.failed", severity="INFO")
    event["details"]["status"] = "SUCCESS"

    assert parsed(event).kind == "deployment.failed"


def test_an_ephemeral_environment_is_ignored() -> None:
    event = body("crashed")
    event["resource"]["environment"]["isEphemeral"] = True

    assert ignored(event) == "ephemeral environment"


def test_a_volume_alert_names_no_service() -> None:
    alert = parsed(body("volume"))

    assert (alert.service_id, alert.service_name, alert.deployment_id) == (None, None, None)
    assert alert.environment_id == "5a1db063-8e2f-406d-8b74-1c2e3f405b6c"


def test_a_monitors_measurement_is_part_of_the_message() -> None:
    alert = parsed(body("monitor"))

    assert alert.message == (
        "Monitor.triggered: service ledger, in bank/production, metric cpu, value 7.8, unit vCPU, "
        "threshold 6.5, message CPU above threshold"
    )
    assert alert.deployment_id is None


def test_the_type_alone_is_enough() -> None:
    alert = parsed({"type": "Deployment.crashed", "details": None, "resource": None})

    assert (alert.project_id, alert.environment_id, alert.service_id, alert.reported_at) == (
        None,
        None,
        None,
        None,
    )
    assert alert.message == "Deployment.crashed"


def test_details_of_another_type_are_ignored() -> None:
    assert parsed(body("crashed", details=[1, {"a": None}])).kind == "deployment.crashed"


def test_the_deployment_is_also_found_in_the_details() -> None:
    event = body("crashed")
    del event["resource"]["deployment"]

    assert parsed(event).deployment_id == "7c3fd285-a041-428f-ad96-3e4051627d8e"


def test_an_id_of_zeros_is_no_id() -> None:
    event = body("crashed")
    event["resource"]["service"]["id"] = "00000000-0000-0000-0000-000000000000"

    assert parsed(event).service_id is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [("CRASHED", "deployment.crashed"), ("FAILED", "deployment.failed"), ("SUCCESS", "deployment.deployed")],
)
def test_the_legacy_format_is_parsed(status: str, kind: str) -> None:
    alert = parsed(body("legacy", status=status))

    assert alert.kind == kind
    assert alert.environment_id == "5a1db063-8e2f-406d-8b74-1c2e3f405b6c"
    assert alert.service_name == "ledger"
    assert "commit 9f1c2d3e" in alert.message


@pytest.mark.parametrize("status", ["BUILDING", "REMOVED", "NEEDS_APPROVAL", "SOMETHING_NEW"])
def test_intermediate_legacy_states_are_ignored(status: str) -> None:
    assert ignored(body("legacy", status=status)) == f"DEPLOY {status} reports no problem"


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
def test_a_wrong_type_names_its_field(event: dict[str, Any], field: str) -> None:
    assert rejected(event).field == field


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"  ", b"null", b"[]", b'"text"', b"5", b"{", b"\xff\xfe{}", b'{"type": "\xc3"}',
        b'{"type": NaN}', b'{"type": Infinity}', b'{"type": 1e999}', b'{"type": ' + b"9" * 5000 + b"}",
        b"[" * 100_000, b'{"a":' * 50_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    ],
    ids=range(16),
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_rejected(raw: bytes) -> None:
    assert rejected(raw).field == "body"


def test_a_key_that_stands_there_twice_is_rejected() -> None:
    assert rejected(b'{"type": "Deployment.building", "type": "Deployment.crashed"}').field == "type"


@pytest.mark.parametrize(
    "stamp", ["yesterday", "", None, 1e300, -1, True, {}, "9" * 100, "0001-01-01T00:00:00+23:59"]
)
def test_an_invalid_time_does_not_lose_the_alert(stamp: object) -> None:
    assert parsed(body("crashed", timestamp=stamp)).reported_at is None


def test_broken_and_control_characters_become_harmless_text() -> None:
    event = body("crashed")
    event["details"]["commitMessage"] = "cut \ud83d\x00\x1b[31m\nSecond: line\u202e"
    event["resource"]["service"]["name"] = "led\ud800ger"

    alert = parsed(event)

    assert alert.service_name == "led?ger"
    assert "cut ? Second: line" in alert.message
    assert Alert.model_validate_json(alert.model_dump_json()) == alert


def test_a_message_is_redacted_and_at_most_4_kib() -> None:
    event = body("crashed")
    secret = "ghp_" + "a1B2c3D4" * 5
    event["details"] |= {"commitMessage": f"token {secret}", "error": "ü" * 9000, "branch": "ä" * 9000}

    message = parsed(event).message

    assert secret not in message
    assert len(message.encode()) <= 4096


def test_unknown_fields_never_become_part_of_an_alert() -> None:
    event = body("crashed", surprise="tell nobody")
    event["details"]["surprise"] = "tell nobody"

    assert "tell nobody" not in parsed(event).model_dump_json()


def test_the_same_body_is_one_alert_for_a_week_and_another_body_is_another() -> None:
    raw, other = json.dumps(body("crashed")).encode(), json.dumps(body("volume")).encode()

    first, again = dedup_window("railway", raw, parsed(raw)), dedup_window("railway", raw, parsed(raw))
    different = dedup_window("railway", other, parsed(other))

    assert first is not None
    assert first == again
    assert first.seconds == DATED_DEDUP_SECONDS == 604_800
    assert different is not None
    assert different.keys != first.keys


def test_a_body_without_a_time_is_one_alert_for_five_minutes() -> None:
    raw = b'{"type": "Deployment.crashed"}'

    window = dedup_window("railway", raw, parsed(raw))

    assert window is not None
    assert window.seconds == 300
