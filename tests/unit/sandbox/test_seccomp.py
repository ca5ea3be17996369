"""The filter of system calls, run by an interpreter of the instructions that it uses."""

from __future__ import annotations

import errno
import platform
import struct

import pytest

from workers.sandbox import seccomp
from workers.sandbox.seccomp import seccomp_filter

ALLOWED = 0
AF_UNIX = 1
AF_INET = 2
AF_NETLINK = 16
AF_VSOCK = 40
STREAM = 1
DATAGRAM = 2
CLOSE_ON_EXEC = 0o2000000

pytestmark = pytest.mark.skipif(
    platform.machine() not in seccomp.AUDIT_ARCHES, reason="no table of this machine"
)
COLUMN = (
    list(seccomp.AUDIT_ARCHES).index(platform.machine()) if platform.machine() in seccomp.AUDIT_ARCHES else 0
)


def decide(program: bytes, number: int, *arguments: int, arch: int | None = None) -> int:
    """The error with which the filter answers a call, 0 if it allows it."""
    arch = seccomp.AUDIT_ARCHES[platform.machine()] if arch is None else arch
    data = struct.pack("<IIQ6Q", number, arch, 0, *(*arguments, *[0] * (6 - len(arguments))))
    instructions = list(struct.iter_unpack("HBBI", program))
    word = at = 0
    while True:
        code, yes, no, value = instructions[at]
        at += 1
        if code == seccomp.RETURN:
            return ALLOWED if value == seccomp.ALLOW else value & 0xFFFF
        if code == seccomp.LOAD:
            word = struct.unpack_from("<I", data, value)[0]
        elif code == seccomp.AND:
            word &= value
        else:
            tests = {
                seccomp.JUMP_EQUAL: word == value,
                seccomp.JUMP_GREATER: word > value,
                seccomp.JUMP_SET: bool(word & value),
            }
            at += yes if tests[code] else no


@pytest.mark.parametrize("is_private", [True, False])
def test_calls_of_the_kernels_administration_are_refused(is_private: bool) -> None:
    program = seccomp_filter(is_private=is_private)

    for name, numbers in seccomp.REFUSED.items():
        if (number := numbers[COLUMN]) is not None:
            assert decide(program, number) == errno.EPERM, name
    for name, numbers in seccomp.ABSENT.items():
        assert decide(program, numbers[COLUMN]) == errno.ENOSYS, name


def test_other_tables_and_later_calls_do_not_exist() -> None:
    program = seccomp_filter(is_private=True)

    assert decide(program, 39, arch=0x40000003) == errno.ENOSYS  # 32-bit x86
    assert decide(program, 39 | seccomp.X32_BIT) == errno.ENOSYS
    assert decide(program, seccomp.LAST_SYSCALL + 1) == errno.ENOSYS
    assert decide(program, seccomp.LAST_SYSCALL) == ALLOWED


def test_children_may_be_made_but_no_namespaces() -> None:
    program, clone = seccomp_filter(is_private=True), seccomp.CLONE[COLUMN]

    assert decide(program, clone, 17) == ALLOWED
    assert decide(program, clone, 0x3D0F00) == ALLOWED  # flags of a thread
    for bit in (17, 25, 26, 27, 28, 29, 30):
        assert decide(program, clone, 17 | 1 << bit) == errno.EPERM


@pytest.mark.parametrize(
    ("family", "kind", "protocol", "private", "on_host"),
    [
        (AF_INET, STREAM, 0, True, True),
        (AF_INET, STREAM | CLOSE_ON_EXEC, 6, True, True),
        (AF_INET, STREAM, 262, False, False),
        (AF_INET, STREAM, 132, False, False),
        (AF_INET, DATAGRAM, 0, True, False),
        (AF_INET, 3, 1, False, False),
        (AF_UNIX, STREAM, 0, True, False),
        (AF_NETLINK, 3, 0, True, True),
        (AF_NETLINK, 3, 15, False, False),
        (AF_VSOCK, STREAM, 0, False, False),
    ],
)
def test_sockets_by_family_kind_and_protocol(
    family: int, kind: int, protocol: int, private: bool, on_host: bool
) -> None:
    for is_private, expected in ((True, private), (False, on_host)):
        program = seccomp_filter(is_private=is_private)

        assert (decide(program, seccomp.SOCKET[COLUMN], family, kind, protocol) == ALLOWED) is expected


def test_without_ports_a_command_on_the_host_gets_no_internet_socket() -> None:
    program = seccomp_filter(is_private=False, sockets=False)

    assert decide(program, seccomp.SOCKET[COLUMN], AF_INET, STREAM, 0) == errno.EACCES
    assert decide(program, seccomp.SOCKETPAIR[COLUMN], AF_UNIX, STREAM, 0) == ALLOWED


def test_shared_segments_are_small_and_private() -> None:
    private, on_host = seccomp_filter(is_private=True), seccomp_filter(is_private=False)
    shmget = seccomp.SHMGET[COLUMN]

    assert decide(private, shmget, 0, 4096) == ALLOWED
    assert decide(private, shmget, 0, seccomp.MAX_SHARED_SEGMENT + 1) == errno.EPERM
    assert decide(private, shmget, 0, 2**32 + 4096) == errno.EPERM
    assert decide(on_host, shmget, 0, 4096) == errno.EPERM
