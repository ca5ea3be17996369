"""Slack's signature: only the raw bytes, signed lately with one of our secrets, are from Slack."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from receiver.slack_signature import is_recent, is_signed, sign, timestamp_of

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BODY = b"payload=%7B%22type%22%3A%22block_actions%22%7D"
NOW = 1_531_420_618


def headers(**changes: str) -> Headers:
    values = {
        "X-Slack-Request-Timestamp": str(NOW), "X-Slack-Signature": sign(SECRET, NOW, BODY),
    } | {name.replace("_", "-"): value for name, value in changes.items()}  # fmt: skip
    return Headers({name: value for name, value in values.items() if value})


def test_the_example_of_slacks_documentation_has_the_signature_that_it_shows() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
        b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )

    assert sign(SECRET, 1531420618, body) == (
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    )


def test_a_request_that_slack_signed_is_accepted() -> None:
    assert is_signed([SECRET], headers(), BODY)


@pytest.mark.parametrize(
    "changes",
    [
        {"X_Slack_Signature": "v0=" + "0" * 64},
        {"X_Slack_Signature": sign(SECRET, NOW, BODY).upper()},
        {"X_Slack_Signature": sign(SECRET, NOW, BODY)[:-1]},
        {"X_Slack_Signature": sign("another", NOW, BODY)},
        {"X_Slack_Signature": sign(SECRET, NOW, BODY).replace("v0=", "v1=")},
        {"X_Slack_Signature": "§ü"},
        {"X_Slack_Request_Timestamp": str(NOW + 1)},
        {"X_Slack_Request_Timestamp": ""},
        {"X_Slack_Signature": ""},
    ],
)
def test_a_request_with_another_signature_or_time_is_refused(changes: dict[str, str]) -> None:
    assert not is_signed([SECRET], headers(**changes), BODY)


def test_one_changed_byte_is_refused() -> None:
    assert not is_signed([SECRET], headers(), BODY + b" ")


def test_both_secrets_are_accepted_during_a_rotation_and_none_without_any() -> None:
    assert is_signed(["the new one", SECRET], headers(), BODY)
    assert not is_signed([], headers(), BODY)


@pytest.mark.parametrize(
    ("text", "timestamp"),
    [
        ("1531420618", NOW),
        ("", None),
        ("-5", None),
        ("1e9", None),
        ("１５３", None),
        ("9" * 13, None),
        (" 12", None),
    ],
)
def test_only_plain_digits_are_a_time(text: str, timestamp: int | None) -> None:
    assert timestamp_of({"x-slack-request-timestamp": text}) == timestamp


@pytest.mark.parametrize(
    ("seconds", "recent"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)]
)
def test_a_request_is_refused_five_minutes_before_and_after_its_time(seconds: int, recent: bool) -> None:
    assert is_recent(NOW, NOW + seconds) == recent
