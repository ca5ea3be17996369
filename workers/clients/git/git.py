"""Runs git without user configuration, hooks, prompts or credential helpers, within limits of time and space.

A credential is passed as an HTTP header in git's environment, for one command and one server. It never appears in the
argument list, an address or a file.
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

LOCAL_SECONDS = 120.0
"""Time limit of a command on local files; a checkout of a large repository takes some seconds."""
NETWORK_SECONDS = 300.0
"""Time limit of a fetch or push; the first fetch of a large repository takes minutes."""
MAX_OUTPUT_BYTES = 32 * 2**20
"""Output of one command that is read; far above any diff that a person reviews."""
MAX_DISK_BYTES = 4 * 2**30
"""Size of one mirror or tree; the repositories of ordinary services stay below 1 GB."""
MAX_STDERR_BYTES = 65_536
"""Error output of one command that is read."""
POLL_SECONDS = 0.02
"""Interval at which a running command is checked."""
MEASURE_SECONDS = 2.0
"""Interval at which the folder of a running command is measured; walking a large tree takes longer than a poll."""
MAX_ERROR_CHARS = 400
"""Length of git's error text in our errors."""

# Set for every command, so that neither the host's nor the repository's configuration runs code or changes output:
# hooks, fsmonitor and helpers would run programs; prefixes, quoting and colours would change the diffs that are parsed.
# `safe.directory`: trees may belong to the sandbox's user. `http.lowSpeed*`: a stalled transfer ends after 30 s.
CONFIGURATION = {
    "core.hooksPath": "/dev/null", "core.fsmonitor": "false", "core.symlinks": "true",
    "core.fileMode": "true", "core.autocrlf": "false", "core.quotePath": "false", "core.askPass": "",
    "credential.helper": "", "fetch.recurseSubmodules": "false", "submodule.recurse": "false",
    "gc.auto": "0", "maintenance.auto": "false", "init.templateDir": "", "init.defaultBranch": "main",
    "advice.detachedHead": "false", "safe.directory": "*",
    "diff.noprefix": "false", "diff.mnemonicPrefix": "false", "color.ui": "false",
    "http.lowSpeedLimit": "1000", "http.lowSpeedTime": "30",
}  # fmt: skip
# git reports the failures of a server or a network in its text only. LC_ALL=C keeps the text in English.
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

WRONG_CREDENTIAL = re.compile(r"returned error: 401|authentication failed", re.IGNORECASE)


class GitCommandError(Exception):
    """A git command failed because of its arguments or of the local repository, not of the server."""


class SizeLimitExceeded(GitCommandError):
    """A command exceeded the limit of output or of disk space."""


@dataclass(frozen=True)
class Access:
    """A remote repository and its credential.

    Attributes:
        name: `owner/name`.
        url: address for fetch and push, without a credential.
        server: prefix of the addresses to which the credential is sent.
        credential: password for the user `x-access-token`; None for a repository that needs none.
    """

    name: str
    url: str
    server: str
    credential: SecretStr | None


def run(
    folder: Path,
    *arguments: str,
    stdin: bytes = b"",
    variables: Mapping[str, str] | None = None,
    measured: Path | None = None,
) -> bytes:
    """The output of a command on local files.

    Args:
        folder: working directory.
        arguments: subcommand and its arguments.
        variables: additional environment variables.
        measured: folder whose size is limited to MAX_DISK_BYTES; None measures nothing.

    Raises:
        GitCommandError: the command failed.
        SizeLimitExceeded: the output or the measured folder became too large.
        GitHubBusy: the command took longer than LOCAL_SECONDS.
    """
    environment = _environment(CONFIGURATION, "file") | dict(variables or {})
    command = ["git", *arguments]
    code, output, stderr = _execute(command, folder, environment, stdin, LOCAL_SECONDS, measured)
    if code != 0:
        raise GitCommandError(f"git {arguments[0]}: {_short(stderr)}")
    return output


def run_remote(access: Access, folder: Path, *arguments: str, measured: Path | None = None) -> bytes:
    """The output of a command that talks to the server. Arguments as for `run`.

    Raises:
        GitHubBusy: the server or the network failed.
        GitHubRefused: the server refused the credential, the repository or the push.
        GitCommandError: the command failed for another reason.
        SizeLimitExceeded: the output or the measured folder became too large.
    """
    # The launcher ends git together with this process: a push must not continue after its worker has crashed.
    spec = {
        "argv": ["git", *arguments],
        "cwd": str(folder),
        "parent": os.getpid(),
    }
    command = [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(spec)]
    environment = _environment(CONFIGURATION | _credential_header(access), "http:https")
    code, output, stderr = _execute(command, folder, environment, b"", NETWORK_SECONDS, measured)
    if code != 0:
        raise _remote_error(stderr + output.decode(errors="replace"), access.name, "push" in arguments)
    return output


def _credential_header(access: Access) -> dict[str, str]:
    if access.credential is None:
        return {}
    pair = f"x-access-token:{access.credential.get_secret_value()}".encode()
    return {f"http.{access.server}/.extraHeader": f"Authorization: Basic {base64.b64encode(pair).decode()}"}


def _environment(configuration: Mapping[str, str], protocols: str) -> dict[str, str]:
    """The whole environment of git: a few inherited variables, the configuration, and switches against side effects."""
    inherited = (
        "PATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "HTTPS_PROXY",
        "https_proxy",
        "NO_PROXY",
        "no_proxy",
    )
    numbered = {"GIT_CONFIG_COUNT": str(len(configuration))}
    for number, (key, value) in enumerate(configuration.items()):
        numbered |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {name: os.environ[name] for name in inherited if name in os.environ} | numbered | {
        "HOME": "/nonexistent", "LC_ALL": "C", "TZ": "UTC", "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_ATTR_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "", "GIT_ALLOW_PROTOCOL": protocols, "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_OPTIONAL_LOCKS": "0",
    }  # fmt: skip


def _execute(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdin: bytes,
    seconds: float,
    measured: Path | None,
) -> tuple[int, bytes, str]:
    """Exit code, output and error output. Files take the place of pipes, so that no output fills our memory."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        try:
            process = subprocess.Popen(
                command, cwd=folder, env=dict(environment), stdin=given, stdout=out, stderr=err
            )
        except FileNotFoundError as error:
            raise GitHubRefused(_missing_program(error, folder)) from error
        try:
            _wait(process, out, seconds, measured)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        out.seek(0)
        err.seek(0)
        return (
            process.returncode,
            out.read(MAX_OUTPUT_BYTES),
            err.read(MAX_STDERR_BYTES).decode(errors="replace"),
        )


def _missing_program(error: FileNotFoundError, folder: Path) -> str:
    if not folder.exists():
        return f"the folder {folder} of a clone has vanished"
    return f"there is no program {error.filename or 'git'} in PATH: install it, then retry"


def _wait(process: subprocess.Popen[bytes], out: IO[bytes], seconds: float, measured: Path | None) -> None:
    ends_at, measure_at = time.monotonic() + seconds, time.monotonic() + MEASURE_SECONDS
    while True:
        try:
            process.wait(POLL_SECONDS)
            break
        except subprocess.TimeoutExpired:
            pass
        if time.monotonic() > ends_at:
            raise GitHubBusy(f"git took longer than {seconds:.0f} s")
        if os.fstat(out.fileno()).st_size > MAX_OUTPUT_BYTES:
            raise SizeLimitExceeded(f"git prints more than {MAX_OUTPUT_BYTES // 2**20} MiB")
        if measured and time.monotonic() > measure_at:
            measure_at = time.monotonic() + MEASURE_SECONDS
            _check_size(measured)


def _check_size(folder: Path) -> None:
    total = 0
    for top, _folders, files in os.walk(folder):
        for name in files:
            try:
                total += Path(top, name).lstat().st_size
            except FileNotFoundError:
                continue  # git renames its temporary files during the walk
    if total > MAX_DISK_BYTES:
        raise SizeLimitExceeded(f"more than {MAX_DISK_BYTES / 10**9:.0f} GB")


def _remote_error(output: str, name: str, writes: bool) -> Exception:
    """The error for a failed command, by git's messages."""
    # A rejected push comes first: its output may mention the connection as well.
    if match := PUSH_REJECTED.search(output):
        return GitHubRefused(f"GitHub rejected the push to {name}: {_short(match[0])}")
    if NO_ACCESS_MESSAGES.search(output):
        return GitHubRefused(_describe_no_access(output, name, writes), is_access=True)
    if UNAVAILABLE_MESSAGES.search(output):
        return GitHubBusy(f"git could not talk to GitHub about {name}: {_short(output)}")
    return GitCommandError(_short(output))


def _describe_no_access(output: str, name: str, writes: bool) -> str:
    if WRONG_CREDENTIAL.search(output):
        return f"GITHUB_TOKEN is wrong or expired (git was refused {name}). Create a new one and set it."
    if writes:
        return f"GITHUB_TOKEN may not push to {name}: it needs contents: read and write for this repository"
    return (
        f"{name} not found, or GITHUB_TOKEN has no access to it. Give it contents: read for this repository."
    )


def _short(output: str) -> str:
    """The end of git's messages on one line, redacted, without hints: git prints the reason last."""
    lines = [line for line in redact(output).splitlines() if line.strip() and not line.startswith("hint:")]
    return truncate_start(" | ".join(lines), MAX_ERROR_CHARS) or "no reason given"
