"""Watches one command from outside: ends it beyond its bounds or with its worker, and removes its remains.

Only the standard library and its like in this package may be imported here: the launcher uses it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable

from workers.sandbox import usage
from workers.sandbox.confinement import prctl

TYPE_CHECKING = False  # importing typing would cost each command milliseconds
if TYPE_CHECKING:
    from typing import TypedDict

    class Watch(TypedDict):
        """The bounds that the launcher watches, and the files that it removes at the end."""

        processes: int
        memory_bytes: int
        disk_bytes: int
        disk_files: int
        folders: list[str]
        """Writable folders that are measured together."""
        status: int
        """Descriptor to which the name of the exceeded bound is written."""
        lock: int
        """Descriptor of the uid's lock, -1 for none. The command must not hold it."""
        uid: int | None
        shared_folders: list[str]
        """Folders of the host in which files of the uid are removed; empty if the command cannot reach them."""
        remove: list[str]
        """Folders that are removed at the end."""


PR_SET_CHILD_SUBREAPER = 36
WATCH_SECONDS = 0.2
"""Interval between two looks. A process fills at most one GiB of memory in this time."""
DISK_EVERY = 5
"""Checks of processes and memory between two checks of the disk."""
CLEANUP_SECONDS = 8.0
"""Seconds that a supervisor takes at most to kill descendants; below `commands.KILL_SECONDS`."""
CLEANUP_POLL_SECONDS = 0.01
"""Pause between two rounds of killing, in which the kernel ends the processes."""
MAX_DESCRIPTOR = 4096  # descriptors above are not ours: the worker passes a handful
IPC_RMID = 0
"""Command of shmctl(2), semctl(2) and msgctl(2) that removes an object."""


def supervise(become_command: Callable[[], int], watch: Watch) -> int:
    """Run the command as a child. When it or the worker ends, no process and no shared file of it is left.

    Returns:
        The command's exit code, 128 + n after signal n.
    """
    # As subreaper this process inherits orphans of the command, so that a daemon cannot escape by a double fork.
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    for descriptor in (watch["status"], watch["lock"]):
        if descriptor >= 0:
            os.set_inheritable(descriptor, False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Blocked, so that the wait below can take it: the end of the command is seen at once.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    disk = usage.Disk(watch["folders"])
    try:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            _become(become_command)
        _release_descriptors(watch)
        return _wait(child, watch, disk)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # The subreaper inherits every orphan, so that nothing is left when it has no child.
        if not _reap():
            _kill_descendants(watch["uid"])
        _clean_up(watch)


def _become(become_command: Callable[[], int]) -> None:
    """Run the child's part. It never returns into the supervisor's."""
    code = 126
    try:
        code = become_command()
    except BaseException as error:
        print(f"sandbox: {error!r}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def _release_descriptors(watch: Watch) -> None:
    """Close what only the command uses: a reader of its output would wait for this process otherwise."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    previous = 2
    for descriptor in (
        *sorted(kept for kept in (watch["status"], watch["lock"]) if kept > 2),
        MAX_DESCRIPTOR,
    ):
        os.closerange(previous + 1, descriptor)
        previous = descriptor


def _wait(child: int, watch: Watch, disk: usage.Disk) -> int:
    looks = 0
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if pid:
            continue
        if signal.sigtimedwait({signal.SIGCHLD}, WATCH_SECONDS):
            continue
        looks += 1
        if exceeded := _exceeded(watch, disk, looks):
            os.write(watch["status"], exceeded.encode())
            return 128 + signal.SIGKILL


def _exceeded(watch: Watch, disk: usage.Disk, looks: int) -> str:
    """The name of the bound that the command exceeds, empty if it exceeds none."""
    group = usage.descendants(os.getpid())
    if sum(process.threads for process in group) >= watch["processes"]:
        return "processes"
    if usage.memory(group, watch["memory_bytes"]) > watch["memory_bytes"]:
        return "memory"
    if looks % DISK_EVERY:
        return ""
    size, files = disk.used(group)
    if size > watch["disk_bytes"] or files > watch["disk_files"] or disk.is_nearly_full():
        return "disk"
    return ""


def _kill_descendants(uid: int | None) -> None:
    if uid is not None:
        _kill_uid(uid)
    deadline = time.monotonic() + CLEANUP_SECONDS
    while time.monotonic() < deadline:
        group = [process.pid for process in usage.descendants(os.getpid())]
        # All are stopped before any is killed: a process that runs on could fork faster than this loop kills.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in group:
                _signal(pid, number)
        if _reap():
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


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _clean_up(watch: Watch) -> None:
    uid = watch["uid"]
    if uid is not None and watch["shared_folders"]:
        for folder in watch["shared_folders"]:
            _remove_files(folder, uid)
        _remove_ipc(uid)
    for folder in watch["remove"]:
        _remove_tree(folder)


def _kill_uid(uid: int) -> None:
    """Kill every process of the uid at once, as that uid: the kernel leaves nobody out."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _remove_files(folder: str, uid: int) -> None:
    for entry in os.scandir(folder):
        try:
            if entry.stat(follow_symlinks=False).st_uid != uid:
                continue
            if entry.is_dir(follow_symlinks=False):
                _remove_tree(entry.path)
            else:
                os.unlink(entry.path)  # noqa: PTH108 (pathlib would cost each command milliseconds)
        except OSError:
            pass  # removed meanwhile


def _remove_tree(folder: str) -> None:
    import shutil  # only here, because it costs each command milliseconds

    shutil.rmtree(folder, ignore_errors=True)


def _remove_ipc(uid: int) -> None:
    """Remove System V segments, semaphores and queues of the uid, which outlive their processes."""
    import ctypes

    libc = ctypes.CDLL(None)
    functions = {"shm": (libc.shmctl, ()), "sem": (libc.semctl, (0,)), "msg": (libc.msgctl, ())}
    for kind, (function, arguments) in functions.items():
        try:
            with open(f"/proc/sysvipc/{kind}") as file:  # noqa: PTH123
                header, *lines = (line.split() for line in file)
        except OSError:
            continue
        for fields in lines:
            row = dict(zip(header, fields, strict=False))
            if int(row["uid"]) == uid:
                function(int(row[f"{kind}id"]), *arguments, IPC_RMID, None)
