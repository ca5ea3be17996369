"""Finds the lines of the repository that stack traces name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from workers.investigation.code.tree import Tree
from workers.investigation.logs.log_records import CHAINED, PYTHON_START, LogRecord
from workers.models import CodeLocation
from workers.runtime.redaction import redact

MAX_LOCATIONS = 8  # locations of all traces together
FRAMES_PER_TRACE = 4  # frames of one trace in own code: the innermost and its callers
CONTEXT_LINES = 6  # lines before and after a location in its excerpt
MAX_EXCERPT_CHARS = 1_600
MAX_EXCERPT_LINE_CHARS = 160

PYTHON_FRAME = re.compile(r'File "([^"\n]{1,400})", line (\d{1,7})(?:, in ([^\n]{1,160}))?')
NODE_FRAME = re.compile(
    r"^\s*at (?:async )?(?:(?P<function>[^()\n]{1,160}?) \()?(?P<path>(?:file://)?[^()\n]{1,400}?):(?P<line>\d{1,7})(?::\d{1,7})?\)?\s*$",
    re.M,
)
# The file and line that Node prints above an uncaught exception.
THROWN_AT = re.compile(r"^(?:file://)?(\S{1,400}\.[cm]?[jt]sx?):(\d{1,7})$", re.M)
# A file and line in a trace of Go, Ruby, PHP, Rust, Elixir, Java, Kotlin or C#.
OTHER_FRAME = re.compile(
    r"(?:^|[\s(\[\"'`])((?:/|\./)?[\w@./+-]{1,300}\.(?:go|rb|php|rs|exs?|java|kt|cs)):(\d{1,7})\b"
    r"(?::in [`'](?:[\w:]*[#.])?(\w{1,100})')?"
)
# Paths of runtimes, package managers and bundlers: code that is not in the repository.
FOREIGN_PATH = re.compile(
    r"node_modules/|site-packages/|dist-packages/|/usr/(?:local/)?lib|/lib/python\d|<frozen|<string>|<stdin>|node:|internal/|"
    r"/\.?venv/|/nix/store/|/mise/|/usr/local/go/|/go/pkg/|/gems/|/bundle/|native\b|<anonymous>$|webpack/bootstrap|\.yarn/|deno\.land"
)
# Folders in which builders and Dockerfiles put the repository.
DEPLOYED_UNDER = re.compile(
    r"^(?:/app|/usr/src/app|/usr/src|/src|/srv|/code|/workspace|/workdir|/opt/(?:app|render/project/src)|/var/www(?:/html)?|/home/[^/]+(?:/app)?|/root(?:/app)?)/"
)
# Folders of build output.
BUILT = re.compile(r"(?:^|/)(?:dist|build|out|lib|\.output/server|\.build)/")


@dataclass(frozen=True)
class Frame:
    """A line that a stack trace names, with the path of the running service."""

    path: str
    line: int
    function: str | None = None


def frames(text: str) -> list[Frame]:
    """The frames of a record, innermost first.

    Chained exceptions: the cause comes first after `raise … from`. If an exception was raised while another one was
    handled, the second comes first, because it is the one that was not caught.
    """
    if PYTHON_START.search(text) or 'File "' in text:
        return [frame for part in _python_parts(text) for frame in reversed(list(_python(part)))]
    stack = [
        Frame(_plain_path(match["path"]), int(match["line"]), _function(match["function"]))
        for match in NODE_FRAME.finditer(text)
    ]
    if not stack:
        stack = [Frame(match[1], int(match[2]), match[3]) for match in OTHER_FRAME.finditer(text)]
    return stack or [Frame(_plain_path(match[1]), int(match[2])) for match in THROWN_AT.finditer(text)]


def _python_parts(text: str) -> list[str]:
    """The tracebacks of a chain, the one that points to the fault first."""
    parts: list[list[str]] = [[]]
    cause_first = True
    for line in text.split("\n"):
        if CHAINED.match(line):
            cause_first = "direct cause" in line
            parts.append([])
        else:
            parts[-1].append(line)
    tracebacks = ["\n".join(part) for part in parts]
    return tracebacks if cause_first else tracebacks[::-1]


def _python(text: str) -> Iterator[Frame]:
    for path, line, function in PYTHON_FRAME.findall(text):
        yield Frame(path, int(line), function.strip() or None)


def _function(name: str | None) -> str | None:
    if not name or name in ("Object.<anonymous>", "<anonymous>", "Module._compile"):
        return None
    return name.removeprefix("new ").removeprefix("async ").split(" [as ")[0].removeprefix("Object.")


def _plain_path(path: str) -> str:
    for prefix in ("file://", "webpack://", "webpack-internal:///"):
        path = path.removeprefix(prefix)
    return path.replace("\\", "/").split("?")[0]


def locate(path: str, tree: Tree) -> str | None:
    """The file of the repository for a deployed path, by the longest common end; None for third-party code."""
    if FOREIGN_PATH.search(path) or ".." in path.split("/"):
        return None
    inside = DEPLOYED_UNDER.sub("", path).lstrip("./")
    for candidate in _source_candidates(inside):
        for exact in (f"{tree.root}/{candidate}" if tree.root else candidate, candidate):
            if exact in tree.files:
                return exact
        if file := _match_by_end(candidate, tree, is_whole=DEPLOYED_UNDER.match(path) is not None):
            return file
    return None


def _source_candidates(path: str) -> list[str]:
    """The path itself, and the sources that it may have been built from."""
    candidates, built = [path], BUILT.search(path)
    if built:
        for folder in ("src/", ""):
            source = f"{path[: built.start()]}/{folder}{path[built.end() :]}".lstrip("/")
            stem = re.sub(r"\.[cm]?js$", "", source)
            candidates += [source] + [stem + end for end in (".ts", ".tsx", ".mts", ".js")]
    return candidates


def _match_by_end(path: str, tree: Tree, *, is_whole: bool) -> str | None:
    """The file that shares the most folders at the end of its path.

    One of the paths must match completely, otherwise two files merely share their name.

    Args:
        is_whole: the deployed path is complete, because it is below a folder in which repositories are deployed.
    """
    parts = path.split("/")
    best: tuple[int, bool, int] = (0, False, 0)
    chosen = None
    for file in tree.files:
        if file.rsplit("/", 1)[-1] != parts[-1]:
            continue
        own = tree.is_own(file)
        other = (file.removeprefix(f"{tree.root}/") if own and tree.root else file).split("/")
        common = _common_end(parts, other)
        complete = common == len(other) or (is_whole and common == len(parts))
        rank = (common, own, -len(other))
        if complete and (chosen is None or rank > best):
            best, chosen = rank, file
    return chosen


def _common_end(first: Sequence[str], second: Sequence[str]) -> int:
    count = 0
    for a, b in zip(reversed(first), reversed(second), strict=False):
        if a != b:
            break
        count += 1
    return count


def stack_locations(
    records: Iterable[LogRecord], tree: Tree, limit: int = MAX_LOCATIONS
) -> tuple[CodeLocation, ...]:
    """The lines of own code in the traces of errors: the most frequent trace first, its innermost frame first."""
    counts: dict[tuple[str, int, str | None], int] = {}
    traces: dict[tuple[tuple[str, int, str | None], ...], int] = {}
    files: dict[str, str | None] = {}
    for record in records:
        if record.is_error and record.is_trace:
            own = tuple(_own_frames(record.text, tree, files))
            if own:
                traces[own] = traces.get(own, 0) + 1
    for trace, count in sorted(traces.items(), key=lambda item: -item[1]):
        for line in trace[:FRAMES_PER_TRACE]:
            counts[line] = counts.get(line, 0) + count
    return tuple(
        CodeLocation(
            file=file,
            line=line,
            function=function,
            why="stack",
            count=count,
            excerpt=excerpt(tree, file, line),
        )
        for (file, line, function), count in list(counts.items())[:limit]
    )


def _own_frames(text: str, tree: Tree, files: dict[str, str | None]) -> Iterator[tuple[str, int, str | None]]:
    """File, line and function of each frame in own code. `files` caches the result of `locate` by path."""
    lines = set()
    for frame in frames(text):
        if frame.path not in files:
            files[frame.path] = locate(frame.path, tree)
        file = files[frame.path]
        if file and (file, frame.line) not in lines:
            lines.add((file, frame.line))
            yield file, frame.line, frame.function if frame.function != "<module>" else None


def excerpt(tree: Tree, file: str, line: int) -> str:
    """The numbered, redacted lines around a line, which is marked with `>`. Empty if the file has no such line."""
    lines = redact("\n".join(tree.lines(file))).split("\n")
    if not 1 <= line <= len(lines) or not any(lines):
        return ""
    first, last = max(1, line - CONTEXT_LINES), min(len(lines), line + CONTEXT_LINES)
    numbered = [
        f"{'>' if number == line else ' '}{number:5} {lines[number - 1][:MAX_EXCERPT_LINE_CHARS]}"
        for number in range(first, last + 1)
    ]
    return "\n".join(numbered)[:MAX_EXCERPT_CHARS]
