"""Journals that several tests of the command line begin with."""

from __future__ import annotations

import pytest
import redis

from tests.support.journals import INCIDENT_ID, incident_record
from workers.engine.codec import pack
from workers.engine.schema import OPEN, PREFIX
from workers.engine.worker_store import WorkerStore
from workers.models import Outcome


@pytest.fixture
def reported(journal: WorkerStore, store: redis.Redis) -> str:
    """The key of an open incident `INCIDENT_ID` whose outcome was reported and that is in stage `watch`."""
    key = f"{PREFIX}{INCIDENT_ID}"
    journal.open_with(
        key, "watch", {"r:outcome": pack(Outcome(kind="reported", headline="not fixed"), Outcome)}
    )
    store.hset(key, mapping={"r:plan": b"1j1", "r:base": b"1j1", "r:fix": b"1j1"})
    store.hset(OPEN, "abc", key)
    return key


@pytest.fixture
def symptom(journal: WorkerStore, reported: str, store: redis.Redis) -> str:
    """The key of the same incident, suppressed by an incident of the service `store`."""
    cause = f"{PREFIX}incident:def:20261123T0310"
    journal.open_with(cause, "fix", {"r:incident": incident_record("store")})
    store.hset(reported, mapping={"suppressed_by": cause, "r:incident": incident_record("shop")})
    return reported
