"""Rules for the two kinds of files that a fix may add: a module beside the culprit, and the reproduction."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from workers.remediation.policy import path_names as names
from workers.remediation.policy.changes import Change
from workers.remediation.policy.test_files import in_test_folder, is_test_name
from workers.remediation.policy.tree_facts import TreeFacts

if TYPE_CHECKING:
    from workers.remediation.policy.paths import PathRules

JAVASCRIPT_SUFFIXES = frozenset({".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"})
MAX_INIT_LENGTH = 200  # characters of a new __init__.py, which holds a docstring at most
SCRIPT_SUFFIXES = frozenset({".py", ".js", ".mjs", ".cjs", ".ts", ".mts", ".rb", ".go"})


def module_problem(change: Change, rules: PathRules) -> str:
    """The reason why a new source file is not allowed; empty if it is allowed."""
    path, folder = change.path, posixpath.dirname(change.path)
    stem, suffix = posixpath.splitext(change.name)
    if suffix not in names.MODULE_SUFFIXES:
        return "only source modules may be added"
    homes = _homes(rules)
    if not homes:
        return "no file of its package is changed"
    is_script = suffix in JAVASCRIPT_SUFFIXES
    if not any(
        folder == home or (not is_script and (not home or folder.startswith(f"{home}/"))) for home in homes
    ):
        return "it is outside the culprit's package"
    if is_test_name(path):
        return "it is named like a test"
    new_folders = [part for part in _folders(folder) if part not in rules.tree.folders]
    stems = [posixpath.basename(part) for part in new_folders]
    if change.name != "__init__.py":
        stems.append(stem)
    elif not new_folders or len(change.new or "") > MAX_INIT_LENGTH:
        return "it changes how a package is imported"
    problems = (_name_problem(name, suffix, rules) for name in stems)
    return next(filter(None, problems), "") or _sibling_problem(path, new_folders, rules.tree)


def reproduction_problem(change: Change, rules: PathRules) -> str:
    """The reason why a reproduction must not have this path; empty if the path is allowed."""
    path, tree = change.path, rules.tree
    folder, (stem, suffix) = posixpath.dirname(path), posixpath.splitext(change.name)
    if suffix not in names.CODE_SUFFIXES:
        return f"{path} is not code"
    if not change.exists:
        return f"{path} does not exist"
    if problem := _name_problem(stem, suffix, rules):
        return problem
    if not is_test_name(path):
        is_known = folder in (tree.root, posixpath.dirname(rules.culprit or "")) or in_test_folder(path)
        return (
            ""
            if is_known and suffix in SCRIPT_SUFFIXES
            else f"{path} is neither beside the tests nor at the service's root"
        )
    has_tests = any(
        not tree.root or test == tree.root or test.startswith(f"{tree.root}/") for test in tree.test_folders
    )
    # A folder below an existing one for tests, a folder with tests, or the first tests of the service.
    is_beside = folder in tree.test_folders or any(
        part in tree.folders and in_test_folder(f"{part}/x") for part in _folders(folder)
    )
    is_first = not has_tests and (
        in_test_folder(path) or folder in (tree.root, posixpath.dirname(rules.culprit or ""))
    )
    is_unit = suffix in (".go", *JAVASCRIPT_SUFFIXES) and folder == posixpath.dirname(rules.culprit or "/")
    return "" if is_beside or is_first or is_unit else f"{path} is not beside existing tests"


def _homes(rules: PathRules) -> list[str]:
    if rules.culprit:
        return [posixpath.dirname(rules.culprit)]
    # Without a plan, the packages of the changed source files are the culprit's.
    return sorted({posixpath.dirname(path) for path in rules.sources})


def _folders(folder: str) -> list[str]:
    parts = folder.split("/") if folder else []
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def _name_problem(name: str, suffix: str, rules: PathRules) -> str:
    """A part of a sentence if a module of this name shadows another one, or if it is not a module's name."""
    pattern = names.MODULE_STEM["py" if suffix in (".py", ".pyi") else "other"]
    lower = name.lower()
    first = lower.split(".")[0]
    if not pattern.fullmatch(name) and not is_test_name(f"{name}{suffix}"):
        return f"{name}{suffix} is not an ordinary module name"
    if {lower, first} & names.RUNNER_MODULES:
        return f"{name} is a name that test runners and tools look for"
    if suffix in (".py", ".pyi") and lower in names.STANDARD_MODULES:
        return f"{name} is a module of Python's standard library"
    if suffix in JAVASCRIPT_SUFFIXES and lower in names.NODE_BUILTINS:
        return f"{name} is a module of Node.js"
    if lower.replace("-", "_") in rules.tree.dependencies or lower in rules.tree.dependencies:
        return f"{name} is the name of a dependency"
    return f"{name} is a module that the code already imports" if lower in rules.imported else ""


def _sibling_problem(path: str, new_folders: list[str], tree: TreeFacts) -> str:
    for entry in (path, *new_folders):
        stem = posixpath.basename(entry).partition(".")[0].lower()
        siblings = tree.siblings(posixpath.dirname(entry))
        if clash := next((name for name in siblings if name.partition(".")[0].lower() == stem), None):
            return f"it shadows {clash}"
    return ""
