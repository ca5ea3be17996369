"""Which notification rules send to this installation, and in which way they are wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from receiver.sources import railway as source
from workers.clients.railway.notification_rules import Channel, NotificationRule
from workers.doctor import railway_webhook
from workers.doctor.railway_webhook import EVENTS, AddressProblem, Difference
from workers.models import Alert, Ignored

PUBLIC = "https://tw.example.com"
NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)


def rule(url: str, *events: str, severities: tuple[str, ...] = (), kind: str = "webhook") -> NotificationRule:
    return NotificationRule("r1", "prj", None, None, events or EVENTS, severities, (Channel(kind, url),))


@pytest.mark.parametrize(
    "url",
    [
        "https://tw.example.com/hooks/railway",
        "https://TW.example.com:443/hooks/railway/",
        "https://tw.example.com/hooks/railway/a/secret",
    ],
)
def test_a_rule_with_our_address_is_ours_however_it_is_written(url: str) -> None:
    assert railway_webhook.sends_to(rule(url), PUBLIC)


@pytest.mark.parametrize(
    "url",
    [
        "https://tw.example.com.evil.test/hooks/railway",
        "https://tw.example.com/hooks/railwayx",
        "https://tw.example.com/hooks/slack",
        "http://tw.example.com/hooks/railway",
        "https://tw.example.com:8443/hooks/railway",
        "https://[broken/hooks/railway",
        "",
    ],
)
def test_a_rule_with_another_address_is_not_ours(url: str) -> None:
    assert not railway_webhook.sends_to(rule(url), PUBLIC)


def test_an_email_channel_is_no_webhook() -> None:
    assert not railway_webhook.sends_to(rule(f"{PUBLIC}/hooks/railway", kind="email"), PUBLIC)


def test_a_receiver_below_a_path_has_its_webhook_below_that_path() -> None:
    below = rule("https://example.com/tw/hooks/railway")

    assert railway_webhook.sends_to(below, "https://example.com/tw")
    assert not railway_webhook.sends_to(below, "https://example.com")


def test_a_rule_as_install_makes_it_differs_in_nothing() -> None:
    assert railway_webhook.differences(rule(f"{PUBLIC}/hooks/railway"), PUBLIC) == ()


def test_spellings_of_an_event_are_one_event() -> None:
    events = [event.replace("oom_killed", "oomKilled").upper() for event in EVENTS]

    assert railway_webhook.missing_events(rule(f"{PUBLIC}/hooks/railway", *events)) == ()


def test_each_difference_is_named() -> None:
    narrow = rule(f"{PUBLIC}/hooks/railway/s3cret", "Deployment.failed", severities=("CRITICAL",))

    assert railway_webhook.differences(narrow, PUBLIC) == tuple(Difference)
    assert "Monitor.triggered" in railway_webhook.missing_events(narrow)


@pytest.mark.parametrize("event", EVENTS)
def test_the_receiver_knows_every_event_that_is_registered(event: str) -> None:
    parsed = source.parse(json.dumps({"type": event}).encode(), NOW, "1")

    assert isinstance(parsed, Alert) or "unknown" not in parsed.reason


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://tw.example.com", None),
        ("http://tw.example.com", AddressProblem.NOT_HTTPS),
        ("https://127.0.0.1:8000", AddressProblem.PRIVATE),
        ("https://10.0.0.7", AddressProblem.PRIVATE),
        ("https://localhost", AddressProblem.PRIVATE),
        ("https://tw.railway.internal", AddressProblem.PRIVATE),
        ("http://[::1]:8000", AddressProblem.PRIVATE),
        ("https://", AddressProblem.MALFORMED),
        ("https://[oops", AddressProblem.MALFORMED),
    ],
)
def test_an_address_that_railway_cannot_reach_is_known_by_itself(
    url: str, problem: AddressProblem | None
) -> None:
    assert railway_webhook.address_problem(url) == problem


@pytest.mark.parametrize("nonce", ["0" * 32, "short", None, 7, "g" * 32])
def test_a_test_webhook_is_no_alert(nonce: object) -> None:
    body = {"type": "Trackwalker.test", "details": {"nonce": nonce}}

    parsed = source.parse(json.dumps(body).encode(), NOW, "1")

    assert isinstance(parsed, Ignored)
    assert parsed.probe == (nonce if nonce == "0" * 32 else None)
