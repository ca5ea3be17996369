"""Real sandboxes around real processes; each test fails if the hole that it names is open."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.polling import wait_until
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
    print("unreachable:", error)
"""
SYSTEM_PYTHON = Path("/usr/bin/python3")
"""An interpreter that every uid can run, unlike one below a home."""

OWN_LOOPBACK = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
socket.create_connection(listener.getsockname(), 3)
print("own loopback works")
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another uid may pass through, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="sandbox-"))
    path.chmod(0o755)
    for name in ("clone", "project", "scratch"):
        (path / name).mkdir()
    (path / "project" / ".env").write_text("GITHUB_TOKEN=ghp_hidden")
    (path / "project" / "code.py").write_text("print('code')")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def sandbox(folder: Path) -> Sandbox:
    return build_sandbox(
        hide=[folder / "project" / ".env"], scratch=folder / "scratch", allow_unsandboxed=False
    )


def run_shell(sandbox: Sandbox, folder: Path, script: str, *, seconds: float = 20) -> CommandResult:
    return run(
        sandbox, ["/bin/sh", "-c", script], cwd=folder / "clone", writable=[folder / "clone"],
        readable=[folder / "project"], env={}, timeout_seconds=seconds,
    )  # fmt: skip


def run_python(sandbox: Sandbox, folder: Path, code: str, *words: str) -> str:
    argv = [sys.executable, "-c", code, *words]
    return run(sandbox, argv, cwd=folder, writable=[folder / "clone"], env={}, timeout_seconds=20).output


def pids_with(mark: str) -> list[int]:
    """Ids of all processes of the machine whose command line holds the mark."""
    pids = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes():
                pids.append(int(entry.name))
        except OSError:
            continue
    return pids


def test_a_hidden_file_in_a_readable_folder_cannot_be_read(sandbox: Sandbox, folder: Path) -> None:
    result = run_shell(sandbox, folder, f"cat {folder}/project/code.py; cat {folder}/project/.env")

    assert "print('code')" in result.output
    assert "ghp_hidden" not in result.output


def test_a_link_to_a_hidden_file_does_not_reveal_it(sandbox: Sandbox, folder: Path) -> None:
    (folder / "clone" / "innocent.txt").symlink_to(folder / "project" / ".env")

    assert "ghp_hidden" not in run_shell(sandbox, folder, "cat innocent.txt").output


def test_other_clones_homes_and_tmp_are_invisible(sandbox: Sandbox, folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "secret.py").write_text("theirs")

    result = run_shell(sandbox, folder, f"ls -A {folder} /root /home /run; cat {folder}/other/secret.py")

    assert "theirs" not in result.output
    assert "other" not in result.output.replace(f"{folder}/other/secret.py", "").split()


def test_files_outside_the_writable_folders_cannot_be_written(sandbox: Sandbox, folder: Path) -> None:
    outside = [
        folder / "project" / "code.py",
        Path("/etc/trackwalker-was-here"),
        Path("/usr/trackwalker-was-here"),
    ]

    result = run_shell(
        sandbox, folder, "; ".join(f"echo x > {path}" for path in outside) + "; echo mine > in.txt"
    )

    assert result.code == 0
    assert (folder / "clone" / "in.txt").read_text() == "mine\n"
    assert outside[0].read_text() == "print('code')"
    assert not any(path.exists() for path in outside[1:])


def test_processes_of_the_host_are_invisible(sandbox: Sandbox, folder: Path) -> None:
    count = len([entry for entry in Path("/proc").iterdir() if entry.name.isdigit()])

    inside = run_shell(sandbox, folder, "ls /proc | grep -c '^[0-9]'; cat /proc/*/environ /proc/*/cmdline")

    assert int(inside.output.split("\n", 1)[0]) < min(count, 10)
    assert "pytest" not in inside.output


def test_the_command_gets_exactly_the_environment_of_its_caller(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-hidden")

    result = run(sandbox, ["/usr/bin/env"], cwd=folder, writable=(), env={"GIVEN": "yes"}, timeout_seconds=20)

    assert "GIVEN=yes" in result.output
    assert "xoxb-hidden" not in result.output


def test_the_hosts_loopback_is_unreachable(sandbox: Sandbox, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])

        output = run_python(sandbox, folder, CONNECT, port)

    assert "unreachable" in output


def test_the_private_loopback_of_a_command_works(sandbox: Sandbox, folder: Path) -> None:
    assert "own loopback works" in run_python(sandbox, folder, OWN_LOOPBACK)


def test_a_command_has_no_privileges_and_writes_no_core_file(sandbox: Sandbox, folder: Path) -> None:
    result = run_shell(
        sandbox,
        folder,
        "ulimit -c; grep -E 'CapEff|NoNewPrivs' /proc/self/status; mount -t tmpfs x /mnt || echo no",
    )

    assert result.output.startswith("0\n")
    assert "CapEff:\t0000000000000000" in result.output
    assert "NoNewPrivs:\t1" in result.output
    assert "no\n" in result.output


def test_a_command_that_times_out_is_killed_with_all_its_processes(sandbox: Sandbox, folder: Path) -> None:
    mark = f"600.{os.getpid()}"

    result = run_shell(sandbox, folder, f"setsid sleep {mark} & echo begun; sleep {mark}", seconds=2)

    assert (result.timed_out, result.code) == (True, None)
    assert "begun" in result.output
    assert wait_until(lambda: not pids_with(mark))


def test_a_background_process_does_not_outlive_its_command(sandbox: Sandbox, folder: Path) -> None:
    mark = f"601.{os.getpid()}"

    result = run_shell(sandbox, folder, f"setsid sleep {mark} & exit 3")

    assert (result.timed_out, result.code) == (False, 3)
    assert wait_until(lambda: not pids_with(mark))


def test_the_end_of_a_long_output_is_kept(sandbox: Sandbox, folder: Path) -> None:
    result = run(
        sandbox, ["/bin/sh", "-c", "yes line | head -n 100000; echo LAST"], cwd=folder, writable=(), env={},
        timeout_seconds=20, max_output=500,
    )  # fmt: skip

    assert len(result.output) == 500
    assert result.output.endswith("LAST\n")


@pytest.mark.parametrize("kind", ["bubblewrap", "none"])
def test_commands_die_with_their_killed_worker(sandbox: Sandbox, folder: Path, kind: str) -> None:
    mark = f"602.{os.getpid()}"
    script = f"""
from pathlib import Path
from workers.sandbox.builder import build_sandbox
from workers.sandbox.commands import start
from workers.sandbox.sandbox import Sandbox
folder = Path({str(folder)!r})
sandbox = build_sandbox(hide=(), scratch=folder, allow_unsandboxed=False) if {kind!r} != "none" else Sandbox("none")
command = ["/bin/sh", "-c", "setsid sleep {mark} & sleep {mark}"]
start(sandbox, command, cwd=folder, writable=[folder], env={{}})
input()
"""
    worker = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert wait_until(lambda: len(pids_with(f"sleep\0{mark}")) == 2)

    worker.send_signal(signal.SIGKILL)
    worker.communicate()

    assert wait_until(lambda: not pids_with(mark))


def test_killing_an_ended_command_does_nothing(sandbox: Sandbox, folder: Path) -> None:
    process = start(sandbox, ["/bin/sh", "-c", "exit 0"], cwd=folder, writable=(), env={})

    kill(process)
    kill(process)

    assert process.returncode is not None


def test_without_bubblewrap_commands_still_have_a_uid_of_their_own(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can change the uid")
    sandbox = build_sandbox(
        hide=[folder / "project" / ".env"],
        scratch=folder / "scratch",
        allow_unsandboxed=False,
        kinds=("uid",),
    )

    script = f"id -u; cat {folder}/project/.env; echo x > {folder}/project/new; echo mine > in.txt; ulimit -c"
    uids = [run_shell(sandbox, folder, script).output.splitlines()[0] for _ in range(2)]

    assert sandbox.kind == "uid"
    assert "0" not in uids
    assert len(set(uids)) == 2
    assert not (folder / "project" / "new").exists()
    assert (folder / "clone" / "in.txt").read_text() == "mine\n"


def test_a_uid_sandbox_leaves_no_process_behind(folder: Path) -> None:
    mark = f"603.{os.getpid()}"
    sandbox = build_sandbox(
        hide=(), scratch=folder / "scratch", allow_unsandboxed=True, kinds=("landlock", "uid")
    )

    result = run_shell(sandbox, folder, f"(setsid sleep {mark} &) ; (trap '' TERM; sleep {mark})", seconds=2)

    assert result.timed_out
    assert not pids_with(mark)


def test_a_uid_sandbox_that_can_read_a_hidden_file_is_refused(folder: Path) -> None:
    theirs = folder / "project" / "code.py"
    if os.geteuid() == 0:
        os.chown(theirs, 65534, 65534)

    with pytest.raises(AgentRefused, match=r"can read|no level was tried"):
        build_sandbox(
            hide=[theirs],
            scratch=folder / "scratch",
            allow_unsandboxed=False,
            kinds=("uid",),
            may_mount=False,
            python=SYSTEM_PYTHON,
        )


def test_without_a_level_commands_are_refused_and_never_run_as_root(folder: Path) -> None:
    with pytest.raises(AgentRefused, match="no level was tried"):
        build_sandbox(hide=(), scratch=folder / "scratch", allow_unsandboxed=False, kinds=())
    if os.geteuid() == 0:
        with pytest.raises(AgentRefused, match="never run as root"):
            build_sandbox(hide=(), scratch=folder / "scratch", allow_unsandboxed=True, kinds=())
        return
    bare = build_sandbox(hide=(), scratch=folder / "scratch", allow_unsandboxed=True, kinds=())

    assert bare.kind == "none"
    assert run_shell(bare, folder, "echo runs").output == "runs\n"


def test_a_protected_process_keeps_its_environment_from_its_children(folder: Path) -> None:
    script = """
import os, subprocess
from workers.runtime.process import protect_process
protect_process()
drop = {"user": 50000} if os.geteuid() == 0 else {}
done = subprocess.run(["/usr/bin/env", "cat", f"/proc/{os.getpid()}/environ"], capture_output=True, **drop)
print("refused" if done.returncode else done.stdout)
"""
    environ = os.environ | {"TOKEN": "hidden"}
    result = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False
    )

    assert result.stdout == "refused\n"
