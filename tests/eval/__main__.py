"""`make bench-window`: how well windows are judged, on our scenarios and on others' beside us, and at what cost.

python -m tests.windows [--seeds 0:100] [--no-real]    everything
python -m tests.windows --classes leak_fast,flat       these classes alone
python -m tests.windows --say [--classes …]            what is said of each window that is judged wrongly
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.eval import cost, shared, tables
from tests.eval.catalogue import CLASSES, usual_day
from tests.eval.detector import ask, is_there, said
from tests.eval.scenario import draw
from tests.eval.score import overall
from tests.eval.work import OTHER_SHAPES, Work, add_others, add_projects, begin_classes

HELD_OUT = 10_000
"""Seeds from here on are never used unless somebody names them."""
DEVELOPMENT = "0:100"
ARMS = {
    "detector": "flagged",
    "detector without any past": "without_past",
    "fixed limits": "by_thresholds",
    "fixed limits, critical only": "by_critical_thresholds",
}


def main(arguments: list[str]) -> int:
    """Print the figures; 0 unless there is nothing to ask."""
    chosen = _options(arguments)
    if not is_there():
        print("workers.cli.evaluation is not there: nothing to ask")
        return 1
    seeds: range = chosen.seeds
    names: list[str] = chosen.classes or list(CLASSES)
    if chosen.say:
        return _say_what_is_wrong(seeds, names)
    began = time.monotonic()
    kind = "development" if seeds.stop <= HELD_OUT else "HELD OUT"
    print(f"{kind} seeds {seeds.start} to {seeds.stop - 1}, {len(names)} classes, windows of 30 minutes")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), mp_context=context) as pool:
        work = begin_classes(pool, seeds, names)
        if not chosen.classes:
            add_projects(work, pool, seeds)
        if chosen.others and not chosen.classes:
            add_others(work, pool, seeds)
        _ours(work)
        _others(work)
    if chosen.others and not chosen.classes and not (work.shared_classes and work.real):
        print(
            f"\nskipped: others' windows are not in {shared.place()} (TRACKWALKER_DETECTION names the place)"
        )
    if not chosen.classes:
        _costs()
    print(f"\n{time.monotonic() - began:.0f} s")
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.windows", description="How well windows are judged.")
    add = parser.add_argument
    add("--seeds", type=_range, default=_range(DEVELOPMENT), help=f"FIRST:BEHIND, by default {DEVELOPMENT}")
    add("--classes", type=_names, help="these classes alone, parted by commas")
    add("--no-real", dest="others", action="store_false", help="only what lies in this repository")
    add("--say", action="store_true", help="only what is said of windows that are judged wrongly")
    return parser.parse_args(arguments)


def _range(text: str) -> range:
    first, _, behind = text.partition(":")
    return range(int(first), int(behind))


def _names(text: str) -> list[str]:
    names = text.split(",")
    strange = [name for name in names if name not in CLASSES]
    if strange:
        raise argparse.ArgumentTypeError(f"no class {', '.join(strange)}; there are {', '.join(CLASSES)}")
    return names


def _say_what_is_wrong(seeds: range, names: list[str]) -> int:
    for name in names:
        for seed in seeds:
            drawn = draw(CLASSES[name], seed)
            answer = ask(drawn.line)
            if answer["sick"] != drawn.scenario.sick:
                print(f"{name}-{seed} (trouble since minute {drawn.onset}): {said(answer)}")
    return 0


def _ours(work: Work) -> None:
    scores = [one.result() for one in work.classes]
    day = usual_day()
    _say("our classes, worst first", tables.class_table(scores))
    arms = [(name, overall(scores, day, count)) for name, count in ARMS.items()]
    _say("all of them together", tables.overall_table(arms))
    named = sum(one.right_kind for one in scores)
    found = sum(one.flagged for one in scores if one.sick)
    print(f"the right kind is named in {tables.percent(named, found)} of the windows found sick")
    delays = sorted(delay for one in scores for delay in one.delays)
    if delays:
        middle, late = delays[len(delays) // 2], tables.ninetieth(delays)
        print(f"seen {middle} minutes after the onset (median), {late:g} (90th percentile of those seen)")
    if work.projects:
        _say("our projects", tables.project_table([one.result() for one in work.projects]))


def _others(work: Work) -> None:
    other = shared.scenarios()
    scores = [one for future in work.shared_classes if (one := future.result())]
    if scores and other:
        _say("the other generator's classes, worst first", tables.class_table(scores))
        arms = [(name, overall(scores, other.DAY_MIX, count)) for name, count in ARMS.items()]
        for (minutes, step), futures in zip(OTHER_SHAPES, work.shared_shapes, strict=True):
            shaped = [one for future in futures if (one := future.result())]
            name = f"detector, windows of {minutes} minutes, samples every {step} s"
            arms.append((name, overall(shaped, other.DAY_MIX, "flagged", minutes)))
        _say("all of them together", tables.overall_table(arms))
        found = [made for future in work.shared_projects if (made := future.result())]
        _say("the other generator's projects", tables.project_table(found))
    for say, future in work.real:
        print("", *say(future.result()), sep="\n")


def _costs() -> None:
    spent = cost.measure(range(3))
    print(
        f"\ncost: {spent.mean_ms:.2f} ms a window (90th percentile {spent.slow_ms:.2f}) on one core, "
        f"{spent.read_ms:.2f} ms to read a line with its past; a fresh process takes {spent.before_mb:.0f} MB, "
        f"{spent.after_mb:.0f} MB after {cost.SERVICES} services; numeric libraries loaded: "
        f"{', '.join(spent.loaded) or 'none'}"
    )


def _say(title: str, lines: list[str]) -> None:
    print(f"\n{title}", *lines, sep="\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
