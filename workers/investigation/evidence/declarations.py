"""Looks up in the repository what a log misses: which manifest lists a module, or which own file it may mean. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import NamedTuple

from workers.investigation.code.tree import Tree
from workers.investigation.evidence.package_names import PYTHON_PACKAGES
from workers.models import ModuleDeclaration, Sign, SignKind

MAX_DECLARATIONS = 8  # modules that are looked up; a build misses one or two
MAX_MANIFEST_CHARS = 200_000  # of one manifest that are searched
SIMILARITY = 0.8  # of two file names from which one may be a slip of the other; difflib's ratio
MISSING = frozenset({SignKind.MODULE_MISSING, SignKind.COMMAND_MISSING})
OWN_PATH = re.compile(r"^(?:\.{1,2}/|/|@/|~/|#/|\$lib/|src/)")


class Family(NamedTuple):
    """The manifests of one package manager."""

    suffixes: tuple[str, ...]
    """Ends of the names of its source files."""
    manifests: re.Pattern[str]
    """Names of its manifests, below the root of the service."""
    lists: Callable[[str, str], bool]
    """True if the text of a manifest lists the module."""


def find_declarations(signs: Iterable[Sign], tree: Tree) -> tuple[ModuleDeclaration, ...]:
    """Where the repository declares each module or program that the signs miss."""
    names = dict.fromkeys(sign.subject for sign in signs if sign.kind in MISSING and sign.subject)
    if not names:
        return ()
    family, manifests = _manifests(tree)
    return tuple(_declaration(name, tree, family, manifests) for name in list(names)[:MAX_DECLARATIONS])


def _declaration(name: str, tree: Tree, family: Family | None, manifests: list[str]) -> ModuleDeclaration:
    texts = {path: "\n".join(tree.lines(path))[:MAX_MANIFEST_CHARS] for path in manifests}
    if _is_own(name, tree, texts):
        return ModuleDeclaration(name=name, is_own=True, similar=_similar_file(name, tree))
    listing = [path for path, text in texts.items() if family and family.lists(text, name)]
    manifest = (listing or manifests or [""])[0]
    return ModuleDeclaration(
        name=name, package=_package(name, family), manifest=manifest, listed=bool(listing)
    )


def _manifests(tree: Tree) -> tuple[Family | None, list[str]]:
    """The family of most own sources that has a manifest, and its manifests, those nearest to the root first."""
    own = [path for path in tree.files if tree.is_own(path)]
    counts = Counter(PurePosixPath(path).suffix for path in own)
    best: tuple[int, Family | None, list[str]] = (-1, None, [])
    for family in FAMILIES:
        manifests = [path for path in own if family.manifests.search(path)]
        weight = sum(counts[suffix] for suffix in family.suffixes)
        if manifests and weight > best[0]:
            best = (weight, family, sorted(manifests, key=lambda path: (path.count("/"), path)))
    return best[1], best[2]


# ---- own modules ----


def _is_own(name: str, tree: Tree, manifests: dict[str, str]) -> bool:
    """True if the name belongs to the repository and not to a package of a registry."""
    if "node_modules/" in name:
        return False
    if OWN_PATH.match(name):
        return True
    modules = [
        match[1] for text in manifests.values() for match in re.finditer(r"^module (\S+)$", text, re.M)
    ]
    if any(name.startswith(f"{module}/") for module in modules):
        return True
    top = re.split(r"[.\\/:$]", name, maxsplit=1)[0]
    prefix = f"{tree.root}/" if tree.root else ""
    starts = tuple(f"{prefix}{folder}{top}" for folder in ("", "src/", "app/", "lib/"))
    return bool(top) and any(
        path.startswith(f"{start}/") or path == f"{start}.py" for path in tree.files for start in starts
    )


def _similar_file(name: str, tree: Tree) -> str:
    """The own file whose name differs from the imported one by case or by a letter or two; empty without one."""
    path = re.sub(r"[?#].*$", "", name)
    last = re.split(r"[/\\]", path)[-1]
    imported = re.sub(r"\.(?:[cm]?[jt]sx?|json|vue|py|rb)$", "", last)
    imported = imported.rsplit(".", 1)[-1] if "/" not in path else imported
    stems: dict[str, str] = {}
    for file in tree.sources():
        stems.setdefault(PurePosixPath(file).stem, file)
    by_case = [stem for stem in sorted(stems) if stem.lower() == imported.lower() and stem != imported]
    close = by_case or [
        stem for stem in get_close_matches(imported, sorted(stems), 1, SIMILARITY) if stem != imported
    ]
    return stems[close[0]] if close else ""


# ---- packages ----


def _package(name: str, family: Family | None) -> str:
    return PYTHON_PACKAGES.get(name.split(".", maxsplit=1)[0], "") if family is PYTHON else ""


def _plain(name: str) -> str:
    """The name as PyPI compares names: lower case, with `-` for every separator."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _python_lists(text: str, name: str) -> bool:
    top = name.split(".", maxsplit=1)[0]
    packages = {_plain(top), _plain(PYTHON_PACKAGES.get(top, top))}
    packages |= {f"{package}-binary" for package in sorted(packages)}
    words = re.findall(r"^\s*[\"']?([A-Za-z0-9][\w.-]{0,80})|[\"']([A-Za-z0-9][\w.-]{0,80})", text, re.M)
    return bool(packages & {_plain(word) for pair in words for word in pair if word})


def _node_lists(text: str, name: str) -> bool:
    """True for a package that a production installation has: one of `devDependencies` is not there."""
    parts = name.removeprefix("node:").split("/")
    package = "/".join(parts[:2]) if name.startswith("@") else parts[0]
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        return f'"{package}"' in text
    kinds = ("dependencies", "optionalDependencies", "peerDependencies")
    listed = [manifest.get(kind) for kind in kinds] if isinstance(manifest, dict) else []
    return any(isinstance(kind, dict) and package in kind for kind in listed)


def _go_lists(text: str, name: str) -> bool:
    modules = re.findall(r"^\s*(?:require )?([\w.-]+\.[\w.-]+/[\w./-]+) v", text, re.M)
    return any(name == module or name.startswith(f"{module}/") for module in modules)


def _cargo_lists(text: str, name: str) -> bool:
    crate = name.split("::", maxsplit=1)[0].replace("_", "-")
    return any(
        word.replace("_", "-") == crate for word in re.findall(r"^\s*\"?([\w-]{1,80})\"? ?=", text, re.M)
    )


def _gemfile_lists(text: str, name: str) -> bool:
    gems = re.findall(r"^\s*gem ['\"]([\w.-]{1,80})['\"]", text, re.M)
    return bool({name, name.split("/", maxsplit=1)[0], name.replace("/", "-")} & set(gems))


def _names_group(text: str, name: str) -> bool:
    """True if the manifest names the first two parts of the name, such as `com.stripe`, or the name itself."""
    parts = re.split(r"[.\\/]", name)
    return ".".join(parts[:2]) in text or "/".join(parts[:2]).lower() in text.lower() or f'"{name}"' in text


PYTHON = Family(
    (".py",),
    re.compile(
        r"(?:^|/)(?:requirements[\w.-]*\.txt|requirements/[\w.-]+\.txt|pyproject\.toml|Pipfile|setup\.(?:py|cfg))$"
    ),
    _python_lists,
)
FAMILIES = (
    PYTHON,
    Family(
        (".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx", ".vue", ".svelte"),
        re.compile(r"(?:^|/)package\.json$"),
        _node_lists,
    ),
    Family((".go",), re.compile(r"(?:^|/)go\.mod$"), _go_lists),
    Family((".rs",), re.compile(r"(?:^|/)Cargo\.toml$"), _cargo_lists),
    Family((".rb",), re.compile(r"(?:^|/)Gemfile$"), _gemfile_lists),
    Family((".java", ".kt", ".scala"), re.compile(r"(?:^|/)(?:pom\.xml|build\.gradle(?:\.kts)?)$"), _names_group),
    Family((".php",), re.compile(r"(?:^|/)composer\.json$"), _names_group),
    Family((".cs",), re.compile(r"\.(?:cs|fs|vb)proj$"), _names_group),
    Family((".ex", ".exs"), re.compile(r"(?:^|/)mix\.exs$"), _names_group),
)  # fmt: skip
