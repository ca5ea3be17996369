"""A hostile text in everything that strangers can write, and the whole pipeline from the alert to the pull request."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from tests.support.attack_texts import ATTACKS, OUTSIDE, AttackText, OutletKind, find_leaks
from tests.support.fakes.railway_types import LogRow, Request
from tests.support.markdown_judge import MarkdownJudge
from tests.support.pipeline import PipelineHarness, StartHarness
from workers.cli import journal_view, listing
from workers.cli.commands import shared
from workers.runtime.logs import _JsonFormatter, _TextFormatter

GROUPS = (("secret",), ("sequence", "hidden", "line", "order"), ("markup", "commit"))
MAX_TEXT_CHARS = 2_500
MAX_SENTENCE_CHARS = 450
"""Characters that the model appends to its sentences; a longer summary would be refused."""


@pytest.fixture
def own_logs() -> Iterator[Callable[[], list[tuple[OutletKind, str]]]]:
    """A function that lists the logs of the product since the start of the test, as JSON and as terminal lines."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[assignment,method-assign]  # all that this handler does
    logging.getLogger("trackwalker").addHandler(handler)

    def logged() -> list[tuple[OutletKind, str]]:
        texts: list[tuple[OutletKind, str]] = []
        for record in records:
            decoded = json.loads(_JsonFormatter("worker").format(record))
            texts += [("log", json.dumps(decoded, ensure_ascii=False))]
            texts += [("terminal", _TextFormatter("worker").format(record))]
        return texts

    yield logged
    logging.getLogger("trackwalker").removeHandler(handler)


def plant(pipeline: PipelineHarness, text: str) -> None:
    """Write the text wherever a stranger could."""
    with pipeline.world.lock:
        shop = pipeline.world.services[0]
        live = shop.deployments[0]
        live.meta |= {"commitMessage": text, "commitAuthor": text}
        shop.name, shop.start_command = f"shop {text}", text
        pipeline.world.project_name = text
        for number, row in enumerate(list(live.logs)):
            if "KeyError" in row.message:
                row.message += f" {text}"
            if number % 20 == 0:
                live.logs.append(LogRow(row.at + 2, f"ERROR {text}", "error", {"stack": text}))
                live.logs.append(LogRow(row.at + 4, json.dumps({"level": "error", "msg": text}), "error"))
                shop.requests.append(Request(row.at, "POST", f"/orders?x={text}", 500, 9.0, live.id, "ins-1"))
    pipeline.fake_model.appendix = text[-MAX_SENTENCE_CHARS:]
    pipeline.alert(message=text, service_name=text)


def outlets(
    pipeline: PipelineHarness, capsys: pytest.CaptureFixture[str]
) -> Iterator[tuple[OutletKind, str]]:
    """Everything that the pipeline has shown to a person or to the model."""
    yield from (("slack", body["text"]) for body in pipeline.slack.bodies if "text" in body)
    for pull in pipeline.github.pulls:
        yield "title", pull.title
        yield "description", pull.body or ""
    yield from (("prompt", call.prompt) for call in pipeline.fake_model.calls if call.role != "other")
    now = datetime.now(UTC)
    capsys.readouterr()
    for key in pipeline.incidents():
        shared.print_lines(journal_view.render_journal(pipeline.journal, key, now))
    shared.print_lines(listing.render_overview(pipeline.journal, now))
    yield "terminal", capsys.readouterr().out
    for key in pipeline.incidents():
        shared.print_json(journal_view.collect_journal(pipeline.journal, key))
    yield from (
        ("log", json.dumps(json.loads(line), ensure_ascii=False))
        for line in io.StringIO(capsys.readouterr().out)
    )


@pytest.mark.parametrize("group", GROUPS)
def test_no_attack_text_works_anywhere_after_a_whole_incident(
    group: tuple[str, ...], start: StartHarness, own_logs: Callable[[], list[tuple[OutletKind, str]]],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    texts = [attack for attack in ATTACKS if attack.name.startswith(group)]
    whole = AttackText(
        str(group),
        " ".join(attack.text for attack in texts)[:MAX_TEXT_CHARS],
        tuple({canary for attack in texts for canary in attack.canaries}),
    )
    judge, leaks = MarkdownJudge(), []

    with start() as pipeline:
        # The stand-ins cannot send half a surrogate pair; tests of the clients do.
        plant(pipeline, whole.text.encode(errors="ignore").decode())
        pipeline.drive(pipeline.outcome_posts)
        outputs = [*outlets(pipeline, capsys), *own_logs()]

    for kind, text in outputs:
        if parts := find_leaks(kind, text, whole, judge):
            leaks.append((kind, parts, text))
    assert leaks == []
    assert {kind for kind, text in outputs if OUTSIDE in text} >= {"slack", "terminal", "log", "prompt"}
    assert all(body.get("parse") == "none" for body in pipeline.slack.bodies)
