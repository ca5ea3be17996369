"""The workspace of an interrupted run is found again; every other one is removed, and no process stays in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.git_server import REPOSITORY, GitServer
from tests.support.polling import wait_until
from workers.agent.saved_session import SESSION_FILE, can_resume
from workers.agent.workspaces import MAX_AGE_SECONDS, Workspace, kill_orphans, open_workspace
from workers.clients.git import Repositories
from workers.errors import AgentBusy, Superseded

SLEEP = "import time; time.sleep(300)"


def interrupt(runs: Path, repositories: Repositories, commit: str, text: str = "half done") -> Workspace:
    """Leave the workspace of a run behind as a worker does that is ending."""
    with suppress(Superseded), open_workspace(runs, "a", repositories, REPOSITORY, commit) as workspace:
        (workspace.clone / "app.py").write_text(text)
        (workspace.folder / SESSION_FILE).write_text("{}")
        raise Superseded("the worker is ending")
    return workspace


def test_an_interrupted_run_finds_its_clone_again(server: GitServer, first: str, tmp_path: Path) -> None:
    repositories = server.repositories()
    before = interrupt(tmp_path / "runs", repositories, first, "half done")

    with open_workspace(tmp_path / "runs", "a", repositories, REPOSITORY, first) as after:
        assert after.resumed and after.clone == before.clone
        assert (after.clone / "app.py").read_text() == "half done"
    assert not after.clone.exists() and not after.folder.exists()


@pytest.mark.parametrize("change", ["another disk", "another attempt"])
def test_a_run_whose_folder_is_elsewhere_starts_anew(
    server: GitServer, first: str, tmp_path: Path, change: str
) -> None:
    repositories = server.repositories()
    interrupt(tmp_path / "runs", repositories, first)

    runs, name = (tmp_path / "other", "a") if change == "another disk" else (tmp_path / "runs", "b")
    with open_workspace(runs, name, repositories, REPOSITORY, first) as after:
        assert not after.resumed
        assert not can_resume(after.folder)
        assert (after.clone / "app.py").read_text() == "one\ntwo\nthree\n"


def test_a_run_on_another_commit_starts_anew(server: GitServer, first: str, tmp_path: Path) -> None:
    repositories = server.repositories()
    interrupt(tmp_path / "runs", repositories, first)
    second = server.commit({"app.py": "four\n"})

    with open_workspace(tmp_path / "runs", "a", repositories, REPOSITORY, second) as after:
        assert not after.resumed
        assert (after.clone / "app.py").read_text() == "four\n"


def test_two_workers_of_one_disk_never_share_a_run(server: GitServer, first: str, tmp_path: Path) -> None:
    repositories = server.repositories()
    with (
        open_workspace(tmp_path / "runs", "a", repositories, REPOSITORY, first) as stalled,
        open_workspace(tmp_path / "runs", "a", repositories, REPOSITORY, first) as other,
    ):
        (stalled.folder / SESSION_FILE).write_text("{}")

        assert stalled.folder != other.folder and stalled.clone != other.clone
        assert not other.resumed


def test_a_failed_run_leaves_no_workspace(server: GitServer, first: str, tmp_path: Path) -> None:
    with (
        pytest.raises(AgentBusy),
        open_workspace(tmp_path / "runs", "a", server.repositories(), REPOSITORY, first) as workspace,
    ):
        raise AgentBusy("the model does not answer")

    assert not workspace.clone.exists()
    assert not workspace.folder.exists()


def test_an_interrupted_run_that_is_never_resumed_is_removed_after_a_day(
    server: GitServer, first: str, tmp_path: Path
) -> None:
    repositories = server.repositories()
    old = interrupt(tmp_path / "runs", repositories, first)
    long_ago = time.time() - MAX_AGE_SECONDS - 60
    os.utime(old.folder, (long_ago, long_ago))

    with open_workspace(tmp_path / "runs", "b", repositories, REPOSITORY, first):
        assert not old.folder.exists()


# ---- processes of dead workers ---------------------------------------------------------------


def start_orphan(home: Path, argument: str = "") -> int:
    """Start a process that outlives its parent, as an agent may whose worker was killed; returns its pid."""
    script = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}, *sys.argv[1:]],"
        " start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(child.pid)\n"
    )
    argv = [sys.executable, "-c", script, argument]
    done = subprocess.run(argv, env={"HOME": str(home)}, capture_output=True, text=True, check=True)
    return int(done.stdout)


def is_running(pid: int) -> bool:
    try:
        return b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_an_agent_that_outlived_its_worker_is_killed_before_its_run_resumes(
    server: GitServer, first: str, tmp_path: Path
) -> None:
    repositories = server.repositories()
    before = interrupt(tmp_path / "runs", repositories, first)
    orphan = start_orphan(before.folder / "opencode" / "home")
    wait_until(lambda: is_running(orphan))

    with open_workspace(tmp_path / "runs", "a", repositories, REPOSITORY, first):
        assert wait_until(lambda: not is_running(orphan))


def test_a_starting_worker_kills_the_processes_of_dead_workers_and_no_others(
    server: GitServer, first: str, tmp_path: Path
) -> None:
    runs, work = tmp_path / "runs", tmp_path / "work-of-ours"
    with open_workspace(runs, "alive", server.repositories(), REPOSITORY, first) as alive:
        (runs / "dead").mkdir()
        (work / "trees").mkdir(parents=True)
        dead_agent = start_orphan(runs / "dead" / "opencode" / "home")
        dead_check = start_orphan(tmp_path, f"{work}/trees/abc")
        # A check of a live worker: in a tree too, but its parent is this process.
        live_check = subprocess.Popen(
            [sys.executable, "-c", SLEEP, f"{work}/trees/def"], env={"HOME": str(tmp_path)}
        )
        others = [start_orphan(alive.folder / "opencode" / "home"), start_orphan(tmp_path), live_check.pid]
        wait_until(lambda: all(is_running(pid) for pid in (dead_agent, dead_check, *others)))

        kill_orphans(runs, work)

        wait_until(lambda: not is_running(dead_agent) and not is_running(dead_check))
        assert all(is_running(pid) for pid in others)
        for pid in others:
            os.kill(pid, signal.SIGKILL)
        live_check.wait()
