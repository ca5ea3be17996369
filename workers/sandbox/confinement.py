"""Confines its own process in the last moment before it becomes the command; runs inside each level of the sandbox.

Inside bubblewrap a Python of its own runs this file as a script. Otherwise the launcher calls `confine_and_exec` in the
process that becomes the command. Only the standard library may be imported here.

Sources: landlock(7) and <linux/landlock.h>; <linux/prctl.h>; <linux/seccomp.h>.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
import sys

TYPE_CHECKING = (
    False  # importing typing would cost each command milliseconds, as would json, signal and socket
)
if TYPE_CHECKING:
    import socket
    from typing import TypedDict

    class Confinement(TypedDict):
        """The command's arguments, limits and rights."""

        argv: list[str]
        cwd: str
        limits: dict[str, int]
        """Values for `resource.setrlimit` by the limit's name."""
        uid: int | None
        """The uid and gid to change to, None to stay."""
        landlock: int
        """Version of Landlock's interface to use, 0 for none."""
        read: list[str]
        """Paths that the command may read and execute, with everything below. Missing ones are left out."""
        write: list[str]
        """Paths that the command may also change."""
        devices: list[str]
        """Devices that it may use."""
        connect: list[int] | None
        """TCP ports that it may connect to; None for any."""
        bind: list[int] | None
        """TCP ports that it may listen on; None for any."""
        seccomp: str
        """The system call filter in hex, empty for none."""
        control: int
        """Descriptor of the socket that hands sockets to the worker, -1 for none."""
        listen: list[int]
        """TCP ports of 127.0.0.1 on which the worker serves."""
        lend: bool
        """Whether the worker asks for sockets of this network namespace."""


SIGKILL = 9
PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2

# System calls of Landlock; the numbers are those of every machine.
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_ADD_RULE = 445
LANDLOCK_RESTRICT_SELF = 446
RULE_PATH_BENEATH = 1
RULE_NET_PORT = 2

EXECUTE = 1 << 0
WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3
MAKE_CHAR = 1 << 6
MAKE_BLOCK = 1 << 11
REFER = 1 << 13  # version 2
TRUNCATE = 1 << 14  # version 3
IOCTL_DEV = 1 << 15  # version 5
READ = EXECUTE | READ_FILE | READ_DIR
FILE_ONLY = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""Rights that a rule for a file may name; the others belong to directories."""
ALL_RIGHTS = {1: REFER - 1, 2: TRUNCATE - 1, 3: IOCTL_DEV - 1, 4: IOCTL_DEV - 1}
"""Version → every right over files that it knows; version 5 and later know all of the above."""
BIND_TCP = 1 << 0  # version 4
CONNECT_TCP = 1 << 1
SCOPES = 0b11
"""Abstract sockets and signals stay within the command and its children, from version 6 on."""

LENT_SOCKET_REQUEST = 1
"""Bytes of a request of the worker for a socket."""
MAX_OOM_SCORE = b"1000"
"""The kernel's memory killer takes the command before the worker or the store."""


def confine_and_exec(spec: Confinement) -> int:
    """Become the command. Returns only if it cannot be started, with 127, or cannot be confined, with 126."""
    try:
        _hand_out_sockets(spec)
        _limit(spec["limits"])
        _change_uid(spec["uid"])
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        os.chdir(spec["cwd"])
        _restrict_by_landlock(spec)
        _filter_system_calls(bytes.fromhex(spec["seccomp"]))
    except OSError as error:
        print(f"sandbox: {error}", file=sys.stderr, flush=True)
        return 126
    failure = _exec(spec["argv"])
    print(f"{spec['argv'][0]}: {failure.strerror}", file=sys.stderr, flush=True)
    return 127


def _exec(argv: list[str]) -> OSError:
    """Become the program, or return the error. `os.execvp` imports a module, which this uid may not be able to read."""
    name = argv[0]
    folders = [""] if "/" in name else [f"{folder}/" for folder in os.environ.get("PATH", "").split(":")]
    result = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    for folder in folders:
        try:
            os.execv(folder + name, argv)  # noqa: S606 (a list of arguments, never a shell)
        except OSError as failure:
            if failure.errno not in (errno.ENOENT, errno.ENOTDIR):
                result = failure
    return result


def _hand_out_sockets(spec: Confinement) -> None:
    """Give the worker sockets of this network namespace: a socket stays in the one in which it was made."""
    if spec["control"] < 0:
        return
    import socket

    control = socket.socket(fileno=spec["control"])
    listeners = [socket.create_server(("127.0.0.1", port)) for port in spec["listen"]]
    if listeners:
        socket.send_fds(control, [b"L"], [listener.fileno() for listener in listeners])
    for listener in listeners:
        listener.close()
    # The lender starts before Landlock restricts this process, so the command cannot send it a signal.
    if spec["lend"] and os.fork() == 0:
        _lend_sockets(control)
    control.close()


def _lend_sockets(control: socket.socket) -> None:
    """Send the worker a new socket of this network namespace whenever it asks for one."""
    import socket

    prctl(PR_SET_PDEATHSIG, SIGKILL)
    keep = control.fileno()
    os.closerange(0, keep)
    os.closerange(keep + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    while control.recv(LENT_SOCKET_REQUEST):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as lent:
            socket.send_fds(control, [b"S"], [lent.fileno()])
    os._exit(0)


def _limit(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        # Only root may raise a hard limit.
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (limit, limit))
    try:
        with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:  # noqa: PTH123
            file.write(MAX_OOM_SCORE)
    except OSError:
        pass  # not on this system


def _change_uid(uid: int | None) -> None:
    if uid is not None:
        # Groups before the uid: afterwards the process may not change them.
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        # A change of credentials clears this signal (prctl(2)).
        prctl(PR_SET_PDEATHSIG, SIGKILL)


def _restrict_by_landlock(spec: Confinement) -> None:
    version = spec["landlock"]
    if not version:
        return
    rights = ALL_RIGHTS.get(version, (IOCTL_DEV << 1) - 1)
    ports = (spec["bind"], BIND_TCP), (spec["connect"], CONNECT_TCP)
    net = sum(right for allowed, right in ports if allowed is not None) if version >= 4 else 0
    scopes = SCOPES if version >= 6 else 0
    # The structure grew with the versions; the kernel takes a longer one only if the rest of it is zero.
    attributes = struct.pack("QQQ", rights, net, scopes)
    ruleset = _call(LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    write = rights & ~MAKE_CHAR & ~MAKE_BLOCK & ~IOCTL_DEV
    device = rights & (FILE_ONLY | READ_DIR)
    for paths, access in ((spec["read"], READ), (spec["write"], write), (spec["devices"], device)):
        for path in paths:
            _allow_path(ruleset, path, access)
    for allowed, right in ports:
        for port in allowed or () if net & right else ():
            _call(LANDLOCK_ADD_RULE, ruleset, RULE_NET_PORT, struct.pack("QQ", right, port), 0)
    _call(LANDLOCK_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow_path(ruleset: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):  # noqa: PTH112 (pathlib would cost each command milliseconds)
        access &= FILE_ONLY
    _call(LANDLOCK_ADD_RULE, ruleset, RULE_PATH_BENEATH, struct.pack("=Qi", access, descriptor), 0)
    os.close(descriptor)


def _filter_system_calls(program: bytes) -> None:
    if not program:
        return
    instructions = ctypes.create_string_buffer(program, len(program))
    # `struct sock_fprog`: the number of instructions of eight bytes, and their address.
    header = struct.pack("HP", len(program) // 8, ctypes.addressof(instructions))
    buffer = ctypes.create_string_buffer(header, len(header))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(buffer))


def _call(number: int, *arguments: object) -> int:
    words = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(_LIBC.syscall(ctypes.c_long(number), *words))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"Landlock ({number}): {os.strerror(ctypes.get_errno())}")
    return result


def prctl(option: int, value: int, argument: int = 0) -> None:
    """Call prctl(2) where the system has it.

    Raises:
        OSError: the kernel refuses.
    """
    prctl = getattr(_LIBC, "prctl", None)  # None on macOS
    words = [ctypes.c_ulong(word) for word in (value, argument, 0, 0)]
    if prctl is not None and prctl(option, *words) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


_LIBC = ctypes.CDLL(None, use_errno=True)

if __name__ == "__main__":
    import marshal

    with open(int(sys.argv[1]), "rb") as source:  # noqa: PTH123
        # The launcher has written it: the same Python on both sides.
        specification = marshal.load(source)  # noqa: S302
    sys.exit(confine_and_exec(specification))
