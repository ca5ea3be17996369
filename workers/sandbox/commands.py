"""Starts commands in a sandbox, waits for them, and ends them with everything that they started."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workers.sandbox.instructions import Command, launcher_spec
from workers.sandbox.ports import Ports
from workers.sandbox.sandbox import LAUNCHER, TMP, Sandbox
from workers.sandbox.uids import allow_traversal, chown_tree, lease_uid, make_readable

KILL_SECONDS = 10.0
"""Seconds that a launcher has to end its command before it is killed: `launcher.CLEANUP_SECONDS` and a reserve."""

MAX_OUTPUT_CHARS = 200_000
"""Characters of a command's output that `run` keeps by default, from the end."""

READ_BYTES = 65_536
"""Bytes of one read: the capacity of a pipe in Linux."""

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
"""PATH of a command that is given none."""

Output = int | IO[bytes] | None
OnStart = Callable[[subprocess.Popen[bytes]], None]

REPORT_VARIABLE = "TRACKWALKER_REPORT_FD"
"""Variable of a command that names the descriptor for its report."""


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
    """The bytes that the command wrote to the descriptor that TRACKWALKER_REPORT_FD names."""
    exceeded: str = ""
    """The bound that ended the command: `memory`, `disk` or `processes`; empty if none did."""


class SandboxedProcess(subprocess.Popen[bytes]):
    """The launcher of a command. Kill it with `kill`, never directly."""

    status: IO[bytes] | None = None
    """The pipe to which the launcher writes the name of an exceeded bound, None once it is read."""
    bound: str = ""
    lock: threading.Lock

    def exceeded(self) -> str:
        """The bound that ended the command, empty if none did. To be called after it has ended."""
        with self.lock:
            if self.status is not None:
                with self.status:
                    self.bound = self.status.read().decode()
                self.status = None
        return self.bound


def start(
    sandbox: Sandbox, argv: Sequence[str], *, cwd: Path, writable: Sequence[Path], readable: Sequence[Path] = (),
    env: Mapping[str, str], ports: Ports | None = None,
    stdin: Output = subprocess.DEVNULL, stdout: Output = subprocess.DEVNULL, stderr: Output = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> SandboxedProcess:  # fmt: skip
    """Start a command in the sandbox. Kill it with `kill`, never directly.

    The kernel kills the command when the thread that called this ends, so call it in a thread that lives longer.

    Args:
        sandbox: how the command is isolated.
        argv: the command; no shell is involved.
        cwd: the working directory: a writable or readable path, or one below or above such a path.
        writable: paths that the command can read and write. If the command gets a uid of its own, it owns them.
        readable: paths that the command can read, besides interpreters and libraries.
        env: the whole environment; PATH, HOME, TMPDIR and LANG have defaults.
        ports: what the command can reach and serves; without it there is only a loopback of its own, or nothing.
        stdin: as for `subprocess.Popen`.
        stdout: as for `subprocess.Popen`.
        stderr: as for `subprocess.Popen`.
        pass_fds: as for `subprocess.Popen`.

    Raises:
        AgentBusy: no uid is free.
        AgentRefused: a readable path is reached by a link below a writable folder.
    """
    temporary = (
        () if {"HOME", "TMPDIR"} <= env.keys() or sandbox.kind == "bubblewrap" else (_new_home(sandbox),)
    )
    home = str(temporary[0] if temporary else TMP)
    environment = {"PATH": PATH, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"} | dict(env)
    uid, lock = lease_uid(sandbox.scratch) if sandbox.own_uid else (None, -1)
    reader, status = os.pipe()
    try:
        command = Command(
            tuple(argv), cwd, (*writable, *temporary), tuple(readable), environment["HOME"], environment["PATH"],
            uid, ports, temporary,
        )  # fmt: skip
        if uid is not None:
            _give_files(sandbox, command, uid)
        spec = launcher_spec(sandbox, command, status=status, lock=lock)
        process = SandboxedProcess(
            # -I and -S: the launcher needs the standard library only; no variable and no package can change it.
            [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(spec)],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            start_new_session=True,
            pass_fds=[fd for fd in (status, lock, spec["confinement"]["control"], *pass_fds) if fd >= 0],
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        for descriptor in (status, *([lock] if uid is not None else [])):
            os.close(descriptor)
        if ports is not None and ports.command_end is not None:
            ports.command_end.close()
            ports.command_end = None
    process.status, process.lock = os.fdopen(reader, "rb"), threading.Lock()
    return process


def run(
    sandbox: Sandbox,
    argv: Sequence[str],
    *,
    cwd: Path,
    writable: Sequence[Path],
    readable: Sequence[Path] = (),
    env: Mapping[str, str],
    ports: Ports | None = None,
    report_bytes: int = 0,
    timeout_seconds: float,
    on_start: OnStart = lambda _process: None,
    max_output: int = MAX_OUTPUT_CHARS,
) -> CommandResult:
    """Run a command in the sandbox and wait for it. The arguments are those of `start`, and:

    Args:
        report_bytes: bytes to keep of what the command writes to the descriptor whose number is in its variable
            TRACKWALKER_REPORT_FD; 0 for no such descriptor.
        timeout_seconds: the command and everything that it started are killed after this time.
        on_start: called with the process before the wait, so that another thread can `kill` it.
        max_output: characters of output to keep, from the end.
    """
    started = time.monotonic()
    report, writer = os.pipe() if report_bytes else (-1, -1)
    variables = dict(env) | ({REPORT_VARIABLE: str(writer)} if report_bytes else {})
    try:
        process = start(
            sandbox, argv, cwd=cwd, writable=writable, readable=readable, env=variables, ports=ports,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=[writer] if report_bytes else (),
        )  # fmt: skip
    except BaseException:
        _close(report)
        raise
    finally:
        _close(writer)
    try:
        on_start(process)
        reading = _Reading(process.stdout, report, max_output, report_bytes)
        timed_out = reading.until(process, started + timeout_seconds)
    finally:
        kill(process)
        _close(report)
        if process.stdout:
            process.stdout.close()
        exceeded = process.exceeded()
    code = None if timed_out or exceeded or process.returncode < 0 else process.returncode
    return CommandResult(
        code, reading.output(), timed_out, time.monotonic() - started, bytes(reading.report), exceeded
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a command and everything that it started. A command that has ended is left alone."""
    if process.poll() is None:
        # The launcher catches SIGTERM and kills all descendants before it exits; SIGKILL would leave them.
        process.terminate()
        try:
            process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(KILL_SECONDS)
    if isinstance(process, SandboxedProcess):
        process.exceeded()  # closes the pipe


def _give_files(sandbox: Sandbox, command: Command, uid: int) -> None:
    chown_tree(uid, command.writable)
    make_readable([path for path in command.readable if path not in command.writable])
    if not sandbox.stages:
        allow_traversal(sandbox.hide, (command.cwd, *command.writable, *command.readable))


def _new_home(sandbox: Sandbox) -> Path:
    folder = sandbox.scratch / "homes"
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=folder))


class _Reading:
    """The kept parts of a command's output and report, while both are read to their ends."""

    def __init__(self, output: IO[bytes] | None, report: int, max_output: int, report_bytes: int) -> None:
        self.max_output = max_output
        self.report_bytes = report_bytes
        self.tail = b""
        self.report = bytearray()
        self.handlers = {output.fileno(): self._add_output} if output else {}
        if report >= 0:
            self.handlers[report] = self._add_report

    def until(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        """Read until the command has ended. True if the deadline passed before that."""
        with selectors.DefaultSelector() as selector:
            for descriptor in self.handlers:
                selector.register(descriptor, selectors.EVENT_READ)
            while selector.get_map() and (remaining := deadline - time.monotonic()) > 0:
                for key, _ in selector.select(remaining):
                    if chunk := os.read(key.fd, READ_BYTES):
                        self.handlers[key.fd](chunk)
                    else:
                        selector.unregister(key.fd)
            return bool(selector.get_map()) or not _wait_until(process, deadline)

    def output(self) -> str:
        return self.tail.decode(errors="replace")[-self.max_output :]

    def _add_output(self, chunk: bytes) -> None:
        # A character of UTF-8 has at most four bytes.
        self.tail = (self.tail + chunk)[-4 * self.max_output :]

    def _add_report(self, chunk: bytes) -> None:
        self.report += chunk[: self.report_bytes - len(self.report)]


def _wait_until(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _close(descriptor: int) -> None:
    if descriptor >= 0:
        os.close(descriptor)
