"""Which lines of the repository answer a failing or slow route: its own text is looked for in the code."""

from __future__ import annotations

import re
from collections.abc import Iterable

from workers.investigation.evidence.code_places import excerpt
from workers.investigation.evidence.tree import Tree
from workers.models import CodeLocation, RequestPattern

MOST_ROUTES = 4
LITERAL = re.compile(r"""["'`](/[^"'`\s]{0,160})["'`]""")
DJANGO = re.compile(r"""\b(?:re_)?(?:path|url)\(\s*r?["']\^?([^"'\s]{1,160})["']""")
PARAMETER = re.compile(r"^(?::\w+.*|\{.*\}|<.*>|\[.*\]|\$\{.*\}|\*.*|\(.*\)\??|%[sd])$")
DEFINES = re.compile(
    r"^\s*(?:export\s+)?(?:default\s+)?(?:async\s+)?(?:def|function\*?)\s+(\w+)|^\s*(?:export\s+)?const\s+(\w+)\s*=\s*(?:async\s*)?\("
)
HANDLER = re.compile(r",\s*(?:[\w.]+\.)?(\w+)\s*\)(?!\s*=>)")
CALLS = re.compile(r"\b(?:fetch|axios|httpx|requests|client|session|urlopen|redirect|href|http\.get)\b", re.I)
"""A line that asks somebody for this path does not answer it."""
FILE_ROUTES = re.compile(
    r"^(?:.*/)?(?:app|pages|routes|api)/(.*?)(?:/?(?:route|index|\+server|page))?\.[jt]sx?$"
)
LINES_TO_FUNCTION = 6


def route_places(requests: Iterable[RequestPattern], tree: Tree) -> tuple[CodeLocation, ...]:
    """One place per route at most, the most frequent route first; answers of the platform name no code."""
    found: dict[tuple[str, int], CodeLocation] = {}
    literals: list[tuple[str, int, str, str]] | None = None
    asked = 0
    for request in requests:
        if request.platform_answer or asked >= MOST_ROUTES:
            continue
        asked += 1
        literals = _literals(tree) if literals is None else literals
        best = max(literals, key=lambda one: _rank(one, request, tree), default=None)
        if best is None or _rank(best, request, tree)[0] <= 0:
            continue
        file, line, _, _ = best
        place = found.get((file, line))
        count = request.count + (place.count if place else 0)
        found[(file, line)] = CodeLocation(
            file=file, line=line, function=_function(tree, file, line), why="route", count=count,
            excerpt=excerpt(tree, file, line),
        )  # fmt: skip
    return tuple(found.values())


def _literals(tree: Tree) -> list[tuple[str, int, str, str]]:
    """File, line number, route and the whole line of everything that looks like a route."""
    found = []
    for file in tree.sources():
        by_name = FILE_ROUTES.match(file)
        if by_name and ("api" in file or "route" in file or "+server" in file):
            found.append((file, 1, "/" + by_name[1], ""))
        for number, line in enumerate(tree.lines(file), start=1):
            if len(line) > 1_000 or ("/" not in line and "path(" not in line):
                continue
            texts = [*LITERAL.findall(line), *("/" + text.lstrip("/") for text in DJANGO.findall(line))]
            found += [(file, number, text, line) for text in texts]
    return found


def _rank(
    literal: tuple[str, int, str, str], request: RequestPattern, tree: Tree
) -> tuple[float, bool, bool]:
    file, _, text, line = literal
    method = re.search(rf"\b(?:do_)?{re.escape(request.method)}\b", line, re.I) is not None
    asks = CALLS.search(line) is not None and not re.search(r"@|\b(?:app|router|api|server|fastify)\.", line)
    return (0.0 if asks else matches(text, request.path), tree.own(file), method)


def matches(text: str, path: str) -> float:
    """How well a route of the code fits a path: its equal segments, less where only the end fits; 0: not."""
    wanted, given = _segments(text), _segments(path)
    if not wanted:
        return 0.5 if not given else 0.0
    for whole, tail in ((True, given), (False, given[-len(wanted) :])):
        if len(wanted) != len(tail):
            continue
        equal = sum(a == b for a, b in zip(wanted, tail, strict=True))
        fits = all(a == b or PARAMETER.match(a) for a, b in zip(wanted, tail, strict=True))
        if fits and (equal or whole):
            return (equal + 0.25) * (1.0 if whole else 0.5)
    begins = text.endswith("/") and given[: len(wanted)] == wanted
    return 0.4 * len(wanted) if begins else 0.0


def _segments(path: str) -> list[str]:
    return [part for part in path.split("?", maxsplit=1)[0].strip("/^$").split("/") if part]


def _function(tree: Tree, file: str, line: int) -> str | None:
    """The function that a route leads to: named on its line, defined just below, or the one around it."""
    lines = tree.lines(file)
    below = lines[line - 1 : line - 1 + LINES_TO_FUNCTION]
    for text in below:
        if defined := DEFINES.match(text):
            return defined[1] or defined[2]
        if text.lstrip().startswith("@"):
            continue
        if named := HANDLER.search(text):
            return named[1]
        if text is not below[0]:
            break
    above = [
        match for text in reversed(lines[max(0, line - 200) : line - 1]) if (match := DEFINES.match(text))
    ]
    return (above[0][1] or above[0][2]) if above and below and below[0][:1] in " \t" else None
