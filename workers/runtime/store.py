"""The connection to Redis: the user's own, or the embedded Valkey."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
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
CREDENTIALS = ("username", "password", "credential_provider")  # options of redis-py's connections


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
        reason = "not set, and no embedded Valkey is running. Set it, or start `trackwalker up`"
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
        reason = "must be redis://:<password>@host:port/0, or rediss:// for TLS"
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
    """The ways in which Redis can lose what it has acknowledged; [] if Redis does not answer.

    Each is a problem and its repair, separated by a colon and a space, as in `protection_warnings`.

    Args:
        folder: the data folder, in which an embedded store lies.
        environ: the environment, which tells a container on Railway and its volume.
    """
    try:
        info = client.info()
    except ResponseError:
        return ["Redis refuses INFO, and without it no journal can be claimed: allow its user the command"]
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
    return [f"{reason}, so each deployment loses the journal: mount a volume there, or set REDIS_URL"]


def _eviction_warnings(info: Mapping[str, object]) -> list[str]:
    policy = str(info.get("maxmemory_policy") or "noeviction")
    if policy == "noeviction":
        return []
    return [f"Redis evicts keys when memory runs out (maxmemory-policy {policy}): set noeviction"]


def _persistence_warnings(client: redis.Redis, info: Mapping[str, object]) -> list[str]:
    if str(info.get("aof_enabled", 1)) == "0":
        return [
            "Redis keeps no append-only file, so a restart loses everything since its last snapshot: set appendonly yes"
        ]
    try:
        synced = client.config_get("appendfsync").get("appendfsync")
    except RedisError:
        return []  # many managed Redis services refuse CONFIG
    if synced in (None, "always"):
        return []
    lost = "the last second or two" if synced == "everysec" else "what the system has not yet written"
    return [
        f"appendfsync is {synced}, so a crash of Redis loses {lost} of the journal: set appendfsync always"
    ]


# ---- protection ------------------------------------------------------------------------------


def protection_warnings(client: redis.Redis) -> list[str]:
    """The ways in which others can read or change the journal, each with what to do; [] if Redis does not answer.

    Code that Trackwalker runs for a repository has no way to Redis, but other programs of the machine and of its
    network have.
    """
    options = client.connection_pool.connection_kwargs
    if "path" in options:  # a Unix socket, which the permissions of its folder protect
        return []
    address = f"Redis at {options.get('host', 'localhost')}:{options.get('port', 6379)}"
    if not (options.get("password") or options.get("ssl_certfile") or options.get("credential_provider")):
        warnings = [f"{address} has no password: set requirepass, and put the password into REDIS_URL"]
    elif _answers_strangers(client):
        warnings = [
            f"{address} answers without a password, too: set requirepass, or turn its user `default` off"
        ]
    else:
        warnings = []
    return [*warnings, *_reachability_warnings(client, address)]


def _answers_strangers(client: redis.Redis) -> bool:
    """True if a second connection, which has no credentials, can ask for a key."""
    pool = client.connection_pool
    options = pool.connection_kwargs
    anonymous = {name: value for name, value in options.items() if name not in CREDENTIALS}
    stranger = redis.Redis(connection_pool=redis.ConnectionPool(pool.connection_class, **anonymous))
    try:
        stranger.exists("trackwalker")
    except RedisError:  # NOAUTH or NOPERM
        return False
    finally:
        stranger.close()
        stranger.connection_pool.disconnect()
    return True


def _reachability_warnings(client: redis.Redis, address: str) -> list[str]:
    options = client.connection_pool.connection_kwargs
    host = str(options.get("host", "localhost"))
    is_encrypted = issubclass(client.connection_pool.connection_class, redis.SSLConnection)
    if _is_public(host) and not is_encrypted:
        return [f"{address} is at a public address, without TLS: use its private address, or rediss://"]
    try:
        bound = str(client.config_get("bind").get("bind") or "*").split()
    except RedisError:
        return []  # many managed Redis services refuse CONFIG
    # A prefixed dash: the server may start without this address.
    addresses = [item.removeprefix("-") for item in bound]
    everywhere = sorted({"*", "0.0.0.0", "::", "::*"} & set(addresses))  # noqa: S104
    if everywhere and _is_loopback(host):
        return [
            f"{address} listens on all addresses of this machine: set bind 127.0.0.1 in its configuration"
        ]
    public = [item for item in addresses if _is_public(item)]
    return [f"{address} listens at the public address {public[0]}: bind a private one"] if public else []


def _is_public(host: str) -> bool:
    """True for an IP address of the internet; a name may be either and counts as private."""
    try:
        return ip_address(host).is_global
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_embedded(client: redis.Redis, folder: Path) -> bool:
    parts = urlsplit(embedded.address(folder) or "")
    options = client.connection_pool.connection_kwargs
    return (parts.hostname, parts.port) == (options.get("host"), options.get("port"))
