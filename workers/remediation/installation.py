"""Installs the dependencies of a repository, once per tree or set of requirements."""

from __future__ import annotations

import posixpath
import sys
from pathlib import Path

from workers.models import digest
from workers.remediation.project import Project
from workers.remediation.repository_settings import Command
from workers.remediation.sandboxed_commands import (
    INSTALL_SECONDS,
    CheckEnvironment,
    run_command,
    virtual_environment,
)
from workers.remediation.test_output import ANSI_ESCAPES
from workers.runtime.protected_paths import NPM_LOCK_FILES
from workers.runtime.redaction import redact
from workers.sandbox.commands import CommandResult

ERROR_LINES = 3  # last lines of the installer's output that an error quotes
ERROR_LIMIT = 300


def install(environment: CheckEnvironment, tree: Path, project: Project, *, python: bool = True) -> str:
    """Install what the project needs, unless an earlier call has.

    Python always gets a virtual environment: Trackwalker's own packages must not be importable by the repository.

    Args:
        python: True if the command that follows runs Python, even in a project without Python requirements.

    Returns:
        Empty, or the error of the step that failed.
    """
    root = tree / project.root
    for key, command in _steps(environment, tree, project, python=python):
        if key not in environment.installed:
            result = run_command(environment, tree, root, command, project, INSTALL_SECONDS, network=True)
            error = "" if result.code == 0 else _describe_error(command, result, environment.secrets)
            environment.installed[key] = error
        if environment.installed[key]:
            return environment.installed[key]
    return ""


def _steps(
    environment: CheckEnvironment, tree: Path, project: Project, *, python: bool
) -> list[tuple[str, Command]]:
    """The commands, each with the key under which its result is kept."""
    steps: list[tuple[str, Command]] = []
    venv, requirements = virtual_environment(environment, tree, project), project.python_requirements
    if python or requirements:
        # Without pip the environment is ready in a tenth of the time.
        bare = () if requirements or project.install_commands else ("--without-pip",)
        create = (str(Path(sys.base_prefix, "bin", "python3")), "-m", "venv", *bare, str(venv))
        steps.append((f"{venv} created", create))
    if project.install_commands is not None:
        return steps + [(digest(str(tree), *command), command) for command in project.install_commands]
    if requirements:
        # `env` starts pip, because the sandbox makes the folder of the command that it starts read-only.
        pip = ("env", str(venv / "bin" / "python3"), "-m", "pip", "install", "--quiet", "--no-input")
        steps.append(
            (f"{venv} filled", (*pip, "--no-cache-dir", "--disable-pip-version-check", *requirements))
        )
    if project.has_node_dependencies:
        locked = any((tree / project.root / name).is_file() for name in NPM_LOCK_FILES)
        npm = ("npm", "ci" if locked else "install", "--ignore-scripts", "--no-audit", "--no-fund")
        steps.append((digest(str(tree), "npm"), npm))
    return steps


def _describe_error(command: Command, result: CommandResult, secrets: tuple[str, ...]) -> str:
    output = redact(ANSI_ESCAPES.sub("", result.output), secrets)
    lines = [line for line in output.splitlines() if line.strip()]
    error = "deadline exceeded" if result.timed_out else " | ".join(lines[-ERROR_LINES:])[-ERROR_LIMIT:]
    tool = "pip" if command[0] == "env" else posixpath.basename(command[0])
    return f"dependencies could not be installed ({tool}): {error}"
