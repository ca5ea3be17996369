"""The hidden marker by which Trackwalker recognises its own pull requests. Pure.

Other installations parse the marker, so its format stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from pydantic import ValidationError

from workers.clients.github import BRANCH_PREFIX
from workers.models import Model, PullRequest

MARKER = re.compile(r"<!-- trackwalker (\{[^\n]*\}) -->")


class Marker(Model):
    """The incident, fault locations and patch of a pull request, at the end of its description."""

    incident: str
    digests: tuple[str, ...] = ()
    """Digests of the reserved fault locations: the culprit file and, if known, the suspect commit."""
    patch: str


def render_marker(marker: Marker) -> str:
    """The marker as an HTML comment that none of its values can close."""
    text = json.dumps(marker.model_dump(), sort_keys=True).replace("--", "-\\u002d").replace(">", "\\u003e")
    return f"<!-- trackwalker {text} -->"


def parse_marker(body: str) -> Marker | None:
    """The last marker in a pull request's description, or None if there is no complete marker.

    People and bots may have written below it, so it does not have to be the last line.
    """
    texts = MARKER.findall(body)
    try:
        return Marker.model_validate_json(texts[-1]) if texts else None
    except ValidationError:
        return None


def find_own_pulls(
    pulls: Sequence[PullRequest], digests: Sequence[str] = (), *, except_branch: str = ""
) -> list[PullRequest]:
    """The pull requests that Trackwalker opened.

    The author of a fork can copy the marker into a pull request, so the branch must be in the repository itself.

    Args:
        digests: only pull requests for one of these fault locations; empty for all.
        except_branch: branch of the incident that asks, whose own pull request does not count.
    """
    own = []
    for pull in pulls:
        marker = parse_marker(pull.body)
        if marker is None or pull.from_fork or pull.branch == except_branch:
            continue
        if pull.branch.startswith(BRANCH_PREFIX) and (not digests or set(digests) & set(marker.digests)):
            own.append(pull)
    return own
