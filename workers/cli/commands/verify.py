"""`trackwalker verify`: verify a patch for a local repository."""

from __future__ import annotations

import argparse
import posixpath
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.cli.commands.shared import (
    Subparsers,
    add_command,
    add_json,
    print_error,
    print_json,
    print_lines,
    print_progress,
)

if TYPE_CHECKING:
    from workers.models import PlanCause, Reproduction, Verification
    from workers.runtime.settings import Settings

INVALID_ARGUMENT = 2  # exit code, the same as argparse's
TERMINATED = 143  # 128 + SIGTERM
KINDS_WITH_FILE = ("test", "script")
KINDS_WITHOUT_FILE = ("load", "none")
KINDS = (*KINDS_WITH_FILE, *KINDS_WITHOUT_FILE)


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "verify",
        "verify a patch for a local repository as a fix is verified",
        details="Runs the patch policy and the verification that decide about a pull request. Needs no settings, no\n"
        "Redis and no network, and writes nothing into the repository. The base counts as the deployed commit.\n"
        "Exit code: 0 for any decision, 2 if an argument is wrong, 1 if nothing could be verified here.",
        example="verify --repository ../shop --base main --patch fix.diff --reproduction test:tests/test_gift.py",
    )
    parser.add_argument("--repository", required=True, type=Path, metavar="DIR", help="a git repository")
    parser.add_argument("--base", required=True, metavar="REV", help="the branch, tag or commit to patch")
    parser.add_argument(
        "--patch", required=True, metavar="FILE", help="a unified diff; - reads standard input"
    )
    parser.add_argument(
        "--reproduction", required=True, type=_reproduction, metavar="KIND:PATH",
        help="the new file that shows the fault: test:PATH or script:PATH; or load, or none",
    )  # fmt: skip
    parser.add_argument(
        "--category", choices=("code", "deployment"), default="code",
        help="deployment also allows manifests and build files (default: code)",
    )  # fmt: skip
    parser.add_argument(
        "--root", default="", type=_inner_path, metavar="DIR",
        help="the service's folder in the repository (default: the whole repository)",
    )  # fmt: skip
    parser.add_argument(
        "--service", default="", metavar="NAME", help="the section of .trackwalker.toml (default: none)"
    )
    parser.add_argument(
        "--cause", type=_cause, metavar="FILE:LINE", help="where the fault is (default: unknown)"
    )
    add_json(parser, "one JSON object")
    parser.set_defaults(run=run, without_settings=True)


def run(_settings: Settings | None, options: argparse.Namespace) -> int:
    """Print the decision."""
    from workers.cli import local_verification
    from workers.errors import InvalidArgument
    from workers.models import Category

    signal.signal(signal.SIGTERM, _stop)
    secrets, allow_unsandboxed = _own_settings()
    try:
        request = local_verification.Request(
            directory=options.repository, revision=options.base, patch=_read_patch(options.patch),
            reproduction=options.reproduction, category=Category(options.category), root=options.root,
            service=options.service, cause=options.cause,
        )  # fmt: skip
        verification = local_verification.verify(
            request, secrets=secrets, allow_unsandboxed=allow_unsandboxed
        )
    except InvalidArgument as error:
        print_error(error)
        return INVALID_ARGUMENT
    if options.json:
        print_json(_to_json(verification))
    else:
        print_lines(_to_text(verification).split("\n"))
    return 0


def _stop(*_: object) -> None:
    # An exception, so that the temporary folder is removed and the sandbox ended.
    raise SystemExit(TERMINATED)


def _own_settings() -> tuple[tuple[str, ...], bool]:
    """The values of our own secrets, where settings are set, and whether code may run without a sandbox."""
    from workers.errors import SettingsError
    from workers.remediation.resources import patch_secrets
    from workers.runtime import settings

    try:
        config = settings.read()
    except SettingsError as error:
        print_progress("settings are ignored, and the patch is not searched for your own secrets")
        print_error(error)
        return (), False
    return patch_secrets(config), config.allow_unsandboxed


def _read_patch(name: str) -> bytes:
    from workers.clients.git import MAX_PATCH_BYTES
    from workers.errors import InvalidArgument

    limit = MAX_PATCH_BYTES + 1  # the byte more shows that the patch is too large
    if name == "-":
        return sys.stdin.buffer.read(limit)
    try:
        with Path(name).open("rb") as file:
            return file.read(limit)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidArgument(f"the patch {name!r} cannot be read: {reason}") from error


# ---- arguments ----


def _reproduction(text: str) -> Reproduction:
    from workers.models import Reproduction

    kind, _, path = text.partition(":")
    if kind not in KINDS:
        raise argparse.ArgumentTypeError(f"{kind!r} is not a kind of reproduction: use {', '.join(KINDS)}")
    if kind in KINDS_WITHOUT_FILE and path:
        raise argparse.ArgumentTypeError(f"a reproduction of the kind {kind} has no path")
    if kind in KINDS_WITH_FILE and not path:
        raise argparse.ArgumentTypeError(f"a path is missing: use {kind}:PATH")
    return Reproduction(kind=kind, path=_inner_path(path) if path else None)  # type: ignore[arg-type]


def _cause(text: str) -> PlanCause:
    from workers.models import PlanCause

    file, _, line = text.rpartition(":")
    if not file or not (line.isascii() and line.isdigit() and int(line) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not FILE:LINE")
    return PlanCause(summary="as given", file=_inner_path(file), line=int(line))


def _inner_path(text: str) -> str:
    """A path inside the repository, without `.` and double slashes; empty for the repository itself."""
    path = posixpath.normpath(text)
    if posixpath.isabs(path) or path.split("/")[0] == ".." or "\n" in path or "\0" in path:
        raise argparse.ArgumentTypeError(f"{text!r} is not a path inside the repository")
    return "" if path == "." else path


# ---- output ----


def _to_json(verification: Verification) -> dict[str, Any]:
    return {
        "decision": verification.decision,
        "reasons": [reason.text for reason in verification.reasons],
        "notes": list(verification.notes),
        "runs": [run.model_dump(mode="json") for run in verification.runs],
        "sandbox": verification.sandbox,
    }


def _to_text(verification: Verification) -> str:
    from workers.runtime.text import one_line, plural

    runs = verification.runs
    lines = [f"Decision: {verification.decision}"]
    lines += [f"  reason: {one_line(reason.text)}" for reason in verification.reasons]
    lines += [f"  note: {one_line(note)}" for note in verification.notes]
    lines += [f"Sandbox: {one_line(verification.sandbox)}"] if verification.sandbox and runs else []
    lines.append(f"{plural(len(runs), 'run')}{':' if runs else ''}")
    lines += [
        f"  {run.outcome:<7} {run.seconds:>5.1f} s  {one_line(run.name)}: {one_line(run.command)}"
        for run in runs
    ]
    return "\n".join(lines)
