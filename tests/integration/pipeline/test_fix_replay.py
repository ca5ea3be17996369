"""`replay --with-model-answers` makes a recorded fix again, without a provider and without a trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.pipeline import PipelineHarness
from workers.cli.fix_comparison import describe_replay
from workers.cli.replay_comparison import DIFFERENT, SAME
from workers.clients.git import Repositories
from workers.engine import records
from workers.errors import Refused
from workers.remediation.fix_replay import read_recorded, replay_fix


def test_the_same_answers_give_the_same_fix_and_leave_no_trace(proposed: PipelineHarness) -> None:
    services, key = proposed.services, proposed.incidents()[0]
    before = proposed.journal.fields(key)
    proposed.fake_model.calls.clear()

    def repositories(folder: Path) -> Repositories:
        return Repositories(folder, services.settings.github_server_url, services.github.credentials)

    replayed = replay_fix(services.store, key, services.remediation, repositories)

    result = describe_replay("incident", replayed)
    assert result.exit_code == SAME, result.lines
    assert replayed.fix is not None
    assert replayed.fix.patch == proposed.journal.read_record(key, records.FIX).patch  # type: ignore[union-attr]  # recorded
    assert replayed.verification is not None
    assert replayed.verification.decision == "ready"
    assert proposed.fake_model.calls == []
    assert proposed.journal.fields(key) == before
    changed = replace(replayed, fix=replayed.fix.model_copy(update={"patch": "+other\n"}))
    assert describe_replay("incident", changed).exit_code == DIFFERENT


def test_a_fix_whose_answers_are_not_all_recorded_is_refused(proposed: PipelineHarness) -> None:
    key = proposed.incidents()[0]
    calls = proposed.journal.read_record(key, records.WRITER_CALLS)
    assert calls is not None
    cut = tuple(call.model_copy(update={"response_cut": True}) for call in calls.calls)
    blob = records.WRITER_CALLS.pack(calls.model_copy(update={"calls": cut}))
    proposed.journal.client.hset(key, records.WRITER_CALLS.field, blob)

    with pytest.raises(Refused, match="writer: the answer of call 1 was too long"):
        read_recorded(proposed.journal, key)
