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

    A stranger can copy the marker into a pull request from a fork, and in a public repository into one from a branch
    that Trackwalker left behind, so both the branch and the author must be the repository's own.

    Args:
        digests: only pull requests for one of these fault locations; empty for all.
        except_branch: branch of the incident that asks, whose own pull request does not count.
    """
    own = []
    for pull in pulls:
        marker = parse_marker(pull.body)
        if marker is None or not pull.is_trusted or pull.branch == except_branch:
            continue
        if pull.branch.startswith(BRANCH_PREFIX) and (not digests or set(digests) & set(marker.digests)):
            own.append(pull)
    return own


def find_writers_pulls(pulls: Sequence[PullRequest]) -> list[PullRequest]:
    """The pull requests of other people who may write to the repository.

    A stranger's pull request, from a fork for example, stops no fix and is no link for people on call: it may have been
    opened for that purpose.
    """
    own = find_own_pulls(pulls)
    return [pull for pull in pulls if pull.is_trusted and pull not in own]
