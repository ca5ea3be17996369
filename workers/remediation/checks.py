"""Running a repository's tests behind the wall: which command, installed how, and what its result is worth.

A fixed list of runners, arguments and no shell. What a model says chooses a path, never a command.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from workers.clients.git import safe_bytes
from workers.models import Run, digest
from workers.remediation.project import Command, Project, read_project
from workers.remediation.test_output import ESCAPES, Judgement, judge
from workers.runtime.redaction import redact
from workers.sandbox import commands
from workers.sandbox.commands import CommandResult
from workers.sandbox.sandbox import Sandbox

REPRODUCTION_SECONDS, CHECK_SECONDS, INSTALL_SECONDS = 120.0, 600.0, 600.0
TAIL = 4_000
"""Characters of output that are kept."""
LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
PASSED_THROUGH = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "PIP_INDEX_URL", "PIP_TRUSTED_HOST",
    "NPM_CONFIG_REGISTRY", "npm_config_registry",
)  # fmt: skip
"""Of our environment, for installing only, and only where they hold no password."""


@dataclass
class CheckEnvironment:
    """Where a project is run: the wall, a folder of our own beside the trees, and who must hear of each process."""

    wall: Sandbox
    folder: Path
    on_start: Callable[[subprocess.Popen[bytes]], None] = lambda _process: None
    alive: Callable[[], None] = lambda: None
    secrets: tuple[str, ...] = ()
    reproduction_seconds: float = REPRODUCTION_SECONDS
    check_seconds: float = CHECK_SECONDS
    installed: dict[str, str] = field(default_factory=dict)
    """Digest of what was to be installed → empty, or why it could not be."""


@dataclass(frozen=True)
class Result:
    """A run as it is recorded, and what more was seen."""

    run: Run
    judgement: Judgement

    @property
    def outcome(self) -> Literal["passed", "failed", "not run"]:
        return self.run.outcome


def runner_hint(clone: Path, root: str) -> str:
    """One sentence for the writing agent: how the host will run a test file of this repository."""
    project = read_project(clone, root, "")
    if project.test:
        return f"A test file is run with `{' '.join(project.test)}`."
    hints = []
    if project.pytest:
        hints.append("A Python test file is run with `python3 -m pytest <path>`.")
    elif (clone / project.root / "package.json").is_file() and not project.python_tests:
        pass
    else:
        hints.append(
            "A Python test file is run with `python3 -m unittest <path>`: use unittest.TestCase, pytest is not there."
        )
    if (clone / project.root / "package.json").is_file():
        command = " ".join(_node_test(project, "<path>"))
        hints.append(f"A JavaScript test file is run with `{command}`.")
    folder = f" from the folder `{project.root}`" if project.root else ""
    return " ".join(hints) + f" All of it without network{folder}; nothing more can be installed."


def run_reproduction(bench: CheckEnvironment, tree: Path, project: Project, path: str, kind: str) -> Result:
    """The test file or script on that tree."""
    inside = project.root == "" or path.startswith(f"{project.root}/")
    root = project.root if inside else ""
    relative = path.removeprefix(f"{root}/") if root else path
    command = reproduction_command(project, tree / root, relative, kind)
    if command is None:
        return _not_run(
            path, "no runner is known for this kind of file; .trackwalker.toml can name one (test)"
        )
    return _run(bench, tree, project, root, command, relative, bench.reproduction_seconds)


def run_check(bench: CheckEnvironment, tree: Path, project: Project, command: Command) -> Result:
    """One of the repository's own checks on that tree."""
    return _run(bench, tree, project, project.root, command, None, bench.check_seconds)


def reproduction_command(project: Project, folder: Path, path: str, kind: str) -> Command | None:
    """How that file is run from the folder; None where nothing here can."""
    ending = posixpath.splitext(path)[1]
    is_node = ending in (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx")
    if kind == "script":
        return ("python3", path) if ending == ".py" else ("node", path) if is_node else None
    if project.test:
        return tuple(word.replace("{path}", path) for word in project.test)
    if ending == ".py":
        return _python_test(project, folder, path)
    return _node_test(project, path) if is_node else None


def _python_test(project: Project, folder: Path, path: str) -> Command:
    content = (safe_bytes(folder, path) or b"").decode(errors="replace")
    if project.pytest or "import pytest" in content:
        return ("python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", path)
    parts = path.removesuffix(".py").split("/")
    if all(part.isidentifier() for part in parts):
        return ("python3", "-m", "unittest", path)
    return (
        "python3",
        "-m",
        "unittest",
        "discover",
        "-s",
        posixpath.dirname(path) or ".",
        "-p",
        parts[-1] + ".py",
    )


def _node_test(project: Project, path: str) -> Command:
    return {
        "vitest": ("npx", "--no-install", "vitest", "run", path),
        "jest": ("npx", "--no-install", "jest", path),
        "mocha": ("npx", "--no-install", "mocha", path),
        "tsx": ("node", "--import", "tsx", "--test", path),
    }.get(project.node_tool, ("node", "--test", path))


# ---- running ---------------------------------------------------------------------------------


def _run(
    bench: CheckEnvironment,
    tree: Path,
    project: Project,
    root: str,
    command: Command,
    path: str | None,
    seconds: float,
) -> Result:
    shown = " ".join(command)
    tool = {"npx": "npm"}.get(command[0], command[0])
    if tool in ("node", "npm") and shutil.which(tool) is None:
        return _not_run(shown, f"{tool} is not installed here")
    if why := install(bench, tree, project, python=tool not in ("node", "npm")):
        return _not_run(shown, why)
    done = _behind_wall(bench, tree, tree / root, command, project, seconds, network=False)
    found = judge(done, path, lambda module: _holds(tree, root, module))
    return Result(_record(shown, found, done, tree, bench.secrets), found)


def _record(command: str, found: Judgement, done: CommandResult, tree: Path, secrets: tuple[str, ...]) -> Run:
    # Where our copy lies is nobody's business; paths are shown as the repository has them.
    plain = ESCAPES.sub("", done.output).replace(f"{tree.resolve()}/", "").replace(f"{tree}/", "")
    output = redact(plain, secrets)[-TAIL:]
    text = f"{found.why}\n{output}" if found.why else output
    outcome: Literal["passed", "failed", "not run"] = (
        "passed" if found.outcome == "passed" else "failed" if found.outcome == "failed" else "not run"
    )
    return Run(command=command, outcome=outcome, output=text.strip(), seconds=round(done.seconds, 1))


def _not_run(command: str, why: str) -> Result:
    return Result(Run(command=command, outcome="not run", output=why), Judgement("not run", why))


def _holds(tree: Path, root: str, module: str) -> bool:
    """Whether the repository itself has a module of that name somewhere a runner looks."""
    folders = (tree, tree / root, tree / root / "src", tree / root / "tests", tree / root / "test")
    return any((folder / f"{module}.py").exists() or (folder / module).exists() for folder in folders)


def _behind_wall(
    bench: CheckEnvironment,
    tree: Path,
    cwd: Path,
    command: Command,
    project: Project,
    seconds: float,
    *,
    network: bool,
) -> CommandResult:
    bench.alive()
    home = bench.folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    environment = _environment(bench, tree, project, home) | (_for_installing() if network else {})
    return commands.run(
        bench.wall, list(command), cwd=cwd, writable=[tree, bench.folder], readable=_tools(), env=environment,
        network=network, timeout_seconds=seconds, on_start=bench.on_start,
    )  # fmt: skip


def _environment(bench: CheckEnvironment, tree: Path, project: Project, home: Path) -> dict[str, str]:
    root = tree / project.root
    path = [str(_venv(bench, tree, project) / "bin"), *(str(tool / "bin") for tool in _tools())]
    path += ["/usr/local/bin", "/usr/bin", "/bin"]
    sources = [str(one) for one in (root, root / "src", tree) if one.is_dir()]
    return {
        "PATH": os.pathsep.join(path), "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8", "CI": "1",
        "PYTHONPATH": os.pathsep.join(sources), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1", "PIP_NO_COLOR": "1", "npm_config_update_notifier": "false", "npm_config_fund": "false",
    }  # fmt: skip


def _tools() -> list[Path]:
    """The prefixes of python and node, which may lie below a hidden home."""
    found = [Path(sys.base_prefix)]
    node = shutil.which("node")
    if node:
        found.append(Path(node).resolve().parent.parent)
    return [
        prefix for prefix in found if prefix not in (Path("/"), Path("/usr"), Path("/usr/local"), Path.home())
    ]


def _for_installing() -> dict[str, str]:
    present = {name: os.environ[name] for name in PASSED_THROUGH if os.environ.get(name)}
    return {name: value for name, value in present.items() if not urlsplit(value).password}


# ---- installing ------------------------------------------------------------------------------


def install(bench: CheckEnvironment, tree: Path, project: Project, *, python: bool = True) -> str:
    """Bring in what the project needs, once per tree or list of needs. Empty, or why it could not be done.

    Python always runs in an environment of its own: what is installed beside us is not there for the repository.
    """
    root = tree / project.root
    for key, command in _install_steps(bench, tree, project, python=python):
        if key not in bench.installed:
            done = _behind_wall(bench, tree, root, command, project, INSTALL_SECONDS, network=True)
            bench.installed[key] = "" if done.code == 0 else _why_not(command, done, bench.secrets)
        if bench.installed[key]:
            return bench.installed[key]
    return ""


def _install_steps(
    bench: CheckEnvironment, tree: Path, project: Project, *, python: bool
) -> list[tuple[str, Command]]:
    """What is done once, and the name under which it counts as done."""
    steps: list[tuple[str, Command]] = []
    venv, needs = _venv(bench, tree, project), project.python_needs
    if python or needs:
        bare = () if needs or project.install else ("--without-pip",)
        make = (str(Path(sys.base_prefix, "bin", "python3")), "-m", "venv", *bare, str(venv))
        steps.append((f"{venv} made", make))
    if project.install is not None:
        return steps + [(digest(str(tree), *command), command) for command in project.install]
    if needs:
        # Through `env`: the wall makes the folder of the command it starts read-only.
        pip = ("env", str(venv / "bin" / "python3"), "-m", "pip", "install", "--quiet", "--no-input")
        steps.append((f"{venv} filled", (*pip, "--no-cache-dir", "--disable-pip-version-check", *needs)))
    if project.node_needs:
        locked = any((tree / project.root / name).is_file() for name in LOCKS)
        words = ("npm", "ci" if locked else "install", "--ignore-scripts", "--no-audit", "--no-fund")
        steps.append((digest(str(tree), "npm"), words))
    return steps


def _venv(bench: CheckEnvironment, tree: Path, project: Project) -> Path:
    """Trees that need the same share one virtual environment; the files that pip reads are part of its name."""
    lists = [word for word in project.python_needs if not word.startswith("-")]
    contents = [(safe_bytes(tree / project.root, name) or b"").decode(errors="replace") for name in lists]
    return bench.folder / f"venv-{digest(*project.python_needs, *contents)}"


def _why_not(command: Command, done: CommandResult, secrets: tuple[str, ...]) -> str:
    lines = [line for line in redact(ESCAPES.sub("", done.output), secrets).splitlines() if line.strip()]
    said = "it took too long" if done.timed_out else " | ".join(lines[-3:])[-300:]
    tool = "pip" if command[0] == "env" else posixpath.basename(command[0])
    return f"what it needs could not be installed ({tool}): {said}"
