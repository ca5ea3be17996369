"""Decides by path whether a change is allowed, a draft, or refused. A path that no rule allows is refused."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from workers.remediation.policy import path_names as names
from workers.remediation.policy.changes import REGULAR_MODE, SUBMODULE_MODE, SYMLINK_MODE, Change
from workers.remediation.policy.manifest_kinds import manifest_kind
from workers.remediation.policy.new_files import module_problem, reproduction_problem
from workers.remediation.policy.test_files import in_test_folder, is_test, is_test_name
from workers.remediation.policy.tree_facts import TreeFacts, fold, is_below
from workers.runtime.protected_paths import DEPLOYMENT_PATHS, matches_any, protected_group


class PathKind(StrEnum):
    """The kinds of changed paths."""

    SOURCE = "source"
    REPRODUCTION = "reproduction"
    TEST = "test"
    """An existing test, a helper of tests, or data of tests."""
    MANIFEST = "manifest"
    """A manifest, a lock file or a build file."""
    OTHER = "other"


@dataclass(frozen=True)
class Ruling:
    """The decision about one path; at most one of the sentences is set."""

    kind: PathKind
    refusal: str = ""
    draft: str = ""
    note: str = ""
    is_applied: bool = False


@dataclass(frozen=True)
class PathRules:
    """Facts that the rules need besides the change itself."""

    tree: TreeFacts
    is_deployment: bool
    culprit: str | None
    reproduction: str | None
    allow: Sequence[str]
    protected: Sequence[str]
    imported: frozenset[str]
    """Lower-case names of the top-level modules that the changed sources import."""
    sources: frozenset[str]
    """Existing files that the patch changes."""


def judge_path(change: Change, rules: PathRules) -> Ruling:
    """The ruling on one change."""
    path = change.path
    if problem := _form_problem(change, rules.tree):
        return Ruling(PathKind.OTHER, refusal=problem)
    if matches_any(path, rules.protected):
        return _protected(path, "protected in .trackwalker.toml")
    if names.ENV_EXAMPLE.fullmatch(change.name):
        return _env_example(change, rules)
    if (group := protected_group(fold(path))) or (group := protected_group(path)):
        return _protected(path, group)
    if not is_below(path, rules.tree.root):
        return _refused(f"the patch touches a file outside the service's folder: {path}")
    if matches_any(path, rules.allow):
        draft = f"the patch changes {path}, which the repository allows only in a draft"
        return Ruling(PathKind.SOURCE, draft=draft, is_applied=True)
    return _judge_inside(change, rules)


def _judge_inside(change: Change, rules: PathRules) -> Ruling:
    path = change.path
    if protected_group(path, DEPLOYMENT_PATHS) or manifest_kind(path):
        return _manifest(path, is_deployment=rules.is_deployment)
    if path in rules.tree.check_files:
        return _protected(path, "a check of the repository runs it")
    if path == rules.reproduction:
        problem = f"it exists already: {path}" if change.existed else reproduction_problem(change, rules)
        return Ruling(PathKind.REPRODUCTION, refusal=f"the reproduction is not accepted: {problem}" if problem else "",
                      is_applied=True)  # fmt: skip
    if is_test(path):
        return _test(change, rules)
    if problem := _source_problem(change, rules):
        return _refused(problem)
    if not change.exists:
        return _refused(f"the patch deletes a file: {path}")
    return _existing(change) if change.existed else _new(change, rules)


def _existing(change: Change) -> Ruling:
    suffix = posixpath.splitext(change.path)[1].lower()
    if suffix in names.DOCUMENT_SUFFIXES:
        return Ruling(PathKind.OTHER, note=f"the patch changes the document {change.path}")
    if suffix not in names.SOURCE_SUFFIXES:
        return _refused(f"the patch touches a file that is not source code: {change.path}")
    if _in_migrations(change.path):
        return _refused(f"the patch changes a migration that may have run: {change.path}")
    head = "\n".join((change.old or "").splitlines()[: names.GENERATED_LINES])
    if names.GENERATED_MARK.search(head):
        return _refused(f"the patch changes a generated file: {change.path}")
    return Ruling(PathKind.SOURCE, is_applied=True)


def _new(change: Change, rules: PathRules) -> Ruling:
    path, folder = change.path, posixpath.dirname(change.path)
    suffix = posixpath.splitext(path)[1].lower()
    if (
        _in_migrations(path)
        and folder in rules.tree.folders
        and suffix in (".sql", ".py", ".rb", ".js", ".ts")
    ):
        return Ruling(PathKind.SOURCE, draft=f"the patch adds the migration {path}", is_applied=True)
    siblings = {posixpath.splitext(name)[1] for name in rules.tree.siblings(folder)}
    if (
        suffix in names.TEMPLATE_SUFFIXES
        and suffix in siblings
        and re.search(r"(?:^|/)(?:templates|views)(?:/|$)", folder)
    ):
        return Ruling(PathKind.SOURCE, draft=f"the patch adds the template {path}", is_applied=True)
    if problem := module_problem(change, rules):
        return _refused(f"the patch adds a file that is not allowed: {path} ({problem})")
    return Ruling(PathKind.SOURCE, is_applied=True)


def _test(change: Change, rules: PathRules) -> Ruling:
    path, folder = change.path, posixpath.dirname(change.path)
    suffix = posixpath.splitext(path)[1].lower()
    if change.existed:
        is_known = suffix in names.SOURCE_SUFFIXES | names.DATA_SUFFIXES or not suffix
        draft = f"the patch changes the existing test file {path}, which the verification leaves out"
        refusal = (
            "" if is_known else f"the patch touches a protected path: {path} (unknown kind of test file)"
        )
        return Ruling(PathKind.TEST, refusal=refusal, draft="" if refusal else draft)
    if change.name == "__init__.py" and not (change.new or "").strip():
        return _package_of_tests(path, rules)
    is_known_folder = folder in rules.tree.test_folders or in_test_folder(path)
    is_data = suffix in names.DATA_SUFFIXES and in_test_folder(path)
    if change.name != "conftest.py" and is_known_folder and (is_data or is_test_name(path)):
        return Ruling(
            PathKind.TEST, draft=f"the patch adds the test file {path}, which the verification leaves out"
        )
    return _refused(f"the patch adds a file to the tests that is neither a test nor data: {path}")


def _package_of_tests(path: str, rules: PathRules) -> Ruling:
    """An empty package file: applied where the reproduction lies in a new folder that it makes importable."""
    folder = posixpath.dirname(path)
    is_new = folder not in rules.tree.folders and (rules.reproduction or "").startswith(f"{folder}/")
    draft = "" if is_new else f"the patch adds {path}, which the verification leaves out"
    return Ruling(PathKind.TEST, draft=draft, is_applied=is_new)


def _manifest(path: str, *, is_deployment: bool) -> Ruling:
    if not is_deployment:
        return Ruling(
            PathKind.MANIFEST,
            refusal=_protected(path, "only fixes of a failed deployment may touch it").refusal,
        )
    return Ruling(
        PathKind.MANIFEST, draft=f"the patch changes the manifest or build file {path}", is_applied=True
    )


def _env_example(change: Change, rules: PathRules) -> Ruling:
    is_inside = is_below(change.path, rules.tree.root) and change.exists
    if not is_inside or not all(names.ENV_LINE.fullmatch(line) for line in change.added):
        return _protected(change.path, "environment or key")
    return Ruling(
        PathKind.OTHER, draft=f"the patch changes the example of environment variables {change.path}"
    )


def _form_problem(change: Change, tree: TreeFacts) -> str:
    """A sentence if the path or the kind of file is misleading or unusual."""
    path = change.path
    parts = path.split("/")
    if not path or path.startswith("/") or "\\" in path or any(part in ("", ".", "..") for part in parts):
        return f"the patch names a path outside the repository: {path!r}"
    is_plain = path.isprintable() and not any(
        part != part.rstrip(". ") or part != part.lstrip() for part in parts
    )
    if not is_plain or unicodedata.normalize("NFKC", path) != path or re.search(r"~\d|[:*?\"<>|]", path):
        return f"the patch names a path with unusual characters: {path!a}"
    if change.is_linked or change.mode == SYMLINK_MODE:
        return f"the patch creates or changes a link: {path}"
    if change.mode == SUBMODULE_MODE:
        return f"the patch creates a submodule: {path}"
    if change.binary or "\0" in (change.new or ""):
        return f"the patch contains a binary file: {path}"
    if change.mode is not None and change.mode != REGULAR_MODE:
        return f"the patch changes the mode of {path}"
    if change.exists and change.new is None:
        return f"the patch contains a file that cannot be read: {path}"
    return _clash(path, tree) if not change.existed else ""


def _clash(path: str, tree: TreeFacts) -> str:
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        part = "/".join(parts[:end])
        existing = tree.folded.get(fold(part), part)
        if existing != part:
            return f"the patch adds {part}, which differs from {existing} only in letter case or Unicode form"
    return "" if path.isascii() else f"the patch adds a file whose name is not ASCII: {path!a}"


def _source_problem(change: Change, rules: PathRules) -> str:
    path = change.path
    relative = path.removeprefix(f"{rules.tree.root}/") if rules.tree.root else path
    folders = [folder.lower() for folder in relative.split("/")[:-1]]
    culprit_top = (rules.culprit or "").removeprefix(f"{rules.tree.root}/").split("/")[0].lower()
    if any(folder.startswith(".") for folder in folders) or change.name.startswith("."):
        return f"the patch touches a hidden file: {path}"
    if any(folder in names.VENDORED_FOLDERS for folder in folders):
        return f"the patch touches a vendored file: {path}"
    if (
        "dist" in folders
        or (folders and folders[0] in names.OUTPUT_FOLDERS)
        or names.GENERATED_NAME.fullmatch(change.name)
    ):
        return f"the patch touches a generated file: {path}"
    if folders and folders[0] in names.TOOL_FOLDERS and folders[0] != culprit_top:
        return f"the patch touches a script or a deployment file: {path}"
    if names.CONFIG_CODE.fullmatch(change.name) or names.CONFIG_TEMPLATE.fullmatch(change.name):
        return f"the patch touches the configuration of a tool: {path}"
    return ""


def _in_migrations(path: str) -> bool:
    return any(folder.lower() in names.MIGRATION_FOLDERS for folder in path.split("/")[:-1])


def _protected(path: str, reason: str) -> Ruling:
    return _refused(f"the patch touches a protected path: {path} ({reason})")


def _refused(sentence: str) -> Ruling:
    return Ruling(PathKind.OTHER, refusal=sentence)
