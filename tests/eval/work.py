"""All that is to be counted, handed to as many processes as there are cores, and what comes back."""

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
"""Minutes of a window and seconds between its samples; the other generator can make all of them."""
SHARED_PROJECTS = (("sick", True), ("sick", False), ("clean", True))


@dataclass
class Work:
    """What is under way; every list is in the order in which it is printed."""

    classes: list[Future[ClassScore]]
    projects: list[Future[ProjectScore]] = field(default_factory=list)
    shared_classes: list[Future[ClassScore | None]] = field(default_factory=list)
    shared_shapes: list[list[Future[ClassScore | None]]] = field(default_factory=list)
    shared_projects: list[Future[ProjectScore | None]] = field(default_factory=list)
    real: list[tuple[Callable[[RealScore], list[str]], Future[RealScore]]] = field(default_factory=list)


def begin_classes(pool: ProcessPoolExecutor, seeds: range, names: list[str]) -> Work:
    """Our classes alone; delays take many windows each and are measured on a fifth of the seeds."""
    return Work([pool.submit(score_class, name, seeds, _part(seeds, 5)) for name in names])


def add_projects(work: Work, pool: ProcessPoolExecutor, seeds: range) -> None:
    """Our projects, on half of the seeds."""
    work.projects = [pool.submit(score_projects, variant, _part(seeds, 2)) for variant in VARIANTS]


def add_others(work: Work, pool: ProcessPoolExecutor, seeds: range) -> None:
    """The other generator's windows and projects and the real ones, as far as they are here."""
    theirs, ask = shared.scenarios(), pool.submit
    if theirs is not None:
        names = list(theirs.CLASSES)
        work.shared_classes = [ask(score_shared_class, name, _part(seeds, 2)) for name in names]
        work.shared_shapes = [
            [ask(score_shared_class, name, _part(seeds, 5), *shape) for name in names]
            for shape in OTHER_SHAPES
        ]
        work.shared_projects = [
            ask(score_shared_projects, variant, calls, _part(seeds, 16)) for variant, calls in SHARED_PROJECTS
        ]
    if shared.petshop_folder():
        work.real.append((real.say_petshop, ask(real.score_petshop)))
    if shared.nezha_folders():
        work.real.append((real.say_nezha, ask(real.score_nezha)))


def _part(seeds: range, of: int) -> range:
    return seeds[: max(1, len(seeds) // of)]
