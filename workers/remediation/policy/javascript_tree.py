"""Syntax trees of JavaScript, TypeScript, Go and Ruby by tree-sitter, copied into plain values with bounded size.

The parsers are loaded on first use, because most processes never need them and each takes memory.
"""

from __future__ import annotations

import functools
import importlib
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

CACHED_TEXTS = 32  # texts of one patch that stay parsed
MAX_TEXT = 400_000  # characters; parsing them takes about a tenth of a second
MAX_NODES = 250_000
MAX_DEPTH = 400  # nested nodes; hand-written code stays below 60
GRAMMARS = {
    ".js": ("tree_sitter_javascript", "language"), ".mjs": ("tree_sitter_javascript", "language"),
    ".cjs": ("tree_sitter_javascript", "language"), ".jsx": ("tree_sitter_javascript", "language"),
    ".ts": ("tree_sitter_typescript", "language_typescript"), ".mts": ("tree_sitter_typescript", "language_typescript"),
    ".cts": ("tree_sitter_typescript", "language_typescript"), ".tsx": ("tree_sitter_typescript", "language_tsx"),
    ".vue": ("tree_sitter_typescript", "language_typescript"), ".svelte": ("tree_sitter_typescript",
    "language_typescript"),
    ".astro": ("tree_sitter_typescript", "language_tsx"), ".go": ("tree_sitter_go", "language"),
    ".rb": ("tree_sitter_ruby", "language"),
}  # fmt: skip
JAVASCRIPT = frozenset(suffix for suffix in GRAMMARS if suffix not in (".go", ".rb"))
PAGES = frozenset({".vue", ".svelte", ".astro"})
SCRIPT = re.compile(r"<script\b[^>]{0,200}>(.*?)</script\s*>|\A---\n(.*?)\n---\n", re.S | re.I)


@dataclass(repr=False)
class Node:
    """A named node of a syntax tree; punctuation is left out, operators stand in `operator`."""

    type: str
    content: bytes
    start: int = 0
    end: int = 0
    operator: str = ""
    children: list[Node] = field(default_factory=list)
    fields: dict[str, Node] = field(default_factory=dict)
    parent: Node | None = None

    @property
    def text(self) -> str:
        return self.content[self.start : self.end].decode(errors="replace")

    def walk(self) -> Iterator[Node]:
        """The node and everything below it, in the order of the text."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def get(self, name: str) -> Node | None:
        return self.fields.get(name)


@dataclass(frozen=True)
class Parsed:
    """A syntax tree, and whether the parser had to skip something."""

    root: Node
    has_error: bool


def suffix_of(path: str) -> str:
    """The lower-case suffix of the path, with its dot."""
    return posixpath.splitext(path)[1].lower()


def is_javascript(path: str) -> bool:
    """True for JavaScript, TypeScript, and pages that contain scripts of them."""
    return suffix_of(path) in JAVASCRIPT


@functools.lru_cache(maxsize=CACHED_TEXTS)
def parse_source(path: str, text: str) -> Parsed | None:
    """The syntax tree of a file; None if its language has no parser here, or it is too large or too deeply nested."""
    suffix = suffix_of(path)
    if suffix not in GRAMMARS or len(text) > MAX_TEXT:
        return None
    if suffix in PAGES:
        text = "\n".join(match[1] or match[2] or "" for match in SCRIPT.finditer(text))
    content = text.encode(errors="replace")
    tree = _parser(*GRAMMARS[suffix]).parse(content)
    root = _copy(tree.root_node, content)
    return Parsed(root, bool(tree.root_node.has_error)) if root else None


@functools.cache
def _parser(module: str, function: str) -> Any:
    tree_sitter = importlib.import_module("tree_sitter")
    language = getattr(importlib.import_module(module), function)
    return tree_sitter.Parser(tree_sitter.Language(language()))


def _copy(top: Any, content: bytes) -> Node | None:
    cursor, count, depth = top.walk(), 0, 0
    root = _node(top, content)
    stack: list[Node] = [root]
    while True:
        if cursor.goto_first_child():
            depth += 1
            stack.append(stack[-1])
        elif not cursor.goto_next_sibling():
            while True:
                if not cursor.goto_parent():
                    return root
                stack.pop()
                depth -= 1
                if cursor.goto_next_sibling():
                    break
        count += 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            return None
        _add(stack, cursor, content)


def _add(stack: list[Node], cursor: Any, content: bytes) -> None:
    """Put the node at the cursor on top of the stack, and into its parent if it says something."""
    raw, owner = cursor.node, stack[-2]
    stack[-1] = node = _node(raw, content)
    if not raw.is_named:
        if cursor.field_name in ("operator", "kind") or raw.type in ("async", "await", "static"):
            owner.operator += node.text
        return
    if raw.type == "comment":
        return
    node.parent = owner
    owner.children.append(node)
    if cursor.field_name:
        owner.fields.setdefault(cursor.field_name, node)


def _node(raw: Any, content: bytes) -> Node:
    return Node(raw.type, content, raw.start_byte, raw.end_byte)
