"""`make bench-oncall`: the figures of what people meet, each beside its goal.

Acknowledgements and the set-up run in complete installations, the page in the installed Chromium. Everything talks to
stand-ins on this machine.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys

from tests.benchmarks import acknowledgement, idle, page
from tests.support import doctor_mistakes, generated_incidents, newcomer
from tests.support.webhooks import ROOT

INCIDENTS = 500  # generated ones, whose Slack messages are checked against Block Kit's limits
ACK_GOAL_SECONDS = 5.0
INIT_GOAL_SECONDS = 90.0
INIT_GOAL_VALUES = 5
MISTAKES_GOAL = 25
MEMORY_GOAL_MB = 160.0
PRESSES = (
    "tests/integration/actions", "tests/integration/receiver/test_slack_actions.py",
    "tests/integration/receiver/test_page.py",
)  # fmt: skip


def main() -> int:
    """Print the figures; always 0, because a figure is not a test."""
    seconds = acknowledgement.measure()
    _print("alert to acknowledgement, p95", _p95(seconds), f"s of {len(seconds)}", f"≤ {ACK_GOAL_SECONDS:g}")
    worst = max(acknowledgement.measure_outages())
    _print("the same while Railway is down", worst, "s", f"≤ {acknowledgement.OUTAGE_ACK_SECONDS:g} + 1")
    values, init_seconds = newcomer.timed_init()
    _print("set-up by init, machine time", init_seconds, "s", f"≤ {INIT_GOAL_SECONDS:g}")
    _print("set-up by init, values asked", values, "", f"≤ {INIT_GOAL_VALUES}")
    page.main()
    _print_tests("axe-core and looks, every page", "tests/integration/receiver/test_page_browser.py")
    _print(f"invalid Slack messages of {INCIDENTS}", generated_incidents.count_invalid(INCIDENTS), "", "0")
    _print_tests("buttons pressed twice, late, by two", *PRESSES)
    mistakes = doctor_mistakes.run_all()
    named = sum(is_named for _, is_named in mistakes)
    _print("mistakes that doctor names", named, f"of {len(mistakes)}", f"all, ≥ {MISTAKES_GOAL}")
    _print("memory with the page open (PSS)", idle.memory_with_page(), "MB", f"≤ {MEMORY_GOAL_MB:g}")
    return 0


def _print_tests(name: str, *paths: str) -> None:
    """The number of tests of these files, and of those that fail."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    counts = {
        kind: int(number) for number, kind in re.findall(r"(\d+) (passed|failed|skipped|error)", output)
    }
    failed = counts.get("failed", 0) + counts.get("error", 0)
    _print(name, failed, f"failed of {sum(counts.values())} tests", "0")


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def _print(name: str, value: float, unit: str, goal: str) -> None:
    print(f"{name:<36} {value:8.2f} {unit:<8} goal {goal}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
