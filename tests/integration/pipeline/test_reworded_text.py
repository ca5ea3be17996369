"""No decision depends on a text for people: with every stored text replaced, the pipeline and the commands do the same.

After each stage the test rewrites the texts of all records and fields. Ids, kinds, categories and numbers stay.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import BaseModel

from tests.support import people as control
from tests.support.pipeline import PipelineHarness, harness
from workers.cli import listing
from workers.engine import records
from workers.engine.codec import Record
from workers.engine.schema import PREFIX, SCHEDULE
from workers.models import Fact, Finding, Gap, Outcome, Verdict, Verification, VerificationReason

OTHER_TEXT = "this text says something else"
TEXTS = {
    Finding: ("sentence",),
    Fact: ("text",),
    Gap: ("reason",),
    Verdict: ("summary", "action", "next_checks"),
    VerificationReason: ("text",),
    Verification: ("notes",),
    Outcome: ("headline", "lines"),
}
"""Model → its fields that are text for people."""
TEXT_FIELDS = ("outcome", "reason", "given_up")  # fields of a journal that are text for people
RECORDS = [record for record in vars(records).values() if isinstance(record, Record)]

Drive = Callable[[PipelineHarness], None]


def reworded(value: Any) -> Any:
    """The value with every text for people replaced, at any depth."""
    if isinstance(value, tuple | list):
        return type(value)(reworded(item) for item in value)
    if not isinstance(value, BaseModel):
        return value
    changes = {name: reworded(getattr(value, name)) for name in type(value).model_fields}
    for name in TEXTS.get(type(value), ()):
        old = changes[name]
        changes[name] = (OTHER_TEXT,) * len(old) if isinstance(old, tuple) else OTHER_TEXT if old else old
    return value.model_copy(update=changes)


def reword_store(store: redis.Redis) -> None:
    for raw in store.scan_iter(f"{PREFIX}*", _type="HASH"):
        key = raw.decode()
        if ":notification:" not in key:
            reword_journal(store, key)


def reword_journal(store: redis.Redis, key: str) -> None:
    for record in RECORDS:
        value = record.unpack(store.hget(key, record.field))  # type: ignore[arg-type]  # redis-py types answers loosely
        if value is not None and record.name != "plan":  # the plan is the agent's, and is validated text
            store.hset(key, record.field, record.pack(reworded(value)))
    for field in TEXT_FIELDS:
        if store.hexists(key, field):
            store.hset(key, field, OTHER_TEXT)


@contextmanager
def rewording(pipeline: PipelineHarness, *, is_on: bool) -> Iterator[None]:
    """Reword the whole store after each stage that the harness runs."""
    work_next = pipeline.work_next

    def work_and_reword() -> None:
        work_next()
        reword_store(pipeline.store)

    if is_on:
        pipeline.work_next = work_and_reword  # type: ignore[method-assign]  # the harness's own seam
    yield


def merge_and_verify(pipeline: PipelineHarness) -> None:
    pipeline.alert()
    pipeline.drive(pipeline.outcome_posts)
    pipeline.redeploy(pipeline.github.merge(pipeline.github.pulls[0].number))
    pipeline.drive(lambda: pipeline.follow_up() is not None)
    pipeline.drive(lambda: pipeline.store.hlen(f"{PREFIX}open") == 0)


def report_and_approve(pipeline: PipelineHarness) -> None:
    pipeline.alert()
    pipeline.drive(pipeline.outcome_posts)
    control.request_fix(pipeline.journal, "all")
    pipeline.drive(lambda: pipeline.outcome_kind() == "reported")


def cancel_and_retry(pipeline: PipelineHarness) -> None:
    pipeline.alert()
    pipeline.drive(pipeline.outcome_posts)
    [incident] = pipeline.incidents()
    control.cancel(pipeline.journal, incident)
    control.retry(pipeline.journal, incident)
    # Only what is due now: what is due in a minute runs in no certain order.
    pipeline.drive(lambda: not pipeline.store.zcount(SCHEDULE, 0, time.time() * 1000))


def check_healthy(pipeline: PipelineHarness) -> None:
    pipeline.alert()
    pipeline.drive(lambda: pipeline.count_ended_sweeps() == 2)


SCENARIOS: dict[str, tuple[Drive, dict[str, str]]] = {
    "a fix is merged and verified": (merge_and_verify, {}),
    "a fix is approved in report mode": (report_and_approve, {"TRACKWALKER_MODE": "report"}),
    "an incident is cancelled and retried": (cancel_and_retry, {"TRACKWALKER_MODE": "report"}),
    "a healthy environment is checked twice": (check_healthy, {"failing": "no"}),
}


def decisions(pipeline: PipelineHarness) -> dict[str, object]:
    """Everything that was decided, without texts, times and ids of this run."""
    journals = {}
    for raw in pipeline.store.scan_iter(f"{PREFIX}*", _type="HASH"):
        key = raw.decode()
        if re.match(rf"{PREFIX}(alert|sweep|incident|notification):", key):
            name = re.sub(r"[0-9a-f]{16}|\d{8}T\d{4,6}|a\d{6,}", "#", key)
            fields = pipeline.journal.fields(key)
            plain = [fields.get(field, b"").decode() for field in ("stage", "ended_as", "recovery")]
            journals[name] = [*plain, sorted(field for field in fields if field.startswith("r:"))]
    overview = listing.collect(pipeline.journal, datetime.now(UTC))
    return {
        "journals": journals,
        "verdicts": [(verdict.category, verdict.reason) for verdict in pipeline.values(Verdict)],
        "outcomes": [(outcome.kind, bool(outcome.link)) for outcome in pipeline.values(Outcome)],
        "pulls": [(pull.state, pull.draft) for pull in pipeline.github.pulls],
        "posts": len(pipeline.slack.messages),
        "rows": {name: len(overview[name]) for name in ("due", "open", "ended")},
        "quiet": bool(overview["quiet_sweeps"]),
    }


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_decision_is_the_same_with_other_texts(
    scenario: str, store: redis.Redis, store_url: str, tmp_path: Path
) -> None:
    drive, settings = SCENARIOS[scenario]
    failing = settings.get("failing") != "no"
    variables = {name: value for name, value in settings.items() if name != "failing"}
    results = []

    for is_on in (False, True):
        store.flushall()
        folder = tmp_path / str(is_on)
        folder.mkdir()
        with (
            harness(store, store_url, folder, failing=failing, small=True, **variables) as pipeline,
            rewording(pipeline, is_on=is_on),
        ):
            drive(pipeline)
            results.append(decisions(pipeline))

    assert results[0] == results[1]


def test_the_list_of_texts_names_fields_that_exist() -> None:
    missing = [
        (model, name) for model, names in TEXTS.items() for name in names if name not in model.__annotations__
    ]

    assert missing == []
