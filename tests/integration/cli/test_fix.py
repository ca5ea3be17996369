"""`fix`: an operator approves the automatic fix of a reported incident."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from tests.support import people as control
from workers.engine.codec import pack
from workers.engine.worker_store import WorkerStore
from workers.errors import Refused
from workers.models import PullRequest, Verification

PULL = PullRequest(number=7, url="https://github.com/acme/shop/pull/7", draft=False, branch="b")
APPROVED = "incident:abc:20261123T0304: fix approved"


def test_a_reported_incident_is_planned_again(journal: WorkerStore, reported: str) -> None:
    lines = control.request_fix(journal, "abc:20261123T0304")

    fields = journal.fields(reported)
    assert lines == [APPROVED]
    assert fields["stage"] == b"plan"
    assert not {"r:outcome", "r:plan", "r:base", "r:fix"} & set(fields)


def test_a_verified_patch_that_was_not_proposed_is_kept(
    journal: WorkerStore, reported: str, store: redis.Redis
) -> None:
    store.hset(reported, "r:verification", pack(Verification(decision="ready"), Verification))

    control.request_fix(journal, "all")

    fields = journal.fields(reported)
    assert "r:outcome" not in fields
    assert {"r:plan", "r:base", "r:fix", "r:verification"} <= set(fields)


def test_an_incident_that_a_worker_is_running_is_not_changed(journal: WorkerStore, reported: str) -> None:
    claim = journal.claim(reported, "watch")
    assert claim is not None

    with pytest.raises(Refused, match="a worker is updating it at this moment"):
        control.request_fix(journal, "abc")

    claim.advance("watch")
    assert "r:outcome" in journal.fields(reported)


def test_a_symptom_is_fixed_by_name_but_not_by_all(journal: WorkerStore, symptom: str) -> None:
    assert control.request_fix(journal, "all") == []
    assert control.request_fix(journal, "abc:20261123T0304") == [APPROVED]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"ended": 1, "outcome": "resolved"}, "has ended: resolved at .* `retry` opens it again"),
        ({"r:pull": pack(PULL, PullRequest)}, "proposed already: #7, https://github.com/acme/shop/pull/7"),
        ({"stage": "fix"}, "is already in progress, in stage `fix`"),
    ],
)
def test_an_incident_without_anything_to_approve_is_refused_with_the_reason(
    journal: WorkerStore, reported: str, fields: Any, reason: str
) -> None:
    journal.client.hdel(reported, "r:outcome")
    journal.client.hset(reported, mapping=fields)

    with pytest.raises(Refused, match=reason):
        control.request_fix(journal, "abc")
