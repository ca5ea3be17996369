"""Finds the environment variables that the service's own sources read, and the examples that name them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from workers.investigation.code.tree import TESTS, Tree
from workers.investigation.signs.setting_names import variables_read
from workers.models import SettingUse

MAX_SETTINGS = 80  # variables of one service; more are a list of a platform's own ones
MAX_LINE_CHARS = 1_000  # of a line that are searched; longer lines are minified
NAME = r"[A-Z][A-Z0-9_]{2,60}"
# Configuration that reads the environment in a syntax of its own: Prisma, Spring, Rails.
CONFIGURATION = re.compile(
    r"\.prisma$|(?:^|/)(?:application|bootstrap)[\w-]*\.(?:ya?ml|properties)$|(?:^|/)config/[\w/.-]+\.ya?ml$"
)
# Files that name the variables of a service without their values.
EXAMPLE = re.compile(
    r"(?:^|/)(?:\.?env[\w.-]*\.?(?:example|sample|template|dist)|\.?(?:example|sample)\.env)$", re.I
)
ASSIGNMENT = re.compile(rf"^\s*(?:export )?(?P<name>{NAME})\s?=")
PLACEHOLDER = re.compile(rf"\$\{{(?P<name>{NAME})[:}}]")
# The fields of classes and objects from which pydantic-settings, zod and envalid read the environment.
SETTINGS_CLASS = re.compile(r"^(?P<indent>\s*)class \w+\(.{0,80}BaseSettings\b")
FIELD = re.compile(r"^(?P<indent>\s+)(?P<name>[A-Za-z]\w{1,60})\s?:\s?\w")
VALIDATED = re.compile(
    rf"^\s*['\"]?(?P<name>{NAME})['\"]?: ?(?:z|str|num|port|url|bool|host|email|Joi|yup|v|t)\b ?[.(]"
)


def find_setting_uses(tree: Tree, changed: Mapping[str, Sequence[int]]) -> tuple[SettingUse, ...]:
    """The variables that the service reads, in the order of its files, then those that only an example names.

    Args:
        changed: lines that the suspect commit changed, by file.
    """
    examples = _examples(tree)
    uses: dict[str, SettingUse] = {}
    for file in _files(tree):
        for line, name in _reads(tree.lines(file)):
            is_new = line in changed.get(file, ())
            use = uses.get(name)
            if use is None:
                uses[name] = SettingUse(
                    name=name,
                    file=file,
                    line=line,
                    example=examples.get(name, ""),
                    required_since_suspect=is_new,
                )
            elif not is_new and use.required_since_suspect:
                uses[name] = use.model_copy(update={"required_since_suspect": False})
    uses |= {name: SettingUse(name=name, example=file) for name, file in examples.items() if name not in uses}
    return tuple(uses.values())[:MAX_SETTINGS]


def _files(tree: Tree) -> Iterator[str]:
    yield from (file for file in tree.sources() if tree.is_own(file))
    yield from (
        file
        for file in tree.files
        if tree.is_own(file) and CONFIGURATION.search(file) and not TESTS.search(file)
    )


def _reads(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The number of each line that reads a variable, and its name."""
    indent: int | None = None
    for number, line in enumerate(lines, start=1):
        text = line[:MAX_LINE_CHARS]
        if start := SETTINGS_CLASS.match(text):
            indent = len(start["indent"])
        elif indent is not None and text.strip() and len(text) - len(text.lstrip()) <= indent:
            indent = None
        elif indent is not None and (field := FIELD.match(text)):
            yield number, field["name"].upper()
        if "env" in text or "ENV" in text:
            yield from ((number, name) for name in variables_read(text))
        elif validated := VALIDATED.match(text):
            yield number, validated["name"]
        elif "${" in text and "`" not in text:
            yield from ((number, match["name"]) for match in PLACEHOLDER.finditer(text))


def _examples(tree: Tree) -> dict[str, str]:
    """The variables that examples name, each with the file. Values are left out."""
    names: dict[str, str] = {}
    for file in tree.files:
        if EXAMPLE.search(file):
            matches = (ASSIGNMENT.match(line.lstrip("# ")) for line in tree.lines(file))
            names |= {match["name"]: file for match in matches if match and match["name"] not in names}
    return names
