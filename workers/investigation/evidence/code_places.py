"""Which lines of the repository a stack trace names: own code only, the innermost frame first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from workers.investigation.evidence.log_patterns import CHAINED, PYTHON_START, Record
from workers.investigation.evidence.tree import Tree
from workers.models import CodeLocation
from workers.runtime.redaction import redact

MOST_PLACES = 8
FRAMES_PER_TRACE = 4
"""Own frames of one trace that are kept: the innermost and its callers."""
AROUND = 6
"""Lines before and after a place in its excerpt."""
LONGEST_EXCERPT = 1_600

PYTHON = re.compile(r'File "([^"\n]{1,400})", line (\d{1,7})(?:, in ([^\n]{1,160}))?')
NODE = re.compile(
    r"^\s*at (?:async )?(?:(?P<function>[^()\n]{1,160}?) \()?(?P<path>(?:file://)?[^()\n]{1,400}?):(?P<line>\d{1,7})(?::\d{1,7})?\)?\s*$",
    re.M,
)
SOURCE = re.compile(r"^(?:file://)?(\S{1,400}\.[cm]?[jt]sx?):(\d{1,7})$", re.M)
OTHER = re.compile(
    r"(?:^|[\s(\[\"'`])((?:/|\./)?[\w@./+-]{1,300}\.(?:go|rb|php|rs|exs?|java|kt|cs)):(\d{1,7})\b"
    r"(?::in [`'](?:[\w:]*[#.])?(\w{1,100})')?"
)
FOREIGN_PATH = re.compile(
    r"node_modules/|site-packages/|dist-packages/|/usr/(?:local/)?lib|/lib/python\d|<frozen|<string>|<stdin>|node:|internal/|"
    r"/\.?venv/|/nix/store/|/mise/|/usr/local/go/|/go/pkg/|/gems/|/bundle/|native\b|<anonymous>$|webpack/bootstrap|\.yarn/|deno\.land"
)
DEPLOYED_UNDER = re.compile(
    r"^(?:/app|/usr/src/app|/usr/src|/src|/srv|/code|/workspace|/workdir|/opt/(?:app|render/project/src)|/var/www(?:/html)?|/home/[^/]+(?:/app)?|/root(?:/app)?)/"
)
BUILT = re.compile(r"(?:^|/)(?:dist|build|out|lib|\.output/server|\.build)/")


@dataclass(frozen=True)
class Frame:
    """A line that a stack trace names, as the running service calls it."""

    path: str
    line: int
    function: str | None = None


def frames(text: str) -> list[Frame]:
    """The frames of a record, innermost first.

    Of chained exceptions the cause of a `raise … from` comes before what it became; of one raised while another
    was handled, the one that got out comes first.
    """
    if PYTHON_START.search(text) or 'File "' in text:
        return [frame for part in _python_parts(text) for frame in reversed(list(_python(part)))]
    found = [
        Frame(_plain(match["path"]), int(match["line"]), _function(match["function"]))
        for match in NODE.finditer(text)
    ]
    if not found:
        found = [Frame(match[1], int(match[2]), match[3]) for match in OTHER.finditer(text)]
    thrown_at = [Frame(_plain(match[1]), int(match[2])) for match in SOURCE.finditer(text)]
    return found or thrown_at


def _python_parts(text: str) -> list[str]:
    """The tracebacks of a chain, in the order in which they point at the fault."""
    parts: list[list[str]] = [[]]
    cause_first = True
    for line in text.split("\n"):
        if CHAINED.match(line):
            cause_first = "direct cause" in line
            parts.append([])
        else:
            parts[-1].append(line)
    joined = ["\n".join(part) for part in parts]
    return joined if cause_first else joined[::-1]


def _python(text: str) -> Iterator[Frame]:
    for path, line, function in PYTHON.findall(text):
        yield Frame(path, int(line), function.strip() or None)


def _function(name: str | None) -> str | None:
    if not name or name in ("Object.<anonymous>", "<anonymous>", "Module._compile"):
        return None
    return name.removeprefix("new ").removeprefix("async ").split(" [as ")[0].removeprefix("Object.")


def _plain(path: str) -> str:
    for prefix in ("file://", "webpack://", "webpack-internal:///"):
        path = path.removeprefix(prefix)
    return path.replace("\\", "/").split("?")[0]


def locate(path: str, tree: Tree) -> str | None:
    """The file of the repository that a deployed path is, by the longest common end; None for foreign ones."""
    if FOREIGN_PATH.search(path) or ".." in path.split("/"):
        return None
    inside = DEPLOYED_UNDER.sub("", path).lstrip("./")
    for wanted in _spellings(inside):
        for exact in (f"{tree.root}/{wanted}" if tree.root else wanted, wanted):
            if exact in tree.files:
                return exact
        found = _by_end(wanted, DEPLOYED_UNDER.match(path) is not None, tree)
        if found:
            return found
    return None


def _spellings(path: str) -> list[str]:
    """The path itself, and the source it may have been built from."""
    found, built = [path], BUILT.search(path)
    if built:
        for folder in ("src/", ""):
            source = f"{path[: built.start()]}/{folder}{path[built.end() :]}".lstrip("/")
            stem = re.sub(r"\.[cm]?js$", "", source)
            found += [source] + [stem + end for end in (".ts", ".tsx", ".mts", ".js")]
    return found


def _by_end(path: str, whole: bool, tree: Tree) -> str | None:
    """The file with most folders in common at the end.

    Either side must be used up, the deployed path below a known folder (`whole`) or the file's path below the
    service's root; else two files merely share a name.
    """
    parts = path.split("/")
    best: tuple[int, bool, int] = (0, False, 0)
    chosen = None
    for file in tree.files:
        if file.rsplit("/", 1)[-1] != parts[-1]:
            continue
        own = tree.own(file)
        other = (file.removeprefix(f"{tree.root}/") if own and tree.root else file).split("/")
        common = _common_end(parts, other)
        used_up = common == len(other) or (whole and common == len(parts))
        rank = (common, own, -len(other))
        if used_up and (chosen is None or rank > best):
            best, chosen = rank, file
    return chosen


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count


def stack_places(records: Iterable[Record], tree: Tree, most: int = MOST_PLACES) -> tuple[CodeLocation, ...]:
    """The own lines that traces of trouble name: those of the most frequent trace first, innermost first."""
    counts: dict[tuple[str, int, str | None], int] = {}
    traces: dict[tuple[tuple[str, int, str | None], ...], int] = {}
    known: dict[str, str | None] = {}
    for record in records:
        if record.is_trouble and record.is_trace:
            own = tuple(_own(record.text, tree, known))
            if own:
                traces[own] = traces.get(own, 0) + 1
    for trace, count in sorted(traces.items(), key=lambda item: -item[1]):
        for place in trace[:FRAMES_PER_TRACE]:
            counts[place] = counts.get(place, 0) + count
    return tuple(
        CodeLocation(
            file=file,
            line=line,
            function=function,
            why="stack",
            count=count,
            excerpt=excerpt(tree, file, line),
        )
        for (file, line, function), count in list(counts.items())[:most]
    )


def _own(text: str, tree: Tree, known: dict[str, str | None]) -> Iterator[tuple[str, int, str | None]]:
    seen = set()
    for frame in frames(text):
        if frame.path not in known:
            known[frame.path] = locate(frame.path, tree)
        file = known[frame.path]
        if file and (file, frame.line) not in seen:
            seen.add((file, frame.line))
            yield file, frame.line, frame.function if frame.function != "<module>" else None


def excerpt(tree: Tree, file: str, line: int) -> str:
    """The lines around a place, numbered, the place marked; redacted. Empty where the file is shorter."""
    lines = redact("\n".join(tree.lines(file))).split("\n")
    if not 1 <= line <= len(lines) or not any(lines):
        return ""
    first, last = max(1, line - AROUND), min(len(lines), line + AROUND)
    shown = [f"{'>' if n == line else ' '}{n:5} {lines[n - 1][:160]}" for n in range(first, last + 1)]
    return "\n".join(shown)[:LONGEST_EXCERPT]
