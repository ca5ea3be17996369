"""Redaction of secrets in text."""

from __future__ import annotations

import time
from base64 import b64encode

import pytest

from tests.support.secret_texts import INNOCENT, SECRETS
from workers.runtime.redaction import redact, redact_key_line, remember_secrets
from workers.runtime.secret_shapes import MARK

REDACTED = {
    "password=hunter2 x": "password=[redacted] x",
    '{"password": "hun\\"ter2", "a": 1}': '{"password": "[redacted]", "a": 1}',
    r"{\"client_secret\":\"abc\",\"b\":2}": r"{\"client_secret\":\"[redacted]\",\"b\":2}",
    "{'token': b'abc'}": "{'token': b'[redacted]'}",
    "GET /x?access_token=abc&page=2": "GET /x?access_token=[redacted]&page=2",
    "STRIPE_API_KEY: abc123": "STRIPE_API_KEY: [redacted]",
    "--password hunter2 --port 1": "--password [redacted] --port 1",
    "postgres://u:pa/ss@db.host:5432/x": "postgres://[redacted]@db.host:5432/x",
    "https://user:p@ss@host.com/a": "https://[redacted]@host.com/a",
    "Authorization: Basic dXNlcjpwYXNz": "Authorization: [redacted]",
    "curl -H 'Bearer abc.def.123456'": "curl -H 'Bearer [redacted]'",
    "Cookie: sid=1; b=2": "Cookie: [redacted]",
    "by bob.smith+x@example.co.uk now": "by [redacted] now",
    "card 4111 1111 1111 1111 ok": "card [redacted] ok",
    "xoxb-" + "1" * 12 + "-abc": "[redacted]",
    "see hooks.slack.com/services/T00/B00/xyz": "see hooks.slack.com/services/[redacted]",
    "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.sig": "[redacted]",
    "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\nafter": "[redacted]\nafter",
    "-----BEGIN EC PRIVATE KEY-----\ncut off": "[redacted]",
    "our own: s3cr3t-value": "our own: [redacted]",
}


@pytest.mark.parametrize("text", REDACTED)
def test_only_secrets_are_redacted(text: str) -> None:
    once = redact(text, ["s3cr3t-value", "", "abc"])

    assert once == REDACTED[text]
    assert redact(once) == once


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_redacted_in_every_form_that_logs_show(text: str) -> None:
    once = redact(text)

    assert not SECRETS[text] or SECRETS[text] not in once
    assert redact(once) == once


@pytest.mark.parametrize("text", INNOCENT)
def test_text_without_secrets_is_unchanged(text: str) -> None:
    assert redact(text) == text


def without_keys(lines: list[str]) -> list[str]:
    kept, inside = [], False
    for line in lines:
        text, inside = redact_key_line(line, inside=inside)
        kept.append(text)
    return kept


def test_the_lines_of_a_key_that_is_printed_line_by_line_are_redacted() -> None:
    lines = [
        "start",
        "-----BEGIN PRIVATE KEY-----",
        "MIIEvQIBADANBg",
        "short==",
        "-----END PRIVATE KEY-----",
        "end",
    ]

    assert [redact(line) for line in without_keys(lines)] == ["start", *[MARK] * 4, "end"]


def test_a_key_without_an_end_hides_nothing_but_its_lines() -> None:
    lines = ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBg", "ERROR: cannot parse the key", "next"]

    assert without_keys(lines)[2:] == lines[2:]


def test_a_remembered_secret_is_redacted_in_its_encodings() -> None:
    secret = "a-value-of-these-settings"
    raw = secret.encode()
    remember_secrets([secret])

    forms = [
        secret,
        secret[::-1],
        raw.hex(),
        *(b64encode(b"x" * offset + raw).decode() for offset in range(3)),
    ]

    assert [form for form in forms if MARK not in redact(f"see {form} here")] == []


def test_fifty_kilobytes_of_hostile_text_are_redacted_quickly() -> None:
    parts = [
        "a", 'password="', "a://", "a@", "a.", "4111 ", "-----BEGIN PRIVATE KEY-----", "eyJ", "aA1", "bearer ",
        "a.a@a.", "--a-", "authorization:", "postgres://", " ", "secret ", "sk-", "-----END", 'cookie="', '\\\\"',
        "password=\\\\\\\"", "SG.", "xox", "token", "-u a:", "?key=", "a=b; path", "mysql -p", "password is ",
        "SecretStr('", "'set-cookie': [ ", "a:b@", "x-a-", "password:[", "login a password ", "token: a ",
        "é password=",
        "-----END PRIVATE KEY-----", "postgres://a@", "x://a:b", "identified by '",
    ]  # fmt: skip

    started = time.process_time()
    for part in parts:
        redact(part * (50_000 // len(part)))

    assert time.process_time() - started < 20  # seconds of CPU time; a pattern that backtracks takes minutes


@pytest.mark.parametrize(
    "text",
    [
        "PASSWORD=hunter2x",
        "PA\u017f\u017fWORD=hunter2x",
        "\u017ferver --pa\u017fsword hunter2x",
        "COO\u212aIE: hunter2x",
    ],
)
def test_unusual_letters_do_not_hide_a_secret_from_the_redaction(text: str) -> None:
    assert "hunter2x" not in redact(text)
