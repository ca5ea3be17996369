"""`make bench-window`: scores and cost of detection on our scenarios and, if present, on the data of others.

python -m tests.eval [--seeds 0:100] [--no-real]       everything
python -m tests.eval --classes leak_fast,flat          these classes alone
python -m tests.eval --list-wrong [--classes …]        the findings in each wrongly classified window
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.eval import cost, shared, tables
from tests.eval.catalogue import CLASSES, typical_day
from tests.eval.detector import describe, evaluate, is_available
from tests.eval.scenario import draw_window
from tests.eval.score import overall
from tests.eval.work import OTHER_SHAPES, Work, add_others, add_projects, begin_classes

HELD_OUT_SEED = 10_000
"""Seeds from here on are held out: no rule is tuned on them, and only --seeds selects them."""
DEFAULT_SEEDS = "0:100"
ARMS = {
    "detector": "flagged",
    "detector, notices alone": "noticed",
    "detector without history": "without_history",
    "fixed thresholds": "by_thresholds",
    "fixed thresholds, critical only": "by_critical_thresholds",
}


def main(arguments: list[str]) -> int:
    """Print the figures; the exit code is 1 if the detector cannot be imported."""
    chosen = _options(arguments)
    if not is_available():
        print("workers.cli.evaluation cannot be imported")
        return 1
    seeds: range = chosen.seeds
    names: list[str] = chosen.classes or list(CLASSES)
    if chosen.list_wrong:
        return _print_wrong_windows(seeds, names)
    began = time.monotonic()
    kind = "development" if seeds.stop <= HELD_OUT_SEED else "HELD OUT"
    print(f"{kind} seeds {seeds.start} to {seeds.stop - 1}, {len(names)} classes, windows of 30 minutes")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), mp_context=context) as pool:
        work = begin_classes(pool, seeds, names)
        if not chosen.classes:
            add_projects(work, pool, seeds)
        if chosen.others and not chosen.classes:
            add_others(work, pool, seeds)
        _print_own(work)
        _print_others(work)
    if chosen.others and not chosen.classes and not (work.shared_classes and work.real):
        print(
            f"\nskipped: no data of others in {shared.data_folder()} (TRACKWALKER_DETECTION names the folder)"
        )
    if not chosen.classes:
        _print_cost()
    print(f"\n{time.monotonic() - began:.0f} s")
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tests.eval", description="Score detection on windows with ground truth."
    )
    add = parser.add_argument
    add(
        "--seeds",
        type=_range,
        default=_range(DEFAULT_SEEDS),
        help=f"FIRST:END, END excluded (default: {DEFAULT_SEEDS})",
    )
    add("--classes", type=_names, help="comma-separated names of classes (default: all)")
    add("--no-real", dest="others", action="store_false", help="score only the data in this repository")
    add(
        "--list-wrong",
        action="store_true",
        help="list the findings in wrongly classified windows, and no scores",
    )
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


def _print_wrong_windows(seeds: range, names: list[str]) -> int:
    for name in names:
        for seed in seeds:
            drawn = draw_window(CLASSES[name], seed)
            answer = evaluate(drawn.line)
            if answer["sick"] != drawn.scenario.is_failing:
                print(f"{name}-{seed} (onset: minute {drawn.onset}): {describe(answer)}")
    return 0


def _print_own(work: Work) -> None:
    scores = [score.result() for score in work.classes]
    day = typical_day()
    _print_section("own classes, worst first", tables.class_table(scores))
    arms = [(name, overall(scores, day, count)) for name, count in ARMS.items()]
    _print_section("all of them together", tables.overall_table(arms))
    named = sum(score.right_kind for score in scores)
    flagged = sum(score.flagged for score in scores if score.is_failing)
    print(
        f"an acceptable kind is named in {tables.percent(named, flagged)} of the failing windows that alert"
    )
    delays = sorted(delay for score in scores for delay in score.delays)
    if delays:
        middle, late = delays[len(delays) // 2], tables.percentile_90(delays)
        print(
            f"delay after the onset: median {middle} min, 90th percentile {late:g} min, of detected failures"
        )
    if work.projects:
        _print_section("own projects", tables.project_table([score.result() for score in work.projects]))


def _print_others(work: Work) -> None:
    other = shared.scenarios()
    scores = [score for future in work.shared_classes if (score := future.result())]
    if scores and other:
        _print_section("the other generator's classes, worst first", tables.class_table(scores))
        arms = [(name, overall(scores, other.DAY_MIX, count)) for name, count in ARMS.items()]
        for (minutes, step), futures in zip(OTHER_SHAPES, work.shared_shapes, strict=True):
            shaped = [score for future in futures if (score := future.result())]
            name = f"detector, windows of {minutes} minutes, samples every {step} s"
            arms.append((name, overall(shaped, other.DAY_MIX, "flagged", minutes)))
        _print_section("all of them together", tables.overall_table(arms))
        flagged = [project_score for future in work.shared_projects if (project_score := future.result())]
        _print_section("the other generator's projects", tables.project_table(flagged))
    for say, future in work.real:
        print("", *say(future.result()), sep="\n")


def _print_cost() -> None:
    spent = cost.measure(range(3))
    print(
        f"\ncost: {spent.mean_ms:.2f} ms a window (90th percentile {spent.p90_ms:.2f}) on one core, "
        f"{spent.read_ms:.2f} ms to read a line with its past; a fresh process takes {spent.before_mb:.0f} MB, "
        f"{spent.after_mb:.0f} MB after {cost.WINDOWS} services; numeric libraries loaded: "
        f"{', '.join(spent.loaded) or 'none'}"
    )


def _print_section(title: str, lines: list[str]) -> None:
    print(f"\n{title}", *lines, sep="\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
