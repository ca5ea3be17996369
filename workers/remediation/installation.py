"""Installs the dependencies of a repository once per set of manifests, read-only for all later runs."""

from __future__ import annotations

import os
import posixpath
import stat
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from workers.clients.git import safe_write
from workers.gateway.registry_settings import read_settings
from workers.models import digest
from workers.remediation.project import Project
from workers.remediation.repository_settings import Command
from workers.remediation.requirement_files import drop_configured_indexes
from workers.remediation.run_trees import MODULE_FOLDER, SourceTree, copy_tree
from workers.remediation.sandboxed_commands import (
    INSTALL_SECONDS,
    CheckEnvironment,
    base_variables,
    run_command,
)
from workers.remediation.test_output import ANSI_ESCAPES
from workers.runtime.protected_paths import NPM_LOCK_FILES
from workers.runtime.redaction import redact
from workers.sandbox.commands import CommandResult

ERROR_LINES = 3  # last lines of the installer's output that an error quotes
ERROR_LIMIT = 300


@dataclass(frozen=True)
class PreparedTree:
    """A tree with its dependencies.

    Attributes:
        source: the tree that runs are copied from.
        venv: the virtual environment; None if no Python runs.
        error: the error of the step that failed; empty if the dependencies are complete.
    """

    source: SourceTree
    venv: Path | None = None
    error: str = ""

    def planted(self, source: SourceTree) -> PreparedTree:
        """The same dependencies, with these files on top of the tree."""
        return replace(self, source=replace(self.source, overlay=source.overlay))


def prepare(
    environment: CheckEnvironment, source: SourceTree, project: Project, *, python: bool, node: bool
) -> PreparedTree:
    """Install what the project needs, unless an earlier call has.

    Python always gets a virtual environment: Trackwalker's own packages must not be importable by the repository.

    Args:
        source: the tree; its overlay takes part in the installation only where it holds manifests.
        python: True if Python runs, even in a project without Python requirements.
        node: True if Node.js runs.
    """
    name = digest(str(source.folder), *(f"{path} {content!r}" for path, content in source.overlay.items()))
    custom = project.install_commands is not None
    needs_tree = custom or bool(project.python_requirements) or (node and project.has_node_dependencies)
    tree = environment.folder / f"installed-{name}" / "tree" if needs_tree else source.folder
    venv = environment.folder / f"venv-{_requirements_digest(source, project)}"
    use_python = python or custom or bool(project.python_requirements)
    if needs_tree and not tree.exists():
        _make_install_tree(source, tree)
        if not custom:  # the tree of a custom installation is the one in which tests run
            files = [word for word in project.python_requirements if not word.startswith("-")]
            registries = environment.registries or read_settings()
            drop_configured_indexes(tree / project.root, files, registries)
    steps = _steps(project, tree, venv, python=use_python, node=node)
    error = next(
        (error for step in steps if (error := _run_step(environment, project, tree, venv, *step))), ""
    )
    modules = {}
    if (tree / project.root / MODULE_FOLDER).is_dir() and needs_tree:
        modules = {posixpath.join(project.root, MODULE_FOLDER): tree / project.root / MODULE_FOLDER}
    # A custom installation may build files that the tests need; the other ones change nothing but node_modules.
    folder = tree if custom else source.folder
    prepared = SourceTree(folder, source.overlay, modules)
    return PreparedTree(prepared, venv if use_python else None, error)


def _requirements_digest(source: SourceTree, project: Project) -> str:
    """Trees with equal requirements share an environment; a patch that changes one gets its own."""
    files = [word for word in project.python_requirements if not word.startswith("-")]
    contents = [source.text(posixpath.join(project.root, name)) or "" for name in files]
    custom = [str(source.folder)] if project.install_commands is not None else []
    return digest(*project.python_requirements, *contents, *custom)


def _make_install_tree(source: SourceTree, tree: Path) -> None:
    tree.parent.mkdir(parents=True)
    for name in ("home", "tmp"):
        (tree.parent / name).mkdir()
    copy_tree(source.folder, tree)
    for path, content in source.overlay.items():
        safe_write(tree, path, content)


def _steps(
    project: Project, tree: Path, venv: Path, *, python: bool, node: bool
) -> list[tuple[str, Command, bool]]:
    """The commands, each with the key under which its result is kept, and whether it may fetch packages."""
    steps: list[tuple[str, Command, bool]] = []
    requirements = project.python_requirements
    if python:
        # Without pip the environment is ready in a tenth of the time.
        bare = () if requirements or project.install_commands else ("--without-pip",)
        create = (str(Path(sys.base_prefix, "bin", "python3")), "-m", "venv", *bare, str(venv))
        steps.append((f"{venv} created", create, False))
    if project.install_commands is not None:
        return steps + [(digest(str(tree), *command), command, True) for command in project.install_commands]
    if requirements:
        # `env` starts pip, because the sandbox makes the folder of the command that it starts read-only.
        pip = ("env", str(venv / "bin" / "python3"), "-m", "pip", "install", "--quiet", "--no-input")
        steps.append(
            (f"{venv} filled", (*pip, "--no-cache-dir", "--disable-pip-version-check", *requirements), True)
        )
    if node and project.has_node_dependencies:
        locked = any((tree / project.root / name).is_file() for name in NPM_LOCK_FILES)
        npm = ("npm", "ci" if locked else "install", "--ignore-scripts", "--no-audit", "--no-fund")
        steps.append((digest(str(tree), "npm"), npm, True))
    return steps


def _run_step(
    environment: CheckEnvironment, project: Project, tree: Path, venv: Path, key: str, command: Command,
    installs: bool,
) -> str:  # fmt: skip
    """Empty, or the error of the step, which runs once."""
    if key in environment.installed:
        return environment.installed[key]
    venv.mkdir(parents=True, exist_ok=True)
    own = tree.parent if tree.parent.name.startswith("installed-") else None
    home = own / "home" if own else venv
    refused_before = len(environment.refused)
    result = run_command(
        environment, command, cwd=tree / project.root if own else venv, writable=[venv, *([own] if own else [])],
        variables=base_variables(tree, project.root, venv, home, own / "tmp" if own else venv),
        seconds=INSTALL_SECONDS, installs=installs,
    )  # fmt: skip
    ended = time.monotonic()
    environment.busy.append((ended - result.seconds, ended))
    for folder in (venv, *([own] if own else [])):
        take_back(folder)
    error = "" if result.code == 0 else _describe_error(command, result, environment.secrets)
    if error and (refused := environment.refused[refused_before:]):
        error += f"; not in a configured registry: {redact(refused[0], environment.secrets)}"
    environment.installed[key] = error
    return error


def take_back(folder: Path) -> None:
    """Make the worker the owner again, and everything readable and nothing writable for others.

    A later run has another uid: it can read the installed files and cannot change them.
    """
    user, group = os.geteuid(), os.getegid()
    for top, folders, names in os.walk(folder):
        for path in (Path(top), *(Path(top, name) for name in (*folders, *names))):
            status = path.lstat()
            if status.st_uid != user:
                os.chown(path, user, group, follow_symlinks=False)
            if not stat.S_ISLNK(status.st_mode):
                mode = stat.S_IMODE(status.st_mode)
                execute = 0o111 if mode & 0o100 else 0
                path.chmod((mode & 0o700) | 0o444 | execute)


def _describe_error(command: Command, result: CommandResult, secrets: tuple[str, ...]) -> str:
    output = redact(ANSI_ESCAPES.sub("", result.output), secrets)
    lines = [line for line in output.splitlines() if line.strip()]
    error = "deadline exceeded" if result.timed_out else " | ".join(lines[-ERROR_LINES:])[-ERROR_LIMIT:]
    tool = "pip" if command[0] == "env" else posixpath.basename(command[0])
    return f"dependencies could not be installed ({tool}): {error}"
