"""Starts commands in a sandbox, waits for them, and ends them with everything that they started."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workers.sandbox.bubblewrap import bwrap_command
from workers.sandbox.launcher import Spec
from workers.sandbox.other_uid import allow_traversal, chown_tree
from workers.sandbox.sandbox import LAUNCHER, TMP, Sandbox

LIMITS = {
    "RLIMIT_CORE": 0,  # bytes; a core file would hold the keys that were in memory
    "RLIMIT_FSIZE": 4 * 10**9,  # bytes of one file
    "RLIMIT_NPROC": 2048,  # processes and threads
}
"""Limits of every command, each above the need of any honest test run."""

KILL_SECONDS = 10.0
"""Seconds that a launcher has to end its command before it is killed: `launcher.CLEANUP_SECONDS` and a reserve."""

MAX_OUTPUT_CHARS = 200_000
"""Characters of a command's output that `run` keeps by default, from the end."""

READ_BYTES = 65_536
"""Bytes of one read: the capacity of a pipe in Linux."""

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
"""PATH of a command that is given none."""

REPORT_VARIABLE = "TRACKWALKER_REPORT_FD"
"""Environment variable that holds the number of the descriptor for a report."""

Output = int | IO[bytes] | None
OnStart = Callable[[subprocess.Popen[bytes]], None]


@dataclass(frozen=True)
class CommandResult:
    """A command that ended."""

    code: int | None
    """Exit code, 128 + n after signal n, None if the command was killed."""
    output: str
    """The end of stdout and stderr, merged."""
    timed_out: bool
    seconds: float
    report: bytes = b""
    """What the command wrote to the descriptor in TRACKWALKER_REPORT_FD."""
    exceeded: str = ""
    """The bound that ended the command; empty if none did."""


def start(
    sandbox: Sandbox, argv: Sequence[str], *, cwd: Path, writable: Sequence[Path], readable: Sequence[Path] = (),
    env: Mapping[str, str], network: bool,
    stdout: Output = subprocess.DEVNULL, stderr: Output = subprocess.DEVNULL, pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:  # fmt: skip
    """Start a command in the sandbox. Kill it with `kill`, never directly.

    The kernel kills the command when the thread that called this ends, so call it in a thread that lives longer.

    Args:
        sandbox: how the command is isolated.
        argv: the command; no shell is involved.
        cwd: the working directory: below a writable or readable path, or in no hidden folder.
        writable: paths that the command can read and write. A uid sandbox makes the command their owner.
        readable: paths that the command can read although something above them is hidden.
        env: the whole environment; PATH, HOME, TMPDIR and LANG have defaults.
        network: whether the command keeps the host's network. Otherwise it has only a loopback of its own, which
            in a uid sandbox needs the right to make namespaces; without sandbox the network always stays.
        stdout: as for `subprocess.Popen`.
        stderr: as for `subprocess.Popen`.
        pass_fds: as for `subprocess.Popen`.
    """
    environment = _default_environment(sandbox) | dict(env)
    command = list(argv)
    if sandbox.kind == "bubblewrap":
        command = bwrap_command(
            sandbox,
            argv,
            cwd=cwd,
            writable=writable,
            readable=readable,
            search=environment["PATH"],
            network=network,
        )
    elif sandbox.uid is not None:
        chown_tree(sandbox.uid, writable)
        allow_traversal(sandbox.hide, (cwd, *writable, *readable))
    return subprocess.Popen(
        # -I and -S: the launcher needs the standard library only; no variable and no package of ours can change it.
        [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(_spec(sandbox, command, cwd, network))],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=environment,
        start_new_session=True,
        pass_fds=tuple(pass_fds),
    )


def run(
    sandbox: Sandbox,
    argv: Sequence[str],
    *,
    cwd: Path,
    writable: Sequence[Path],
    readable: Sequence[Path] = (),
    env: Mapping[str, str],
    network: bool = False,
    timeout_seconds: float,
    on_start: OnStart = lambda _process: None,
    max_output: int = MAX_OUTPUT_CHARS,
    report_bytes: int = 0,
) -> CommandResult:
    """Run a command in the sandbox and wait for it. The arguments are those of `start`, and:

    Args:
        timeout_seconds: the command and everything that it started are killed after this time.
        on_start: called with the process before the wait, so that another thread can `kill` it.
        max_output: characters of output to keep, from the end.
        report_bytes: bytes that the command may write to the descriptor in TRACKWALKER_REPORT_FD; 0 for none.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as report:
        variables = {REPORT_VARIABLE: str(report.fileno())} if report_bytes else {}
        process = start(
            sandbox, argv, cwd=cwd, writable=writable, readable=readable, env={**env, **variables},
            network=network, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=[report.fileno()] if report_bytes else [],
        )  # fmt: skip
        try:
            on_start(process)
            output, timed_out = _drain(process, started + timeout_seconds, max_output)
        finally:
            kill(process)
            if process.stdout:
                process.stdout.close()
        report.seek(0)
        content = report.read(report_bytes)
    code = None if timed_out or process.returncode < 0 else process.returncode
    return CommandResult(code, output, timed_out, time.monotonic() - started, content)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a command and everything that it started. A command that has ended is left alone."""
    if process.poll() is not None:
        return
    # SIGTERM ends bubblewrap, and the kernel ends the processes of its PID namespace with it. The launcher as
    # supervisor catches SIGTERM and kills all descendants before it exits; SIGKILL would leave them.
    process.terminate()
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(KILL_SECONDS)


def _spec(sandbox: Sandbox, command: list[str], cwd: Path, network: bool) -> Spec:
    in_bubblewrap = sandbox.kind == "bubblewrap"
    return {
        "argv": command,
        # bubblewrap changes to the working directory itself, inside its view of the file system.
        "cwd": "/" if in_bubblewrap else str(cwd),
        "uid": sandbox.uid,
        "limits": LIMITS,
        "parent": os.getpid(),
        # bubblewrap ends all processes of its PID namespace by itself.
        "supervise": not in_bubblewrap,
        # Without sandbox the network stays: making a namespace needs rights that the worker may not have.
        "network": network or sandbox.kind != "uid",
    }


def _default_environment(sandbox: Sandbox) -> dict[str, str]:
    home = str(TMP if sandbox.kind == "bubblewrap" else sandbox.scratch)
    return {"PATH": PATH, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"}


def _drain(process: subprocess.Popen[bytes], deadline: float, max_output: int) -> tuple[str, bool]:
    """The end of the output, and whether the deadline passed before the command ended."""
    tail = b""
    pipe = process.stdout
    if pipe is None:
        return "", not _wait_until(process, deadline)
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while (remaining := deadline - time.monotonic()) > 0:
            if not selector.select(remaining):
                continue
            chunk = os.read(pipe.fileno(), READ_BYTES)
            if not chunk:
                return _decode(tail, max_output), not _wait_until(process, deadline)
            # A character of UTF-8 has at most four bytes.
            tail = (tail + chunk)[-4 * max_output :]
    return _decode(tail, max_output), True


def _wait_until(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _decode(output: bytes, max_output: int) -> str:
    return output.decode(errors="replace")[-max_output:]
