"""Applies the rules for code to the files of a patch, each by its language. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from workers.remediation.policy import (
    general_rules,
    javascript_errors,
    javascript_guards,
    javascript_names,
    javascript_rules,
    python_errors,
    python_guards,
    python_names,
    python_rules,
    python_special_cases,
)
from workers.remediation.policy.changes import Change
from workers.remediation.policy.guard_names import GuardNames
from workers.remediation.policy.javascript_tree import PAGES, is_javascript, parse_source, suffix_of
from workers.remediation.policy.occurrences import Level, Occurrences, added_occurrences
from workers.remediation.policy.path_names import DATA_SUFFIXES, DOCUMENT_SUFFIXES
from workers.remediation.policy.python_constants import PARSE_ERRORS, parse
from workers.remediation.policy.test_files import is_collected, is_test, is_test_name

NO_OWN_GUARDS = GuardNames()
SCRIPT_EXITS = frozenset({"sys.exit", "builtins.exit", "process.exit", "process.exitCode"})
"""Calls by which a script reports its result; allowed only in a reproduction that is a script."""


@dataclass
class Judgement:
    """The sentences about the code of a patch."""

    refusals: list[str] = field(default_factory=list)
    drafts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, level: Level, sentence: str) -> None:
        {Level.REFUSAL: self.refusals, Level.DRAFT: self.drafts, Level.NOTE: self.notes}[level].append(
            sentence
        )


def judge_code(
    changes: Sequence[Change], reproduction: str | None, guards: GuardNames = NO_OWN_GUARDS
) -> Judgement:
    """The sentences about dangerous code in the changed files that they did not contain before.

    Args:
        reproduction: path of the reproduction; None if there is none.
        guards: names of protections of the service.
    """
    judgement = Judgement()
    code = [change for change in changes if _is_code(change)]
    old = {change.path: read_occurrences(change.path, change.old or "", reproduction) for change in code}
    new = {change.path: read_occurrences(change.path, change.new or "", reproduction) for change in code}
    for path, occurrence in added_occurrences(old, new):
        judgement.add(occurrence.level, occurrence.text(path))
    for change in code:
        if problem := _parse_problem(change):
            judgement.add(*problem)
    service = [change for change in code if not is_collected(change.path) and change.path != reproduction]
    _judge_guards(service, guards, judgement)
    return judgement


def find_test_problems(path: str, text: str) -> list[str]:
    """One sentence per dangerous thing in a test, for a reproduction."""
    occurrences = read_occurrences(path, text, path)
    return [occurrence.text(path) for occurrence in occurrences if occurrence.level is Level.REFUSAL]


def read_occurrences(path: str, text: str, reproduction: str | None) -> Occurrences:
    """All code in a file that a patch must not add.

    Args:
        reproduction: path of the reproduction, which may end its process if it is a script.
    """
    is_test_file = is_collected(path) or path == reproduction or path.endswith("conftest.py")
    occurrences: Occurrences = Counter()
    if path.endswith((".py", ".pyi")):
        occurrences.update(python_rules.find_occurrences(text, is_test=is_test_file))
        if not is_test_file:
            occurrences.update(python_errors.find_hidden_errors(text))
            occurrences.update(python_special_cases.find_special_cases(text))
    elif is_javascript(path):
        occurrences.update(javascript_rules.find_occurrences(path, text, is_test=is_test_file))
        if not is_test_file:
            occurrences.update(javascript_errors.find_hidden_errors(path, text))
        if suffix_of(path) in PAGES:
            occurrences.update(general_rules.find_occurrences(text))
    elif not is_test(path) and suffix_of(path) not in DATA_SUFFIXES - {".html", ".sql"}:
        occurrences.update(general_rules.find_occurrences(text))
    if path == reproduction and not is_test_name(path):
        occurrences = Counter(
            {key: count for key, count in occurrences.items() if key.name not in SCRIPT_EXITS}
        )
    return occurrences


def imported_modules(changes: Sequence[Change]) -> frozenset[str]:
    """Lower-case names of the top-level modules that the changed files import without the patch."""
    names: set[str] = set()
    for change in changes:
        if (
            change.path.endswith(".py")
            and (module_names := python_names.read_names(change.old or "")) is not None
        ):
            names |= {name.partition(".")[0].lower() for name in module_names.imports}
    return frozenset(names - {""})


def _is_code(change: Change) -> bool:
    return suffix_of(change.path) not in DOCUMENT_SUFFIXES and not change.binary


def _parse_problem(change: Change) -> tuple[Level, str] | None:
    path = change.path
    if change.new is None:
        return None
    if path.endswith((".py", ".pyi")):
        try:
            compile(
                change.new, path, "exec", dont_inherit=True, flags=0x400
            )  # ast.PyCF_ONLY_AST: nothing is executed
        except PARSE_ERRORS as error:
            return Level.REFUSAL, f"{path} does not parse: {error}"
        return None
    if not is_javascript(path):
        return None
    parsed = parse_source(path, change.new)
    if parsed is None:
        return Level.REFUSAL, f"{path} cannot be parsed: it is too large or too deeply nested"
    if parsed.has_error and suffix_of(path) not in PAGES:
        old = parse_source(path, change.old) if change.old is not None else None
        had_error = old is not None and old.has_error
        return (Level.DRAFT if had_error else Level.REFUSAL), f"{path} does not parse"
    return None


def _judge_guards(changes: Sequence[Change], guards: GuardNames, judgement: Judgement) -> None:
    groups: dict[str, tuple[dict[str, str], dict[str, str]]] = {
        "python": ({}, {}),
        "javascript": ({}, {}),
        "other": ({}, {}),
    }
    for change in changes:
        kind = (
            "python"
            if change.path.endswith(".py")
            else "javascript"
            if is_javascript(change.path)
            else "other"
        )
        before, after = groups[kind]
        if change.old is not None:
            before[change.path] = change.old
        if change.new is not None:
            after[change.path] = change.new
    for level, sentence in python_guards.find_removed_guards(*groups["python"], guards):
        judgement.add(level, sentence)
    for level, sentence in javascript_guards.find_removed_guards(*groups["javascript"], guards):
        judgement.add(level, sentence)
    for level, sentence in general_rules.find_removed_guards(*groups["other"]):
        judgement.add(level, sentence)


def forget_parsed_texts() -> None:
    """Free the syntax trees that the rules share: a worker is idle most of the time."""
    for cached in (parse, parse_source, python_names.read_names, javascript_names.read_names):
        cached.cache_clear()
