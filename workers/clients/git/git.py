"""How git is run: nobody's configuration, hooks, prompts or helpers, but limits, and errors we know.

A credential is given as a header in git's environment, for one command and one server: never in the argument
list, an address or a file.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import SecretStr

from workers.errors import GitHubBusy, GitHubRefused
from workers.runtime.redaction import redact
from workers.runtime.text import truncate_start
from workers.sandbox.sandbox import LAUNCHER

LOCAL_SECONDS, NETWORK_SECONDS = 120.0, 300.0
MAX_OUTPUT_BYTES = 32 * 2**20
"""Bytes of one answer of git: a diff above that is read by nobody."""
MAX_DISK_BYTES = 4 * 2**30
"""Bytes of one mirror or tree; the largest repositories of ordinary services stay below 1 GB."""
POLL_SECONDS, MEASURE_SECONDS = 0.02, 2.0
MAX_MESSAGE_CHARS = 400  # characters of git's output in an error: the last ones name the failure
CONFIGURATION = {
    "core.hooksPath": "/dev/null", "core.fsmonitor": "false", "core.symlinks": "true",
    "core.fileMode": "true", "core.autocrlf": "false", "core.quotePath": "false", "core.askPass": "",
    "credential.helper": "", "fetch.recurseSubmodules": "false", "submodule.recurse": "false",
    "gc.auto": "0", "maintenance.auto": "false", "init.templateDir": "", "init.defaultBranch": "main",
    "advice.detachedHead": "false", "safe.directory": "*",
    "diff.noprefix": "false", "diff.mnemonicPrefix": "false", "color.ui": "false",
    "http.lowSpeedLimit": "1000", "http.lowSpeedTime": "30",
}  # fmt: skip
UNAVAILABLE_MESSAGES = re.compile(
    r"returned error: (?:408|425|429|5\d\d)|could not resolve|couldn't connect|failed to connect|connection"
    r"|timed out|early eof|unexpected disconnect|hung up|empty reply|rpc failed|operation too slow"
    r"|recv failure|server closed|internal server error|ssl_|gnutls|bad packet|expected flush",
    re.IGNORECASE,
)
PUSH_REJECTED = re.compile(r"\[(?:remote )?rejected\]\s*(.*)")
NO_ACCESS_MESSAGES = re.compile(
    r"returned error: 40[134]|authentication failed|could not read (?:username|password)|repository not found"
    r"|repository '[^']*' not found|access denied|not granted|terminal prompts disabled",
    re.IGNORECASE,
)


class GitCommandError(Exception):
    """A git command ended badly for a reason that lies in our own copy or in what it was given."""


class SizeLimitExceeded(GitCommandError):
    """It wanted to print, or to store, more than we take."""


@dataclass(frozen=True)
class Access:
    """Where a repository is fetched from and pushed to, and the credential for that server alone."""

    name: str
    url: str
    server: str
    credential: SecretStr | None


def run(
    folder: Path,
    *words: str,
    stdin: bytes = b"",
    variables: Mapping[str, str] | None = None,
    measured: Path | None = None,
) -> bytes:
    """What a local git command prints. Raises GitFailed; TooBig once `measured` is over MOST_ON_DISK."""
    surroundings = _environment(CONFIGURATION, "file") | dict(variables or {})
    code, output, said = _execute(["git", *words], folder, surroundings, stdin, LOCAL_SECONDS, measured)
    if code != 0:
        raise GitCommandError(f"git {words[0]}: {_short(said)}")
    return output


def run_remote(access: Access, folder: Path, *words: str, measured: Path | None = None) -> bytes:
    """What a git command that talks to the server prints.

    Raises GitHubBusy or GitHubRefused for what the server or the network did, GitFailed for anything else.
    """
    configuration = CONFIGURATION | _header(access)
    # The launcher ties git's life to ours: a push must not go on after its worker has died.
    spec = {
        "argv": ["git", *words],
        "cwd": str(folder),
        "limits": {},
        "parent": os.getpid(),
        "supervise": False,
    }
    command = [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(spec)]
    surroundings = _environment(configuration, "http:https")
    code, output, said = _execute(command, folder, surroundings, b"", NETWORK_SECONDS, measured)
    if code != 0:
        raise _failure(said + output.decode(errors="replace"), access.name, "push" in words)
    return output


def _header(access: Access) -> dict[str, str]:
    if access.credential is None:
        return {}
    pair = f"x-access-token:{access.credential.get_secret_value()}".encode()
    return {f"http.{access.server}/.extraHeader": f"Authorization: Basic {base64.b64encode(pair).decode()}"}


def _environment(configuration: Mapping[str, str], protocols: str) -> dict[str, str]:
    kept = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")
    numbered = {"GIT_CONFIG_COUNT": str(len(configuration))}
    for number, (key, value) in enumerate(configuration.items()):
        numbered |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {name: os.environ[name] for name in kept if name in os.environ} | numbered | {
        "HOME": "/nonexistent", "LC_ALL": "C", "TZ": "UTC", "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_ATTR_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "", "GIT_ALLOW_PROTOCOL": protocols, "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_OPTIONAL_LOCKS": "0",
    }  # fmt: skip


def _execute(
    command: Sequence[str],
    folder: Path,
    surroundings: Mapping[str, str],
    stdin: bytes,
    seconds: float,
    measured: Path | None,
) -> tuple[int, bytes, str]:
    """Exit code, output and what it said beside; files and not pipes, so that nothing can fill our memory."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(
            command, cwd=folder, env=dict(surroundings), stdin=given, stdout=out, stderr=err
        )
        try:
            _wait(process, out, seconds, measured)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        out.seek(0)
        err.seek(0)
        return process.returncode, out.read(MAX_OUTPUT_BYTES), err.read(65536).decode(errors="replace")


def _wait(process: subprocess.Popen[bytes], out: IO[bytes], seconds: float, measured: Path | None) -> None:
    deadline, measure_at = time.monotonic() + seconds, time.monotonic() + MEASURE_SECONDS
    while True:
        try:
            process.wait(POLL_SECONDS)
            break
        except subprocess.TimeoutExpired:
            pass
        if time.monotonic() > deadline:
            raise GitHubBusy(f"git took longer than {seconds:.0f} s")
        if os.fstat(out.fileno()).st_size > MAX_OUTPUT_BYTES:
            raise SizeLimitExceeded(f"git prints more than {MAX_OUTPUT_BYTES // 2**20} MiB")
        if measured and time.monotonic() > measure_at:
            measure_at = time.monotonic() + MEASURE_SECONDS
            _measure(measured)


def _measure(folder: Path) -> None:
    total = 0
    for top, _dirs, files in os.walk(folder):
        for name in files:
            try:
                total += Path(top, name).lstat().st_size
            except FileNotFoundError:
                continue  # git moves its temporary files while we look
    if total > MAX_DISK_BYTES:
        raise SizeLimitExceeded(f"more than {MAX_DISK_BYTES / 10**9:.0f} GB")


def _failure(said: str, name: str, writes: bool) -> Exception:
    """Whose fault it is, read from git's own words (LC_ALL=C)."""
    if found := PUSH_REJECTED.search(said):
        return GitHubRefused(f"GitHub did not take the push to {name}: {_short(found[0])}")
    if NO_ACCESS_MESSAGES.search(said):
        may = "write to" if writes else "read"
        return GitHubRefused(f"repository {name} not found, or GITHUB_TOKEN may not {may} it")
    if UNAVAILABLE_MESSAGES.search(said):
        return GitHubBusy(f"git could not talk to GitHub about {name}: {_short(said)}")
    return GitCommandError(_short(said))


def _short(said: str) -> str:
    lines = [line for line in redact(said).splitlines() if line.strip() and not line.startswith("hint:")]
    return truncate_start(" | ".join(lines), MAX_MESSAGE_CHARS) or "no reason given"
