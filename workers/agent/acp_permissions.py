"""Decides on an agent's `session/request_permission`: runs are unattended, so only a short list is allowed. Pure except
for resolving paths.

This decision is not a protection: an agent describes its own tool calls, and only the sandbox bounds them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workers.agent.config import Role
from workers.runtime.protected_paths import protected_group

ALLOWED_KINDS: Mapping[Role, frozenset[str]] = {
    "reader": frozenset(("read", "search", "think")),
    "writer": frozenset(("read", "search", "think", "edit")),
}
"""Kinds of tool calls, in the protocol's words, that an agent of the role may make."""

MAX_PATHS = 50
"""Paths of one tool call. An edit names one."""


def permission_outcome(
    role: Role, clone: Path, tool_call: Mapping[str, Any], known_kind: object, options: object
) -> dict[str, Any]:
    """The `outcome` of a permission request: one permission, never a lasting one, or a refusal.

    Args:
        role: decides which kinds of tool calls are allowed.
        clone: every path of the tool call must be inside.
        tool_call: the request's description of the call.
        known_kind: the kind that an earlier update gave for the same call, None if there was none.
        options: the answers that the agent offers.
    """
    kinds = [kind for kind in (tool_call.get("kind"), known_kind) if kind is not None]
    allowed = bool(kinds) and all(isinstance(kind, str) and kind in ALLOWED_KINDS[role] for kind in kinds)
    allowed = allowed and _are_paths_allowed(clone, _paths(tool_call), is_edit="edit" in kinds)
    option_kind = "allow_once" if allowed else "reject_once"
    for option in options if isinstance(options, list) else []:
        if (
            isinstance(option, dict)
            and option.get("kind") == option_kind
            and isinstance(option.get("optionId"), str)
        ):
            return {"outcome": "selected", "optionId": option["optionId"]}
    return {"outcome": "cancelled"}


def _paths(tool_call: Mapping[str, Any]) -> list[object]:
    """The paths that a tool call names: its locations, the files of its diffs, and its own input."""
    lists = [tool_call.get(field) for field in ("locations", "content")]
    entries = [entry for values in lists if isinstance(values, list) for entry in values]
    paths = [entry["path"] for entry in entries if isinstance(entry, dict) and "path" in entry]
    given = tool_call.get("rawInput")
    names = ("file_path", "filePath", "path", "notebook_path")
    return paths + [given[name] for name in names if isinstance(given, dict) and name in given]


def _are_paths_allowed(clone: Path, paths: list[object], *, is_edit: bool) -> bool:
    if len(paths) > MAX_PATHS or (is_edit and not paths):
        return False
    return all(isinstance(path, str) and _is_path_allowed(clone, path, is_edit=is_edit) for path in paths)


def _is_path_allowed(clone: Path, path: str, *, is_edit: bool) -> bool:
    try:
        real = Path(os.path.realpath(clone / path))
    except (OSError, ValueError):
        return False
    if not real.is_relative_to(clone):
        return False
    return not is_edit or protected_group(str(real.relative_to(clone))) is None
