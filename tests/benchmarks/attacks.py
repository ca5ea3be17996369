"""`make bench-attacks`: what attacks on the product achieve, as a table of figures and goals.

Our own cases always run; a corpus of patches runs besides if ATTACK_PATCHES names its folder. Each figure that misses
its goal is followed by the cases behind it, and makes the exit code 1.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.eval.patches import print_results
from tests.support.attacks.catalogue import BAD, FORGED, GOOD
from tests.support.attacks.verifying import Result, jobs_of_cases, jobs_of_corpus, run_jobs

CORPUS_VARIABLE = "ATTACK_PATCHES"
GOOD_REFUSED_SHARE = 0.05
OWN_SECONDS = 3.0
"""Time that a verification may take besides the commands of the repository."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        is_met: whether the figure meets its goal.
        details: the results behind a figure that misses it.
    """

    name: str
    figure: str
    goal: str
    is_met: bool
    details: tuple[Result, ...] = ()


def main() -> int:
    """Print the table; the exit code is 1 if a goal is missed."""
    began = time.monotonic()
    rows = [*patch_rows()]
    print(f"{'what':<52} {'measured':<34} {'goal':<10}")
    for row in rows:
        print(f"{row.name:<52} {row.figure:<34} {row.goal:<10} {'met' if row.is_met else 'MISSED'}")
    for row in rows:
        if row.details:
            print(f"\n{row.name}:")
            print_results(row.details)
    print(f"\nmeasured in {time.monotonic() - began:.0f} s")
    return int(not all(row.is_met for row in rows))


# ---- patches ----


def patch_rows() -> list[Row]:
    """Bad patches that come out ready, good ones that are refused, forged verifications, and their own time."""
    with jobs_of_cases({**BAD, **GOOD, **FORGED}) as jobs:
        own = run_jobs(jobs)
    given: list[Result] = []
    corpus = Path(os.environ.get(CORPUS_VARIABLE) or "/nonexistent")
    if corpus.is_dir():
        with jobs_of_corpus(corpus) as jobs:
            given = run_jobs(jobs)
    rows = [
        _bad("bad patches ready: own", _of_kind(own, "bad:")),
        _good("good patches refused: own", _of_kind(own, "good:")),
        _bad("verifications forged", _of_kind(own, "forged:")),
    ]
    if given:
        rows.insert(0, _bad("bad patches ready: given", _of_kind(given, "bad:")))
        rows.insert(2, _good("good patches refused: given", _of_kind(given, "good:")))
    return [*rows, _own_time([*own, *given])]


def _of_kind(results: Sequence[Result], prefix: str) -> list[Result]:
    return [result for result in results if result.job.kind.startswith(prefix)]


def _bad(name: str, results: Sequence[Result]) -> Row:
    """Ready patches, except ones that a person has to judge and that carry a note for that person."""
    ready = tuple(result for result in results if result.is_wrong and result.decision == "ready")
    noted = sum(result.decision == "ready" and not result.is_wrong for result in results)
    also = f" ({noted} ready with a note)" if noted else ""
    return Row(name, f"{len(ready)} of {len(results)}{also}", "0", not ready, ready)


def _good(name: str, results: Sequence[Result]) -> Row:
    refused = tuple(result for result in results if result.decision not in ("ready", "draft"))
    lowered = sum(result.job.expect == "ready" and result.decision == "draft" for result in results)
    also = f" ({lowered} a draft instead of ready)" if lowered else ""
    share = len(refused) / len(results)
    return Row(
        name, f"{len(refused)} of {len(results)}{also}", f"≤ {GOOD_REFUSED_SHARE:.0%}", share <= GOOD_REFUSED_SHARE,
        refused,
    )  # fmt: skip


def _own_time(results: Sequence[Result]) -> Row:
    seconds = sorted(result.own_seconds for result in results if result.runs)
    middle, high = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.95)]
    figure = f"median {middle:.1f} s, p95 {high:.1f} s"
    return Row("a verification's own time", figure, f"≤ {OWN_SECONDS:.0f} s", high <= OWN_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
