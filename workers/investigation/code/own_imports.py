"""Which own files the code at a place uses: those that it imports by a name of the place's function. Pure reads.

A commit to a module that a slow handler does not use is no cause of its slowness, even if the same file imports it for
another handler.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from workers.investigation.code.tree import Tree
from workers.models import CodeLocation

MAX_IMPORTS = 40  # own files of one place; a place that uses more of them shows nothing
MAX_FUNCTION_LINES = 60  # lines of a function that are searched for names
MAX_LINE_CHARS = 400  # of a line that are searched; longer lines are data or minified
IDENTIFIER = re.compile(r"[A-Za-z_]\w{0,80}")
PYTHON_IMPORT = re.compile(r"^\s{0,40}import (?P<modules>[\w., ]{1,300})")
PYTHON_FROM = re.compile(
    r"^\s{0,40}from (?P<module>\.{0,4}[\w.]{0,120}) import \(?(?P<names>[\w., *]{0,300})"
)
# `import x, {a, b as c} from './y'`, `const {a} = require('./y')`, `export * from './y'`.
NODE_IMPORT = re.compile(
    r"^\s{0,40}(?:import|export|const|let|var)\b(?P<names>.{0,300}?)(?:\bfrom\s|require\(|import\()\s{0,4}['\"](?P<path>[^'\"]{1,200})['\"]"
)
GO_IMPORT = re.compile(r"^\s{0,8}(?:import )?(?:(?P<alias>\w{1,40}) )?\"(?P<path>[\w./-]{1,160})\"$")
GO_FUNCTION = re.compile(r"^func (?:\([^)]{1,80}\) )?(?P<name>\w{1,80})")
# The beginning of another function or route at the same depth.
NEXT_START = re.compile(
    r"^\s{0,40}(?:@|(?:export |async |public |private |protected |static |default ){0,6}"
    r"(?:def|class|func|fn|function|const|let|var)\b|(?:app|router|api|server|route)\.)"
)
NODE_ENDS = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".vue", ".svelte")
NODE_ALIASES = ("@/", "~/", "src/", "#/", "$lib/")
CLASS_ENDS = frozenset({".java", ".kt", ".cs", ".php", ".rb", ".ex", ".exs", ".scala", ".rs"})
"""Languages that name a file by its class or module: there the name itself shows the use."""


def with_imports(locations: Iterable[CodeLocation], tree: Tree) -> tuple[CodeLocation, ...]:
    """The locations with the own files that the code at them uses, directly or through one file between them."""
    index = SourceIndex(tree)
    return tuple(
        location
        if location.why == "changed"
        else location.model_copy(update={"imports": index.used_at(location.file, location.line)})
        for location in locations
    )


@dataclass(frozen=True)
class SourceIndex:
    """The own sources of a tree, and which of them use which."""

    tree: Tree

    @cached_property
    def files(self) -> frozenset[str]:
        return frozenset(self.tree.sources())

    @cached_property
    def by_stem(self) -> dict[str, tuple[str, ...]]:
        """Files of languages that name them by their class: by the plain form of the file's name."""
        stems: dict[str, tuple[str, ...]] = {}
        for file in sorted(self.files):
            path = PurePosixPath(file)
            if path.suffix in CLASS_ENDS:
                stems[_plain(path.stem)] = (*stems.get(_plain(path.stem), ()), file)
        return stems

    def used_at(self, file: str, line: int) -> tuple[str, ...]:
        """The own files that the function at the line uses, then those that these import."""
        lines = self.tree.lines(file)
        names = {
            name for text in _function(lines, line) for name in IDENTIFIER.findall(text[:MAX_LINE_CHARS])
        }
        direct = dict.fromkeys(self._used_files(file, lines, names))
        further = dict.fromkeys(
            used
            for other in list(direct)[:MAX_IMPORTS]
            for used in self._used_files(other, self.tree.lines(other), None)
        )
        return tuple(name for name in (direct | further) if name != file)[:MAX_IMPORTS]

    def _used_files(self, file: str, lines: list[str], names: set[str] | None) -> Iterator[str]:
        """Own files that a file uses by one of the names.

        Args:
            names: identifiers of one function; None for all that the file imports.
        """
        end = PurePosixPath(file).suffix
        texts = [line[:MAX_LINE_CHARS] for line in lines]
        if end == ".py":
            yield from self._python(file, texts, names)
        elif end in NODE_ENDS:
            yield from self._node(file, texts, names)
        elif end == ".go":
            yield from self._go(file, texts, names)
        elif end in CLASS_ENDS:
            used = (
                names if names is not None else {name for text in texts for name in IDENTIFIER.findall(text)}
            )
            for name in sorted(used):
                yield from self.by_stem.get(_plain(name), ())

    def _python(self, file: str, lines: list[str], names: set[str] | None) -> Iterator[str]:
        for text in _joined(lines):
            if match := PYTHON_FROM.match(text):
                base = _python_base(file, match["module"])
                for bound, name in _bound_names(match["names"]):
                    if names is None or bound in names:
                        yield from self._python_files(file, f"{base}/{name}".strip("/"), base)
            elif match := PYTHON_IMPORT.match(text):
                for bound, name in _bound_names(match["modules"]):
                    if names is None or bound.split(".")[0] in names:
                        yield from self._python_files(file, name.replace(".", "/"))

    def _python_files(self, file: str, *modules: str) -> Iterator[str]:
        """The first of the modules that is an own file: from the root, or from a folder above the importing file."""
        folders = [*map(str, PurePosixPath(file).parents), self.tree.root, "src"]
        for module in modules:
            for folder in dict.fromkeys("" if name == "." else name for name in folders):
                path = f"{folder}/{module}".strip("/")
                for candidate in (f"{path}.py", f"{path}/__init__.py"):
                    if candidate in self.files:
                        yield candidate
                        return

    def _node(self, file: str, lines: list[str], names: set[str] | None) -> Iterator[str]:
        for text in _joined(lines):
            match = NODE_IMPORT.match(text)
            if match is None:
                continue
            bound = set(IDENTIFIER.findall(match["names"]))
            if names is None or bound & names or not bound:
                yield from self._node_files(file, match["path"])

    def _node_files(self, file: str, path: str) -> Iterator[str]:
        alias = next((alias for alias in NODE_ALIASES if path.startswith(alias)), "")
        if not path.startswith(".") and not alias:
            return
        folders = (
            ["src", self.tree.root, f"{self.tree.root}/src", ""]
            if alias
            else [str(PurePosixPath(file).parent)]
        )
        for folder in folders:
            target = _normal(f"{folder}/{path.removeprefix(alias)}")
            stem = re.sub(r"\.[cm]?jsx?$", "", target)
            candidates = [
                target,
                *(stem + end for end in NODE_ENDS),
                *(f"{target}/index{end}" for end in NODE_ENDS),
            ]
            if own_file := next((name for name in candidates if name in self.files), None):
                yield own_file
                return

    def _go(self, file: str, lines: list[str], names: set[str] | None) -> Iterator[str]:
        own = str(PurePosixPath(file).parent)
        matches = [match for text in lines if (match := GO_IMPORT.match(text))]
        imported = [
            f"/{match['path']}"
            for match in matches
            if names is None or (match["alias"] or match["path"].rpartition("/")[2]) in names
        ]
        for other in sorted(self.files):
            folder = str(PurePosixPath(other).parent)
            if not other.endswith(".go") or other == file:
                continue
            is_imported = folder != "." and any(path.endswith(f"/{folder}") for path in imported)
            if is_imported or (names is not None and folder == own and self._defines(other, names)):
                yield other

    def _defines(self, file: str, names: set[str]) -> bool:
        matches = (GO_FUNCTION.match(text[:MAX_LINE_CHARS]) for text in self.tree.lines(file))
        return any(match["name"] in names for match in matches if match)


def _function(lines: list[str], line: int) -> list[str]:
    """The lines of the function that begins at the line, with its decorators; a statement of one line is itself."""
    part = lines[max(0, line - 1) : line - 1 + MAX_FUNCTION_LINES]
    if not part:
        return []
    first = part[0].strip()
    if first.endswith((",", ";", ")")) and not first.startswith("@"):
        return part[:1]
    depth, has_body = _indent(part[0]), False
    for number, text in enumerate(part):
        if not text.strip():
            continue
        has_body = has_body or _indent(text) > depth
        if number and has_body and _indent(text) <= depth and NEXT_START.match(text[:MAX_LINE_CHARS]):
            return part[:number]
    return part


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _joined(lines: list[str]) -> Iterator[str]:
    """The lines, with an import that goes over several of them on one line."""
    pending = ""
    for text in lines:
        pending = f"{pending} {text.strip()}" if pending else text
        is_open = pending.count("(") > pending.count(")") or pending.count("{") > pending.count("}")
        is_import = pending.lstrip().startswith(("from ", "import ", "const {", "let {", "var {", "export {"))
        if is_open and is_import and len(pending) < MAX_LINE_CHARS:
            continue
        yield pending
        pending = ""
    if pending:
        yield pending


def _bound_names(names: str) -> Iterator[tuple[str, str]]:
    """Pairs of the name in the file and the name of the module: `b as c` is (`c`, `b`)."""
    for part in names.split(","):
        name, _, alias = part.strip().partition(" as ")
        if name:
            yield alias.strip() or name, name


def _python_base(file: str, module: str) -> str:
    """The folder or module of `from MODULE import`, as a path; relative ones from the folder of the file."""
    dots = len(module) - len(module.lstrip("."))
    path = module.lstrip(".").replace(".", "/")
    if not dots:
        return path
    parents = [str(parent) for parent in PurePosixPath(file).parents]
    folder = parents[min(dots, len(parents)) - 1]
    return f"{'' if folder == '.' else folder}/{path}".strip("/")


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
