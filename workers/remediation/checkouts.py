"""The trees that a verification reads and never runs in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from workers.clients.git import Repositories
from workers.models import Fix, Repository


@dataclass(frozen=True)
class Checkout:
    """Untouched trees of the repository, and a folder for everything else."""

    deployed: Path
    base: Path
    patched: Path
    folder: Path


@contextmanager
def open_checkout(repositories: Repositories, repository: Repository, fix: Fix) -> Iterator[Checkout]:
    """The three trees and an empty folder, all removed afterwards. `deployed` is `base` if both are one commit."""
    with ExitStack() as stack:

        def temporary(path: Path) -> Path:
            stack.callback(repositories.discard, path)
            return path

        base = temporary(repositories.checkout(repository.name, fix.base_commit))
        patched = temporary(repositories.apply(repository.name, fix.base_commit, fix.patch))
        same = repository.deployed == fix.base_commit
        deployed = base if same else temporary(repositories.checkout(repository.name, repository.deployed))
        yield Checkout(deployed, base, patched, temporary(repositories.scratch_dir()))
