"""The connection to the store: an address that is none is named, its password is not; how it may forget is said."""

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
WORDS = "Redis is not durable"
ROOT = Path(__file__).parents[3]


def test_an_address_that_is_none_is_named_without_its_password() -> None:
    settings = read({"REDIS_URL": "redis://:half/password@host:6379/0"}, dotenv=None)

    with pytest.raises(SettingsError) as raised:
        store.connect(settings)

    assert "REDIS_URL" in str(raised.value)
    assert "half" not in str(raised.value)


# ---- how it may forget -----------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the embedded store of an installation lies."""
    return tmp_path / "state"


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    """The address of an embedded store that may be spoilt."""
    owner = EmbeddedStore(folder)
    yield owner.ensure()
    owner.stop()


@pytest.fixture
def own(url: str) -> Iterator[redis.Redis]:
    made = store.client(url)
    yield made
    made.close()


def limited(own: redis.Redis, url: str, *forbidden: str) -> str:
    """The address for a user who may not do everything, as many hosts give it."""
    own.acl_setuser(
        "guest", enabled=True, passwords="+pw", keys="*", channels="*", commands=["+@all", *forbidden]
    )
    return f"redis://guest:pw@{url.partition('@')[2]}"


def test_the_store_that_we_bring_forgets_nothing(own: redis.Redis, folder: Path) -> None:
    assert store.durability_warnings(own, folder, {}) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("maxmemory-policy", "allkeys-lru", "maxmemory-policy allkeys-lru"),
        ("maxmemory-policy", "volatile-ttl", "set noeviction"),
        ("appendonly", "no", "Set appendonly yes"),
        ("appendfsync", "everysec", "the last second or two"),
        ("appendfsync", "no", "what the system has not yet written"),
    ],
)
def test_each_way_to_forget_is_one_sentence_that_names_the_setting(
    own: redis.Redis, folder: Path, name: str, value: str, said: str
) -> None:
    own.config_set(name, value)

    [sentence] = store.durability_warnings(own, folder, {})

    assert said in sentence
    assert "\n" not in sentence


def test_all_of_them_are_said(own: redis.Redis, folder: Path) -> None:
    own.config_set("maxmemory-policy", "allkeys-random")
    own.config_set("appendfsync", "everysec")

    assert len(store.durability_warnings(own, folder, ON_RAILWAY)) == 3


@pytest.mark.parametrize(
    ("mount", "weak"), [(None, True), ("", True), ("elsewhere", True), ("state", False), (".", False)]
)
def test_on_railway_the_embedded_store_must_lie_on_a_volume(
    own: redis.Redis, folder: Path, tmp_path: Path, mount: str | None, weak: bool
) -> None:
    place = {} if mount is None else {"RAILWAY_VOLUME_MOUNT_PATH": mount and str(tmp_path / mount)}

    said = store.durability_warnings(own, folder, ON_RAILWAY | place)

    assert ["on no volume" in one for one in said] == [True] * weak
    assert store.durability_warnings(own, folder, place) == [], "elsewhere than on Railway nobody mounts one"


def test_a_store_of_ones_own_needs_no_volume_beside_the_worker(own: redis.Redis, tmp_path: Path) -> None:
    assert store.durability_warnings(own, tmp_path / "another", ON_RAILWAY) == []


def test_a_host_that_lets_nobody_ask_for_its_configuration_is_asked_what_it_tells(
    own: redis.Redis, url: str, folder: Path
) -> None:
    own.config_set("appendfsync", "everysec")
    own.config_set("maxmemory-policy", "allkeys-lru")
    guest = store.client(limited(own, url, "-config"))

    [sentence] = store.durability_warnings(guest, folder, {})

    assert "maxmemory-policy" in sentence
    guest.close()


def test_a_store_that_forbids_what_every_claim_asks_is_told_of(
    own: redis.Redis, url: str, folder: Path
) -> None:
    guest = store.client(limited(own, url, "-info"))
    journal = WorkerStore(guest)
    journal.open_journal("sweep", "survey")

    [sentence] = store.durability_warnings(guest, folder, {})

    assert "INFO" in sentence
    with pytest.raises(NotAvailable):
        journal.claim("sweep", "survey")
    guest.close()


def test_a_store_that_is_away_has_no_known_weakness(folder: Path) -> None:
    assert store.durability_warnings(store.client("redis://127.0.0.1:1/0"), folder, ON_RAILWAY) == []


def test_a_worker_says_at_its_start_how_the_store_may_forget(
    own: redis.Redis, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own.config_set("appendfsync", "everysec")
    broker = StubBroker()
    life = main.WorkerLifecycle(WorkerStore(own), 600, folder)

    with caplog.at_level(logging.INFO, "trackwalker"):
        life.after_worker_boot(broker, dramatiq.Worker(broker))
        life.before_worker_shutdown(broker, dramatiq.Worker(broker))

    said = [vars(record)["why"] for record in caplog.records if record.getMessage() == WORDS]
    assert ["everysec" in one for one in said] == [True]


def started(tmp_path: Path, **settings: str) -> list[dict[str, str]]:
    """What `up` logs until its only child lives."""
    (tmp_path / "Procfile").write_text("one: sh -c 'touch here; exec sleep 600'\n")
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TRACKWALKER_DATA_DIR": str(tmp_path / "of-up"),
        "TRACKWALKER_SECRET": "s", "RAILWAY_API_TOKEN": "t", "TRACKWALKER_ENVIRONMENTS": "p/e",
    }  # fmt: skip
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers", "up", "--procfile", "Procfile"],
            cwd=tmp_path,
            env=environment | settings,
            stderr=log,
        )
        wait_until((tmp_path / "here").exists, what="the child")
        process.terminate()
        assert process.wait(30) == 0
    return [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


def why(lines: list[dict[str, str]]) -> list[str]:
    return [line["why"] for line in lines if line["message"] == WORDS]


def test_up_says_how_a_store_of_ones_own_may_forget_and_starts(
    own: redis.Redis, url: str, tmp_path: Path
) -> None:
    own.config_set("appendfsync", "everysec")
    own.config_set("maxmemory-policy", "allkeys-lru")

    said = why(started(tmp_path, REDIS_URL=url))

    assert len(said) == 2
    assert any("appendfsync is everysec" in one for one in said)
    assert any("allkeys-lru" in one for one in said)


def test_up_says_that_its_own_store_lies_on_no_volume_and_starts(tmp_path: Path) -> None:
    [said] = why(started(tmp_path, RAILWAY_ENVIRONMENT_ID="env"))

    assert "Mount a volume there, or set REDIS_URL" in said


def test_up_starts_with_a_store_that_forbids_to_ask(own: redis.Redis, url: str, tmp_path: Path) -> None:
    guest = limited(own, url, "-config")

    assert why(started(tmp_path, REDIS_URL=guest)) == []
