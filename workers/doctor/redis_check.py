"""Checks Redis: that it answers, keeps what it acknowledges, and is open to nobody else."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from workers.doctor.check_context import Context
from workers.doctor.results import error, passed, skipped, warning
from workers.engine.redis_errors import address, describe
from workers.errors import SettingsError
from workers.models.check_results import CheckResult
from workers.runtime import embedded, store

AREA = "Redis"
ANSWER_SECONDS = 1.5  # to connect, and per answer
PROBE_SECONDS = 1.0  # of the attempt to find out whether a server speaks TLS
CLOCK = "Redis"  # the name of its clock among those of `ClockSkews`


def check_redis(context: Context) -> Iterator[CheckResult]:
    """Whether Redis answers, and each way in which it can lose the journal or is open to others."""
    is_embedded = context.settings.redis_url is None
    if is_embedded and embedded.address(context.folder) is None:
        yield from _not_started(context)
        return
    try:
        client = store.connect(context.settings, context.folder)
    except SettingsError:
        yield skipped(AREA, "REDIS_URL is malformed")  # the check of the settings says how
        return
    # Once, and within the time of the quick half: a person waits.
    client.connection_pool.connection_kwargs |= {
        "socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS, "retry": Retry(NoBackoff(), 0),
    }  # fmt: skip
    try:
        seconds, microseconds = client.time()
        version = _version(client)
    except RedisError as failure:
        yield _failed(client, failure, is_embedded=is_embedded)
        return
    context.skews.note_epoch(CLOCK, int(seconds) + int(microseconds) / 1e6)
    name = "embedded Valkey" if is_embedded else version
    warnings = [
        *store.durability_warnings(client, context.folder, os.environ), *store.protection_warnings(client)
    ]  # fmt: skip
    yield passed(AREA, f"{name} at {address(client)}" + ("" if warnings else ", on disk"))
    for text in warnings:
        problem, _, repair = text.partition(": ")
        yield warning(AREA, problem, repair)


def _not_started(context: Context) -> Iterator[CheckResult]:
    if embedded.has_server_program():
        yield passed(AREA, "embedded Valkey, which `trackwalker up` starts")
    else:
        yield error(
            AREA, "REDIS_URL is not set, and there is no embedded Valkey for this platform",
            "set REDIS_URL to a Redis 7 or a Valkey",
        )  # fmt: skip
    for text in store.volume_warnings(context.folder, os.environ):
        problem, _, repair = text.partition(": ")
        yield warning(AREA, problem, repair)


def _failed(client: redis.Redis, failure: RedisError, *, is_embedded: bool) -> CheckResult:
    if is_embedded:
        return passed(AREA, "embedded Valkey, which `trackwalker up` starts")
    text = describe(client, failure)
    if "closed the connection" in text and _speaks_tls(client):
        text = f"Redis at {address(client)}: it requires TLS: use rediss:// in place of redis://"
    if "no answer in time: if it speaks no TLS" in text and _speaks_plainly(client):
        text = f"Redis at {address(client)}: it speaks no TLS: use redis:// in place of rediss://"
    what, _, repair = text.partition(": ")
    problem, _, step = repair.partition(": ")
    return error(AREA, f"{what}: {problem}", step or "correct REDIS_URL")


def _version(client: redis.Redis) -> str:
    try:
        info = client.info("server")
    except RedisError:
        return "Redis"
    name = "Valkey" if info.get("server_name") == "valkey" else "Redis"
    return f"{name} {info.get('valkey_version') or info.get('redis_version') or ''}".strip()


def _place(client: redis.Redis) -> tuple[str, int]:
    options = client.connection_pool.connection_kwargs
    return str(options.get("host", "localhost")), int(options.get("port", 6379))


def _speaks_plainly(client: redis.Redis) -> bool:
    """True if the server answers a command that is not encrypted, be it with an error."""
    try:
        with socket.create_connection(_place(client), PROBE_SECONDS) as plain:
            plain.sendall(b"PING\r\n")
            return plain.recv(1) in (b"+", b"-")
    except OSError:
        return False


def _speaks_tls(client: redis.Redis) -> bool:
    context = ssl.create_default_context()
    # Only whether it speaks TLS is asked: nothing is sent over this connection.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    place = _place(client)
    try:
        with (
            socket.create_connection(place, PROBE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=place[0]),
        ):
            return True
    except OSError:
        return False
