"""Real walls around real processes; each test would fail if its hole were open."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workers.errors import AgentRefused
from workers.sandbox.builder import build_sandbox
from workers.sandbox.commands import CommandResult, kill, run, start
from workers.sandbox.sandbox import Sandbox

CONNECT = """
import socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 3)
    print("connected")
except OSError as error:
    print("cut off:", error)
"""
OWN_LOOPBACK = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
socket.create_connection(listener.getsockname(), 3)
print("own loopback works")
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that another uid may pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
    folder.chmod(0o755)
    for name in ("clone", "project", "scratch"):
        (folder / name).mkdir()
    (folder / "project" / ".env").write_text("GITHUB_TOKEN=ghp_hidden")
    (folder / "project" / "code.py").write_text("print('code')")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def wall(place: Path) -> Sandbox:
    return build_sandbox(
        hide=[place / "project" / ".env"], scratch=place / "scratch", allow_unsandboxed=False
    )


def sh(wall: Sandbox, place: Path, script: str, *, seconds: float = 20) -> CommandResult:
    return run(
        wall, ["/bin/sh", "-c", script], cwd=place / "clone", writable=[place / "clone"],
        readable=[place / "project"], env={}, timeout_seconds=seconds,
    )  # fmt: skip


def python(wall: Sandbox, place: Path, code: str, *words: str, network: bool = False) -> str:
    argv = [sys.executable, "-c", code, *words]
    return run(
        wall, argv, cwd=place, writable=[place / "clone"], env={}, network=network, timeout_seconds=20
    ).output


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    return condition()


def running(mark: str) -> list[int]:
    """Processes of the whole machine whose command line holds the mark."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_a_hidden_file_cannot_be_read_though_the_folder_around_it_can(wall: Sandbox, place: Path) -> None:
    seen = sh(wall, place, f"cat {place}/project/code.py; cat {place}/project/.env")

    assert "print('code')" in seen.output
    assert "ghp_hidden" not in seen.output


def test_a_link_to_a_hidden_file_leads_nowhere(wall: Sandbox, place: Path) -> None:
    (place / "clone" / "innocent.txt").symlink_to(place / "project" / ".env")

    assert "ghp_hidden" not in sh(wall, place, "cat innocent.txt").output


def test_other_clones_homes_and_tmp_cannot_be_seen(wall: Sandbox, place: Path) -> None:
    (place / "other").mkdir()
    (place / "other" / "secret.py").write_text("theirs")

    seen = sh(wall, place, f"ls -A {place} /root /home /run; cat {place}/other/secret.py")

    assert "theirs" not in seen.output
    assert "other" not in seen.output.replace(f"{place}/other/secret.py", "").split()


def test_nothing_outside_the_writable_folders_can_be_written(wall: Sandbox, place: Path) -> None:
    outside = [
        place / "project" / "code.py",
        Path("/etc/trackwalker-was-here"),
        Path("/usr/trackwalker-was-here"),
    ]

    seen = sh(wall, place, "; ".join(f"echo x > {path}" for path in outside) + "; echo mine > in.txt")

    assert seen.code == 0
    assert (place / "clone" / "in.txt").read_text() == "mine\n"
    assert outside[0].read_text() == "print('code')"
    assert not any(path.exists() for path in outside[1:])


def test_no_process_of_the_machine_is_visible(wall: Sandbox, place: Path) -> None:
    count = len([entry for entry in Path("/proc").iterdir() if entry.name.isdigit()])

    inside = sh(wall, place, "ls /proc | grep -c '^[0-9]'; cat /proc/*/environ /proc/*/cmdline")

    assert int(inside.output.split("\n", 1)[0]) < min(count, 10)
    assert "pytest" not in inside.output


def test_the_environment_is_exactly_what_was_given(
    wall: Sandbox, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-hidden")

    seen = run(wall, ["/usr/bin/env"], cwd=place, writable=(), env={"GIVEN": "yes"}, timeout_seconds=20)

    assert "GIVEN=yes" in seen.output
    assert "xoxb-hidden" not in seen.output


def test_without_network_the_machines_loopback_is_out_of_reach(wall: Sandbox, place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])

        without = python(wall, place, CONNECT, port)
        with_network = python(wall, place, CONNECT, port, network=True)

    assert "cut off" in without
    assert "connected" in with_network


def test_without_network_a_loopback_of_its_own_works(wall: Sandbox, place: Path) -> None:
    assert "own loopback works" in python(wall, place, OWN_LOOPBACK)


def test_privileges_and_core_files_are_out_of_reach(wall: Sandbox, place: Path) -> None:
    seen = sh(
        wall,
        place,
        "ulimit -c; grep -E 'CapEff|NoNewPrivs' /proc/self/status; mount -t tmpfs x /mnt || echo no",
    )

    assert seen.output.startswith("0\n")
    assert "CapEff:\t0000000000000000" in seen.output
    assert "NoNewPrivs:\t1" in seen.output
    assert "no\n" in seen.output


def test_what_runs_too_long_is_ended_with_all_it_started(wall: Sandbox, place: Path) -> None:
    mark = f"600.{os.getpid()}"

    seen = sh(wall, place, f"setsid sleep {mark} & echo begun; sleep {mark}", seconds=2)

    assert (seen.timed_out, seen.code) == (True, None)
    assert "begun" in seen.output
    assert until(lambda: not running(mark))


def test_a_background_process_does_not_outlive_its_command(wall: Sandbox, place: Path) -> None:
    mark = f"601.{os.getpid()}"

    seen = sh(wall, place, f"setsid sleep {mark} & exit 3")

    assert (seen.timed_out, seen.code) == (False, 3)
    assert until(lambda: not running(mark))


def test_the_end_of_a_long_output_is_what_is_kept(wall: Sandbox, place: Path) -> None:
    seen = run(
        wall, ["/bin/sh", "-c", "yes line | head -n 100000; echo LAST"], cwd=place, writable=(), env={},
        timeout_seconds=20, max_output=500,
    )  # fmt: skip

    assert len(seen.output) == 500
    assert seen.output.endswith("LAST\n")


@pytest.mark.parametrize("kind", ["bubblewrap", "none"])
def test_what_a_killed_worker_started_dies_with_it(wall: Sandbox, place: Path, kind: str) -> None:
    mark = f"602.{os.getpid()}"
    script = f"""
from pathlib import Path
from workers.sandbox.builder import build_sandbox
from workers.sandbox.commands import start
from workers.sandbox.sandbox import Sandbox
place = Path({str(place)!r})
sandbox = build_sandbox(hide=(), scratch=place, allow_unsandboxed=False) if {kind!r} != "none" else Sandbox("none")
command = ["/bin/sh", "-c", "setsid sleep {mark} & sleep {mark}"]
start(sandbox, command, cwd=place, writable=[place], env={{}}, network=False)
input()
"""
    worker = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert until(lambda: len(running(f"sleep\0{mark}")) == 2)

    worker.send_signal(signal.SIGKILL)
    worker.communicate()

    assert until(lambda: not running(mark))


def test_killing_twice_or_what_has_ended_does_nothing(wall: Sandbox, place: Path) -> None:
    process = start(wall, ["/bin/sh", "-c", "exit 0"], cwd=place, writable=(), env={}, network=False)

    kill(process)
    kill(process)

    assert process.returncode is not None


def test_without_bubblewrap_root_uses_another_uid_and_others_are_refused(place: Path) -> None:
    hide = [place / "project" / ".env"]

    if os.geteuid() != 0:
        with pytest.raises(AgentRefused, match="TRACKWALKER_ALLOW_UNSANDBOXED"):
            build_sandbox(hide=hide, scratch=place / "scratch", allow_unsandboxed=False, isolation_levels=())
        return
    wall = build_sandbox(hide=hide, scratch=place / "scratch", allow_unsandboxed=False, isolation_levels=())
    seen = sh(
        wall,
        place,
        f"id -u; cat {place}/project/.env; echo x > {place}/project/new; echo mine > in.txt; ulimit -c",
    )

    assert wall.kind == "uid"
    assert seen.output.splitlines()[0] == str(wall.uid) != "0"
    assert "ghp_hidden" not in seen.output
    assert not (place / "project" / "new").exists()
    assert (place / "clone" / "in.txt").read_text() == "mine\n"


def test_the_other_uid_leaves_no_process_behind(place: Path) -> None:
    mark = f"603.{os.getpid()}"
    wall = build_sandbox(hide=(), scratch=place / "scratch", allow_unsandboxed=True, isolation_levels=())

    seen = sh(wall, place, f"(setsid sleep {mark} &) ; (trap '' TERM; sleep {mark})", seconds=2)

    assert seen.timed_out
    assert not running(mark)


def test_a_wall_that_leaves_a_hidden_file_readable_is_refused(place: Path) -> None:
    theirs = place / "project" / "code.py"
    if os.geteuid() == 0:
        os.chown(theirs, 65534, 65534)

    with pytest.raises(AgentRefused, match=r"can read|needs root"):
        build_sandbox(hide=[theirs], scratch=place / "scratch", allow_unsandboxed=False, isolation_levels=())


def test_only_the_setting_lets_code_run_without_a_wall(place: Path) -> None:
    with pytest.raises(AgentRefused, match="TRACKWALKER_ALLOW_UNSANDBOXED=yes"):
        build_sandbox(
            hide=(), scratch=place / "scratch", allow_unsandboxed=False, isolation_levels=(), uids=()
        )
    bare = build_sandbox(
        hide=(), scratch=place / "scratch", allow_unsandboxed=True, isolation_levels=(), uids=()
    )

    assert bare.kind == "none"
    assert sh(bare, place, "echo runs").output == "runs\n"


def test_a_protected_process_keeps_its_environment_from_its_children(place: Path) -> None:
    script = """
import os, subprocess
from workers.sandbox.commands import protect_process
protect_process()
drop = {"user": 50000} if os.geteuid() == 0 else {}
done = subprocess.run(["/usr/bin/env", "cat", f"/proc/{os.getpid()}/environ"], capture_output=True, **drop)
print("refused" if done.returncode else done.stdout)
"""
    environ = os.environ | {"TOKEN": "hidden"}
    seen = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False
    )

    assert seen.stdout == "refused\n"
