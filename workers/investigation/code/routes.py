"""Finds the code that handles a failing, refused or slow route, by the text of the route in the code. Pure.

Every framework writes its routes as string literals or as file names, so that no framework has to be known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from workers.investigation.code.locations import excerpt
from workers.investigation.code.tree import Tree
from workers.models import CodeLocation, RequestPattern

MAX_ROUTES = 4  # routes whose handlers are searched, the most frequent first
MAX_LINE_CHARS = 1_000  # longer lines are minified code
MAX_LINES_ABOVE = 200  # lines above a route in which its surrounding function is searched
LITERAL = re.compile(r"""["'`](/[^"'`\s]{0,160})["'`]""")
DJANGO_ROUTE = re.compile(r"""\b(?:re_)?(?:path|url)\(\s*r?["']\^?([^"'\s]{1,160})["']""")
# A segment of a route that stands for any value: `:id`, `{id}`, `<int:id>`, `[id]`, `${id}`, `*`.
PARAMETER = re.compile(r"^(?::\w+.*|\{.*\}|<.*>|\[.*\]|\$\{.*\}|\*.*|\(.*\)\??|%[sd])$")
# The definition of a function, in Python and in JavaScript.
DEFINITION = re.compile(
    r"^\s*(?:export\s+)?(?:default\s+)?(?:async\s+)?(?:def|function\*?)\s+(\w+)|^\s*(?:export\s+)?const\s+(\w+)\s*=\s*(?:async\s*)?\("
)
# The last argument of a call that registers a route: `router.get("/search", search)`.
HANDLER = re.compile(r",\s*(?:[\w.]+\.)?(\w+)\s*\)(?!\s*=>)")
# Lines that call a path on another service instead of handling it.
CLIENT_CALL = re.compile(
    r"\b(?:fetch|axios|httpx|requests|client|session|urlopen|redirect|href|http\.get)\b", re.I
)
# Files whose name is their route, as in Next.js, Nuxt, Remix and SvelteKit.
FILE_ROUTES = re.compile(
    r"^(?:.*/)?(?:app|pages|routes|api)/(.*?)(?:/?(?:route|index|\+server|page))?\.[jt]sx?$"
)
LINES_TO_FUNCTION = 6  # decorators between a route and its function


def route_locations(requests: Iterable[RequestPattern], tree: Tree) -> tuple[CodeLocation, ...]:
    """At most one location per route, the most frequent route first. Responses of the edge proxy involve no code."""
    answered = [request for request in requests if not request.platform_answer][:MAX_ROUTES]
    literals = _route_literals(tree) if answered else []
    locations: dict[tuple[str, int], CodeLocation] = {}
    for request in answered:
        best = max(literals, key=lambda literal: _rank(literal, request, tree), default=None)
        if best is None or _rank(best, request, tree)[0] <= 0:
            continue
        file, line, _, _ = best
        earlier = locations.get((file, line))
        locations[(file, line)] = CodeLocation(
            file=file,
            line=line,
            function=_handler_name(tree, file, line),
            why="route",
            count=request.count + (earlier.count if earlier else 0),
            excerpt=excerpt(tree, file, line),
        )
    return tuple(locations.values())


def _route_literals(tree: Tree) -> list[tuple[str, int, str, str]]:
    """File, line number, route and the whole line of every text that looks like a route."""
    literals = []
    for file in tree.sources():
        by_name = FILE_ROUTES.match(file)
        if by_name and ("api" in file or "route" in file or "+server" in file):
            literals.append((file, 1, "/" + by_name[1], ""))
        for number, line in enumerate(tree.lines(file), start=1):
            if len(line) > MAX_LINE_CHARS or ("/" not in line and "path(" not in line):
                continue
            texts = [*LITERAL.findall(line), *("/" + text.lstrip("/") for text in DJANGO_ROUTE.findall(line))]
            literals += [(file, number, text, line) for text in texts]
    return literals


def _rank(
    literal: tuple[str, int, str, str], request: RequestPattern, tree: Tree
) -> tuple[float, bool, bool]:
    """How well a literal fits: by its segments, then own code, then the method on the same line."""
    file, _, text, line = literal
    method = re.search(rf"\b(?:do_)?{re.escape(request.method)}\b", line, re.I) is not None
    is_client_call = CLIENT_CALL.search(line) is not None and not re.search(
        r"@|\b(?:app|router|api|server|fastify)\.", line
    )
    return (0.0 if is_client_call else route_fit(text, request.path), tree.is_own(file), method)


def route_fit(text: str, path: str) -> float:
    """How well a route in the code fits a path; 0.0 means not at all.

    The fit is the number of equal segments. It is halved if only the end of the path fits, as for a router that is
    mounted under a prefix, and lower still if only the beginning fits.
    """
    route, given = _segments(text), _segments(path)
    if not route:
        return 0.5 if not given else 0.0
    for whole, tail in ((True, given), (False, given[-len(route) :])):
        if len(route) != len(tail):
            continue
        equal = sum(a == b for a, b in zip(route, tail, strict=True))
        fits = all(a == b or PARAMETER.match(a) for a, b in zip(route, tail, strict=True))
        if fits and (equal or whole):
            return (equal + 0.25) * (1.0 if whole else 0.5)
    begins = text.endswith("/") and given[: len(route)] == route
    return 0.4 * len(route) if begins else 0.0


def _segments(path: str) -> list[str]:
    return [part for part in path.split("?", maxsplit=1)[0].strip("/^$").split("/") if part]


def _handler_name(tree: Tree, file: str, line: int) -> str | None:
    """The function that handles a route: named on its line, defined just below it, or defined around it."""
    lines = tree.lines(file)
    below = lines[line - 1 : line - 1 + LINES_TO_FUNCTION]
    for text in below:
        if definition := DEFINITION.match(text):
            return definition[1] or definition[2]
        if text.lstrip().startswith("@"):
            continue
        if handler := HANDLER.search(text):
            return handler[1]
        if text is not below[0]:
            break
    above = [
        match
        for text in reversed(lines[max(0, line - MAX_LINES_ABOVE) : line - 1])
        if (match := DEFINITION.match(text))
    ]
    return (above[0][1] or above[0][2]) if above and below and below[0][:1] in " \t" else None
