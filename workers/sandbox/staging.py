"""Mounts for one command, in a mount namespace of its own. Root only; the launcher calls this before it drops root.

bubblewrap that runs under another uid cannot reach a source below a folder that is closed to that uid. So each source
is mounted at a place that everybody can reach. Only the standard library may be imported here.

Sources: mount(2), mount_namespaces(7), proc(5), tmpfs(5), namespaces(7), netdevice(7).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import stat
import struct
from collections.abc import Iterable, Sequence

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

# ioctl(2) requests and a flag of network interfaces, from <linux/sockios.h> and <linux/if.h>.
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

STAGE = "/tmp"  # noqa: S108 (a folder that every system has; only this mount namespace sees the stage)
MAX_FILES = 50_000
"""Files of a private folder: each takes kernel memory even if it is empty."""
SHARED_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108
"""Folders in which everybody may leave files."""


def stage(sources: Sequence[str], tmp_bytes: int) -> tuple[list[str], str]:
    """Mount each source at a place that every uid can reach. Returns the places, and a private folder for /tmp."""
    _private_mounts()
    descriptors = [os.open(source, os.O_PATH | os.O_CLOEXEC) for source in sources]
    _mount("stage", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=4m")
    places = []
    for number, descriptor in enumerate(descriptors):
        place = f"{STAGE}/{number}"
        _bind(descriptor, place)
        places.append(place)
        os.close(descriptor)
    tmp = f"{STAGE}/private"
    os.mkdir(tmp)  # noqa: PTH102 (pathlib would cost each command milliseconds)
    _mount_private_folder(tmp, tmp_bytes)
    return places, tmp


def separate(visible: Iterable[str], keep: Sequence[str], tmp_bytes: int, files: dict[str, str]) -> None:
    """Give this process a file system of allowed paths only, and namespaces of its own, without bubblewrap.

    Args:
        visible: paths that the command uses.
        keep: folders of the root that stay as they are; an empty folder covers each other one.
        tmp_bytes: size of each private folder.
        files: contents of files in /etc.
    """
    import socket  # only here, because it costs milliseconds

    _unshare(CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET)
    socket.sethostname("sandbox")
    _start_loopback()
    _private_mounts()
    paths = sorted(set(visible), key=len)
    descriptors = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in paths]
    _cover_root({*keep, "/proc", "/dev"})
    for folder in SHARED_FOLDERS:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        _mount_private_folder(folder, tmp_bytes)
    for path, descriptor in descriptors:
        if not _is_same(path, descriptor):
            _bind(descriptor, path)
        os.close(descriptor)
    for name, text in files.items():
        with open(name, "w") as file:  # noqa: PTH123
            file.write(text)
        os.chmod(name, 0o444)  # noqa: PTH101
    _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV, "hidepid=2")
    _mount("/proc/sys", "/proc/sys", None, MS_BIND)
    _mount(None, "/proc/sys", None, MS_BIND | MS_REMOUNT | MS_RDONLY)


def _cover_root(keep: set[str]) -> None:
    for name in os.listdir("/"):  # noqa: PTH208
        path = f"/{name}"
        if path in keep or os.path.islink(path):  # noqa: PTH114
            continue
        if os.path.isdir(path):  # noqa: PTH112
            _mount("covered", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=4m")
        else:
            _mount("/dev/null", path, None, MS_BIND)


def _private_mounts() -> None:
    _unshare(CLONE_NEWNS)
    _mount(None, "/", None, MS_REC | MS_PRIVATE)


def _mount_private_folder(folder: str, size: int) -> None:
    options = f"mode=1777,size={size},nr_inodes={MAX_FILES}"
    _mount("private", folder, "tmpfs", MS_NOSUID | MS_NODEV, options)


def _is_same(path: str, descriptor: int) -> bool:
    """Whether the path still leads to the file, because a mount above it has brought it along."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))  # noqa: PTH116
    except FileNotFoundError:
        return False


def _bind(descriptor: int, place: str) -> None:
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.makedirs(place, exist_ok=True)  # noqa: PTH103
    else:
        os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o444))
    _mount(f"/proc/self/fd/{descriptor}", place, None, MS_BIND | MS_REC)


def _start_loopback() -> None:
    import socket

    # The loopback of a new namespace is down, and tests talk to servers of their own over it.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        flags = struct.unpack("16sh", fcntl.ioctl(link, SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(link, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def _unshare(flags: int) -> None:
    if _LIBC.unshare(ctypes.c_int(flags)) != 0:
        raise OSError(ctypes.get_errno(), f"unshare: {os.strerror(ctypes.get_errno())}")


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    words = [word and word.encode() for word in (source, target, kind)]
    if _LIBC.mount(*words, ctypes.c_ulong(flags), options and options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {target}: {os.strerror(ctypes.get_errno())}")


_LIBC = ctypes.CDLL(None, use_errno=True)
