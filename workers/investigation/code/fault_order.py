"""Which of the own lines of a trace is the likely fault: the innermost that does something of its own. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workers.investigation.code.built_code import Place
from workers.investigation.code.code_layout import Layout

MAX_CODE_CHARS = 400  # of a line of code that is looked at
MESSAGE_LINES = 3  # lines of a statement that raises, with its message
# Calls that hand a request on to the next middleware, and calls of a decorated function.
PASSES_ON = re.compile(
    r"\bself\.(?:app|get_response|inner|application|wsgi_app|asgi_app)\(|\bcall_next\("
    r"|\bawait _?next\(|(?<![\w.])_?next\((?:err|error|e|c|ctx|context|req|request)?\)"
    r"|\((?:self, ?|request, ?|req, ?|ctx, ?)?\*args, ?\*\*\w+\)|\(\.\.\.(?:args|arguments|params)\)"
    r"|\.(?:apply|call)\(this, (?:arguments|args)"
    r"|\bfn\(req, res(?:, next)?\)|\bhandler\((?:req(?:uest)?(?:, res(?:ponse)?)?|event|ctx"
    r"|context)(?:, ?\w{1,20}){0,2}\)"
    r"|\b(?:next|h|handler|inner)\.ServeHTTP\(|\.Next\(\)|\b(?:next|h|fn|f)\((?:c|w, r|w, req|ctx)\)"
    r"|\.doFilter\(|\.proceed\(|\$next\(|@app\.call\(|\b_?next\.Invoke|^yield$|^yield self$"
    r"|^return await self\.app"
)
# Statements that refuse an argument: the caller gave a wrong one.
REFUSES = re.compile(
    r"^(?:\}? ?else )?(?:if .{1,200}[:)] ?)?(?:raise \(?(?:exceptions\.)?(?P<mild>ValueError|ArgumentError"
    r"|RuntimeError|Exception)\b"
    r"|raise (?:TypeError|AssertionError|NotImplementedError|AttributeError)\b|assert\b"
    r"|throw new (?:(?P<mild_new>Error|RangeError|ArgumentException|InvalidArgumentException"
    r"|IllegalArgumentException)\b"
    r"|(?:TypeError|AssertionError|AssertionException|ArgumentNullException|IllegalStateException)\b)"
    r"|panic\(|(?:debug_)?assert(?:_eq|_ne)?!\(|panic!\(|invariant\(|(?:Objects|Preconditions|Assert"
    r"|Validate)\.\w{1,40}\("
    r"|ArgumentNullException\.ThrowIf|raise TypeError|abort\()"
)
MESSAGE_OF_CHECK = re.compile(
    r"\b(?:must|should|expected|expects|has to|needs to be|cannot be|can't be|can not be|may not be"
    r"|required|not a valid|invalid type|unsupported type)\b",
    re.I,
)
UTILITY_FILE = re.compile(
    r"(?:^|/)_?(?:utils?|util_\w{1,30}|helpers?|common|checks?|validat(?:e|ion|or|ors)|assert(?:ions?)?"
    r"|guards?|preconditions?|types?|typing|compat"
    r"|encod(?:e|ing)|coerce|convert(?:ers?)?|conversions?|support|shared|tools|pkg/must)(?:/|\.\w{1,6}$"
    r"|_)|_utils?\.\w{1,6}$|\.(?:util|helper)s?\.\w{1,4}$",
    re.I,
)
UTILITY_FUNCTION = re.compile(
    r"^_{0,2}(?:to_|as_|to[A-Z]|assert|check|validat|ensure|require|expect|verify|must|invariant|guard"
    r"|coerce|convert|cast|is_valid)",
    re.I,
)


def in_order(places: Sequence[Place], layout: Layout) -> list[Place]:
    """The places of one trace, the likely fault first.

    A line that hands a call on, as middlewares and decorators do, is never first. A check that refuses its argument
    comes behind its caller. Each file is shown once before any is shown again, so that the first places name several
    files.

    Args:
        places: own lines, innermost first.
    """
    first = next((place for place in places if not PASSES_ON.search(_code(place, layout))), None)
    if first is not None and _is_check(first, layout):
        inner = places[places.index(first) + 1 :]
        first = next((place for place in inner if _is_caller(place, first, layout)), first)
    ordered = places if first is None else [first, *(place for place in places if place != first)]
    by_file: dict[str, Place] = {}
    for place in ordered:
        by_file.setdefault(place.file, place)
    return [*by_file.values(), *(place for place in ordered if by_file[place.file] != place)]


def _is_caller(place: Place, check: Place, layout: Layout) -> bool:
    is_helper = UTILITY_FUNCTION.match(place.function or "") is not None
    is_same = (place.file, place.function) == (check.file, check.function)
    return not is_same and not is_helper and not PASSES_ON.search(_code(place, layout))


def _is_check(place: Place, layout: Layout) -> bool:
    """True for a line that refuses an argument in a helper, so that the fault is where the argument comes from."""
    match = REFUSES.match(_code(place, layout))
    if match is None:
        return False
    if UTILITY_FILE.search(place.file) or UTILITY_FUNCTION.match(place.function or ""):
        return True
    is_mild = match["mild"] or match["mild_new"]
    statement = " ".join(layout.lines(place.file)[place.line - 1 : place.line - 1 + MESSAGE_LINES])
    return not is_mild and MESSAGE_OF_CHECK.search(statement[: MESSAGE_LINES * MAX_CODE_CHARS]) is not None


def _code(place: Place, layout: Layout) -> str:
    lines = layout.lines(place.file)
    return lines[place.line - 1].strip()[:MAX_CODE_CHARS] if 1 <= place.line <= len(lines) else ""
