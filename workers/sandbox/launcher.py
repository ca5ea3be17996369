"""Starts one command between the worker and the sandbox; a Python of its own runs this file as a script.

The launcher ties the command's life to the worker's and sets resource limits. Then it either replaces itself with the
command (bubblewrap, git), or stays as its supervisor (a uid sandbox, no sandbox) and leaves no process behind when
the command or the worker ends. `preexec_fn` cannot do this: the worker has threads, and Python code between fork and
exec may deadlock on a lock that another thread held (documented for `subprocess.Popen`).

Only the standard library may be imported here: the file runs with `python -I -S`.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import NotRequired, TypedDict

# Options of prctl(2), from <linux/prctl.h>.
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

# unshare(2): a new network namespace, from <linux/sched.h>.
CLONE_NEWNET = 0x40000000

# ioctl(2) requests and a flag of network interfaces, from <linux/sockios.h> and <linux/if.h>.
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

CLEANUP_SECONDS = 8.0
"""Seconds that a supervisor takes at most to kill descendants; below `commands.KILL_SECONDS`."""
CLEANUP_POLL_SECONDS = 0.01
"""Pause between two rounds of killing, in which the kernel ends the processes."""


class Spec(TypedDict):
    """The command to start, as JSON in the launcher's only argument."""

    argv: list[str]
    cwd: str
    limits: dict[str, int]
    """Values for `resource.setrlimit` by the limit's name."""
    parent: int
    """Process id of the worker."""
    supervise: bool
    """Whether the launcher stays as the command's parent; else it replaces itself with the command."""
    uid: NotRequired[int | None]
    """The command's uid and gid, None for the worker's own. Needs `supervise`."""
    network: NotRequired[bool]
    """Whether the command keeps the host's network. Needs `supervise`."""


def main(spec: Spec) -> int:
    """Start the command. The result is its exit code, 128 + n after signal n, 127 if it could not be started."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM if spec["supervise"] else signal.SIGKILL)
    # A worker that ended before the line above sends no signal any more.
    if os.getppid() != spec["parent"]:
        return 1
    if not spec["supervise"]:
        _limit(spec["limits"])
        return _exec(spec)
    return _supervise(spec)


def _supervise(spec: Spec) -> int:
    """Run the command as a child, and kill every descendant once the command or the worker has ended."""
    # As subreaper this process inherits orphans of the command, so that a daemon cannot escape by a double fork.
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if not spec.get("network", True):
            _unshare_network()
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os._exit(_run_child(spec))
        while True:
            pid, status = os.wait()
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _kill_descendants()


def _run_child(spec: Spec) -> int:
    os.setsid()
    _limit(spec["limits"])
    uid = spec.get("uid")
    if uid is not None:
        # Groups before the uid: afterwards the process may not change them.
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    # After the change of uid, because a change of credentials clears the signal (prctl(2)).
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return _exec(spec)


def _exec(spec: Spec) -> int:
    try:
        os.chdir(spec["cwd"])
        os.execvp(spec["argv"][0], spec["argv"])  # noqa: S606 (a list of arguments, never a shell)
    except OSError as error:
        print(f"{spec['argv'][0]}: {error.strerror}", file=sys.stderr, flush=True)
    return 127


def _limit(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        # Only root may raise a hard limit.
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (limit, limit))


def _prctl(option: int, value: int) -> None:
    prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)  # None on macOS
    if prctl is not None and prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _unshare_network() -> None:
    """Move to a network namespace that has only a loopback, where the kernel allows it."""
    unshare = getattr(ctypes.CDLL(None, use_errno=True), "unshare", None)
    if unshare is None or unshare(CLONE_NEWNET) != 0:
        return
    # The loopback of a new namespace is down, and tests talk to servers of their own over it.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        flags = struct.unpack("16sh", fcntl.ioctl(link, SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(link, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def _kill_descendants() -> None:
    deadline = time.monotonic() + CLEANUP_SECONDS
    while time.monotonic() < deadline:
        descendants = _descendants(os.getpid())
        # All are stopped before any is killed: a process that runs on could fork faster than this loop kills.
        for signum in (signal.SIGSTOP, signal.SIGKILL):
            for pid in descendants:
                _signal(pid, signum)
        if _reap() and not descendants:
            return
        time.sleep(CLEANUP_POLL_SECONDS)


def _reap() -> bool:
    """Collect ended children; True if no child is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _descendants(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The name, in parentheses, may hold spaces and parentheses; the parent is the second field after it.
            parents[int(folder.name)] = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
    descendants: list[int] = []
    queue = [root]
    while queue:
        ancestor = queue.pop()
        children = [pid for pid, parent in parents.items() if parent == ancestor]
        descendants += children
        queue += children
    return descendants


def _signal(pid: int, signum: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
