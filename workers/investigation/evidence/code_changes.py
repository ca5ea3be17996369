"""Reads the repository: a clone at the deployed commit, and the changes of the suspect commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.investigation.code.locations import excerpt
from workers.investigation.code.tree import SOURCE_SUFFIXES, Tree, list_tree
from workers.investigation.evidence.reading import Reading
from workers.models import (
    CodeLocation,
    Deployment,
    GapPart,
    Repository,
    Service,
    Suspect,
)

MAX_CHANGED_LOCATIONS = 5  # changed files that become code locations, the most changed first
MAX_SUSPECT_FILES = 50  # changed files that the suspect lists; larger commits are mostly generated


@dataclass(frozen=True)
class Code:
    """The result of reading the repository: the suspect with its files, its changed lines by file, the tree."""

    suspect: Suspect | None
    changed: Mapping[str, Sequence[int]] = field(default_factory=dict)
    tree: Tree | None = None


def find_repository(
    reading: Reading,
    github: GitHub,
    repositories: Repositories,
    service: Service,
    examined: Deployment | None,
) -> Repository | None:
    """The repository at the deployed commit, as Railway names it; None if there is no code to read."""
    name = (examined.repo if examined else None) or service.repo
    if not name:
        reading.miss(GapPart.CODE, service.name, "the service is not deployed from a repository")
        return None
    base = service.branch or (examined.branch if examined else None)
    if not base:
        base = reading.read(GapPart.BASE_BRANCH, name, lambda: github.repository(name).default_branch, "")
    branch, deployed = base, examined.commit if examined else None
    if not deployed and branch:
        reading.miss(GapPart.DEPLOYED_COMMIT, service.name, f"Railway names none, {branch} was read instead")
        deployed = reading.read(GapPart.BRANCH_HEAD, name, lambda: repositories.head(name, branch), "")
    if not deployed or not base:
        return None
    # Both are set by hand in Railway, with or without leading slashes.
    root = (examined.root_directory if examined else None) or service.root_directory or ""
    root = "/".join(part for part in root.split("/") if part not in ("", "."))
    return Repository(name=name, base=base, deployed=deployed, root=root)


@contextmanager
def open_code(
    reading: Reading, repositories: Repositories, repository: Repository | None, suspect: Suspect | None
) -> Iterator[Code]:
    """The repository at the deployed commit, and the changes of the suspect commit. The clone is deleted at the end."""
    if repository is None:
        yield Code(suspect)
        return
    changed: dict[str, list[int]] = {}
    if suspect is not None and suspect.commit:
        name, commit = repository.name, suspect.commit
        changed = reading.read(
            GapPart.COMMIT_CHANGES,
            f"commit {commit[:12]}",
            lambda: repositories.changed_lines(name, commit),
            changed,
        )
        suspect = suspect.model_copy(update={"files": tuple(changed)[:MAX_SUSPECT_FILES]})
    folder = reading.read(
        GapPart.CODE,
        f"{repository.name} at {repository.deployed[:12]}",
        lambda: repositories.checkout(repository.name, repository.deployed),
        None,
    )
    if folder is None:
        yield Code(suspect, changed)
        return
    try:
        yield Code(suspect, changed, list_tree(folder, repository.root))
    finally:
        repositories.discard(folder)


def changed_locations(changed: Mapping[str, Sequence[int]], tree: Tree) -> tuple[CodeLocation, ...]:
    """The first changed line of each source file that the suspect commit changed, the most changed file first.

    The line is 0 for a file of which no line of the commit is left, or whose lines are not known.
    """
    sources = set(tree.sources())
    files = [file for file in changed if file.endswith(SOURCE_SUFFIXES) and file in sources]
    files.sort(key=lambda file: (not tree.is_own(file), -len(changed[file]), file))
    first_lines = [(file, min(changed[file], default=0)) for file in files]
    return tuple(
        CodeLocation(
            file=file, line=line, why="changed", count=max(1, len(changed[file])), excerpt=excerpt(tree, file, line)
        )
        for file, line in first_lines[:MAX_CHANGED_LOCATIONS]
    )  # fmt: skip
