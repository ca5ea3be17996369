"""Asking the repository: a clone at the deployed commit, what the suspect changed, which lines the facts name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.investigation.evidence.code_places import excerpt, stack_places
from workers.investigation.evidence.log_patterns import Record
from workers.investigation.evidence.log_reading import UNTRACED_KINDS, Reading
from workers.investigation.evidence.routes import route_places
from workers.investigation.evidence.tree import SOURCES, Tree, tree_of
from workers.investigation.evidence.upstreams import hosts_in_code
from workers.models import (
    CodeLocation,
    Deployment,
    GapPart,
    Incident,
    Repository,
    RequestPattern,
    Service,
    Suspect,
)

MOST_CHANGED_FILES = 5


@dataclass(frozen=True)
class Code:
    """What the code says: the suspect with its files, the places, the outside hosts that it names."""

    suspect: Suspect | None
    locations: tuple[CodeLocation, ...] = ()
    hosts: tuple[str, ...] = ()


def repository_of(
    reading: Reading, github: GitHub, repositories: Repositories, service: Service, sick: Deployment | None
) -> Repository | None:
    """Repository, base branch and deployed commit as Railway names them; None where there is no code to read."""
    name = (sick.repo if sick else None) or service.repo
    if not name:
        reading.miss(GapPart.CODE, service.name, "the service is not deployed from a repository")
        return None
    base = service.branch or (sick.branch if sick else None)
    if not base:
        base = reading.read(GapPart.BASE_BRANCH, name, lambda: github.repository(name).default_branch, "")
    branch, deployed = base, sick.commit if sick else None
    if not deployed and branch:
        reading.miss(GapPart.DEPLOYED_COMMIT, service.name, f"Railway names none, {branch} was read instead")
        deployed = reading.read(GapPart.BRANCH_HEAD, name, lambda: repositories.head(name, branch), "")
    if not deployed or not base:
        return None
    root = (sick.root_directory if sick else None) or service.root_directory or ""
    root = "/".join(part for part in root.split("/") if part not in ("", "."))
    return Repository(name=name, base=base, deployed=deployed, root=root)


def read_code(
    reading: Reading, repositories: Repositories, repository: Repository, incident: Incident,
    said: Sequence[Record], requests: Sequence[RequestPattern], suspect: Suspect | None,
    status_pages: Mapping[str, str],
) -> Code:  # fmt: skip
    """Places in the code that logs, routes and the suspect commit point at. The clone is gone afterwards."""
    changed: dict[str, list[int]] = {}
    if suspect is not None and suspect.commit:
        name, commit = repository.name, suspect.commit
        changed = reading.read(
            GapPart.COMMIT_CHANGES,
            f"commit {commit[:12]}",
            lambda: repositories.changed_lines(name, commit),
            changed,
        )
        suspect = suspect.model_copy(update={"files": tuple(changed)[:50]})
    folder = reading.read(
        GapPart.CODE,
        f"{repository.name} at {repository.deployed[:12]}",
        lambda: repositories.checkout(repository.name, repository.deployed),
        None,
    )
    if folder is None:
        return Code(suspect)
    try:
        tree = tree_of(folder, repository.root)
        traced, routed = stack_places(said, tree), route_places(requests, tree)
        kinds = {finding.kind for finding in incident.findings}
        touched = changed_places(changed, tree) if not traced or kinds & UNTRACED_KINDS else ()
        return Code(suspect, (*traced, *routed, *touched), tuple(hosts_in_code(tree, status_pages)))
    finally:
        repositories.discard(folder)


def changed_places(changed: Mapping[str, Sequence[int]], tree: Tree) -> tuple[CodeLocation, ...]:
    """Where the suspect commit changed the service's sources: the first changed line of each file."""
    sources = set(tree.sources())
    files = [file for file, lines in changed.items() if file.endswith(SOURCES) and file in sources and lines]
    files.sort(key=lambda file: (not tree.own(file), -len(changed[file]), file))
    return tuple(
        CodeLocation(
            file=file, line=min(changed[file]), why="changed", count=len(changed[file]),
            excerpt=excerpt(tree, file, min(changed[file])),
        )
        for file in files[:MOST_CHANGED_FILES]
    )  # fmt: skip
