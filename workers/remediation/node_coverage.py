"""Reads the executed lines from V8's coverage files, which Node.js writes where NODE_V8_COVERAGE points. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

MAX_FILE_CHARACTERS = 2_000_000  # characters of a source file whose lines are counted


@dataclass(frozen=True)
class Coverage:
    """The lines and functions of a repository that ran, by path relative to its tree."""

    lines: Mapping[str, frozenset[int]]
    functions: frozenset[str]


def read_coverage(reports: Iterable[str], tree: str, read_source: Callable[[str], str | None]) -> Coverage:
    """The code that ran in any of the processes.

    Args:
        reports: the coverage files.
        tree: absolute path of the tree in which the code ran.
        read_source: returns the text of a file by its path relative to the tree; None if its lines are not wanted.
    """
    lines: dict[str, set[int]] = {}
    functions: set[str] = set()
    for report in reports:
        for script in _scripts(report):
            path = unquote(urlsplit(str(script.get("url", ""))).path)
            if not path.startswith(f"{tree}/"):
                continue
            name = path.removeprefix(f"{tree}/")
            text = read_source(name)
            if text is None or len(text) > MAX_FILE_CHARACTERS:
                continue
            functions |= {f"{name}:{function}" for function in _called(script)}
            lines.setdefault(name, set()).update(_executed_lines(script, text))
    return Coverage({path: frozenset(numbers) for path, numbers in lines.items()}, frozenset(functions))


def _scripts(report: str) -> list[dict[str, Any]]:
    try:
        result = json.loads(report)["result"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return [script for script in result if isinstance(script, dict)] if isinstance(result, list) else []


def _called(script: dict[str, Any]) -> list[str]:
    """Names of functions that ran. The first function is the file itself."""
    functions = script.get("functions", [])[1:]
    return [
        str(item["functionName"]) for item in functions if item["ranges"] and item["ranges"][0]["count"] > 0
    ]


def _executed_lines(script: dict[str, Any], text: str) -> set[int]:
    """Numbers of lines whose first character, past the spaces, ran. Inner ranges follow and override outer ones."""
    ranges = [item for function in script.get("functions", []) for item in function["ranges"]]
    ranges.sort(key=lambda item: (item["startOffset"], -item["endOffset"]))
    executed, offset = set(), 0
    for number, line in enumerate(text.split("\n"), 1):
        position = offset + len(line) - len(line.lstrip())
        count = 0
        for item in ranges:
            if item["startOffset"] > position:
                break
            if position < item["endOffset"]:
                count = item["count"]
        if count and line.strip():
            executed.add(number)
        offset += len(line) + 1
    return executed
