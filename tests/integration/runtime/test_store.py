"""The connection to Redis: a malformed address is reported without its password, and so is a lack of durability."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dramatiq
import pytest
import redis
from dramatiq.brokers.stub import StubBroker

from tests.support.polling import wait_until
from workers import main
from workers.engine.worker_store import WorkerStore
from workers.errors import NotAvailable, SettingsError
from workers.runtime import store
from workers.runtime.embedded import EmbeddedStore
from workers.runtime.settings import read

ON_RAILWAY = {"RAILWAY_ENVIRONMENT_ID": "env"}
WARNING = "Redis is not durable"
ROOT = Path(__file__).parents[3]


def test_a_malformed_address_is_reported_without_its_password() -> None:
    settings = read({"REDIS_URL": "redis://:half/password@host:6379/0"}, dotenv=None)

    with pytest.raises(SettingsError) as raised:
        store.connect(settings)

    assert "REDIS_URL" in str(raised.value)
    assert "half" not in str(raised.value)


# ---- durability ------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data folder of an installation."""
    return tmp_path / "state"


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    """The address of an embedded store whose configuration a test may change."""
    owner = EmbeddedStore(folder)
    yield owner.ensure()
    owner.stop()


@pytest.fixture
def own(url: str) -> Iterator[redis.Redis]:
    client = store.client(url)
    yield client
    client.close()


def limited(own: redis.Redis, url: str, *forbidden: str) -> str:
    """The address for a user without the forbidden commands, as managed services hand out."""
    own.acl_setuser(
        "guest", enabled=True, passwords="+pw", keys="*", channels="*", commands=["+@all", *forbidden]
    )
    return f"redis://guest:pw@{url.partition('@')[2]}"


def test_the_embedded_store_is_durable(own: redis.Redis, folder: Path) -> None:
    assert store.durability_warnings(own, folder, {}) == []


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("maxmemory-policy", "allkeys-lru", "maxmemory-policy allkeys-lru"),
        ("maxmemory-policy", "volatile-ttl", "set noeviction"),
        ("appendonly", "no", "set appendonly yes"),
        ("appendfsync", "everysec", "the last second or two"),
        ("appendfsync", "no", "what the system has not yet written"),
    ],
)
def test_each_warning_is_one_line_that_names_the_setting(
    own: redis.Redis, folder: Path, name: str, value: str, text: str
) -> None:
    own.config_set(name, value)

    [warning] = store.durability_warnings(own, folder, {})

    assert text in warning
    assert "\n" not in warning


def test_all_warnings_are_given(own: redis.Redis, folder: Path) -> None:
    own.config_set("maxmemory-policy", "allkeys-random")
    own.config_set("appendfsync", "everysec")

    assert len(store.durability_warnings(own, folder, ON_RAILWAY)) == 3


@pytest.mark.parametrize(
    ("mount", "warned"), [(None, True), ("", True), ("elsewhere", True), ("state", False), (".", False)]
)
def test_on_railway_the_embedded_store_must_lie_on_a_volume(
    own: redis.Redis, folder: Path, tmp_path: Path, mount: str | None, warned: bool
) -> None:
    volume = {} if mount is None else {"RAILWAY_VOLUME_MOUNT_PATH": mount and str(tmp_path / mount)}

    warnings = store.durability_warnings(own, folder, ON_RAILWAY | volume)

    assert ["on no volume" in warning for warning in warnings] == [True] * warned
    assert store.durability_warnings(own, folder, volume) == [], "only Railway discards the disk"


def test_an_external_redis_needs_no_volume(own: redis.Redis, tmp_path: Path) -> None:
    assert store.durability_warnings(own, tmp_path / "another", ON_RAILWAY) == []


def test_a_redis_that_refuses_config_is_judged_by_info(own: redis.Redis, url: str, folder: Path) -> None:
    own.config_set("appendfsync", "everysec")
    own.config_set("maxmemory-policy", "allkeys-lru")
    guest = store.client(limited(own, url, "-config"))

    [warning] = store.durability_warnings(guest, folder, {})

    assert "maxmemory-policy" in warning
    guest.close()


def test_a_redis_that_refuses_info_is_reported(own: redis.Redis, url: str, folder: Path) -> None:
    guest = store.client(limited(own, url, "-info"))
    journal = WorkerStore(guest)
    journal.open_journal("sweep", "survey")

    [warning] = store.durability_warnings(guest, folder, {})

    assert "INFO" in warning
    with pytest.raises(NotAvailable):
        journal.claim("sweep", "survey")
    guest.close()


# ---- protection ------------------------------------------------------------------------------


def test_the_embedded_store_is_protected(own: redis.Redis) -> None:
    assert store.protection_warnings(own) == []


def test_the_embedded_store_gets_no_token_of_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "hidden")
    owner = EmbeddedStore(folder)
    owner.ensure()
    try:
        environ = Path("/proc", (folder / "store.pid").read_text(), "environ").read_bytes()
    finally:
        owner.stop()

    assert b"hidden" not in environ


def test_a_redis_without_a_password_is_named(own: redis.Redis, url: str) -> None:
    own.config_set("requirepass", "")
    port = url.rpartition(":")[2].partition("/")[0]

    [warning] = store.protection_warnings(store.client(f"redis://127.0.0.1:{port}/0"))

    assert "has no password" in warning
    assert "requirepass" in warning


def test_a_redis_that_answers_without_our_password_is_named(own: redis.Redis, url: str) -> None:
    guest = store.client(limited(own, url, "-config"))
    own.acl_setuser("default", enabled=True, nopass=True, keys="*", commands=["+@all"])

    [warning] = store.protection_warnings(guest)

    assert "answers without a password" in warning
    guest.close()


def test_a_redis_on_all_addresses_that_only_this_machine_needs_is_named(own: redis.Redis) -> None:
    own.config_set("bind", "* -::*")

    [warning] = store.protection_warnings(own)

    assert "set bind 127.0.0.1" in warning


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("redis://:pw@8.8.8.8:6379/0", "public address"),
        ("rediss://:pw@8.8.8.8:6379/0", ""),
        ("redis://8.8.8.8:6379/0", "has no password"),
        ("redis://cache.railway.internal:6379/0", "has no password"),
        ("unix:///nowhere/redis.sock", ""),
    ],
)
def test_the_reach_of_a_store_is_derived_from_its_address(
    address: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [])

    warnings = store.protection_warnings(store.client(address))

    assert (expected in warnings[0]) if expected else warnings == []
    assert "pw" not in " ".join(warnings)


def test_a_warning_is_logged_when_a_worker_starts(
    own: redis.Redis, url: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own.config_set("requirepass", "")
    client = store.client(f"redis://{url.partition('@')[2]}")
    lifecycle = main.WorkerLifecycle(WorkerStore(client), 600, folder)
    broker = StubBroker()
    try:
        lifecycle.after_worker_boot(broker, dramatiq.Worker(broker))
    finally:
        lifecycle.before_worker_shutdown(broker, dramatiq.Worker(broker))

    [record] = [record for record in caplog.records if record.message == "Redis is not protected"]
    assert "has no password" in record.__dict__["why"]


def test_an_unreachable_redis_gives_no_warning(folder: Path) -> None:
    assert store.durability_warnings(store.client("redis://127.0.0.1:1/0"), folder, ON_RAILWAY) == []


def test_a_worker_warns_at_its_start(
    own: redis.Redis, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own.config_set("appendfsync", "everysec")
    broker = StubBroker()
    life = main.WorkerLifecycle(WorkerStore(own), 600, folder)

    with caplog.at_level(logging.INFO, "trackwalker"):
        life.after_worker_boot(broker, dramatiq.Worker(broker))
        life.before_worker_shutdown(broker, dramatiq.Worker(broker))

    [warning] = [vars(record)["why"] for record in caplog.records if record.getMessage() == WARNING]
    assert "everysec" in warning


def problems_at_start(tmp_path: Path, **settings: str) -> list[str]:
    """The problems of Redis that an `up` names, which ends as soon as it has checked the installation."""
    (tmp_path / "Procfile").write_text("one: sh -c 'touch here; exec sleep 600'\n")
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TRACKWALKER_DATA_DIR": str(tmp_path / "of-up"),
        "TRACKWALKER_SECRET": "s", "RAILWAY_API_TOKEN": "t", "TRACKWALKER_ENVIRONMENTS": "p/e",
        "RAILWAY_API_URL": "http://127.0.0.1:1",
    }  # fmt: skip
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers", "up", "--procfile", "Procfile"],
            cwd=tmp_path,
            env=environment | settings,
            stderr=log,
        )
        checked = lambda: '"installation checked"' in (tmp_path / "log").read_text()  # noqa: E731 (one use)
        wait_until(checked, seconds=30, what="the checks")
        assert (tmp_path / "here").exists()
        process.terminate()
        assert process.wait(30) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    failed = [line for line in lines if line["message"] == "check failed" and line["area"] == "Redis"]
    return [f"{line['what']}: {line['repair']}" for line in failed]


def test_up_warns_of_an_external_redis_and_starts(own: redis.Redis, url: str, tmp_path: Path) -> None:
    own.config_set("appendfsync", "everysec")
    own.config_set("maxmemory-policy", "allkeys-lru")

    warnings = problems_at_start(tmp_path, REDIS_URL=url)

    assert len(warnings) == 2
    assert any("appendfsync is everysec" in warning for warning in warnings)
    assert any("allkeys-lru" in warning for warning in warnings)


def test_up_warns_of_an_embedded_store_without_a_volume_and_starts(tmp_path: Path) -> None:
    [warning] = problems_at_start(tmp_path, RAILWAY_ENVIRONMENT_ID="env")

    assert "mount a volume there, or set REDIS_URL" in warning


def test_up_starts_with_a_redis_that_refuses_config(own: redis.Redis, url: str, tmp_path: Path) -> None:
    guest = limited(own, url, "-config")

    assert problems_at_start(tmp_path, REDIS_URL=guest) == []
