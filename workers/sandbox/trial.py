"""Attempts forbidden actions inside a sandbox; `builder` runs this file there.

Only the standard library may be imported here. It changes nothing: a setting is written with the value that it has.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable

SETTINGS = ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/hostname")
TRY_SECONDS = 2.0
"""Timeout of one connection. The other end is on this machine."""


def main(secret: str, outside: str, pid: int, mark: str, port: int, unix: str, abstract: str) -> list[str]:
    """The names of the forbidden actions that succeeded.

    Args:
        secret: a file that only the worker may read.
        outside: a path outside the writable folders, to be created.
        pid: the worker's process id.
        mark: a text in the worker's command line or environment.
        port: a TCP port on which the worker listens.
        unix: a socket of the worker in the file system.
        abstract: the name of an abstract socket of the worker.
    """
    attempts: dict[str, Callable[[], bool]] = {
        "be root": lambda: 0 in (os.getuid(), os.geteuid(), os.getgid(), os.getegid()),
        "write a kernel setting": lambda: any(_write_back(path) for path in SETTINGS),
        "read a private file": lambda: bool(_read(secret)),
        "write outside": lambda: _create(outside),
        "signal a process": lambda: _signal(pid),
        "see a process": lambda: mark.encode() in _read(f"/proc/{pid}/cmdline"),
        "reach a TCP port": lambda: _connect(socket.AF_INET, ("127.0.0.1", port)),
        "reach a socket file": lambda: _connect(socket.AF_UNIX, unix),
        "reach an abstract socket": lambda: _connect(socket.AF_UNIX, "\0" + abstract),
    }
    return [name for name, attempt in attempts.items() if attempt()]


def _write_back(path: str) -> bool:
    try:
        with open(path, "r+") as file:  # noqa: PTH123
            value = file.read()
            file.seek(0)
            file.write(value)
    except OSError:
        return False
    return True


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""


def _create(path: str) -> bool:
    try:
        with open(path, "x"):  # noqa: PTH123
            return True
    except OSError:
        return False


def _signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _connect(family: int, address: object) -> bool:
    try:
        with socket.socket(family) as client:
            client.settimeout(TRY_SECONDS)
            client.connect(address)  # type: ignore[arg-type]
    except OSError:
        return False
    return True


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
