"""Hostile code in a sandbox: what it may not read, write, reach, see, signal, exhaust or leave behind.

`run_probes` is the whole of it for one sandbox. Most probes share one command, so that a level takes seconds.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workers.errors import AgentRefused
from workers.sandbox.builder import build_sandbox
from workers.sandbox.commands import CommandResult, run
from workers.sandbox.sandbox import Bounds, Kind, Sandbox

SCRIPT = Path(__file__).with_name("hostile") / "probe_script.py"
SYSTEM_PYTHON = Path("/usr/bin/python3")
"""An interpreter that every uid can run, unlike one below a home."""
TOKEN = "token-of-the-worker-4711"
SECONDS = 60.0  # timeout of one command
CONCURRENT_ATTACKS = 5  # each waits for its bound most of the time
SMALL = Bounds(
    processes=48, memory_bytes=400 * 2**20, open_files=256, file_bytes=200 * 2**20, disk_bytes=150 * 2**20,
    disk_files=8_000, tmp_bytes=32 * 2**20, shm_bytes=16 * 2**20,
)  # fmt: skip
"""Bounds that hostile code reaches in a second."""


@dataclass(frozen=True)
class ProbeResult:
    """One attempt of hostile code."""

    name: str
    expected: str
    actual: str
    ok: bool


@dataclass(frozen=True)
class Level:
    """A sandbox that this machine allows, and an interpreter that runs in it."""

    name: str
    sandbox: Sandbox
    python: Path


def levels(folder: Path, only: str = "") -> Iterator[Level]:
    """Every level that this machine allows.

    Args:
        folder: holds their scratch folders and is open to others.
        only: the name of one level, empty for all.
    """
    kinds: list[tuple[str, Kind, bool]] = [
        ("bubblewrap", "bubblewrap", True), ("landlock", "landlock", True), ("uid", "uid", True),
        ("landlock without mounts", "landlock", False), ("uid without mounts", "uid", False),
    ]  # fmt: skip
    for name, kind, may_mount in kinds:
        if only not in ("", name):
            continue
        python = Path(sys.executable).resolve() if may_mount else SYSTEM_PYTHON
        hide = [folder / "project", folder / "hidden"]
        with suppress(AgentRefused):
            sandbox = build_sandbox(
                hide=hide, scratch=folder / "scratch", allow_unsandboxed=False, kinds=(kind,), may_mount=may_mount,
                python=python,
            )  # fmt: skip
            yield Level(name, sandbox, python)


@contextmanager
def probe_folder() -> Iterator[Path]:
    """A folder that another uid may pass through, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="probes-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("project", "hidden", "scratch"):
            (folder / part).mkdir()
        yield folder


def run_probes(sandbox: Sandbox, python: Path | None = None) -> list[ProbeResult]:
    """The result of every probe in this sandbox."""
    python = python or Path(sys.executable).resolve()
    with probe_folder() as folder:
        return [
            *_attempts(sandbox, python, folder),
            *_exhaustion(replace(sandbox, bounds=SMALL), python, folder),
            *_traces(sandbox, python, folder),
            *_abilities(sandbox, python, folder),
        ]


def _attempts(sandbox: Sandbox, python: Path, folder: Path) -> list[ProbeResult]:
    with _baits(folder) as baits:
        result = _run(
            sandbox, python, folder, SCRIPT.read_text(), json.dumps(baits), readable=[baits["readable"]]
        )
    line = next((line for line in result.output.splitlines() if line.startswith("RESULT ")), "")
    if not line:
        return [ProbeResult("the probes run", "a report", result.output[-500:], ok=False)]
    tolerated = tolerated_failures(sandbox)
    return [
        ProbeResult(
            name, "refused", end, ok=end != "succeeded" or any(name.startswith(start) for start in tolerated)
        )
        for name, end in json.loads(line.removeprefix("RESULT ")).items()
    ]


def tolerated_failures(sandbox: Sandbox) -> tuple[str, ...]:
    """Beginnings of the names of probes that may succeed, because the level says that it does not prevent them."""
    names: list[str] = []
    if sandbox.kind != "bubblewrap" and not sandbox.stages:
        names += ["read: the host's accounts", "read: sockets of the host"]
    if sandbox.kind == "uid" and not sandbox.stages:
        names += [
            "read: through the worker's folder",
            "list: /",
            "read: a file of everybody",
            "create: in /dev",
        ]
    if sandbox.kind != "bubblewrap" and not sandbox.own_uid:
        names += ["chmod: ", "schedule: the worker", "limits: of the worker"]
    return tuple(names)


@contextmanager
def _baits(folder: Path) -> Iterator[dict[str, Any]]:
    """Files, sockets and a process of the worker, and their addresses as the hostile code gets them."""
    project, tree, readable = folder / "project", folder / "tree", folder / "readable"
    for path in (tree, tree / "a" / "b", readable):
        path.mkdir(parents=True, exist_ok=True)
    files = _plant_files(folder, project, readable)
    (tree / "link").symlink_to(project / "key.pem")
    (tree / "folder-link").symlink_to(project)
    (tree / "a" / "b" / "up").symlink_to("../../../../../../../../..")
    with ExitStack() as stack:
        ports = _listeners(stack, folder)
        worker = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", "input()", "pytest-worker-mark"],
                stdin=subprocess.PIPE,
                env={"TOKEN": TOKEN, "MARK": "pytest-worker-mark"},
            )
        )
        yield {
            "tree": str(tree), "project": str(project), "readable": str(readable), "pid": worker.pid,
            "files": {name: str(path) for name, path in files.items()}, "secret": str(project / "key.pem"),
            "secret_name": "key.pem", "token": TOKEN, "mark": "pytest-worker-mark",
            "read_only": {"a readable file": str(readable / "code.py"), "our file": str(project / "code.py")},
            "parents": [part for path in (folder, Path(sys.base_prefix)) for part in path.parts],
            **ports,
        }  # fmt: skip
        worker.communicate(b"\n")


def _plant_files(folder: Path, project: Path, readable: Path) -> dict[str, Path]:
    modes = {
        ".env": 0o644, ".env.production": 0o644, ".env.bak": 0o644, "opencode.json": 0o600, "config.json": 0o644,
        "key.pem": 0o600, "code.py": 0o644,
    }  # fmt: skip
    paths = {f"{name} of the project": project / name for name in modes}
    paths["another clone"] = folder / "hidden" / "clones" / "other" / "app.py"
    paths["a file of everybody"] = folder / "everybody.txt"
    for path in (*paths.values(), readable / "code.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"secret {TOKEN}")
        path.chmod(modes.get(path.name, 0o644))
    for path in (project, folder / "hidden"):
        path.chmod(0o700)
    for shared in ("/tmp", "/var/tmp", "/dev/shm"):
        path = Path(shared, f"probe-of-the-host-{os.getpid()}")
        path.write_text(TOKEN)
        path.chmod(0o600)
        paths[f"a private file in {shared}"] = path
    return {name: path for name, path in paths.items() if path.name != "code.py"}


def _listeners(stack: ExitStack, folder: Path) -> dict[str, Any]:
    tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    everywhere = stack.enter_context(socket.create_server(("0.0.0.0", 0)))
    udp, unix, abstract, datagram = (
        stack.enter_context(socket.socket(family, kind))
        for family, kind in (
            (socket.AF_INET, socket.SOCK_DGRAM),
            (socket.AF_UNIX, socket.SOCK_STREAM),
            (socket.AF_UNIX, socket.SOCK_STREAM),
            (socket.AF_UNIX, socket.SOCK_DGRAM),
        )
    )
    udp.bind(("127.0.0.1", 0))
    path, name = folder / "open.sock", f"probe-{os.getpid()}"
    path.unlink(missing_ok=True)
    unix.bind(str(path))
    path.chmod(0o777)
    abstract.bind(f"\0{name}")
    datagram.bind(f"\0{name}-datagram")
    for listener in (unix, abstract):
        listener.listen()
    threading.Thread(target=_echo, args=(udp,), daemon=True).start()
    return {
        "tcp": tcp.getsockname()[1], "any_tcp": everywhere.getsockname()[1], "udp": udp.getsockname()[1],
        "unix": str(path), "abstract": name, "abstract_datagram": f"{name}-datagram", "addresses": _addresses(),
    }  # fmt: skip


def _echo(udp: socket.socket) -> None:
    with suppress(OSError):
        udp.settimeout(SECONDS)
        data, peer = udp.recvfrom(16)
        udp.sendto(data, peer)


def _addresses() -> list[str]:
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; the kernel picks the address
        return [str(probe.getsockname()[0])]
    return []


def _exhaustion(sandbox: Sandbox, python: Path, folder: Path) -> list[ProbeResult]:
    """Each attack on a resource ends by its bound, and the machine keeps the rest."""
    attacks: dict[str, tuple[str, Sequence[str]]] = {
        "memory of one process": (
            "x = []\nwhile True: x.append(bytearray(8 << 20))",
            ("memory", "MemoryError"),
        ),
        "memory of many processes": (MANY, ("memory", "processes")),
        "memory in files without a name": (MEMFD, ("memory", "error")),
        "processes": (FORKS, ("processes",)),
        "threads": (THREADS, ("processes", "error")),
        "disk in many files": (DISK, ("disk",)),
        "disk in a deleted file": (DELETED, ("disk", "error")),
        "number of files": (INODES, ("disk", "error")),
        "size of one file": (FILE, ("error", "disk")),
        "open files": (DESCRIPTORS, ("error",)),
        "/tmp": (FILL.format(folder="/tmp"), ("error",)),
        "/var/tmp": (FILL.format(folder="/var/tmp"), ("error",)),
        "/dev/shm": (FILL.format(folder="/dev/shm"), ("error",)),
    }
    shares = sandbox.kind == "uid" and not sandbox.stages
    for name in ("/tmp", "/var/tmp", "/dev/shm") if shares else ():
        del attacks[name]  # the level says that it does not prevent this

    def attack(name: str) -> ProbeResult:
        code, ends = attacks[name]
        result = _run(sandbox, python, folder, code, tree=name.replace("/", "-"))
        actual = result.exceeded or (
            "MemoryError" if "MemoryError" in result.output else result.output.strip()[-60:]
        )
        is_stopped = result.exceeded in ends or any(end in actual for end in ends)
        # Processes of the worker's own uid count against the bound too, so that it may be reached early.
        is_stopped |= not sandbox.own_uid and (result.timed_out or "unavailable" in result.output)
        return ProbeResult(f"exhaust: {name}", " or ".join(ends), actual, ok=is_stopped)

    with ThreadPoolExecutor(CONCURRENT_ATTACKS) as pool:
        results = list(pool.map(attack, attacks))
    core = _run(sandbox, python, folder, "import os; os.abort()", tree="core")
    cores = [path.name for path in (folder / "core").glob("core*")]
    return [
        *results,
        ProbeResult("exhaust: core file", "none", str(cores), ok=not cores and core.code == 134),
    ]


MANY = """
import os, time
for _ in range(10):
    if os.fork() == 0:
        x = bytearray(os.urandom(1 << 20)) * 80
        time.sleep(30)
        os._exit(0)
time.sleep(30)
"""
MEMFD = """
import os
try:
    kept = []
    while True:
        fd = os.memfd_create("x"); kept.append(fd)
        for _ in range(16): os.write(fd, bytes(4 << 20))
except OSError as error: print("error", error)
"""
FORKS = """
import os, time
while True:
    try:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
    except OSError: time.sleep(0.01)
"""
THREADS = """
import threading, time
try:
    for _ in range(2000): threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
except RuntimeError as error: print("error", error, flush=True)
import os; os._exit(1)
"""
DISK = """
import itertools
for n in itertools.count():
    with open(f"f{n}", "wb") as f:
        for _ in range(25): f.write(bytes(1 << 20))
"""
DELETED = """
import os
try:
    kept = []
    while True:
        f = open("gone", "wb"); kept.append(f); os.unlink("gone")
        for _ in range(100): f.write(b"x" * (1 << 20))
        f.flush()
except OSError as error: print("error", error)
"""
INODES = """
import os, itertools
try:
    for n in itertools.count():
        if n % 2000 == 0: os.mkdir(f"d{n}")
        open(f"d{n - n % 2000}/{n}", "w").close()
except OSError as error: print("error", error)
"""
FILE = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with open("large", "wb") as f:
        for _ in range(1000): f.write(bytes(1 << 20))
except OSError as error: print("error", error)
"""
DESCRIPTORS = """
try:
    x = [open("/dev/null") for _ in range(100_000)]
except OSError as error: print("error", error)
"""
FILL = """
try:
    with open("{folder}/large", "wb", buffering=0) as f:
        for _ in range(100): f.write(bytes(1 << 20))
    print("filled")
except OSError as error: print("error", error)
"""


def _traces(sandbox: Sandbox, python: Path, folder: Path) -> list[ProbeResult]:
    """Probes whether a command finds traces of the command before it."""
    mark = f"trace-{os.getpid()}-{sandbox.kind}"
    _run(sandbox, python, folder, LEAVE, mark)
    traces = _run(sandbox, python, folder, FIND, mark).output.strip().splitlines()
    survivors = [
        entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit() and mark in _cmdline(entry)
    ]
    on_host = [
        str(path)
        for root in ("/tmp", "/var/tmp", "/dev/shm")
        for path in Path(root).iterdir()
        if path.name == mark
    ]
    places = ("tmp", "vartmp", "shm", "home", "tmpdir", "segment")
    return [
        *(
            ProbeResult(f"leave: {place}", "nothing", str(place in traces), ok=place not in traces)
            for place in places
        ),
        ProbeResult("leave: a process", "nothing", str(survivors), ok=not survivors),
        ProbeResult("leave: a file of the host", "nothing", str(on_host), ok=not on_host),
        ProbeResult("leave: the second command ran", "done", str(traces), ok="done" in traces),
    ]


LEAVE = """
import ctypes, os, subprocess, sys, tempfile
mark = sys.argv[1]
for folder in ("/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), os.environ["TMPDIR"]):
    try: open(f"{folder}/{mark}", "w").close()
    except OSError: pass
ctypes.CDLL(None).shmget(4711, 4096, 0o1666)
subprocess.Popen(["/bin/sh", "-c", f"(setsid sh -c 'sleep 300; : {mark}' &)"])
"""
FIND = """
import ctypes, os, sys
mark = sys.argv[1]
for name, folder in (("tmp", "/tmp"), ("vartmp", "/var/tmp"), ("shm", "/dev/shm"), ("home", os.path.expanduser("~")),
                     ("tmpdir", os.environ["TMPDIR"])):
    if os.path.exists(f"{folder}/{mark}"): print(name)
if ctypes.CDLL(None).shmget(4711, 4096, 0) >= 0: print("segment")
print("done")
"""


def _abilities(sandbox: Sandbox, python: Path, folder: Path) -> list[ProbeResult]:
    """Probes whether honest code can still use files, processes, pipes and sockets of its own."""
    expected = {"tree", "home", "fork", "thread", "pipe", "pair", "random", "certificates", "user", "report"}
    if sandbox.private_network:
        expected |= {"loopback", "unix"}
    result = _run(sandbox, python, folder, ABILITIES, report_bytes=10)
    able = set(result.output.split()) | ({"report"} if result.report == b"0123456789" else set())
    return [
        ProbeResult(f"able: {name}", "yes", result.output[-200:], ok=name in able)
        for name in sorted(expected)
    ]


ABILITIES = """
import multiprocessing.pool, os, pwd, socket, ssl, subprocess, sys, threading
def able(name, function):
    try: function(); print(name, flush=True)
    except BaseException as error: print("!", name, repr(error).replace(" ", "_"), flush=True)
def loopback():
    listener = socket.create_server(("127.0.0.1", 0))
    socket.create_connection(listener.getsockname(), 3)
def unix():
    listener = socket.socket(socket.AF_UNIX); listener.bind("own.sock"); listener.listen()
    socket.socket(socket.AF_UNIX).connect("own.sock")
able("tree", lambda: open("new", "w").close())
able("home", lambda: open(os.path.expanduser("~/new"), "w").close())
able("fork", lambda: subprocess.run(["/bin/sh", "-c", "true"], check=True))
able("thread", lambda: multiprocessing.pool.ThreadPool(4).map(abs, [1, 2]))
able("pipe", os.pipe)
able("pair", socket.socketpair)
able("random", lambda: os.urandom(8) + open("/dev/urandom", "rb").read(8))
able("certificates", lambda: ssl.create_default_context().load_default_certs())
able("user", lambda: os.path.expanduser("~"))
able("loopback", loopback)
able("unix", unix)
os.write(int(os.environ["TRACKWALKER_REPORT_FD"]), b"0123456789abcdef")
"""


def _run(
    sandbox: Sandbox, python: Path, folder: Path, code: str, *words: str, readable: Sequence[str] = (),
    report_bytes: int = 0, tree: str = "tree",
) -> CommandResult:  # fmt: skip
    (folder / tree).mkdir(exist_ok=True)
    return run(
        sandbox, [str(python), "-I", "-c", code, *words], cwd=folder / tree, writable=[folder / tree],
        readable=[Path(path) for path in readable], env={}, timeout_seconds=SECONDS, report_bytes=report_bytes,
    )  # fmt: skip


def _cmdline(entry: Path) -> str:
    with suppress(OSError):
        return (entry / "cmdline").read_text()
    return ""
