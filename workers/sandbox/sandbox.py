"""The sandbox in which the agent and the repository's code run: its isolation level, and the paths that it hides.

A sandboxed command cannot read what it cannot see. Of two paths the deeper one decides: a hidden `.env` inside a
readable folder stays hidden, and a readable clone inside the hidden `.trackwalker/` stays readable.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LAUNCHER = Path(__file__).with_name("launcher.py")
"""The script that starts a command and ends it with its worker. A new Python runs it by this path."""

TMP = Path("/tmp")  # noqa: S108 (inside bubblewrap this is a private one)
"""HOME and TMPDIR of a bubblewrap command that is given none."""

Kind = Literal["bubblewrap", "uid", "none"]
"""Isolation by namespaces, by a uid of its own, or none at all."""


@dataclass(frozen=True)
class Sandbox:
    """How commands are isolated. `builder.build_sandbox` makes it; threads may share it."""

    kind: Kind
    hide: tuple[Path, ...] = ()
    """Paths that commands cannot read, in addition to `bubblewrap.ALWAYS_HIDDEN`."""
    scratch: Path = TMP
    """HOME and TMPDIR of a command that is given none, unless bubblewrap gives it a private /tmp."""
    bwrap: str = ""
    """Path of the bubblewrap program."""
    namespaces: tuple[str, ...] = ()
    """Arguments by which bubblewrap makes its namespaces: one of `bubblewrap.ISOLATION_LEVELS`."""
    uid: int | None = None
    """The uid of commands, None for the worker's own."""
    readable: tuple[Path, ...] = (Path(sys.prefix), Path(sys.base_prefix))
    """Paths that every command can read, even below a hidden one: the Python interpreter and its packages."""
