"""`python -m tests.chaos --incidents N --seed S`: run and print the figures. Exit code 1 if a promise was broken."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.cases import Plan, chaos_run
from tests.chaos.count import Result, count

REAL_AGENT_SHARE = 0.05  # share of the cases with the real opencode, which needs seconds of CPU to start


def main() -> int:
    options = _options()
    until = time.monotonic() + options.minutes * 60
    real = round(options.incidents * REAL_AGENT_SHARE) if options.real is None else options.real
    plan = Plan(
        options.incidents, options.seed, in_flight=options.in_flight, pause_seconds=options.apart,
        real_agent_cases=real,
        webhook=options.webhook, start_until=until,
    )  # fmt: skip
    began = time.monotonic()
    # A normal exit shuts the installation down too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def report_progress(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)

    folder = options.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    report_progress(f"seed {plan.seed}, {plan.cases} incidents, in {folder}")
    with chaos_run(plan, folder, report_progress) as run:
        run.run_all()
        report_progress("disruptions and faults have ended; waiting for everything to settle")
        result = count(run)
    report_progress("done")
    print(table(result))
    if result.broken:
        print(
            f"BROKEN with seed {plan.seed}; the log is {folder / 'up.log'}",
            *result.broken,
            *result.unended,
            sep="\n  ",
        )
    return int(bool(result.broken))


def table(result: Result) -> str:
    """The figures as a table."""
    width = max(len(name) for name in result.figures)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in result.figures.items())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Kill everything at random through complete incidents"
    )
    parser.add_argument("--incidents", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="no incident starts later than this")
    parser.add_argument("--in-flight", type=int, default=6, help="incidents at a time")
    parser.add_argument("--apart", type=float, default=6.0, help="mean seconds between two disruptions")
    parser.add_argument("--real", type=int, help="number of incidents with the real opencode; default 5 %%")
    parser.add_argument("--webhook", action="store_true", help="Slack is an incoming webhook")
    parser.add_argument("--folder", type=Path, help="folder of the run; by default a new temporary one")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
