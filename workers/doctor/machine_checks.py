"""Checks this machine: the programs, the sandbox, the data folder, the port, and the dead man's switch."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workers.agent.coding_agent import PROGRAMS
from workers.agent.config import find_tool
from workers.doctor.check_context import Context
from workers.doctor.http_requests import send
from workers.doctor.results import error, passed, warning
from workers.errors import AgentBusy, AgentRefused
from workers.models.check_results import CheckResult
from workers.runtime.environment import DATA_DIR, installation_folder
from workers.sandbox.builder import build_sandbox

PROGRAM_AREA, SANDBOX, DATA, HEARTBEAT = "Programs", "Sandbox", "Data folder", "Heartbeat"
VERSION_SECONDS = 9.0  # for `--version`; opencode unpacks itself, and needs a second on an idle machine
VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?")
LOCK_FILE = "tools/package-lock.json"  # names the version of opencode that `make setup` installs
GIB = 2**30
MIN_FREE_BYTES = GIB  # a clone, its dependencies and the journal; a fix may need twice as much
SET_UP = "run `make setup`"

log = logging.getLogger("trackwalker.doctor")


def check_programs(context: Context) -> Iterator[CheckResult]:
    """Whether git, the agent and ripgrep are there, and whether the agent has the version that was tested."""
    versions = []
    git = shutil.which("git", path=context.environ.get("PATH"))
    if git is None:
        result = error if context.settings.can_fix else warning
        yield result(
            PROGRAM_AREA,
            "git is not in PATH: no code is read, and no fix is made",
            "install git, for example: apt-get install git",
        )
    else:
        versions.append(f"git {_version([git]) or '(version unknown)'}")
    if context.settings.model:
        agent = list(_check_agent(context))
        versions += [result.what for result in agent if result.status.value == "ok"]
        yield from (result for result in agent if result.status.value != "ok")
    if versions:
        yield passed(PROGRAM_AREA, ", ".join(versions))


def _check_agent(context: Context) -> Iterator[CheckResult]:
    config, tools = context.settings, installation_folder() / ".tools"
    program, setting = PROGRAMS[config.agent]
    chosen = {
        "OPENCODE_BIN": config.opencode_bin,
        "CLAUDE_CODE_ACP_BIN": config.claude_code_acp_bin,
        "CODEX_ACP_BIN": config.codex_acp_bin,
    }[setting]
    for name, path, variable in ((program, chosen, setting), ("rg", None, "PATH")):
        try:
            program_path = find_tool(name, path, variable, tools)
        except AgentRefused as refused:
            what, _, repair = str(refused).partition(". ")
            yield error(PROGRAM_AREA, what, repair or SET_UP)
            continue
        version = "" if context.is_quick else _version([str(program_path)])
        pinned = _pinned_version() if name == "opencode" else ""
        if pinned and version and version != pinned:
            yield warning(
                PROGRAM_AREA, f"opencode is {version}; {pinned} is tested", f"{SET_UP}, or unset OPENCODE_BIN"
            )
        else:
            yield passed(PROGRAM_AREA, f"{name} {version}".strip())


def _version(command: list[str]) -> str:
    """The version that a program prints; "" if it prints none in time."""
    with tempfile.TemporaryDirectory() as home, suppress(OSError, subprocess.SubprocessError):
        # Without our environment, which holds tokens, and with a home of its own, into which opencode writes.
        environ = {"PATH": os.environ.get("PATH", ""), "HOME": home, "XDG_DATA_HOME": home}
        output = subprocess.run(
            [*command, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, env=environ,
            check=False, stdin=subprocess.DEVNULL,
        ).stdout  # fmt: skip
        match = VERSION.search(output)
        return match[0] if match else ""
    return ""


def _pinned_version() -> str:
    try:
        packages = json.loads((installation_folder() / LOCK_FILE).read_text())["packages"]
        versions = [value["version"] for name, value in packages.items() if "/opencode-" in name]
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # the image has no lock file
    return str(versions[0]) if versions else ""


def check_sandbox(context: Context) -> Iterator[CheckResult]:
    """The strictest sandbox that this machine allows, found by trying it."""
    needed = context.settings.can_fix
    try:
        with _scratch(context.folder) as scratch:
            sandbox = build_sandbox(
                hide=[context.folder], scratch=scratch, allow_unsandboxed=context.settings.allow_unsandboxed
            )
    except (AgentRefused, AgentBusy, OSError) as refused:
        result = error if needed else warning
        repair = "install bubblewrap, or run in a container that allows user namespaces"
        yield result(SANDBOX, str(refused), repair)
        return
    text = sandbox.describe().rstrip(".")
    if sandbox.kind in ("uid", "none"):
        yield warning(SANDBOX, text, "install bubblewrap, or use a kernel with Landlock")
    else:
        yield passed(SANDBOX, text)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """The scratch folder of the installation, or another one where there is none yet: a check makes none."""
    if folder.is_dir():
        yield folder / "scratch"
        return
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)  # commands run as another user
        yield Path(name)


def check_data_folder(context: Context) -> Iterator[CheckResult]:
    """Whether the data folder can be written, and has room for clones and the journal."""
    folder = context.folder
    existing = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    try:
        if not existing.is_dir():
            raise NotADirectoryError(20, "is no folder")
        with tempfile.TemporaryFile(dir=existing):
            pass
        free = shutil.disk_usage(existing).free
    except OSError as failure:
        yield error(
            DATA,
            f"{existing} cannot be written: {failure.strerror}",
            f"set {DATA_DIR} to a folder of this user, or chown it",
        )
        return
    text = f"{folder}, {free / GIB:.0f} GB free" if free >= GIB else f"{folder}, {free / 2**20:.0f} MB free"
    if free < MIN_FREE_BYTES:
        yield warning(
            DATA,
            f"{text}: clones and the journal need 1 GB",
            f"free space, or set {DATA_DIR} to another disk",
        )
    else:
        yield passed(DATA, text)


def check_heartbeat(context: Context) -> Iterator[CheckResult]:
    """Whether the dead man's switch accepts a call, which it counts as a sign of life."""
    url = context.settings.heartbeat_url
    if url is None:
        return
    response = send(context, "GET", url.get_secret_value(), name="TRACKWALKER_HEARTBEAT_URL")
    if response.is_success:
        yield passed(HEARTBEAT, "the dead man's switch accepts calls")
    else:
        yield error(
            HEARTBEAT,
            f"TRACKWALKER_HEARTBEAT_URL answers {response.status_code}",
            "copy the address of the check from its service again",
        )
