"""The line of the repository for a frame, also of built and bundled code. Pure apart from reading files of the clone.

A line of built code is never told as a line of its source. The source map gives the line, else the function that the
frame names; without either the place is a file without a line.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from workers.clients.git import safe_read
from workers.investigation.code.code_layout import Layout
from workers.investigation.code.deployed_paths import BUILT, inside_repository, is_built, is_foreign, locate
from workers.investigation.code.frame_syntax import Frame
from workers.investigation.code.source_maps import original_position

MAX_MAP_BYTES = 8_000_000  # source maps of large bundles; larger ones take seconds to read
MIN_NAME_CHARS = 3  # shorter names in bundles are minified
# A bundle has far more lines than the file after which it is named.
BUNDLE_FACTOR = 2
BUNDLE_LINES = 60
BUILT_ENDINGS = (".js", ".mjs", ".cjs")
JAVASCRIPT = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx", ".vue", ".svelte")
# What stands before the name of a function where it is defined, in any language.
KEYWORDS = (
    r"(?:\b(?:def|function\*?|func|fn|fun|sub|defp?|class|const|let|var|val)\s+"
    r"(?:\([^)\n]{0,100}\)\s*)?(?:self\.)?)"
)


@dataclass(frozen=True)
class Place:
    """A line of the repository."""

    file: str
    line: int
    """0 if only the file is known."""
    function: str | None = None


def places_of(frames: Sequence[Frame], layout: Layout) -> list[Place]:
    """The places of a trace in own code, in the order of its frames, each once.

    In a bundle, a frame without the name of an own function has no place: its file is unknown.
    """
    bundles = {frame.path for frame in frames if _is_bundle(frame, layout)}
    places: dict[tuple[str, int], Place] = {}
    for frame in frames:
        place = place_of(frame, layout)
        if place is not None and (place.line or frame.path not in bundles):
            places.setdefault((place.file, place.line), place)
    # A file without a line adds nothing where one of its lines is known.
    with_line = {file for file, line in places if line}
    return [place for place in places.values() if place.line or place.file not in with_line]


def place_of(frame: Frame, layout: Layout) -> Place | None:
    """The place that a frame names in own code; None for third-party code and for lines that cannot be told."""
    mapped = None if is_foreign(frame.path) else _by_source_map(frame, layout)
    if mapped is not None:
        return mapped
    file = locate(frame.path, layout)
    if file is None:
        # A chunk is named by a number: `.next/server/chunks/1235.js`.
        is_chunk = not is_foreign(frame.path) and BUILT.search(frame.path) is not None
        return _defined_anywhere(frame.function, layout) if is_chunk else None
    lines = layout.lines(file)
    if not is_built(frame.path, file):
        return Place(file, frame.line if frame.line <= len(lines) else 0, frame.function) if lines else None
    line = definition_line(lines, frame.function, frame.line)
    if line:
        return Place(file, line, frame.function)
    elsewhere = _defined_anywhere(frame.function, layout)
    if elsewhere is not None or frame.line > BUNDLE_FACTOR * len(lines) + BUNDLE_LINES:
        return elsewhere
    return Place(file, 0, frame.function if len(frame.function or "") >= MIN_NAME_CHARS else None)


def _is_bundle(frame: Frame, layout: Layout) -> bool:
    """True for a frame of build output whose function is defined in another own file than its name says."""
    if is_foreign(frame.path) or not frame.path.split("?")[0].endswith(BUILT_ENDINGS):
        return False
    file = locate(frame.path, layout)
    if file is None or not is_built(frame.path, file):
        return False
    is_here = definition_line(layout.lines(file), frame.function, 0)
    return not is_here and _defined_anywhere(frame.function, layout) is not None


def definition_line(lines: Sequence[str], function: str | None, near: int) -> int:
    """The line that defines the function, the nearest to `near` if there are several; 0 if none does."""
    if not function or len(function) < MIN_NAME_CHARS:
        return 0
    name = re.escape(function)
    definition = re.compile(
        rf"{KEYWORDS}{name}\b|^\s*(?:[\w<>\[\],?]+\s+){{0,6}}\*?{name}\s*\([^;]*\)?[^;]*\{{\s*$"
        rf"|^\s*(?:[\w.]{{1,60}}\.)?{name}\s*[:=]\s*(?:async\b|function\b|\()"
    )
    numbers = [
        number
        for number, text in enumerate(lines, start=1)
        if function in text and definition.search(text[:400])
    ]
    return min(numbers, key=lambda number: (abs(number - near), number), default=0)


def _defined_anywhere(function: str | None, layout: Layout) -> Place | None:
    """The only own function of that name, for a frame in a bundle, whose file is unknown."""
    if not function or len(function) < MIN_NAME_CHARS:
        return None
    if function not in layout.definitions:
        layout.definitions[function] = [
            (file, line)
            for file in layout.tree.sources()
            if file.endswith(JAVASCRIPT) and (line := definition_line(layout.lines(file), function, 0))
        ]
    places = layout.definitions[function]
    return Place(*places[0], function) if len(places) == 1 else None


def _by_source_map(frame: Frame, layout: Layout) -> Place | None:
    """The place by a source map that lies beside the built file in the repository."""
    if not frame.path.split("?")[0].endswith(BUILT_ENDINGS) or not frame.line:
        return None
    maps = [f"{file}.map" for file in inside_repository(frame.path, layout)]
    file = next((file for file in maps if file in layout.tree.present), None)
    text = safe_read(layout.tree.folder, file, max_bytes=MAX_MAP_BYTES) if file else None
    original = original_position(text, frame.line, frame.column) if text and file else None
    if original is None or file is None:
        return None
    source = posixpath.normpath(posixpath.join(posixpath.dirname(file), original.source))
    # A map that was made in another folder of the builder climbs further up.
    inside = original.source.split("../")[-1]
    target = source if source in layout.tree.present else locate(inside, layout)
    if target is None or original.line > len(layout.lines(target)):
        return None
    is_minified = len(frame.function or "") < MIN_NAME_CHARS
    return Place(target, original.line, original.name or None if is_minified else frame.function)
