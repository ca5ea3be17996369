"""The connection to Redis: the user's own, or the embedded Valkey."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from workers.errors import SettingsError
from workers.runtime import embedded, environment
from workers.runtime.settings import Settings

TIMEOUT_SECONDS = 2.0  # to connect and per answer; the lease leaves room for several attempts
HEALTH_CHECK_SECONDS = 30  # a connection idle for longer is checked before its next use
# Redis may have closed an idle connection, so a command is repeated once on a new one. Callers handle outages.
RETRIES = 1


def url_of(settings: Settings, folder: Path | None = None) -> str:
    """REDIS_URL, else the address of the embedded store.

    Args:
        folder: the data folder of the embedded store; None for TRACKWALKER_DATA_DIR.

    Raises:
        SettingsError: there is neither.
    """
    if settings.redis_url:
        return settings.redis_url.get_secret_value()
    url = embedded.address(folder or environment.data_dir())
    if url is None:
        reason = "not set, and no embedded Valkey is running. Set it, or start `python -m workers up`"
        raise SettingsError(("REDIS_URL", reason))
    return url


def connect(settings: Settings, folder: Path | None = None) -> redis.Redis:
    """A client, which connects when it is first used.

    Args:
        folder: as in `url_of`.

    Raises:
        SettingsError: there is no address, or it is malformed.
    """
    try:
        connection = client(url_of(settings, folder))
        # Connects to nothing, but fails for an option in the address that does not exist.
        connection.connection_pool.connection_class(**connection.connection_pool.connection_kwargs)
        return connection
    except (ValueError, TypeError):
        # `from None`: redis-py's message quotes the address, and with it the password.
        reason = "must be redis://[:password@]host:port/0 or rediss://…"
        raise SettingsError(("REDIS_URL", reason)) from None


def client(url: str) -> redis.Redis:
    """A client for the address, with the timeouts that all processes share."""
    connection: redis.Redis = redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        health_check_interval=HEALTH_CHECK_SECONDS,
        retry=Retry(NoBackoff(), RETRIES),
    )
    return connection


# ---- durability ------------------------------------------------------------------------------


def durability_warnings(client: redis.Redis, folder: Path, environ: Mapping[str, str]) -> list[str]:
    """The ways in which Redis can lose what it has acknowledged, each with what to do; [] if Redis does not answer.

    Args:
        folder: the data folder, in which an embedded store lies.
        environ: the environment, which tells a container on Railway and its volume.
    """
    try:
        info = client.info()
    except ResponseError:
        return ["Redis refuses INFO, and without it no journal can be claimed: allow the command"]
    except RedisError:
        return []
    warnings = [*_eviction_warnings(info), *_persistence_warnings(client, info)]
    return [*warnings, *volume_warnings(folder, environ)] if _is_embedded(client, folder) else warnings


def volume_warnings(folder: Path, environ: Mapping[str, str]) -> list[str]:
    """A warning if an embedded store in this data folder would not survive a deployment on Railway."""
    # Railway sets both variables: https://docs.railway.com/reference/variables
    if "RAILWAY_ENVIRONMENT_ID" not in environ:
        return []
    mount = environ.get("RAILWAY_VOLUME_MOUNT_PATH", "")
    if mount and folder.resolve().is_relative_to(Path(mount).resolve()):
        return []
    reason = f"the embedded Valkey lies in {folder}, which is on no volume"
    return [f"{reason}: each deployment starts with an empty journal. Mount a volume there, or set REDIS_URL"]


def _eviction_warnings(info: Mapping[str, object]) -> list[str]:
    policy = str(info.get("maxmemory_policy") or "noeviction")
    if policy == "noeviction":
        return []
    return [f"Redis evicts keys when memory runs out (maxmemory-policy {policy}): set noeviction"]


def _persistence_warnings(client: redis.Redis, info: Mapping[str, object]) -> list[str]:
    if str(info.get("aof_enabled", 1)) == "0":
        return [
            "Redis keeps no append-only file, so a restart loses everything since its last snapshot. Set appendonly yes"
        ]
    try:
        synced = client.config_get("appendfsync").get("appendfsync")
    except RedisError:
        return []  # many managed Redis services refuse CONFIG
    if synced in (None, "always"):
        return []
    lost = "the last second or two" if synced == "everysec" else "what the system has not yet written"
    return [
        f"appendfsync is {synced}: a crash of Redis loses {lost} of the journal; actions outside are found again"
    ]


def _is_embedded(client: redis.Redis, folder: Path) -> bool:
    parts = urlsplit(embedded.address(folder) or "")
    options = client.connection_pool.connection_kwargs
    return (parts.hostname, parts.port) == (options.get("host"), options.get("port"))
