"""The syntax of one line of a stack trace, in each language. Pure; hostile lines cost bounded time.

Sources: CPython `traceback`, loguru, rich; V8, JavaScriptCore, SpiderMonkey; Go `runtime.Stack`, gin and chi
`Recoverer`; `java.lang.Throwable`, Logback; Ruby `full_message`; PHP `getTraceAsString`; .NET `StackTrace.ToString`;
Rust `std::backtrace`; Elixir `Exception.format_stacktrace`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_FRAME_CHARS = 1_500  # longer lines are no frames; bounds the work of every expression below
MARKS = " \t|+>│┃-"  # indents, the bars of exception groups and of rich, and the pointer of loguru

PYTHON = re.compile(r'File "(?P<path>[^"]{1,500})", line (?P<line>\d{1,7})(?:,? in (?P<function>.{1,160}))?')
RICH = re.compile(
    r"^[│┃|] (?P<path>/?[^\s:│]{1,400}\.pyx?):(?P<line>\d{1,7}) in(?: (?P<function>[\w.<>]{1,160}))?\s"
)
JVM = re.compile(
    r"at (?:[\w.@-]{0,100}/){0,2}(?P<class>[\w$.]{1,300})\.(?P<function>[\w$<>-]{1,160})"
    r"\((?P<file>[\w$-]{1,160}\.(?:java|kt|kts|scala|groovy|clj))(?::(?P<line>\d{1,7}))?\)"
)
DOTNET = re.compile(
    r"at (?P<function>\S[^()]{0,400})\([^()]{0,600}\) in "
    r"(?P<path>.{1,500}\.(?:cs|fs|vb|razor|cshtml)):line (?P<line>\d{1,7})"
)
# A frame of Node, Bun, Deno, Chrome or a Rust backtrace, without `at`: the function is split off before.
POSITION = re.compile(r"^(?P<path>.{1,700}?):(?P<line>\d{1,7})(?::(?P<column>\d{1,7}))?$")
BROWSER = re.compile(
    r"^(?P<function>[\w$./<>*\[\] -]{0,160})@(?P<path>(?:https?://|file://|webpack[\w-]{0,20}://|/)\S{1,600}?):(?P<line>\d{1,7}):(?P<column>\d{1,7})$"
)
GO = re.compile(
    r"^(?:->\s{0,20})?(?P<path>(?:[A-Za-z]:)?[^\s:()]{1,500}\.go):(?P<line>\d{1,7})"
    r"(?: \+0x[0-9a-f]{1,16}| \(0x[0-9a-f]{1,16}\))?$"
)
RUBY = re.compile(
    r"(?:^|\s)(?P<path>[^\s:]{1,400}):(?P<line>\d{1,7}):in [`'\"](?P<function>[^`'\"]{1,200})['\"]"
)
RUBY_TEMPLATE = re.compile(
    r"(?:^|\s)(?P<path>(?:\S{1,200}/)?app/[^\s:]{1,300}\.(?:erb|haml|slim|jbuilder|rb)):(?P<line>\d{1,7})$"
)
"""A line of a template in the application trace of Rails, which names no method."""
PHP = re.compile(r"^#\d{1,5} (?P<path>[^\s(][^()]{0,400})\((?P<line>\d{1,7})\): (?P<function>[^\s(]{1,200})?")
ELIXIR = re.compile(
    r"^(?:\((?P<app>\w{1,80}) [\w.+-]{1,40}\) )?(?P<path>[\w./@-]{1,300}\.(?:exs?|erl|l?eex|heex)):"
    r"(?P<line>\d{1,7}): (?P<function>.{1,200})$"
)
# Lines of a trace that name no file: runtime code, folded frames, function lines of Go and Rust, markers.
JVM_WITHOUT_FILE = re.compile(
    r"at [\w.@/$-]{1,300}\.[\w$<>-]{1,160}\((?:Native Method|Unknown Source|<[\w ]{1,40}>|)\)"
)
DOTNET_WITHOUT_FILE = re.compile(r"at [A-Z_]\w{0,80}[.+][\w.`+<>$\[\],|=-]{1,400}\([^()]{0,600}\)$")
NODE_WITHOUT_FILE = re.compile(
    r"at (?:async )?.{1,300} \((?:<anonymous>|native|native code|index \d{1,5}|unknown location|eval at .{1,600})\)"
)
FOLDED = re.compile(
    r"\.\.\. \d{1,6} (?:more|lines|common frames|frames)|\[Previous line repeated \d"
    r"|\.\.\.(?:additional|\d{1,6}) frames? elided"
    r"|End of (?:stack trace from previous|inner exception stack)|\[internal function\]"
    r"|#\d{1,5} (?:\{main\}|\[internal function\])"
)
GO_CALL = re.compile(
    r"^(?:panic\(|(?:[\w.~%@-]{1,80}/){0,12}[\w.-]{1,80}\.(?:\(\*?[\w.\[\]]{1,120}\)\.)?[\w.\[\]]{1,160}"
    r"(?:\((?:\.\.\.|\)|[{_]|0x|\d{1,20}[,)])))"
)
GO_CREATED = re.compile(r"^created by \S{1,300}(?: in goroutine \d{1,9})?$")
GOROUTINE = re.compile(r"^goroutine \d{1,9} (?:gp=\S{1,40} m=\S{1,40} )?\[[\w .,()-]{1,100}\]:$")
RUST_CALL = re.compile(r"^\d{1,4}: +(?:0x[0-9a-f]{1,16} - )?[\w<{][\w:<>{}&', $.*;=+\[\]()#-]{0,600}$")
CARETS = re.compile(r"^[~^]{1,300}$")


@dataclass(frozen=True)
class Frame:
    """A line of code that a stack trace names, with the path of the running service."""

    path: str
    """As printed. For the JVM, which prints only a file name, the folders of the package and the file name."""
    line: int
    """1 or more; 0 if the trace names the file only."""
    function: str | None = None
    column: int = 0
    """0 if the trace names none."""


def is_frame_line(line: str) -> bool:
    """True if the line belongs to the body of a stack trace: a frame, a function line of Go or Rust, folded frames.

    Lines that begin a trace are no frames: `Traceback`, `panic:`, `Caused by:`, `thread 'main' panicked at`.
    """
    if len(line) > MAX_FRAME_CHARS:
        return False
    body = _body(line)
    return bool(body) and (frame_of(line) is not None or _names_no_file(line, body))


def _names_no_file(line: str, body: str) -> bool:
    if body.startswith("at "):
        return any(regex.match(body) for regex in (JVM_WITHOUT_FILE, DOTNET_WITHOUT_FILE, NODE_WITHOUT_FILE))
    if body[0] in ".[E#" and FOLDED.match(body):
        return True
    if body.startswith(("goroutine ", "created by ")):
        return (GOROUTINE.match(body) or GO_CREATED.match(body)) is not None
    if line[0] in " \t|":
        return (RUST_CALL if body[0].isdigit() else CARETS).match(body) is not None
    return body[-1] == ")" and GO_CALL.match(body) is not None


def _body(line: str) -> str:
    return line.lstrip(MARKS).rstrip(" \t│┃|")


def frame_of(line: str) -> Frame | None:
    """The frame that a line of a stack trace names; None for any other line. A Go frame has no function here."""
    if len(line) > MAX_FRAME_CHARS:
        return None
    body = _body(line)
    if body.startswith("at "):
        return _after_at(body)
    if body.startswith('File "'):
        return _frame(PYTHON.match(body))
    if ".go:" in body:
        return _frame(GO.match(body))
    if ":in " in body:
        return _ruby(body)
    if "app/" in body and body[-1:].isdigit() and (template := RUBY_TEMPLATE.search(body)):
        return Frame(template["path"], int(template["line"]))
    if body.startswith("#"):
        return _frame(PHP.match(body))
    if "@" in body:
        return _frame(BROWSER.match(body))
    if "│ " in line or "| " in line:
        return _frame(RICH.match(line.lstrip()))
    return _elixir(body) if ".e" in body else None


def _after_at(body: str) -> Frame | None:
    if match := JVM.match(body):
        folders = match["class"].split(".")[:-1]
        return Frame("/".join([*folders, match["file"]]), int(match["line"] or 0), match["function"])
    if match := DOTNET.match(body):
        return _frame(match)
    return _javascript(body)


def _javascript(body: str) -> Frame | None:
    """A frame of Node, Bun, Deno, Chrome or Rust: `at [async] [function (]path:line[:column][)]`."""
    text = body.removeprefix("at ").removeprefix("async ").removesuffix(",").removesuffix(" {")
    function, opening, position = text.partition(" (")
    if not opening or not position.endswith(")"):
        function, position = "", text.removeprefix("(").removesuffix(")")
    match = POSITION.match(position.removesuffix(")"))
    if match is None or (not function and " " in position and "/" not in position.split(" ")[0]):
        return None
    return Frame(match["path"], int(match["line"]), function or None, int(match["column"] or 0))


def _ruby(body: str) -> Frame | None:
    return _frame(RUBY.search(body))


def _elixir(body: str) -> Frame | None:
    match = ELIXIR.match(body)
    if match is None:
        return None
    # Paths of dependencies look like own paths (`lib/enum.ex`): the application in front tells them apart.
    path = f"({match['app']})/{match['path']}" if match["app"] else match["path"]
    return Frame(path, int(match["line"]), match["function"])


def _frame(match: re.Match[str] | None) -> Frame | None:
    if match is None:
        return None
    groups = match.groupdict()
    function = (groups.get("function") or "").strip() or None
    return Frame(match["path"], int(match["line"]), function, int(groups.get("column") or 0))
