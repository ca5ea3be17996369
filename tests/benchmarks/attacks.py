"""`make bench-attacks`: what attacks on the product achieve, as a table of figures and goals.

Our own cases always run; a corpus of patches runs besides if ATTACK_PATCHES names its folder. Each figure that misses
its goal is followed by the cases behind it, and makes the exit code 1.
"""

from __future__ import annotations

import logging
import sys
import time

from tests.benchmarks.attack_rows import all_rows


def main() -> int:
    """Print the table; the exit code is 1 if a goal is missed."""
    logging.disable(logging.CRITICAL)  # refusals are logged by the hundred, and the table counts them
    began = time.monotonic()
    rows = []
    print(f"{'what':<44} {'measured':<34} goal", flush=True)
    for row in all_rows():
        rows.append(row)
        print(f"{row.name:<44} {row.figure:<34} {row.goal:<11}{'' if row.is_met else ' MISSED'}", flush=True)
    for row in rows:
        if row.details:
            print(f"\n{row.name}:", *row.details, sep="\n")
    print(f"\nmeasured in {time.monotonic() - began:.0f} s")
    return int(not all(row.is_met for row in rows))


if __name__ == "__main__":
    sys.exit(main())
