"""Measures the processes, memory and disk of a running command. Linux only, because it reads /proc.

Only the standard library may be imported here: the launcher uses it.

Sources: proc_pid_stat(5), proc_pid_smaps(5), statvfs(3).
"""

from __future__ import annotations

import contextlib
import os
import stat
import time

PAGE = os.sysconf("SC_PAGE_SIZE")
BLOCK = 512
"""Bytes of a unit of `st_blocks`."""
MEASURE_STEP = 64 * 2**20
"""Bytes by which the free space of a disk falls before the folders are measured again: walking them is slow."""
FILES_STEP = 5_000
"""The same for the number of free files."""
MEASURE_SECONDS = 5.0
"""Interval at which the folders are measured anyway."""
MEASURE_SHARE = 20.0
"""The interval grows to this many times the duration of a measurement, so that it takes at most a twentieth."""
FREE_RESERVE = 512 * 2**20
"""Bytes of the disk that stay free: the worker and the store share it."""


class Process:
    """One line of /proc/*/stat."""

    __slots__ = ("parent", "pid", "resident", "threads")

    def __init__(self, pid: int, fields: list[bytes]) -> None:
        self.pid = pid
        self.parent = int(fields[1])
        self.threads = int(fields[17])
        self.resident = int(fields[21]) * PAGE


def processes() -> dict[int, Process]:
    """All processes of the machine by their id."""
    by_id: dict[int, Process] = {}
    try:
        names = os.listdir("/proc")  # noqa: PTH208 (pathlib would cost each command milliseconds)
    except OSError:
        return by_id
    for name in names:
        if name.isdigit() and (content := _read(f"/proc/{name}/stat")):
            # The name of the program, in parentheses, may hold spaces and parentheses.
            by_id[int(name)] = Process(int(name), content.rpartition(b")")[2].split())
    return by_id


def descendants(root: int) -> list[Process]:
    """The processes that this one or its children started."""
    children: dict[int, list[Process]] = {}
    for process in processes().values():
        children.setdefault(process.parent, []).append(process)
    queue, result = [root], []
    while queue:
        started = children.get(queue.pop(), [])
        result += started
        queue += [process.pid for process in started]
    return result


def memory(group: list[Process], limit: int) -> int:
    """Bytes of memory of the processes and of files in memory that they hold open."""
    rough = sum(process.resident for process in group)
    if rough <= limit // 2:
        return rough + _open_file_bytes(group, in_memory=True)
    # Processes that fork share pages, which the rough sum counts for each of them.
    exact = sum(_proportional(process) for process in group)
    return exact + _open_file_bytes(group, in_memory=True)


def unnamed_disk_bytes(group: list[Process]) -> int:
    """Bytes of deleted files that the processes still hold open on a disk."""
    return _open_file_bytes(group, in_memory=False)


class Disk:
    """The size of the writable folders. Walking them is slow, so the disk's free space says when to do it.

    Other programs of the machine may free what the command takes, so the folders are also measured at intervals.
    """

    def __init__(self, folders: list[str]) -> None:
        # A folder below another one is measured with it.
        self.folders = [
            folder for folder in folders if not any(folder.startswith(f"{other}/") for other in folders)
        ]
        self.first = self.last = self._free()
        self.size = (0, 0)
        self.measure_at = time.monotonic() + MEASURE_SECONDS

    def used(self, group: list[Process]) -> tuple[int, int]:
        """Bytes and files in the folders at the last measurement, zero before the first."""
        free = self._free()
        fallen = self.last[0] - free[0] >= MEASURE_STEP or self.last[1] - free[1] >= FILES_STEP
        if fallen or time.monotonic() >= self.measure_at:
            started = time.monotonic()
            size, count = self._measure()
            pause = max(MEASURE_SECONDS, MEASURE_SHARE * (time.monotonic() - started))
            self.last, self.measure_at = free, time.monotonic() + pause
            self.size = (size + unnamed_disk_bytes(group), count)
        return self.size

    def is_nearly_full(self) -> bool:
        """Whether the disk has less than the reserve, and lost a part of it since the command started."""
        free = self._free()[0]
        return free < FREE_RESERVE and self.first[0] - free >= MEASURE_STEP

    def _free(self) -> tuple[int, int]:
        if not self.folders:
            return (0, 0)
        state = os.statvfs(self.folders[0])
        return (state.f_bavail * state.f_frsize, state.f_favail)

    def _measure(self) -> tuple[int, int]:
        size = count = 0
        for folder in self.folders:
            for _, folder_names, names, descriptor in os.fwalk(folder, onerror=None):
                for name in (*folder_names, *names):
                    count += 1
                    with contextlib.suppress(OSError):  # deleted meanwhile
                        size += os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_blocks * BLOCK
        return size, count


def _open_file_bytes(group: list[Process], *, in_memory: bool) -> int:
    """Bytes of the open files that have no name any more, in memory (memfd, /dev/shm) or on a disk."""
    sizes: dict[tuple[int, int], int] = {}
    for process in group:
        folder = f"/proc/{process.pid}/fd"
        try:
            names = os.listdir(folder)  # noqa: PTH208
        except OSError:
            continue  # ended, or of another user
        for name in names:
            try:
                status = os.stat(f"{folder}/{name}")  # noqa: PTH116
            except OSError:
                continue
            # Files in memory are on devices without a block device behind them, whose major number is 0.
            is_unnamed = stat.S_ISREG(status.st_mode) and status.st_nlink == 0
            if is_unnamed and (os.major(status.st_dev) == 0) == in_memory:
                sizes[(status.st_dev, status.st_ino)] = status.st_blocks * BLOCK
    return sum(sizes.values())


def _proportional(process: Process) -> int:
    for line in _read(f"/proc/{process.pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return process.resident


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""
