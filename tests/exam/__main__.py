"""Sit the exam: `python -m tests.exam [FOLDER …]`. docs/exam.md tells how to read it and how to add an incident."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.exam.incidents import load_exercises
from tests.exam.marks import Mark, Totals, missed_goals, total
from tests.exam.products import Product, grep, product_behind, this_product, thresholds
from tests.exam.variants import VARIANTS, dressed

SHOWN_CHARS = 150  # of a summary or an action under a wrong case
RIVALS: tuple[tuple[str, Product], ...] = (("thresholds", thresholds), ("grep", grep))


def main(arguments: list[str]) -> int:
    """Print a line per incident and the totals; the exit code is 1 if a goal is missed."""
    parser = argparse.ArgumentParser("python -m tests.exam", description=__doc__)
    parser.add_argument(
        "folders", nargs="*", type=Path, metavar="FOLDER", help="default: all of tests/exam/data"
    )
    parser.add_argument(
        "--product", metavar="CMD", help="a command that reads the input line and prints an answer"
    )
    parser.add_argument("--wrong", action="store_true", help="print the incidents alone that lost a mark")
    parser.add_argument(
        "--variants",
        action="store_true",
        help="also test the same incidents with other prefixes, outputs and replicas",
    )
    options = parser.parse_args(arguments)
    exercises = load_exercises(options.folders)
    product = product_behind(options.product) if options.product else this_product
    marks = [Mark(exercise, product(exercise)) for exercise in exercises]
    print("category  first  three  action       ms  incident")
    for mark in marks:
        if not options.wrong or not _is_perfect(mark):
            print(_describe(mark))
    _print_shares("by category", marks, lambda mark: mark.exercise.answer.category[0])
    _print_shares("by language", marks, lambda mark: mark.exercise.answer.language)
    print("\n" + _header())
    print(_row("this product" if not options.product else "the product", total(marks)))
    for name, rival in RIVALS:
        print(_row(name, total([Mark(exercise, rival(exercise)) for exercise in exercises])))
    for variant in VARIANTS if options.variants else ():
        others = [dressed(exercise, variant) for exercise in exercises]
        print(_row(variant.__name__, total([Mark(other, product(other)) for other in others])))
    missed = missed_goals(total(marks))
    print("\n" + ("all goals are met" if not missed else "missed: " + "; ".join(missed)))
    return int(bool(missed))


def _is_perfect(mark: Mark) -> bool:
    return mark.category_right and mark.action_right and (not mark.expects_place or mark.first_right)


def _describe(mark: Mark) -> str:
    places = (mark.first_right, mark.among_first_right) if mark.expects_place else (None, None)
    signs = [_sign(value) for value in (mark.category_right, *places, mark.action_right)]
    text = "{:>8}  {:>5}  {:>5}  {:>6}".format(*signs)
    text += f"  {mark.reply.milliseconds:7.0f}  {mark.exercise.name}"
    return text if _is_perfect(mark) else text + _difference(mark)


def _sign(value: bool | None) -> str:
    return "" if value is None else "right" if value else "WRONG"


def _difference(mark: Mark) -> str:
    answer, reply = mark.exercise.answer, mark.reply
    called = "  CALLED CODE" if mark.called_code else ""
    lines = (
        [] if mark.category_right else [f"is {reply.category}, not {' or '.join(answer.category)}{called}"]
    )
    if mark.expects_place and not mark.first_right:
        lines.append(f"places {list(reply.places[:3])}, not {answer.places[0]}")
    if not mark.action_right:
        lines.append(
            f"must name {[' or '.join(group) for group in answer.names]}, not {list(answer.innocent)}"
        )
        lines += [
            f"{key}: {text[:SHOWN_CHARS]}"
            for key, text in (("summary", reply.summary), ("action", reply.action))
        ]
    return "".join(f"\n{'':46}{line}" for line in lines)


def _print_shares(title: str, marks: list[Mark], key: Callable[[Mark], str]) -> None:
    print(f"\n{title:<16} incidents  category  first of traces  action")
    for name in sorted({key(mark) for mark in marks}):
        sums = total([mark for mark in marks if key(mark) == name])
        first = f"{sums.first} of {sums.traces}" if sums.traces else ""
        print(f"{name:<16} {sums.incidents:9}  {sums.categories:8}  {first:>15}  {sums.actions:6}")


def _header() -> str:
    return f"{'':18}category  called code  first file  exact line  among three  counted  action  model calls  ms a case"


def _row(name: str, sums: Totals) -> str:
    cells: Iterable[str] = (
        _percent(sums.categories, sums.incidents), str(sums.called_code), _percent(sums.first, sums.traces),
        _percent(sums.lines, sums.traces), _percent(sums.among_first, sums.traces),
        _percent(sums.counts, sums.occurrences), _percent(sums.actions, sums.incidents), str(sums.model_calls),
        f"{sums.milliseconds / max(1, sums.incidents):.0f}",
    )  # fmt: skip
    return f"{name:<18}" + "{:>8}  {:>11}  {:>10}  {:>10}  {:>11}  {:>7}  {:>6}  {:>11}  {:>9}".format(*cells)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
