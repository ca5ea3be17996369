"""The cost of detection: milliseconds per window on one core, memory of a new process, and numeric libraries."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from tests.eval.catalogue import CLASSES
from tests.eval.detector import Line
from tests.eval.scenario import draw_window
from tests.eval.tables import percentile_90

ROUNDS = 3
WINDOWS = 1000
CHILD = """
import json, pathlib, resource, sys
from workers.cli.evaluation import evaluate_line
def peak():
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # rusage would include the peak of the parent process
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
before = peak()
with open(sys.argv[1]) as lines:
    for line in lines:
        evaluate_line(line)
loaded = sorted({"numpy", "scipy", "pandas"} & set(sys.modules))
print(json.dumps({"before": before, "after": peak(), "loaded": loaded}))
"""


@dataclass(frozen=True)
class Cost:
    """Times in milliseconds, memory in MB."""

    mean_ms: float
    p90_ms: float
    """The 90th percentile."""
    read_ms: float
    """Mean time to read a line with its history, which the other times exclude."""
    before_mb: float
    after_mb: float
    loaded: list[str]
    """Numeric libraries that were loaded; none are expected."""


def measure(seeds: range) -> Cost:
    """Time every class in this process, and measure the memory of 1,000 windows in a new one."""
    lines = [json.dumps(draw_window(scenario, seed).line) for scenario in CLASSES.values() for seed in seeds]
    judged, read_ms = _times(lines)
    milliseconds = _in_new_process((lines * (WINDOWS // len(lines) + 1))[:WINDOWS])
    return Cost(
        mean(judged),
        percentile_90(judged),
        read_ms,
        milliseconds["before"],
        milliseconds["after"],
        milliseconds["loaded"],
    )


def _times(lines: list[str]) -> tuple[list[float], float]:
    """Per line the best time of ROUNDS rounds without reading, and the mean time to read a line."""
    from workers.cli.window_format import read_line
    from workers.detection import detect

    began = time.perf_counter()
    prepared = [read_line(line) for line in lines]
    read_ms = 1000 * (time.perf_counter() - began) / len(lines)
    best = [float("inf")] * len(prepared)
    for _ in range(ROUNDS):
        for place, (survey, past) in enumerate(prepared):
            began = time.perf_counter()
            detect(survey, min_duration_minutes=4, history=past)
            best[place] = min(best[place], 1000 * (time.perf_counter() - began))
    return best, read_ms


def _in_new_process(lines: list[str]) -> Line:
    with tempfile.TemporaryDirectory(prefix="trackwalker-windows-") as folder:
        path = Path(folder) / "lines.jsonl"
        path.write_text("\n".join(lines))
        command = [sys.executable, "-c", CHILD, str(path)]
        child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    milliseconds: Line = json.loads(child.stdout)
    return milliseconds
