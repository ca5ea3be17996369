"""The instructions for the launcher: the paths, rights and resources of a command in each level of the sandbox."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workers.sandbox.bubblewrap import bubblewrap
from workers.sandbox.ports import Ports
from workers.sandbox.sandbox import Bounds, Sandbox
from workers.sandbox.seccomp import seccomp_filter
from workers.sandbox.staging import SHARED_FOLDERS
from workers.sandbox.visible_paths import (
    ACCOUNTS,
    DEVICES,
    ETC,
    SYSTEM,
    account_files,
    interpreters,
    toolchain,
    visible,
)

if TYPE_CHECKING:
    from workers.sandbox.confinement import Confinement
    from workers.sandbox.launcher import Spec
    from workers.sandbox.supervision import Watch


@dataclass(frozen=True)
class Command:
    """One command, as its caller describes it."""

    argv: tuple[str, ...]
    cwd: Path
    writable: tuple[Path, ...]
    readable: tuple[Path, ...]
    home: str
    search: str
    """PATH, by which the program itself is found and made readable."""
    uid: int | None
    """The uid of the command, None for the worker's own."""
    ports: Ports | None
    temporary: tuple[Path, ...]
    """Folders that are removed when the command has ended."""


def launcher_spec(sandbox: Sandbox, command: Command, *, status: int, lock: int) -> Spec:
    """The launcher's argument.

    Args:
        sandbox: the level and the bounds.
        command: the command.
        status: descriptor to which the launcher writes the name of a bound that was exceeded.
        lock: descriptor of the uid's lock, -1 for none.

    Raises:
        AgentRefused: a readable path is reached by a link below a writable folder.
    """
    given = [*command.writable, *command.readable]
    readable = [*command.readable, *interpreters(), *toolchain(command.argv[0], command.search, given)]
    in_bubblewrap, uid = sandbox.kind == "bubblewrap", command.uid
    spec: Spec = {
        "parent": os.getpid(),
        "confinement": _confinement(sandbox, command, readable),
        "bubblewrap": None,
        "separation": None,
        "stages": sandbox.stages and "--unshare-user" in sandbox.namespaces,
        "uid": uid,
        "watch": _watch(sandbox, command, status, lock),
    }
    if in_bubblewrap:
        spec["bubblewrap"] = bubblewrap(
            sandbox,
            cwd=command.cwd,
            home=command.home,
            uid=os.getuid() if uid is None else uid,
            writable=command.writable,
            readable=readable,
        )
    elif sandbox.stages and uid is not None:
        spec["separation"] = {
            "visible": [
                str(path) for path in (*ETC, *visible([*command.writable, *readable])) if path.exists()
            ],
            "keep": [str(path) for path in SYSTEM],
            "files": account_files(uid, command.home),
            "tmp_bytes": sandbox.bounds.tmp_bytes,
        }
    return spec


def _confinement(sandbox: Sandbox, command: Command, readable: Sequence[Path]) -> Confinement:
    ports, in_bubblewrap = command.ports, sandbox.kind == "bubblewrap"
    private_network = sandbox.private_network
    served = [ports.number(name) for name in ports.serve] if ports else []
    connected = [ports.number(name) for name in ports.connect_names] if ports else []
    write = [str(path) for path in visible(command.writable)]
    if in_bubblewrap or sandbox.stages:
        write += [*SHARED_FOLDERS]
    host_paths = [*SYSTEM, *ETC, *(Path(name) for name in ACCOUNTS), Path("/proc"), *visible(readable)]
    changes_uid_inside = in_bubblewrap and "--unshare-user" not in sandbox.namespaces
    return {
        "argv": list(command.argv),
        "cwd": str(command.cwd),
        "limits": _limits(sandbox.bounds),
        "uid": command.uid if changes_uid_inside or not in_bubblewrap else None,
        "landlock": sandbox.landlock,
        "read": ["/"] if in_bubblewrap else [str(path) for path in host_paths],
        "write": write,
        # Inside bubblewrap /dev holds nothing of the host but these devices and terminals of its own.
        "devices": ["/dev"] if in_bubblewrap else list(DEVICES),
        "connect": None if private_network else served,
        "bind": None if private_network else connected,
        "seccomp": seccomp_filter(
            is_private=private_network, sockets=private_network or ports is not None
        ).hex()
        if sandbox.seccomp
        else "",
        "control": ports.command_end.fileno() if ports and ports.command_end else -1,
        "listen": served,
        "lend": bool(connected),
    }


def _limits(bounds: Bounds) -> dict[str, int]:
    return {
        "RLIMIT_CORE": 0,  # a core file would hold the memory of the command
        "RLIMIT_FSIZE": bounds.file_bytes,
        "RLIMIT_NPROC": bounds.processes,
        "RLIMIT_NOFILE": bounds.open_files,
        # Not the address space: JavaScript engines reserve far more of it than they use.
        "RLIMIT_DATA": bounds.memory_bytes,
        "RLIMIT_MEMLOCK": 8 * 2**20,
        "RLIMIT_MSGQUEUE": 0,
    }


def _watch(sandbox: Sandbox, command: Command, status: int, lock: int) -> Watch:
    bounds = sandbox.bounds
    shares_folders = sandbox.kind != "bubblewrap" and not sandbox.stages
    return {
        "processes": bounds.processes,
        "memory_bytes": bounds.memory_bytes,
        "disk_bytes": bounds.disk_bytes,
        "disk_files": bounds.disk_files,
        "folders": [str(path.resolve()) for path in command.writable],
        "status": status,
        "lock": lock,
        "uid": command.uid,
        "shared_folders": [folder for folder in SHARED_FOLDERS if Path(folder).is_dir()]
        if shares_folders
        else [],
        "remove": [str(path) for path in command.temporary],
    }
