"""Errors of Redis in plain words: each names host and port, and what repairs it."""

from __future__ import annotations

import ssl
from socket import gaierror

import pytest
import redis
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 (redis-py's name)
    InvalidResponse,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from workers.engine.redis_errors import describe


def text(
    error: RedisError, url: str = "redis://:pw@10.0.0.5:6380/0", cause: BaseException | None = None
) -> str:
    error.__cause__ = cause
    return describe(redis.Redis.from_url(url), error)


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [
        (ConnectionError(), ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (ConnectionError(), gaierror(-2, "Name or service not known"), "unknown host"),
        (ConnectionError(), TimeoutError("timed out"), "no answer in time"),
        (ConnectionError("Connection closed by server."), None, "use rediss:// if it requires TLS"),
        (ConnectionError(), OSError(113, "No route to host"), "no route to host"),
        (AuthenticationError("WRONGPASS invalid username-password pair or user is disabled."), None, "wrong password"),
        (AuthenticationError("AUTH <password> called without any password configured for the default user."), None,
         "it has no password"),
        (NoPermissionError("NOPERM this user has no permissions to run the 'info' command"), None, "ACL SETUSER"),
        (ReadOnlyError("READONLY You can't write against a read only replica."), None, "address of the primary"),
        (ResponseError("DB index is out of range"), None, "end REDIS_URL in /0"),
        (ResponseError("OOM command not allowed when used memory > 'maxmemory'."), None, "raise maxmemory"),
        (ResponseError("MISCONF Valkey is configured to save RDB snapshots"), None, "cannot write to its disk"),
        (ResponseError("MOVED 3999 127.0.0.1:6381"), None, "Redis Cluster"),
        (InvalidResponse("Protocol Error: b'HTTP/1.1 400'"), None, "no Redis"),
    ],
)  # fmt: skip
def test_an_error_names_the_server_and_what_to_do(
    error: RedisError, cause: BaseException | None, words: str
) -> None:
    message = text(error, cause=cause)

    assert message.startswith("Redis at 10.0.0.5:6380: ")
    assert words in message
    assert "pw" not in message


def test_a_missing_password_and_a_wrong_user_are_told_apart() -> None:
    error = AuthenticationError("Authentication required.")

    assert "requires a password" in text(error, "redis://10.0.0.5:6379/0")
    assert "wrong user name or password" in text(error, "redis://ana:pw@10.0.0.5:6379/0")


def test_errors_of_tls_name_the_scheme_or_the_certificate() -> None:
    plain = ssl.SSLError(1, "wrong version number")
    plain.reason = "WRONG_VERSION_NUMBER"
    untrusted = ssl.SSLCertVerificationError(1, "certificate verify failed")
    untrusted.verify_message = "self-signed certificate"
    url = "rediss://:pw@10.0.0.5:6380/0"

    assert "it speaks no TLS: use redis://" in text(ConnectionError(), url, plain)
    assert "certificate is not trusted (self-signed certificate)" in text(ConnectionError(), url, untrusted)


def test_an_error_that_nobody_knows_is_named_by_its_class() -> None:
    assert text(RedisError("something new")) == "Redis at 10.0.0.5:6380: RedisError"
