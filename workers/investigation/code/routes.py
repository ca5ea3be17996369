"""Finds the code that handles a failing, refused or slow route. Pure apart from reading files of the clone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workers.investigation.code.built_code import definition_line
from workers.investigation.code.locations import excerpt
from workers.investigation.code.route_syntax import Registration, registrations
from workers.investigation.code.tree import Tree
from workers.models import CodeLocation, RequestPattern

MAX_ROUTES = 4  # routes whose handlers are searched, the most frequent first
MAX_LINES_ABOVE = 200  # lines above a route in which its surrounding function is searched
LINES_TO_FUNCTION = 16  # lines of decorators and annotations between a route and its function
UNSURE = 0.25  # weight of a text that merely looks like a route
SAME_NAME = 0.3  # weight of a file that is named after the first part of the path: `routes/orders.js`
# A segment of a route that stands for any value: `:id`, `{id}`, `<int:id>`, `[id]`, `${id}`, `*`, `(?P<id>…)`.
PARAMETER = re.compile(r"^(?::\w+.*|\{.*\}|<.*>|\[.*\]|\$\{.*\}|\*.*|\(.*\)\??\$?|%[sd]|\$\w+)$")
CATCH_ALL = re.compile(r"^(?:\*|\{\*\w*\}|\{\w+:path\}|<path:\w+>|\[\[?\.\.\.\w+\]\]?|\*\w+)$")
# The definition of a function or method, in any language.
DEFINITION = re.compile(
    r"^\s*(?:(?:export|default|async|pub|public|private|protected|static|final|suspend|override|virtual"
    r"|abstract) ){0,6}"
    r"(?:def|function\*?|func|fn|fun)\s+(?:\([^)]{0,80}\)\s*)?(?:self\.)?(\w{1,80})"
    r"|^\s*(?:export\s+)?const\s+(\w{1,80})\s*=\s*(?:async\s*)?\("
    r"|^\s+(?:(?:public|private|protected|static|final|async"
    r"|override) ){0,5}(?:[\w<>\[\],.?]{1,80} )?(?!if\b|for\b|while\b|switch\b"
    r"|return\b)(\w{1,80})\([^;]{0,300}\{?\s*$"
)
# Files whose name is their route: Next.js, Nuxt, Remix, SvelteKit, Astro.
FILE_ROUTES = re.compile(
    r"^(?:.*/)?(?:app|pages|routes|server)/(?P<route>.*?)(?:/?(?:route|index|\+server|\+page(?:\.server)?"
    r"|page))?(?:\.(?P<verb>get|post|put|patch|delete))?\.[cm]?[jt]sx?$"
)
ROUTE_FILE = re.compile(
    r"(?:^|/)(?:api|routes?)/|/(?:route|page|\+server|\+page(?:\.server)?)\.[jt]sx?$|(?:^|/)pages/"
)
IGNORED_FOLDER = re.compile(r"^(?:\(.*\)|@.*)$")  # groups and slots of Next.js are no part of the path


@dataclass(frozen=True)
class _Handler:
    file: str
    line: int
    function: str | None


def route_locations(requests: Iterable[RequestPattern], tree: Tree) -> tuple[CodeLocation, ...]:
    """At most one location per route, the most frequent route first. Responses of the edge proxy involve no code."""
    answered = [request for request in requests if not request.platform_answer][:MAX_ROUTES]
    routes = list(_routes(tree)) if answered else []
    locations: dict[tuple[str, int], CodeLocation] = {}
    for request in answered:
        best = max(routes, key=lambda route: _rank(route, request, tree), default=None)
        if best is None or _rank(best, request, tree)[0] <= 0:
            continue
        handler = _handler(best, request, tree)
        earlier = locations.get((handler.file, handler.line))
        locations[(handler.file, handler.line)] = CodeLocation(
            file=handler.file,
            line=handler.line,
            function=handler.function,
            why="route",
            count=request.count + (earlier.count if earlier else 0),
            excerpt=excerpt(tree, handler.file, handler.line),
        )
    return tuple(locations.values())


def _routes(tree: Tree) -> Iterator[Registration]:
    for file in tree.sources():
        by_name = FILE_ROUTES.match(file)
        if by_name and ROUTE_FILE.search(file):
            parts = [part for part in by_name["route"].split("/") if not IGNORED_FOLDER.match(part)]
            yield Registration(file, 1, "/" + "/".join(parts), by_name["verb"] or "", "", True, True)
        yield from registrations(file, tree.lines(file))


def _rank(route: Registration, request: RequestPattern, tree: Tree) -> tuple[float, bool, bool, bool]:
    """How well a registration fits: by its segments, then own code, then the method."""
    fit = max(route_fit(route.route, request.path), _fit_in_file(route, request.path))
    method = request.method.lower()
    is_other = bool(route.verb) and route.verb != method
    return (
        fit * (1.0 if route.is_sure else UNSURE),
        tree.is_own(route.file),
        route.verb == method,
        not is_other,
    )


def _fit_in_file(route: Registration, path: str) -> float:
    """The fit of a router that is mounted under the name of its file: `/:id` in `routes/orders.js`."""
    given, own = _segments(path), _segments(route.route)
    head = given[: len(given) - len(own)]
    if not route.is_sure or not head or len(own) > len(given):
        return 0.0
    words = set(re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1-\2", route.file).lower()))
    name = head[-1].lower()
    if not {name, name.removesuffix("s"), f"{name}s"} & words:
        return 0.0
    fit = route_fit("/" + "/".join(own), "/" + "/".join(given[len(head) :]))
    return SAME_NAME + 0.5 * fit if fit else 0.0


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
    if CATCH_ALL.match(route[-1]) and given[: len(route) - 1] == route[:-1]:
        return 0.1 + 0.4 * (len(route) - 1)
    begins = text.endswith("/") and given[: len(route)] == route
    return 0.4 * len(route) if begins else 0.0


def _segments(path: str) -> list[str]:
    return [part for part in path.split("?", maxsplit=1)[0].strip("/^$").split("/") if part]


# ---- handlers ----


def _handler(route: Registration, request: RequestPattern, tree: Tree) -> _Handler:
    """The place of a handler: where it is defined, or else where its route is registered."""
    if route.handler:
        return _defined(route, request, tree)
    lines = tree.lines(route.file)
    if route.line == 1 and FILE_ROUTES.match(route.file):
        line = definition_line(lines, request.method.upper(), 0)
        return _Handler(route.file, line or 1, request.method.upper() if line else None)
    if route.is_below:
        return _Handler(route.file, route.line, _name_below(lines, route.line))
    is_inline = re.search(r"=>|\bfunc(?:tion)?\s*\(", " ".join(lines[route.line - 1 : route.line + 1]))
    return _Handler(route.file, route.line, None if is_inline else _name_around(lines, route.line))


def _name_below(lines: list[str], line: int) -> str | None:
    for text in lines[line - 1 : line - 1 + LINES_TO_FUNCTION]:
        if (definition := DEFINITION.match(text)) and not text.lstrip().startswith(("@", "[", "#[")):
            return definition[1] or definition[2] or definition[3]
    return None


def _name_around(lines: list[str], line: int) -> str | None:
    """The function around a line that compares a path, as in a handler without a framework."""
    if lines[line - 1][:1] not in " \t":
        return None
    for text in reversed(lines[max(0, line - MAX_LINES_ABOVE) : line - 1]):
        definition = DEFINITION.match(text)
        if definition and (definition[1] or definition[2]):
            return definition[1] or definition[2]
    return None


def _defined(route: Registration, request: RequestPattern, tree: Tree) -> _Handler:
    """The definition of a named handler: in the same file, in the file of its module or class, or the only one."""
    *owner, name = route.handler.split(".")
    lines = tree.lines(route.file)
    line = 0 if owner else definition_line(lines, name, 0)
    file = route.file if line else _file_of(owner[-1] if owner else name, name, route.file, tree)
    if file is None:
        return _Handler(route.file, route.line, name)
    defined = definition_line(tree.lines(file), name, 0)
    if not defined:
        return _Handler(route.file, route.line, name)
    method = _method_of_class(tree.lines(file), defined, request.method.lower())
    return _Handler(file, method or defined, f"{name}.{request.method.lower()}" if method else name)


def _file_of(owner: str, name: str, near: str, tree: Tree) -> str | None:
    """The own file that defines the name: one that is called like its module or class first, then the nearest."""
    key = _letters(owner)
    candidates = [file for file in tree.sources() if definition_line(tree.lines(file), name, 0)]

    def distance(file: str) -> tuple[bool, int, str]:
        stem = _letters(file.rsplit("/", 1)[-1].split(".", maxsplit=1)[0])
        folder = _letters(file.rsplit("/", 2)[-2]) if "/" in file else ""
        is_named = bool(key) and (key in (stem, folder) or stem.startswith(key) or key.startswith(stem))
        shared = sum(a == b for a, b in zip(file.split("/"), near.split("/"), strict=False))
        return (not is_named, -shared, file)

    return min(candidates, key=distance, default=None)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _method_of_class(lines: list[str], line: int, method: str) -> int:
    """The line of `def get` in a handler class, 0 if the definition is no class or has no such method."""
    if not re.match(r"\s*(?:export )?(?:default )?class\b", lines[line - 1]):
        return 0
    for number, text in enumerate(lines[line : line + MAX_LINES_ABOVE], start=line + 1):
        if re.match(r"(?:export )?class\b", text):
            return 0
        if re.match(rf"\s+(?:async )?(?:def )?{re.escape(method)}\(", text):
            return number
    return 0
