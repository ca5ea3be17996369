"""Hostile code: tries everything that code in a sandbox must not be able to do, and prints what it achieved.

It runs inside, with the standard library only. An attempt failed if it raises OSError or returns False. Nothing here
harms a machine whose sandbox is open: settings are written with the value that they have, files are only created.
"""

# Lambdas with defaults have no type that mypy can infer.
# mypy: disable-error-code="misc,arg-type"

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
IS_X86 = platform.machine() == "x86_64"
SECONDS = 1.0  # timeout of one connection to the same machine
Attempt = Callable[[], object]


def call(x86: int, arm: int, *arguments: int | bytes | None) -> bool:
    """Whether a system call succeeds."""
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    return int(LIBC.syscall(ctypes.c_long(x86 if IS_X86 else arm), *words)) >= 0


def failed_with(error: int) -> bool:
    return ctypes.get_errno() == error


def readable(path: str) -> bool:
    with open(path, "rb") as file:
        return bool(file.read(64))


def listed(path: str, allowed: tuple[str, ...] = ()) -> bool:
    return bool(set(os.listdir(path)) - set(allowed))


def writable(path: str) -> bool:
    """Whether an existing setting can be written, with the value that it has."""
    with open(path, "r+b", buffering=0) as file:
        value = file.read()
        file.seek(0)
        file.write(value)
    return True


def creatable(path: str) -> bool:
    with open(path, "xb"):
        return True


def appendable(path: str) -> bool:
    with open(path, "ab"):
        return True


def connected(family: int, address: Any, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> bool:
    with socket.socket(family, kind, protocol) as client:
        client.settimeout(SECONDS)
        client.connect(address)
        return True


def sent(port: int) -> bool:
    """Whether a datagram reaches the worker, which answers it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(SECONDS)
        client.sendto(b"x", ("127.0.0.1", port))
        return bool(client.recv(1))


def fast_opened(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(SECONDS)
        client.sendto(b"x", 0x20000000, ("127.0.0.1", port))
        client.getpeername()
        return True


def socket_made(family: int, kind: int, protocol: int = 0) -> bool:
    with socket.socket(family, kind, protocol):
        return True


def leaked(mark: str, name: str) -> bool:
    """Whether a file of any process holds the mark."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError), open(f"/proc/{entry}/{name}", "rb") as file:
                if mark.encode() in file.read():
                    return True
    return False


def holds(path: str, mark: str) -> bool:
    with open(path, "rb") as file:
        return mark.encode() in file.read()


def inherited() -> bool:
    """Whether there is a descriptor of anything but the three streams and the one that lists them."""
    open_now = [int(name) for name in os.listdir("/proc/self/fd")]
    extra = [fd for fd in open_now if fd > 2 and os.path.exists(f"/proc/self/fd/{fd}")]
    return len(extra) > 0


def hard_linked(source: str, target: str) -> bool:
    os.link(source, target)
    return readable(target)


def raised(kind: int) -> bool:
    soft, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY:
        return True
    resource.setrlimit(kind, (soft, hard + 1))
    return True


def capabilities() -> bool:
    status = Path("/proc/self/status").read_text()
    values = [
        line.split()[1] for line in status.splitlines() if line.startswith(("CapEff", "CapPrm", "CapBnd"))
    ]
    effective = [line.split()[1] for line in status.splitlines() if line.startswith(("CapEff", "CapPrm"))]
    return any(int(value, 16) for value in effective) or not values


def device_node(path: str) -> bool:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 1))  # /dev/mem
    return True


def clones(flags: int) -> bool:
    """Whether a child in new namespaces can be made."""
    pid = int(
        LIBC.syscall(ctypes.c_long(56 if IS_X86 else 220), ctypes.c_long(flags | signal.SIGCHLD), None, None)
    )
    if pid == 0:
        os._exit(0)
    if pid > 0:
        os.waitpid(pid, 0)
    return pid > 0


def handle_opened(path: str) -> bool:
    handle = ctypes.create_string_buffer(b"\x80\0\0\0" + bytes(140))
    mount_id = ctypes.c_int()
    number = 303 if IS_X86 else 264
    return (
        int(LIBC.syscall(ctypes.c_long(number), -100, path.encode(), handle, ctypes.byref(mount_id), 0)) >= 0
    )


def setuid_helper() -> bool:
    """Whether a setuid program changes the uid."""
    for program in ("/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount"):
        if (
            os.path.exists(program)
            and os.stat(program).st_uid == 0
            and "NoNewPrivs:\t0" in Path("/proc/self/status").read_text()
        ):
            return True
    return False


def attempts(baits: dict[str, Any]) -> Iterator[tuple[str, Attempt]]:
    tree, pid = baits["tree"], baits["pid"]
    yield from reading(baits, tree, pid)
    yield from writing(baits, tree, pid)
    yield from reaching(baits)
    yield from touching_processes(pid)
    yield from escalating(tree)


def reading(baits: dict[str, Any], tree: str, pid: int) -> Iterator[tuple[str, Attempt]]:
    for name, path in baits["files"].items():
        yield f"read: {name}", lambda path=path: readable(path)
    yield "read: through a link in the tree", lambda: readable(f"{tree}/link")
    yield (
        "read: through a folder link in the tree",
        lambda: readable(f"{tree}/folder-link/{baits['secret_name']}"),
    )
    yield "read: through a chain of links", lambda: readable(f"{tree}/a/b/up/../..{baits['secret']}")
    yield "read: by a hard link", lambda: hard_linked(baits["secret"], f"{tree}/hard")
    yield "read: by a file handle", lambda: handle_opened(baits["secret"])
    yield "read: through /proc/self/root", lambda: readable(f"/proc/self/root{baits['secret']}")
    yield "read: through the worker's root", lambda: readable(f"/proc/{pid}/root{baits['secret']}")
    yield "read: through the worker's folder", lambda: listed(f"/proc/{pid}/cwd/")
    for name in ("environ", "maps", "mem", "auxv"):
        yield f"read: the worker's {name}", lambda name=name: holds_or_any(pid, name, baits["mark"])
    yield "read: an environment of the host", lambda: leaked(baits["token"], "environ")
    yield "read: /etc/shadow", lambda: readable("/etc/shadow")
    yield "read: the host's accounts", lambda: holds("/etc/passwd", "root:")
    for path in ("/root", "/home", "/srv", "/mnt", "/media", "/var/log", "/var/lib", "/opt", "/boot", "/sys"):
        yield f"list: {path}", lambda path=path: listed(path, tuple(baits["parents"]))
    yield "list: /run", lambda: listed("/run", ("confinement.py", *baits["parents"]))
    yield "list: the worker's folder", lambda: listed(baits["project"], tuple(baits["parents"]))
    for path in ("/dev/kmsg", "/dev/mem", "/dev/vda", "/dev/sda", "/proc/kcore", "/proc/kmsg"):
        yield f"read: {path}", lambda path=path: readable(path)
    yield "read: the kernel's log", lambda: call(103, 116, 3, bytes(4096), 4096)
    yield "read: sockets of the host", lambda: leaked_socket(baits["unix"])
    yield "inherit: a descriptor", inherited


def holds_or_any(pid: int, name: str, mark: str) -> bool:
    """In a namespace of its own the number may be another process, so the content decides where it can."""
    if name in {"maps", "mem", "auxv"} and not holds(f"/proc/{pid}/cmdline", mark):
        return False
    return readable(f"/proc/{pid}/{name}") if name != "environ" else holds(f"/proc/{pid}/environ", mark)


def leaked_socket(path: str) -> bool:
    return holds("/proc/net/unix", path)


def writing(baits: dict[str, Any], tree: str, pid: int) -> Iterator[tuple[str, Attempt]]:
    for path in (
        "kernel/core_pattern", "kernel/hostname", "kernel/modprobe", "kernel/panic", "vm/overcommit_memory",
        "vm/drop_caches", "fs/binfmt_misc/register", "net/ipv4/ip_forward", "user/max_user_namespaces",
    ):  # fmt: skip
        yield f"write: /proc/sys/{path}", lambda path=path: writable(f"/proc/sys/{path}")
    yield "write: /proc/sysrq-trigger", lambda: os.access("/proc/sysrq-trigger", os.W_OK)
    yield "write: the worker's oom score", lambda: appendable(f"/proc/{pid}/oom_score_adj") and not own(pid)
    for folder in (
        "/",
        "/etc",
        "/usr",
        "/usr/bin",
        "/bin",
        "/run",
        "/root",
        "/home",
        "/var",
        "/dev",
        "/sys",
        "/proc",
    ):
        yield f"create: in {folder}", lambda folder=folder: creatable(f"{folder}/.probe-{os.getpid()}")
    for name, path in baits["read_only"].items():
        yield f"write: {name}", lambda path=path: appendable(path)
        yield f"truncate: {name}", lambda path=path: os.truncate(path, 0)
        yield f"remove: {name}", lambda path=path: os.unlink(path)
        yield f"chmod: {name}", lambda path=path: os.chmod(path, 0o777)
    yield "create: beside the tree", lambda: creatable(f"{baits['project']}/planted")
    yield "create: in a readable folder", lambda: creatable(f"{baits['readable']}/planted")
    yield "create: in the interpreter", lambda: creatable(f"{sys.base_prefix}/planted")
    yield "rename: the tree", lambda: os.rename(tree, f"{tree}-moved")
    yield "write: a control group", lambda: os.mkdir("/sys/fs/cgroup/memory/probe")
    yield "make: a device", lambda: device_node(f"{tree}/device")
    yield (
        "give: a file to root",
        lambda: give_away(f"{tree}/own"),
    )


def give_away(path: str) -> None:
    Path(path).write_text("")
    os.chown(path, 0, 0)


def own(pid: int) -> bool:
    """Whether the number is a process of this namespace."""
    return not holds(f"/proc/{pid}/cmdline", "pytest")


def reaching(baits: dict[str, Any]) -> Iterator[tuple[str, Attempt]]:
    yield "reach: a TCP port of the worker", lambda: connected(socket.AF_INET, ("127.0.0.1", baits["tcp"]))
    yield (
        "reach: it by another loopback address",
        lambda: connected(socket.AF_INET, ("127.0.0.2", baits["tcp"])),
    )
    yield "reach: it by 0.0.0.0", lambda: connected(socket.AF_INET, ("0.0.0.0", baits["tcp"]))
    yield "reach: it over IPv6", lambda: connected(socket.AF_INET6, ("::ffff:127.0.0.1", baits["tcp"]))
    yield "reach: it by fast open", lambda: fast_opened(baits["tcp"])
    yield "reach: it over MPTCP", lambda: connected(socket.AF_INET, ("127.0.0.1", baits["tcp"]), protocol=262)
    yield "reach: it over SCTP", lambda: connected(socket.AF_INET, ("127.0.0.1", baits["tcp"]), protocol=132)
    for address in baits["addresses"]:
        yield (
            f"reach: address {address}",
            lambda address=address: connected(socket.AF_INET, (address, baits["any_tcp"])),
        )
    yield "reach: the cloud's metadata", lambda: connected(socket.AF_INET, ("169.254.169.254", 80))
    yield "reach: a UDP port", lambda: sent(baits["udp"])
    yield "reach: a socket file", lambda: connected(socket.AF_UNIX, baits["unix"])
    yield "reach: an abstract socket", lambda: connected(socket.AF_UNIX, "\0" + baits["abstract"])
    yield (
        "reach: an abstract datagram socket",
        lambda: connected(socket.AF_UNIX, "\0" + baits["abstract_datagram"], socket.SOCK_DGRAM),
    )
    families = {
        "vsock": (40, 1),
        "packet": (17, 3),
        "alg": (38, 5),
        "bluetooth": (31, 3),
        "key": (15, 3),
        "can": (29, 3),
    }
    for name, (family, kind) in families.items():
        yield f"socket: {name}", lambda family=family, kind=kind: socket_made(family, kind)
    yield "socket: raw", lambda: socket_made(socket.AF_INET, socket.SOCK_RAW, 1)
    yield "socket: ping", lambda: socket_made(socket.AF_INET, socket.SOCK_DGRAM, 1)
    yield "socket: netlink audit", lambda: socket_made(16, 3, 9)
    yield "socket: netlink events of devices", lambda: socket_made(16, 2, 15)


def touching_processes(pid: int) -> Iterator[tuple[str, Attempt]]:
    yield "signal: the worker", lambda: os.kill(pid, 0)
    yield "signal: the parent", lambda: os.kill(os.getppid(), 0)
    yield "trace: the worker", lambda: call(101, 117, 16, pid, 0, 0)
    yield "trace: the parent", lambda: call(101, 117, 16, os.getppid(), 0, 0)
    yield "memory: of the parent", lambda: call(310, 270, os.getppid(), None, 0, None, 0, 0)
    yield "descriptor: of the parent", lambda: call(438, 438, os.pidfd_open(os.getppid()), 0, 0)
    yield "write: the parent's memory", lambda: appendable(f"/proc/{os.getppid()}/mem")
    yield "schedule: the worker", lambda: os.sched_setaffinity(pid, {0})
    yield "priority: raised", lambda: os.setpriority(os.PRIO_PROCESS, 0, -5)
    yield "priority: real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    yield "limits: of the worker", lambda: bool(resource.prlimit(pid, resource.RLIMIT_NOFILE))
    for name in ("RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_CORE"):
        yield f"limits: raise {name}", lambda name=name: raised(getattr(resource, name))
    yield (
        "limits: leave the memory killer's list",
        lambda: Path("/proc/self/oom_score_adj").write_text("-500") > 0,
    )


def escalating(tree: str) -> Iterator[tuple[str, Attempt]]:
    yield "be: root", lambda: 0 in (*os.getresuid(), *os.getresgid(), *os.getgroups())
    yield "become: root", lambda: os.setuid(0)
    yield "have: capabilities", capabilities
    yield "become: root by a setuid program", setuid_helper
    flags = {
        "user": 0x10000000,
        "mount": 0x20000,
        "pid": 0x20000000,
        "network": 0x40000000,
        "ipc": 0x08000000,
    }
    for name, flag in flags.items():
        yield f"unshare: {name}", lambda flag=flag: call(272, 97, flag)
        yield f"clone: {name}", lambda flag=flag: clones(flag)
    yield "clone3", lambda: call(435, 435, None, 0) or not failed_with(38)
    yield "enter: a namespace", lambda: call(308, 268, os.open("/proc/self/ns/net", os.O_RDONLY), 0)
    yield "mount", lambda: LIBC.mount(b"x", tree.encode(), b"tmpfs", 0, None) == 0
    yield "mount: writable again", lambda: LIBC.mount(None, b"/proc/sys", None, 32 | 4096, None) == 0
    yield "unmount", lambda: LIBC.umount2(b"/proc/sys", 2) == 0
    yield "chroot", lambda: os.chroot(tree)
    numbers = {
        "pivot_root": (155, 41), "open_tree": (428, 428), "fsopen": (430, 430), "bpf": (321, 280),
        "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "keyctl": (250, 219),
        "add_key": (248, 217), "init_module": (175, 105), "kexec_load": (246, 104), "kcmp": (312, 272),
        "fanotify_init": (300, 262), "swapon": (167, 224), "acct": (163, 89), "settimeofday": (164, 170),
        "sethostname": (170, 161), "msgget": (68, 186), "listmount": (458, 458),
    }  # fmt: skip
    for name, (x86, arm) in numbers.items():
        yield (
            f"call: {name}",
            lambda x86=x86, arm=arm: call(x86, arm, 0, 0, 0, 0, 0) or not failed_with_refusal(),
        )
    yield "call: one that is newer than the filter", lambda: call(600, 600) or not failed_with(38)
    if IS_X86:
        yield "call: of the x32 table", lambda: call(0x40000000 | 39, 0) or not failed_with(38)
    yield "call: personality without address randomisation", lambda: call(135, 92, 0x0040000)
    yield "share: a large System V segment", lambda: call(29, 194, 0, 100 * 2**20, 0o1600)
    yield "share: one of more than 32 bits", lambda: call(29, 194, 0, 2**32 + 4096, 0o1600)
    yield "terminal: put input", lambda: call(16, 29, 0, 0x5412, b"x") or not failed_with_refusal()


def failed_with_refusal() -> bool:
    return ctypes.get_errno() in (1, 38, 13)


def main(baits: dict[str, Any]) -> dict[str, str]:
    results = {}
    for name, attempt in attempts(baits):
        try:
            results[name] = "refused" if attempt() is False else "succeeded"
        except (OSError, ValueError) as error:
            results[name] = f"refused: {error}"[:120]
    return results


if __name__ == "__main__":
    print("RESULT " + json.dumps(main(json.loads(sys.argv[1]))))
