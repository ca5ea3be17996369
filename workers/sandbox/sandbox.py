"""The sandbox in which the agent and the repository's code run: its level of isolation, its bounds, its limitations.

A command can read an allow-list of paths: interpreters, libraries, certificates and the paths that its caller names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LAUNCHER = Path(__file__).with_name("launcher.py")
"""The script that starts a command and ends it with its worker. A new Python runs it by this path."""

TMP = Path("/tmp")  # noqa: S108 (inside bubblewrap this is a private one)
"""HOME and TMPDIR of a bubblewrap command that is given none."""

GIB = 2**30

Kind = Literal["bubblewrap", "landlock", "uid", "none"]
"""Isolation by namespaces, by the kernel's Landlock rules, by a uid of its own only, or none at all."""

SENTENCES: dict[Kind, str] = {
    "bubblewrap": "Commands run in bubblewrap, in namespaces of their own",
    "landlock": "Commands run under Landlock rules in the host's file system",
    "uid": "Commands run in the host's file system, kept apart by file permissions only",
    "none": "Commands run without isolation, because TRACKWALKER_ALLOW_UNSANDBOXED is set",
}


@dataclass(frozen=True)
class Bounds:
    """Limits of one command and everything that it starts. No honest test run reaches them."""

    processes: int = 1024
    """Processes and threads."""
    memory_bytes: int = 4 * GIB
    """Memory of all processes together, and the data segment of each."""
    open_files: int = 4096
    """Open files of one process."""
    file_bytes: int = 2 * GIB
    """Size of one file."""
    disk_bytes: int = 6 * GIB
    """Size of the writable folders together: a large service with its dependencies needs about 2 GiB."""
    disk_files: int = 400_000
    """Files in them; large `node_modules` folders hold 100,000."""
    tmp_bytes: int = 256 * 2**20
    """Size of the private /tmp, which is memory. TMPDIR of the product's commands is on the disk."""
    shm_bytes: int = 64 * 2**20
    """Size of the private /dev/shm, as in Docker."""


@dataclass(frozen=True)
class Sandbox:
    """How commands are isolated. `builder.build_sandbox` makes it; threads may share it."""

    kind: Kind
    hide: tuple[Path, ...] = ()
    """Paths of the worker that no command may read. File permissions hide them in a uid sandbox."""
    scratch: Path = TMP
    """Folder for locks of uids, and for the HOME of commands that are given none."""
    bwrap: str = ""
    """Path of the bubblewrap program."""
    namespaces: tuple[str, ...] = ()
    """Arguments by which bubblewrap makes its namespaces: one of `bubblewrap.ISOLATION_LEVELS`."""
    own_uid: bool = False
    """Whether each command gets a uid of its own. Only root can do that."""
    stages: bool = False
    """Whether the launcher may mount: it gives commands private folders, and reaches sources below closed folders."""
    private_network: bool = False
    """Whether each command has a network namespace of its own, with a loopback and nothing else."""
    landlock: int = 0
    """Version of Landlock's interface that is used, 0 for none."""
    seccomp: bool = False
    """Whether a filter of system calls is used."""
    bounds: Bounds = Bounds()
    limitations: tuple[str, ...] = ()
    """Sentences about what this level does not prevent."""

    def describe(self) -> str:
        """A sentence about the level, for people."""
        parts = [
            (self.own_uid, "a uid for each command"),
            (bool(self.landlock) and self.kind != "landlock", f"Landlock (version {self.landlock})"),
            (self.seccomp, "a filter of system calls"),
            (self.private_network and self.kind != "bubblewrap", "a network of their own"),
        ]
        present = [text for is_present, text in parts if is_present]
        return SENTENCES[self.kind] + (f", with {', '.join(present)}" if present else "") + "."
