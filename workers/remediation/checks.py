"""Runs a repository's tests in the sandbox and records the results."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workers.models import Run
from workers.remediation.installation import install
from workers.remediation.project import Project
from workers.remediation.repository_settings import Command
from workers.remediation.runner_commands import reproduction_command
from workers.remediation.sandboxed_commands import REPRODUCTION_SECONDS, CheckEnvironment, run_command
from workers.remediation.test_output import ANSI_ESCAPES, Classification, classify_run
from workers.runtime.redaction import redact
from workers.sandbox.commands import CommandResult

__all__ = [
    "REPRODUCTION_SECONDS",
    "CheckEnvironment",
    "RunResult",
    "describe_failure",
    "run_check",
    "run_reproduction",
]

OUTPUT_LIMIT = 4_000  # characters of output that a Run keeps: the last failure with its stack
FAILURE_LIMIT = 200  # characters of an error that a reason quotes
ERROR_LINE = re.compile(r"(?:E\s+)?(?:[\w.]+(?:Error|Exception|Failure)|Assertion\w*)\b.{0,20}:")


@dataclass(frozen=True)
class RunResult:
    """A run as the journal records it, and the classification that decisions are based on."""

    run: Run
    classification: Classification

    @property
    def outcome(self) -> Literal["passed", "failed", "not run"]:
        return self.run.outcome


def run_reproduction(
    environment: CheckEnvironment, tree: Path, project: Project, path: str, kind: str
) -> RunResult:
    """Run the test file or script on that tree.

    Args:
        path: relative to the repository.
        kind: `test` or `script`.
    """
    inside = project.root == "" or path.startswith(f"{project.root}/")
    root = project.root if inside else ""
    relative = path.removeprefix(f"{root}/") if root else path
    command = reproduction_command(project, tree / root, relative, kind)
    if command is None:
        return _not_run(path, "there is no runner for this kind of file; set `test` in .trackwalker.toml")
    return _run(environment, tree, project, root, command, relative, environment.reproduction_seconds)


def run_check(environment: CheckEnvironment, tree: Path, project: Project, command: Command) -> RunResult:
    """Run one of the repository's own checks on that tree."""
    return _run(environment, tree, project, project.root, command, None, environment.check_seconds)


def describe_failure(result: RunResult) -> str:
    """The last error that a failed run names, else its last line: a runner's summary says less than the error."""
    lines = [line.strip() for line in result.run.output.splitlines() if line.strip()]
    errors = [line for line in lines if ERROR_LINE.match(line)]
    return (errors or lines or ["no output"])[-1][:FAILURE_LIMIT]


def _run(
    environment: CheckEnvironment, tree: Path, project: Project, root: str, command: Command, path: str | None,
    seconds: float,
) -> RunResult:  # fmt: skip
    command_line = " ".join(command)
    tool = {"npx": "npm"}.get(command[0], command[0])
    if tool in ("node", "npm") and shutil.which(tool) is None:
        return _not_run(command_line, f"{tool} is not installed on this host")
    if error := install(environment, tree, project, python=tool not in ("node", "npm")):
        return _not_run(command_line, error)
    result = run_command(environment, tree, tree / root, command, project, seconds)
    classification = classify_run(result, path, lambda module: _has_module(tree, root, module))
    return RunResult(_record(command_line, classification, result, tree, environment.secrets), classification)


def _record(
    command: str, classification: Classification, result: CommandResult, tree: Path, secrets: tuple[str, ...]
) -> Run:
    # The temporary folder of the tree is meaningless to readers: paths are shown relative to the repository.
    plain = ANSI_ESCAPES.sub("", result.output).replace(f"{tree.resolve()}/", "").replace(f"{tree}/", "")
    output = redact(plain, secrets)[-OUTPUT_LIMIT:]
    text = f"{classification.reason}\n{output}" if classification.reason else output
    return Run(
        command=command, outcome=classification.outcome, output=text.strip(), seconds=round(result.seconds, 1)
    )


def _not_run(command: str, reason: str) -> RunResult:
    return RunResult(
        Run(command=command, outcome="not run", output=reason), Classification("not run", reason)
    )


def _has_module(tree: Path, root: str, module: str) -> bool:
    """True if the repository contains a module of that name in a folder that runners search."""
    folders = (tree, tree / root, tree / root / "src", tree / root / "tests", tree / root / "test")
    return any((folder / f"{module}.py").exists() or (folder / module).exists() for folder in folders)
