"""Runs one command of a repository in the sandbox, with an environment that holds nothing of the worker's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from workers.gateway.registries import Fetched
from workers.gateway.registry_settings import RegistrySettings
from workers.remediation.registry_access import registry_access
from workers.remediation.repository_settings import Command
from workers.sandbox import commands
from workers.sandbox.commands import CommandResult
from workers.sandbox.sandbox import Sandbox

REPRODUCTION_SECONDS = 120.0  # one test file; a hang costs this much, a few times
CHECK_SECONDS = 600.0  # the whole test suite of an ordinary service
INSTALL_SECONDS = 600.0  # a cold `npm ci` or `pip install` of a large service
SYSTEM_PREFIXES = frozenset({Path("/"), Path("/usr"), Path("/usr/local")})


@dataclass
class CheckEnvironment:
    """The sandbox, folders and settings with which the commands of one repository run."""

    sandbox: Sandbox
    folder: Path
    """Scratch folder for copies of trees and for installed dependencies."""
    on_start: Callable[[subprocess.Popen[bytes]], None] = lambda _process: None
    check_alive: Callable[[], None] = lambda: None
    secrets: tuple[str, ...] = ()
    reproduction_seconds: float = REPRODUCTION_SECONDS
    check_seconds: float = CHECK_SECONDS
    installed: dict[str, str] = field(default_factory=dict)
    """Digest of an installation step → empty, or the error that it ended with."""
    registries: RegistrySettings | None = None
    """The registries of packages; None for those that pip and npm of this machine are configured for."""
    fetched: list[Fetched] = field(default_factory=list)
    """Packages that installations got from the registries."""
    refused: list[str] = field(default_factory=list)
    """Requests of installations that the registry proxy refused."""
    busy: list[tuple[float, float]] = field(default_factory=list)
    """Start and end of each test process and installation, on the clock of `time.monotonic`."""

    def busy_seconds(self) -> float:
        """Seconds during which a test process or an installation ran; two at a time count once."""
        total, until = 0.0, 0.0
        for start, end in sorted(self.busy):
            total += max(0.0, end - max(start, until))
            until = max(until, end)
        return total


def run_command(
    environment: CheckEnvironment, command: Command, *,
    cwd: Path, writable: Sequence[Path], readable: Sequence[Path] = (), variables: Mapping[str, str],
    seconds: float, installs: bool = False, report_bytes: int = 0,
) -> CommandResult:  # fmt: skip
    """Run the command in the sandbox.

    Args:
        writable: folders that the command may write to.
        readable: folders that it may read, besides those of the interpreters.
        variables: the environment, see `base_variables`.
        seconds: deadline, after which the command and its children are killed.
        installs: True if the command may fetch packages; nothing else has any network.
        report_bytes: bytes that the command may write to the descriptor in TRACKWALKER_REPORT_FD.
    """
    environment.check_alive()
    run = partial(
        commands.run, environment.sandbox, list(command), cwd=cwd, writable=list(writable),
        readable=[*toolchain_prefixes(), *readable], timeout_seconds=seconds,
        on_start=environment.on_start, report_bytes=report_bytes,
    )  # fmt: skip
    if not installs:
        return run(env=variables)
    with registry_access(environment.sandbox, environment.registries) as access:
        try:
            return run(env={**variables, **access.variables}, ports=access.ports)
        finally:
            environment.fetched += access.fetched
            environment.refused += access.refused


def base_variables(tree: Path, root: str, venv: Path | None, home: Path, tmp: Path) -> dict[str, str]:
    """The environment of a command in that tree.

    Args:
        root: the service's folder, relative to the tree.
        venv: the virtual environment whose programs come first; None for none.
    """
    path = [str(venv / "bin")] if venv else []
    path += [*(str(prefix / "bin") for prefix in toolchain_prefixes()), "/usr/local/bin", "/usr/bin", "/bin"]
    return {
        "PATH": os.pathsep.join(path), "HOME": str(home), "TMPDIR": str(tmp), "LANG": "C.UTF-8", "CI": "1",
        "PYTHONPATH": os.pathsep.join(source_folders(tree, root)), "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "PIP_NO_COLOR": "1", "npm_config_update_notifier": "false",
        "npm_config_fund": "false",
    }  # fmt: skip


def source_folders(tree: Path, root: str) -> list[str]:
    """The folders from which Python imports the repository's modules."""
    place = tree / root
    return [str(folder) for folder in dict.fromkeys((place, place / "src", tree)) if folder.is_dir()]


def toolchain_prefixes() -> list[Path]:
    """The installation prefixes of Python and Node.js outside the system's: pyenv and nvm keep them below $HOME."""
    prefixes = [Path(sys.base_prefix)]
    node = shutil.which("node")
    if node:
        prefixes.append(Path(node).resolve().parent.parent)
    # The home directory itself as a prefix would make everything in it readable.
    return [prefix for prefix in prefixes if prefix not in SYSTEM_PREFIXES and prefix != Path.home()]
