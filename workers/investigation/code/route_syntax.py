"""Where source code registers routes, in the form of each framework. Pure.

Django, Flask, FastAPI, Starlette, Tornado, aiohttp; Express, Fastify, Koa, Hono, NestJS; Go's net/http, chi, gin, echo;
Spring, JAX-RS, Ktor; ASP.NET; Rails, Sinatra; Laravel; axum, actix; Phoenix, Plug.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

MAX_LINE_CHARS = 1_000  # longer lines are minified code
MAX_ARGUMENT_CHARS = 400  # of a registration behind its route
MAX_ARGUMENT_LINES = 8
MAX_BEFORE_CHARS = 160  # of a line before its route
MAX_LITERALS = 12  # texts of one line; a line with more is data
VERBS = (
    r"(?:get|post|put|patch|delete|head|options|all|any|any_method|use|route|match|mount|on|handle|handlefunc"
    r"|handle_func)"
)

# Go writes the method into the route: `"GET /orders/{id}"`.
LITERAL = re.compile(
    r"""(?P<quote>["'`])(?:(?P<method>GET|POST|PUT|PATCH|DELETE) )?(?P<text>[/^]?[^"'`\s]{0,160})(?P=quote)"""
)
# Text before a route that says that the route is registered there. A call needs a handler behind the route, too.
DECORATOR = re.compile(
    r"(?:^|\s)(?:(?:@|#\[)[\w.]{0,80}?(?P<verb>(?i:get|post|put|patch|delete|head|options|route|api_route"
    r"|all|websocket|path)"
    r"|(?:Get|Post|Put|Patch|Delete|Request)Mapping|Controller)"
    r"|\[(?P<attribute>Http(?:Get|Post|Put|Patch|Delete)|Route))"
    r"\((?:[\w ]{0,20}(?:value|path) ?= ?)?[\[{]?\s*r?$"
)
CALL = re.compile(
    rf"(?P<receiver>[\w$]{{0,60}})(?:\.|::|->)(?:add_|Map)?(?P<verb>{VERBS}|api_route|url_rule|routes?"
    rf"|websocket_route)(?:Context)?\(\s*(?:r|b|f)?$",
    re.I,
)
CONSTRUCTOR = re.compile(
    r"\b(?:Route|WebSocketRoute|Mount|Rule|re_path|path|url|resource|PathPrefix|URLSpec)\(\s*r?$"
)
WORD = re.compile(rf"^\s*(?P<verb>{VERBS}|live|forward|resources?|scope|namespace)\s*\(?\s*$", re.I)
TUPLE = re.compile(r"(?:^\s*|[\[,(]\s*)\(\s*r?$")
FIELD = re.compile(r"\b(?:url|path)\s*:\s*$")
COMPARED = re.compile(
    r"(?:\b(?:path|pathname|url|uri|route|PATH_INFO)\w{0,20}['\"\])]{0,3}\s*(?:===?"
    r"|\.startswith\(|\.startsWith\()|\bcase)\s*$",
    re.I,
)
CLIENT = re.compile(
    r"^(?:axios|requests|httpx|client|http_client|httpClient|session|self|fetch|\$http|ky|got|superagent"
    r"|supertest|request|agent|conn|headers"
    r"|params|cookies|config|cache|redis|os|dict|data|json|urllib|rpc|rest|\w{0,40}[cC]lient)$"
)
# Prefixes of all routes of a file: of a class, or of a router.
CLASS_PREFIX = re.compile(
    r"(?:@Controller\(\s*|@RequestMapping\((?:value ?= ?|path ?= ?)?|@Path\(|\[Route\()"
    r"[{\[]?\s*[\"'`](?P<prefix>[^\"'`\s]{1,120})[\"'`]"
)
ROUTER_PREFIX = re.compile(
    r"\b(?:prefix|url_prefix|basePath) ?[=:] ?[\"'`](?P<prefix>/[^\"'`\s]{1,120})[\"'`]"
)
LINES_TO_CLASS = 6  # annotations between the prefix of a class and the class
CLASS = re.compile(
    r"^\s*(?:(?:export|default|public|final|abstract|open|sealed|internal|partial) ){0,4}class\b"
)
RAILS_CONTROLLER = re.compile(r"(?:^|/)app/controllers/(?P<name>[\w/]{1,120})_controller\.rb$")
RAILS_ACTIONS = {
    "index": ("get", ""), "create": ("post", ""), "new": ("get", "/new"), "show": ("get", "/:id"),
    "update": ("patch", "/:id"), "destroy": ("delete", "/:id"), "edit": ("get", "/:id/edit"),
}  # fmt: skip
"""Method and route of the actions that `resources` routes."""
RUBY_METHOD = re.compile(r"^\s{1,8}def (\w{1,80})\s*$")
# The name of a handler among the arguments of a registration.
NAME = r"[A-Za-z_$][\w$]{0,80}"
RAILS = re.compile(rf"[\"'](?P<controller>[\w/]{{1,80}})[#@](?P<action>{NAME}[?!]?)[\"']")
CLASS_AND_METHOD = re.compile(rf"(?P<controller>{NAME})(?:::class)?,\s*[\"':]{{1,2}}(?P<action>{NAME})")
NAMED_ARGUMENT = re.compile(
    rf"\b(?:endpoint|view_func|handler|view|component)\s*[=:]\s*(?P<name>(?:{NAME}\.){{0,4}}{NAME})"
)
INLINE = re.compile(r"=>|\bfunction\b|\bfunc\s*\(|\blambda\b|\bfn\s*\(|\|[\w, ]{0,40}\||\bdo\b|^\)?\s*\{")
IDENTIFIERS = re.compile(rf"(?:{NAME}(?:\.|::)){{0,4}}{NAME}")
AXUM = re.compile(rf"\b(?P<verb>get|post|put|patch|delete)\(\s*(?P<name>(?:{NAME}::){{0,4}}{NAME})\s*\)")
WRAPPERS = frozenset(
    {"as_view", "bind", "csrf_exempt", "login_required", "asyncHandler", "expressAsyncHandler", "wrap", "require",
     "Depends", "True", "False", "None", "null", "undefined", "methods", "name", "class", "this", "self", "http",
     "HandlerFunc", "async", "await", "new"}
)  # fmt: skip


HINT = re.compile(
    r"[\"'`][/^]|[({\[=:>]\s{0,8}[rbf]?[\"'`]|^\s*[\"'`]|^\s*\w{2,10} [\"'`]|[\"'`](?:GET|POST|PUT|PATCH|DELETE) /"
)
"""A line without this names no route."""


@dataclass(frozen=True)
class Registration:
    """A route in the code."""

    file: str
    line: int
    route: str
    """With the prefix of its file, if it has one."""
    verb: str
    """HTTP method in lower case; empty if the registration names none."""
    handler: str
    """Name of the handler with its module or class (`views.login`, `OrdersController.index`); empty if it is inline,
    defined below, or not named."""
    is_sure: bool
    """False for a text that merely looks like a route."""
    is_below: bool
    """The handler is the function below, as with decorators and annotations."""


def registrations(file: str, lines: Sequence[str]) -> Iterator[Registration]:
    """The routes that a source file names."""
    prefix, prefix_line = _prefix(lines)
    if controller := RAILS_CONTROLLER.search(file):
        yield from _rails_actions(file, controller["name"], lines)
    for number, line in enumerate(lines, start=1):
        if (
            len(line) > MAX_LINE_CHARS
            or number == prefix_line
            or not ("/" in line or "(" in line or " '" in line)
        ):
            continue
        if not HINT.search(line):
            continue
        begin = line.lstrip()
        if begin.startswith(("#", "//", "*", "import ", "from ")) and not begin.startswith("#["):
            continue
        for match in islice(LITERAL.finditer(line), MAX_LITERALS):
            yield from _registrations(file, number, match, lines, prefix)


def _prefix(lines: Sequence[str]) -> tuple[str, int]:
    """The prefix of the routes of a file, and the line of the annotation of a class that names it."""
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_LINE_CHARS:
            continue
        if match := ROUTER_PREFIX.search(line):
            return match["prefix"], 0
        if match := CLASS_PREFIX.search(line):
            is_class = any(CLASS.match(text) for text in lines[number : number + LINES_TO_CLASS])
            return (match["prefix"], number) if is_class else ("", 0)
    return "", 0


def _rails_actions(file: str, name: str, lines: Sequence[str]) -> Iterator[Registration]:
    for number, line in enumerate(lines, start=1):
        if match := RUBY_METHOD.match(line):
            verb, end = RAILS_ACTIONS.get(match[1], ("", f"/{match[1]}"))
            yield Registration(file, number, f"/{name}{end}", verb, "", True, True)


def _registrations(
    file: str, number: int, match: re.Match[str], lines: Sequence[str], prefix: str
) -> Iterator[Registration]:
    before = lines[number - 1][max(0, match.start() - MAX_BEFORE_CHARS) : match.start()]
    if not before.strip() and number > 1 and lines[number - 2].rstrip().endswith("("):
        before = lines[number - 2].rstrip()[-MAX_BEFORE_CHARS:]
    text = match["text"]
    decorator = DECORATOR.search(before)
    call = CALL.search(before) or WORD.match(before)
    is_registered = call or CONSTRUCTOR.search(before) or TUPLE.search(before) or FIELD.search(before)
    if not (decorator or is_registered or text.startswith("/")):
        return
    behind, verb = _behind(lines, number, match.end()), (match["method"] or "").lower()
    if decorator is not None and decorator["attribute"] and handler_name(behind):
        decorator = None  # `[Route("/x", handler)]` is a list of Starlette, not an attribute of C#
    route = "/" + (_join(prefix, text) if decorator or prefix else text).lstrip("^/")
    if decorator is not None:
        name = (decorator["verb"] or decorator["attribute"]).lower()
        yield Registration(file, number, route, _verb(name), "", is_sure=True, is_below=True)
        return
    if call is not None and CLIENT.match(call.groupdict().get("receiver") or ""):
        return
    handlers = handler_names(behind) or [("", handler_name(behind))]
    is_handled = bool(handlers[0][1] or (call and INLINE.search(behind)))
    if call is not None and not is_handled:
        return
    is_sure = bool(is_registered and is_handled) or COMPARED.search(before) is not None
    if not is_sure and not text.startswith("/"):
        return
    for method, handler in handlers:
        route_method = method or verb or _verb(call["verb"].lower() if call else "")
        yield Registration(
            file, number, route, route_method, handler if is_registered else "", is_sure, is_below=False
        )


def _verb(name: str) -> str:
    plain = name.removesuffix("mapping").removeprefix("http")
    return plain if plain in ("get", "post", "put", "patch", "delete", "head", "options") else ""


def _join(prefix: str, text: str) -> str:
    return f"{prefix.rstrip('/')}/{text.lstrip('/')}".rstrip("/") if prefix else text


def _behind(lines: Sequence[str], number: int, start: int) -> str:
    """The arguments behind a route, up to the end of its call or tuple."""
    text = "\n".join([lines[number - 1][start:], *lines[number : number + MAX_ARGUMENT_LINES]])[
        :MAX_ARGUMENT_CHARS
    ]
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if depth < 0:
            return text[:position]
        if letter == "\n" and depth == 0 and text[:position].rstrip()[-1:] not in (",", "(", ""):
            return text[:position]
    return text


def handler_names(arguments: str) -> list[tuple[str, str]]:
    """Methods and handlers of a registration that has one for each method, as axum's `get(list).post(create)`."""
    return [(verb, name.replace("::", ".")) for verb, name in AXUM.findall(arguments)]


def handler_name(arguments: str) -> str:
    """The name of the handler in the arguments behind a route; empty if it is inline or not named."""
    if match := RAILS.search(arguments) or CLASS_AND_METHOD.search(arguments):
        return f"{match['controller']}.{match['action']}"
    if match := NAMED_ARGUMENT.search(arguments):
        return match["name"]
    if not arguments.lstrip().startswith(",") or INLINE.search(arguments):
        return ""
    positional = re.split(r",\s*\w{1,30}\s*=(?!=|>)", arguments)[0]
    plain = re.sub(r"\"[^\"]{0,200}\"|'[^']{0,200}'|\{[^}]{0,200}\}", "", positional)
    names = [_plain_name(name) for name in IDENTIFIERS.findall(plain)]
    named = [name for name in names if name.split(".")[-1] not in WRAPPERS]
    return named[-1] if named else ""


def _plain_name(name: str) -> str:
    return name.replace("::", ".").removesuffix(".as_view").removesuffix(".bind").removesuffix(".class")
