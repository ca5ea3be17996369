"""Decides whether a patch is refused, a draft at best, or ready for its verification. Pure over two trees.

The rules are an allow-list of paths, and lists of code that no fix adds. A refusal ends the attempt without a pull
request: people can always make the change themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workers.clients.git import safe_read
from workers.models import Category
from workers.remediation.policy import code_rules, hosts
from workers.remediation.policy.changes import Change, MalformedPatch, read_changes
from workers.remediation.policy.guard_names import GuardNames
from workers.remediation.policy.leaked_secrets import find_leaked_secrets
from workers.remediation.policy.manifests import is_newer_version, judge_manifest
from workers.remediation.policy.paths import PathKind, PathRules, Ruling, judge_path
from workers.remediation.policy.reproduction_rules import find_reproduction_problems
from workers.remediation.policy.test_files import is_test
from workers.remediation.policy.test_strength import find_weakened_tests
from workers.remediation.policy.tree_facts import read_guards, read_tree
from workers.remediation.policy.visible_text import find_unreadable_lines
from workers.runtime.protected_paths import LOCK_FILES, matches_any
from workers.runtime.text import plural

MAX_FILES = 12  # files of a patch: with MAX_LINES, a review takes a quarter of an hour at night
MAX_LINES = 400  # added and removed lines, lock files excluded
MAX_BYTES = 40_000  # bytes of added lines, lock files excluded: MAX_LINES lines of hand-written code have half of that


@dataclass(frozen=True)
class PolicyResult:
    """One sentence per broken rule and per note."""

    refusals: tuple[str, ...] = ()
    """Each one alone rejects the patch."""
    drafts: tuple[str, ...] = ()
    """Each one makes the patch a draft at best."""
    notes: tuple[str, ...] = ()
    """Facts for the reviewer, without an effect on the decision."""
    applied: tuple[str, ...] = ()
    """Paths that a verification applies on top of the base commit."""


@dataclass(frozen=True)
class _Arguments:
    """The arguments of `check_patch` besides the patch and the trees."""

    category: Category
    root: str
    culprit: str | None
    reproduction: str | None
    allow: Sequence[str]
    protected: Sequence[str]
    secrets: tuple[str, ...]


@dataclass
class _Sentences:
    """The sentences collected for a result."""

    refusals: list[str] = field(default_factory=list)
    drafts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_patch(
    patch: str, before: Path, after: Path, *,
    category: Category, root: str, culprit: str | None, reproduction: str | None,
    allow: Sequence[str] = (), protected: Sequence[str] = (), secrets: Iterable[str] = (),
) -> PolicyResult:  # fmt: skip
    """Check a patch against all rules.

    Args:
        before: the tree without the patch; `after` is the tree with it.
        category: `deployment` allows changes to manifests, lock files and build files.
        root: the service's folder in the repository; empty for the repository itself.
        culprit: the file that the plan blames; None if no plan names one.
        reproduction: the file that shows the fault; None if there is none.
        allow: the repository's globs of further paths that a patch may touch, from `.trackwalker.toml`.
        protected: the repository's globs of paths that no patch may touch, from the same file.
        secrets: values that no patch may contain.
    """
    arguments = _Arguments(category, root, culprit, reproduction, allow, protected, tuple(secrets))
    try:
        return _check(patch, before, after, arguments)
    except MalformedPatch as error:
        return PolicyResult((str(error),))
    except RecursionError:
        return PolicyResult(("the patch holds code that is nested too deeply to be judged",))
    finally:
        code_rules.forget_parsed_texts()


def _check(patch: str, before: Path, after: Path, given: _Arguments) -> PolicyResult:
    changes = read_changes(patch, before, after)
    root, culprit, reproduction = given.root, given.culprit, given.reproduction
    tree = read_tree(before, root)
    sources = frozenset(
        change.path for change in changes if change.existed and change.exists and not is_test(change.path)
    )
    rules = PathRules(
        tree, given.category is Category.DEPLOYMENT, culprit, reproduction, given.allow, given.protected,
        code_rules.imported_modules(changes), sources,
    )  # fmt: skip
    rulings = {change.path: _ruling(change, rules) for change in changes}
    sentences = _Sentences()
    sentences.refusals += _check_size(changes)
    for ruling in rulings.values():
        _add_ruling(ruling, sentences)
    _add_content(changes, rulings, rules, read_guards(before, tree), sentences)
    sentences.refusals += find_leaked_secrets(
        [change for change in changes if not _is_lock_file(change)], given.secrets
    )
    if reproduction is not None and reproduction in rulings:
        sentences.refusals += check_reproduction(
            after, reproduction, before=before, root=root, culprit=culprit
        )
    if (
        changes
        and not rules.is_deployment
        and all(is_test(change.path) or change.path == reproduction for change in changes)
    ):
        sentences.refusals.append("the patch changes only tests")
    applied = tuple(path for path, ruling in rulings.items() if ruling.is_applied)
    return PolicyResult(
        _unique(sentences.refusals), _unique(sentences.drafts), _unique(sentences.notes), applied
    )


def check_reproduction(
    after: Path, path: str, *, before: Path, root: str, culprit: str | None
) -> tuple[str, ...]:
    """One sentence per reason why the reproduction shows nothing; `check_patch` includes them.

    Args:
        after: the tree that holds the reproduction.
        path: the reproduction's path in the tree.
        before: the tree without the patch.
        root: the service's folder in the repository; empty for the repository itself.
        culprit: the file that the plan blames; None if no plan names one.
    """
    text = safe_read(after, path)
    if text is None:
        return (f"the reproduction {path} cannot be read",)
    culprit_text = safe_read(before, culprit) if culprit else None
    problems = find_reproduction_problems(path, text, read_tree(before, root), culprit, culprit_text)
    return (*problems, *code_rules.find_test_problems(path, text))


def _ruling(change: Change, rules: PathRules) -> Ruling:
    ruling = judge_path(change, rules)
    # A fault that a dependency has fixed: people look at the release, the verification leaves it out.
    if ruling.kind is PathKind.MANIFEST and ruling.refusal and is_newer_version(change):
        return Ruling(
            PathKind.MANIFEST,
            draft=f"the patch raises a version in {change.path}, which the verification leaves out",
        )
    return ruling


def _add_ruling(ruling: Ruling, sentences: _Sentences) -> None:
    sentences.refusals += [ruling.refusal] if ruling.refusal else []
    sentences.drafts += [ruling.draft] if ruling.draft else []
    sentences.notes += [ruling.note] if ruling.note else []


def _add_content(
    changes: Sequence[Change],
    rulings: dict[str, Ruling],
    rules: PathRules,
    guards: GuardNames,
    sentences: _Sentences,
) -> None:
    for change in changes:
        sentences.refusals += find_unreadable_lines(change, check_length=not _is_lock_file(change))
        if rulings[change.path].kind is PathKind.MANIFEST and not rulings[change.path].refusal:
            for is_refused, part in judge_manifest(change):
                (sentences.refusals if is_refused else sentences.notes).append(
                    f"the manifest {change.path} {part}"
                )
    old = {change.path: change.old for change in changes}
    new = {change.path: change.new for change in changes}
    sentences.refusals += find_weakened_tests(old, new)
    code = [
        change
        for change in changes
        if rulings[change.path].kind is not PathKind.MANIFEST and not change.is_linked
    ]
    judged = code_rules.judge_code(code, rules.reproduction, guards)
    sentences.refusals += judged.refusals
    sentences.drafts += judged.drafts
    sentences.notes += [*judged.notes, *hosts.find_new_hosts(code)]


def _check_size(changes: Sequence[Change]) -> list[str]:
    counted = [change for change in changes if not _is_lock_file(change)]
    lines = sum(len(change.added) + len(change.removed) for change in counted)
    size = sum(len(line.encode(errors="replace")) + 1 for change in counted for line in change.added)
    refusals = []
    if len(changes) > MAX_FILES:
        refusals.append(f"the patch touches {plural(len(changes), 'file')}, more than {MAX_FILES}")
    if lines > MAX_LINES:
        refusals.append(f"the patch changes {plural(lines, 'line')}, more than {MAX_LINES}")
    if size > MAX_BYTES:
        refusals.append(f"the patch adds {size} bytes, more than {MAX_BYTES}")
    return refusals


def _is_lock_file(change: Change) -> bool:
    return matches_any(change.path, LOCK_FILES)


def _unique(sentences: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sentences))
