"""A run whose worker crashed resumes where it stopped, on the disk that holds its folder and on no other."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.agent_runs import PROMPT, agent_processes, ask_in, both_agents, propose_edits, start_worker
from tests.support.fakes.model import ScriptedModel
from tests.support.pipeline import harness
from tests.support.polling import wait_until
from workers.agent.coding_agent import Agent, AgentAnswer
from workers.agent.saved_session import SESSION_FILE, can_resume
from workers.engine.schema import PREFIX
from workers.errors import AgentRefused, Superseded
from workers.models import Usage


def slow_model() -> ScriptedModel:
    """A model that leaves time between its answers."""
    model = ScriptedModel(propose_edits)
    model.faults.delay_seconds = 1.0
    return model


def kill_worker_after(
    calls: int, agent: Agent, model: ScriptedModel, providers: dict[str, Any], folder: Path
) -> None:
    """Start the run in another process, and kill that after so many calls of the model."""
    worker = start_worker(folder, agent, providers, "writer")
    wait_until(lambda: len(model.calls) >= calls, seconds=60, what="the model's calls")
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not agent_processes(folder), what="the end of opencode")


def plant(agent_folder: Path, clone: Path) -> None:
    """Write files that a resumed server would run into the folders that it reads."""
    command = ["/bin/sh", "-c", f"touch {clone}/planted-ran"]
    config = json.dumps({"mcp": {"own": {"type": "local", "command": command, "enabled": True}}})
    for path in ("fixed/config/opencode/opencode.json", "fixed/.opencode/opencode.json"):
        (agent_folder / path).parent.mkdir(parents=True, exist_ok=True)
        (agent_folder / path).write_text(config)
    program = agent_folder / "data" / "opencode" / "bin" / "rg"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\ntouch {clone}/planted-ran\n")
    program.chmod(0o755)


@both_agents
def test_a_run_whose_worker_was_killed_resumes_with_the_files_it_had_read(agent: Agent, folder: Path) -> None:
    model, agent_file = slow_model(), folder / "clone" / "app" / "AGENTS.md"
    before = agent_file.read_text()
    with model.serving() as providers:
        kill_worker_after(2, agent, model, providers, folder)
        count = len(model.calls)
        was_stashed = not agent_file.exists()
        plant(folder / "run" / "agent", folder / "clone")
        usage = ask_in(folder, agent, providers, "writer").usage

    results = model.calls[count - 1].results
    assert results and model.calls[count].results[: len(results)] == results
    assert usage.calls >= count
    assert "if people else 0" in (folder / "clone" / "app" / "share.py").read_text()
    assert not (folder / "clone" / "planted-ran").exists()
    assert was_stashed and agent_file.read_text() == before


def test_another_prompt_in_the_same_folder_starts_another_run(agent: Agent, folder: Path) -> None:
    model = slow_model()
    with model.serving() as providers:
        kill_worker_after(2, agent, model, providers, folder)
        count = len(model.calls)
        ask_in(folder, agent, providers, "writer", PROMPT + "\nThis one matters.\n")

    assert model.calls[count].results == ()
    assert "This one matters." in model.calls[count].prompt


@pytest.mark.parametrize(("same_disk", "runs"), [(True, 1), (False, 2)])
def test_only_a_run_that_starts_anew_is_counted_again(
    store: redis.Redis, store_url: str, tmp_path: Path, same_disk: bool, runs: int
) -> None:
    resumed: list[bool] = []

    def ask_once(
        *_: object, run_folder: Path, on_usage: Callable[[Usage], None], **__: object
    ) -> AgentAnswer:
        resumed.append(can_resume(run_folder))
        on_usage(Usage(cost_usd=0.5, calls=len(resumed)))
        if len(resumed) > 1:
            raise AgentRefused("no final answer")
        (run_folder / SESSION_FILE).write_text("{}")
        raise Superseded("the worker is ending")

    with harness(store, store_url, tmp_path) as running:
        running.services.remediation.ask = ask_once
        running.alert()
        running.drive(lambda: resumed)
        if not same_disk:
            shutil.rmtree(tmp_path / "state" / "runs")
        running.drive(running.outcome_kind)

        [day] = list(store.scan_iter(f"{PREFIX}budget:*"))
        costs = [usage.cost_usd for usage in running.values(Usage)]
        assert resumed == [False, same_disk]
        assert store.hget(day, "runs") == str(runs).encode()
        assert costs == [0.5 * runs]
