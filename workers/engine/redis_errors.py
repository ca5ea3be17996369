"""Errors of Redis in plain words: which Redis, what happened, and which part of REDIS_URL repairs it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import redis
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

DEFAULT_PORT = 6379
# How a server begins its error reply, and what it means. https://redis.io/docs/latest/develop/reference/protocol-spec/
REPLIES = (
    ("loading", "it is still loading its data"),
    ("misconf", "it cannot write to its disk and refuses changes: see its log"),
    ("oom command not allowed", "its memory is full: raise maxmemory"),
    ("moved", "it is a Redis Cluster: use a Redis or Valkey that is no cluster"),
    ("crossslot", "it is a Redis Cluster: use a Redis or Valkey that is no cluster"),
    ("db index is out of range", "it has no database of this number: end REDIS_URL in /0"),
    ("invalid db index", "it has no database of this number: end REDIS_URL in /0"),
    ("max number of clients", "it accepts no more connections: raise maxclients"),
    ("protected mode", "it accepts connections from its own machine only: set a password (protected mode)"),
    ("noreplicas", "it has too few replicas and refuses changes"),
    ("masterdown", "it is a replica whose primary is away"),
    ("unknown command", "it does not know a command that is needed: use Redis 7 or Valkey"),
)
WRONG_PASSWORD = ("wrongpass", "invalid password", "invalid username-password", "username-password pair")
NO_PASSWORD_SET = ("without any password configured", "no password is set")
TLS_ALERT = b"\x15\x03"  # how a TLS server answers a client that does not speak TLS


def address(client: redis.Redis) -> str:
    """Host and port of the client's server, or its socket file; never the password."""
    options = client.connection_pool.connection_kwargs
    if "path" in options:
        return str(options["path"])
    return f"{options.get('host', 'localhost')}:{options.get('port', DEFAULT_PORT)}"


def describe(client: redis.Redis, error: RedisError) -> str:
    """The error for people: `Redis at 10.0.0.5:6379: connection refused`."""
    return f"Redis at {address(client)}: {_reason(client, error)}"


def _reason(client: redis.Redis, error: RedisError) -> str:
    for cause in _causes(error):
        if isinstance(cause, OSError) and (reason := _network_reason(client, cause)):
            return reason
    text = str(error).lower()
    if (
        isinstance(error, AuthenticationError)
        or "noauth" in text
        or any(word in text for word in WRONG_PASSWORD)
    ):
        return _authentication_reason(client, text)
    if isinstance(error, NoPermissionError) or "noperm" in text:
        return "its user may not use a command that is needed: allow it all commands (ACL SETUSER)"
    if isinstance(error, ReadOnlyError) or text.startswith("readonly"):
        return "it is a read-only replica: use the address of the primary"
    if isinstance(error, BusyLoadingError):
        return "it is still loading its data"
    if isinstance(error, RedisTimeoutError):
        return _timeout_reason(client)
    if isinstance(error, InvalidResponse):
        return "what answers there is no Redis: check host and port"
    if isinstance(error, ResponseError | RedisError):
        for words, meaning in REPLIES:
            if words in text:
                return meaning
    return _closed_reason(client, text) or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from or while handling, the innermost last."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _network_reason(client: redis.Redis, error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_reason(error)
    if isinstance(error, ssl.SSLError):
        is_plain = error.reason in (
            "WRONG_VERSION_NUMBER",
            "RECORD_LAYER_FAILURE",
            "UNEXPECTED_EOF_WHILE_READING",
        )
        return (
            "it speaks no TLS: use redis:// in place of rediss://"
            if is_plain
            else f"TLS fails ({error.reason})"
        )
    if isinstance(error, socket.gaierror):
        return "unknown host: correct the name in REDIS_URL"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: start Redis there, or correct REDIS_URL"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return _closed_reason(client, "connection closed")
    if isinstance(error, TimeoutError | socket.timeout):
        return _timeout_reason(client)
    return (error.strerror or "").lower()


def _timeout_reason(client: redis.Redis) -> str:
    # A server without TLS takes the greeting for the beginning of a command and waits for the rest.
    if issubclass(client.connection_pool.connection_class, redis.SSLConnection):
        return "no answer in time: if it speaks no TLS, use redis:// in place of rediss://"
    return "no answer in time"


def _certificate_reason(error: ssl.SSLCertVerificationError) -> str:
    why = error.verify_message or "certificate verify failed"
    hint = "add ?ssl_ca_certs=/path/to/ca.pem to REDIS_URL"
    if ("self" in why and "signed" in why) or "local issuer" in why:
        return f"its certificate is not trusted ({why}): {hint}"
    return f"its certificate is not valid ({why})"


def _authentication_reason(client: redis.Redis, text: str) -> str:
    options = client.connection_pool.connection_kwargs
    if any(words in text for words in NO_PASSWORD_SET):
        return "it has no password, and REDIS_URL names one: remove it, or set requirepass"
    if not options.get("password"):
        return "it requires a password: write redis://:<password>@host:port/0"
    if options.get("username"):
        return "wrong user name or password"
    return "wrong password"


def _closed_reason(client: redis.Redis, text: str) -> str:
    if "closed" not in text and "reset" not in text and "protocol error" not in text:
        return ""
    if issubclass(client.connection_pool.connection_class, redis.SSLConnection):
        return "it closed the connection: use redis:// if it speaks no TLS"
    return "it closed the connection: use rediss:// if it requires TLS"
