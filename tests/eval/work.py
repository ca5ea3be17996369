"""The work of a run, distributed over a process pool, and its results."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.eval import real, shared
from tests.eval.projects import VARIANTS
from tests.eval.real import RealScore
from tests.eval.score import (
    ClassScore,
    ProjectScore,
    score_class,
    score_projects,
    score_shared_class,
    score_shared_projects,
)

OTHER_SHAPES = ((15, 60), (10, 60), (30, 30))
"""Window minutes and sample seconds; only the other generator supports all of them."""
SHARED_PROJECTS = (("sick", True), ("sick", False), ("clean", True))


@dataclass
class Work:
    """The pending results; every list is in the order of the output."""

    classes: list[Future[ClassScore]]
    projects: list[Future[ProjectScore]] = field(default_factory=list)
    shared_classes: list[Future[ClassScore | None]] = field(default_factory=list)
    shared_shapes: list[list[Future[ClassScore | None]]] = field(default_factory=list)
    shared_projects: list[Future[ProjectScore | None]] = field(default_factory=list)
    real: list[tuple[Callable[[RealScore], list[str]], Future[RealScore]]] = field(default_factory=list)


def begin_classes(pool: ProcessPoolExecutor, seeds: range, names: list[str]) -> Work:
    """Submit our classes. Delays take many windows each, so they are measured on a fifth of the seeds."""
    return Work([pool.submit(score_class, name, seeds, _first_part(seeds, 5)) for name in names])


def add_projects(work: Work, pool: ProcessPoolExecutor, seeds: range) -> None:
    """Submit our projects, on half of the seeds."""
    work.projects = [pool.submit(score_projects, variant, _first_part(seeds, 2)) for variant in VARIANTS]


def add_others(work: Work, pool: ProcessPoolExecutor, seeds: range) -> None:
    """Submit the windows and projects of the other generator and the real data sets, as far as they are present."""
    theirs, ask = shared.scenarios(), pool.submit
    if theirs is not None:
        names = list(theirs.CLASSES)
        work.shared_classes = [ask(score_shared_class, name, _first_part(seeds, 2)) for name in names]
        work.shared_shapes = [
            [ask(score_shared_class, name, _first_part(seeds, 5), *shape) for name in names]
            for shape in OTHER_SHAPES
        ]
        work.shared_projects = [
            ask(score_shared_projects, variant, calls, _first_part(seeds, 16))
            for variant, calls in SHARED_PROJECTS
        ]
    for folder in shared.petshop_folders():
        work.real.append((real.render_petshop, ask(real.score_petshop, folder)))
    if shared.nezha_folders():
        work.real.append((real.render_nezha, ask(real.score_nezha)))


def _first_part(seeds: range, of: int) -> range:
    return seeds[: max(1, len(seeds) // of)]
