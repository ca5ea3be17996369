"""What stands between the worker and a walled command: run as a file, in a Python of its own.

It ties the command's life to the worker's, sets limits, and then either becomes the command (bubblewrap) or
stays as its keeper (another uid, or no wall), who leaves no process of the command behind, whichever of
them dies first. A keeper and not `preexec_fn`: the worker has threads, in which Python code between fork
and exec may hang.
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
from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
CLEANUP_SECONDS = 8.0


def main(order: dict[str, Any]) -> int:
    """Carry out the order: `argv`, `cwd`, `uid` or None, `limits`, `parent`, `keep`, `network`."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM if order["supervise"] else signal.SIGKILL)
    if os.getppid() != order["parent"]:
        return 1
    if not order["supervise"]:
        _limit(order["limits"])
        return _become(order)
    return _keep(order)


def _keep(order: dict[str, Any]) -> int:
    """Run the command as our child and end everything that came of it, however it ends."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if not order["network"]:
            _cut_network()
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os._exit(_begin(order))
        while True:
            pid, status = os.wait()
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end_descendants()


def _begin(order: dict[str, Any]) -> int:
    os.setsid()
    _limit(order["limits"])
    if order["uid"] is not None:
        os.setgroups([])
        os.setresgid(order["uid"], order["uid"], order["uid"])
        os.setresuid(order["uid"], order["uid"], order["uid"])
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    # After the change of uid, which clears it.
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return _become(order)


def _become(order: dict[str, Any]) -> int:
    try:
        os.chdir(order["cwd"])
        os.execvp(order["argv"][0], order["argv"])  # noqa: S606 (a list, and never a shell)
    except OSError as error:
        print(f"{order['argv'][0]}: {error.strerror}", file=sys.stderr, flush=True)
    return 127


def _limit(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def _prctl(option: int, value: int) -> None:
    call = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
    if call is not None and call(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _cut_network() -> None:
    """Best effort: a network namespace with nothing but loopback, where we may make one."""
    unshare = getattr(ctypes.CDLL(None, use_errno=True), "unshare", None)
    if unshare is None or unshare(CLONE_NEWNET) != 0:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        flags = struct.unpack("16sh", fcntl.ioctl(link, SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(link, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def _end_descendants() -> None:
    """Kill until nobody is left; first all are stopped, so that none can start another meanwhile."""
    deadline = time.monotonic() + CLEANUP_SECONDS
    while time.monotonic() < deadline:
        descendants = _descendants(os.getpid())
        for sign in (signal.SIGSTOP, signal.SIGKILL):
            for pid in descendants:
                _signal(pid, sign)
        if _reap() and not descendants:
            return
        time.sleep(0.01)


def _reap() -> bool:
    """Collect the dead; True when no child is left."""
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
            parents[int(folder.name)] = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
    found, waiting = [], [root]
    while waiting:
        parent = waiting.pop()
        children = [pid for pid, above in parents.items() if above == parent]
        found += children
        waiting += children
    return found


def _signal(pid: int, sign: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sign)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
