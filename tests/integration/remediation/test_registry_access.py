"""Installations in the sandbox: the registry proxy is the only thing of the network that they reach."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fakes.registries import FakeRegistry, serve_registry
from workers.errors import AgentRefused
from workers.gateway.registries import describe_fetched
from workers.gateway.registry_settings import Registry, RegistrySettings
from workers.remediation.registry_access import RegistryAccess, registry_access
from workers.remediation.sandboxed_commands import toolchain_prefixes
from workers.sandbox import commands
from workers.sandbox.builder import KINDS, build_sandbox
from workers.sandbox.commands import CommandResult
from workers.sandbox.sandbox import Kind, Sandbox

PYTHON = str(Path(sys.base_prefix, "bin", "python3"))
# The pip that Python brings along: a virtual environment would take seconds to make.
PIP = (
    "import ensurepip, pathlib, runpy, sys\n"
    "sys.path.insert(0, str(next(pathlib.Path(ensurepip.__file__).parent.glob('_bundled/pip-*.whl'))))\n"
    "runpy.run_module('pip', run_name='__main__')\n"
)
CONNECT = "import socket, sys\nsocket.create_connection(('127.0.0.1', int(sys.argv[1])), 3).close()\nprint('reached')"


@pytest.fixture(params=KINDS)
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """A sandbox of one level."""
    kind: Kind = request.param
    try:
        return build_sandbox(hide=(), scratch=tmp_path / "scratch", allow_unsandboxed=False, kinds=[kind])
    except AgentRefused as error:
        pytest.skip(f"no {kind} here: {error}")


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with serve_registry() as served:
        yield served


def settings(registry: FakeRegistry) -> RegistrySettings:
    return RegistrySettings(indexes=(Registry(f"{registry.url}/simple"),), npm=Registry(registry.url))


def run(sandbox: Sandbox, folder: Path, *argv: str, access: RegistryAccess | None = None) -> CommandResult:
    """Run a command in the folder, with the access to registries if there is one."""
    folder.mkdir(exist_ok=True)
    variables = {"HOME": str(folder), "TMPDIR": str(folder), **(access.variables if access else {})}
    return commands.run(
        sandbox, argv, cwd=folder, writable=[folder], readable=toolchain_prefixes(), env=variables,
        ports=access.ports if access else None, timeout_seconds=120,
    )  # fmt: skip


def test_pip_installs_through_the_proxy_and_reaches_nothing_else(
    sandbox: Sandbox, registry: FakeRegistry, tmp_path: Path
) -> None:
    registry.add_wheel("tiny", "print('the tiny package')\n")
    folder = tmp_path / "work"

    with registry_access(sandbox, settings(registry)) as access:
        pip = run(sandbox, folder, PYTHON, "-c", PIP, "install", "--target", "out", "tiny", access=access)
        text = describe_fetched(list(access.fetched))
    with registry_access(sandbox, settings(registry)) as access:
        port = registry.url.rpartition(":")[2]
        direct = run(sandbox, folder, PYTHON, "-c", CONNECT, port, access=access)
    imported = run(sandbox, folder, PYTHON, "-c", "import sys; sys.path.append('out'); import tiny")

    assert pip.code == 0, pip.output
    assert text == "1 package fetched from 1 registry"
    assert imported.output == "the tiny package\n"
    assert sandbox.kind == "uid" or "reached" not in direct.output


def test_the_proxy_ends_with_its_command(sandbox: Sandbox, registry: FakeRegistry, tmp_path: Path) -> None:
    with registry_access(sandbox, settings(registry)) as access:
        port = access.ports.number("registry")

    after = run(sandbox, tmp_path / "work", PYTHON, "-c", CONNECT, str(port))

    assert "reached" not in after.output
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", port), 3):
        pass


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_installs_through_the_proxy(sandbox: Sandbox, registry: FakeRegistry, tmp_path: Path) -> None:
    registry.add_npm("tiny", "console.log('the tiny package')")
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "package.json").write_text(
        json.dumps({"name": "x", "version": "1.0.0", "dependencies": {"tiny": "*"}})
    )

    with registry_access(sandbox, settings(registry)) as access:
        npm = run(sandbox, folder, "npm", "install", access=access)
    required = run(sandbox, folder, "node", "-e", "require('tiny')")

    assert npm.code == 0, npm.output
    assert required.output == "the tiny package\n"
