"""Messages in Slack's format: their text, the ids in it, and hostile bodies."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest

from receiver.payload import InvalidPayload, dedup_window
from receiver.sources.slack import parse
from workers.models import Alert

AT = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)
DATA = Path(__file__).parents[2] / "data" / "webhooks"
PROJECT = "4f0c9a52-7d1e-4f5c-9a63-0b1d2e3f4a5b"
ENVIRONMENT = "5a1db063-8e2f-406d-8b74-1c2e3f405b6c"
SERVICE = "6b2ec174-9f30-417e-9c85-2d3f40516c7d"
DEPLOYMENT = "7c3fd285-a041-428f-ad96-3e4051627d8e"


def parsed(message: dict[str, Any] | bytes) -> Alert:
    alert = parse(message if isinstance(message, bytes) else json.dumps(message).encode(), AT, "tok")
    assert isinstance(alert, Alert)
    return alert


def rejected(raw: bytes | dict[str, Any]) -> str:
    with pytest.raises(InvalidPayload) as caught:
        parse(raw, AT, "tok")
    return caught.value.field


def test_plain_text_becomes_the_alerts_message() -> None:
    alert = parsed({"text": "ledger answers 500\nsince 03:01"})

    assert (alert.source, alert.kind, alert.received_at) == ("slack", "message", AT)
    assert alert.message == "ledger answers 500\nsince 03:01"
    assert (alert.service_id, alert.service_name) == (None, None)


def test_blocks_are_read_as_a_person_reads_them() -> None:
    alert = parsed((DATA / "slack_blocks.json").read_bytes())

    assert alert.message.splitlines() == [
        "ledger is slow",
        "p95 is *4.1 s* > 1 s, see the graph (https://graphs.example/d/9?x=1&y=2)",
        "*Service ID:*",
        "`6B2EC174-9f30-417e-9c85-2d3f40516c7d`",
        "*Since:*",
        "03:01",
        "call the runbook (https://wiki.example/oncall)",
        "first step",
        "second step",
        "from @here Prober",
        "Open (https://prober.example/1)",
    ]


def test_an_id_beside_its_label_is_found_in_any_case() -> None:
    assert parsed((DATA / "slack_blocks.json").read_bytes()).service_id == SERVICE


def test_attachments_yield_their_fields_without_the_fallback() -> None:
    lines = parsed((DATA / "slack_attachment.json").read_bytes()).message.splitlines()

    assert lines[:2] == ["firing", "ledger: error rate above 5 %"]
    assert lines[3:] == ["12.5 % of requests", "Environment: production", "Rate: 12.5", "prober"]


def test_a_fallback_is_used_if_there_is_no_other_text() -> None:
    assert parsed({"attachments": [{"fallback": "disk full", "color": "danger"}]}).message == "disk full"


def test_a_dashboard_link_names_project_environment_service_and_deployment() -> None:
    alert = parsed((DATA / "slack_attachment.json").read_bytes())

    assert alert.project_id == PROJECT
    assert alert.environment_id == ENVIRONMENT
    assert alert.service_id == SERVICE
    assert alert.deployment_id == DEPLOYMENT


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (f"service: {SERVICE}", "service_id"),
        (f"RAILWAY_SERVICE_ID={SERVICE}", "service_id"),
        (f'{{"serviceId": "{SERVICE}"}}', "service_id"),
        (f"deployment {SERVICE} failed", "deployment_id"),
        (f"env_id={SERVICE}", "environment_id"),
        (f"<https://railway.app/project/{SERVICE}|shop>", "project_id"),
        (f"https://railway.com/project/{PROJECT}/logs?environmentId={SERVICE}", "environment_id"),
    ],
)
def test_ids_are_found_in_the_usual_notations(text: str, field: str) -> None:
    assert getattr(parsed({"text": text}), field) == SERVICE


@pytest.mark.parametrize(
    "text",
    [
        f"service {SERVICE} calls service {DEPLOYMENT}",
        f"request {SERVICE} failed",
        f"https://example.com/service/{SERVICE}",
        "service 00000000-0000-0000-0000-000000000000",
        f"service {SERVICE}-and-more",
    ],
)
def test_an_ambiguous_id_stays_in_the_text(text: str) -> None:
    alert = parsed({"text": text})

    assert alert.service_id is None
    assert alert.message == text


@pytest.mark.parametrize("lead", ["", "\n ", "\ufeff"])
def test_the_body_decides_between_json_and_form(lead: str) -> None:
    message = json.dumps({"text": "50 % & more + ünï"})

    assert parsed((lead + message).encode()).message == "50 % & more + ünï"
    assert parsed(urlencode({"payload": lead + message}).encode()).message == "50 % & more + ünï"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b"hello", "body"),
        (b"\xff\xff", "body"),
        (b"text=hello", "payload"),
        (b"payload=", "payload"),
        (b"payload=hello", "body"),
        (b"payload=%ff", "body"),
        (b"payload=[]", "body"),
        (b"a=1&" * 100 + b"payload={}", "body"),
        (b"payload=" + quote_plus('{"a":' * 20_000).encode(), "body"),
        (b"{}", "text"),
        (b'{"text": "  "}', "text"),
        (b'{"text": 5}', "text"),
        (b'{"blocks": {}}', "blocks"),
        (b'{"attachments": "x"}', "attachments"),
        (b'{"attachments": [null, 5, [], {}]}', "text"),
        (b'{"blocks": [{"type": "divider"}]}', "text"),
    ],
)
def test_a_body_without_a_message_names_the_field(raw: bytes, field: str) -> None:
    assert rejected(raw) == field


def test_deeply_nested_blocks_are_ignored() -> None:
    nested: Any = {"text": "deep"}
    for _ in range(300):
        nested = {"elements": [nested]}

    assert parsed({"text": "shallow", "blocks": [nested]}).message == "shallow"


@pytest.mark.parametrize(
    "text",
    ["<" * 200_000, "<a|" * 60_000, "<" + "a" * 200_000, "service" * 30_000, "service id " + "=" * 200_000,
     "https://railway.com/" * 10_000, "&amp;" * 40_000, "\x00" * 40_000],
    ids=range(8),
)  # fmt: skip
def test_a_hostile_text_is_parsed_within_a_second(text: str) -> None:
    raw = json.dumps({"text": "x " + text}).encode()
    before = time.process_time()

    parsed(raw)

    assert time.process_time() - before < 1


def test_a_broken_character_becomes_harmless_text() -> None:
    alert = parsed(b'{"text": "cut \\ud83d here", "blocks": ["\\udc00"]}')

    assert alert.message == "cut ? here\n?"
    assert Alert.model_validate_json(alert.model_dump_json()) == alert


def test_a_message_is_redacted_and_at_most_4_kib() -> None:
    secret = "xoxb-" + "12345678-abcdefgh"

    message = parsed({"text": f"token {secret} " + "ü" * 9000}).message

    assert secret not in message
    assert len(message.encode()) <= 4096


@pytest.mark.parametrize(
    "message",
    [
        {"text": "x", "ts": "1795404238.000200"},
        {"text": "x", "timestamp": "2026-11-23T03:03:58Z"},
        {"text": "x", "timestamp": 1795404238000},
        {"attachments": [{"text": "x", "ts": 1795404238}]},
    ],
)
def test_a_message_with_a_time_is_one_alert_for_a_week(message: dict[str, Any]) -> None:
    raw = json.dumps(message).encode()

    window = dedup_window("slack", raw, parsed(raw))

    assert window is not None
    assert window.seconds == 604_800


def test_a_message_without_a_time_is_one_alert_for_five_minutes() -> None:
    raw = b'{"text": "03:03:58 ledger is down"}'

    window = dedup_window("slack", raw, parsed(raw))

    assert window is not None
    assert window.seconds == 300
