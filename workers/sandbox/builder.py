"""Builds the strictest sandbox that this machine allows, by trying one level after another."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from workers.errors import AgentRefused
from workers.sandbox.bubblewrap import ISOLATION_LEVELS, find_bwrap
from workers.sandbox.commands import run
from workers.sandbox.confinement import LANDLOCK_CREATE_RULESET
from workers.sandbox.limitations import limitations
from workers.sandbox.sandbox import Bounds, Kind, Sandbox
from workers.sandbox.seccomp import seccomp_filter
from workers.sandbox.uids import restrict

TRIAL_SECONDS = 15.0
"""Timeout of a trial. It takes under 0.3 s; a loaded machine with a cold cache needs seconds."""

KINDS: tuple[Kind, ...] = ("bubblewrap", "landlock", "uid")
"""The levels, the strictest first."""

CREATE_RULESET_VERSION = 1
"""Flag of landlock_create_ruleset(2) that asks for the version of the interface."""

NEWEST_LANDLOCK = 7
"""Newest version of Landlock's interface whose rules this code knows."""

log = logging.getLogger("trackwalker.sandbox")

TOLERATED = frozenset({"see a process"})
"""Failed trials that a level without mounts of its own cannot prevent. They become limitations."""


def build_sandbox(
    *,
    hide: Sequence[Path],
    scratch: Path,
    allow_unsandboxed: bool,
    kinds: Sequence[Kind] = KINDS,
    may_mount: bool = True,
    bounds: Bounds | None = None,
    python: Path = Path(sys.executable),
) -> Sandbox:
    """The strictest sandbox in which a trial command runs on this machine and can do nothing forbidden.

    For levels in the host's file system, hidden folders of ours become 0711 and hidden files of ours 0600.

    Args:
        hide: paths of the worker that no command may read.
        scratch: a folder of ours for homes of commands and locks of uids.
        allow_unsandboxed: whether commands may run without a sandbox if none can be built.
        kinds: the levels to try.
        may_mount: False to act as if this process had no right to mount.
        bounds: limits of each command, None for the usual ones.
        python: the interpreter that runs the trial: a level in which it cannot run is skipped.

    Raises:
        AgentRefused: no sandbox can be built, and `allow_unsandboxed` is False or commands would run as root.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    base = Sandbox(
        "none", tuple(path.resolve() for path in hide), scratch.resolve(), bounds=_fitting(bounds or Bounds())
    )
    problems: dict[str, str] = {}
    for candidate in _candidates(base, kinds, may_mount=may_mount):
        if candidate.kind != "bubblewrap":
            restrict(candidate.hide)
        problem, failures = _try_out(candidate, str(python.resolve()))
        if problem:
            # A machine under load may end a trial too early, and a weaker level would stay until the next start.
            problem, failures = _try_out(candidate, str(python.resolve()))
        if not problem:
            return _log(replace(candidate, limitations=limitations(candidate, failures)))
        problems.setdefault(candidate.kind, problem)
    if allow_unsandboxed and os.geteuid() != 0:
        return _log(replace(base, limitations=limitations(base, [])))
    reasons = "; ".join(f"{kind}: {problem}" for kind, problem in problems.items()) or "no level was tried"
    raise AgentRefused(f"no sandbox can be built for the agent ({reasons}). {_advice()}")


def landlock_version() -> int:
    """The version of Landlock's interface of this kernel, 0 if there is none or the system forbids it."""
    syscall = getattr(ctypes.CDLL(None, use_errno=True), "syscall", None)
    if syscall is None or sys.platform != "linux":
        return 0
    size, flags = ctypes.c_size_t(0), ctypes.c_uint(CREATE_RULESET_VERSION)
    version = int(syscall(ctypes.c_long(LANDLOCK_CREATE_RULESET), None, size, flags))
    return min(max(version, 0), NEWEST_LANDLOCK)


def _log(sandbox: Sandbox) -> Sandbox:
    facts = {"isolation": sandbox.describe(), "limitations": list(sandbox.limitations)}
    log.log(logging.WARNING if sandbox.limitations else logging.INFO, "sandbox built", extra=facts)
    return sandbox


def _advice() -> str:
    if os.geteuid() == 0:
        return "The worker is root, and commands never run as root: start it as another user."
    return "TRACKWALKER_ALLOW_UNSANDBOXED=yes runs it without one."


def _candidates(base: Sandbox, kinds: Sequence[Kind], *, may_mount: bool) -> Iterator[Sandbox]:
    """Every sandbox worth trying here, the strictest first."""
    if sys.platform != "linux":
        return
    is_root, version = os.geteuid() == 0, landlock_version()
    base = replace(base, own_uid=is_root, landlock=version, seccomp=_has_seccomp())
    mounts = (True, False) if is_root and may_mount else (False,)
    bwrap = find_bwrap()[0] if "bubblewrap" in kinds else ""
    for namespaces in ISOLATION_LEVELS if bwrap else ():
        wrapped = replace(base, kind="bubblewrap", bwrap=bwrap, namespaces=namespaces, private_network=True)
        if "--unshare-user" in namespaces:
            yield from (replace(wrapped, stages=stages) for stages in mounts)
        elif is_root and may_mount:
            yield wrapped
    for stages in mounts:
        host = replace(base, stages=stages, private_network=stages)
        if "landlock" in kinds and version:
            yield replace(host, kind="landlock")
        if "uid" in kinds and is_root:
            yield replace(host, kind="uid", landlock=0)


def _has_seccomp() -> bool:
    status = Path("/proc/self/status")
    return status.exists() and "Seccomp:" in status.read_text() and bool(seccomp_filter(is_private=True))


def _fitting(bounds: Bounds) -> Bounds:
    """The bounds with no more memory than half of this machine's."""
    if "SC_PHYS_PAGES" not in os.sysconf_names:
        return bounds
    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return replace(bounds, memory_bytes=min(bounds.memory_bytes, half))


def _try_out(sandbox: Sandbox, python: str) -> tuple[str, list[str]]:
    """The reason why the sandbox cannot be used, empty if it can; and the forbidden actions that succeeded."""
    script = Path(__file__).with_name("trial.py").read_text()
    with _bait(sandbox.scratch) as arguments:
        try:
            result = run(
                sandbox, [python, "-I", "-S", "-c", script, json.dumps(arguments)], cwd=Path("/"), writable=(),
                env={}, timeout_seconds=TRIAL_SECONDS,
            )  # fmt: skip
        except OSError as error:
            return str(error), []
    if result.code != 0:
        return result.output.strip()[-200:] or f"the trial failed with exit code {result.code}", []
    failures: list[str] = json.loads(result.output)
    fatal = [failure for failure in failures if failure not in TOLERATED or sandbox.private_network]
    if fatal:
        return f"a command can {', '.join(fatal)}", failures
    return _readable_hidden_path(sandbox), failures


def _readable_hidden_path(sandbox: Sandbox) -> str:
    """The reason why a uid sandbox fails: permissions hide paths there, and a file of another owner keeps its own."""
    for path in sandbox.hide if sandbox.kind == "uid" else ():
        if path.exists() and _can_read(sandbox, path):
            return f"a command can read {path}. Take the read permission from others: chmod o-r {path}"
    return ""


def _can_read(sandbox: Sandbox, path: Path) -> bool:
    tool = ["ls", "-A"] if path.is_dir() else ["head", "-c1"]
    argv = [*tool, str(path)]
    result = run(sandbox, argv, cwd=Path("/"), writable=(), env={}, timeout_seconds=TRIAL_SECONDS)
    if result.code != 0 or path.is_file():
        return result.code == 0
    # Private mounts show an empty folder in its place, with nothing but the way to the command's own files.
    names = {entry.name for entry in path.iterdir() if not sandbox.scratch.is_relative_to(entry)}
    return not names.isdisjoint(result.output.splitlines())


@contextmanager
def _bait(scratch: Path) -> Iterator[dict[str, object]]:
    """The arguments of the trial: a file, sockets and a process of the worker that a command must not reach."""
    mark = Path(sys.argv[0] or sys.executable).name
    with (
        tempfile.TemporaryDirectory(dir=scratch, prefix="trial-") as name,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        folder, word = Path(name), f"trackwalker-{secrets.token_hex(8)}"
        folder.chmod(0o755)
        secret = folder / "secret"
        secret.write_text("secret")
        secret.chmod(0o600)
        # The address of a Unix socket has at most 107 bytes, and the scratch folder may lie deeper.
        descriptor = os.open(folder, os.O_PATH)
        unix.bind(f"/proc/self/fd/{descriptor}/socket")
        os.close(descriptor)
        (folder / "socket").chmod(0o777)
        abstract.bind("\0" + word)
        unix.listen()
        abstract.listen()
        yield {
            "secret": str(secret), "outside": str(folder / "outside"), "pid": os.getpid(), "mark": mark,
            "port": tcp.getsockname()[1], "unix": str(folder / "socket"), "abstract": word,
        }  # fmt: skip
