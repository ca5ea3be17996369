"""Redaction of secrets in text."""

from __future__ import annotations

import pytest

from workers.runtime.redaction import redact

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


@pytest.mark.parametrize(
    "text",
    [
        "KeyError: 'STRIPE_SECRET_KEY'",
        "password: None",
        "max_tokens=512 tokens: 12",
        "token: expired",
        "bearer authentication failed",
        "commit da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "id 3f2504e0-4f89-11d3-9a0c-0305e82c3301 at 1732391400000",
        'File "/app/src/components/Checkout2/PaymentProviderFactory/index/stripe.py", line 12, in pay',
        "at AbstractSingletonProxyFactoryBean2HandlerResolverImpl.run",
        "npm ERR! express@4.18.2",
        "order 4111111111111112 failed",
        "secret=''",
    ],
)
def test_text_without_secrets_is_unchanged(text: str) -> None:
    assert redact(text) == text


def test_half_a_megabyte_of_hostile_text_is_redacted_quickly() -> None:
    parts = [
        "a", 'password="', "a://", "a@", "a.", "4111 ", "-----BEGIN PRIVATE KEY-----", "eyJ", "aA1", "bearer ",
        "a.a@a.", "--a-", "authorization:", "postgres://", " ", "secret ", "sk-", "-----END", 'cookie="', '\\\\"',
        "password=\\\\\\\"", "SG.", "xox", "token",
    ]  # fmt: skip

    for part in parts:
        redact(part * (500_000 // len(part)))  # a pattern that backtracks takes minutes


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
