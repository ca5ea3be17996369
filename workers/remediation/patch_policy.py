"""The rules that every patch must keep, for any kind of fault. Pure over the patch and the two trees.

A refusal ends the attempt without a pull request; a note tells the reviewer something and blocks nothing. Each rule
is a heuristic over text and errs towards refusing: people can always make the change themselves.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workers.clients.git import FileDiff, read_diff, safe_read
from workers.models import Category
from workers.remediation import security_regressions, test_integrity
from workers.remediation.leaked_secrets import find_leaked_secrets
from workers.remediation.manifests import find_new_dependencies, runner_settings
from workers.runtime.protected_paths import DEPLOYMENT_PATHS, LOCK_FILES, matches_any, protected_group
from workers.runtime.text import plural

MAX_FILES = 12  # files of a patch: with MAX_LINES, a review takes a quarter of an hour at night
MAX_LINES = 400  # added and removed lines, lock files excluded
RUNNER_MANIFESTS = frozenset({"package.json", "pyproject.toml", "setup.cfg"})
SYMLINK_MODE = "120000"  # file modes of git's tree objects
SUBMODULE_MODE = "160000"
HOST = re.compile(
    r"\b(?:https?|wss?|postgres(?:ql)?|mysql|redis|amqps?|mongodb(?:\+srv)?)://(?:[^\s/@'\"]*@)?([\w.-]+)",
    re.I,
)
LOCAL_HOST = re.compile(
    r"localhost|127\.[\d.]+|0\.0\.0\.0|(?:.*\.)?example(?:\.\w+)?|.*\.(?:test|invalid|local|internal)"
)
"""Hosts on the same machine or network, and the names that RFC 2606 and RFC 6761 reserve."""


@dataclass(frozen=True)
class PolicyResult:
    """One sentence per broken rule and per note."""

    refusals: tuple[str, ...] = ()
    """Each one alone rejects the patch."""
    drafts: tuple[str, ...] = ()
    """Each one makes the patch a draft at best."""
    notes: tuple[str, ...] = ()
    """Told to the reviewer; they decide nothing."""
    applied: tuple[str, ...] = ()
    """Paths that a verification applies on top of the base commit."""


def check_patch(
    patch: str, before: Path, after: Path, *,
    category: Category, root: str, culprit: str | None, reproduction: str | None,  # noqa: ARG001
    allow: Sequence[str] = (),  # noqa: ARG001
    protected: Sequence[str] = (), secrets: Iterable[str] = (),
) -> PolicyResult:  # fmt: skip
    """Check a patch against all rules.

    Args:
        before: the tree without the patch; `after` is the tree with it.
        category: `deployment` allows changes to build files, lock files and dependencies.
        root: the service's folder in the repository; empty for the repository itself.
        culprit: the file that the plan blames; None if no plan names one.
        reproduction: the file that shows the fault; None if there is none.
        allow: the repository's globs of further paths that a patch may touch, from `.trackwalker.toml`.
        protected: the repository's globs of paths that no patch may touch, from the same file.
        secrets: values that no patch may contain.
    """
    files = read_diff(patch)
    old = {file.path: safe_read(before, file.path) if file.old else None for file in files}
    new = {file.path: safe_read(after, file.path) if file.new else None for file in files}
    deployment = category is Category.DEPLOYMENT
    refusals = [*_check_size(files), *_check_paths(files, protected, deployment=deployment)]
    refusals += [*_check_modes(files), *test_integrity.find_weakened_tests(old, new)]
    # A lock file is full of hashes that look like secrets, and the package manager wrote it.
    read_files = [file for file in files if not _is_lock_file(file.path)]
    refusals += find_leaked_secrets(read_files, patch, tuple(secrets))
    for path, text in old.items():
        refusals += _check_file(path, text, new[path], deployment=deployment)
    if files and not deployment and all(test_integrity.is_test(file.path) for file in files):
        refusals.append("the patch changes only tests")
    notes = _find_new_hosts(read_files, old)
    dependencies = [f"the patch adds the dependency {name}" for name in find_new_dependencies(old, new)]
    if deployment:
        notes += dependencies
    else:
        refusals += dependencies
    applied = [
        file.path for file in files if file.path == reproduction or not test_integrity.is_test(file.path)
    ]
    return PolicyResult(tuple(dict.fromkeys(refusals)), (), tuple(dict.fromkeys(notes)), tuple(applied))


def check_reproduction(
    tree: Path,
    path: str,
    *,
    root: str,  # noqa: ARG001
    culprit: str | None,  # noqa: ARG001
) -> tuple[str, ...]:
    """One sentence per reason why the reproduction shows nothing; `check_patch` includes them.

    Args:
        tree: the tree that holds the reproduction.
        path: the reproduction's path in the tree.
        root: the service's folder in the repository; empty for the repository itself.
        culprit: the file that the plan blames; None if no plan names one.
    """
    return () if safe_read(tree, path) is not None else (f"the reproduction {path} cannot be read",)


def _check_size(files: list[FileDiff]) -> list[str]:
    lines = sum(len(file.added) + len(file.removed) for file in files if not _is_lock_file(file.path))
    refusals = []
    if len(files) > MAX_FILES:
        refusals.append(f"the patch touches {plural(len(files), 'file')}, more than {MAX_FILES}")
    if lines > MAX_LINES:
        refusals.append(f"the patch changes {plural(lines, 'line')}, more than {MAX_LINES}")
    return refusals


def _check_paths(files: list[FileDiff], protected: Sequence[str], *, deployment: bool) -> list[str]:
    refusals = []
    for file in files:
        reason = _protection(file.path, protected, deployment=deployment)
        if reason:
            refusals.append(f"the patch touches a protected path: {file.path} ({reason})")
    return refusals


def _protection(path: str, protected: Sequence[str], *, deployment: bool) -> str | None:
    """The reason why a path is protected; None if a patch may touch it."""
    if group := protected_group(path):
        return group
    if not deployment and protected_group(path, DEPLOYMENT_PATHS):
        return "only fixes of a failed deployment may touch it"
    return "protected in .trackwalker.toml" if matches_any(path, protected) else None


def _check_modes(files: list[FileDiff]) -> list[str]:
    refusals = [f"the patch contains a binary file: {file.path}" for file in files if file.binary]
    refusals += [f"the patch creates a link: {file.path}" for file in files if file.mode == SYMLINK_MODE]
    return refusals + [
        f"the patch creates a submodule: {file.path}" for file in files if file.mode == SUBMODULE_MODE
    ]


def _check_file(path: str, old: str | None, new: str | None, *, deployment: bool) -> list[str]:
    runner_change = test_integrity.find_runner_change(path, old, new)
    refusals = [runner_change] if runner_change else []
    if posixpath.basename(path) in RUNNER_MANIFESTS and not deployment:
        changed = runner_settings(path, old) != runner_settings(path, new)
        refusals += [f"the patch changes how the code is run or tested ({path})"] if changed else []
    if new is None or test_integrity.is_test(path):
        return refusals
    regressions = security_regressions.find_security_regressions(old or "", new)
    refusals += [f"{regression} in {path}" for regression in regressions]
    hidden_errors = security_regressions.find_hidden_errors(path, old or "", new)
    syntax_error = security_regressions.find_syntax_error(path, new)
    return refusals + [refusal for refusal in (hidden_errors, syntax_error) if refusal]


def _find_new_hosts(files: list[FileDiff], old: dict[str, str | None]) -> list[str]:
    notes = []
    for file in files:
        if test_integrity.is_test(file.path):
            continue
        old_hosts = {host.lower() for host in HOST.findall(old[file.path] or "")}
        new_hosts = {host.lower() for _, text in file.added for host in HOST.findall(text)} - old_hosts
        notes += [
            f"the patch names a new host, {host} ({file.path})"
            for host in sorted(new_hosts)
            if not LOCAL_HOST.fullmatch(host)
        ]
    return notes


def _is_lock_file(path: str) -> bool:
    return matches_any(path, LOCK_FILES)
