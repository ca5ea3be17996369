"""The allow-list of paths that every command can read: system folders, few files of /etc, and interpreters."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

SYSTEM = tuple(
    Path(path) for path in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
)
"""Programs and libraries of the distribution. Most are links into /usr."""

ETC = tuple(
    Path("/etc", name)
    for name in (
        "alternatives", "ca-certificates", "ca-certificates.conf", "debian_version", "fonts", "ld.so.cache",
        "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "os-release", "pki/tls/certs",
        "pki/ca-trust/extracted", "protocols", "services", "ssl/cert.pem", "ssl/certs", "ssl/openssl.cnf",
        "timezone",
    )
)  # fmt: skip
"""Files of /etc that programs read: certificates, the linker's cache, time zones. None holds a secret."""

ACCOUNTS = ("/etc/passwd", "/etc/group", "/etc/hosts", "/etc/resolv.conf")
"""Files that a command gets with contents of ours instead of the host's."""

DEVICES = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))
"""Devices that every command may use."""

HOME_PREFIXES = {Path("/"), Path.home(), Path.home() / ".local"}
"""Folders that have a `bin` and are no installation of one program."""


def account_files(uid: int, home: str) -> dict[str, str]:
    """The contents of `ACCOUNTS` for a command of this uid."""
    return {
        "/etc/passwd": f"sandbox:x:{uid}:{uid}::{home}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
        "/etc/group": f"sandbox:x:{uid}:\nnogroup:x:65534:\n",
        "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
        "/etc/resolv.conf": "",
    }


def interpreters() -> list[Path]:
    """The installation folders of Python and Node.js outside the system's: pyenv and nvm keep them below a home."""
    prefixes = [Path(sys.base_prefix)]
    if node := shutil.which("node"):
        prefixes.append(Path(node).resolve().parent.parent)
    return [prefix for prefix in prefixes if not is_system(prefix) and prefix not in HOME_PREFIXES]


def toolchain(command: str, search: str, given: Sequence[Path]) -> list[Path]:
    """The paths that a program outside the system's folders needs: its file, and its prefix if that has a `lib`.

    Args:
        command: the program's name or path.
        search: PATH, by which it is found.
        given: paths that the command gets anyway. A program below one of them adds none: an earlier command may have
            made it a link to a file that nobody may read.
    """
    program = shutil.which(command, path=search)
    if program is None or below(Path(program).absolute(), [path.absolute() for path in given]):
        return []
    files = [Path(program).absolute(), Path(program).resolve()]
    # ~/bin and ~/.local/bin have the home itself as their prefix, which must stay hidden.
    prefixes = [file.parent.parent for file in files if file.parent.name == "bin"]
    return files + [
        prefix for prefix in prefixes if (prefix / "lib").is_dir() and prefix not in HOME_PREFIXES
    ]


def is_system(path: Path) -> bool:
    """Whether the path is visible to every command anyway."""
    return any(path.is_relative_to(folder) for folder in SYSTEM)


def visible(paths: Iterable[Path]) -> list[Path]:
    """The existing paths outside the system's folders, each as it is named and as it resolves, without duplicates."""
    named = [path for given in paths for path in (given.absolute(), given.resolve())]
    return list(dict.fromkeys(path for path in named if path.exists() and not is_system(path)))


def below(path: Path, folders: Sequence[Path]) -> Path | None:
    """The folder that holds the path, None if there is none."""
    return next((folder for folder in folders if path != folder and path.is_relative_to(folder)), None)
