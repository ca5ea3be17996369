"""Whether Railway will deploy the merge of a patch: watch paths, root directory and checks. Pure.

Railway skips a push that changes no watched file and does not retry it. Watch paths are patterns as in a .gitignore
(https://docs.railway.com/deployments/monorepo#watch-paths). Public notes disagree whether a pattern counts from the
repository's root or from the service's root directory, so a note says "may", and a match from either counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from workers.models import Service

MAX_PATTERNS = 50  # of a service; more are not compared
MAX_SEGMENTS = 40  # path segments that are compared
REDEPLOY = (
    'If Railway skips it, use "Deploy latest commit" in the service\'s command palette (Ctrl+K or Cmd+K); '
    '"Redeploy" runs the old commit again.'
)


def deploy_notes(service: Service | None, files: Sequence[str]) -> list[str]:
    """Notes for the reviewer about the deployment of the merge; empty if nothing speaks against it.

    Args:
        files: the changed files, relative to the repository.
    """
    if service is None:
        return []
    notes = []
    root = (service.root_directory or "").strip("/")
    if root and not any(_is_below(file, root) for file in files):
        notes.append(f"Railway may not deploy this merge: no changed file lies in the root directory {root}.")
    patterns = service.watch_patterns[:MAX_PATTERNS]
    if patterns and not any(is_watched(file, patterns, root) for file in files):
        notes.append(
            f"Railway may not deploy this merge: no changed file matches the watch paths {', '.join(patterns)}."
        )
    if notes:
        notes.append(REDEPLOY)
    if waits_for_checks(service):
        notes.append(
            "Railway waits for the checks of the merged commit, at most two hours. If one fails, it skips the "
            "deployment and does not retry it."
        )
    return notes


def waits_for_checks(service: Service) -> bool:
    """True if a recent deployment of the service waited for CI, or was skipped because a check failed."""
    return any(
        item.status == "WAITING" or "check" in (item.skipped_reason or "").lower()
        for item in service.deployments
    )


def is_watched(file: str, patterns: Sequence[str], root: str = "") -> bool:
    """True if the patterns watch the file, taken from the repository's root or from the service's root directory."""
    names = [file]
    if root and _is_below(file, root):
        names.append(file.removeprefix(root).lstrip("/"))
    return any(_is_matched(name, patterns) for name in names)


def _is_below(file: str, root: str) -> bool:
    return file == root or file.startswith(f"{root}/")


def _is_matched(file: str, patterns: Sequence[str]) -> bool:
    """The last pattern that matches decides; one that begins with `!` excludes the file."""
    watched = False
    for pattern in patterns:
        if _matches(file, pattern.removeprefix("!").strip()):
            watched = not pattern.startswith("!")
    return watched


def _matches(file: str, pattern: str) -> bool:
    """One pattern of a .gitignore. Without a slash it matches a name at any depth, and a folder matches its files."""
    anchored = "/" in pattern.rstrip("/")
    segments = tuple(part for part in pattern.split("/") if part)[:MAX_SEGMENTS]
    path = tuple(file.split("/"))[:MAX_SEGMENTS]
    return bool(segments) and _match_segments(path, segments if anchored else ("**", *segments))


@lru_cache(maxsize=4096)
def _match_segments(path: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    """Whether the segments of a path match those of a pattern; what remains of the path lies in a matched folder."""
    if not segments:
        return True
    if segments[0] == "**":
        return _match_segments(path, segments[1:]) or (bool(path) and _match_segments(path[1:], segments))
    return bool(path) and fnmatchcase(path[0], segments[0]) and _match_segments(path[1:], segments[1:])
