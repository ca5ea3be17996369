"""Runs one command of a repository in the sandbox, with an environment that holds nothing of the worker's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from workers.clients.git import safe_bytes
from workers.models import digest
from workers.remediation.project import Project
from workers.remediation.repository_settings import Command
from workers.sandbox import commands
from workers.sandbox.commands import CommandResult
from workers.sandbox.sandbox import Sandbox

REPRODUCTION_SECONDS = 120.0  # one test file; a hang costs this much, up to four times
CHECK_SECONDS = 600.0  # the whole test suite of an ordinary service
INSTALL_SECONDS = 600.0  # a cold `npm ci` or `pip install` of a large service
NETWORK_VARIABLES = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "PIP_INDEX_URL", "PIP_TRUSTED_HOST",
    "NPM_CONFIG_REGISTRY", "npm_config_registry",
)  # fmt: skip
"""Variables of the worker that installing may need; each is passed on only if its value holds no password."""
SYSTEM_PREFIXES = frozenset({Path("/"), Path("/usr"), Path("/usr/local")})


@dataclass
class CheckEnvironment:
    """Where commands of one repository run."""

    sandbox: Sandbox
    folder: Path
    """Scratch folder for the home directory and the virtual environments, outside the trees."""
    on_start: Callable[[subprocess.Popen[bytes]], None] = lambda _process: None
    check_alive: Callable[[], None] = lambda: None
    secrets: tuple[str, ...] = ()
    reproduction_seconds: float = REPRODUCTION_SECONDS
    check_seconds: float = CHECK_SECONDS
    installed: dict[str, str] = field(default_factory=dict)
    """Digest of an installation step → empty, or the error that it ended with."""


def run_command(
    environment: CheckEnvironment, tree: Path, cwd: Path, command: Command, project: Project, seconds: float, *,
    network: bool = False,
) -> CommandResult:  # fmt: skip
    """Run the command with the tree and the scratch folder writable.

    Args:
        seconds: deadline, after which the command and its children are killed.
        network: True for installing only. The repository's tests run without network.
    """
    environment.check_alive()
    home = environment.folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    variables = _variables(environment, tree, project, home) | (_network_variables() if network else {})
    return commands.run(
        environment.sandbox, list(command), cwd=cwd, writable=[tree, environment.folder],
        readable=_toolchain_prefixes(), env=variables, network=network, timeout_seconds=seconds,
        on_start=environment.on_start,
    )  # fmt: skip


def virtual_environment(environment: CheckEnvironment, tree: Path, project: Project) -> Path:
    """The folder of the virtual environment: trees with equal requirements share one.

    The contents of the requirement files are part of its name, so a patch that changes one gets its own.
    """
    files = [word for word in project.python_requirements if not word.startswith("-")]
    contents = [(safe_bytes(tree / project.root, name) or b"").decode(errors="replace") for name in files]
    return environment.folder / f"venv-{digest(*project.python_requirements, *contents)}"


def _variables(environment: CheckEnvironment, tree: Path, project: Project, home: Path) -> dict[str, str]:
    root = tree / project.root
    path = [str(virtual_environment(environment, tree, project) / "bin")]
    path += [*(str(prefix / "bin") for prefix in _toolchain_prefixes()), "/usr/local/bin", "/usr/bin", "/bin"]
    sources = [str(folder) for folder in (root, root / "src", tree) if folder.is_dir()]
    return {
        "PATH": os.pathsep.join(path), "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8", "CI": "1",
        "PYTHONPATH": os.pathsep.join(sources), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1", "PIP_NO_COLOR": "1", "npm_config_update_notifier": "false", "npm_config_fund": "false",
    }  # fmt: skip


def _toolchain_prefixes() -> list[Path]:
    """The installation prefixes of Python and Node.js outside the system's: pyenv and nvm keep them below $HOME."""
    prefixes = [Path(sys.base_prefix)]
    node = shutil.which("node")
    if node:
        prefixes.append(Path(node).resolve().parent.parent)
    # The home directory itself as a prefix would make everything in it readable.
    return [prefix for prefix in prefixes if prefix not in SYSTEM_PREFIXES and prefix != Path.home()]


def _network_variables() -> dict[str, str]:
    present = {name: os.environ[name] for name in NETWORK_VARIABLES if os.environ.get(name)}
    return {name: value for name, value in present.items() if not urlsplit(value).password}
