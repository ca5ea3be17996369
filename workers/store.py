"""One connection to the store, the user's own or the embedded one."""

from __future__ import annotations

from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from workers import embedded
from workers.errors import SettingsError
from workers.settings import Settings

ANSWER_SECONDS = 2.0
"""A store that hangs costs seconds, not minutes."""


def url_of(settings: Settings, folder: Path | None = None) -> str:
    """REDIS_URL, else the embedded store's address. Raises SettingsError when there is neither."""
    if settings.redis_url:
        return settings.redis_url.get_secret_value()
    known = embedded.address(folder or embedded.state_folder())
    if known is None:
        raise SettingsError("no store: set REDIS_URL, or start `python -m workers up`, which brings its own")
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
        raise SettingsError("REDIS_URL: must read redis://[:password@]host:port/0 or rediss://…") from None


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
