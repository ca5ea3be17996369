"""The log of one incident, from the webhook to the verified fix: a story of a few lines, each with its journal."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from io import StringIO

import anyio
import httpx
import pytest

from receiver.app import build_app
from receiver.endpoints import Endpoints, Scope
from receiver.metrics import StoreState
from tests.support.pipeline import PipelineHarness, StartHarness
from workers.incidents import intake
from workers.runtime import logs

WEBHOOK = {
    "type": "Monitor.triggered",
    "resource": {
        "project": {"id": "prj-1", "name": "acme"},
        "environment": {"id": "env-1", "name": "production"},
        "service": {"id": "svc-shop", "name": "shop"},
    },
}
MAX_LINES = 10
LOGGED_AT_START = "sandbox built"  # once in a worker's process, before its first stage


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """The lines that the processes would write to standard error."""
    written, root = StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure("worker")
    yield written
    root.handlers[:], root.level = handlers, level


def receive(pipeline: PipelineHarness) -> None:
    """Send the webhook to the real endpoint, in front of the pipeline's store."""
    endpoints = Endpoints(
        secrets=("s",), ingest=partial(intake.ingest_batch, store=pipeline.journal, send_message=lambda _: None),
        check_store=lambda: None, read_state=StoreState, notify_fallback=lambda _: None, scope=Scope(),
        now=partial(datetime.now, UTC), token=lambda: "t",
    )  # fmt: skip

    async def send() -> None:
        transport = httpx.ASGITransport(build_app(endpoints))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            await client.post("/hooks/railway/s", json=WEBHOOK)

    anyio.run(send)


def test_an_incident_is_told_in_a_few_lines_that_name_their_journal(
    start: StartHarness, output: StringIO
) -> None:
    with start() as pipeline:
        receive(pipeline)
        pipeline.drive(lambda: bool(pipeline.outcome_posts()))
        pipeline.redeploy(pipeline.github.merge(pipeline.github.pulls[0].number))
        pipeline.drive(lambda: "fix_verified" in output.getvalue(), stages=120)

    every_line = [json.loads(line) for line in output.getvalue().splitlines()]
    lines = [line for line in every_line if line["message"] != LOGGED_AT_START]
    told = [line["message"] for line in lines if line["level"] == "info"]
    assert len(lines) <= MAX_LINES, lines
    assert told[:4] == ["alert stored", "incident opened", "incident diagnosed", "incident concluded"]
    assert told[-1] == "journal ended"
    assert all(line["journal"].partition(":")[0] in ("alert", "incident") for line in lines)


def test_every_line_of_a_stage_names_the_journal(output: StringIO) -> None:
    with logs.about("incident:abc:1"):
        logging.getLogger("trackwalker.x").info("something", extra={"count": 1})
    logging.getLogger("trackwalker.x").info("something else")

    first, second = [json.loads(line) for line in output.getvalue().splitlines()]
    assert (first["journal"], first["count"]) == ("incident:abc:1", 1)
    assert "journal" not in second
