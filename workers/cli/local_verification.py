"""Verifies a patch for a repository on this machine, as the stage `fix` verifies the patch of an agent."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from workers.clients.git import MAX_PATCH_BYTES
from workers.clients.git.local import LocalRepositories
from workers.errors import InvalidArgument, Refused
from workers.models import (
    Category,
    Fix,
    Plan,
    PlanCause,
    ReasonKind,
    Repository,
    Reproduction,
    Verdict,
    VerdictReason,
    Verification,
    VerificationReason,
)
from workers.remediation import verification
from workers.remediation.sandboxed_commands import REPRODUCTION_SECONDS
from workers.sandbox.builder import build_sandbox
from workers.sandbox.sandbox import Sandbox

NAME = "local/repository"
"""Name of the mirror. It has the form `owner/name` and is never looked up."""
NO_CAUSE = PlanCause(summary="unknown")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Commit time of a fix that is never committed."""
SHARED_FOLDERS = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 (a random folder below them is made)
"""Folders for temporary files where TMPDIR names a private one (hier(7))."""
FOLDER_MODE = 0o711
"""Lets the sandbox's user reach its own tree below the temporary folder, and not list the others."""


@dataclass(frozen=True)
class Request:
    """A patch to verify, and the place and reproduction of its fault.

    Attributes:
        directory: a working or a bare repository.
        revision: the base of the patch, and the deployed commit.
        patch: a unified diff.
        root: the service's folder, relative to the repository; empty for the repository itself.
        service: name that selects a section of `.trackwalker.toml`.
        cause: file and line of the fault by the evidence; None if nothing is known.
    """

    directory: Path
    revision: str
    patch: bytes
    reproduction: Reproduction
    category: Category = Category.CODE
    root: str = ""
    service: str = ""
    cause: PlanCause | None = None


def verify(
    request: Request, *,
    secrets: tuple[str, ...] = (),
    allow_unsandboxed: bool = False,
    reproduction_seconds: float = REPRODUCTION_SECONDS,
    sandbox: Sandbox | None = None,
) -> Verification:  # fmt: skip
    """The verification of the patch. Nothing is left on this machine.

    Args:
        secrets: values that a patch must not contain and output must not show.
        allow_unsandboxed: whether the repository's code may run without a sandbox if none can be built.
        reproduction_seconds: deadline of one run of the reproduction.
        sandbox: where the repository's code runs; None builds the strictest one.

    Raises:
        InvalidArgument: the request names something that does not exist, or the patch does not apply.
        AgentRefused: no sandbox can be built on this machine.
    """
    with _temporary_folder() as folder:
        repositories = LocalRepositories(folder / "work")
        commit = repositories.import_commit(NAME, request.directory, request.revision)
        if not repositories.has_folder(NAME, commit, request.root):
            raise InvalidArgument(f"the repository has no folder {request.root!r} at {request.revision!r}")
        try:
            patch, files = repositories.canonical_patch(NAME, commit, _decode(request.patch))
        except Refused as error:
            reason = VerificationReason(kind=ReasonKind.POLICY, text=str(error))
            return Verification(decision="rejected", reasons=(reason,))
        fix = Fix(
            base_commit=commit, patch=patch, files=tuple(files),
            reproduction_path=request.reproduction.path, committed_at=EPOCH,
        )  # fmt: skip
        return verification.verify(
            fix, _plan(request), _verdict(request),
            Repository(name=NAME, base="", deployed=commit, root=request.root),
            service=request.service, repositories=repositories,
            sandbox=sandbox or _sandbox(folder, allow_unsandboxed=allow_unsandboxed), secrets=secrets,
            reproduction_seconds=reproduction_seconds,
        )  # fmt: skip


def _plan(request: Request) -> Plan:
    return Plan(verdict=request.category, cause=request.cause or NO_CAUSE, reproduction=request.reproduction)


def _verdict(request: Request) -> Verdict:
    return Verdict(category=request.category, reason=VerdictReason.ERROR_IN_CODE, summary="")


def _decode(patch: bytes) -> str:
    if len(patch) > MAX_PATCH_BYTES:
        raise Refused(f"the patch is larger than {MAX_PATCH_BYTES // 2**20} MiB")
    try:
        return patch.decode()
    except UnicodeDecodeError as error:
        raise Refused("the patch contains text that is not UTF-8") from error


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(
        prefix="trackwalker-verify-", dir=_temporary_parent(), ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        folder.chmod(FOLDER_MODE)
        yield folder


def _temporary_parent() -> Path:
    """The first folder for temporary files that other users can pass through; the sandbox's user is another one."""
    folders = [Path(tempfile.gettempdir()), *SHARED_FOLDERS]
    passable = (folder for folder in folders if folder.is_dir() and _is_passable(folder.resolve()))
    return next(passable, folders[0]).resolve()


def _is_passable(folder: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents))


def _sandbox(folder: Path, *, allow_unsandboxed: bool) -> Sandbox:
    scratch = folder / "scratch"
    scratch.mkdir(mode=0o700)
    return build_sandbox(
        hide=[folder, Path.cwd() / ".env"], scratch=scratch, allow_unsandboxed=allow_unsandboxed
    )
