"""A run of the agent whose worker died goes on where it stopped, on the disk that holds its folder and nowhere else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.agent.test_run import BRIEF, ROOT, agent, left_behind, mender, place, retort, wall
from tests.integration.clients.test_git import NAME as REPOSITORY
from tests.integration.clients.test_git import Server, first, server
from tests.support.fakes.model import MODEL_NAME, ScriptedModel
from tests.support.pipeline import harness
from tests.support.polling import wait_until
from workers.agent import workspaces
from workers.agent.run import Agent, Answer, ask
from workers.agent.saved_session import SESSION_FILE, can_resume
from workers.engine.schema import PREFIX
from workers.errors import AgentBusy, AgentRefused, Superseded
from workers.models import Usage

__all__ = ["agent", "first", "place", "server", "wall"]  # fixtures


def slow() -> ScriptedModel:
    """A model that leaves time between its answers."""
    model = ScriptedModel(mender)
    model.faults.delay_seconds = 1.0
    return model


def write(
    agent: Agent, providers: dict[str, Any], place: Path, prompt: str = BRIEF,
    alive: Callable[[], None] = lambda: None,
) -> Usage:  # fmt: skip
    """One run of the writer in the place's own folder; what it used."""
    (place / "run").mkdir(exist_ok=True)
    answer = ask(
        replace(agent, provider_config=providers), "writer", place / "clone", prompt, run_folder=place / "run",
        validate_answer=retort("writer", place / "clone"), check_alive=alive, on_start=lambda process: None,
    )  # fmt: skip
    return answer.usage


def killed_after(
    calls: int, agent: Agent, model: ScriptedModel, providers: dict[str, Any], place: Path
) -> None:
    """Another process that begins the run and is killed after so many calls of the model."""
    (place / "run").mkdir()
    script = f"""
from pathlib import Path
from workers.sandbox.builder import build_sandbox
from workers.agent.run import Agent, ask
place = Path({str(place)!r})
sandbox = build_sandbox(hide=(), scratch=place / "scratch", allow_unsandboxed=False)
programs = Path({str(agent.binary)!r}), Path({str(agent.rg)!r})
agent = Agent(*programs, sandbox, {MODEL_NAME!r}, {providers!r}, {{}}, None, 9.0, 99.0, 9999)
ask(agent, "writer", place / "clone", {BRIEF!r}, run_folder=place / "run", validate_answer=lambda text: None,
    check_alive=lambda: None, on_start=lambda process: None)
"""
    worker = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    wait_until(lambda: len(model.calls) >= calls, seconds=60, what="the model's calls")
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not left_behind(place), what="the end of opencode")


def test_a_run_whose_worker_was_killed_goes_on_with_what_it_had_read(agent: Agent, place: Path) -> None:
    model, told = slow(), (place / "clone" / "app" / "AGENTS.md").read_text()
    with model.serving() as providers:
        killed_after(2, agent, model, providers, place)
        cut = len(model.calls)
        aside = not (place / "clone" / "app" / "AGENTS.md").exists()
        spent = write(agent, providers, place)

    read = model.calls[cut - 1].results
    assert read and model.calls[cut].results[: len(read)] == read
    assert spent.calls >= cut
    assert "if people else 0" in (place / "clone" / "app" / "share.py").read_text()
    assert aside and (place / "clone" / "app" / "AGENTS.md").read_text() == told


def test_another_prompt_in_the_same_place_is_another_run(agent: Agent, place: Path) -> None:
    model = slow()
    with model.serving() as providers:
        killed_after(2, agent, model, providers, place)
        cut = len(model.calls)
        write(agent, providers, place, BRIEF + "\nThis one matters.\n")

    assert model.calls[cut].results == ()
    assert "This one matters." in model.calls[cut].prompt


# ---- where a run lives -----------------------------------------------------------------------


def interrupt(there: workspaces.Workspace, work: str = "") -> None:
    """As a run is left by a worker that is ending."""
    (there.clone / "app.py").write_text(work)
    (there.folder / SESSION_FILE).write_text("{}")
    raise Superseded("the worker is ending")


def test_an_interrupted_run_finds_its_clone_again(server: Server, first: str, tmp_path: Path) -> None:
    repositories = server.repositories()
    with (
        pytest.raises(Superseded),
        workspaces.open_workspace(tmp_path / "runs", "a", repositories, REPOSITORY, first) as before,
    ):
        interrupt(before, "half done")

    with workspaces.open_workspace(tmp_path / "runs", "a", repositories, REPOSITORY, first) as after:
        assert after.resumed and after.clone == before.clone
        assert (after.clone / "app.py").read_text() == "half done"
    assert not after.clone.exists() and not after.folder.exists()


@pytest.mark.parametrize("elsewhere", ["another disk", "another round"])
def test_a_run_whose_folder_is_not_here_begins_anew(
    server: Server, first: str, tmp_path: Path, elsewhere: str
) -> None:
    repositories = server.repositories()
    with (
        pytest.raises(Superseded),
        workspaces.open_workspace(tmp_path / "runs", "a", repositories, REPOSITORY, first) as before,
    ):
        interrupt(before)

    folder, name = (tmp_path / "other", "a") if elsewhere == "another disk" else (tmp_path / "runs", "b")
    with workspaces.open_workspace(folder, name, repositories, REPOSITORY, first) as after:
        assert not after.resumed
        assert not can_resume(after.folder)
        assert (after.clone / "app.py").read_text() == "one\ntwo\nthree\n"


def test_a_run_on_another_commit_begins_anew(server: Server, first: str, tmp_path: Path) -> None:
    repositories = server.repositories()
    with (
        pytest.raises(Superseded),
        workspaces.open_workspace(tmp_path, "a", repositories, REPOSITORY, first) as before,
    ):
        interrupt(before)
    second = server.commit({"app.py": "four\n"})

    with workspaces.open_workspace(tmp_path, "a", repositories, REPOSITORY, second) as after:
        assert not after.resumed
        assert (after.clone / "app.py").read_text() == "four\n"


def test_two_workers_of_one_disk_never_share_a_run(server: Server, first: str, tmp_path: Path) -> None:
    repositories = server.repositories()
    with (
        workspaces.open_workspace(tmp_path, "a", repositories, REPOSITORY, first) as stopped,
        workspaces.open_workspace(tmp_path, "a", repositories, REPOSITORY, first) as other,
    ):
        (stopped.folder / SESSION_FILE).write_text("{}")

        assert stopped.folder != other.folder and stopped.clone != other.clone
        assert not other.resumed


def test_a_run_that_failed_leaves_nothing(server: Server, first: str, tmp_path: Path) -> None:
    with (
        pytest.raises(AgentBusy),
        workspaces.open_workspace(tmp_path, "a", server.repositories(), REPOSITORY, first) as there,
    ):
        raise AgentBusy("the model does not answer")

    assert not there.clone.exists()
    assert not there.folder.exists()


def test_what_nobody_came_back_for_is_removed_after_a_day(server: Server, first: str, tmp_path: Path) -> None:
    repositories = server.repositories()
    with (
        pytest.raises(Superseded),
        workspaces.open_workspace(tmp_path / "runs", "a", repositories, REPOSITORY, first) as old,
    ):
        interrupt(old)
    long_ago = time.time() - workspaces.MAX_AGE_SECONDS - 60
    os.utime(old.folder, (long_ago, long_ago))

    with workspaces.open_workspace(tmp_path / "runs", "b", repositories, REPOSITORY, first):
        assert not old.folder.exists()


# ---- what a dead worker left running ---------------------------------------------------------


def orphan(folder: Path, *, home: Path | None = None, words: str = "") -> int:
    """The number of a process that lives on without whoever started it, as an agent may whose worker was killed."""
    begin = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)', *sys.argv[1:]],"
        " start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(child.pid)\n"
    )
    environment = {"HOME": str(home or folder)}
    said = subprocess.run(
        [sys.executable, "-c", begin, words], env=environment, capture_output=True, text=True, check=True
    )
    return int(said.stdout)


def lives(pid: int) -> bool:
    try:
        return b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_an_agent_that_outlived_its_worker_is_killed_before_its_run_goes_on(
    server: Server, first: str, tmp_path: Path
) -> None:
    repositories = server.repositories()
    with (
        pytest.raises(Superseded),
        workspaces.open_workspace(tmp_path, "a", repositories, REPOSITORY, first) as before,
    ):
        interrupt(before)
    left = orphan(before.folder, home=before.folder / "opencode" / "home")
    wait_until(lambda: lives(left))

    with workspaces.open_workspace(tmp_path, "a", repositories, REPOSITORY, first):
        assert wait_until(lambda: not lives(left))


def test_a_worker_that_starts_kills_what_dead_ones_left_and_nothing_else(
    server: Server, first: str, tmp_path: Path
) -> None:
    folder, trees = tmp_path / "runs", tmp_path / "work"
    with workspaces.open_workspace(folder, "alive", server.repositories(), REPOSITORY, first) as alive:
        (folder / "dead").mkdir()
        (trees / "trees").mkdir(parents=True)
        dead = orphan(folder, home=folder / "dead" / "opencode" / "home")
        checks = orphan(tmp_path, words=f"{trees}/trees/abc")
        idle = [sys.executable, "-c", "import time; time.sleep(300)", f"{trees}/trees/def"]
        ours = subprocess.Popen(idle, env={"HOME": str(tmp_path)})  # of a worker that lives
        others = [orphan(folder, home=alive.folder / "opencode" / "home"), orphan(tmp_path), ours.pid]
        wait_until(lambda: all(lives(pid) for pid in (dead, checks, *others)))

        workspaces.kill_orphans(folder, trees)

        wait_until(lambda: not lives(dead) and not lives(checks))
        assert all(lives(pid) for pid in others)
        for pid in others:
            os.kill(pid, signal.SIGKILL)
        ours.wait()


# ---- what it costs ---------------------------------------------------------------------------


@pytest.mark.parametrize(("same_disk", "counted"), [(True, 1), (False, 2)])
def test_only_a_run_that_begins_anew_is_counted_again(
    store: redis.Redis, store_url: str, tmp_path: Path, same_disk: bool, counted: int
) -> None:
    resumed = []

    def ask_once(*_: object, run_folder: Path, on_usage: Callable[[Usage], None], **__: object) -> Answer:
        resumed.append(can_resume(run_folder))
        on_usage(Usage(cost_usd=0.5, calls=len(resumed)))
        if len(resumed) > 1:
            raise AgentRefused("it came to no end")
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
        spent = [one.cost_usd for one in running.values(Usage)]
        assert resumed == [False, same_disk]
        assert store.hget(day, "runs") == str(counted).encode()
        assert spent == [0.5 * counted]
