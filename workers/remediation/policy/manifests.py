"""Compares manifests, lock files and build files line by line and entry by entry. Pure.

Only ordinary packages of the usual registries may be added or changed. Every other source is refused: other indexes,
addresses, repositories, files, other packages under the same name, build backends, scripts and hooks.
"""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

from workers.remediation.policy.changes import Change
from workers.remediation.policy.manifest_kinds import manifest_kind
from workers.runtime.protected_paths import LOCK_FILES, matches_any

Finding = tuple[bool, str]
"""(True if refused, part of a sentence about the change)."""
NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,80}[A-Za-z0-9])?"
VERSION_LIST = r"(?:\s*(?:==|===|>=|<=|~=|!=|<|>)\s*[\w.*+!-]{1,40}\s*,?){0,6}"
REQUIREMENT = re.compile(
    rf"\s*(?P<name>{NAME})\s*(?:\[[\w\s,.-]{{1,80}}\])?\s*\(?{VERSION_LIST}\)?\s*(?:;[^@#\\]{{1,160}})?(?:\s*\\?\s*--hash=sha(?:256|384|512):[0-9a-f]+)*\s*\\?\s*(?:\s#.*)?"
)
HASH_LINE = re.compile(r"\s*(?:#.*|--hash=sha(?:256|384|512):[0-9a-f]+\s*\\?)?\s*")
RANGE = re.compile(
    r"(?:latest|next|\*|x)|(?:[\^~]|[<>]=?|=)?\s*v?\d[\w.+-]*(?:\s*(?:-|\|\||,|\s)\s*(?:[\^~]|[<>]=?|=)?\s*v?\d[\w.*+-]*)*|\d+\.x(?:\.x)?",
    re.I,
)
NPM_NAME = re.compile(r"(?:@[a-z0-9][\w.-]*/)?[a-z0-9][\w.-]*", re.I)
ELSEWHERE = re.compile(
    r"[\w+.-]+://|git@|github:|gitlab:|bitbucket:|gist:|\bgit\s*[:=+]|file:|link:|portal:|workspace:|\bpath\s*[:=]|\bnpm:|patch:"
    r"|\breplace\b|\bsource\s|\bregistry\b|\bindex(?:-url|_url)?\b|\brepositor(?:y|ies)\b",
    re.I,
)
REGISTRIES = re.compile(
    r"https?://(?:registry\.npmjs\.org|registry\.yarnpkg\.com|files\.pythonhosted\.org|pypi\.org/simple|static\.crates\.io|index\.crates\.io"
    r"|github\.com/rust-lang/crates\.io-index|rubygems\.org|repo\.packagist\.org|proxy\.golang\.org)(?:/|\b)"
)
HOOKS = re.compile(
    r"(?:pre|post)\w*|install|uninstall|prepare|prepublish\w*|publish|test\w*|lint\w*|version|dependencies"
)
COMMAND = re.compile(
    r"\b(?:curl|wget|git\s+clone|nc|ncat|bash\s+-c|sh\s+-c|eval|base64|python3?\s+-c|node\s+-e|perl\s+-e|ssh|scp|chmod\s+[0-7]*[2367]\b)|[|`]|\$\(|https?://|--(?:extra-)?index-url|--find-links|--registry",
    re.I,
)


def judge_manifest(change: Change, old_hosts: str = "") -> list[Finding]:
    """The effects of a changed manifest, for a fix of a failed deployment."""
    old, new = change.old or "", change.new or ""
    if not change.exists:
        return [(True, "is deleted")]
    if matches_any(change.path, LOCK_FILES):
        return list(_lock_file(change, old + old_hosts))
    reader = READERS.get(manifest_kind(change.path))
    try:
        return list(reader(old, new)) if reader else list(_lines(change))
    except (ValueError, RecursionError, AttributeError, TypeError, configparser.Error) as error:
        return [(True, f"cannot be read ({type(error).__name__})")]


def _lock_file(change: Change, old: str) -> Iterator[Finding]:
    for line in change.added:
        plain = REGISTRIES.sub("", line)
        address = re.search(r"(?:[\w+.-]+://|git@|git\+|github:|file:|link:)[^\s\"',]*", plain)
        if address and address[0] not in old:
            yield True, f"takes a package from outside the usual registries (`{address[0][:80]}`)"
        if (
            re.search(r"\b(?:hasInstallScript|path|directory|editable)\b\"?\s*[:=]", plain)
            and line.strip() not in old
        ):
            yield True, f"takes a package from outside the usual registries (`{line.strip()[:80]}`)"
    if not change.existed:
        yield False, "is new"


def _requirements(old: str, new: str) -> Iterator[Finding]:
    old_lines = [line.strip() for line in old.splitlines()]
    for line in new.splitlines():
        if line.strip() in old_lines or HASH_LINE.fullmatch(line):
            continue
        yield _requirement(line)
    lost = {line for line in old_lines if line.startswith(("-", "--"))} - {
        line.strip() for line in new.splitlines()
    }
    if lost:
        yield True, f"removes `{sorted(lost)[0][:80]}`"


def _requirement(text: str) -> Finding:
    match = REQUIREMENT.fullmatch(text)
    if match is None or ELSEWHERE.search(text.split("#", maxsplit=1)[0].replace("--hash", "")):
        return True, f"has an entry that is not an ordinary package (`{text.strip()[:80]}`)"
    return False, f"asks for {text.strip()[:80]}"


def _entries(old: Any, new: Any) -> Iterator[Finding]:
    before = [str(item) for item in old] if isinstance(old, list) else []
    for item in new if isinstance(new, list) else []:
        if str(item) not in before:
            yield (
                _requirement(item)
                if isinstance(item, str)
                else (True, f"has an unusual entry (`{str(item)[:80]}`)")
            )


def _versions(old: Any, new: Any, *, allow_tables: bool) -> Iterator[Finding]:
    """Entries of a table of packages: name → version, or a table with a version."""
    before = old if isinstance(old, dict) else {}
    for name, value in (new if isinstance(new, dict) else {}).items():
        if before.get(name) == value:
            continue
        version = value.get("version", "*") if isinstance(value, dict) and allow_tables else value
        extra = (
            set(value)
            - {"version", "extras", "features", "optional", "markers", "python", "default-features"}
            if isinstance(value, dict)
            else set()
        )
        ordinary = isinstance(version, str) and RANGE.fullmatch(version.strip()) is not None and not extra
        if not NPM_NAME.fullmatch(name) or not (ordinary or version == ""):
            yield True, f"has an entry that is not an ordinary package (`{name}: {str(value)[:60]}`)"
        else:
            yield False, f"asks for {name} {version}"


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return sorted(key for key in {*old, *new} if old.get(key) != new.get(key))


def _package_json(old: str, new: str) -> Iterator[Finding]:
    before, after = json.loads(old or "{}"), json.loads(new)
    for key in _differences(before, after):
        if key in (
            "dependencies",
            "devDependencies",
            "optionalDependencies",
            "peerDependencies",
            "overrides",
            "resolutions",
            "engines",
        ):
            yield from _versions(before.get(key), after.get(key), allow_tables=False)
        elif key == "scripts":
            yield from _scripts(before.get(key) or {}, after.get(key) or {})
        elif key in (
            "main",
            "type",
            "module",
            "version",
            "private",
            "name",
            "description",
            "packageManager",
            "files",
            "exports",
        ):
            bad = isinstance(after.get(key), str) and ELSEWHERE.search(str(after[key]))
            yield bool(bad), f"changes `{key}`"
        else:
            yield True, f"changes `{key}`"


def _scripts(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Finding]:
    for name in _differences(old, new):
        refused = HOOKS.fullmatch(name) is not None or COMMAND.search(str(new.get(name, ""))) is not None
        yield refused, f"changes the script {name} (`{str(new.get(name))[:80]}`)"


def _pyproject(old: str, new: str) -> Iterator[Finding]:
    before, after = _flat(tomllib.loads(old)), _flat(tomllib.loads(new))
    for key in _differences(before, after):
        if re.fullmatch(
            r"project\.dependencies|project\.optional-dependencies\.[\w-]+|dependency-groups\.[\w-]+|build-system\.requires|tool\.pdm\.dev-dependencies\.[\w-]+|tool\.uv\.dev-dependencies",
            key,
        ):
            yield from _entries(before.get(key), after.get(key))
        elif match := re.fullmatch(
            r"tool\.poetry\.(?:group\.[\w-]+\.|dev-)?dependencies\.([\w.-]+?)(?:\.(?:version|extras|python|optional|markers))?",
            key,
        ):
            yield from _versions(
                {match[1]: before.get(key)},
                {match[1]: after[key]} if key in after and not isinstance(after[key], list | bool) else {},
                allow_tables=True,
            )
        else:
            free = re.fullmatch(
                r"project\.(?:requires-python|version|name|description|readme)|tool\.setuptools\.(?:packages|py-modules|package-dir|include-package-data)[\w.-]*",
                key,
            )
            yield free is None, f"changes `{key}`"


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _setup_cfg(old: str, new: str) -> Iterator[Finding]:
    before, after = (configparser.ConfigParser(interpolation=None) for _ in range(2))
    before.read_string(old)
    after.read_string(new)
    sections = {*before.sections(), *after.sections()}
    for section in sorted(sections):
        old_values, new_values = (
            dict(parser[section]) if section in parser else {} for parser in (before, after)
        )
        for key in _differences(old_values, new_values):
            if section in ("options", "options.extras_require") and key not in (
                "setup_requires",
                "dependency_links",
                "cmdclass",
                "packages",
            ):
                yield from _entries(
                    old_values.get(key, "").split("\n"),
                    [line for line in new_values.get(key, "").split("\n") if line.strip()],
                )
            else:
                yield True, f"changes `{section}.{key}`"


def _pipfile(old: str, new: str) -> Iterator[Finding]:
    before, after = tomllib.loads(old), tomllib.loads(new)
    for key in _differences(before, after):
        if key in ("packages", "dev-packages"):
            yield from _versions(before.get(key), after.get(key), allow_tables=True)
        else:
            yield key != "requires", f"changes `{key}`"


def _cargo(old: str, new: str) -> Iterator[Finding]:
    before, after = tomllib.loads(old), tomllib.loads(new)
    for key in _differences(before, after):
        if key in ("dependencies", "dev-dependencies"):
            yield from _versions(before.get(key), after.get(key), allow_tables=True)
        else:
            yield (
                key != "package" or "build" in _differences(before.get(key, {}), after.get(key, {})),
                f"changes `{key}`",
            )


def _composer(old: str, new: str) -> Iterator[Finding]:
    before, after = json.loads(old or "{}"), json.loads(new)
    for key in _differences(before, after):
        if key in ("require", "require-dev"):
            for name in _differences(before.get(key) or {}, after.get(key) or {}):
                value = str((after.get(key) or {}).get(name, "*"))
                yield RANGE.fullmatch(value) is None, f"asks for {name} {value}"
        else:
            yield True, f"changes `{key}`"


def _by_line(pattern: str) -> Callable[[str, str], Iterator[Finding]]:
    allowed = re.compile(pattern)

    def read(old: str, new: str) -> Iterator[Finding]:
        old_lines = {line.strip() for line in old.splitlines()}
        for line in new.splitlines():
            text = line.strip()
            if text and text not in old_lines and not text.startswith(("#", "//")):
                yield allowed.fullmatch(text) is None, f"has the line `{text[:80]}`"

    return read


READERS: dict[str, Callable[[str, str], Iterator[Finding]]] = {
    "requirements": _requirements,
    "package.json": _package_json,
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "pipfile": _pipfile,
    "cargo.toml": _cargo,
    "composer.json": _composer,
    "go.mod": _by_line(
        r"(?:require\s+)?[\w.-]+\.[a-z]{2,}/[\w./-]+ v[\w.+-]+(?: // indirect)?|go \d+(?:\.\d+)*|require \(|\)"
    ),
    "gemfile": _by_line(r"gem\s+[\"'][\w-]+[\"'](?:,\s*[\"'][~><= \d.]+[\"'])*|ruby\s+[\"'][\d.]+[\"']"),
    "environment.yml": _by_line(r"-\s+[\w.-]+(?:[=<>]+[\w.*]+)*"),
    "environment.yaml": _by_line(r"-\s+[\w.-]+(?:[=<>]+[\w.*]+)*"),
    "setup.py": _by_line(r"[\"'][A-Za-z0-9][\w.-]*(?:\s*[=<>~!]=?\s*[\w.*]+)*[\"'],?|\)|\]|\],"),
    "manifest.in": _by_line(r"(?:include|recursive-include|graft|exclude)\s+[\w./* -]+"),
}


def _lines(change: Change) -> Iterator[Finding]:
    """Build files without a reader of their own."""
    for line in change.added:
        text = line.strip()
        if not text or text.startswith(("#", "//", ";")):
            continue
        refused = COMMAND.search(text) or (
            ELSEWHERE.search(text)
            and not re.match(r"(?:FROM|RUN|COPY|CMD|ENTRYPOINT|WORKDIR|ENV|EXPOSE|web:|worker:)\b", text)
        )
        yield bool(refused), f"has the line `{text[:80]}`"


def is_newer_version(change: Change) -> bool:
    """True if a list of requirements only raises versions of packages that it lists already."""
    if manifest_kind(change.path) != "requirements" or not change.existed or not change.exists:
        return False
    pins = [
        [re.fullmatch(rf"({NAME})\s*(==|>=|~=)\s*(\d[\d.]*)", line.strip()) for line in lines]
        for lines in (change.removed, change.added)
    ]
    removed, added = pins
    if not added or len(added) != len(removed) or None in (*removed, *added):
        return False
    pairs = zip(removed, added, strict=True)
    return all(
        old
        and new
        and old[1].lower() == new[1].lower()
        and old[2] == new[2]
        and _parts(old[3]) < _parts(new[3])
        for old, new in pairs
    )


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.strip(".").split(".") if part]
