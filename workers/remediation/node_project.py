"""Reads the test runner of a Node.js project from its package.json. Pure."""

from __future__ import annotations

import re
import shlex


def node_script_arguments(script: str) -> tuple[str, tuple[str, ...]] | None:
    """The runner and its arguments that a test script of package.json consists of; None for anything more."""
    if re.search(r"[;&|<>$`()\\]", script):
        return None
    try:
        words = shlex.split(script)
    except ValueError:
        return None
    while words and re.fullmatch(r"[A-Z_][A-Z0-9_]*=\S*", words[0]):
        words = words[1:]
    if words[:1] == ["npx"]:
        words = words[1:]
    if words[:1] == ["node"] and "--test" in words:
        rest = tuple(word for word in words[1:] if word != "--test")
        return ("node", rest) if not any("reporter" in word or "eval" in word for word in rest) else None
    if words[:1] and words[0] in ("vitest", "jest", "mocha"):
        rest = tuple(word for word in words[1:] if word != "run" or words[0] != "vitest")
        return (words[0], rest) if not any("reporter" in word or word == "--watch" for word in rest) else None
    return None
