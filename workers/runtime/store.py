"""One connection to the store, the user's own or the embedded one."""

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

ANSWER_SECONDS = 2.0
"""A store that hangs costs seconds, not minutes."""


def url_of(settings: Settings, folder: Path | None = None) -> str:
    """REDIS_URL, else the embedded store's address. Raises SettingsError when there is neither."""
    if settings.redis_url:
        return settings.redis_url.get_secret_value()
    known = embedded.address(folder or environment.data_dir())
    if known is None:
        reason = "not set, and no embedded Valkey is running. Set it, or start `python -m workers up`"
        raise SettingsError(("REDIS_URL", reason))
    return known


def connect(settings: Settings, folder: Path | None = None) -> redis.Redis:
    """A client; connects when first used. Raises SettingsError for an address that cannot be one."""
    try:
        made = client(url_of(settings, folder))
        # Connects to nothing, but knows which options there are.
        made.connection_pool.connection_class(**made.connection_pool.connection_kwargs)
        return made
    except (ValueError, TypeError):
        # The reason may quote the address, and with it the password.
        reason = "must be redis://[:password@]host:port/0 or rediss://…"
        raise SettingsError(("REDIS_URL", reason)) from None


def client(url: str) -> redis.Redis:
    made: redis.Redis = redis.Redis.from_url(
        url,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
        health_check_interval=30,
        # One more try on a connection that an idle store closed; a store that is away is our caller's matter.
        retry=Retry(NoBackoff(), 1),
    )
    return made


def durability_warnings(client: redis.Redis, folder: Path, environ: Mapping[str, str]) -> list[str]:
    """How the store may lose what it has acknowledged, a sentence each with what to do; [] where it cannot be asked.

    `folder` is where an embedded store would lie, `environ` says whether that is a container on Railway.
    """
    try:
        told = client.info()
    except ResponseError:
        return ["it does not let us ask INFO, without which no work can be claimed: allow the command"]
    except RedisError:
        return []
    found = [_evicts(told), _forgets(client, told)]
    if _is_embedded(client, folder) and "RAILWAY_ENVIRONMENT_ID" in environ:
        mount = environ.get("RAILWAY_VOLUME_MOUNT_PATH", "")
        if not mount or not folder.resolve().is_relative_to(Path(mount).resolve()):
            found.append(
                f"the embedded store lies in {folder}, which is on no volume: every deployment begins with an empty "
                "journal. Mount a volume there, or set REDIS_URL"
            )
    return [sentence for sentence in found if sentence]


def _evicts(told: Mapping[str, object]) -> str:
    policy = str(told.get("maxmemory_policy") or "noeviction")
    if policy == "noeviction":
        return ""
    return f"it evicts keys when memory is short (maxmemory-policy {policy}): set noeviction"


def _forgets(client: redis.Redis, told: Mapping[str, object]) -> str:
    if str(told.get("aof_enabled", 1)) == "0":
        return "it keeps no append-only file: a restart loses what came since its last snapshot. Set appendonly yes"
    try:
        synced = client.config_get("appendfsync").get("appendfsync")
    except RedisError:
        return ""  # many hosts let nobody ask
    if synced in (None, "always"):
        return ""
    lost = "the last second or two" if synced == "everysec" else "what the system had not written yet"
    return f"appendfsync is {synced}: when it dies, {lost} of the journal is lost; what was done outside is found again"


def _is_embedded(client: redis.Redis, folder: Path) -> bool:
    known = urlsplit(embedded.address(folder) or "")
    place = client.connection_pool.connection_kwargs
    return (known.hostname, known.port) == (place.get("host"), place.get("port"))
