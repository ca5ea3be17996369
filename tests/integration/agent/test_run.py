"""The real opencode in a real sandbox, with a scripted model: every run ends and leaves no process."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent_runs import (
    EVIDENCE,
    agent_processes,
    ask_in,
    both_agents,
    files_of,
    propose_edits,
    start_worker,
)
from tests.support.fakes.model import ScriptedModel
from tests.support.polling import wait_until
from workers.agent.coding_agent import Agent, AgentAnswer
from workers.agent.config import Role
from workers.agent.plan import parse_plan, parse_writer_answer
from workers.errors import AgentBusy, AgentRefused, Superseded
from workers.sandbox.builder import build_sandbox


def run(
    agent: Agent,
    model: ScriptedModel,
    folder: Path,
    role: Role = "reader",
    *,
    check_alive: Any = lambda: None,
    **options: Any,
) -> AgentAnswer:
    """One run against the model; `options` go to the provider's options."""
    with model.serving() as providers:
        providers["standin"]["options"] |= options
        return ask_in(folder, agent, providers, role, check_alive=check_alive)


# ---- runs that end with an answer ------------------------------------------------------------


@both_agents
def test_the_reader_reads_the_code_and_returns_a_plan(agent: Agent, folder: Path) -> None:
    model, before = ScriptedModel(propose_edits), files_of(folder / "clone")

    answer = run(agent, model, folder)

    plan = parse_plan(answer.text, EVIDENCE, lambda path: (folder / "clone" / path).is_file())
    assert (plan.cause.file, plan.cause.line) == ("app/share.py", 2)
    assert "total / people" in plan.cause.summary
    assert {call.tools for call in model.calls} == {("glob", "grep", "read")}
    assert (answer.usage.calls, answer.usage.tokens > 0, answer.usage.cost_usd > 0) == (2, True, True)
    assert files_of(folder / "clone") == before
    assert wait_until(lambda: not agent_processes(folder))


@both_agents
def test_the_writer_fixes_the_file_and_writes_the_reproduction(agent: Agent, folder: Path) -> None:
    answer = run(agent, ScriptedModel(propose_edits), folder, "writer")

    assert parse_writer_answer(answer.text)[1] == []
    assert "if people else 0" in (folder / "clone" / "app" / "share.py").read_text()
    assert "unittest" in (folder / "clone" / "tests" / "test_share_zero.py").read_text()


@both_agents
def test_the_repositorys_agent_files_are_neither_run_nor_shown_and_stay(agent: Agent, folder: Path) -> None:
    model, before = ScriptedModel(propose_edits), files_of(folder / "clone")

    run(agent, model, folder, "writer")

    after = files_of(folder / "clone")
    assert "plugin-ran" not in after
    assert not any("INJECTED" in str(call) or "in-the-repository" in str(call) for call in model.calls)
    assert {name: after.get(name) for name in before if name != "app/share.py"} == {
        name: text for name, text in before.items() if name != "app/share.py"
    }


def test_a_run_works_in_a_uid_sandbox_which_needs_root(agent: Agent, folder: Path) -> None:
    if os.geteuid() != 0:
        with pytest.raises(AgentRefused, match="needs root"):
            build_sandbox(hide=(), scratch=folder / "scratch", allow_unsandboxed=False, kinds=("uid",))
        return
    sandbox = build_sandbox(
        hide=[folder], scratch=folder / "scratch", allow_unsandboxed=False, kinds=("uid",)
    )

    run(replace(agent, sandbox=sandbox), ScriptedModel(propose_edits), folder, "writer")

    assert sandbox.kind == "uid"
    assert "if people else 0" in (folder / "clone" / "app" / "share.py").read_text()
    assert not agent_processes(folder)


def test_a_run_survives_one_failure_of_the_model(agent: Agent, folder: Path) -> None:
    model = ScriptedModel(propose_edits)
    model.faults.add("503", times=1)

    answer = run(agent, model, folder)

    assert '"verdict": "code"' in answer.text
    assert len(model.faults.played) == 1


@both_agents
def test_the_agent_is_asked_once_more_after_an_answer_that_breaks_the_contract(
    agent: Agent, folder: Path
) -> None:
    model = ScriptedModel(propose_edits, reader="garbage once")

    answer = run(agent, model, folder)

    assert '"verdict": "code"' in answer.text
    assert "Your answer cannot be used" in model.calls[-1].prompt


# ---- runs that are ended ---------------------------------------------------------------------


def test_a_second_invalid_answer_ends_the_run(agent: Agent, folder: Path) -> None:
    model = ScriptedModel(propose_edits, reader="garbage")

    with pytest.raises(AgentRefused, match="failed validation twice"):
        run(agent, model, folder)

    assert len(model.calls) == 2
    assert wait_until(lambda: not agent_processes(folder))


def test_a_writer_that_changes_nothing_and_claims_success_leaves_no_change(
    agent: Agent, folder: Path
) -> None:
    before = files_of(folder / "clone")

    answer = run(agent, ScriptedModel(propose_edits, writer="idle"), folder, "writer")

    assert "fixed" in answer.text
    assert files_of(folder / "clone") == before


@both_agents
@pytest.mark.parametrize("role", ["reader", "writer"])
def test_a_hostile_model_gets_no_secret_and_leaves_no_change(agent: Agent, folder: Path, role: Role) -> None:
    model = ScriptedModel(propose_edits, reader="hostile", writer="hostile")
    before = files_of(folder / "clone")

    run(agent, model, folder, role)

    results = "\n".join(model.calls[-1].results)
    assert len(model.calls[-1].results) >= 19
    assert not any(
        secret in results for secret in ("OPENCODE_SERVER_PASSWORD=", "root:", "in-the-repository")
    )
    assert files_of(folder / "clone") == before
    assert not (folder / "clone" / ".git" / "hooks" / "pre-commit").exists()
    outside = (folder / "escaped.txt", Path("/tmp/escaped.txt"), Path("/etc/cron.d/escaped"))
    assert not any(path.exists() for path in outside)


@both_agents
def test_the_number_of_calls_ends_a_model_that_never_does(agent: Agent, folder: Path) -> None:
    with pytest.raises(AgentRefused, match="8 calls"):
        run(replace(agent, calls_limit=8), ScriptedModel(propose_edits, reader="never ends"), folder)

    assert wait_until(lambda: not agent_processes(folder))


def test_a_run_ends_when_its_cost_limit_is_reached(agent: Agent, folder: Path) -> None:
    model = ScriptedModel(propose_edits, reader="never ends", padding=300_000)

    with pytest.raises(AgentRefused, match="limit of 1 USD"):
        run(agent, model, folder)

    assert len(model.calls) < 30


def test_a_run_ends_when_streams_keep_breaking_off(agent: Agent, folder: Path) -> None:
    with pytest.raises(AgentBusy, match="answers break off"):
        run(replace(agent, calls_limit=20), ScriptedModel(propose_edits, reader="breaks off"), folder)


def test_the_deadline_ends_a_run_whose_model_hangs(agent: Agent, folder: Path) -> None:
    model, started = ScriptedModel(propose_edits), time.monotonic()
    model.faults.add("hang", times=99)

    with pytest.raises(AgentBusy, match=r"did not answer within 15 s|does not answer"):
        run(replace(agent, deadline_seconds=15), model, folder)

    assert time.monotonic() - started < 40
    assert wait_until(lambda: not agent_processes(folder))


def test_a_run_is_given_back_for_later_while_the_model_stays_busy(agent: Agent, folder: Path) -> None:
    model = ScriptedModel(propose_edits)
    model.faults.add("429", times=99, retry_after="30")

    with pytest.raises(AgentBusy, match="the model does not answer") as caught:
        run(replace(agent, retry_seconds=1), model, folder)

    assert 0 < (caught.value.retry_after or 0) <= 30


def test_a_wrong_key_is_refused_without_showing_the_key(agent: Agent, folder: Path) -> None:
    model = ScriptedModel(propose_edits, key="the-right-key")

    with pytest.raises(AgentRefused, match="401") as caught:
        run(agent, model, folder, apiKey="sk-wrong-key-shown")

    assert "sk-wrong-key-shown" not in str(caught.value)


@both_agents
def test_a_budget_that_is_used_up_at_the_provider_ends_the_run_at_once(agent: Agent, folder: Path) -> None:
    model = ScriptedModel(propose_edits, reader="refuses")

    with pytest.raises(AgentRefused, match="402"):
        run(agent, model, folder)

    assert len(model.calls) == 1


@both_agents
def test_a_worker_that_lost_its_claim_leaves_no_process(agent: Agent, folder: Path) -> None:
    model = ScriptedModel(propose_edits, reader="never ends")

    def check_alive() -> None:
        if len(model.calls) > 2:
            raise Superseded("another worker has the claim")

    with pytest.raises(Superseded):
        run(agent, model, folder, check_alive=check_alive)

    assert wait_until(lambda: not agent_processes(folder))


def test_a_killed_worker_leaves_no_process(agent: Agent, folder: Path) -> None:
    model = ScriptedModel(propose_edits, reader="never ends")
    with model.serving() as providers:
        worker = start_worker(folder, agent, providers, "reader")
        wait_until(lambda: model.calls, seconds=60)
        assert agent_processes(folder)

        worker.send_signal(signal.SIGKILL)
        worker.wait()

        assert wait_until(lambda: not agent_processes(folder))


def test_the_error_of_a_server_that_does_not_start_holds_its_log(agent: Agent, folder: Path) -> None:
    broken = folder / "opencode"
    broken.write_text("#!/bin/sh\necho no such luck\nexit 3\n")
    broken.chmod(0o755)

    with pytest.raises(AgentBusy, match="no such luck"):
        run(replace(agent, binary=broken), ScriptedModel(propose_edits), folder)


def test_a_missing_program_is_named_with_its_setting(agent: Agent, folder: Path) -> None:
    with pytest.raises(AgentRefused, match="OPENCODE_BIN"):
        run(replace(agent, binary=folder / "nowhere"), ScriptedModel(propose_edits), folder)


FAKE_SERVER = """#!/usr/bin/env python3
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "KIND")
        self.end_headers()
        self.wfile.write(b'''BODY''')


HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("application/json", '{"healthy":true,"version":"2.0.1"}', "is opencode '2.0.1'"),
        ("application/json", '{"healthy":true,"version":"1.\\u001b[2J"}', ""),
        ("text/html", "<!doctype html><title>opencode</title>", "answers with text/html"),
        ("application/json", "[]", "answers with application/json"),
    ],
)
def test_a_program_that_is_no_opencode_1_is_refused_by_its_setting(
    agent: Agent, folder: Path, kind: str, body: str, reason: str
) -> None:
    other = folder / "opencode"
    other.write_text(FAKE_SERVER.replace("KIND", kind).replace("BODY", body))
    other.chmod(0o755)

    with pytest.raises(AgentRefused, match="OPENCODE_BIN") as caught:
        run(replace(agent, binary=other), ScriptedModel(propose_edits), folder)

    assert reason in str(caught.value)
    assert str(caught.value).isprintable()
