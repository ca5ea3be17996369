"""Finds the code that a patch changes in a JavaScript or TypeScript file. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workers.remediation.changed_code import ChangedCode
from workers.remediation.policy.javascript_tree import Node, parse_source

FUNCTIONS = frozenset({
    "function_declaration", "function_expression", "function", "arrow_function", "method_definition",
    "generator_function", "generator_function_declaration",
})  # fmt: skip
"""Types of nodes that hold code which runs when it is called."""
PLAIN_VALUES = frozenset({"number", "string", "true", "false", "null", "undefined", "unary_expression"})


def find_changed_javascript(
    path: str, before: str | None, after: str, added: Iterable[int], deletions: Iterable[int]
) -> ChangedCode | None:
    """The changed code; None if only comments or spaces differ, or if the file cannot be parsed.

    Functions are named by the offset of their first byte, not by a line: several may begin on one line.

    Args:
        path: names the language.
        before: the file without the patch; None for a new file.
        added: numbers of added lines.
        deletions: numbers of lines in the patched file at which lines were only deleted.
    """
    tree = parse_source(path, after)
    if tree is None or (before is not None and _is_same(path, before, tree.root)):
        return None
    text = Lines(after)
    lines: set[int] = set()
    functions: set[int] = set()
    constants: set[int] = set()
    other = False
    for line in added:
        if not text.extent(line):
            continue
        lines.add(line)
        around = _functions_of_line(tree.root, *text.span(line))
        constant = _constant(tree.root, *text.span(line))
        if around:
            functions.update(node.start for node in around)
        elif constant is not None:
            constants.add(constant.start)
            other = other or constant.type not in PLAIN_VALUES
        else:
            other = True
    for line in deletions:
        function = innermost_function(tree.root, *text.span(line))
        if function is not None:
            functions.add(function.start)
            lines.update(range(text.line_of(function.start), text.line_of(function.end) + 1))
    literals = bool(constants) and not functions and not other
    return ChangedCode(frozenset(lines), frozenset(functions), frozenset(constants), literals_only=literals)


class Lines:
    """The lines of a text by byte offset."""

    def __init__(self, text: str) -> None:
        self._lines = text.encode(errors="replace").split(b"\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def extent(self, line: int) -> bytes:
        """The line without the spaces around it; empty if there is none."""
        return self._lines[line - 1].strip() if 0 < line <= len(self._lines) else b""

    def span(self, line: int) -> tuple[int, int]:
        """First and last byte of the line's text."""
        if not 0 < line <= len(self._lines):
            return (0, 0)
        raw = self._lines[line - 1]
        start = self._starts[line - 1] + len(raw) - len(raw.lstrip())
        return start, max(start, self._starts[line - 1] + len(raw.rstrip()))

    def line_of(self, offset: int) -> int:
        """The number of the line that holds the byte."""
        return max(index for index, start in enumerate(self._starts, 1) if start <= offset)


def innermost_function(root: Node, start: int, end: int) -> Node | None:
    """The smallest function that holds all the bytes of the range."""
    holders = [
        node for node in root.walk() if node.type in FUNCTIONS and node.start <= start and end <= node.end
    ]
    return min(holders, key=lambda node: node.end - node.start, default=None)


def _functions_of_line(root: Node, start: int, end: int) -> list[Node]:
    """The function around a line, or else the outermost ones that begin on it."""
    function = innermost_function(root, start, end)
    if function is not None:
        return [function]
    begun = [node for node in root.walk() if node.type in FUNCTIONS and start <= node.start < end]
    return [node for node in begun if not any(other.start < node.start < other.end for other in begun)]


def function_span(path: str, text: str, line: int) -> range:
    """The lines of the innermost function around a line; the line alone if there is none or no syntax tree."""
    tree, lines = parse_source(path, text), Lines(text)
    function = innermost_function(tree.root, *lines.span(line)) if tree else None
    if function is None:
        return range(line, line + 1)
    first, last = lines.line_of(function.start), lines.line_of(function.end)
    # The header of a function of several lines runs when its module is loaded.
    return range(first + 1, last + 1) if last > first + 1 else range(first, last + 1)


def _constant(root: Node, start: int, end: int) -> Node | None:
    """The value of a declaration on the top level that holds the range."""
    for node in root.walk():
        value = node.get("value")
        if node.type == "variable_declarator" and value is not None and value.type not in FUNCTIONS:
            holder = node.parent or node
            if holder.start <= start and end <= holder.end:
                return value
    return None


def _is_same(path: str, before: str, after: Node) -> bool:
    old = parse_source(path, before)
    return old is not None and list(_leaves(old.root)) == list(_leaves(after))


def _leaves(root: Node) -> Iterator[tuple[str, str]]:
    """Types and texts of all nodes without children, and operators; comments are no nodes."""
    for node in root.walk():
        yield node.type, node.operator if node.children else node.text
