"""`python -m tests.eval.patches FOLDER`: the decisions for a corpus of patches, by class, against what it expects.

The folder holds `bases`, `bad` and `good`; see `jobs_of_corpus`. Without a folder, our own cases are run.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.support.attacks.catalogue import ALL_CASES
from tests.support.attacks.verifying import Job, Result, jobs_of_cases, jobs_of_corpus, run_jobs

MAX_REASON = 400  # characters of reasons and notes in a line


def main(arguments: list[str]) -> int:
    """Print the tables; the exit code is 1 if a decision is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="a corpus (default: our own cases)")
    parser.add_argument("--only", default="", help="part of a name or kind")
    parser.add_argument("--jobs", type=int, default=2, help="verifications at a time (default: 2)")
    parser.add_argument("--all", action="store_true", help="print every decision, not only wrong ones")
    options = parser.parse_args(arguments)
    context = jobs_of_corpus(options.folder) if options.folder else jobs_of_cases(ALL_CASES)
    with context as jobs:
        chosen = [job for job in jobs if _matches(job, options.only)]
        results = run_jobs(chosen, at_once=options.jobs)
    print_results(results, every=options.all)
    return int(any(result.is_wrong for result in results))


def print_results(results: Sequence[Result], *, every: bool = False) -> None:
    """Print the decisions by kind, and each wrong one with its reason."""
    by_kind: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_kind[result.job.kind].append(result)
    for kind, group in by_kind.items():
        counts = Counter(result.decision for result in group)
        decisions = ", ".join(f"{count} {decision}" for decision, count in counts.most_common())
        wrong = sum(result.is_wrong for result in group)
        print(f"{kind:<24} {len(group):>4}  {decisions}{f'  WRONG: {wrong}' if wrong else ''}")
    print(*describe_results([result for result in results if every or result.is_wrong]), sep="\n")


def describe_results(results: Sequence[Result]) -> list[str]:
    """A line for each result: what was decided, what was expected, and why."""
    lines = []
    for result in results:
        why = "; ".join((*result.reasons, *(f"note: {note}" for note in result.notes)))[:MAX_REASON]
        expected = f"expected {result.job.expect}, {result.seconds:.1f} s"
        mark = "WRONG" if result.is_wrong else "right"
        lines.append(f"  {mark} {result.job.kind}: {result.job.name}: {result.decision} ({expected}): {why}")
    return lines


def _matches(job: Job, part: str) -> bool:
    return part in f"{job.kind}: {job.name}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
