"""Builds the system call filter of sandboxed commands, as a classic BPF program for prctl(PR_SET_SECCOMP).

The filter refuses system calls that reach the kernel's administration, other processes or other namespaces. Ordinary
programs do not need them. A refused call fails with an error, so that a program can go another way.

Sources: <linux/seccomp.h>, <linux/bpf_common.h>, and the tables of system calls of x86-64 and of the generic ABI.
"""

from __future__ import annotations

import errno
import platform
import socket
import struct
from collections.abc import Sequence

AUDIT_ARCHES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Machine → the value of `seccomp_data.arch`, from <linux/audit.h>. Other machines get no filter."""

X32_BIT = 0x40000000
"""Set in the numbers of the x32 ABI, a second table of system calls on x86-64."""

LAST_SYSCALL = 462
"""Newest system call that a program may use (mseal, Linux 6.10). Later ones are refused until they are reviewed."""

ALLOW = 0x7FFF0000
ERRNO = 0x00050000

LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
JUMP_GREATER = 0x25  # BPF_JMP | BPF_JGT | BPF_K
JUMP_SET = 0x45  # BPF_JMP | BPF_JSET | BPF_K
RETURN = 0x06  # BPF_RET | BPF_K

NUMBER_OFFSET = 0  # of the system call's number in `struct seccomp_data`, in bytes
ARCH_OFFSET = 4
ARGUMENTS_OFFSET = 16  # six arguments of eight bytes; the lower half comes first on both machines

REFUSED = {
    # Name: (number on x86-64, number on aarch64); None where the machine has no such call.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "unshare": (272, 97),
    "setns": (308, 268),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "vhangup": (153, 58),
    "lookup_dcookie": (212, 18),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "nfsservctl": (180, 42),
    "msgget": (68, 186),  # message queues keep kernel memory that no bound of ours sees
    "mq_open": (240, 180),
}
"""Calls that are refused with EPERM."""

ABSENT = {
    # Programs fall back to older calls: clone3 hides its flags from a filter, io_uring hides whole system calls.
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
"""Calls that are refused with ENOSYS, as by a kernel without them."""

CLONE = (56, 220)
SOCKET = (41, 198)
SOCKETPAIR = (53, 199)
PERSONALITY = (135, 92)
IOCTL = (16, 29)
SHMGET = (29, 194)
SEMGET = (64, 190)
SENDTO = (44, 206)
SENDMSG = (46, 211)
SENDMMSG = (307, 269)

NAMESPACE_FLAGS = 0x7E020000
"""Flags of clone(2) that make namespaces, from CLONE_NEWNS to CLONE_NEWNET."""
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""Values for personality(2) that change nothing that protects a process; the same as in Docker's profile."""
TERMINAL_REQUESTS = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX put characters into the input of a terminal."""
MAX_SHARED_SEGMENT = 65_536
"""Bytes of a System V segment, which outlives its process and counts against no bound; databases need a few bytes."""
MSG_FASTOPEN = 0x20000000
"""Flag that connects while it sends, which Landlock did not see before Linux 6.16."""
SOCK_TYPE_MASK = 0xF
NETLINK_ROUTE = 0

Instruction = tuple[int, int, int, int]


def seccomp_filter(*, is_private: bool, sockets: bool = True) -> bytes:
    """The filter's instructions, as an array of `struct sock_filter`; empty on a machine without a table.

    Args:
        is_private: whether the command has namespaces of its own for network and IPC. Otherwise it gets TCP sockets
            only, because Landlock decides about TCP ports and about nothing else of the host's network.
        sockets: False to refuse the command all sockets of the host's network.
    """
    machine = platform.machine()
    if machine not in AUDIT_ARCHES:
        return b""
    column = list(AUDIT_ARCHES).index(machine)
    no_call = _fail(errno.ENOSYS)
    program = [
        (LOAD, 0, 0, ARCH_OFFSET),
        # Another ABI of this machine, such as int 0x80 on x86-64, has other numbers.
        (JUMP_EQUAL, 1, 0, AUDIT_ARCHES[machine]),
        *no_call,
        (LOAD, 0, 0, NUMBER_OFFSET),
        (JUMP_GREATER, 0, 1, LAST_SYSCALL),
        *no_call,
    ]
    for calls, error in ((REFUSED, errno.EPERM), (ABSENT, errno.ENOSYS)):
        for numbers in calls.values():
            number = numbers[column]
            program += _case(number, _fail(error)) if number is not None else []
    for numbers, body in _argument_rules(is_private=is_private, sockets=sockets):
        program += _case(numbers[column], body)
    program.append(_return(ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def _argument_rules(*, is_private: bool, sockets: bool) -> list[tuple[tuple[int, int], list[Instruction]]]:
    allow, refuse = [_return(ALLOW)], _fail(errno.EPERM)
    return [
        (CLONE, [_argument(0), (JUMP_SET, 0, 1, NAMESPACE_FLAGS), *refuse, *allow]),
        (PERSONALITY, [_argument(0), *_one_of(PERSONALITIES), *refuse]),
        (IOCTL, [_argument(1), *_one_of(TERMINAL_REQUESTS, refuse), *allow]),
        # Without namespaces of its own a command would leave segments and semaphores for the next one.
        (SHMGET, _size_rule(1, MAX_SHARED_SEGMENT) if is_private else refuse),
        (SEMGET, allow if is_private else refuse),
        (SOCKETPAIR, [_argument(0), *_case(socket.AF_UNIX, allow), *refuse]),
        (SOCKET, _socket_rule(is_private=is_private, sockets=sockets)),
        *(
            (numbers, [_argument(index), (JUMP_SET, 0, 1, MSG_FASTOPEN), *refuse, *allow])
            for numbers, index in ((SENDTO, 3), (SENDMSG, 2), (SENDMMSG, 3))
        ),
    ]


def _size_rule(index: int, largest: int) -> list[Instruction]:
    """Allow an argument of 64 bits up to a size. The filter loads words of 32 bits."""
    refuse = _fail(errno.EPERM)
    upper = (LOAD, 0, 0, ARGUMENTS_OFFSET + 8 * index + 4)
    is_small = [_argument(index), (JUMP_GREATER, 0, 1, largest), *refuse, _return(ALLOW)]
    return [upper, *_case(0, is_small), *refuse]


def _socket_rule(*, is_private: bool, sockets: bool) -> list[Instruction]:
    allow, refuse = [_return(ALLOW)], _fail(errno.EACCES)
    # Other protocols over the internet, such as MPTCP and SCTP, connect without a question to Landlock.
    tcp = _case(socket.SOCK_STREAM, [_argument(2), *_one_of((0, socket.IPPROTO_TCP)), *refuse])
    udp = _case(socket.SOCK_DGRAM, [_argument(2), *_one_of((0, socket.IPPROTO_UDP)), *refuse])
    kinds = [*(tcp if sockets else []), *(udp if is_private else [])]
    internet = [_argument(1), (AND, 0, 0, SOCK_TYPE_MASK), *kinds, *refuse]
    netlink = [_argument(2), *_case(NETLINK_ROUTE, allow), *refuse]
    return [
        _argument(0),
        *_case(socket.AF_UNIX, allow if is_private else refuse),
        *_case(socket.AF_INET, internet),
        *_case(socket.AF_INET6, internet),
        *_case(16, netlink),  # AF_NETLINK, which the socket module has on Linux only
        *_fail(errno.EAFNOSUPPORT),
    ]


def _argument(index: int) -> Instruction:
    return (LOAD, 0, 0, ARGUMENTS_OFFSET + 8 * index)


def _one_of(values: Sequence[int], body: list[Instruction] | None = None) -> list[Instruction]:
    body = body or [_return(ALLOW)]
    return [instruction for value in values for instruction in _case(value, body)]


def _case(value: int, body: list[Instruction]) -> list[Instruction]:
    """The body, which ends the program, if the loaded word has this value."""
    return [(JUMP_EQUAL, 0, len(body), value), *body]


def _return(action: int) -> Instruction:
    return (RETURN, 0, 0, action)


def _fail(error: int) -> list[Instruction]:
    return [_return(ERRNO | error)]
