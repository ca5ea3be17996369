"""`python -m tests.soak --lines N --seed S`: run it and print what came of it; 1 when a promise broke."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.count import Count, count
from tests.chaos.lines import Plan, running

REAL = 0.05
"""So large a part of the lines uses the real opencode, which takes seconds of CPU to start."""


def main() -> int:
    options = _options()
    until = time.monotonic() + options.minutes * 60
    real = round(options.lines * REAL) if options.real is None else options.real
    plan = Plan(
        options.lines, options.seed, in_flight=options.in_flight, apart=options.apart, real=real,
        webhook=options.webhook, until=until,
    )  # fmt: skip
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the installation ends with us

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)

    folder = options.folder or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    say(f"seed {plan.seed}, {plan.lines} lines, in {folder}")
    with running(plan, folder, say) as run:
        run.live()
        say("no more blows and faults: everything settles")
        made = count(run)
    say("done")
    print(report(made))
    if made.broken:
        print(
            f"BROKEN with seed {plan.seed}; the log is {folder / 'up.log'}",
            *made.broken,
            *made.stories,
            sep="\n  ",
        )
    return int(bool(made.broken))


def report(made: Count) -> str:
    """The figures as a table."""
    width = max(len(name) for name in made.figures)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in made.figures.items())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Real kills through full lines")
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="no line begins later than this")
    parser.add_argument("--in-flight", type=int, default=6, help="lines at a time")
    parser.add_argument("--apart", type=float, default=6.0, help="seconds between two blows, on average")
    parser.add_argument("--real", type=int, help="how many lines use the real opencode; default 5 %%")
    parser.add_argument("--webhook", action="store_true", help="Slack is an incoming webhook")
    parser.add_argument(
        "--folder", type=Path, help="where everything lies; default a new one in the system's"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
